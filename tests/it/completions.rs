//! What is held because an event did not say whom, or when, is completed by an approver in one action.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ALICE, BOB, HRIS_SECRET, Service, World, client, leaver, signature, termination};

const THIN: &str = r#"
[worker]
poll = "100ms"
[sources.acme]
profile = "generic-worker-terminated"
secrets = ["a-secret-of-the-hris-0123456789"]
[[sources.acme.rules]]
when = [["event", "in", ["worker.changed"]]]
do = "lookup"
[[sources.acme.rules]]
when = [["event", "in", ["worker.terminated"]]]
do = "terminate"
"#;

async fn post(service: &Service, body: &Value) -> String {
    let body = body.to_string();
    let now = chrono::Utc::now().timestamp().unsigned_abs();
    let answer = client()
        .post(format!("{}/webhooks/acme", service.public))
        .header("x-timestamp", now.to_string())
        .header("x-signature", format!("sha256={}", signature(body.as_bytes(), HRIS_SECRET, now)))
        .body(body);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "held", "{answer}");
    answer["offboardings"][0]["id"].as_str().unwrap().to_owned()
}

fn thin(event_id: &str, worker_id: &str) -> Value {
    json!({"event": "worker.changed", "eventId": event_id, "workerId": worker_id})
}

async fn approve(service: &Service, id: &str, token: &str, body: &Value) -> (u16, Value) {
    let path = format!("{}/api/v1/offboardings/{id}/approve", service.admin);
    let answer = client().post(path).bearer_auth(token).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn until_done(service: &Service, id: &str) -> Value {
    for _ in 0..600 {
        let (_, view) = service.api(Method::GET, &format!("/api/v1/offboardings/{id}"), ALICE).await;
        match view["status"].as_str() {
            Some("scheduled") => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            _ => return view,
        }
    }
    panic!("{id} is still scheduled");
}

#[tokio::test]
async fn an_approver_says_whom_a_thin_event_is_about_and_it_is_carried_out() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve"]);
    for person in ["jane", "joe"] {
        let email = format!("{person}@example.com");
        world
            .simulator
            .organisation(|org| leaver_simulator::presets::fully_assigned_agent(org, person, &email, person));
    }
    let id = post(&service, &thin("e1", "W1")).await;
    let jane = json!({"email": "Jane@Example.com", "at": "2026-01-31"});
    assert_eq!(approve(&service, &id, ALICE, &jane).await.0, 403, "an operator is no approver");
    for (wrong, status) in [
        (json!({"email": "jane"}), 400),
        (json!({"email": "j\u{e4}ne@example.com"}), 400),
        (json!({"email": ""}), 400),
        (json!({"at": "31.01.2026"}), 400),
        (json!({"person": "jane@example.com"}), 400),
    ] {
        let (found, problem) = approve(&service, &id, BOB, &wrong).await;
        assert_eq!(found, status, "{wrong}: {problem}");
    }
    assert_eq!(approve(&service, &id, BOB, &jane).await.0, 200);
    let view = until_done(&service, &id).await;
    assert_eq!((&view["status"], &view["outcome"]), (&json!("done"), &json!("offboarded")), "{view:#}");
    assert_eq!(view["effective_at"], "2026-02-01T00:00:00Z");
    let given: Vec<_> =
        view["journal"].as_array().unwrap().iter().filter(|e| e["action"] == "facts_given").collect();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0]["actor"], "operator:bob");
    assert_eq!(given[0]["result"], "the address and the moment 2026-02-01T00:00:00+00:00");

    let id = post(&service, &thin("e2", "W2")).await;
    let config = world.config(THIN);
    let output = leaver(&config)
        .args(["approve", &id, "--email", "joe@example.com"])
        .env("USER", "carol")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(until_done(&service, &id).await["outcome"], "offboarded");
    let two = leaver(&config).args(["approve", &id, &id, "--email", "joe@example.com"]).output().unwrap();
    assert_eq!(two.status.code(), Some(2));
}

#[tokio::test]
async fn facts_are_for_what_lacks_them_and_for_nobody_who_is_open_already() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve", "--no-worker"]);
    let id = post(&service, &thin("e1", "W1")).await;
    let (_, other) = service.deliver(&termination("t1", "W9", "jane@example.com")).await;
    let (status, problem) = approve(&service, &id, BOB, &json!({"email": "JANE@example.com"})).await;
    assert_eq!(status, 409);
    let open = other["offboardings"][0]["id"].as_str().unwrap();
    assert!(problem.to_string().contains(open), "{problem}");
    world.sql("update offboardings set status = 'held', reason = 'brake' where external_id = 'W9'").await;
    let (status, _) = approve(&service, open, BOB, &json!({"email": "joe@example.com"})).await;
    assert_eq!(status, 409, "an approval from the brake changes nobody's name");
    let (_, view) = service.api(Method::GET, &format!("/api/v1/offboardings/{open}"), ALICE).await;
    assert_eq!((&view["status"], &view["person"]["email"]), (&json!("held"), &json!("jane@example.com")));
    let unread = json!({"event": "worker.terminated", "eventId": "e2", "email": "ann@example.com", "terminationDate": "06/07/2026"});
    let unread = post(&service, &unread).await;
    assert_eq!(approve(&service, &unread, BOB, &json!({})).await.0, 409, "a date that nobody read");
    assert_eq!(approve(&service, &unread, BOB, &json!({"at": "2026-07-06"})).await.0, 200);
    let nobody = post(&service, &json!({"event": "worker.changed", "eventId": "e3"})).await;
    assert_eq!(approve(&service, &nobody, BOB, &json!({})).await.0, 409, "it says nobody");
    assert_eq!(approve(&service, &nobody, BOB, &json!({"email": "joe@example.com"})).await.0, 200);
}

