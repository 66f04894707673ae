//! Users: finding them, reading their state, ending their account and their sessions.

use std::str::FromStr;

use reqwest::Method;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value, json};

use super::{
    Genesys,
    activity::{self, RawPresence, RawRoutingStatus, RoutingStatus},
    call::{Done, Effect, Missing, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{DivisionId, GroupId, TeamId, UserId, segment},
    page::Entry,
    routing::{UserLanguage, UserSkill},
    send::Request,
    telephony::Stations,
};

/// What a user is read with. Genesys expands as well as it can: each of them may be missing in the answer.
const EXPAND: &str =
    "expand=routingStatus,presence,conversationSummary,groups,skills,languages,station,team,employerInfo";

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

/// Why the state of an account changes, as Genesys records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateChangeReason {
    /// The person leaves of their own will.
    Voluntary,
    /// The person's season is over.
    Seasonal,
    /// The person is on leave.
    Leave,
    /// The person's work was not good enough.
    Performance,
    /// The person's conduct.
    Conduct,
    /// Not said.
    Unknown,
}

/// Reports a text that is no reason of Genesys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason is Voluntary, Seasonal, Leave, Performance, Conduct or Unknown")]
pub struct UnknownReason;

impl StateChangeReason {
    pub(crate) const ALL: &[Self] =
        &[Self::Voluntary, Self::Seasonal, Self::Leave, Self::Performance, Self::Conduct, Self::Unknown];

    /// Gives the word that Genesys uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voluntary => "Voluntary",
            Self::Seasonal => "Seasonal",
            Self::Leave => "Leave",
            Self::Performance => "Performance",
            Self::Conduct => "Conduct",
            Self::Unknown => "Unknown",
        }
    }
}

impl FromStr for StateChangeReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(UnknownReason)
    }
}

/// A group, as it is named where it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UserGroup {
    /// The group's id.
    pub id: GroupId,
    /// The group's name.
    pub name: Option<String>,
}

/// A work team, as it is named where it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedTeam {
    /// The team's id.
    pub id: TeamId,
    /// The team's name.
    pub name: Option<String>,
}

/// A user as Genesys knows them. The optional parts are missing where Genesys did not give them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    pub groups: Option<Vec<UserGroup>>,
    /// The skills.
    pub skills: Option<Vec<UserSkill>>,
    /// The languages.
    pub languages: Option<Vec<UserLanguage>>,
    /// The phones. A user without phones has none in it.
    pub stations: Option<Stations>,
    /// The work team; Genesys leaves it out also for a user without one.
    pub team: Option<NamedTeam>,
    /// The date of hire, a text as somebody or something entered it.
    pub date_hire: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUser {
    id: UserId,
    email: Option<String>,
    name: Option<String>,
    state: UserState,
    version: u64,
    division: Option<RawDivision>,
    routing_status: Option<RawRoutingStatus>,
    presence: Option<RawPresence>,
    conversation_summary: Option<serde_json::Map<String, Value>>,
    groups: Option<Vec<UserGroup>>,
    skills: Option<Vec<UserSkill>>,
    languages: Option<Vec<UserLanguage>>,
    #[serde(default, deserialize_with = "object")]
    station: Option<Stations>,
    #[serde(default, deserialize_with = "object")]
    team: Option<NamedTeam>,
    #[serde(default, deserialize_with = "object")]
    employer_info: Option<RawEmployerInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEmployerInfo {
    date_hire: Option<Value>,
}

impl RawEmployerInfo {
    /// Also what is no text at all: a date of hire that nobody can read must not make the whole user unreadable.
    fn date_hire(self) -> Option<String> {
        let entered = self.date_hire.filter(|entered| !entered.is_null())?;
        Some(entered.as_str().map_or_else(|| entered.to_string(), str::to_owned))
    }
}

#[derive(Deserialize)]
struct RawDivision {
    id: DivisionId,
    name: Option<String>,
}

/// Reads a field that is an object or null. Left to itself, serde takes a list of the fields' values as well, and a
/// list of nulls would be a person without phones.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(field: D) -> Result<Option<T>, D::Error> {
    let fields: Option<Map<String, Value>> = Option::deserialize(field)?;
    fields.map(|fields| serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)).transpose()
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
            groups: raw.groups,
            skills: raw.skills,
            languages: raw.languages,
            stations: raw.station,
            team: raw.team,
            date_hire: raw.employer_info.and_then(RawEmployerInfo::date_hire),
        })
    }
}

