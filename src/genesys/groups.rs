//! Groups: what a group is, taking a user out of it and putting them back. A group may pass on roles and queues.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{GroupId, UserId, segment},
    send::Request,
};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The group's id.
    pub id: GroupId,
    /// The group's name.
    pub name: Option<String>,
    /// Rises with each change; adding a member has to name the current one.
    pub version: u64,
    /// Whether roles can be given to the group, which its members have then.
    pub roles_enabled: Option<bool>,
}

impl Genesys {
    /// Reads a group that has to be there; fails with [`Error::NotFound`] when Genesys knows no such group.
    pub async fn existing_group(&self, id: &GroupId) -> Result<Group, Error> {
        let subject = "a group";
        let path = format!("/api/v2/groups/{}", segment(id.as_str()));
        let (group, trace): (Group, Trace) = self.read(subject, &Request::get(path)).await?;
        if group.id != *id {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        Ok(group)
    }
}

impl OneCall {
    /// Takes the user out of the group. Genesys does it later (202) and may fail then: only a read can tell. Members
    /// by the group's rules or its owner's directory come back.
    pub async fn remove_group_member(self, group: &GroupId, user: &UserId) -> Result<Done, CallFailed> {
        let (group, user) = (segment(group.as_str()), segment(user.as_str()));
        self.send(Request::delete(format!("/api/v2/groups/{group}/members?ids={user}")), Missing::Gone).await
    }

    /// Makes the user a member of the group, later (202). Fails with [`Error::VersionConflict`] when the version is not
    /// the group's current one.
    pub async fn add_group_member(
        self,
        group: &GroupId,
        user: &UserId,
        version: u64,
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/groups/{}/members", segment(group.as_str()));
        let body = json!({"memberIds": [user], "version": version});
        self.apply(Request::with_body(Method::POST, path, body)).await
    }
}
