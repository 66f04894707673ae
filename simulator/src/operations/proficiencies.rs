//! Routing skills and routing languages: two lists of the same form, with different calls and codes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{Id, Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getUserRoutingskills", |organisation, call| SKILLS.get(organisation, call)),
    ("postUserRoutingskills", |organisation, call| SKILLS.post(organisation, call)),
    ("putUserRoutingskillsBulk", |organisation, call| SKILLS.replace(organisation, call)),
    ("patchUserRoutingskillsBulk", |organisation, call| SKILLS.patch(organisation, call)),
    ("deleteUserRoutingskill", |organisation, call| SKILLS.delete(organisation, call)),
    ("getUserRoutinglanguages", |organisation, call| LANGUAGES.get(organisation, call)),
    ("postUserRoutinglanguages", |organisation, call| LANGUAGES.post(organisation, call)),
    ("patchUserRoutinglanguagesBulk", |organisation, call| LANGUAGES.patch(organisation, call)),
    ("deleteUserRoutinglanguage", |organisation, call| LANGUAGES.delete(organisation, call)),
];

/// The published limit of the PATCH calls.
const PATCHED_MAX: usize = 50;

/// No limit is published for replacing all skills.
const REPLACED_MAX: usize = 1_000;

/// One of the two lists.
pub(super) struct Proficiencies {
    kind: Kind,
    /// The path segment, and the variable of the single call.
    segment: &'static str,
    variable: &'static str,
    uri_field: &'static str,
    deleted_status: u16,
    names: fn(&Organisation) -> &BTreeMap<Id, String>,
    of: fn(&PersonState) -> &BTreeMap<Id, f64>,
    of_mut: fn(&mut PersonState) -> &mut BTreeMap<Id, f64>,
}

pub(super) const SKILLS: Proficiencies = Proficiencies {
    kind: Kind::Skills,
    segment: "skills",
    variable: "skillId",
    uri_field: "skillUri",
    deleted_status: 200,
    names: |organisation| &organisation.skills,
    of: |person| &person.skills,
    of_mut: |person| &mut person.skills,
};

pub(super) const LANGUAGES: Proficiencies = Proficiencies {
    kind: Kind::Languages,
    segment: "languages",
    variable: "languageId",
    uri_field: "languageUri",
    deleted_status: 204,
    names: |organisation| &organisation.languages,
    of: |person| &person.languages,
    of_mut: |person| &mut person.languages,
};

impl Proficiencies {
    /// Gives all entries of a person, sorted by name.
    pub(super) fn entities(&self, organisation: &Organisation, person: &PersonState) -> Vec<Value> {
        let entries = (self.of)(person).iter();
        let mut entities: Vec<Value> = entries
            .map(|(id, proficiency)| self.entity(organisation, &person.id, id, *proficiency))
            .collect();
        entities.sort_by(|left, right| text(left, "name").cmp(text(right, "name")));
        entities
    }

    fn entity(&self, organisation: &Organisation, user: &str, id: &str, proficiency: f64) -> Value {
        let name = (self.names)(organisation).get(id).map_or("", String::as_str);
        let mut entity = json!({
            "id": id,
            "name": name,
            "proficiency": proficiency,
            "state": "active",
            "selfUri": format!("/api/v2/users/{user}/routing{}/{id}", self.segment),
        });
        entity[self.uri_field] = Value::from(format!("/api/v2/routing/{}/{id}", self.segment));
        entity
    }

    fn get(&self, organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let page = Page::of(call, SIZE_MAX)?;
        let person = call.read(organisation, self.kind, call.value("userId"))?;
        let entities = self.entities(organisation, &person);
        let total = entities.len();
        Ok(Answer::json(page.listing(call, page.cut(entities), total)))
    }

    fn post(&self, organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let wanted = self.wanted(organisation, std::slice::from_ref(call.body))?;
        let user = call.value("userId");
        call.change(organisation, user, &[self.kind], |person| (self.of_mut)(person).extend(wanted.clone()))?;
        let entity = wanted.iter().next().map(|(id, level)| self.entity(organisation, user, id, *level));
        entity.map(Answer::json).ok_or_else(Problem::not_found)
    }

    fn patch(&self, organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let wanted = self.wanted(organisation, call.items(PATCHED_MAX)?)?;
        let user = call.value("userId");
        call.change(organisation, user, &[self.kind], |person| (self.of_mut)(person).extend(wanted))?;
        self.all(organisation, call)
    }

