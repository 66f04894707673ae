//! The proxy's own thread: accepts, connects, passes bytes on, and carries out orders one after another. How
//! a test gives them is left to the module above.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Availability, ProxyError};

/// How much is read at once; Postgres fills buffers of 8 KiB.
const CHUNK_BYTES: usize = 8 * 1024;
/// How many chunks of answers wait for their time on one connection: 1 MiB, then the server waits as for a
/// slow network.
const DELAYED_CHUNKS_LIMIT: usize = 128;
/// How many clients wait to be accepted, as for a Postgres of 200 connections.
const BACKLOG: u32 = 256;
/// How often the port is asked for again: closing the listener frees it at once, but for the kernel's own
/// work.
const REBIND_ATTEMPTS: u32 = 50;
/// How long to wait between two of these.
const REBIND_PAUSE: Duration = Duration::from_millis(2);
/// How long connecting to the server may take; it is on this machine or beside it.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long to leave a port alone that fails to hand out a connection, so that a lack of file handles is not
/// a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Unix(PathBuf),
    Tcp(String, u16),
}

/// What the proxy's thread can be told.
#[derive(Debug)]
pub(super) enum Order {
    CutAll,
    Availability(Availability),
}

/// An order, and where to tell that it has been carried out.
pub(super) type GivenOrder = (Order, blocking::SyncSender<()>);

/// Counted by the proxy's thread, read by everybody.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicU64,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ProxyError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| ProxyError::BadUrl(error.into()))?;
        Ok(match options.get_socket() {
            Some(folder) => Target::Unix(folder.join(format!(".s.PGSQL.{}", options.get_port()))),
            None => Target::Tcp(options.get_host().to_owned(), options.get_port()),
        })
    }
}

/// What runs on the proxy's thread.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) target: Target,
    pub(super) delays: watch::Receiver<Duration>,
    pub(super) counts: Arc<Counts>,
}

/// The port, which stays ours while it is closed: bound and not listening, it refuses.
enum Door {
    Open(TcpListener),
    Closed(TcpSocket),
}

impl Door {
    async fn next(&self) -> io::Result<TcpStream> {
        match self {
            Door::Open(listener) => listener.accept().await.map(|(client, _)| client),
            Door::Closed(_) => std::future::pending().await,
        }
    }

    async fn set(self, availability: Availability, address: SocketAddr) -> io::Result<Self> {
        match (self, availability) {
            (Door::Open(listener), Availability::Down) => {
                drop(listener);
                bound_again(address).await.map(Door::Closed)
            }
            (Door::Closed(socket), Availability::Up) => socket.listen(BACKLOG).map(Door::Open),
            (door @ Door::Open(_), Availability::Up) | (door @ Door::Closed(_), Availability::Down) => {
                Ok(door)
            }
        }
    }
}

async fn bound_again(address: SocketAddr) -> io::Result<TcpSocket> {
    let mut attempt = 1;
    loop {
        let socket = TcpSocket::new_v4()?;
        // Connections that were closed a moment ago would otherwise keep the port.
        socket.set_reuseaddr(true)?;
        match socket.bind(address) {
            Ok(()) => return Ok(socket),
            Err(error) if attempt == REBIND_ATTEMPTS => return Err(error),
            Err(_) => tokio::time::sleep(REBIND_PAUSE).await,
        }
        attempt += 1;
    }
}

impl Service {
    /// Serves until the proxy is dropped. Ending drops the connections, and so cuts them.
    pub(super) async fn run(
        self,
        listener: TcpListener,
        address: SocketAddr,
        mut orders: mpsc::UnboundedReceiver<GivenOrder>,
    ) {
        let mut door = Door::Open(listener);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return,
                    Some((Order::CutAll, done)) => {
                        connections.shutdown().await;
                        // The caller may have stopped waiting.
                        done.send(()).ok();
                    }
                    Some((Order::Availability(wanted), done)) => match door.set(wanted, address).await {
                        Ok(now) => {
                            door = now;
                            done.send(()).ok();
                        }
                        Err(error) => return tracing::error!(%error, "the proxy has lost its port"),
                    },
                },
                client = door.next() => match client {
                    Ok(client) => {
                        connections.spawn(self.clone().connection(client, Open::count(&self.counts)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the proxy could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self, client: TcpStream, _open: Open) {
        let served = match &self.target {
            Target::Unix(path) => match within_limit(UnixStream::connect(path)).await {
                Ok(server) => self.pass(client, server).await,
                Err(error) => Err(error),
            },
            Target::Tcp(host, port) => match within_limit(TcpStream::connect((host.as_str(), *port))).await {
                Ok(server) => server.set_nodelay(true).and(self.pass(client, server).await),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection through the proxy broke");
        }
    }

    /// Passes bytes both ways until the server closes or either side breaks.
    ///
    /// The client's end alone is not the end: it is passed on, and what the server still says is delivered; a
    /// cancel request is such a connection. Postgres itself never closes one half, so its end is the end of
    /// the connection.
    async fn pass(&self, client: TcpStream, server: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        client.set_nodelay(true)?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = tokio::io::split(server);
        let (delayed, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(DELAYED_CHUNKS_LIMIT);
        let requests = async {
            tokio::io::copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await?;
            std::future::pending::<io::Result<()>>().await
        };
        let take_answers = async {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let length = from_server.read(&mut chunk).await?;
                let at = Instant::now() + *self.delays.borrow();
                if length == 0 || delayed.send((at, chunk[..length].to_vec())).await.is_err() {
                    // Closes the channel, so that what waits in it is delivered and then the connection ends.
                    drop(delayed);
                    return Ok::<(), io::Error>(());
                }
            }
        };
        let deliver_answers = async {
            while let Some((at, chunk)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                to_client.write_all(&chunk).await?;
            }
            to_client.shutdown().await
        };
        tokio::select! {
            ended = requests => ended,
            ended = async { tokio::try_join!(take_answers, deliver_answers) } => ended.map(|_| ()),
        }
    }
}

async fn within_limit<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT_LIMIT, connecting).await?
}

/// Counts a connection as open for as long as it lives, also when it is cut.
struct Open(Arc<Counts>);

impl Open {
    fn count(counts: &Arc<Counts>) -> Self {
        counts.accepted.fetch_add(1, Ordering::SeqCst);
        counts.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
