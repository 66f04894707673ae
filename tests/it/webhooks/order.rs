//! The sender's own order, from the body to the offboarding.

use serde_json::{Value, json};

use super::RECEIVE;
use crate::support::{Service, World, termination};

const JANE: &str = "jane@example.com";

fn at(mut body: Value, event: &str, key: &str, value: Value) -> Value {
    body["event"] = event.into();
    body[key] = value;
    body
}

async fn status_of(service: &Service, body: &Value) -> (String, Value) {
    let (code, answer) = service.deliver(body).await;
    assert!(code == 202 || code == 200, "{code} {answer}");
    (answer["status"].as_str().unwrap().to_owned(), answer["offboardings"][0].clone())
}

#[tokio::test]
async fn a_withdrawal_of_a_later_timestamp_is_remembered_until_its_termination_comes() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let body = |id| termination(id, "W1", JANE);
    let rescind =
        at(body("r"), "worker.termination_rescinded", "timestamp", json!("2026-05-02T10:00:00+0000"));
    let (word, offboarding) = status_of(&service, &rescind).await;
    assert_eq!((word.as_str(), offboarding), ("ignored", Value::Null));
    let terminate = at(body("t"), "worker.terminated", "timestamp", json!("2026-05-02T09:59:59Z"));
    let (word, offboarding) = status_of(&service, &terminate).await;
    assert_eq!((word.as_str(), &offboarding["status"]), ("accepted", &json!("cancelled")));
    let (word, known) = status_of(&service, &terminate).await;
    assert_eq!((word.as_str(), &known["reason"]), ("duplicate", &json!("rescinded")));
    // One that was said after the withdrawal counts.
    let again = at(body("t2"), "worker.terminated", "timestamp", json!("2026-05-02T10:00:01Z"));
    let (word, offboarding) = status_of(&service, &again).await;
    assert_eq!((word.as_str(), &offboarding["status"]), ("accepted", &json!("scheduled")));
}

#[tokio::test]
async fn a_source_can_say_where_its_count_stands() {
    let world = World::new().await;
    let more = "[sources.workday.map]\nsequence = \"/seq\"";
    let service = world.serve_edited("", RECEIVE, |text| {
        text.replace("[[operators]]\nname = \"alice\"", &format!("{more}\n[[operators]]\nname = \"alice\""))
    });
    let body = |id: &str, event, seq: Value| at(termination(id, "W1", JANE), event, "seq", seq);
    let second = body("b", "worker.termination_rescinded", json!(10));
    let (word, _) = status_of(&service, &second).await;
    assert_eq!(word, "ignored");
    // A count is compared as a number, also where it is sent as text.
    let (_, offboarding) = status_of(&service, &body("a", "worker.terminated", json!("9"))).await;
    assert_eq!(offboarding["status"], "cancelled");
    let (_, offboarding) = status_of(&service, &body("c", "worker.terminated", json!("11"))).await;
    assert_eq!(offboarding["status"], "scheduled");
}

#[tokio::test]
async fn what_contradicts_itself_is_answered_as_held() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let moment = json!("2026-05-02T10:00:00Z");
    let body = |id: &str, event| at(termination(id, "W1", JANE), event, "timestamp", moment.clone());
    status_of(&service, &body("t", "worker.terminated")).await;
    let (word, offboarding) = status_of(&service, &body("r", "worker.rehired")).await;
    assert_eq!((word.as_str(), &offboarding["status"]), ("held", &json!("held")));
}
