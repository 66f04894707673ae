//! What the commands do and print. They use the same `operate` as the API; how they are called is said in `cli`.

mod approve;
mod audit;
mod callbacks;
mod check;
pub mod cli;
mod deliveries;
mod events;
mod health;
mod layoff;
mod look_up;
mod manual;
mod offboard;
mod pause;
mod permissions;
mod print;
mod probe;
mod progress;
mod reconcile;
mod run;
mod send;
mod single_sign_on;
mod sources;
mod token;

use std::error::Error;

use serde_json::json;
use uuid::Uuid;

use crate::config::{Config, ConfigError};
use crate::hris::Source;
use crate::offboarding::{Actor, OffboardingId};
use crate::operate::{self, Asked, InMode, OperateError, Unread};
use crate::serve::{self, Migrate, Parts, ServeError, Work};
use crate::store::Store;
use crate::store::decisions::{Decided, Decision};
use crate::store::views::{Filter, PAGE_MAX, View};
use crate::telemetry;

pub use approve::approve;
pub use audit::{ExportArguments, KeyWanted, audit_key, export_audit, verify_audit};
pub use callbacks::{CallbacksArguments, list_callbacks, repeat_callback, test_callback};
pub use check::check;
pub use events::{EventArguments, EventsArguments, event, events, replay};
pub use health::{health, health_of};
pub use layoff::{PlanArguments, approve_layoff, cancel_layoff, list_layoffs, plan_layoff};
pub use look_up::look_up;
pub use manual::{completions, manual};
pub use offboard::offboard;
pub use pause::{pause, resume};
pub use permissions::needed as needed_permissions;
pub use reconcile::{Apply, Open, reconcile};
pub use run::run;
pub use send::{SendArguments, send};
pub use token::token;

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tables and sentences.
    Text,
    /// One JSON document.
    Json,
}

/// Why a command did not do what was asked: one line, and an exit code.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 2: the call or the configuration has to be mended.
    Usage(String),
    /// Exit code 1.
    Failed(String),
}

impl Failure {
    /// A mistake in the configuration.
    pub fn configuration(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }

    /// Anything else that went wrong.
    pub fn other(error: impl Error) -> Self {
        Self::Failed(with_causes(&error))
    }

    /// What is printed on standard error: one line, in which nothing that others wrote acts on the terminal.
    pub fn line(&self) -> String {
        match self {
            Self::Usage(line) | Self::Failed(line) => print::cleaned(line),
        }
    }

    /// 2 for usage and configuration, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        if error.is_configuration() { Self::Usage(error.to_string()) } else { Self::other(error) }
    }
}

impl From<OperateError> for Failure {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::NoAuthority => Self::Usage(error.to_string()),
            OperateError::Field(field, problem) => Self::Usage(format!("{}: {problem}", argument(field))),
            OperateError::Store(_)
            | OperateError::Genesys(_)
            | OperateError::NotOne { .. }
            | OperateError::RunsDry
            | OperateError::Checkpoints { .. }
            | OperateError::LinkUnreadable(_)
            | OperateError::Gone => Self::other(error),
        }
    }
}

/// A field of a request as the command line calls it.
fn argument(field: &str) -> String {
    match field {
        "person" => "PERSON".to_owned(),
        "ids" => "ID".to_owned(),
        "people" => "--csv".to_owned(),
        argument if argument.starts_with("--") => argument.to_owned(),
        name => format!("--{name}"),
    }
}

/// An error and its causes on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string().replace(['\n', '\r'], " ");
        // Some errors say what their cause says.
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// `leaver serve`.
pub async fn serve(config: &Config, work: Work, migrate: Migrate) -> Result<(), Failure> {
    let traces = telemetry::start(&config.telemetry).map_err(Failure::other)?;
    let served = serve::serve(config, work, migrate, |line| println!("{line}")).await;
    traces.flush().await;
    Ok(served?)
}

/// `leaver worker`.
pub async fn worker(config: &Config, migrate: Migrate) -> Result<(), Failure> {
    let traces = telemetry::start(&config.telemetry).map_err(Failure::other)?;
    let worked = serve::work(config, migrate).await;
    traces.flush().await;
    Ok(worked?)
}

/// `leaver migrate`.
pub async fn migrate(config: &Config, output: Output) -> Result<(), Failure> {
    let parts = Parts::new(config)?;
    progress::shown("bringing the schema to this version", parts.store.migrate())
        .await
        .map_err(Failure::other)?;
    match output {
        Output::Json => print::json(&json!({ "schema": "current" })),
        Output::Text => print::lines("the database has this version's schema"),
    }
    Ok(())
}

