//! Tests of what the audit trail records, and of querying it.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};

use super::*;
use crate::organisation::{Id, Joining, MemberBy, QueueMembership};
use crate::presets;
use crate::probe::{Probe, Reply};
use crate::rules::{Kind, Lag};

const REALTIME: &str = "/api/v2/audits/query/realtime";
const QUERY: &str = "/api/v2/audits/query";

async fn agent() -> (Probe, Id) {
    let probe = Probe::start().await;
    let agent = probe
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
    (probe, agent)
}

fn interval(days: i64) -> String {
    let now = Utc::now();
    let date = |days| (now + TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{}/{}", date(1 - days), date(1))
}

fn about(agent: &str) -> Value {
    json!({"interval": interval(7), "filters": [{"property": "EntityId", "value": agent}]})
}

fn with(mut query: Value, field: &str, value: Value) -> Value {
    query[field] = value;
    query
}

async fn realtime(probe: &Probe, query: Value) -> Vec<Value> {
    let reply = probe.send("POST", REALTIME, &query).await;
    assert_eq!(reply.status, 200);
    reply.body["entities"].as_array().unwrap().clone()
}

/// Has an administrator put the agent into a queue.
fn put_into_queue(probe: &Probe, agent: &str) -> (Id, Id) {
    probe.simulator.organisation(|org| {
        let (administrator, home) = (org.stranger(), org.home());
        let queue = org.add_queue("Back again", &home);
        org.edit_as(&administrator, agent, "Routing", "MemberAdd", |person| {
            let membership = QueueMembership { joining: Joining::Joined, ring_number: 1, by: MemberBy::User };
            person.queues.insert(queue.clone(), membership);
        });
        (administrator, queue)
    })
}

#[tokio::test]
async fn a_change_by_a_call_is_recorded_under_the_client_with_what_changed() {
    let (probe, agent) = agent().await;
    let skills = probe.simulator.person(&agent).unwrap().skills;
    let path = format!("/api/v2/users/{agent}/routingskills/bulk");
    probe.send("PUT", &path, &json!([])).await;
    // What changes nothing leaves no record.
    probe.send("PUT", &path, &json!([])).await;
    probe.deactivate(&agent).await;
    let found = realtime(&probe, about(&agent)).await;
    assert_eq!(found.len(), 2);
    let (deactivated, cleared) = (&found[0], &found[1]);
    assert_eq!(cleared["serviceName"], "Routing");
    assert_eq!(cleared["client"]["id"], probe.simulator.client_id());
    assert_eq!(cleared["user"], Value::Null);
    assert_eq!(cleared["propertyChanges"][0]["oldValues"], json!(skills.keys().collect::<Vec<_>>()));
    assert_eq!(deactivated["serviceName"], "Directory");
    assert_eq!(deactivated["propertyChanges"][0]["newValues"], json!(["inactive"]));
    assert_eq!(probe.simulator.organisation(|org| org.audits()).len(), 2);
    probe.assert_no_violations();
}

#[tokio::test]
async fn a_change_by_an_administrator_names_them_and_what_they_added() {
    let (probe, agent) = agent().await;
    let version = probe.simulator.person(&agent).unwrap().version;
    let (administrator, queue) = put_into_queue(&probe, &agent);
    let reply = probe.send("POST", &format!("{REALTIME}?expand=user"), &about(&agent)).await;
    let record = &reply.body["entities"][0];
    assert_eq!((&record["action"], &record["serviceName"]), (&json!("MemberAdd"), &json!("Routing")));
    assert_eq!((&record["user"]["id"], &record["client"]), (&json!(administrator), &Value::Null));
    assert_eq!(record["user"]["name"], "Aaron Aardvark");
    assert_eq!(record["propertyChanges"][0]["newValues"], json!([format!("{queue} joined")]));
    assert_eq!(probe.simulator.person(&agent).unwrap().version, version + 1);
    let unnamed = realtime(&probe, about(&agent)).await;
    assert_eq!(unnamed[0]["user"].get("name"), None);
    probe.simulator.organisation(|org| org.edit(&agent, |person| person.tokens = 0));
    assert_eq!(realtime(&probe, about(&agent)).await.len(), 1);
}

#[tokio::test]
async fn a_deletion_is_recorded_as_one() {
    let (probe, agent) = agent().await;
    assert_eq!(probe.delete(&format!("/api/v2/users/{agent}")).await.status, 200);
    assert_eq!(realtime(&probe, about(&agent)).await[0]["action"], "Delete");
}

#[tokio::test]
async fn filters_narrow_by_entity_actor_action_type_and_service() {
    let (probe, agent) = agent().await;
    let (administrator, _) = put_into_queue(&probe, &agent);
    probe.deactivate(&agent).await;
    let client = probe.simulator.client_id().to_owned();
    let cases = [
        ("EntityId", agent.as_str(), 2),
        ("EntityId", administrator.as_str(), 0),
        ("UserId", administrator.as_str(), 1),
        ("ClientId", client.as_str(), 1),
        ("ClientId", administrator.as_str(), 0),
        ("Action", "MemberAdd", 1),
        ("EntityType", "USER", 2),
        ("TrusteeOrganizationId", "x", 0),
    ];
    for (property, value, expected) in cases {
        let query = json!({"interval": interval(7), "filters": [{"property": property, "value": value}]});
        assert_eq!(realtime(&probe, query).await.len(), expected, "{property} {value}");
    }
    assert_eq!(realtime(&probe, with(about(&agent), "serviceName", json!("Directory"))).await.len(), 1);
    let sort = json!([{"name": "Timestamp", "sortOrder": "ascending"}]);
    assert_eq!(realtime(&probe, with(about(&agent), "sort", sort)).await[0]["action"], "MemberAdd");
}

#[tokio::test]
async fn a_query_in_real_time_is_paged_and_reaches_back_fourteen_days() {
    let (probe, agent) = agent().await;
    for _ in 0..3 {
        put_into_queue(&probe, &agent);
    }
    let page = with(with(about(&agent), "pageSize", json!(2)), "pageNumber", json!(2));
    let last = probe.send("POST", REALTIME, &page).await.body;
    assert_eq!((last["entities"].as_array().unwrap().len(), &last["total"]), (1, &json!(3)));
    assert_eq!(last["pageCount"], 2);
    assert_eq!(probe.send("POST", REALTIME, &json!({"interval": interval(14)})).await.status, 200);
    let refused = [
        json!({}),
        json!({"interval": interval(15)}),
        json!({"interval": "today"}),
        with(about(&agent), "serviceName", json!("Unheard")),
        with(about(&agent), "pageSize", json!(501)),
        json!({"interval": interval(7), "filters": [{"property": "Name", "value": "x"}]}),
    ];
    for query in refused {
        assert_eq!(probe.send("POST", REALTIME, &query).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn records_appear_after_the_lag_of_audits_only() {
    let (probe, agent) = agent().await;
    probe.simulator.set_lag(Kind::Audits, Lag::For(Duration::from_secs(120)));
    probe.deactivate(&agent).await;
    put_into_queue(&probe, &agent);
    assert!(realtime(&probe, about(&agent)).await.is_empty());
    probe.simulator.advance(Duration::from_secs(121));
    assert_eq!(realtime(&probe, about(&agent)).await.len(), 2);
    probe.simulator.set_lag(Kind::Audits, Lag::Reads(1));
    put_into_queue(&probe, &agent);
    assert_eq!(realtime(&probe, about(&agent)).await.len(), 2);
    assert_eq!(realtime(&probe, about(&agent)).await.len(), 3);
}

#[tokio::test]
async fn a_transaction_is_polled_until_it_has_succeeded_and_then_gives_its_results() {
    let (probe, agent) = agent().await;
    probe.deactivate(&agent).await;
    let begun = probe.send("POST", QUERY, &about(&agent)).await;
    assert_eq!((begun.status, &begun.body["state"]), (202, &json!("Queued")));
    let path = format!("{QUERY}/{}", begun.body["id"].as_str().unwrap());
    assert_eq!(probe.get(&format!("{path}/results")).await.status, 400);
    let state = |reply: Reply| (reply.status, reply.body["state"].as_str().unwrap().to_owned());
    assert_eq!(state(probe.get(&path).await), (202, "Running".to_owned()));
    assert_eq!(state(probe.get(&path).await), (200, "Succeeded".to_owned()));
    assert_eq!(state(probe.get(&path).await), (200, "Succeeded".to_owned()));
    // What happens now belongs to no query that has succeeded.
    put_into_queue(&probe, &agent);
    let results = probe.get(&format!("{path}/results")).await;
    assert_eq!(results.ids().len(), 1);
    assert_eq!(results.body.get("cursor"), None);
    assert!(probe.simulator.changing().iter().all(|entry| !entry.request.path.contains("audits")));
    probe.assert_no_violations();
}

#[tokio::test]
async fn results_are_followed_by_their_cursor() {
    let (probe, agent) = agent().await;
    for _ in 0..30 {
        put_into_queue(&probe, &agent);
    }
    let begun = probe.send("POST", QUERY, &about(&agent)).await;
    let path = format!("{QUERY}/{}", begun.body["id"].as_str().unwrap());
    probe.get(&path).await;
    probe.get(&path).await;
    let first = probe.get(&format!("{path}/results?pageSize=25")).await;
    let cursor = first.body["cursor"].as_str().unwrap();
    let second = probe.get(&format!("{path}/results?cursor={cursor}")).await;
    assert_eq!((first.ids().len(), second.ids().len()), (25, 5));
    assert_eq!(second.body.get("cursor"), None);
    for bad in ["pageSize=24", "pageSize=501", "cursor=x"] {
        assert_eq!(probe.get(&format!("{path}/results?{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(probe.get(&format!("{QUERY}/unknown")).await.status, 404);
    assert_eq!(probe.get(&format!("{QUERY}/unknown/results")).await.status, 404);
    assert_eq!(probe.send("POST", QUERY, &json!({})).await.status, 400);
    let unheard = with(about(&agent), "serviceName", json!("Unheard"));
    assert_eq!(probe.send("POST", QUERY, &unheard).await.status, 400);
}

#[tokio::test]
async fn the_service_mappings_name_every_service_that_logs() {
    let probe = Probe::start().await;
    for path in ["/api/v2/audits/query/servicemapping", "/api/v2/audits/query/realtime/servicemapping"] {
        let mapping = probe.get(path).await;
        let names: Vec<&str> =
            mapping.body["services"].as_array().unwrap().iter().map(|s| text(s, "name")).collect();
        for name in ["Directory", "PeoplePermissions", "Routing", "Telephony"] {
            assert!(names.contains(&name), "{name}");
        }
    }
    probe.simulator.withhold_permission("audits:audit:view");
    assert_eq!(probe.send("POST", REALTIME, &about("x")).await.status, 403);
}
