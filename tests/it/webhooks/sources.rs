//! Sources are data: several keys, own headers and fields, several people in one delivery.

use serde_json::{Value, json};
use sqlx::Row;

use super::{RECEIVE, bamboo, date_in, events, offboardings, show, signed_for};
use crate::edge::Answer;
use crate::support::{HRIS_SECRET, World, signed, termination};

const OLD: &str = "the-old-secret-of-acme-0123456789";
const NEW: &str = "the-new-secret-of-acme-0123456789";

#[tokio::test]
async fn both_keys_are_good_while_one_replaces_the_other() {
    let world = World::new().await;
    let more =
        format!("[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{NEW}\", \"{OLD}\"]");
    let service = world.serve(&more, RECEIVE);
    let deliver = |event: &str, secret: &'static str| {
        let body = termination(event, event, &format!("{event}@example.com")).to_string();
        Answer::to(signed_for(&service, "acme", body.as_bytes(), secret))
    };
    assert_eq!(deliver("e1", OLD).await.status, 202);
    assert_eq!(deliver("e2", NEW).await.status, 202);
    assert_eq!(deliver("e1", NEW).await.status, 200, "the same event, signed anew");
    deliver("e3", HRIS_SECRET).await.is_problem(401, "unauthenticated");
    let rows = world.rows("select key_index from events order by event_id").await;
    let keys: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(keys, [1, 0], "an operator can see when the old key is no longer used");
}

#[tokio::test]
async fn a_source_may_sign_and_name_its_fields_in_its_own_way() {
    let world = World::new().await;
    let more = format!(
        "[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{NEW}\"]\n\
         [sources.acme.auth]\nsignature_header = \"X-Acme-Signature\"\n\
         [sources.acme.map]\nemail = \"/worker/workEmail\""
    );
    let service = world.serve(&more, RECEIVE);
    let body = json!({"event": "worker.terminated", "eventId": "a1", "email": "wrong@example.com",
                      "worker": {"workEmail": "right@example.com"}, "terminationDate": date_in(-2)})
    .to_string();
    let request = signed_for(&service, "acme", body.as_bytes(), NEW);
    let signature = request.try_clone().unwrap().build().unwrap().headers()["x-signature"].clone();
    Answer::to(request.try_clone().unwrap()).await.is_problem(401, "unauthenticated");
    let answer = Answer::to(request.header("x-acme-signature", signature)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let view = show(&service, &answer.json()["offboardings"][0]["id"]).await;
    assert_eq!((&view["person"]["email"], &view["source"]), (&json!("right@example.com"), &json!("acme")));
    // The same event id at another source is another event.
    let elsewhere = termination("a1", "W9", "other@example.com").to_string();
    assert_eq!(Answer::to(signed(&service.public, elsewhere.as_bytes(), HRIS_SECRET)).await.status, 202);
}

#[tokio::test]
async fn a_sender_to_which_a_4xx_is_final_is_told_to_come_back() {
    let world = World::new().await;
    let more = format!(
        "[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{NEW}\"]\nauth_failure_status = 503"
    );
    let service = world.serve(&more, RECEIVE);
    let body = termination("e1", "W1", "jane@example.com").to_string();
    Answer::to(signed_for(&service, "acme", body.as_bytes(), OLD)).await.is_problem(503, "unauthenticated");
    assert_eq!(events(&world).await, 0);
    assert_eq!(Answer::to(signed_for(&service, "acme", body.as_bytes(), NEW)).await.status, 202);
}

fn employee(id: &str, status: &str, email: &str, date: &str, at: &str) -> Value {
    json!({"id": id, "action": "Updated", "timestamp": at, "changedFields": ["Status"],
           "fields": {"Status": {"value": status}, "Work Email": {"value": email}, "Termination Date": {"value": date}}})
}

#[tokio::test]
async fn several_people_of_one_delivery_are_stored_in_one_transaction() {
    let world = World::new().await;
    let more = format!("[sources.bamboo]\nprofile = \"bamboohr-field-based\"\nsecrets = [\"{HRIS_SECRET}\"]");
    let service = world.serve(&more, RECEIVE);
    let leaving = date_in(3);
    let employees = json!({"employees": [
        employee("5", "Inactive", "ashley@example.com", &leaving, "2026-01-31T18:42:00+00:00"),
        employee("6", "Inactive", "christina@example.com", &leaving, "2026-01-31T18:42:00+00:00"),
    ]});
    let answer = Answer::to(bamboo(&service, "bamboo", &employees.to_string())).await;
    let receipt = answer.json();
    assert_eq!((answer.status, &receipt["status"]), (202, &json!("accepted")), "{receipt}");
    let ids = [&receipt["offboardings"][0]["id"], &receipt["offboardings"][1]["id"]];
    assert_eq!(show(&service, ids[0]).await["person"]["external_id"], "5");
    assert_eq!(show(&service, ids[1]).await["person"]["email"], "christina@example.com");
    assert_eq!((events(&world).await, offboardings(&world).await), (2, 2));
    assert_eq!(world.number("select count(distinct xmin::text) from events").await, 1);

    let corrected = json!({"employees": [
        employee("6", "Active", "christina@example.com", "", "2026-02-01T08:00:00+00:00"),
        employee("7", "Inactive", "omar@example.com", &leaving, "2026-02-01T08:00:00+00:00"),
    ]});
    let answer = Answer::to(bamboo(&service, "bamboo", &corrected.to_string())).await;
    let receipt = answer.json();
    assert_eq!((answer.status, &receipt["status"]), (202, &json!("accepted")), "{receipt}");
    let cancelled = json!({"id": ids[1], "status": "cancelled"});
    let opened = json!({"id": receipt["offboardings"][1]["id"], "status": "scheduled"});
    assert_eq!(receipt["offboardings"], json!([cancelled, opened]));
    let christina = show(&service, ids[1]).await;
    assert_eq!((&christina["status"], &christina["reason"]), (&json!("cancelled"), &json!("rescinded")));
    assert_eq!(show(&service, ids[0]).await["status"], "scheduled", "nobody else is touched");
    assert_eq!((events(&world).await, offboardings(&world).await), (4, 3));
}

#[tokio::test]
async fn nothing_of_a_delivery_is_stored_if_a_part_of_it_is_refused() {
    let world = World::new().await;
    let more = format!(
        "[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{NEW}\"]\n\
         [sources.acme.map]\nitems = \"/people\""
    );
    let service = world.serve(&more, RECEIVE);
    let deliver = |people: Value| {
        let body = json!({ "people": people }).to_string();
        Answer::to(signed_for(&service, "acme", body.as_bytes(), NEW))
    };
    assert_eq!(deliver(json!([termination("e2", "W2", "b@example.com")])).await.status, 202);
    let reused = json!([termination("e1", "W1", "a@example.com"), termination("e2", "W3", "c@example.com")]);
    deliver(reused).await.is_problem(409, "event-id-reused");
    assert_eq!((events(&world).await, offboardings(&world).await), (1, 1));
    let mended = json!([termination("e1", "W1", "a@example.com"), termination("e2", "W2", "b@example.com")]);
    let answer = deliver(mended).await;
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("accepted")));
    assert_eq!(answer.json()["offboardings"].as_array().unwrap().len(), 2);
    assert_eq!((events(&world).await, offboardings(&world).await), (2, 2));
}
