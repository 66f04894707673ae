//! Runs a command with `DATABASE_URL` naming a new database of a private Postgres, which goes with the command:
//! `with-postgres cargo test`. Everything about the server is in the library.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser;
use leaver_simulator::postgres::{Durability, Server};
use sqlx::Connection as _;
use sqlx::migrate::Migrator;

/// Runs a command with a private Postgres in DATABASE_URL.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A folder of migrations that the database is given first.
    #[arg(long)]
    migrations: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let (program, rest) = arguments.command.split_first().context("a command is needed")?;
    let server = Server::start_private(Durability::Throwaway).await?;
    let database = server.create_database("command").await?;
    if let Some(folder) = &arguments.migrations {
        let mut connection = sqlx::PgConnection::connect(database.url()).await?;
        Migrator::new(folder.as_path()).await?.run(&mut connection).await?;
        connection.close().await?;
    }
    let status = Command::new(program)
        .args(rest)
        .env("DATABASE_URL", database.url())
        .status()
        .with_context(|| format!("{program} can't be started"))?;
    server.end().await;
    // A command that a signal ended has no code.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
