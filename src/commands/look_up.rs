//! `leaver look-up`: asks a source's HR system about one person and says how the answer reads. Stores and changes nothing.

use serde_json::json;

use super::{Failure, Output, known_source, print, progress};
use crate::config::Config;
use crate::hris::{LookUpAnswer, Source};
use crate::lookup;
use crate::offboarding::{Effective, PersonRef, TerminationEvent};

/// Asks and prints; fails where there is no answer that anything could follow from.
pub async fn look_up(config: &Config, source: &str, person: &str, output: Output) -> Result<(), Failure> {
    let source: Source = known_source(config, "SOURCE", source)?;
    let name = source.name();
    let look_up = source.look_up().ok_or_else(|| {
        Failure::Usage(format!("SOURCE: {name} has no look-up: add [sources.{name}.lookup]"))
    })?;
    let asked = match person.contains('@') {
        true => PersonRef { email: Some(person.to_owned()), external_id: None },
        false => PersonRef { email: None, external_id: Some(person.to_owned()) },
    };
    let client = lookup::Client::new().map_err(Failure::other)?;
    let answer = progress::shown("asking the HR system", client.ask(name, look_up, &asked)).await;
    let answer = answer.map_err(|failure| Failure::Failed(format!("{name}: {failure}")))?;
    let (says, event) = match &answer {
        LookUpAnswer::Left(event) => ("has left", event),
        LookUpAnswer::NotYet(event) => ("still works", event),
        LookUpAnswer::Stays(event) => ("stays", event),
        LookUpAnswer::NoAnswer => return Err(Failure::Failed(format!("{name}: no record in the answer"))),
        LookUpAnswer::Unclear(why) => return Err(Failure::Failed(format!("{name}: {why}"))),
    };
    let effective = effective(event);
    match output {
        Output::Json => print::json(&json!({
            "says": says, "email": event.person.email, "external_id": event.person.external_id, "effective": effective,
        })),
        Output::Text => {
            print::lines(says);
            for (field, value) in [
                ("email", event.person.email.clone()),
                ("external id", event.person.external_id.clone()),
                ("effective", effective),
            ] {
                let value = value.as_deref().unwrap_or("-").replace('\n', " ");
                print::lines(&format!("  {field:<12}{value}"));
            }
        }
    }
    Ok(())
}

fn effective(event: &TerminationEvent) -> Option<String> {
    match &event.effective {
        Effective::At(moment) => Some(moment.to_rfc3339()),
        Effective::On(date) => Some(date.to_string()),
        Effective::Local(local) => Some(local.to_string()),
        Effective::Missing => None,
        Effective::Unreadable => Some("a date that can't be read".to_owned()),
    }
}
