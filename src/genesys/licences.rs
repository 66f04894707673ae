//! Licences: those of a user, taking one away and giving it back. Where Genesys assigns licences by roles, which is its
//! default, they go and come with the roles.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    call::{Done, Effect, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{LicenceId, UserId, segment},
    send::Request,
};

/// What happens to a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenceChange {
    /// The user gets it.
    Add,
    /// The user loses it.
    Remove,
}

#[derive(Deserialize)]
struct RawLicences {
    id: UserId,
    licenses: Vec<RawLicence>,
}

#[derive(Deserialize)]
struct RawLicence {
    id: LicenceId,
}

impl Genesys {
    /// Reads the licences of the user.
    pub async fn licences_of(&self, user: &UserId) -> Result<Vec<LicenceId>, Error> {
        let subject = "the licences of a user";
        let path = format!("/api/v2/license/users/{}", segment(user.as_str()));
        let (found, trace): (RawLicences, Trace) = self.read(subject, &Request::get(path)).await?;
        if found.id != *user {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        Ok(found.licenses.into_iter().map(|licence| licence.id).collect())
    }
}

impl OneCall {
    /// Gives one licence to the user or takes it from them.
    pub async fn change_licence(
        self,
        user: &UserId,
        licence: &LicenceId,
        change: LicenceChange,
    ) -> Result<Done, CallFailed> {
        let nobody: [&UserId; 0] = [];
        let (add, remove, effect) = match change {
            LicenceChange::Add => (&[user][..], &nobody[..], Effect::Applied),
            LicenceChange::Remove => (&nobody[..], &[user][..], Effect::Removed),
        };
        // Genesys wants both lists, also the empty one.
        let assignment = json!({"licenseId": licence, "userIdsAdd": add, "userIdsRemove": remove});
        let body = json!({ "assignments": [assignment] });
        let path = "/api/v2/license/organization".to_owned();
        let done = self.apply(Request::with_body(Method::POST, path, body)).await?;
        Ok(Done { effect, ..done })
    }
}
