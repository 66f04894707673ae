//! `/api/v1/events`: every stored event is visible, with what was kept of it and nothing that proves who a sender is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::{found, run};
use crate::edge::Answer;
use crate::support::{ALICE, HRIS_SECRET, Service, World, client, signed, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];
const VERA: &str = "vera-token-0123456789";

/// A second source, and somebody who may only look.
fn more() -> String {
    format!(
        "[sources.second]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{HRIS_SECRET}\"]\n\
         [sources.workday.map]\nsequence = \"@x-timestamp\"\n\
         [[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"\n"
    )
}

async fn get(service: &Service, path: &str) -> Answer {
    let request = client().get(format!("{}/api/v1/events{path}", service.admin)).bearer_auth(VERA);
    Answer::to(request).await
}

async fn deliver_to(service: &Service, source: &str, body: &[u8]) -> Answer {
    let request = signed(&service.public, body, HRIS_SECRET).build().unwrap();
    let mut url = request.url().clone();
    url.set_path(&format!("/webhooks/{source}"));
    Answer::to(client().post(url).headers(request.headers().clone()).body(body.to_vec())).await
}

async fn ids(service: &Service, query: &str) -> Vec<String> {
    let page = get(service, query).await.json();
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item["event_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_are_listed_newest_first_without_their_bodies() {
    let world = World::new().await;
    let service = world.serve(&more(), RECEIVE);
    service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    service.deliver(&json!({"event": "worker.hired", "eventId": "e2", "email": "john@example.com"})).await;
    service.deliver_bytes(b"not json").await;
    deliver_to(&service, "second", termination("e4", "W4", "ann@example.com").to_string().as_bytes()).await;
    let all = ids(&service, "").await;
    assert_eq!((all[0].as_str(), all[2].as_str(), all[3].as_str(), all.len()), ("e4", "e2", "e1", 4));
    assert_eq!(ids(&service, "?source=second").await, ["e4"]);
    assert_eq!(ids(&service, "?disposition=ignored").await, ["e2"]);
    assert_eq!(ids(&service, "?disposition=held").await, [all[1].as_str()]);
    assert_eq!(ids(&service, "?event=worker.terminated&source=workday").await, ["e1"]);
    let first = get(&service, "?limit=3").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let rest = get(&service, &format!("?limit=3&after={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((&rest["items"][0]["event_id"], &rest["next"]), (&json!("e1"), &Value::Null));
    let listed = &first["items"][1];
    assert_eq!(
        (&listed["unreadable"], &listed["reason"], &listed["event"]),
        (&json!("not_json"), &json!("unreadable"), &Value::Null)
    );
    assert!(listed.get("body").is_none() && listed.get("headers").is_none(), "{listed}");
    for (query, parameter) in
        [("?disposition=lost", "disposition"), ("?limit=0", "limit"), ("?after=x", "after")]
    {
        let answer = get(&service, query).await;
        answer.is_problem(400, "bad-parameter");
        assert!(answer.text().contains(parameter), "{}", answer.text());
    }
}

#[tokio::test]
async fn one_event_is_shown_with_everything_that_was_kept_and_no_proof_of_the_sender() {
    let world = World::new().await;
    let service = world.serve(&more(), RECEIVE);
    let body = termination("e1", "W1", "jane@example.com").to_string();
    let request = signed(&service.public, body.as_bytes(), HRIS_SECRET);
    let request = request.header("authorization", "Bearer canary").header("x-request-id", "canary");
    let receipt = Answer::to(request).await.json();
    let event = get(&service, "/e1").await.json();
    assert_eq!((&event["body"], &event["body_encoding"]), (&json!(body), &json!("text")));
    assert_eq!((&event["key_index"], &event["said"]), (&json!(0), &json!("leaves")));
    assert_eq!((&event["event"], &event["directive"]), (&json!("worker.terminated"), &json!("terminate")));
    assert_eq!((&event["email"], &event["type"]), (&json!("jane@example.com"), &json!("voluntary")));
    assert_eq!(event["offboarding_id"], receipt["offboardings"][0]["id"]);
    assert_eq!(event["replays"], json!([]));
    let headers = event["headers"].as_object().unwrap();
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-timestamp"], "only what the profile reads");
    let by_row = get(&service, &format!("/{}", event["id"].as_str().unwrap())).await.json();
    assert_eq!(by_row, event);
    assert_eq!(world.number("select count(*) from events where events::text like '%canary%'").await, 0);

    let (_, raw) = service.deliver_bytes(b"\xff\x00").await;
    let raw = get(&service, &format!("/{}", raw["event_id"].as_str().unwrap())).await.json();
    assert_eq!((&raw["body"], &raw["body_encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!((&raw["unreadable"], &raw["disposition"]), (&json!("not_utf8"), &json!("held")));
    get(&service, "/nothing").await.is_problem(404, "not-found");
    get(&service, "/a%00b").await.is_problem(404, "not-found");
    get(&service, &format!("/{}", uuid::Uuid::now_v7())).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn an_id_that_two_sources_have_needs_the_source() {
    let world = World::new().await;
    let service = world.serve(&more(), RECEIVE);
    let body = termination("a/b ü", "W1", "jane@example.com").to_string();
    for source in ["workday", "second"] {
        assert_eq!(deliver_to(&service, source, body.as_bytes()).await.status, 202);
    }
    let both = get(&service, "/a%2Fb%20%C3%BC").await;
    both.is_problem(409, "source-needed");
    assert!(both.text().contains("source=") && both.text().contains("second, workday"), "{}", both.text());
    let one = get(&service, "/a%2Fb%20%C3%BC?source=second").await.json();
    assert_eq!((&one["source"], &one["event_id"]), (&json!("second"), &json!("a/b ü")));
    let row = one["id"].as_str().unwrap();
    assert_eq!(get(&service, &format!("/{row}")).await.json()["source"], "second");
    get(&service, &format!("/{row}?source=workday")).await.is_problem(404, "not-found");
    let path = "/api/v1/events/a%2Fb%20%C3%BC/replay";
    assert_eq!(service.api(Method::POST, path, ALICE).await.0, 409);
    assert_eq!(service.api(Method::POST, &format!("{path}?source=second"), ALICE).await.0, 200);
}

#[tokio::test]
async fn a_viewer_looks_and_an_operator_replays() {
    let world = World::new().await;
    let service = world.serve(&more(), RECEIVE);
    service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    let (status, problem) = service.api(Method::POST, "/api/v1/events/e1/replay", VERA).await;
    assert_eq!((status, &problem["type"]), (403, &json!("urn:leaver:problem:role-needed")));
    assert_eq!(service.api(Method::POST, "/api/v1/events/e1/replay", ALICE).await.0, 200);
    assert_eq!(service.api(Method::POST, "/api/v1/events/none/replay", ALICE).await.0, 404);
    for path in ["", "/e1"] {
        let address = format!("{}/api/v1/events{path}", service.admin);
        Answer::get(address.clone()).await.is_problem(401, "token-needed");
        assert_eq!(Answer::to(client().delete(address).bearer_auth(ALICE)).await.status, 405);
    }
}

#[tokio::test]
async fn words_without_a_rule_are_counted_and_told_by_the_check() {
    let world = World::new().await;
    let service = world.serve(&more(), RECEIVE);
    let body = |word: &str, id: &str| json!({"event": word, "eventId": id, "email": "jane@example.com"});
    for id in ["1", "2", "2"] {
        service.deliver(&body("worker.promoted", id)).await;
    }
    service.deliver(&body(&"x".repeat(300), "3")).await;
    service.deliver(&termination("4", "W1", "jane@example.com")).await;
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await;
    let counted = "leaver_unknown_events_total{source=\"workday\"} 3\n";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    assert!(!metrics.text().contains("promoted"));
    let findings: Value = run(&world.config(""), &["check", "--json"]).await.json();
    let told = found(&findings, "events of workday");
    let detail = told["what"].as_str().unwrap();
    assert_eq!(told["severity"], "ok");
    assert!(detail.contains("\"worker.promoted\" 2x, last 20"), "{detail}");
    assert!(
        detail.contains(&format!("\"{}\" 1x", "x".repeat(100))) && !detail.contains("terminated"),
        "{detail}"
    );
}
