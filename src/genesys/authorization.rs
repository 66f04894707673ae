//! Authorization: the role grants of a user, taking them away and giving them back.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Genesys,
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{DivisionId, RoleId, SubjectId, UserId, segment},
    page::{Entry, PAGE_SIZE},
    send::Request,
};

/// The grants that one call removes or adds. Genesys documents no limit but 512,000 bytes for a request, which 4,000 would
/// come near.
pub const GRANTS_PER_CALL: usize = 1000;

/// A role that applies to the user in a division.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who holds the grant: the user, or a group that passes it on.
    pub subject_id: SubjectId,
    /// The role.
    pub role_id: RoleId,
    /// The role's name.
    pub role_name: Option<String>,
    /// The division in which the role applies.
    pub division_id: DivisionId,
}

impl Grant {
    /// Tells whether the user holds the grant themselves, so that it can be taken from them.
    pub fn is_direct(&self, user: &UserId) -> bool {
        self.subject_id.as_str() == user.as_str()
    }
}

#[derive(Deserialize)]
struct RawSubject {
    id: SubjectId,
    grants: Vec<RawGrant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawGrant {
    subject_id: SubjectId,
    role: RawRole,
    division: RawDivision,
}

#[derive(Deserialize)]
struct RawRole {
    id: RoleId,
    name: Option<String>,
}

#[derive(Deserialize)]
struct RawDivision {
    id: DivisionId,
}

impl Genesys {
    /// Reads all grants that apply to the user, those by way of groups included. A grant that doesn't say whose it is
    /// makes the answer malformed, because it might be the user's own.
    pub async fn grants_of(&self, user: &UserId) -> Result<Vec<Grant>, Error> {
        let subject = "the grants of a user";
        let path =
            format!("/api/v2/authorization/subjects/{}?includeDuplicates=true", segment(user.as_str()));
        let (found, trace): (RawSubject, Trace) = self.read(subject, &Request::get(path)).await?;
        if found.id != SubjectId::from(user) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        let grants = found.grants.into_iter().map(|raw| Grant {
            subject_id: raw.subject_id,
            role_id: raw.role.id,
            role_name: raw.role.name,
            division_id: raw.division.id,
        });
        Ok(grants.collect())
    }
}

/// Somebody who has a role.
#[derive(Deserialize)]
struct RoleHolder {
    id: UserId,
}

impl Entry for RoleHolder {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Genesys {
    /// Reads who has a role, in whatever division and state. Whether those who have it through a group are among them is not
    /// documented.
    pub async fn users_of_role(&self, role: &RoleId) -> Result<Vec<UserId>, Error> {
        let role = segment(role.as_str());
        let request = |number| {
            let path = format!("/api/v2/authorization/roles/{role}/users");
            Request::get(format!("{path}?pageSize={PAGE_SIZE}&pageNumber={number}"))
        };
        let holders = self.read_pages::<RoleHolder>("the users of a role", request).await?;
        Ok(holders.into_iter().map(|holder| holder.id).collect())
    }
}

impl OneCall {
    /// Takes up to [`GRANTS_PER_CALL`] grants from the user at once. Genesys refuses the whole call (400 or 404) when
    /// one of them, its role or its division no longer exists: read again and use [`OneCall::delete_grant`] then.
    pub async fn remove_grants(
        self,
        user: &UserId,
        grants: &[(RoleId, DivisionId)],
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/authorization/subjects/{}/bulkremove", segment(user.as_str()));
        let body = pairs(grants)?;
        self.send(Request::with_body(Method::POST, path, body), Missing::Refused).await
    }

    /// Gives up to [`GRANTS_PER_CALL`] grants to the user at once; those that they have stay. Right after a
    /// reactivation Genesys may not know the user here yet and fails it with [`Error::NotFound`].
    pub async fn add_grants(
        self,
        user: &UserId,
        grants: &[(RoleId, DivisionId)],
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/authorization/subjects/{}/bulkadd", segment(user.as_str()));
        self.apply(Request::with_body(Method::POST, path, pairs(grants)?)).await
    }

    /// Takes one grant from the user.
    pub async fn delete_grant(
        self,
        user: &UserId,
        role: &RoleId,
        division: &DivisionId,
    ) -> Result<Done, CallFailed> {
        let (user, role, division) =
            (segment(user.as_str()), segment(role.as_str()), segment(division.as_str()));
        let path = format!("/api/v2/authorization/subjects/{user}/divisions/{division}/roles/{role}");
        self.send(Request::delete(path), Missing::Gone).await
    }
}

fn pairs(grants: &[(RoleId, DivisionId)]) -> Result<Value, CallFailed> {
    if !(1..=GRANTS_PER_CALL).contains(&grants.len()) {
        return Err(CallFailed::not_sent_for("it takes 1 to 1000 grants"));
    }
    let pair = |(role, division): &(RoleId, DivisionId)| json!({"roleId": role, "divisionId": division});
    Ok(json!({"grants": grants.iter().map(pair).collect::<Value>()}))
}
