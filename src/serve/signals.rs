//! The signals that end the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the process, heard from the moment at which this is made: one that comes while everything is still
/// being set up is an orderly stop too.
pub(super) struct StopSignals {
    term: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Hears them from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the first; a second one ends the process at once.
    pub(super) async fn first(mut self) {
        self.next().await;
        tracing::info!("stopping: no new work, the running calls are finished");
        tokio::spawn(async move {
            self.next().await;
            // The status that a shell gives to a process ended by SIGTERM. SIGKILL would be as safe.
            std::process::exit(143);
        });
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.term.recv() => {} _ = self.interrupt.recv() => {} }
    }
}