/// `leaver plan`. Fails where something that has a say could not be read; everything else is shown all the same.
pub async fn plan(
    config: &Config,
    person: &str,
    termination_type: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let parts = Parts::new(config)?;
    let asked = Asked { person, termination_type };
    let rules = serve::preview_rules(config);
    let reading = operate::preview(&parts.genesys, &rules, asked);
    let preview = progress::shown("reading what the person holds", reading).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &preview)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::preview(&preview);
        }
    }
    let unread: Vec<_> = preview.verdict.unread.iter().map(Unread::words).collect();
    if unread.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("could not read {}", unread.join("; "))))
}

/// What `leaver list` is asked for.
#[derive(Debug)]
pub struct ListArguments {
    /// Only this status.
    pub status: Option<String>,
    /// Only this person.
    pub person: Option<String>,
    /// Only this source.
    pub source: Option<String>,
    /// `--after`.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// The cursor of a page.
fn after(cursor: Option<String>) -> Result<Option<Uuid>, Failure> {
    let read = |cursor: String| {
        Uuid::try_parse(&cursor)
            .map_err(|_| Failure::Usage(format!("--after: expected the `next` of a page, found {cursor:?}")))
    };
    cursor.map(read).transpose()
}

/// How many a page holds: as many as are asked for, up to the most that one may have.
fn page_limit(limit: u32) -> Result<u32, Failure> {
    if limit > 0 {
        Ok(limit.min(PAGE_MAX))
    } else {
        Err(Failure::Usage("--limit: expected 1 or more".to_owned()))
    }
}

/// `leaver list`.
pub async fn list(config: &Config, arguments: ListArguments, output: Output) -> Result<(), Failure> {
    let status = arguments.status.map(|status| {
        let known = "scheduled, held, done, failed or cancelled";
        status.parse().map_err(|_| Failure::Usage(format!("--status: expected {known}, found {status:?}")))
    });
    let limit = page_limit(arguments.limit)?;
    let filter = Filter {
        status: status.transpose()?,
        person: arguments.person,
        source: arguments.source,
        after: after(arguments.after)?.map(OffboardingId),
        limit,
        ..Filter::default()
    };
    let store = Parts::new(config)?.store;
    let page = operate::list(&store, &filter).await?;
    let switch = operate::pause_state(&store).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &page).under(switch)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::paused(&switch);
            print::list(&page);
        }
    }
    Ok(())
}

/// `leaver show`.
pub async fn show(config: &Config, id: &str, output: Output) -> Result<(), Failure> {
    let store = Parts::new(config)?.store;
    let view = operate::show(&store, parse_id(id)?).await?;
    let view = view.ok_or_else(|| Failure::Failed(format!("no offboarding has the id {id}")))?;
    print_view(config, &store, &view, output).await
}

/// Prints an offboarding; says besides where nobody works on it because the service is paused.
async fn print_view(config: &Config, store: &Store, view: &View, output: Output) -> Result<(), Failure> {
    let switch = operate::pause_state(store).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, view).under(switch)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::paused(&switch);
            print::offboarding(view);
        }
    }
    Ok(())
}

/// `leaver retry`, `leaver cancel` and `leaver restore`.
pub async fn decide(config: &Config, id: &str, decision: Decision, output: Output) -> Result<(), Failure> {
    operate::may_decide(config.policy.mode, decision)?;
    let parts = Parts::new(config)?;
    let (decided, view) = operate::decide(&parts.store, parse_id(id)?, decision, &actor()).await?;
    if let Some(refused) = refused(id, decided) {
        return Err(Failure::Failed(refused));
    }
    match view {
        Some(view) => print_view(config, &parts.store, &view, output).await,
        None => Ok(()),
    }
}

/// The source that an argument names.
fn known_source(config: &Config, argument: &str, name: &str) -> Result<Source, Failure> {
    let known = || config.sources.keys().cloned().collect::<Vec<_>>().join(", ");
    let table = config.sources.get(name).ok_or_else(|| {
        Failure::Usage(format!("{argument}: {name:?} is not configured; there is {}", known()))
    })?;
    Source::build(name, table).map_err(|error| Failure::Usage(error.to_string()))
}

/// Who acts, by the name of the account that runs the command.
fn actor() -> Actor {
    Actor::at_command_line(&std::env::var("USER").unwrap_or_else(|_| "unknown".into()))
}

/// Why a decision about this offboarding was refused, or nothing.
fn refused(id: &str, decided: Decided) -> Option<String> {
    if decided == Decided::Unknown {
        return Some(format!("no offboarding has the id {id}"));
    }
    operate::why_refused(decided, operate::Asker::CommandLine)
}

fn parse_id(text: &str) -> Result<OffboardingId, Failure> {
    let id =
        Uuid::try_parse(text).map_err(|_| Failure::Usage(format!("ID: expected a UUID, found {text:?}")))?;
    Ok(OffboardingId(id))
}
