//! Work teams: taking a user out of their team and putting them back. Which team it is, the user's own read tells.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    call::{Done, Effect, Missing, OneCall},
    error::{CallFailed, Error, Trace},
    ids::{TeamId, UserId, segment},
    refusal::plain_code,
    send::Request,
};

#[derive(Deserialize)]
struct RawAdded {
    failures: Option<Vec<RawFailure>>,
}

#[derive(Deserialize)]
struct RawFailure {
    id: UserId,
    #[serde(default)]
    reason: Value,
}

impl OneCall {
    /// Takes the user out of the team.
    pub async fn remove_team_member(self, team: &TeamId, user: &UserId) -> Result<Done, CallFailed> {
        let (team, user) = (segment(team.as_str()), segment(user.as_str()));
        self.send(Request::delete(format!("/api/v2/teams/{team}/members?id={user}")), Missing::Gone).await
    }

    /// Makes the user a member of the team. Fails with [`Error::Declined`] when the answer names the user among the
    /// failures, which Genesys sends with a status of success.
    pub async fn add_team_member(self, team: &TeamId, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/teams/{}/members", segment(team.as_str()));
        let request = Request::with_body(Method::POST, path, json!({ "memberIds": [user] }));
        let (added, trace): (RawAdded, Trace) =
            self.send_for_answer("a new member of a team", request).await?;
        let failures = added.failures;
        match failures.into_iter().flatten().find(|failure| failure.id == *user) {
            Some(failure) => {
                Err(CallFailed::new(Error::Declined { code: plain_code(&failure.reason), trace }))
            }
            None => Ok(Done { effect: Effect::Applied, correlation_id: trace.correlation_id }),
        }
    }
}
