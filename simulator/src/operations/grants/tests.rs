//! Tests of direct and inherited grants.

use super::*;
use crate::organisation::{AccountState, Person};
use crate::presets;
use crate::probe::Probe;

async fn agent() -> (Probe, PersonState, String) {
    let probe = Probe::start().await;
    let agent = probe
        .simulator
        .organisation(|org| presets::agent_with_inherited(org, "Jane", "jane@example.com", "E1"));
    let state = probe.simulator.person(&agent).unwrap();
    (probe, state, format!("/api/v2/authorization/subjects/{agent}"))
}

fn pairs<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Value {
    let pairs = grants.into_iter().map(|grant| json!({"roleId": grant.role, "divisionId": grant.division}));
    json!({"grants": pairs.collect::<Vec<_>>()})
}

#[tokio::test]
async fn an_empty_replacement_removes_direct_grants_and_leaves_inherited_ones() {
    let (probe, agent, path) = agent().await;
    assert_eq!(probe.get(&path).await.body["grants"].as_array().unwrap().len(), 4);
    let replaced = probe.send("POST", &format!("{path}/bulkreplace"), &json!({"grants": []})).await;
    assert_eq!(replaced.status, 204);
    let left = probe.get(&format!("{path}?includeDuplicates=true")).await;
    let left = left.body["grants"].as_array().unwrap();
    assert!(left.len() == 1 && left[0]["subjectId"] != agent.id.as_str());
    probe.simulator.rules(|rules| rules.empty_bulkreplace = EmptyBulkreplace::Refused);
    let refused = probe.send("POST", &format!("{path}/bulkreplace"), &json!({"grants": []})).await;
    assert_eq!(refused.status, 400);
    probe.assert_no_violations();
}

#[tokio::test]
async fn without_duplicates_a_direct_grant_hides_behind_that_of_a_group() {
    let (probe, agent, path) = agent().await;
    let group = agent.groups.iter().next().unwrap();
    probe.simulator.organisation(|org| {
        let grant = org.groups[group].grants.iter().next().cloned().unwrap();
        org.edit(&agent.id, |person| person.grants.insert(grant))
    });
    let count = |reply: crate::probe::Reply| reply.body["grants"].as_array().unwrap().len();
    assert_eq!(count(probe.get(&path).await), 4);
    assert_eq!(count(probe.get(&format!("{path}?includeDuplicates=true")).await), 5);
}

#[tokio::test]
async fn a_bulk_removal_with_one_vanished_pair_removes_nothing() {
    let (probe, agent, path) = agent().await;
    let grants: Vec<&Grant> = agent.grants.iter().collect();
    let single = format!("{path}/divisions/{}/roles/{}", grants[0].division, grants[0].role);
    assert_eq!(probe.delete(&single).await.status, 204);
    assert_eq!(probe.delete(&single).await.status, 404);
    let all = pairs(&agent.grants);
    assert_eq!(probe.send("POST", &format!("{path}/bulkremove"), &all).await.status, 404);
    assert_eq!(probe.simulator.person(&agent.id).unwrap().grants.len(), 2);
    let rest = pairs(grants[1..].iter().copied());
    assert_eq!(probe.send("POST", &format!("{path}/bulkremove"), &rest).await.status, 204);
    assert_eq!(probe.send("POST", &format!("{path}/bulkadd"), &all).await.status, 204);
    assert_eq!(probe.simulator.person(&agent.id).unwrap().grants, agent.grants);
}

#[tokio::test]
async fn roles_are_404_once_none_is_left_while_the_subject_stays_readable() {
    let probe = Probe::start().await;
    let bare = probe.simulator.organisation(|org| presets::bare_person(org, "Bo", "bo@example.com", "E1"));
    let roles = probe.get(&format!("/api/v2/users/{bare}/roles")).await;
    assert_eq!((roles.status, text(&roles.body, "message")), (404, format!("No such user {bare}").as_str()));
    assert_eq!(probe.get(&format!("/api/v2/authorization/subjects/{bare}")).await.status, 200);
}

#[tokio::test]
async fn the_users_of_a_role_are_those_who_have_it_in_person_in_whatever_state() {
    let (probe, agent, _) = agent().await;
    let (own, inherited) = probe.simulator.organisation(|org| {
        let home = org.home();
        let group = agent.groups.iter().next().unwrap();
        let inherited = org.groups[group].grants.iter().next().unwrap().role.clone();
        let own = org.add_role("Admin");
        for state in [AccountState::Active, AccountState::Inactive, AccountState::Deleted] {
            org.add_person(Person::new("x", "x@example.com").grant(&own, &home).state(state));
        }
        (own, inherited)
    });
    let listed = probe.get(&format!("/api/v2/authorization/roles/{own}/users?pageSize=1")).await;
    assert_eq!((&listed.body["total"], listed.ids().len()), (&json!(2), 1));
    let none = probe.get(&format!("/api/v2/authorization/roles/{inherited}/users")).await;
    assert_eq!(none.body["total"], 0);
    assert_eq!(probe.get("/api/v2/authorization/roles/nothing/users").await.status, 404);
    probe.assert_no_violations();
}

#[tokio::test]
async fn who_made_the_client_is_told_where_it_is_known() {
    let (probe, agent, _) = agent().await;
    assert_eq!(probe.get("/api/v2/tokens/me").await.body["OAuthClient"].get("createdBy"), None);
    probe.simulator.organisation(|org| org.client_made_by = Some(agent.id.clone()));
    let token = probe.get("/api/v2/tokens/me").await;
    assert_eq!(token.body["OAuthClient"]["createdBy"]["id"], agent.id.as_str());
    let ids = probe.get(&format!("/api/v2/users/{}/externalid", agent.id)).await;
    assert_eq!(ids.body[0]["externalKey"], "E1");
    probe.assert_no_violations();
}
