//! Webhooks against the real service: what is answered, and what is stored before it is answered.

mod held;
mod order;
mod outage;
mod people;
mod refused;
mod sources;
mod storm;

use hmac::{Hmac, KeyInit, Mac};
use leaver::offboarding::{Outcome, Status};
use leaver_simulator::presets;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::Row;

use crate::edge::Answer;
use crate::support::{ALICE, HRIS_SECRET, Service, World, client, signed, signed_for, termination};

/// Receives, and leaves the offboardings as they are stored.
const RECEIVE: &[&str] = &["serve", "--no-worker"];

/// A delivery signed as BambooHR does it: over the body followed by the time-stamp, without anything between.
fn bamboo(service: &Service, source: &str, body: &str) -> reqwest::RequestBuilder {
    let timestamp = chrono::Utc::now().timestamp().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(HRIS_SECRET.as_bytes()).expect("any length is a key");
    mac.update(body.as_bytes());
    mac.update(timestamp.as_bytes());
    client()
        .post(format!("{}/webhooks/{source}", service.public))
        .header("content-type", "application/json")
        .header("x-bamboohr-timestamp", timestamp)
        .header("x-bamboohr-signature", hex::encode(mac.finalize().into_bytes()))
        .body(body.to_owned())
}

async fn show(service: &Service, id: &Value) -> Value {
    let path = format!("/api/v1/offboardings/{}", id.as_str().expect("an id"));
    let (status, view) = service.api(Method::GET, &path, ALICE).await;
    assert_eq!(status, 200, "{view}");
    view
}

async fn events(world: &World) -> i64 {
    world.number("select count(*) from events").await
}

async fn offboardings(world: &World) -> i64 {
    world.number("select count(*) from offboardings").await
}

fn date_in(days: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn a_first_delivery_is_accepted_and_its_bytes_are_stored() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    // Spaces, order and an unknown member are the sender's own and must survive.
    let body = format!(
        "{{ \"zeta\": 1.50,\n \"eventId\":\"e1\",\"event\":\"worker.terminated\",\"email\":\"jane@example.com\",\
         \"terminationDate\":\"{}\"}}",
        date_in(-2)
    );
    let answer = Answer::to(signed(&service.public, body.as_bytes(), HRIS_SECRET)).await;
    assert_eq!((answer.status, answer.header("content-type")), (202, Some("application/json")));
    let receipt = answer.json();
    let id = receipt["offboardings"][0]["id"].clone();
    let offboarding = json!({"id": id, "status": "scheduled"});
    assert_eq!(receipt, json!({"status": "accepted", "event_id": "e1", "offboardings": [offboarding]}));
    let view = show(&service, &id).await;
    assert_eq!(view["person"]["email"], "jane@example.com");
    assert_eq!((&view["source"], &view["event_ids"]), (&json!("workday"), &json!(["e1"])));
    let rows = world.rows("select body, disposition, key_index from events").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<Vec<u8>, _>("body"), body.as_bytes());
    assert_eq!(rows[0].get::<String, _>("disposition"), "accepted");
    assert_eq!(world.simulator.journal().len(), 0, "a webhook records and calls nobody");
}

#[tokio::test]
async fn a_redelivery_is_answered_with_how_things_stand_now() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    let service = world.serve("", RECEIVE);
    let (jane, john) =
        (termination("e1", "W1", "jane@example.com"), termination("e2", "W2", "john@example.com"));
    let (_, first) = service.deliver(&jane).await;
    let jane_id = first["offboardings"][0]["id"].clone();
    let again = |receipt: &Value, status: &str, outcome: Value, reason: Value| {
        let brief = json!({"id": receipt["offboardings"][0]["id"], "status": status, "outcome": outcome, "reason": reason});
        json!({"status": "duplicate", "event_id": receipt["event_id"], "offboardings": [brief]})
    };
    let scheduled = again(&first, "scheduled", Value::Null, Value::Null);
    assert_eq!(service.deliver(&jane).await, (200, scheduled));

    let id = jane_id.as_str().unwrap().parse().map(leaver::offboarding::OffboardingId).unwrap();
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    let done = again(&first, "done", json!("offboarded"), Value::Null);
    assert_eq!(service.deliver(&jane).await, (200, done));

    let (_, second) = service.deliver(&john).await;
    let path = format!("/api/v1/offboardings/{}/cancel", second["offboardings"][0]["id"].as_str().unwrap());
    assert_eq!(service.api(Method::POST, &path, ALICE).await.0, 200);
    let cancelled = again(&second, "cancelled", Value::Null, json!("cancelled_by_operator"));
    assert_eq!(service.deliver(&john).await, (200, cancelled));
    assert_eq!((events(&world).await, offboardings(&world).await), (2, 2));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_event_that_asks_for_nothing_is_stored_and_ignored() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let hired = json!({"event": "worker.hired", "eventId": "h1", "email": "new@example.com"});
    let ignored = json!({"status": "ignored", "event_id": "h1", "offboardings": []});
    assert_eq!(service.deliver(&hired).await, (202, ignored));
    let duplicate = json!({"status": "duplicate", "event_id": "h1", "offboardings": []});
    assert_eq!(service.deliver(&hired).await, (200, duplicate));
    let other_case = json!({"event": "Worker.Terminated", "eventId": "h2", "email": "new@example.com"});
    assert_eq!(service.deliver(&other_case).await.1["status"], "ignored");
    let unknown_rescind = json!({"event": "worker.rehired", "eventId": "h3", "email": "new@example.com"});
    let (status, receipt) = service.deliver(&unknown_rescind).await;
    assert_eq!((status, &receipt["offboardings"]), (202, &json!([])));
    assert_eq!((events(&world).await, offboardings(&world).await), (3, 0));
}
