//! Licences of people; how they follow the roles is left to `organisation`.

use serde_json::{Map, Value, json};

use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{Organisation, PersonState, has_role};
use crate::rules::{Kind, LicenceAssignment};

pub(super) const OPERATIONS: Operations = &[
    ("getLicenseDefinitions", get_definitions),
    ("getLicenseUser", get_user),
    ("postLicenseUsers", get_users),
    ("postLicenseOrganization", assign),
];

/// What a line of a batch asks for.
#[derive(Clone, Copy)]
enum Wish {
    Add,
    Remove,
}

fn get_definitions(organisation: &mut Organisation, _: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Answer::json(organisation.licences.known.iter().map(|id| definition(id)).collect()))
}

fn get_user(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Licences, call.value("userId"))?;
    let licences: Vec<Value> = person.licences.iter().map(|id| definition(id)).collect();
    let id = &person.id;
    Ok(Answer::json(
        json!({"id": id, "licenses": licences, "selfUri": format!("/api/v2/license/users/{id}")}),
    ))
}

/// Gives the licences of several users. What stands under each id is not published; those who don't exist are left out.
fn get_users(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let mut licences = Map::new();
    for id in call.body.as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Ok(person) = call.read(organisation, Kind::Licences, id) {
            licences.insert(id.to_owned(), person.licences.iter().map(String::as_str).collect());
        }
    }
    Ok(Answer::json(Value::Object(licences)))
}

fn assign(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let assignments = call.body.get("assignments").and_then(Value::as_array);
    let assignments = assignments.ok_or_else(|| Problem::bad_request("assignments is required"))?;
    // Nothing is changed when one line names what doesn't exist.
    for assignment in assignments {
        let licence = text(assignment, "licenseId");
        if !organisation.licences.known.contains(licence) {
            return Err(Problem::bad_request(&format!("License [{licence}] does not exist.")));
        }
    }
    let mut statuses = Vec::new();
    for assignment in assignments {
        let licence = text(assignment, "licenseId");
        for (field, wish) in [("userIdsAdd", Wish::Add), ("userIdsRemove", Wish::Remove)] {
            let users = assignment.get(field).and_then(Value::as_array).into_iter().flatten();
            for user in users.filter_map(Value::as_str) {
                let result = change(organisation, call, user, licence, wish);
                statuses.push(json!({"userId": user, "licenseId": licence, "result": result}));
            }
        }
    }
    Ok(Answer::json(Value::from(statuses)))
}

fn change(
    organisation: &mut Organisation,
    call: &Call<'_>,
    user: &str,
    licence: &str,
    wish: Wish,
) -> &'static str {
    let roles_decide = match call.rules.licence_assignment {
        LicenceAssignment::Automatic => {
            organisation.truth(user).is_some_and(|person| has_role(person, &organisation.groups))
        }
        LicenceAssignment::ByHand => false,
    };
    let changed = call.change(organisation, user, &[Kind::Licences], |person: &mut PersonState| {
        if roles_decide {
            return;
        }
        match wish {
            Wish::Add => person.licences.insert(licence.to_owned()),
            Wish::Remove => person.licences.remove(licence),
        };
    });
    // No words are published for a result.
    if changed.is_ok() { "SUCCESS" } else { "USER_NOT_FOUND" }
}

