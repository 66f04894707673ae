//! The switch as operators see it: API, commands, lists, metric, readiness, and the record.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;

use crate::approvals::post;
use crate::commands::run;
use crate::edge::{Answer, ready};
use crate::support::{ALICE, BOB, Service, World, client, termination};

const VIEWER: &str = "[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"vera-token-0123456789\"\n";
const VERA: &str = "vera-token-0123456789";

const WHY: &str = "queues look wrong";

async fn serve(world: &World) -> Service {
    let service = world.serve(VIEWER, &["serve", "--no-worker"]);
    ready(&service).await;
    service
}

/// What is written down about the service as a whole.
async fn record(world: &World) -> Vec<(String, String, Option<String>)> {
    let rows =
        world.rows("select actor, action, result from journal where offboarding_id is null order by seq");
    rows.await.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn entry(actor: &str, action: &str, result: Option<&str>) -> (String, String, Option<String>) {
    (actor.to_owned(), action.to_owned(), result.map(str::to_owned))
}

async fn pause(service: &Service, token: &str, reason: &str) -> Value {
    let answer = post(service, "/pause", token, &json!({ "reason": reason })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn the_first_pause_stays_until_another_reason_is_given_and_both_ends_are_recorded_once() {
    let world = World::new().await;
    let service = serve(&world).await;
    let (status, untouched) = service.api(Method::GET, "/api/v1/pause", VERA).await;
    let nothing = json!({ "paused": false, "by": null, "reason": null, "since": null, "calls_under_way": 0 });
    assert_eq!((status, untouched), (200, nothing));
    let first = pause(&service, ALICE, WHY).await;
    assert_eq!(
        (&first["paused"], &first["by"], &first["reason"]),
        (&json!(true), &json!("operator:alice"), &json!(WHY))
    );
    assert_eq!(pause(&service, BOB, WHY).await, first, "the first who said so");
    let second = pause(&service, BOB, " another reason ").await;
    assert_eq!((&second["by"], &second["reason"]), (&json!("operator:bob"), &json!("another reason")));
    assert_eq!(second["since"], first["since"], "it has been paused since the first");
    assert_eq!(service.api(Method::GET, "/api/v1/pause", VERA).await, (200, second));
    for _ in 0..2 {
        let answer = post(&service, "/resume", ALICE, &Value::Null).await.json();
        assert_eq!(
            (&answer["paused"], &answer["by"], &answer["reason"]),
            (&json!(false), &json!("operator:alice"), &Value::Null)
        );
    }
    assert_eq!(
        record(&world).await,
        [
            entry("operator:alice", "paused", Some(WHY)),
            entry("operator:bob", "paused", Some("another reason")),
            entry("operator:alice", "resumed", None),
        ]
    );
}

#[tokio::test]
async fn who_may_not_and_what_is_no_reason_is_refused_and_nothing_is_paused() {
    let world = World::new().await;
    let service = serve(&world).await;
    let reason = json!({ "reason": WHY });
    post(&service, "/pause", VERA, &reason).await.is_problem(403, "role-needed");
    post(&service, "/resume", VERA, &Value::Null).await.is_problem(403, "role-needed");
    post(&service, "/pause", "nobody's", &reason).await.is_problem(401, "token-needed");
    for (body, kind) in [
        (json!({}), "bad-body"),
        (json!({ "reason": WHY, "until": "later" }), "bad-body"),
        (json!({ "reason": 1 }), "bad-body"),
        (json!({ "reason": "  " }), "bad-field"),
        (json!({ "reason": "two\nlines" }), "bad-field"),
        (json!({ "reason": "bell\u{7}" }), "bad-field"),
        (json!({ "reason": "x".repeat(501) }), "bad-field"),
    ] {
        post(&service, "/pause", ALICE, &body).await.is_problem(400, kind);
    }
    for (method, path) in [(Method::DELETE, "pause"), (Method::GET, "resume"), (Method::PUT, "resume")] {
        let request = client().request(method, format!("{}/api/v1/{path}", service.admin)).bearer_auth(ALICE);
        Answer::to(request).await.is_problem(405, "method-not-allowed");
    }
    assert!(!world.store.pause_state().await.unwrap().paused && record(&world).await.is_empty());
}

#[tokio::test]
async fn every_answer_about_an_offboarding_says_that_the_service_is_paused() {
    let world = World::new().await;
    let service = serve(&world).await;
    assert_eq!(service.metric("leaver_paused").await, Some(0.0));
    pause(&service, ALICE, WHY).await;
    let (status, delivered) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    assert_eq!((status, &delivered["status"]), (202, &json!("accepted")));
    let id = delivered["offboardings"][0]["id"].as_str().unwrap().to_owned();
    let mut answers = vec![
        service.api(Method::GET, "/api/v1/offboardings", VERA).await.1,
        service.api(Method::GET, &format!("/api/v1/offboardings/{id}"), VERA).await.1,
        service.api(Method::POST, &format!("/api/v1/offboardings/{id}/retry"), ALICE).await.1,
        service.api(Method::POST, &format!("/api/v1/offboardings/{id}/cancel"), ALICE).await.1,
    ];
    let own = json!({ "person": "tom@example.com", "reason": "left" });
    answers.push(post(&service, "/offboardings", ALICE, &own).await.json());
    for answer in &answers {
        let paused = &answer["paused"];
        assert_eq!((&paused["by"], &paused["reason"]), (&json!("operator:alice"), &json!(WHY)), "{answer}");
        assert!(paused["since"].is_string(), "{answer}");
    }
    assert_eq!(service.metric("leaver_paused").await, Some(1.0));
    let probe = Answer::get(format!("{}/readyz", service.public)).await;
    assert_eq!(probe.status, 200, "what is received is stored: {}", probe.text());
    post(&service, "/resume", ALICE, &Value::Null).await;
    let (_, list) = service.api(Method::GET, "/api/v1/offboardings", VERA).await;
    assert!(list.get("paused").is_none() && list["items"].as_array().unwrap().len() == 2, "{list}");
    assert_eq!(service.metric("leaver_paused").await, Some(0.0));
    assert!(!std::fs::read_to_string(&service.log).unwrap().contains(WHY), "a reason is in no log");
}

#[tokio::test]
async fn the_commands_pause_and_resume_and_lists_begin_with_it() {
    let world = World::new().await;
    let config = world.config("");
    let id = world.terminate("jane@example.com").await.to_string();
    run(&config, &["pause"]).await.failed(2, &["--reason"]);
    run(&config, &["pause", "--reason", " "]).await.failed(2, &["reason: is empty"]);
    let paused = run(&config, &["pause", "--reason", WHY]).await;
    let out = &paused.done().out;
    assert!(
        out.contains("PAUSED") && out.contains(WHY) && out.contains("no changing call is under way"),
        "{out}"
    );
    for arguments in [vec!["list"], vec!["show", &id]] {
        let out = run(&config, &arguments).await.done().out.clone();
        assert!(out.starts_with("PAUSED  since ") && out.contains("operator:carol (command line)"), "{out}");
        assert!(out.contains("leaver resume"), "{out}");
        let json = run(&config, &[arguments, vec!["--json"]].concat()).await.done().json();
        assert_eq!(json["paused"]["reason"], WHY);
    }
    let again = run(&config, &["pause", "--reason", WHY, "--json"]).await.done().json();
    assert_eq!((&again["paused"], &again["calls_under_way"]), (&json!(true), &json!(0)));
    let resumed = run(&config, &["resume"]).await;
    assert!(resumed.done().out.contains("not paused"), "{resumed:?}");
    assert!(run(&config, &["list"]).await.done().out.starts_with("ID"));
    assert_eq!(run(&config, &["resume", "--json"]).await.done().json()["paused"], false);
    let who = "operator:carol (command line)";
    assert_eq!(record(&world).await, [entry(who, "paused", Some(WHY)), entry(who, "resumed", None)]);
}
