//! Finding and reading users by id, by external id and as a list.

use serde_json::{Value, json};

use super::paging::Page;
use super::{Call, Operations, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, Organisation};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getUser", get_user),
    ("getUsers", get_users),
    ("getUsersExternalidAuthorityNameExternalKey", get_by_external_id),
    ("getUserRoutingstatus", get_routing_status),
    ("getUserExternalid", get_external_ids),
];

/// The published limit of `id` ("Only 100 users can be requested at a time.").
const IDS_MAX: usize = 100;

/// The largest page seen in use with this list.
const USERS_PAGE_MAX: usize = 500;

/// Listing users that aren't active fails beyond this many.
const INACTIVE_LISTED_MAX: usize = 10_000;

fn get_user(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let deleted_wanted = call.parameter("state") == Some("deleted");
    // Without `state=deleted` inactive users are shown too, although the default reads "active".
    let person = organisation
        .read(Kind::Account, call.value("userId"), call.now)
        .filter(|person| (person.state == AccountState::Deleted) == deleted_wanted)
        .ok_or_else(no_such_user)?;
    Ok(Answer::json(user_json::expanded(organisation, call, &person, &call.list("expand"))))
}

fn no_such_user() -> Problem {
    Problem::new(404, "general.resource.not.found", "Unable to find a user with that userId")
}

fn get_users(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, USERS_PAGE_MAX)?;
    let ids = call.list("id");
    if ids.len() > IDS_MAX {
        let message = format!("Only {IDS_MAX} users can be requested at a time.");
        return Err(Problem::new(400, "max.user.ids", message));
    }
    let state = call.parameter("state").unwrap_or("active");
    if state != "active" && page.number.saturating_mul(page.size) > INACTIVE_LISTED_MAX {
        return Err(Problem::bad_request("Too many users are requested."));
    }
    if ids.is_empty() {
        organisation.count_read_of_all(Kind::Account, call.now);
    }
    for id in &ids {
        organisation.read(Kind::Account, id, call.now);
    }
    let shown: Vec<_> = organisation
        .views(Kind::Account)
        .filter(|person| state == "any" || person.state.as_str() == state)
        .filter(|person| ids.is_empty() || ids.contains(&person.id))
        .cloned()
        .collect();
    let total = shown.len();
    let expand = call.list("expand");
    let on_page = page.cut(shown);
    let entities =
        on_page.iter().map(|person| user_json::expanded(organisation, call, person, &expand)).collect();
    Ok(Answer::json(page.listing(call, entities, total)))
}

fn get_by_external_id(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (authority, key) = (call.value("authorityName"), call.value("externalKey"));
    let owns = |id: &crate::organisation::ExternalId| id.authority == authority && id.key == key;
    let id = organisation
        .views(Kind::Account)
        .find(|person| person.state != AccountState::Deleted && person.external_ids.iter().any(owns))
        .map(|person| person.id.clone())
        .ok_or_else(Problem::not_found)?;
    let person = call.read(organisation, Kind::Account, &id)?;
    Ok(Answer::json(user_json::expanded(organisation, call, &person, &call.list("expand"))))
}

fn get_external_ids(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Account, call.value("userId"))?;
    let path = format!("/api/v2/users/{}/externalid", person.id);
    let ids = person.external_ids.iter().map(|id| {
        json!({"authorityName": id.authority, "externalKey": id.key,
               "selfUri": format!("{path}/{}/{}", id.authority, id.key)})
    });
    Ok(Answer::json(Value::from(ids.collect::<Vec<_>>())))
}

