//! Everything that can go wrong with the server and its databases. What a caller does about it is the
//! caller's.

use std::path::PathBuf;

/// What went wrong with the server that the demo and the tests run on.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No programs on this machine, and none could be fetched.
    #[error(
        "Postgres is not installed and could not be fetched ({reason}); install it (Debian, Ubuntu: apt-get \
         install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql), or name \
         the folder of its programs in LEAVER_PG_BIN, or a running server in DATABASE_URL"
    )]
    ProgramsMissing {
        /// Why fetching failed, in one line.
        reason: String,
    },
    /// `LEAVER_PG_BIN` names a folder that does not hold the programs.
    #[error("LEAVER_PG_BIN is {}, where initdb, pg_ctl and postgres are not all to be found", .0.display())]
    ProgramsNotThere(PathBuf),
    /// Running as root, and no user to run Postgres as: it refuses to run as root.
    #[error(
        "Postgres does not run as root, and this machine has neither a user `postgres` nor a user `nobody`"
    )]
    NoUser,
    /// The shell that looks after the server could not be started or spoken to.
    #[error("the shell that looks after Postgres could not be {action}")]
    Guardian {
        /// What was tried: "started", "spoken to".
        action: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The shell did not answer in time, or has ended.
    #[error("the shell that looks after Postgres gave no answer to `{order}`")]
    NoAnswer {
        /// The order that it was given.
        order: &'static str,
    },
    /// Postgres did not do what it was told.
    #[error("Postgres failed to {order}: {last_words}")]
    Refused {
        /// The order that was given.
        order: &'static str,
        /// The end of the server's log, in one line.
        last_words: String,
    },
    /// Only a server that this program started can be stopped by it.
    #[error("the server is named by DATABASE_URL, so it is not ours to stop")]
    NotOurs,
    /// A `DATABASE_URL` that is no URL.
    #[error("DATABASE_URL is not a URL of a Postgres server")]
    BadUrl(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement of the administration failed.
    #[error("could not {action} on the Postgres server")]
    Statement {
        /// What was tried, as a verb and its object.
        action: &'static str,
        /// What the server or the connection said.
        #[source]
        source: sqlx::Error,
    },
    /// A statement of the administration took too long.
    #[error("the Postgres server did not {action} in time")]
    StatementTimedOut {
        /// What was tried, as a verb and its object.
        action: &'static str,
    },
}
