//! A Postgres for `cargo demo` and `cargo test`: the server that `DATABASE_URL` names, or else a private one
//! that is gone with the program, even after `kill -9`. What is in its databases, migrations included, is
//! left to whoever asks for them.
//!
//! | module | what it knows |
//! | --- | --- |
//! | `programs` | where Postgres is installed, and which user may run it |
//! | `fetch` | how to get it where it is not installed |
//! | `launch` | how a private server starts, stops, and cleans up after a killed program |
//! | `database` | creating and dropping databases |

mod database;
mod error;
mod fetch;
mod launch;
mod programs;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use reqwest::Url;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

pub use database::Database;
pub use error::PostgresError;
use launch::{Order, Private};

/// Whether what a private server has acknowledged survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Postgres' own defaults; for the demo, and for whatever claims that nothing is lost.
    Durable,
    /// No `fsync`; for tests. It still survives a crash of the server itself, immediate stops included: what
    /// was written is in the kernel's cache, and commits still wait for their write-ahead log.
    Throwaway,
}

impl Durability {
    fn settings(self) -> &'static str {
        match self {
            Durability::Durable => "",
            Durability::Throwaway => "fsync = off\nfull_page_writes = off\n",
        }
    }

    fn initdb_flags(self) -> &'static [&'static str] {
        match self {
            Durability::Durable => &[],
            Durability::Throwaway => &["--no-sync"],
        }
    }
}

/// Where databases can be had: a private server, or the one that `DATABASE_URL` names.
///
/// It holds no connection, so one server serves tests that each have a runtime of their own.
#[derive(Debug)]
pub struct Server {
    /// The URL of the database from which others are created.
    url: Url,
    /// None where `DATABASE_URL` names the server.
    private: Option<Arc<Private>>,
}

impl Server {
    /// Takes the server that `DATABASE_URL` names, or starts a private one where it is unset or empty.
    ///
    /// A private server takes about 0.6 s, and minutes where Postgres has to be fetched first. On a named
    /// server the databases that killed runs have left behind are dropped, once they are an hour old and
    /// nobody is connected.
    ///
    /// # Errors
    ///
    /// Whatever keeps the server from starting, or the named one from answering; where Postgres is not
    /// installed and can't be fetched, the error is one line that says what to install.
    pub async fn start(durability: Durability) -> Result<Self, PostgresError> {
        let Some(url) = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) else {
            return Self::start_private(durability).await;
        };
        let url = Url::parse(&url).map_err(|error| PostgresError::BadUrl(error.into()))?;
        database::drop_left_behind(&url).await?;
        Ok(Self { url, private: None })
    }

    /// Starts a private server whatever `DATABASE_URL` says; for tests that take the server away.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub async fn start_private(durability: Durability) -> Result<Self, PostgresError> {
        let programs = programs::find_or_fetch().await?;
        // Where the caller gives up meanwhile, the server starts, is dropped here, and so cleans up.
        let private = on_blocking_thread(move || Private::launch(&programs, durability)).await?;
        // The host is the parameter's: a socket's path can't stand where a URL has its host.
        let parameters = [("host", private.folder().as_os_str().to_string_lossy())];
        let url = Url::parse_with_params("postgres://postgres@localhost/postgres", &parameters)
            .map_err(|error| PostgresError::BadUrl(error.into()))?;
        Ok(Self { url, private: Some(Arc::new(private)) })
    }

    /// Starts the one server of this test process, at the first call, and hands it to every caller on any
    /// runtime.
    ///
    /// It is never dropped; a private one stops when the process ends. Don't stop it: other tests are using
    /// it.
    ///
    /// # Errors
    ///
    /// As [`Server::start`]; the first outcome is everybody's, so a machine without Postgres is searched
    /// once.
    pub async fn shared_for_tests() -> Result<&'static Self, &'static PostgresError> {
        static SHARED: OnceCell<Result<Server, PostgresError>> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(Durability::Throwaway)).await.as_ref()
    }

    /// The URL of the server's administrative database, as a superuser or as `DATABASE_URL` has it.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The folder of a private server, with its data, its log and its socket; none for the one of
    /// `DATABASE_URL`.
    pub fn folder(&self) -> Option<&Path> {
        self.private.as_ref().map(|private| private.folder())
    }

    /// Creates an empty database whose name is made unique and contains `prefix`.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Statement`] and [`PostgresError::StatementTimedOut`].
    pub async fn create_database(&self, prefix: &str) -> Result<Database, PostgresError> {
        Database::create(self, prefix, None).await
    }

    /// Creates a copy of `template`, to which nobody may be connected: Postgres waits 5 s for that and then
    /// refuses.
    ///
    /// # Errors
    ///
    /// As [`Server::create_database`].
    pub async fn create_from_template(
        &self,
        template: &Database,
        prefix: &str,
    ) -> Result<Database, PostgresError> {
        Database::create(self, prefix, Some(template)).await
    }

    /// Takes a private server away as a crash would: every connection breaks and the next start recovers.
    ///
    /// # Errors
    ///
    /// [`PostgresError::NotOurs`] for the server of `DATABASE_URL`; [`PostgresError::Refused`] where it does
    /// not run.
    pub async fn stop_immediately(&self) -> Result<(), PostgresError> {
        self.tell(Order::Stop).await
    }

    /// Brings a server back that was taken away, at the same URL, and returns once it accepts connections.
    ///
    /// # Errors
    ///
    /// [`PostgresError::NotOurs`] for the server of `DATABASE_URL`; [`PostgresError::Refused`] where it still
    /// runs.
    pub async fn restart(&self) -> Result<(), PostgresError> {
        self.tell(Order::Start).await
    }

    /// Ends a private server and returns once it and its folder are gone; leaves the one of `DATABASE_URL`
    /// running.
    ///
    /// Dropping does the same, but blocks the runtime's thread for the tenth of a second that it takes.
    pub async fn end(self) {
        if let Some(private) = self.private.clone() {
            on_blocking_thread(move || private.end()).await;
        }
    }

    async fn tell(&self, order: Order) -> Result<(), PostgresError> {
        let private = self.private.clone().ok_or(PostgresError::NotOurs)?;
        on_blocking_thread(move || private.tell(order)).await
    }
}

/// Runs what blocks beside the runtime, and lets its panic be ours.
async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels, and then nobody polls us again.
            Err(_) => std::future::pending().await,
        },
    }
}
