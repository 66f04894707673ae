//! Utilization: the person's own override of how much work is routed at once. The organisation's default is nobody's.

use async_trait::async_trait;
use serde_json::Value;

use super::{Batch, Kept, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, Level, OneCall, UserId};
use crate::offboarding::{Observation, Phase, StepName};

pub(super) struct Utilization;

#[async_trait]
impl Step for Utilization {
    fn name(&self) -> StepName {
        "strip.utilization"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "utilization override"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:utilization:manage"]]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().utilization_of(user).await.map(|utilization| match utilization.level {
                Level::Organization => Observation::default(),
                Level::Agent => {
                    Observation::one(user.as_str(), self.name(), "override", utilization.settings)
                }
            }));
        }
        seen
    }

    async fn keeps(&self, look: &Look<'_>, user: &UserId) -> Result<Vec<Kept>, Error> {
        let kept = match look.genesys().utilization_of(user).await?.level {
            Level::Agent => None,
            Level::Organization => Some(Kept {
                target: "default".to_owned(),
                name: None,
                why: "the organisation's default is nobody's own",
            }),
        };
        Ok(kept.into_iter().collect())
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.delete_utilization(&id::<UserId>(&batch.first().user)?).await
    }

    /// A label may have been given another name since.
    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        without_label_names(stored) == without_label_names(present)
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let stored: &Value = &missing.first().stored.detail;
        call.put_utilization(&id::<UserId>(missing.user())?, stored).await
    }
}

fn without_label_names(settings: &Value) -> Value {
    let mut settings = settings.clone();
    let labels = settings.get_mut("labelUtilizations").and_then(Value::as_object_mut);
    for label in labels.into_iter().flat_map(|labels| labels.values_mut()) {
        label.as_object_mut().map(|fields| fields.remove("labelName"));
    }
    settings
}
