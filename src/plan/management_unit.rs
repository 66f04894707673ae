//! The management unit of workforce management, where the organisation uses it and the step is switched on. The person's
//! plans and schedules in it go with the membership.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::choices::{Choices, Switch};
use super::{Batch, Look, PutBacks, Return, Step, id};
use crate::genesys::{CallFailed, Done, Error, ManagementUnitId, OneCall, UserId};
use crate::offboarding::{Observation, Phase, StepName};

pub(super) struct ManagementUnit;

#[async_trait]
impl Step for ManagementUnit {
    fn name(&self) -> StepName {
        "strip.management_unit"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "management unit"
    }

    fn comes_back(&self) -> Return {
        Return::Except("plans and schedules that the person had in the management unit")
    }

    fn is_on(&self, choices: &Choices) -> bool {
        choices.is_on(self.name(), Switch::Off)
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["wfm:agent:view", "wfm:schedule:view", "wfm:publishedSchedule:view"], &["wfm:agent:edit"]]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().management_unit_of(user).await.map(|unit| match unit {
                None => Observation::default(),
                Some(unit) => {
                    let detail = json!({ "managementUnitId": unit.id.to_string(), "name": unit.name });
                    Observation::one(user.as_str(), self.name(), unit.id.as_str(), detail)
                }
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.move_agent(&id::<UserId>(&batch.first().user)?, None).await
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let unit: ManagementUnitId = id(&missing.first().stored.target)?;
        call.move_agent(&id::<UserId>(missing.user())?, Some(&unit)).await
    }
}