fn get_routing_status(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Account, call.value("userId"))?;
    Ok(Answer::json(user_json::routing_status(call, &person)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::organisation::{AccountState, Person};
    use crate::presets;
    use crate::probe::Probe;
    use crate::rules::Expansions;

    #[tokio::test]
    async fn a_list_by_email_ignores_the_email_shows_a_stranger_first_and_is_a_violation() {
        let probe = Probe::start().await;
        probe.simulator.organisation(presets::demonstration);
        let list = probe.get("/api/v2/users?email=jane.doe@example.com").await;
        assert_eq!(list.body["total"], 6);
        assert_eq!(list.ids()[0], probe.simulator.organisation(|org| org.stranger()));
        assert!(probe.simulator.violations()[0].ends_with("query parameter email does not exist"));
    }

    #[tokio::test]
    async fn a_list_shows_active_users_unless_told_otherwise() {
        let probe = Probe::start().await;
        let gone = probe.simulator.organisation(|org| {
            org.add_person(Person::new("Gone", "gone@example.com").state(AccountState::Inactive))
        });
        assert!(!probe.get("/api/v2/users").await.ids().contains(&gone));
        let batch =
            probe.get(&format!("/api/v2/users?id={gone}&state=any&expand=routingStatus,presence")).await;
        assert_eq!(batch.ids(), [gone]);
        let many = vec!["x"; 101].join(",");
        let refused = probe.get(&format!("/api/v2/users?id={many}")).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (400, Some("max.user.ids")));
    }

    #[tokio::test]
    async fn one_user_is_shown_when_inactive_but_when_deleted_only_on_request() {
        let probe = Probe::start().await;
        let gone =
            probe.simulator.organisation(|org| presets::bare_person(org, "Gone", "gone@example.com", "E1"));
        let path = format!("/api/v2/users/{gone}");
        probe.simulator.organisation(|org| org.edit(&gone, |person| person.state = AccountState::Inactive));
        assert_eq!(probe.get(&path).await.body["state"], "inactive");
        probe.simulator.organisation(|org| org.edit(&gone, |person| person.state = AccountState::Deleted));
        let missing = probe.get(&path).await;
        assert_eq!(
            (missing.status, missing.body["code"].as_str()),
            (404, Some("general.resource.not.found"))
        );
        assert_eq!(probe.get(&format!("{path}?state=deleted")).await.body["state"], "deleted");
    }

    #[tokio::test]
    async fn the_external_id_is_case_sensitive_and_expansions_come_along() {
        let probe = Probe::start().await;
        let jane = probe.simulator.organisation(presets::demonstration)[0].clone();
        let expand = "expand=routingStatus&expand=presence,conversationSummary,station,skills,languages,groups,team,authorization";
        let found = probe.get(&format!("/api/v2/users/externalid/workday/E1001?{expand}")).await;
        assert_eq!(found.body["id"], jane.as_str());
        assert_eq!(found.body["skills"].as_array().unwrap().len(), 3);
        assert_eq!(found.body["conversationSummary"]["call"]["contactCenter"]["active"], 0);
        assert_eq!(probe.get("/api/v2/users/externalid/workday/e1001").await.status, 404);
        probe.assert_no_violations();
    }

    /// The reads of a user that take expansions, each giving that user.
    async fn expanded_reads(probe: &Probe, id: &str) -> Vec<Value> {
        let expand = "expand=skills,languages,station,groups,team";
        let list = probe.get(&format!("/api/v2/users?id={id}&{expand}")).await.body;
        vec![
            probe.get(&format!("/api/v2/users/{id}?{expand}")).await.body,
            list["entities"][0].clone(),
            probe.get(&format!("/api/v2/users/externalid/workday/E1?{expand}")).await.body,
        ]
    }

    #[tokio::test]
    async fn one_many_and_the_external_id_give_the_same_expansions_or_none_by_switch() {
        let probe = Probe::start().await;
        let jane = probe
            .simulator
            .organisation(|org| presets::everything_agent(org, "Jane", "jane@example.com", "E1"));
        let state = probe.simulator.person(&jane).unwrap();
        let users = expanded_reads(&probe, &jane).await;
        assert_eq!(users.len(), 3);
        for user in users {
            let length = |name: &str| user[name].as_array().unwrap().len();
            assert_eq!((length("skills"), length("languages"), length("groups")), (60, 3, 2));
            let skills = user["skills"].as_array().unwrap();
            assert!(skills.iter().all(|skill| {
                skill["state"] == "active"
                    && skill["proficiency"] == state.skills[skill["id"].as_str().unwrap()]
            }));
            assert_eq!(user["languages"][0]["state"], "active");
            let ids =
                ["associatedStation", "defaultStation"].map(|name| user["station"][name]["id"].as_str());
            assert_eq!(ids, [state.associated_station.as_deref(), state.default_station.as_deref()]);
            assert_eq!(user["team"]["id"].as_str(), state.team.as_deref());
            assert_eq!(
                (&user["groups"][0]["memberCount"], &user["groups"][0]["type"]),
                (&json!(1), &json!("official"))
            );
        }
        probe.simulator.rules(|rules| rules.expansions = Expansions::Withheld);
        for user in expanded_reads(&probe, &jane).await {
            assert_eq!(user["id"], jane.as_str());
            for name in ["skills", "languages", "station", "groups", "team"] {
                assert_eq!(user.get(name), None, "{name}");
            }
        }
        probe.assert_no_violations();
    }
}
