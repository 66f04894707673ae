//! Users: finding them, reading their state, ending their account and their sessions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use reqwest::Method;

use super::{
    Genesys,
    activity::{self, RawPresence, RawRoutingStatus, RoutingStatus},
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{DivisionId, GroupId, UserId, segment},
    page::Entry,
    send::Request,
};

/// What a user is read with. Genesys expands as well as it can: each of them may be missing in the answer.
const EXPAND: &str = "expand=routingStatus,presence,conversationSummary,groups";

/// The results asked for at once in a search: the default, and far above the one or two that an address has.
const SEARCH_PAGE_SIZE: u32 = 25;

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// The user may log in.
    Active,
    /// The user can't log in; what is assigned to them mostly stays.
    Inactive,
    /// The user is in the bin.
    Deleted,
}

impl UserState {
    /// Gives the word that Genesys uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
        }
    }
}

/// A user as Genesys knows them. The optional parts are missing where Genesys did not give them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawUser")]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The e-mail address.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The state of the account.
    pub state: UserState,
    /// Rises with each change; a change has to name the current one.
    pub version: u64,
    /// The division that the user belongs to.
    pub division_id: Option<DivisionId>,
    /// The division's name.
    pub division_name: Option<String>,
    /// What the user is doing for their queues.
    pub routing_status: Option<RoutingStatus>,
    /// The conversations that are going on, over all media, after-call work included.
    pub active_conversations: Option<u32>,
    /// The system presence, such as `On Queue`.
    pub presence: Option<String>,
    /// The groups that the user is a member of; they may pass on queues and roles.
    pub groups: Option<Vec<GroupId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUser {
    id: UserId,
    email: Option<String>,
    name: Option<String>,
    state: UserState,
    version: u64,
    division: Option<RawNamed<DivisionId>>,
    routing_status: Option<RawRoutingStatus>,
    presence: Option<RawPresence>,
    conversation_summary: Option<serde_json::Map<String, Value>>,
    groups: Option<Vec<RawNamed<GroupId>>>,
}

#[derive(Deserialize)]
struct RawNamed<I> {
    id: I,
    name: Option<String>,
}

impl TryFrom<RawUser> for User {
    type Error = serde_json::Error;

    fn try_from(raw: RawUser) -> Result<Self, serde_json::Error> {
        let active_conversations =
            raw.conversation_summary.map(activity::active_conversations).transpose()?;
        if raw.routing_status.as_ref().is_some_and(|routing| !routing.may_be_of(&raw.id)) {
            return Err(serde::de::Error::custom("the routing status is somebody else's"));
        }
        let (division_id, division_name) = raw.division.map(|division| (division.id, division.name)).unzip();
        Ok(Self {
            id: raw.id,
            email: raw.email,
            name: raw.name,
            state: raw.state,
            version: raw.version,
            division_id,
            division_name: division_name.flatten(),
            routing_status: raw.routing_status.and_then(RawRoutingStatus::status),
            active_conversations,
            presence: raw.presence.and_then(RawPresence::system_presence),
            groups: raw.groups.map(|groups| groups.into_iter().map(|group| group.id).collect()),
        })
    }
}

impl Entry for User {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Genesys {
    /// Reads a user who is active or inactive; `None` when Genesys knows no such user or has them in the bin.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Error> {
        self.one_user(format!("/api/v2/users/{}?{EXPAND}", segment(id.as_str())), Some(id)).await
    }

    /// Reads a user who has to be there; fails with [`Error::NotFound`] when Genesys knows no such user.
    pub async fn existing_user(&self, id: &UserId) -> Result<User, Error> {
        self.named_user(format!("/api/v2/users/{}?{EXPAND}", segment(id.as_str())), Some(id)).await
    }

    /// Reads a user who is in the bin; `None` when Genesys knows no such user. The caller looks at the state.
    pub async fn deleted_user(&self, id: &UserId) -> Result<Option<User>, Error> {
        self.one_user(format!("/api/v2/users/{}?state=deleted", segment(id.as_str())), Some(id)).await
    }

    /// Reads the user whom an authority knows by this key, which is case-sensitive; `None` when there is none.
    /// Fails with [`Error::Unsendable`] for an empty part and for `.` and `..`, which no path can carry.
    pub async fn user_by_external_id(&self, authority: &str, key: &str) -> Result<Option<User>, Error> {
        if [authority, key].into_iter().any(|part| matches!(part, "" | "." | "..")) {
            return Err(Error::Unsendable("the external id cannot be part of an address"));
        }
        let path = format!("/api/v2/users/externalid/{}/{}?{EXPAND}", segment(authority), segment(key));
        self.one_user(path, None).await
    }

    /// Finds the users with exactly this address, as Genesys's index sees it: it may lag, and whether it finds users
    /// who are not active is not documented. The caller compares the addresses.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<User>, Error> {
        self.search(json!([{"type": "EXACT", "fields": ["email"], "value": email}])).await
    }

    /// Finds the users with exactly this address and this state, as Genesys's index sees it.
    pub async fn users_by_email_and_state(&self, email: &str, state: UserState) -> Result<Vec<User>, Error> {
        self.search(json!([
            {"type": "EXACT", "fields": ["email"], "value": email},
            {"type": "EXACT", "fields": ["state"], "values": [state.as_str()]},
        ]))
        .await
    }

    async fn one_user(&self, path: String, expected: Option<&UserId>) -> Result<Option<User>, Error> {
        match self.named_user(path, expected).await {
            Err(Error::NotFound { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    async fn named_user(&self, path: String, expected: Option<&UserId>) -> Result<User, Error> {
        let subject = "a user";
        let (user, trace): (User, Trace) = self.read(subject, &Request::get(path)).await?;
        if expected.is_some_and(|expected| *expected != user.id) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        Ok(user)
    }

    async fn search(&self, query: Value) -> Result<Vec<User>, Error> {
        let request = |number| {
            let body = json!({"pageSize": SEARCH_PAGE_SIZE, "pageNumber": number, "query": query});
            Request::with_body(Method::POST, "/api/v2/users/search".to_owned(), body)
        };
        self.read_pages::<User>("found users", request).await
    }
}

impl OneCall {
    /// Makes the account inactive: `PATCH /users/{id}` with the state and the version and nothing else, because Genesys
    /// takes the state alone. The platform removes the direct roles at this moment. Fails with
    /// [`Error::VersionConflict`] when the version is not the current one.
    pub async fn deactivate(self, user: &UserId, version: u64) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}", segment(user.as_str()));
        let body = json!({"state": UserState::Inactive.as_str(), "version": version});
        self.send(Request::with_body(Method::PATCH, path, body), Missing::Refused).await
    }

    /// Ends all sessions of the user. Whether Genesys answers 404 for a user without tokens is not documented; it
    /// counts as gone.
    pub async fn revoke_tokens(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/tokens/{}", segment(user.as_str()));
        self.send(Request::delete(path), Missing::ProvedGone).await
    }
}
