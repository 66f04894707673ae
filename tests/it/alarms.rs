//! The alarm about requests that can't be authenticated: one line when a source begins to fail, however many follow.

use std::time::Duration;

use serde_json::Value;

use crate::process::until;
use crate::support::{HRIS_SECRET, Service, World, client, signed, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];
const WRONG: &str = "canary-secret-of-nobody-0123456789";
const FAILING: &str = r#"leaver_source_failing{source="workday"}"#;

/// The lines of this level that are about a source.
fn told(service: &Service, level: &str) -> Vec<Value> {
    let lines = service.log_lines().into_iter();
    lines.filter(|line| line["level"] == level && line["fields"]["source"] == "workday").collect()
}

async fn deliver(service: &Service, event: &str, secret: &str) -> u16 {
    let body = termination(event, "W1", "jane@example.com").to_string();
    signed(&service.public, body.as_bytes(), secret)
        .header("x-canary-name", "canary-value")
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

async fn is_told(service: &Service, level: &str, lines: usize) {
    let what = format!("{lines} lines of the level {level}");
    until(&what, Duration::from_secs(10), async || told(service, level).len() >= lines).await;
    assert_eq!(told(service, level).len(), lines, "{:?}", told(service, level));
}

#[tokio::test]
async fn a_first_failure_is_told_once_with_the_names_of_the_headers_and_so_is_its_end() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    assert_eq!(service.metric(FAILING).await, Some(0.0), "before anything has come");
    assert_eq!(deliver(&service, "e1", HRIS_SECRET).await, 202);
    for _ in 0..30 {
        assert_eq!(deliver(&service, "e2", WRONG).await, 401);
    }
    assert_eq!(service.metric(FAILING).await, Some(1.0));
    let counted = r#"leaver_delivery_refusals_total{source="workday",cause="wrong_signature"}"#;
    assert_eq!(service.metric(counted).await, Some(30.0));
    is_told(&service, "ERROR", 1).await;
    let line = &told(&service, "ERROR")[0]["fields"];
    assert_eq!((&line["cause"], &line["remote_address"]), (&"wrong_signature".into(), &"127.0.0.1".into()));
    let headers = line["headers"].as_str().unwrap();
    for name in ["x-signature", "x-timestamp", "x-canary-name", "content-type"] {
        assert!(headers.split(' ').any(|shown| shown == name), "{name} in {headers}");
    }
    assert!(!line.to_string().contains("canary-value") && !line.to_string().contains("sha256="), "{line}");

    assert_eq!(deliver(&service, "e2", HRIS_SECRET).await, 202);
    assert_eq!(service.metric(FAILING).await, Some(0.0));
    let over = |line: &Value| line["fields"]["refused"] == 30;
    until("its end", Duration::from_secs(10), async || told(&service, "INFO").iter().any(over)).await;
    assert_eq!(deliver(&service, "e3", HRIS_SECRET).await, 202);
    assert_eq!(told(&service, "INFO").iter().filter(|line| over(line)).count(), 1);
    let unsigned = client().post(format!("{}/webhooks/workday", service.public)).body("{}");
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    is_told(&service, "ERROR", 2).await;
    assert_eq!(told(&service, "ERROR")[1]["fields"]["cause"], "missing_header");
    assert_eq!(service.metric(FAILING).await, Some(1.0));
}

#[tokio::test]
async fn a_source_that_has_not_been_heard_yet_counts_as_fine_and_alone_for_itself() {
    let world = World::new().await;
    let more =
        format!("[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{HRIS_SECRET}\"]");
    let service = world.serve(&more, RECEIVE);
    assert_eq!(deliver(&service, "e1", WRONG).await, 401);
    is_told(&service, "ERROR", 1).await;
    assert_eq!(service.metric(FAILING).await, Some(1.0));
    assert_eq!(service.metric(r#"leaver_source_failing{source="acme"}"#).await, Some(0.0));
}
