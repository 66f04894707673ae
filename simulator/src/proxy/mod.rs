//! A proxy in front of Postgres, for tests of what a distant, slow, breaking or absent database does to the
//! service. It passes bytes on and reads none of them; starting the server behind it is left to `postgres`.

mod service;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use service::{Counts, GivenOrder, Order, Service, Target};

/// Why a proxy could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The URL of the server or of a database can't be read.
    #[error("not a URL of a Postgres server")]
    BadUrl(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The port, or the thread that serves it, could not be had.
    #[error("the proxy could not be started")]
    NotStarted(#[source] io::Error),
    /// The proxy's thread has ended, which it does when its port can't be had back.
    #[error("the proxy has ended")]
    Ended,
}

/// Whether new connections are accepted; those that stand are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// New connections reach the server.
    Up,
    /// New connections are refused, as by a machine on which no Postgres runs.
    Down,
}

/// A running proxy on a port of 127.0.0.1; dropping it cuts its connections and frees the port.
///
/// It runs on a thread and a runtime of its own, so its methods may be called from everywhere and block for
/// less than a millisecond, except that one which has to get the port back can take up to 100 ms.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: Target,
    delay: watch::Sender<Duration>,
    counts: Arc<Counts>,
    orders: Option<mpsc::UnboundedSender<GivenOrder>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of the server that a database's URL names, over TCP or over a Unix socket.
    ///
    /// # Errors
    ///
    /// [`ProxyError::BadUrl`] and [`ProxyError::NotStarted`]; that the server does not answer is none.
    pub fn start(target_url: &str) -> Result<Self, ProxyError> {
        let target = Target::parse(target_url)?;
        let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ProxyError::NotStarted)?;
        let address = port.local_addr().map_err(ProxyError::NotStarted)?;
        port.set_nonblocking(true).map_err(ProxyError::NotStarted)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ProxyError::NotStarted)?;
        let listener = {
            // Registers the port there; `block_on` would panic where the caller is in a runtime already.
            let _there = runtime.enter();
            TcpListener::from_std(port).map_err(ProxyError::NotStarted)?
        };
        let (delay, delays) = watch::channel(Duration::ZERO);
        let (orders, received) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let service = Service { target: target.clone(), delays, counts: Arc::clone(&counts) };
        let thread = std::thread::Builder::new()
            .name("postgres-proxy".to_owned())
            .spawn(move || runtime.block_on(service.run(listener, address, received)))
            .map_err(ProxyError::NotStarted)?;
        Ok(Self { address, target, delay, counts, orders: Some(orders), thread: Some(thread) })
    }

    /// The URL that reaches the database of `database_url` through this proxy; user, password and parameters
    /// stay.
    ///
    /// # Errors
    ///
    /// [`ProxyError::BadUrl`].
    pub fn url_for(&self, database_url: &str) -> Result<String, ProxyError> {
        let bad = |error: Box<dyn std::error::Error + Send + Sync>| ProxyError::BadUrl(error);
        let mut url = Url::parse(database_url).map_err(|error| bad(error.into()))?;
        let replaced = ["host", "hostaddr", "port"];
        let mut parameters: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(key, _)| !replaced.contains(&key.as_str())).collect();
        if matches!(self.target, Target::Unix(_)) {
            // A client asks for TLS over TCP, and a server offers none over its Unix socket.
            parameters.retain(|(key, _)| key != "sslmode" && key != "ssl-mode");
            parameters.push(("sslmode".to_owned(), "disable".to_owned()));
        }
        url.set_host(Some(&self.address.ip().to_string())).map_err(|error| bad(error.into()))?;
        url.set_port(Some(self.address.port()))
            .map_err(|()| bad("a URL without a place for a port".into()))?;
        url.set_query(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Ok(url.into())
    }

    /// Holds every answer of the server back for `delay`, from the next that arrives on; requests pass at
    /// once.
    ///
    /// Like a distance and not like a queue: answers that follow each other closely are not delayed by each
    /// other.
    pub fn set_answer_delay(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }

    /// Cuts every connection, in the middle of a request or of an answer, and returns once they are closed.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Ended`].
    pub fn cut_all(&self) -> Result<(), ProxyError> {
        self.give(Order::CutAll)
    }

    /// Accepts or refuses new connections from now on, and returns once that holds.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Ended`].
    pub fn set_availability(&self, availability: Availability) -> Result<(), ProxyError> {
        self.give(Order::Availability(availability))
    }

    /// How many connections have been accepted since the start.
    pub fn connections_accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn connections_open(&self) -> u64 {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Waits until the order has been carried out, so there are never more orders than callers.
    fn give(&self, order: Order) -> Result<(), ProxyError> {
        let (done, wait) = blocking::sync_channel(1);
        let orders = self.orders.as_ref().ok_or(ProxyError::Ended)?;
        orders.send((order, done)).map_err(|_| ProxyError::Ended)?;
        wait.recv().map_err(|_| ProxyError::Ended)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the proxy's thread panicked");
        }
    }
}
