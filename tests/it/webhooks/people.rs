//! One open offboarding per person: later events join it, move it or take it back.

use serde_json::{Value, json};

use super::{RECEIVE, date_in, events, offboardings, show};
use crate::support::{World, termination};

fn dated(event: &str, worker: &str, email: &str, date: &str) -> Value {
    let mut body = termination(event, worker, email);
    body["terminationDate"] = json!(date);
    body
}

#[tokio::test]
async fn a_future_date_waits_until_its_day_is_over() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let (_, receipt) = service.deliver(&dated("e1", "W1", "jane@example.com", &date_in(9))).await;
    assert_eq!(receipt["offboardings"][0]["status"], "scheduled");
    let view = show(&service, &receipt["offboardings"][0]["id"]).await;
    let expected = format!("{}T00:00:00Z", date_in(10));
    assert_eq!((&view["effective_at"], &view["next_attempt_at"]), (&json!(expected), &json!(expected)));
    assert_eq!(world.engine().step().await.unwrap(), 0, "nobody works on it before");
    assert_eq!(world.simulator.journal().len(), 0);

    let mut moment = dated("e2", "W2", "john@example.com", "");
    moment["terminationDate"] = json!(format!("{}T17:00:00+02:00", date_in(9)));
    let (_, receipt) = service.deliver(&moment).await;
    let view = show(&service, &receipt["offboardings"][0]["id"]).await;
    assert_eq!(view["effective_at"], format!("{}T15:00:00Z", date_in(9)), "a moment is taken as it is");
}

#[tokio::test]
async fn a_second_event_about_a_person_joins_the_open_offboarding() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let (_, first) = service.deliver(&dated("e1", "W1", "jane@example.com", &date_in(3))).await;
    let by_address = dated("e2", "W1", "Jane@Example.com", &date_in(3));
    let (status, second) = service.deliver(&by_address).await;
    assert_eq!((status, &second["status"]), (202, &json!("accepted")));
    assert_eq!(second["offboardings"], first["offboardings"]);
    let mut by_id = dated("e3", "W1", "", &date_in(3));
    by_id.as_object_mut().unwrap().remove("email");
    assert_eq!(service.deliver(&by_id).await.1["offboardings"], first["offboardings"]);
    let view = show(&service, &first["offboardings"][0]["id"]).await;
    assert_eq!(view["event_ids"], json!(["e1", "e2", "e3"]));
    let accepted = view["journal"].as_array().unwrap().iter().filter(|e| e["action"] == "event_accepted");
    let targets: Vec<_> = accepted.map(|e| (e["actor"].clone(), e["target"].clone())).collect();
    let actor = json!("hris:workday");
    assert_eq!(targets, ["e1", "e2", "e3"].map(|target| (actor.clone(), json!(target))));
    assert_eq!((events(&world).await, offboardings(&world).await), (3, 1));
}

#[tokio::test]
async fn a_corrected_date_moves_the_offboarding_both_ways() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let mut id = Value::Null;
    for (event, days) in [("e1", 3), ("e2", 20), ("e3", 1)] {
        let (_, receipt) = service.deliver(&dated(event, "W1", "jane@example.com", &date_in(days))).await;
        id = receipt["offboardings"][0]["id"].clone();
        let view = show(&service, &id).await;
        let expected = json!(format!("{}T00:00:00Z", date_in(days + 1)));
        assert_eq!((&view["effective_at"], &view["next_attempt_at"]), (&expected, &expected), "{event}");
    }
    // A redelivery of an older date is a duplicate and moves nothing.
    let (status, _) = service.deliver(&dated("e2", "W1", "jane@example.com", &date_in(20))).await;
    assert_eq!(status, 200);
    let expected = format!("{}T00:00:00Z", date_in(2));
    assert_eq!(show(&service, &id).await["effective_at"], expected);
}

#[tokio::test]
async fn a_rescinded_termination_is_cancelled_before_anything_is_changed() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let (_, first) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    let id = &first["offboardings"][0]["id"];
    let mut rescinded = termination("e2", "W1", "jane@example.com");
    rescinded["event"] = json!("worker.termination_rescinded");
    let (status, receipt) = service.deliver(&rescinded).await;
    assert_eq!((status, &receipt["status"]), (202, &json!("accepted")));
    assert_eq!(receipt["offboardings"], json!([{"id": id, "status": "cancelled"}]));
    let view = show(&service, id).await;
    assert_eq!((&view["status"], &view["reason"]), (&json!("cancelled"), &json!("rescinded")));
    assert!(view["completed_at"].is_string() && view["next_attempt_at"].is_null(), "{view}");
    assert_eq!(view["event_ids"], json!(["e1", "e2"]));
    assert_eq!(world.engine().step().await.unwrap(), 0);
    assert_eq!(world.simulator.journal().len(), 0);
    let (_, anew) = service.deliver(&termination("e3", "W1", "jane@example.com")).await;
    assert_eq!(anew["offboardings"][0]["status"], "scheduled");
    assert_ne!(&anew["offboardings"][0]["id"], id, "a later termination is a new offboarding");
}

#[tokio::test]
async fn an_event_with_address_and_id_speaks_of_what_was_opened_for_either_alone() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let only = |event: &str, without: &str| {
        let mut body = dated(event, "W1", "jane@example.com", &date_in(3));
        body.as_object_mut().unwrap().remove(without);
        body
    };
    let mut ids = Vec::new();
    for body in [only("e1", "workerId"), only("e2", "email")] {
        ids.push(service.deliver(&body).await.1["offboardings"][0]["id"].clone());
    }
    let (status, receipt) = service.deliver(&dated("e3", "W1", "jane@example.com", &date_in(5))).await;
    assert_eq!((status, &receipt["offboardings"][0]["id"]), (202, &ids[0]), "{receipt}");
    for id in &ids {
        let moved = format!("{}T00:00:00Z", date_in(6));
        assert_eq!(show(&service, id).await["effective_at"], moved);
    }
    let mut rescinded = dated("e4", "W1", "jane@example.com", &date_in(5));
    rescinded["event"] = json!("worker.termination_rescinded");
    assert_eq!(service.deliver(&rescinded).await.0, 202);
    for id in &ids {
        let view = show(&service, id).await;
        assert_eq!((&view["status"], &view["reason"]), (&json!("cancelled"), &json!("rescinded")));
    }
    assert_eq!(offboardings(&world).await, 2);
}
