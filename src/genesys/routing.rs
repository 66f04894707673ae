//! Routing: the queues, skills, languages and the utilization of a user, and taking them away.

use std::collections::{BTreeMap, btree_map::Entry as Slot};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Genesys,
    call::{Done, Missing, OneCall},
    error::{CallFailed, Error, Trace},
    ids::{DivisionId, LanguageId, QueueId, SkillId, UserId, segment},
    page::{Entry, PAGE_SIZE},
    send::Request,
};

/// The members that one call can remove from a queue (400 above it).
pub const QUEUE_MEMBERS_PER_CALL: usize = 100;

/// A queue that the user is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQueue {
    /// The queue's id.
    pub id: QueueId,
    /// The queue's name.
    pub name: Option<String>,
    /// Whether the user takes conversations of the queue at present.
    pub joined: bool,
    /// The division that the queue belongs to.
    pub division_id: Option<DivisionId>,
}

/// A skill of the user.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UserSkill {
    /// The skill's id.
    pub id: SkillId,
    /// The skill's name.
    pub name: Option<String>,
    /// The level, 0 to 5.
    pub proficiency: Option<f64>,
}

/// A language of the user.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UserLanguage {
    /// The language's id.
    pub id: LanguageId,
    /// The language's name.
    pub name: Option<String>,
    /// The level, 0 to 5.
    pub proficiency: Option<f64>,
}

/// Whose utilization settings apply to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// The user's own.
    Agent,
    /// The organization's.
    Organization,
}

/// How many conversations the user may have at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Utilization {
    /// Whose settings these are.
    pub level: Level,
    /// Everything else of the answer, which is what setting it again needs.
    #[serde(flatten)]
    pub settings: Value,
}

#[derive(Deserialize)]
struct RawQueue {
    id: QueueId,
    name: Option<String>,
    joined: Option<bool>,
    division: Option<RawDivision>,
}

#[derive(Deserialize)]
struct RawDivision {
    id: DivisionId,
}

impl Entry for RawQueue {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Entry for UserSkill {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Entry for UserLanguage {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

/// The two halves that Genesys divides the queues of a user into; asked for neither, it gives the joined ones only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Joined,
    NotJoined,
}

impl Genesys {
    /// Reads all queues of the user, joined or not, sorted by id. Queues in divisions that the OAuth client can't see
    /// may be missing.
    pub async fn queues_of(&self, user: &UserId) -> Result<Vec<UserQueue>, Error> {
        let mut queues = BTreeMap::new();
        for half in [Half::Joined, Half::NotJoined] {
            for raw in self.half_of_queues(user, half).await? {
                let joined = raw.joined.unwrap_or(half == Half::Joined);
                let division_id = raw.division.map(|division| division.id);
                // One that changed sides between the two reads is in both; the later read is the newer truth.
                match queues.entry(raw.id.clone()) {
                    Slot::Vacant(slot) => {
                        slot.insert(UserQueue { id: raw.id, name: raw.name, joined, division_id });
                    }
                    Slot::Occupied(mut slot) => slot.get_mut().joined = joined,
                }
            }
        }
        Ok(queues.into_values().collect())
    }

    async fn half_of_queues(&self, user: &UserId, half: Half) -> Result<Vec<RawQueue>, Error> {
        let joined = half == Half::Joined;
        let path = format!("/api/v2/users/{}/queues", segment(user.as_str()));
        let page =
            |number| Request::get(format!("{path}?pageSize={PAGE_SIZE}&pageNumber={number}&joined={joined}"));
        self.read_pages("the queues of a user", page).await
    }

    /// Reads all skills of the user.
    pub async fn routing_skills_of(&self, user: &UserId) -> Result<Vec<UserSkill>, Error> {
        let path = format!("/api/v2/users/{}/routingskills", segment(user.as_str()));
        let page = |number| Request::get(format!("{path}?pageSize={PAGE_SIZE}&pageNumber={number}"));
        self.read_pages("the skills of a user", page).await
    }

    /// Reads all languages of the user.
    pub async fn routing_languages_of(&self, user: &UserId) -> Result<Vec<UserLanguage>, Error> {
        let path = format!("/api/v2/users/{}/routinglanguages", segment(user.as_str()));
        let page = |number| Request::get(format!("{path}?pageSize={PAGE_SIZE}&pageNumber={number}"));
        self.read_pages("the languages of a user", page).await
    }

    /// Reads the utilization settings that apply to the user.
    pub async fn utilization_of(&self, user: &UserId) -> Result<Utilization, Error> {
        let path = format!("/api/v2/routing/users/{}/utilization", segment(user.as_str()));
        let (found, _): (Utilization, Trace) =
            self.read("the utilization of a user", &Request::get(path)).await?;
        Ok(found)
    }
}

impl OneCall {
    /// Takes one user out of one queue. Not possible for a member by way of a group: those leave with the group.
    pub async fn delete_queue_member(self, queue: &QueueId, user: &UserId) -> Result<Done, CallFailed> {
        let (queue, user) = (segment(queue.as_str()), segment(user.as_str()));
        let path = format!("/api/v2/routing/queues/{queue}/members/{user}");
        self.send(Request::delete(path), Missing::Gone).await
    }

    /// Takes up to [`QUEUE_MEMBERS_PER_CALL`] users out of one queue. Users who are no members are ignored by Genesys;
    /// it may take seconds until a read shows the effect.
    pub async fn remove_queue_members(self, queue: &QueueId, users: &[UserId]) -> Result<Done, CallFailed> {
        if !(1..=QUEUE_MEMBERS_PER_CALL).contains(&users.len()) {
            return Err(CallFailed::not_sent_for("it takes 1 to 100 members"));
        }
        let path = format!("/api/v2/routing/queues/{}/members?delete=true", segment(queue.as_str()));
        let members: Value = users.iter().map(|user| json!({ "id": user })).collect();
        self.send(Request::with_body(Method::POST, path, members), Missing::Gone).await
    }

    /// Takes all skills from the user, by replacing them with none.
    pub async fn clear_routing_skills(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/routingskills/bulk", segment(user.as_str()));
        self.send(Request::with_body(Method::PUT, path, json!([])), Missing::Refused).await
    }

    /// Takes one language from the user; Genesys has no call that takes several.
    pub async fn delete_routing_language(
        self,
        user: &UserId,
        language: &LanguageId,
    ) -> Result<Done, CallFailed> {
        let (user, language) = (segment(user.as_str()), segment(language.as_str()));
        let path = format!("/api/v2/users/{user}/routinglanguages/{language}");
        self.send(Request::delete(path), Missing::Gone).await
    }

    /// Takes the user's own utilization settings away, so that the organization's apply.
    pub async fn delete_utilization(self, user: &UserId) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/routing/users/{}/utilization", segment(user.as_str()));
        self.send(Request::delete(path), Missing::Gone).await
    }
}
