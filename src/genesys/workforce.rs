//! Workforce management: the management unit of a user, and moving them out of it or back.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    call::{Done, Effect, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{ManagementUnitId, UserId, segment},
    send::Request,
};

/// A management unit, as it is named where it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ManagementUnitRef {
    /// The management unit's id.
    pub id: ManagementUnitId,
    /// The management unit's name; Genesys publishes none here.
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    user: Option<RawUser>,
    management_unit: ManagementUnitRef,
}

#[derive(Deserialize)]
struct RawUser {
    id: UserId,
}

impl Genesys {
    /// Reads the management unit of the user; `None` when workforce management doesn't know them.
    pub async fn management_unit_of(&self, user: &UserId) -> Result<Option<ManagementUnitRef>, Error> {
        let subject = "the management unit of a user";
        let path = format!("/api/v2/workforcemanagement/agents/{}/managementunit", segment(user.as_str()));
        let (found, trace): (RawReference, Trace) = match self.read(subject, &Request::get(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        // Genesys says whose it is, but need not.
        if found.user.is_some_and(|named| named.id != *user) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        Ok(Some(found.management_unit))
    }
}

impl OneCall {
    /// Moves the user into a management unit, or out of theirs when there is none to move to. Genesys does it later
    /// (202).
    pub async fn move_agent(
        self,
        user: &UserId,
        destination: Option<&ManagementUnitId>,
    ) -> Result<Done, CallFailed> {
        let path = "/api/v2/workforcemanagement/agents".to_owned();
        // Without a destination the null has to be there.
        let body = json!({"userIds": [user], "destinationManagementUnitId": destination});
        let done = self.apply(Request::with_body(Method::POST, path, body)).await?;
        let effect = if destination.is_some() { Effect::Applied } else { Effect::Removed };
        Ok(Done { effect, ..done })
    }
}
