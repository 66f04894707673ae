//! Licences, where they are assigned by hand and the step is switched on. Where Genesys Cloud assigns them by itself, which
//! is its default, they follow the roles.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::choices::{Choices, Switch};
use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, LicenceChange, LicenceId, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct Licences;

#[async_trait]
impl Step for Licences {
    fn name(&self) -> StepName {
        "strip.licences"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "licences"
    }

    fn is_on(&self, choices: &Choices) -> bool {
        choices.is_on(self.name(), Switch::Off)
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["authorization:license:view", "authorization:grant:add"], &["authorization:grant:add"]]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().licences_of(user).await.map(|licences| {
                let assignments = licences.iter().map(|licence| Assignment {
                    user: user.to_string(),
                    step: self.name(),
                    target: licence.to_string(),
                    detail: json!({ "licenceId": licence.to_string() }),
                });
                Observation { assignments: assignments.collect(), inherited: Vec::new() }
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let user: UserId = id(&batch.first().user)?;
        call.change_licence(&user, &id::<LicenceId>(&batch.first().target)?, LicenceChange::Remove).await
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let user: UserId = id(missing.user())?;
        let licence: LicenceId = id(&missing.first().stored.target)?;
        call.change_licence(&user, &licence, LicenceChange::Add).await
    }
}