    fn replace(&self, organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let wanted = self.wanted(organisation, call.items(REPLACED_MAX)?)?;
        let user = call.value("userId");
        call.change(organisation, user, &[self.kind], |person| *(self.of_mut)(person) = wanted)?;
        self.all(organisation, call)
    }

    fn delete(&self, organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let id = call.value(self.variable);
        let user = call.value("userId");
        let removed =
            call.change(organisation, user, &[self.kind], |person| (self.of_mut)(person).remove(id))?;
        removed.map(|_| Answer::empty(self.deleted_status)).ok_or_else(Problem::not_found)
    }

    /// Answers a write with the list as it now truly is.
    fn all(&self, organisation: &Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
        let person = organisation.person(call.value("userId")).ok_or_else(Problem::not_found)?;
        let entities = self.entities(organisation, &person);
        let total = entities.len();
        let page = Page { number: 1, size: REPLACED_MAX };
        Ok(Answer::json(page.listing(call, entities, total)))
    }

    fn wanted(&self, organisation: &Organisation, items: &[Value]) -> Result<BTreeMap<Id, f64>, Problem> {
        let mut wanted = BTreeMap::new();
        for item in items {
            let id = text(item, "id");
            let proficiency = item.get("proficiency").and_then(Value::as_f64).unwrap_or(-1.0);
            if !(self.names)(organisation).contains_key(id) || !(0.0..=5.0).contains(&proficiency) {
                return Err(Problem::bad_request(&format!("[{id}] with [{proficiency}] can't be assigned.")));
            }
            wanted.insert(id.to_owned(), proficiency);
        }
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::probe::Probe;
    use crate::rules::Lag;

    async fn agent() -> (Probe, String, PersonState) {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        let state = probe.simulator.person(&agent).unwrap();
        (probe, format!("/api/v2/users/{agent}"), state)
    }

    #[tokio::test]
    async fn an_empty_replacement_clears_all_skills_and_a_patch_brings_them_back() {
        let (probe, user, before) = agent().await;
        let path = format!("{user}/routingskills");
        assert_eq!(probe.get(&path).await.ids().len(), 3);
        let cleared = probe.send("PUT", &format!("{path}/bulk"), &json!([])).await;
        assert_eq!((cleared.status, cleared.ids().len()), (200, 0));
        let snapshot: Value =
            before.skills.iter().map(|(id, level)| json!({"id": id, "proficiency": level})).collect();
        assert_eq!(probe.send("PATCH", &format!("{path}/bulk"), &snapshot).await.status, 200);
        assert_eq!(probe.simulator.person(&before.id).unwrap().skills, before.skills);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_patch_takes_at_most_fifty() {
        let (probe, user, before) = agent().await;
        let skill = before.skills.keys().next().unwrap();
        let body = Value::from(vec![json!({"id": skill, "proficiency": 1.0}); 51]);
        assert_eq!(probe.send("PATCH", &format!("{user}/routingskills/bulk"), &body).await.status, 400);
    }

    #[tokio::test]
    async fn single_deletes_have_their_own_codes_and_are_404_when_gone() {
        let (probe, user, before) = agent().await;
        let skill = format!("{user}/routingskills/{}", before.skills.keys().next().unwrap());
        let language = format!("{user}/routinglanguages/{}", before.languages.keys().next().unwrap());
        assert_eq!(probe.delete(&skill).await.status, 200);
        assert_eq!(probe.delete(&skill).await.status, 404);
        assert_eq!(probe.delete(&language).await.status, 204);
        assert_eq!(probe.delete(&language).await.status, 404);
        assert_eq!(probe.get(&format!("{user}/routinglanguages")).await.ids().len(), 1);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_lag_shows_the_old_skills_for_as_many_reads_as_told() {
        let (probe, user, _) = agent().await;
        probe.simulator.set_lag(Kind::Skills, Lag::Reads(1));
        probe.send("PUT", &format!("{user}/routingskills/bulk"), &json!([])).await;
        assert_eq!(probe.get(&format!("{user}/routingskills")).await.ids().len(), 3);
        assert_eq!(probe.get(&format!("{user}/routingskills")).await.ids().len(), 0);
    }
}
