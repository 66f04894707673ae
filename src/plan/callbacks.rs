//! Open callbacks that wait for this person alone, where the policy says who takes them over. Otherwise they are a report.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::text;
use super::choices::{CallbackChoice, Choices, Switch};
use super::{Batch, Look, PutBacks, Return, Step, id};
use crate::genesys::{CallFailed, Done, Effect, Error, OneCall, OpenCallback, QueueId, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct Callbacks;

#[async_trait]
impl Step for Callbacks {
    fn name(&self) -> StepName {
        "strip.callbacks"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "agent-owned callbacks"
    }

    fn comes_back(&self) -> Return {
        Return::Except("callbacks that were called or ended meanwhile")
    }

    fn is_on(&self, choices: &Choices) -> bool {
        choices.is_on(self.name(), Switch::On)
            && match choices.callbacks {
                CallbackChoice::Report | CallbackChoice::Hold => false,
                CallbackChoice::ToQueue(_) | CallbackChoice::ToUser(_) => true,
            }
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[
            &["analytics:conversationDetail:view", "analytics:agentConversationDetail:view"],
            &["conversation:callback:edit"],
            &["conversation:communication:blindTransferQueue", "conversation:communication:blindTransfer"],
        ]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            let open = super::reports::callbacks::open_callbacks(look.genesys(), user).await;
            seen.push(open.map(|open| self.observation(user, &open)));
        }
        seen
    }

    /// A callback that can't be found any more has ended or is somebody else's by now, and doesn't show so yet.
    async fn remove(&self, look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        match hand_over(look, call, batch.first()).await {
            Err(failed) if matches!(failed.error(), Error::NotFound { .. }) => {
                let correlation_id = failed.error().correlation_id().map(str::to_owned);
                Ok(Done { effect: Effect::AlreadyGone, correlation_id })
            }
            other => other,
        }
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let stored = &missing.first().stored;
        let queue = stored.detail["queueId"].as_str().map(id::<QueueId>).transpose()?;
        call.reassign_callback(&id(&stored.target)?, &id(missing.user())?, queue.as_ref()).await
    }
}

impl Callbacks {
    fn observation(&self, user: &UserId, open: &[OpenCallback]) -> Observation {
        let assignments = open.iter().map(|callback| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: callback.conversation.to_string(),
            detail: json!({
                "queueId": callback.queue.as_ref().map(ToString::to_string),
                "participantId": callback.participant.as_ref().map(ToString::to_string),
            }),
        });
        Observation { assignments: assignments.collect(), inherited: Vec::new() }
    }
}

async fn hand_over(look: &Look<'_>, call: OneCall, callback: &Assignment) -> Result<Done, CallFailed> {
    match &look.choices().callbacks {
        CallbackChoice::ToUser(user) => {
            let queue = callback.detail["queueId"].as_str().map(id::<QueueId>).transpose()?;
            call.reassign_callback(&id(&callback.target)?, user, queue.as_ref()).await
        }
        CallbackChoice::ToQueue(queue) => {
            let participant = id(text(&callback.detail, "participantId")?)?;
            call.callback_to_queue(&id(&callback.target)?, &participant, queue).await
        }
        CallbackChoice::Report | CallbackChoice::Hold => {
            Err(CallFailed::not_sent_for("nobody is chosen to take callbacks over"))
        }
    }
}
