//! The work team: a person is in one at the most. Genesys Cloud leaves the team out of a user who has none.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, TeamId, UserId};
use crate::offboarding::{Observation, Phase, StepName};

pub(super) struct Team;

#[async_trait]
impl Step for Team {
    fn name(&self) -> StepName {
        "strip.team"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "work team"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["groups:team:assign"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.team(user).await.map(|found| match &found {
                None => Observation::default(),
                Some(team) => {
                    let detail = json!({ "teamId": team.id.to_string(), "name": team.name });
                    Observation::one(user.as_str(), self.name(), team.id.as_str(), detail)
                }
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let team: TeamId = id(&batch.first().target)?;
        call.remove_team_member(&team, &id::<UserId>(&batch.first().user)?).await
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let team: TeamId = id(&missing.first().stored.target)?;
        call.add_team_member(&team, &id::<UserId>(missing.user())?).await
    }
}
