//! `leaver events`, `leaver event` and `leaver replay`: what came, how it was read, and reading it again.

use std::sync::Arc;

use super::{Failure, Output, actor, print};
use crate::config::Config;
use crate::operate::{self, InMode};
use crate::serve::{self, Parts};
use crate::store::event_views::{EventDetail, EventFilter, FoundEvent};

/// What `leaver events` is asked for.
#[derive(Debug)]
pub struct EventsArguments {
    /// Only this source.
    pub source: Option<String>,
    /// Only what was read as this.
    pub disposition: Option<String>,
    /// Only this word of the sender's.
    pub event: Option<String>,
    /// `--after`.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which event is meant.
#[derive(Debug)]
pub struct EventArguments {
    /// The row's id or the sender's own.
    pub id: String,
    /// Tells the events of several sources apart.
    pub source: Option<String>,
}

/// `leaver events`.
pub async fn events(config: &Config, arguments: EventsArguments, output: Output) -> Result<(), Failure> {
    if let Some(word) = arguments.disposition.as_deref()
        && !operate::DISPOSITIONS.contains(&word)
    {
        let known = "accepted, held or ignored";
        return Err(Failure::Usage(format!("--disposition: expected {known}, found {word:?}")));
    }
    let limit = super::page_limit(arguments.limit)?;
    let filter = EventFilter {
        source: arguments.source,
        disposition: arguments.disposition,
        word: arguments.event,
        after: super::after(arguments.after)?,
        limit,
    };
    let page = operate::events(&Parts::new(config)?.store, &filter).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &page)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::events(&page);
        }
    }
    Ok(())
}

/// `leaver event`.
pub async fn event(config: &Config, arguments: EventArguments, output: Output) -> Result<(), Failure> {
    let event = the_one(&Parts::new(config)?, &arguments).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &event)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::event(&event);
        }
    }
    Ok(())
}

/// `leaver replay`.
pub async fn replay(config: &Config, arguments: EventArguments, output: Output) -> Result<(), Failure> {
    let parts = Parts::new(config)?;
    let sources: Vec<_> =
        serve::sources(config).map_err(serve::ServeError::from)?.into_iter().map(Arc::new).collect();
    let webhooks = serve::webhooks(config, &parts, &sources);
    let event = the_one(&parts, &arguments).await?;
    let read = |event: &EventDetail| webhooks.read_again(event);
    let answer = operate::replay(&parts.store, event, read, &actor()).await?;
    let answer = answer.map_err(|refused| Failure::Failed(format!("{}: {refused}", arguments.id)))?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &answer)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::replay(&answer);
        }
    }
    Ok(())
}

/// The event that somebody names, where there is exactly one.
async fn the_one(parts: &Parts, arguments: &EventArguments) -> Result<EventDetail, Failure> {
    match operate::event(&parts.store, &arguments.id, arguments.source.as_deref()).await? {
        FoundEvent::One(event) => Ok(*event),
        FoundEvent::None => Err(Failure::Failed(format!("no event has the id {:?}", arguments.id))),
        FoundEvent::InSources(sources) => Err(Failure::Failed(format!(
            "several sources have an event {:?}: say which by --source ({})",
            arguments.id,
            sources.join(", ")
        ))),
    }
}
