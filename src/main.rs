//! Starts Leaver, and turns how it ended into an exit code: 0 done, 1 it failed, 2 usage or configuration.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use leaver::commands::cli::Cli;
use leaver::commands::{Failure, run};

fn main() -> ExitCode {
    // Before the first client: without it every TLS connection panics.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("a cryptography provider was installed before");
        return ExitCode::FAILURE;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("leaver: {}", failure.line());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help goes to whoever asks for it; a mistake gets one line, as one in the configuration does.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit();
    }
    let text = error.to_string();
    let line: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let failure = Failure::Usage(line.join(" ").trim_start_matches("error: ").to_owned());
    eprintln!("leaver: {}", failure.line());
    ExitCode::from(failure.exit_code())
}
