//! `leaver callbacks`: what others were told, telling it once more, and trying whether a target takes what it is told.

use serde_json::json;
use uuid::Uuid;

use super::check::Finding;
use super::{Failure, Output, actor, print, progress};
use crate::config::{Callback, CallbackEvent, Config};
use crate::notify::TestAnswer;
use crate::operate::{self, InMode};
use crate::serve::{self, Parts};
use crate::store::callbacks::{CallbackFilter, Repeated};

/// What `leaver callbacks` is asked for.
#[derive(Debug)]
pub struct CallbacksArguments {
    /// Only this status.
    pub status: Option<String>,
    /// Only those about this offboarding.
    pub offboarding: Option<String>,
    /// `--after`.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Lists callbacks, newest first.
pub async fn list_callbacks(
    config: &Config,
    arguments: CallbacksArguments,
    output: Output,
) -> Result<(), Failure> {
    let status = arguments.status.map(|status| {
        let known = "waiting, delivered or gave_up";
        status.parse().map_err(|_| Failure::Usage(format!("--status: expected {known}, found {status:?}")))
    });
    let id = arguments.offboarding.map(|id| {
        Uuid::try_parse(&id)
            .map_err(|_| Failure::Usage(format!("--offboarding: expected a UUID, found {id:?}")))
    });
    let limit = super::page_limit(arguments.limit)?;
    let cursor = arguments.after.map(|cursor| {
        cursor
            .parse()
            .map_err(|_| Failure::Usage(format!("--after: expected the `next` of a page, found {cursor:?}")))
    });
    let filter = CallbackFilter {
        status: status.transpose()?,
        offboarding: id.transpose()?,
        after: cursor.transpose()?,
        limit,
    };
    let page = operate::callbacks(&Parts::new(config)?.store, &filter).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &page)),
        Output::Text => {
            print::callbacks(&page.items);
            print::more(page.next, "--limit, --status, --offboarding");
        }
    }
    Ok(())
}

/// Has one sent once more, under the same id.
pub async fn repeat_callback(config: &Config, id: &str, output: Output) -> Result<(), Failure> {
    let parsed =
        Uuid::try_parse(id).map_err(|_| Failure::Usage(format!("ID: expected a UUID, found {id:?}")))?;
    match operate::repeat_callback(&Parts::new(config)?.store, parsed, &actor()).await? {
        Repeated::Yes(view) => {
            match output {
                Output::Json => print::json(&InMode::new(config.policy.mode, &view)),
                Output::Text => print::callbacks(&[*view]),
            }
            Ok(())
        }
        Repeated::Unknown => Err(Failure::Failed(format!("no callback has the id {id}"))),
        Repeated::NoTarget => Err(Failure::Failed("its target is not configured any more".to_owned())),
    }
}

/// Sends a signed test to a target, and says what it answered. Stores nothing.
pub async fn test_callback(config: &Config, name: &str, output: Output) -> Result<(), Failure> {
    let known =
        || config.callbacks.iter().map(|callback| callback.name.as_str()).collect::<Vec<_>>().join(", ");
    let notifier = Parts::new(config)?.notifier(config)?;
    let answer = progress::shown("waiting for an answer", notifier.test(name)).await;
    let answer: TestAnswer = answer
        .ok_or_else(|| Failure::Usage(format!("NAME: {name:?} is not configured; there is {}", known())))?
        .map_err(|refused| Failure::Usage(format!("NAME: {name}: {refused}")))?;
    let status = answer.map_err(|failure| Failure::Failed(format!("{name}: {failure}")))?;
    match output {
        Output::Json => print::json(&json!({ "target": name, "status": status })),
        Output::Text => print::line(&format!("{name} answers {status}")),
    }
    Ok(())
}

/// Who is told what. Nobody is called: whatever a target is sent, it may act on.
pub(super) fn of_targets(config: &Config) -> Result<Vec<Finding>, Failure> {
    let targets = serve::callback_targets(config).map_err(|error| Failure::Usage(error.to_string()))?;
    let told = |callback: &Callback| {
        let events: Vec<_> = callback.events.iter().map(|event| CallbackEvent::as_str(*event)).collect();
        let signed = match callback.secrets.len() {
            0 => "not signed".to_owned(),
            1 => "signed".to_owned(),
            several => {
                format!("signed with {several} keys: take the old one out once the receiver has the new one")
            }
        };
        Finding::good(
            &format!("callbacks {}", callback.name),
            format!("is told {}, {signed}", events.join(", ")),
        )
    };
    let mut findings: Vec<_> = config.callbacks.iter().map(told).collect();
    if !targets.is_empty() && config.console.url.is_none() {
        let detail = "messages carry no link to the evidence: set console.url";
        findings.push(Finding::doubtful("callbacks", detail));
    }
    Ok(findings)
}

/// What waits and what was given up; nothing where the database can't be asked, which other findings say.
pub(super) async fn outbox(parts: &Parts) -> Option<Finding> {
    let outbox = parts.store.outbox_use().await.ok()?;
    let waits = format!("{} to be sent", outbox.waiting);
    Some(match outbox.gave_up {
        0 if outbox.waiting == 0 => return None,
        0 => Finding::good("outbox", waits),
        given_up => Finding::doubtful(
            "outbox",
            format!(
                "{waits}, {given_up} given up: `leaver callbacks --status gave_up` says why, `leaver callbacks repeat ID` sends one once more"
            ),
        ),
    })
}
