//! The account's state: active until the strip is proved, inactive after it. Genesys Cloud takes away what direct grants
//! are left at this moment and gives none back, so the snapshot comes before.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::text;
use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, StateChangeReason, UserId, UserState};
use crate::offboarding::{Observation, Phase, StepName};

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

    /// Whoever can't work any more is in no interaction either.
    fn cuts_off(&self, _batch: &Batch) -> bool {
        true
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["directory:user:view"], &["directory:user:edit"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.user(user).await.map(|found| match found.state {
                UserState::Inactive | UserState::Deleted => Observation::default(),
                UserState::Active => {
                    let reason = look.choices().state_reason(look.termination_type(user));
                    let reason = reason.map(StateChangeReason::as_str);
                    let detail = json!({ "state": "active", "version": found.version, "reason": reason });
                    Observation::one(user.as_str(), self.name(), "active", detail)
                }
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let (user, detail): (UserId, &Value) = (id(&batch.first().user)?, &batch.first().detail);
        let version = detail["version"].as_u64();
        let version = version.ok_or_else(|| CallFailed::not_sent_for("the account's version is unknown"))?;
        if detail["reason"].is_null() {
            return call.deactivate(&user, version).await;
        }
        let reason: StateChangeReason = id(text(detail, "reason")?)?;
        call.set_state(&user, UserState::Inactive, version, reason).await
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let user: UserId = id(missing.user())?;
        let found = look.user(&user).await.map_err(CallFailed::not_sent_after)?;
        call.reactivate(&user, found.version).await
    }
}
