//! Authentic deliveries that a person has to look at: stored as they came, held with a reason, never guessed at.

use serde_json::{Value, json};
use sqlx::Row;

use super::{RECEIVE, bamboo, date_in, events, offboardings, show, signed_for};
use crate::edge::Answer;
use crate::support::{HRIS_SECRET, Service, World, termination};

/// Delivers a body that must be held, and returns the offboarding.
async fn held(service: &Service, body: &[u8], reason: &str) -> Value {
    let shown = String::from_utf8_lossy(body);
    let (status, receipt) = service.deliver_bytes(body).await;
    assert_eq!((status, &receipt["status"]), (202, &json!("held")), "{shown}");
    let brief = &receipt["offboardings"][0];
    assert_eq!(receipt["offboardings"], json!([{"id": brief["id"], "status": "held"}]), "{shown}");
    let view = show(service, &brief["id"]).await;
    assert_eq!((&view["status"], &view["reason"]), (&json!("held"), &json!(reason)), "{shown}");
    assert_eq!(view["event_ids"], json!([receipt["event_id"]]), "{shown}");
    let (status, again) = service.deliver_bytes(body).await;
    assert_eq!((status, &again["status"]), (200, &json!("duplicate")), "{shown}");
    assert_eq!(again["offboardings"][0]["reason"], reason, "{shown}");
    view
}

#[tokio::test]
async fn a_body_that_cant_be_read_is_held_and_kept_byte_by_byte() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let bodies: [&[u8]; 8] = [
        b"not json",
        b"",
        b"{\"event\":\"worker.terminated\",\"email\":\"a@example.com\x00\"}",
        br#"{"event":"worker.terminated","email":"a@example.com\u0000"}"#,
        b"{\"event\":\"worker.terminated\",\"email\":\"\xff@example.com\"}",
        br#"{"event":"worker.terminated","email":"a@example.com","email":"b@example.com"}"#,
        br#"{"event":"worker.terminated","email":"a@example.com"}{}"#,
        br#"[{"event":"worker.terminated","email":"a@example.com"}]"#,
    ];
    for body in bodies {
        let view = held(&service, body, "unreadable").await;
        assert_eq!(view["person"], json!({"email": null, "external_id": null, "genesys_user_id": null}));
    }
    let rows = world.rows("select body, disposition from events order by received_at").await;
    let stored: Vec<Vec<u8>> = rows.iter().map(|row| row.get("body")).collect();
    assert_eq!(stored, bodies.map(<[u8]>::to_vec));
    assert!(rows.iter().all(|row| row.get::<String, _>("disposition") == "held"));
    assert_eq!(offboardings(&world).await, 8);
}

#[tokio::test]
async fn a_termination_that_leaves_a_question_open_is_held_and_says_which() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let event = |id: &str, rest: Value| {
        let mut event = json!({"event": "worker.terminated", "eventId": id});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        event.to_string()
    };
    let recent = date_in(-2);
    let cases = [
        ("nobody", json!({"terminationDate": recent}), "unreadable"),
        (
            "two",
            json!({"terminationDate": recent, "email": ["a@example.com", "b@example.com"]}),
            "unreadable",
        ),
        ("undated", json!({"email": "c@example.com"}), "effective_date_missing"),
        ("slashes", json!({"email": "d@example.com", "terminationDate": "06/07/2026"}), "unreadable"),
        ("old", json!({"email": "e@example.com", "terminationDate": date_in(-32)}), "stale_event"),
        ("ancient", json!({"email": "f@example.com", "terminationDate": "1999-12-31"}), "stale_event"),
    ];
    for (id, rest, reason) in cases {
        held(&service, event(id, rest).as_bytes(), reason).await;
    }
    // End of day: a date 30 days back is over less than 30 days ago.
    let in_time = event("in-time", json!({"email": "g@example.com", "terminationDate": date_in(-30)}));
    assert_eq!(service.deliver_bytes(in_time.as_bytes()).await.1["status"], "accepted");
    assert_eq!((events(&world).await, offboardings(&world).await), (7, 7));
}

#[tokio::test]
async fn a_thin_event_is_held_until_somebody_has_looked_it_up() {
    let world = World::new().await;
    let more = format!("[sources.bamboo]\nprofile = \"bamboohr-event-based\"\nsecrets = [\"{HRIS_SECRET}\"]");
    let service = world.serve(&more, RECEIVE);
    let thin = |kind: &str, id: &str, fields: Value| {
        json!({"type": kind, "timestamp": "2026-01-31T18:42:00+0000",
               "data": {"companyId": "12345", "employeeId": id, "changedFields": fields}})
        .to_string()
    };
    for body in [thin("employee.updated", "1", json!(["status"])), thin("employee.deleted", "2", json!([]))] {
        let answer = Answer::to(bamboo(&service, "bamboo", &body)).await;
        assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("held")), "{body}");
        let view = show(&service, &answer.json()["offboardings"][0]["id"]).await;
        assert_eq!((&view["status"], &view["reason"]), (&json!("held"), &json!("lookup_required")));
    }
    let renamed = thin("employee.updated", "1", json!(["firstName"]));
    assert_eq!(Answer::to(bamboo(&service, "bamboo", &renamed)).await.json()["status"], "ignored");
    assert_eq!(offboardings(&world).await, 2);
}

#[tokio::test]
async fn a_complete_event_answers_what_an_earlier_one_left_open() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let undated =
        json!({"event": "worker.terminated", "eventId": "e1", "workerId": "W1", "email": "a@example.com"});
    let view = held(&service, undated.to_string().as_bytes(), "effective_date_missing").await;
    let mut dated = undated;
    dated["eventId"] = json!("e2");
    dated["terminationDate"] = json!(date_in(-2));
    let answer = Answer::to(signed_for(&service, "workday", dated.to_string().as_bytes(), HRIS_SECRET)).await;
    let expected = json!({"status": "accepted", "event_id": "e2",
                          "offboardings": [{"id": view["id"], "status": "scheduled"}]});
    assert_eq!(answer.json(), expected);
    let view = show(&service, &view["id"]).await;
    assert_eq!((&view["reason"], &view["event_ids"]), (&Value::Null, &json!(["e1", "e2"])));
}

#[tokio::test]
async fn a_blank_names_nobody_and_spaces_around_a_name_are_none_of_it() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    for (number, (email, id)) in [(" ", "  "), ("\u{a0}", ""), ("", "\t")].into_iter().enumerate() {
        let (status, receipt) = service.deliver(&termination(&format!("e{number}"), id, email)).await;
        assert_eq!((status, &receipt["status"]), (202, &json!("held")), "{email:?} {id:?}: {receipt}");
        let view = show(&service, &receipt["offboardings"][0]["id"]).await;
        assert_eq!(view["reason"], "unreadable");
        assert_eq!((&view["person"]["email"], &view["person"]["external_id"]), (&Value::Null, &Value::Null));
    }
    let (_, receipt) = service.deliver(&termination("spaces", " W1 ", " sp@x.example\n")).await;
    let view = show(&service, &receipt["offboardings"][0]["id"]).await;
    assert_eq!(
        (&view["person"]["email"], &view["person"]["external_id"]),
        (&json!("sp@x.example"), &json!("W1"))
    );
    // Another event of the same person, by the same names without the spaces.
    let (_, again) = service.deliver(&termination("plain", "W1", "sp@x.example")).await;
    assert_eq!(again["offboardings"][0]["id"], receipt["offboardings"][0]["id"], "{again}");
}
