//! The account's state: active until the strip is proved, inactive after it. Genesys Cloud takes away what direct grants
//! are left at this moment and gives none back, so the snapshot comes before.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Step, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, UserId, UserState};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct AccountState;

#[async_trait]
impl Step for AccountState {
    fn name(&self) -> StepName {
        "deactivate.account_state"
    }

    fn phase(&self) -> Phase {
        Phase::Deactivate
    }

    fn title(&self) -> &'static str {
        "active account"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            // Nobody there is no proof of anything: it is an error, and the person is looked up again.
            seen.push(genesys.existing_user(user).await.map(|found| {
                let active = (found.state == UserState::Active).then(|| Assignment {
                    user: user.to_string(),
                    step: self.name(),
                    target: "active".to_owned(),
                    detail: json!({ "state": "active", "version": found.version }),
                });
                Observation { assignments: active.into_iter().collect(), inherited: Vec::new() }
            }));
        }
        seen
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let version = batch.first().detail["version"].as_u64();
        let version = version.ok_or_else(|| CallFailed::not_sent_for("the account's version is unknown"))?;
        call.deactivate(&id::<UserId>(&batch.first().user)?, version).await
    }
}