impl User {
    /// Whether the answer was expanded: Genesys gives several of the expansions for everybody, if it gives them.
    pub fn is_expanded(&self) -> bool {
        let routing = self.skills.is_some() || self.languages.is_some() || self.routing_status.is_some();
        let presence = self.presence.is_some() || self.active_conversations.is_some();
        let belongings = self.groups.is_some() || self.team.is_some() || self.stations.is_some();
        routing || presence || belongings
    }
}

impl User {
    /// Whether a later answer shows the same to be assigned to the user, as far as both were expanded.
    pub fn holds_the_same(&self, later: &Self) -> bool {
        let skills = same(self.skills.as_ref(), later.skills.as_ref());
        let languages = same(self.languages.as_ref(), later.languages.as_ref());
        let groups = same(self.groups.as_ref(), later.groups.as_ref());
        let stations = same(self.stations.as_ref(), later.stations.as_ref());
        let expanded = self.is_expanded() && later.is_expanded();
        skills && languages && groups && stations && (!expanded || self.team == later.team)
    }
}

/// What only one of two answers gives says nothing.
fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
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

    /// Reads the groups of a user, for when expanding them gave nothing. There is no other list of them: a second answer
    /// without them is malformed.
    pub async fn groups_of(&self, id: &UserId) -> Result<Vec<UserGroup>, Error> {
        let subject = "the groups of a user";
        let path = format!("/api/v2/users/{}?expand=groups", segment(id.as_str()));
        let (user, trace): (User, Trace) = self.read(subject, &Request::get(path)).await?;
        if user.id != *id {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        user.groups.ok_or(Error::Malformed { subject, fault: Fault::WrongShape, trace })
    }

    /// Reads the work team of a user, for when expanding them gave nothing at all. A user without a team has none in the
    /// answer, so the other expansions are the proof that it was expanded; without any of them it is malformed.
    pub async fn team_of(&self, id: &UserId) -> Result<Option<NamedTeam>, Error> {
        let subject = "the team of a user";
        let path = format!("/api/v2/users/{}?{EXPAND}", segment(id.as_str()));
        let (user, trace): (User, Trace) = self.read(subject, &Request::get(path)).await?;
        if user.id != *id {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        if !user.is_expanded() {
            return Err(Error::Malformed { subject, fault: Fault::WrongShape, trace });
        }
        Ok(user.team)
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

    /// Makes the account active again, also one that is in the bin. Direct roles don't come back with it. Fails with
    /// [`Error::VersionConflict`] when the version is not the current one.
    pub async fn reactivate(self, user: &UserId, version: u64) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}", segment(user.as_str()));
        let body = json!({"state": UserState::Active.as_str(), "version": version});
        self.apply(Request::with_body(Method::PATCH, path, body)).await
    }

    /// Changes the state of the account and records why: `PUT /users/{id}/state`. Fails with
    /// [`Error::VersionConflict`] when the version is not the current one; whether Genesys looks at it here is not
    /// documented.
    pub async fn set_state(
        self,
        user: &UserId,
        state: UserState,
        version: u64,
        reason: StateChangeReason,
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/state", segment(user.as_str()));
        let body = json!({"state": state.as_str(), "version": version, "stateChangeReason": reason.as_str()});
        let done = self.apply(Request::with_body(Method::PUT, path, body)).await?;
        let effect = match state {
            UserState::Active => Effect::Applied,
            UserState::Inactive | UserState::Deleted => Effect::Removed,
        };
        Ok(Done { effect, ..done })
    }

    /// Ends all sessions of the user. Whether Genesys answers 404 for a user without tokens is not documented; it
    /// counts as gone.
    pub async fn revoke_tokens(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/tokens/{}", segment(user.as_str()));
        self.send(Request::delete(path), Missing::ProvedGone).await
    }
}
