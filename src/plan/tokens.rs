//! Live tokens: revoked after the account is inactive, because a browser with single sign-on would fetch a new one.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Proof, Step, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

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

    async fn observe(&self, _genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let tokens = |user: &UserId| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: "all".to_owned(),
            detail: json!({}),
        };
        cohort
            .iter()
            .map(|u| Ok(Observation { assignments: vec![tokens(u)], inherited: Vec::new() }))
            .collect()
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.revoke_tokens(&id::<UserId>(&batch.first().user)?).await
    }
}
