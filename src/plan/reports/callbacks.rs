//! Open callbacks that wait for this person alone: Genesys Cloud drops them when the ownership ends, unless their queue
//! takes them over.

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};

use super::super::choices::{CallbackChoice, Choices, Reporting, Switch};
use super::{Finding, Report};
use crate::genesys::{Error, Genesys, OpenCallback, UserId};
use crate::offboarding::StepName;

/// How far back open callbacks are looked for; the longest interval that one query may ask for.
const LOOK_BACK: TimeDelta = TimeDelta::days(31);

pub(super) struct Callbacks;

#[async_trait]
impl Report for Callbacks {
    fn name(&self) -> StepName {
        "report.callbacks"
    }

    fn title(&self) -> &'static str {
        "open callbacks that nobody else will make"
    }

    fn reporting(&self, choices: &Choices) -> Reporting {
        let chosen = choices.reports.get(self.name());
        let taken_over = choices.is_on("strip.callbacks", Switch::On);
        match (chosen, &choices.callbacks) {
            (_, CallbackChoice::ToQueue(_) | CallbackChoice::ToUser(_)) if taken_over => Reporting::Off,
            (_, CallbackChoice::Hold) => Reporting::Hold,
            (Some(chosen), _) => *chosen,
            (None, _) => Reporting::Note,
        }
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["analytics:conversationDetail:view", "analytics:agentConversationDetail:view"]]
    }

    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error> {
        let open = open_callbacks(genesys, user).await?;
        let finding = |callback: OpenCallback| Finding {
            target: callback.conversation.to_string(),
            text: callback.queue.map_or("of no queue".to_owned(), |queue| format!("of queue {queue}")),
        };
        Ok(open.into_iter().map(finding).collect())
    }
}

/// The callbacks that the user owns and that have not ended.
pub(in crate::plan) async fn open_callbacks(
    genesys: &Genesys,
    user: &UserId,
) -> Result<Vec<OpenCallback>, Error> {
    let now = Utc::now();
    genesys.open_callbacks_of(user, now - LOOK_BACK, now).await
}