#[tokio::test]
async fn a_case_is_completed_and_not_turned_into_somebody_elses() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve", "--no-worker"]);
    let named =
        json!({"event": "worker.changed", "eventId": "e1", "workerId": "W1", "email": "jane@example.com"});
    let id = post(&service, &named).await;
    let (status, problem) = approve(&service, &id, BOB, &json!({"email": "ann@example.com"})).await;
    assert_eq!(status, 409, "{problem}");
    let (_, view) = service.api(Method::GET, &format!("/api/v1/offboardings/{id}"), ALICE).await;
    assert_eq!((&view["status"], &view["person"]["email"]), (&json!("held"), &json!("jane@example.com")));
    // Who completed it has asked for it: what it is held for next is somebody else's to release.
    let id = post(&service, &thin("e2", "W2")).await;
    assert_eq!(approve(&service, &id, BOB, &json!({"email": "joe@example.com"})).await.0, 200);
    world.sql("update offboardings set status = 'held', reason = 'protected' where external_id = 'W2'").await;
    assert_eq!(approve(&service, &id, BOB, &json!({})).await.0, 403);
    let by_another =
        leaver(&world.config(THIN)).args(["approve", &id]).env("USER", "carol").output().unwrap();
    assert!(by_another.status.success(), "{}", String::from_utf8_lossy(&by_another.stderr));
}

/// Whoever does what the hold says gets on.
#[tokio::test]
async fn a_date_that_nobody_read_is_asked_for_and_nothing_else_is() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve", "--no-worker"]);
    let config = world.config(THIN);
    let known = json!({"event": "worker.terminated", "eventId": "e1", "email": "Ann@example.com", "terminationDate": "06/07/2026"});
    let id = post(&service, &known).await;
    let call = async |more: &[&str]| crate::commands::run(&config, &[&["approve", &id], more].concat()).await;
    let plain = call(&[]).await;
    plain.failed(1, &["held for unreadable", "when it takes effect", "--at"]);
    assert!(!plain.err.contains("--email"), "{plain:?}");
    let same = ["--email", "ann@EXAMPLE.com"];
    call(&same).await.failed(1, &["when it takes effect", "--at"]);
    call(&["--email", "joe@example.com", "--at", "2026-07-06"]).await.failed(1, &["another address"]);
    let (status, problem) = approve(&service, &id, BOB, &json!({})).await;
    assert_eq!(status, 409);
    assert_eq!(
        problem["title"],
        "the offboarding is held for unreadable: an approver has to say when it takes effect (at)"
    );
    call(&[&same[..], &["--at", "2026-07-06"]].concat()).await.done();
    let (_, view) = service.api(Method::GET, &format!("/api/v1/offboardings/{id}"), ALICE).await;
    assert_eq!(
        (&view["status"], &view["effective_at"]),
        (&json!("scheduled"), &json!("2026-07-07T00:00:00Z"))
    );
    assert_eq!(view["person"]["email"], "Ann@example.com");
    let said = |action: &str| {
        let mut entries = view["journal"].as_array().unwrap().iter();
        entries.find(|entry| entry["action"] == action).unwrap()["result"].clone()
    };
    assert_eq!(said("approved"), "unreadable", "as what it was held: {view:#}");
    assert_eq!(said("facts_given"), "the moment 2026-07-07T00:00:00+00:00");
    let nobody = post(&service, &json!({"event": "worker.terminated", "eventId": "e2"})).await;
    let (_, problem) = approve(&service, &nobody, BOB, &json!({"at": "2026-07-06"})).await;
    assert_eq!(
        problem["title"],
        "the offboarding is held for unreadable: an approver has to say whom it is about (email)"
    );
}

#[tokio::test]
async fn the_event_says_what_of_it_could_not_be_understood() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve", "--no-worker"]);
    let dated = json!({"event": "worker.terminated", "eventId": "e1", "email": "ann@example.com", "terminationDate": "06/07/2026"});
    post(&service, &dated).await;
    post(&service, &json!({"event": "worker.terminated", "eventId": "e2"})).await;
    for (id, why) in [("e1", "effective_unreadable"), ("e2", "names_nobody")] {
        let (_, event) = service.api(Method::GET, &format!("/api/v1/events/{id}"), ALICE).await;
        assert_eq!((&event["disposition"], &event["unreadable"]), (&json!("held"), &json!(why)));
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_in_a_sentence() {
    let world = World::new().await;
    let service = world.serve(THIN, &["serve", "--no-worker"]);
    let (_, receipt) = service.deliver(&termination("t1", "W9", "jane@example.com")).await;
    let id = receipt["offboardings"][0]["id"].as_str().unwrap();
    let decide = async |verb: &str| {
        let path = format!("/api/v1/offboardings/{id}/{verb}");
        let (status, problem) = service.api(Method::POST, &path, BOB).await;
        assert_eq!(status, 409, "{verb}: {problem}");
        problem["title"].as_str().unwrap().to_owned()
    };
    assert_eq!(decide("approve").await, "the offboarding is scheduled, which does not allow this");
    world.sql("update offboardings set status = 'held', reason = 'ambiguous_person'").await;
    assert_eq!(
        decide("approve").await,
        "the offboarding is held for ambiguous_person: who is meant can't be approved; mend it where the people are kept and retry, or cancel"
    );
    world.sql("update offboardings set reason = 'lookup_required'").await;
    assert_eq!(
        decide("retry").await,
        "the offboarding is held for lookup_required, which an approver has to release"
    );
    world.sql("update offboardings set status = 'failed', reason = 'attempts_exhausted'").await;
    assert_eq!(
        decide("restore").await,
        "there is nothing to restore: nothing was changed, or everything has been put back"
    );
}
