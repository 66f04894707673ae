//! The running simulator: its own threads, its socket, its end. What is answered is left to `exchange`.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::control::Control;
use crate::exchange;
use crate::rules::Options;

/// Two threads, so that a hook that blocks one doesn't stop the others.
const WORKER_THREADS: usize = 2;

/// How long the end waits for hooks that still run.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("the simulator can't listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No thread could be started.
    #[error("the simulator can't start its threads")]
    Threads(#[source] io::Error),
}

/// A simulated Genesys Cloud on a real socket; stops when dropped, and drops every connection then.
#[derive(Debug)]
pub struct Simulator {
    control: Control,
    address: SocketAddr,
    client_id: String,
    client_secret: String,
    runtime: Option<Runtime>,
}

impl Simulator {
    /// Starts a simulator on threads of its own, so that it answers also while the caller's runtime is blocked.
    ///
    /// # Errors
    ///
    /// Fails when the address can't be listened on or the system gives no threads.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("simulator")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let listen_error = |source| StartError::Listen { address: options.listen, source };
        let socket = StdListener::bind(options.listen).map_err(listen_error)?;
        socket.set_nonblocking(true).map_err(listen_error)?;
        let address = socket.local_addr().map_err(listen_error)?;
        let listener = {
            let _context = runtime.enter();
            Breakable(TcpListener::from_std(socket).map_err(listen_error)?)
        };
        let control = Control::new(&options);
        let service = Router::new()
            .fallback(exchange::handle)
            .with_state(control.clone())
            .into_make_service_with_connect_info::<Breaker>();
        runtime.spawn(async move { axum::serve(listener, service).await });
        Ok(Self {
            control,
            address,
            client_id: options.client_id,
            client_secret: options.client_secret,
            runtime: Some(runtime),
        })
    }

    /// Gives the base address of both the API and the login host, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives the address of the socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the id of the only OAuth client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Gives the secret of the only OAuth client.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Gives a handle that hooks and threads can keep.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Deref for Simulator {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Hooks hold handles on the world that holds them.
        self.control.clear_faults();
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own: a runtime must not be waited for within another one.
            let stopping = std::thread::spawn(move || runtime.shutdown_timeout(STOP_TIMEOUT));
            // A panic in there has been printed already, and nothing is left to stop.
            let _ = stopping.join();
        }
    }
}

/// A listener whose connections can be broken from within a request.
struct Breakable(TcpListener);

/// Breaks the connection of the request it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Breaker(Arc<AtomicBool>);

impl Breaker {
    /// Makes the connection fail before another byte of it is written.
    pub(crate) fn break_connection(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Breaker {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().breaker.clone()
    }
}

impl Listener for Breakable {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without it small answers wait for the peer's acknowledgement; failing to set it only costs time.
        let _ = stream.set_nodelay(true);
        (Wire { stream, breaker: Breaker(Arc::new(AtomicBool::new(false))) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection with its breaker.
struct Wire {
    stream: TcpStream,
    breaker: Breaker,
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.breaker.0.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_simulator_no_longer_listens() {
        let simulator = Simulator::start(Options::default()).unwrap();
        let address = simulator.address();
        assert!(std::net::TcpStream::connect(address).is_ok());
        drop(simulator);
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn an_address_that_is_taken_is_an_error() {
        let first = Simulator::start(Options::default()).unwrap();
        let second = Simulator::start(Options { listen: first.address(), ..Options::default() });
        assert!(matches!(second, Err(StartError::Listen { .. })));
    }
}
