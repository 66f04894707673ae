//! Tests of versions, of changes of state, and of what they take along.

use serde_json::json;

use super::*;
use crate::organisation::Id;
use crate::presets;
use crate::probe::Probe;

async fn agent() -> (Probe, Id) {
    let probe = Probe::start().await;
    let agent = probe
        .simulator
        .organisation(|org| presets::agent_with_inherited(org, "Jane", "jane@example.com", "E1"));
    (probe, agent)
}

#[tokio::test]
async fn a_missing_version_is_400_and_a_stale_one_409_or_400_by_switch() {
    let (probe, agent) = agent().await;
    let path = format!("/api/v2/users/{agent}");
    let before = probe.simulator.person(&agent);
    assert_eq!(probe.send("PATCH", &path, &json!({"state": "inactive"})).await.status, 400);
    let stale = json!({"state": "inactive", "version": 77});
    let conflict = probe.send("PATCH", &path, &stale).await;
    assert_eq!((conflict.status, text(&conflict.body, "code")), (409, "general.conflict"));
    probe.simulator.rules(|rules| rules.stale_version = StaleVersion::BadRequest);
    let refused = probe.send("PATCH", &path, &stale).await;
    assert_eq!(refused.status, 400);
    assert!(text(&refused.body, "message").contains("does not match the current version"));
    assert_eq!(probe.simulator.person(&agent), before);
}

#[tokio::test]
async fn deactivation_strips_direct_grants_and_nothing_else() {
    let (probe, agent) = agent().await;
    let before = probe.simulator.person(&agent).unwrap();
    let answer = probe.deactivate(&agent).await;
    assert_eq!((answer.status, text(&answer.body, "state")), (200, "inactive"));
    let after = probe.simulator.person(&agent).unwrap();
    let mut expected = before.clone();
    expected.state = AccountState::Inactive;
    expected.grants.clear();
    expected.version += 1;
    assert_eq!(after, expected);
    assert_eq!(
        probe.get(&format!("/api/v2/users/{agent}/roles")).await.body["roles"].as_array().unwrap().len(),
        1
    );
    probe.assert_no_violations();
}

#[tokio::test]
async fn reactivation_does_not_bring_direct_grants_back() {
    let (probe, agent) = agent().await;
    probe.deactivate(&agent).await;
    let body = json!({"state": "active", "version": probe.version(&agent).await});
    assert_eq!(probe.send("PATCH", &format!("/api/v2/users/{agent}"), &body).await.status, 200);
    let back = probe.simulator.person(&agent).unwrap();
    assert_eq!((back.state, back.grants.len(), back.groups.len()), (AccountState::Active, 0, 1));
    let roles = probe.get(&format!("/api/v2/users/{agent}/roles")).await;
    assert_eq!(roles.body["roles"].as_array().unwrap().len(), 1);
    probe.assert_no_violations();
}

#[tokio::test]
async fn state_travels_alone_or_the_others_are_ignored_by_switch() {
    let (probe, agent) = agent().await;
    let path = format!("/api/v2/users/{agent}");
    let body = json!({"state": "inactive", "name": "Nobody", "version": probe.version(&agent).await});
    assert_eq!(probe.send("PATCH", &path, &body).await.status, 400);
    probe.simulator.rules(|rules| rules.state_company = StateCompany::Ignored);
    assert_eq!(probe.send("PATCH", &path, &body).await.status, 200);
    let after = probe.simulator.person(&agent).unwrap();
    assert_eq!((after.state, after.name.as_str()), (AccountState::Inactive, "Jane"));
}

#[tokio::test]
async fn put_state_records_the_reason_and_refuses_a_stale_version() {
    let (probe, agent) = agent().await;
    let path = format!("/api/v2/users/{agent}/state");
    let stale = json!({"state": "inactive", "version": 77});
    assert_eq!(probe.send("PUT", &path, &stale).await.status, 409);
    let version = probe.version(&agent).await;
    let body = json!({"state": "inactive", "version": version, "stateChangeReason": "Voluntary"});
    assert_eq!(probe.send("PUT", &path, &body).await.status, 200);
    let state = probe.get(&path).await;
    assert_eq!(
        (text(&state.body, "state"), text(&state.body, "stateChangeReason")),
        ("inactive", "Voluntary")
    );
}

#[tokio::test]
async fn switches_take_queues_along_or_demand_that_none_are_left() {
    let (probe, agent) = agent().await;
    probe.simulator.rules(|rules| rules.deactivation = Deactivation::NeedsEmptyRouting);
    assert_eq!(probe.deactivate(&agent).await.status, 400);
    probe.simulator.rules(|rules| {
        rules.deactivation = Deactivation::Always;
        rules.queues_on_inactive = QueuesOnInactive::Removed;
    });
    assert_eq!(probe.deactivate(&agent).await.status, 200);
    let left = probe.simulator.person(&agent).unwrap().queues;
    assert_eq!(left.values().map(|membership| membership.by).collect::<Vec<_>>(), [MemberBy::Group]);
}

#[tokio::test]
async fn deleting_works_and_is_a_violation_as_is_the_undocumented_logout() {
    let (probe, agent) = agent().await;
    assert_eq!(probe.delete(&format!("/api/v2/apps/users/{agent}/logout")).await.status, 204);
    assert_eq!(probe.delete(&format!("/api/v2/users/{agent}")).await.status, 200);
    assert_eq!(probe.simulator.person(&agent).unwrap().state, AccountState::Deleted);
    assert_eq!(probe.simulator.violations().len(), 2);
}
