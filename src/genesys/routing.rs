//! Routing: the skills, languages, utilization and backup of a user, taking them away and putting them back. Queues
//! are left to `queues`.

use std::ops::RangeInclusive;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Genesys,
    call::{Done, Missing, OneCall, only},
    error::{CallFailed, Error, Fault, Trace},
    ids::{LanguageId, QueueId, SkillId, UserId, segment},
    page::{Entry, PAGE_SIZE},
    send::Request,
};

/// The skills, or the languages, that one call can add (400 above it).
pub const PROFICIENCIES_PER_CALL: usize = 50;

/// The levels that Genesys knows.
const PROFICIENCY: RangeInclusive<f64> = 0.0..=5.0;

/// The fields of utilization settings that can be set. The answer of a read has more: whose they are, and names.
const UTILIZATION_FIELDS: [&str; 3] = ["utilization", "labelUtilizations", "maxInboundCalls"];

/// The fields of a backup for direct routing that can be set.
const BACKUP_FIELDS: [&str; 4] = ["queueId", "userId", "waitForAgent", "agentWaitSeconds"];

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

/// The published fields of a backup for direct routing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBackup {
    queue_id: Option<QueueId>,
    user_id: Option<UserId>,
    wait_for_agent: Option<bool>,
    agent_wait_seconds: Option<u64>,
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

impl Genesys {
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

    /// Reads who takes the user's direct routing when they don't: an object with `queueId`, `userId` and others; `None`
    /// when there is no backup.
    pub async fn direct_routing_backup_of(&self, user: &UserId) -> Result<Option<Value>, Error> {
        let judge = |found: RawBackup| {
            let says_nothing = found.queue_id.is_none()
                && found.user_id.is_none()
                && found.wait_for_agent.is_none()
                && found.agent_wait_seconds.is_none();
            if says_nothing { Err(Fault::WrongShape) } else { Ok(()) }
        };
        self.read_checked("the backup of a user", &Request::get(backup_path(user)), judge).await
    }
}

impl OneCall {
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

    /// Adds up to [`PROFICIENCIES_PER_CALL`] skills with their levels (0 to 5); other skills stay.
    pub async fn add_routing_skills(
        self,
        user: &UserId,
        skills: &[(SkillId, f64)],
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/routingskills/bulk", segment(user.as_str()));
        self.apply(Request::with_body(Method::PATCH, path, proficiencies(skills)?)).await
    }

    /// Adds up to [`PROFICIENCIES_PER_CALL`] languages with their levels (0 to 5); other languages stay.
    pub async fn add_routing_languages(
        self,
        user: &UserId,
        languages: &[(LanguageId, f64)],
    ) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/users/{}/routinglanguages/bulk", segment(user.as_str()));
        self.apply(Request::with_body(Method::PATCH, path, proficiencies(languages)?)).await
    }

    /// Gives the user their own utilization settings, as [`Utilization::settings`] has them; of anything else in them
    /// nothing is sent.
    pub async fn put_utilization(self, user: &UserId, settings: &Value) -> Result<Done, CallFailed> {
        let path = format!("/api/v2/routing/users/{}/utilization", segment(user.as_str()));
        let mut body = only(settings, &UTILIZATION_FIELDS)?;
        // A label is read with its name, which can't be set here.
        if let Some(Value::Object(labels)) = body.get_mut("labelUtilizations") {
            labels
                .values_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|label| drop(label.remove("labelName")));
        }
        self.apply(Request::with_body(Method::PUT, path, Value::Object(body))).await
    }

    /// Takes the backup for direct routing away.
    pub async fn delete_direct_routing_backup(self, user: &UserId) -> Result<Done, CallFailed> {
        self.send(Request::delete(backup_path(user)), Missing::Gone).await
    }

    /// Sets the backup for direct routing, as it was read; for whom the user themselves is a backup can't be set.
    pub async fn put_direct_routing_backup(self, user: &UserId, backup: &Value) -> Result<Done, CallFailed> {
        let body = Value::Object(only(backup, &BACKUP_FIELDS)?);
        self.apply(Request::with_body(Method::PUT, backup_path(user), body)).await
    }
}

fn backup_path(user: &UserId) -> String {
    format!("/api/v2/routing/users/{}/directroutingbackup/settings", segment(user.as_str()))
}

fn proficiencies<I: Serialize>(levels: &[(I, f64)]) -> Result<Value, CallFailed> {
    if !(1..=PROFICIENCIES_PER_CALL).contains(&levels.len()) {
        return Err(CallFailed::not_sent_for("it takes 1 to 50 skills or languages"));
    }
    if levels.iter().any(|(_, level)| !PROFICIENCY.contains(level)) {
        return Err(CallFailed::not_sent_for("a level is 0 to 5"));
    }
    Ok(levels.iter().map(|(id, level)| json!({"id": id, "proficiency": level})).collect())
}
