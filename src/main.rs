//! The commands of Leaver, one call each, and their exit codes: 0 done, 1 it failed, 2 usage or configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use leaver::commands::{self, Failure, Output};
use leaver::config::Config;
use leaver::operate::{Completion, OwnTermination};
use leaver::serve::{Migrate, Work};
use leaver::store::decisions::Decision;

/// Takes people who have left the company out of Genesys Cloud.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// The configuration file.
    #[arg(long, global = true, env = "LEAVER_CONFIG", default_value = "leaver.toml", value_name = "FILE")]
    config: PathBuf,
    /// Prints JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receives webhooks and works on offboardings.
    Serve {
        /// Only receives; workers run elsewhere.
        #[arg(long)]
        no_worker: bool,
        /// Leaves the database's schema as it is.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Works on offboardings without receiving any.
    Worker {
        /// Leaves the database's schema as it is.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Brings the database to this version's schema.
    Migrate,
    /// Checks the configuration, the database, the access to Genesys Cloud and each permission there.
    Check,
    /// Shows what an offboarding would remove, keep and be held by, without a single changing call.
    Plan {
        /// An e-mail address, an external id or a Genesys user id.
        person: String,
        /// Why they would leave, in the HRIS's word: order and waiting may depend on it.
        #[arg(long = "type", value_name = "TYPE")]
        termination_type: Option<String>,
    },
    /// Takes somebody out who has left, as an event of the HRIS would: through the same policy, brake and record.
    Offboard {
        /// An e-mail address, an external id or a Genesys user id.
        person: String,
        /// Why; it stands in the journal.
        #[arg(long)]
        reason: String,
        /// When: RFC 3339, or a date or a local time in the policy's zone; now if it is left out.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Why they leave, in the HRIS's word: order and waiting may depend on it.
        #[arg(long = "type", value_name = "TYPE")]
        termination_type: Option<String>,
    },
    /// Signs a body as a source would, and posts it.
    Send {
        /// The source's name in the configuration.
        #[arg(long)]
        source: String,
        /// The body.
        #[arg(long)]
        file: PathBuf,
        /// Where to; the configured listener if it is left out.
        #[arg(long)]
        url: Option<String>,
        /// The secret to sign with, or env:NAME, or file:/path; the source's newest if it is left out. For a source of
        /// public keys the private key.
        #[arg(long)]
        secret: Option<String>,
        /// A header that only the sender knows, as often as there are some; it is signed where the source signs it.
        #[arg(long = "header", value_name = "NAME=VALUE")]
        headers: Vec<String>,
    },
    /// Asks a source's HR system about one person, and says how its answer reads.
    LookUp {
        /// The source's name in the configuration.
        source: String,
        /// An e-mail address or the HR system's id.
        person: String,
    },
    /// Shows the verification token that a source's sender has posted, to be confirmed at the sender.
    Token {
        /// The source's name in the configuration.
        source: String,
    },
    /// Lists offboardings, newest first.
    List {
        /// Only this status.
        #[arg(long)]
        status: Option<String>,
        /// Only this person.
        #[arg(long)]
        person: Option<String>,
        /// Only this source.
        #[arg(long)]
        source: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one offboarding with its steps and its journal.
    Show {
        /// The offboarding's id.
        id: String,
    },
    /// Tries a failed or waiting offboarding again now.
    Retry {
        /// The offboarding's id.
        id: String,
    },
    /// Ends an offboarding without carrying it out.
    Cancel {
        /// The offboarding's id.
        id: String,
    },
    /// Releases held offboardings: all that are named, or none.
    Approve {
        /// The offboardings' ids, at most 1000.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// What all of them have to be held for, for example brake.
        #[arg(long)]
        reason: Option<String>,
        /// The person's e-mail address, where the one that is held lacks it.
        #[arg(long, conflicts_with = "reason")]
        email: Option<String>,
        /// When it takes effect, where the one that is held lacks that: RFC 3339, a date or a local time.
        #[arg(long, value_name = "TIME", conflicts_with = "reason")]
        at: Option<String>,
    },
    /// Plans a layoff, whose people pass the brake once somebody else has approved it.
    Layoff {
        #[command(subcommand)]
        command: LayoffCommand,
    },
    /// Lists stored events, newest first, also those that were ignored or could not be read.
    Events {
        /// Only this source.
        #[arg(long)]
        source: Option<String>,
        /// Only accepted, held or ignored ones.
        #[arg(long)]
        disposition: Option<String>,
        /// Only this word of the sender's for what happened.
        #[arg(long, value_name = "WORD")]
        event: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one event: how it was read, its body, and what replays changed.
    Event {
        /// The event's id, or the sender's own.
        id: String,
        /// The source, where several have an event of this id.
        #[arg(long)]
        source: Option<String>,
    },
    /// Reads the delivery of a stored event again by the present profile of its source, and takes what it says now.
    Replay {
        /// The event's id, or the sender's own.
        id: String,
        /// The source, where several have an event of this id.
        #[arg(long)]
        source: Option<String>,
    },
    /// Lists what others were told of offboardings, newest first; repeats one, or tries a target.
    Callbacks {
        #[command(subcommand)]
        command: Option<CallbacksCommand>,
        /// Only this status: waiting, delivered or gave_up.
        #[arg(long)]
        status: Option<String>,
        /// Only those about this offboarding.
        #[arg(long, value_name = "ID")]
        offboarding: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Puts back what an offboarding took away, in the reverse order; says what can't come back.
    Restore {
        /// The offboarding's id. It must not be scheduled: cancel that first.
        id: String,
    },
}

#[derive(Subcommand)]
enum CallbacksCommand {
    /// Sends one once more, under the same id.
    Repeat {
        /// The callback's id.
        id: String,
    },
    /// Sends a signed test to a target and says what it answers; nothing is stored.
    Test {
        /// The target's name in the configuration.
        name: String,
    },
}

#[derive(Subcommand)]
enum LayoffCommand {
    /// Stores a list, a window and a count; prints the digest that an approver has to name.
    Plan {
        /// The list: one person per line in the first column, an e-mail address, a Genesys user id or SOURCE:ID.
        #[arg(long, value_name = "FILE")]
        csv: PathBuf,
        /// When it begins: RFC 3339, or a date or a local time in the policy's zone.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// When it is over, at most 31 days later.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The most people that pass; the whole list if it is left out.
        #[arg(long)]
        count: Option<u32>,
    },
    /// Lists layoffs, newest first.
    List,
    /// Approves a layoff. Who planned it can't.
    Approve {
        /// The layoff's id.
        id: String,
        /// The digest of the list, so that this list is approved and no other.
        #[arg(long, value_name = "HEX")]
        digest: String,
    },
    /// Lets nobody more through.
    Cancel {
        /// The layoff's id.
        id: String,
    },
}

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
    eprintln!("leaver: {}", line.join(" ").trim_start_matches("error: "));
    ExitCode::from(2)
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(&cli.config).map_err(Failure::configuration)?;
    let output = if cli.json { Output::Json } else { Output::Text };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve { no_worker, no_migrate } => {
                let work = if no_worker { Work::Elsewhere } else { Work::Here };
                commands::serve(&config, work, migrate(no_migrate)).await
            }
            Command::Worker { no_migrate } => commands::worker(&config, migrate(no_migrate)).await,
            Command::Migrate => commands::migrate(&config).await,
            Command::Check => commands::check(&config, output).await,
            Command::Plan { person, termination_type } => {
                commands::plan(&config, &person, termination_type.as_deref(), output).await
            }
            Command::Offboard { person, reason, at, termination_type } => {
                let asked = OwnTermination { person, reason, at, termination_type };
                commands::offboard(&config, asked, output).await
            }
            Command::Approve { ids, reason, email, at } => {
                let completion = Completion { email, at };
                commands::approve(&config, &ids, reason.as_deref(), &completion, output).await
            }
            Command::Layoff { command } => layoff(&config, command, output).await,
            Command::Send { source, file, url, secret, headers } => {
                commands::send(&config, commands::SendArguments { source, file, url, secret, headers }).await
            }
            Command::LookUp { source, person } => commands::look_up(&config, &source, &person, output).await,
            Command::Token { source } => commands::token(&config, &source, output).await,
            Command::List { status, person, source, limit } => {
                commands::list(&config, commands::ListArguments { status, person, source, limit }, output)
                    .await
            }
            Command::Events { source, disposition, event, limit } => {
                let arguments = commands::EventsArguments { source, disposition, event, limit };
                commands::events(&config, arguments, output).await
            }
            Command::Event { id, source } => {
                commands::event(&config, commands::EventArguments { id, source }, output).await
            }
            Command::Replay { id, source } => {
                commands::replay(&config, commands::EventArguments { id, source }, output).await
            }
            Command::Callbacks { command, status, offboarding, limit } => match command {
                None => {
                    let arguments = commands::CallbacksArguments { status, offboarding, limit };
                    commands::list_callbacks(&config, arguments, output).await
                }
                Some(CallbacksCommand::Repeat { id }) => {
                    commands::repeat_callback(&config, &id, output).await
                }
                Some(CallbacksCommand::Test { name }) => {
                    commands::test_callback(&config, &name, output).await
                }
            },
            Command::Show { id } => commands::show(&config, &id, output).await,
            Command::Retry { id } => commands::decide(&config, &id, Decision::Retry, output).await,
            Command::Cancel { id } => commands::decide(&config, &id, Decision::Cancel, output).await,
            Command::Restore { id } => commands::decide(&config, &id, Decision::Restore, output).await,
        }
    })
}

async fn layoff(config: &Config, command: LayoffCommand, output: Output) -> Result<(), Failure> {
    match command {
        LayoffCommand::Plan { csv, from, until, reason, count } => {
            let arguments = commands::PlanArguments { csv: &csv, from, until, reason, count };
            commands::plan_layoff(config, arguments, output).await
        }
        LayoffCommand::List => commands::list_layoffs(config, output).await,
        LayoffCommand::Approve { id, digest } => commands::approve_layoff(config, &id, &digest, output).await,
        LayoffCommand::Cancel { id } => commands::cancel_layoff(config, &id, output).await,
    }
}

fn migrate(never: bool) -> Migrate {
    if never { Migrate::Never } else { Migrate::AtStart }
}