fn definition(id: &str) -> Value {
    json!({"id": id, "description": "", "selfUri": format!("/api/v2/license/definitions/{id}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::organisation::Person;
    use crate::probe::Probe;
    use crate::rules::Lag;

    /// Gives a person with two licences and one role.
    async fn licensed() -> (Probe, String) {
        let probe = Probe::start().await;
        let person = probe.simulator.organisation(|org| {
            let (role, home) = (org.add_role("Agent"), org.home());
            let person = Person::new("Jane", "jane@example.com").grant(&role, &home);
            org.add_person(person.licence("engage1").licence("wem"))
        });
        (probe, person)
    }

    fn licences(probe: &Probe, person: &str) -> BTreeSet<String> {
        probe.simulator.person(person).unwrap().licences
    }

    fn removal(person: &str, licence: &str) -> Value {
        json!({"assignments": [{"licenseId": licence, "userIdsAdd": [], "userIdsRemove": [person]}]})
    }

    #[tokio::test]
    async fn licences_go_with_the_last_role_and_return_with_the_next() {
        let (probe, person) = licensed().await;
        let grant = probe.simulator.person(&person).unwrap().grants.pop_first().unwrap();
        let subject = format!("/api/v2/authorization/subjects/{person}");
        probe.send("POST", &format!("{subject}/bulkreplace"), &json!({"grants": []})).await;
        assert_eq!(licences(&probe, &person), BTreeSet::new());
        let shown = probe.get(&format!("/api/v2/license/users/{person}")).await;
        assert_eq!(shown.body["licenses"], json!([]));
        let grants = json!({"grants": [{"roleId": grant.role, "divisionId": grant.division}]});
        probe.send("POST", &format!("{subject}/bulkadd"), &grants).await;
        assert_eq!(licences(&probe, &person).len(), 2);
        probe.deactivate(&person).await;
        assert_eq!(licences(&probe, &person), BTreeSet::new());
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_removal_by_hand_is_accepted_and_without_effect_while_the_roles_decide() {
        let (probe, person) = licensed().await;
        let path = "/api/v2/license/organization";
        let accepted = probe.send("POST", path, &removal(&person, "wem")).await;
        assert_eq!((accepted.status, licences(&probe, &person).len()), (200, 2));
        probe.simulator.rules(|rules| rules.licence_assignment = LicenceAssignment::ByHand);
        let removed = probe.send("POST", path, &removal(&person, "wem")).await;
        assert_eq!(removed.body[0]["licenseId"], "wem");
        assert_eq!(licences(&probe, &person), BTreeSet::from(["engage1".to_owned()]));
        let back =
            json!({"assignments": [{"licenseId": "wem", "userIdsAdd": [person], "userIdsRemove": []}]});
        probe.send("POST", path, &back).await;
        assert_eq!(licences(&probe, &person).len(), 2);
        probe.deactivate(&person).await;
        assert_eq!(licences(&probe, &person).len(), 2);
    }

    #[tokio::test]
    async fn a_batch_needs_its_three_fields_a_known_licence_and_tells_of_unknown_users() {
        let (probe, person) = licensed().await;
        probe.simulator.rules(|rules| rules.licence_assignment = LicenceAssignment::ByHand);
        let path = "/api/v2/license/organization";
        let incomplete = json!({"assignments": [{"licenseId": "wem", "userIdsRemove": [person]}]});
        assert_eq!(probe.send("POST", path, &incomplete).await.status, 400);
        assert_eq!(probe.send("POST", path, &removal(&person, "unheard-of")).await.status, 400);
        let empty = probe.request("POST", path).header("content-type", "application/json");
        assert_eq!(Probe::reply(empty).await.unwrap().status, 400);
        let nobody = probe.send("POST", path, &removal("nobody", "wem")).await;
        assert_eq!(nobody.body[0]["result"], "USER_NOT_FOUND");
        assert_eq!(licences(&probe, &person).len(), 2);
    }

    #[tokio::test]
    async fn licences_are_read_for_one_for_many_and_as_definitions() {
        let (probe, person) = licensed().await;
        let one = probe.get(&format!("/api/v2/license/users/{person}")).await;
        assert_eq!(one.body["licenses"][0]["id"], "engage1");
        assert_eq!(probe.get("/api/v2/license/users/nobody").await.status, 404);
        let many = probe.send("POST", "/api/v2/license/users", &json!([person, "nobody"])).await;
        assert_eq!(many.body, json!({person.as_str(): ["engage1", "wem"]}));
        let definitions = probe.get("/api/v2/license/definitions").await;
        assert_eq!(definitions.body.as_array().unwrap().len(), 2);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_licence_that_went_with_the_roles_is_seen_late_when_the_rules_say_so() {
        let (probe, person) = licensed().await;
        probe.simulator.set_lag(Kind::Licences, Lag::Reads(1));
        probe.deactivate(&person).await;
        let path = format!("/api/v2/license/users/{person}");
        assert_eq!(probe.get(&path).await.body["licenses"].as_array().unwrap().len(), 2);
        assert_eq!(probe.get(&path).await.body["licenses"], json!([]));
    }
}
