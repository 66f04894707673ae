//! Live tokens: revoked after the account is inactive, because a browser with single sign-on would fetch a new one.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Look, Proof, PutBacks, Return, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, UserId};
use crate::offboarding::{Observation, Phase, StepName};

pub(super) struct Tokens;

#[async_trait]
impl Step for Tokens {
    fn name(&self) -> StepName {
        "deactivate.tokens"
    }

    fn phase(&self) -> Phase {
        Phase::Deactivate
    }

    fn title(&self) -> &'static str {
        "live tokens"
    }

    /// Genesys Cloud has no call that lists a user's tokens.
    fn proof(&self) -> Proof {
        Proof::Journal
    }

    fn comes_back(&self) -> Return {
        Return::Never("the person logs in again")
    }

    /// Whoever can't work any more is in no interaction either.
    fn cuts_off(&self, _batch: &Batch) -> bool {
        true
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["oauth:token:delete"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, _look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let all = |user: &UserId| Ok(Observation::one(user.as_str(), self.name(), "all", json!({})));
        cohort.iter().map(all).collect()
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.revoke_tokens(&id::<UserId>(&batch.first().user)?).await
    }

    async fn restore(
        &self,
        _look: &Look<'_>,
        _call: OneCall,
        _missing: &PutBacks,
    ) -> Result<Done, CallFailed> {
        Err(CallFailed::not_sent_for("tokens can't be given back"))
    }
}
