//! Call forwarding: a leaver's calls must not go on to a private phone. It is switched off; what it was set to is kept.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, UserId};
use crate::offboarding::{Observation, Phase, StepName};

/// What a forwarding consists of; the rest of the answer names it and says when it changed.
const SETTINGS: [&str; 4] = ["enabled", "phoneNumber", "calls", "voicemail"];

pub(super) struct CallForwarding;

#[async_trait]
impl Step for CallForwarding {
    fn name(&self) -> StepName {
        "strip.call_forwarding"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "call forwarding"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["conversation:callForwarding:view"], &["conversation:callForwarding:edit"]]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().call_forwarding_of(user).await.map(|forwarding| match forwarding {
                Some(forwarding) if forwarding["enabled"] == true => {
                    Observation::one(user.as_str(), self.name(), "forwarding", settings(&forwarding))
                }
                Some(_) | None => Observation::default(),
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let off = json!({ "enabled": false, "calls": [] });
        call.put_call_forwarding(&id::<UserId>(&batch.first().user)?, &off).await
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        call.put_call_forwarding(&id::<UserId>(missing.user())?, &missing.first().stored.detail).await
    }
}

fn settings(forwarding: &Value) -> Value {
    let fields = forwarding.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| SETTINGS.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
