//! `leaver check` at the bed of sick installations: each says what is wrong, and what to do about it.

use serde_json::Value;

use crate::commands::{found, run};
use crate::edge::ready;
use crate::support::{HRIS_SECRET, World};

/// What the check says and advises about one thing, and whether that is bad.
fn told(findings: &Value, check: &str) -> (String, String, String) {
    let finding = found(findings, check);
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    (text("severity"), text("what"), text("do"))
}

#[tokio::test]
async fn every_finding_that_is_not_well_says_what_to_do() {
    let world = World::new().await;
    let config = world.edited_config("[policy]\nmode = \"dry_run\"\n", |text| {
        text.replace(world.simulator.client_secret(), "wrong-secret-0123456789")
    });
    let findings = run(&config, &["check", "--json"]).await.json();
    let (severity, what, todo) = told(&findings, "Genesys Cloud");
    assert_eq!(severity, "FAIL");
    assert!(
        what.contains("secret is wrong") && todo.contains("Admin > Integrations > OAuth"),
        "{what}: {todo}"
    );
    world.sql("drop schema public cascade; create schema public").await;
    let findings = run(&config, &["check", "--json"]).await.json();
    for finding in findings.as_array().unwrap() {
        let mut keys: Vec<_> = finding.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["check", "do", "ok", "severity", "what"]);
        assert_eq!(finding["do"].is_string(), finding["severity"] != "ok", "{finding}");
    }
    let (severity, _, todo) = told(&findings, "schema");
    assert!(severity == "FAIL" && todo.contains("leaver migrate"), "{todo}");
    let text = run(&config, &["check"]).await;
    let failed = findings.as_array().unwrap().iter().filter(|one| one["ok"] == false).count();
    assert!(text.out.ends_with(&format!("{failed} failed\n")), "{}", text.out);
}

#[tokio::test]
async fn a_region_that_cannot_be_reached_is_told_apart_from_a_wrong_secret() {
    let world = World::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = world.edited_config("", |text| {
        text.replace(&world.simulator.url().to_string(), &format!("http://{closed}"))
    });
    let findings = run(&config, &["check", "--json"]).await.json();
    let (severity, what, todo) = told(&findings, "Genesys Cloud");
    assert_eq!(severity, "FAIL");
    assert!(what.contains("could not be asked") && todo.contains("genesys.region"), "{what}: {todo}");
}

#[tokio::test]
async fn a_superuser_of_the_database_is_a_warning_and_the_clocks_are_compared() {
    let world = World::new().await;
    let superuser = world.number("select (current_setting('is_superuser') = 'on')::int::bigint").await == 1;
    let findings = run(&world.config(""), &["check", "--json"]).await.json();
    let warned = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "database user");
    assert_eq!(warned.is_some_and(|finding| finding["severity"] == "warn"), superuser, "{findings}");
    assert_eq!(told(&findings, "clock").0, "ok", "{findings}");
}

#[tokio::test]
async fn a_short_secret_and_a_source_without_a_profile_are_named_by_their_key() {
    let world = World::new().await;
    let short = world.edited_config("", |text| text.replace(HRIS_SECRET, "short"));
    run(&short, &["check"]).await.failed(2, &["sources.workday.secrets"]);
    let without =
        world.edited_config("", |text| text.replace("profile = \"generic-worker-terminated\"\n", ""));
    run(&without, &["check"]).await.failed(2, &["sources.workday"]);
}

#[tokio::test]
async fn health_says_by_its_exit_code_whether_the_service_is_ready_and_why_not() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let nowhere = std::path::Path::new("/nonexistent/leaver.toml");
    let healthy = run(nowhere, &["health", "--url", &service.public]).await;
    assert_eq!(healthy.done().out, "ready\n");
    let healthy = run(nowhere, &["health", "--url", &service.public, "--json"]).await;
    assert_eq!(healthy.done().json(), serde_json::json!({"ready": true, "reason": null}));
    let listen = service.public.trim_start_matches("http://").to_owned();
    let config = world.edited_config("", |text| text.replacen("127.0.0.1:0", &listen, 1));
    assert_eq!(run(&config, &["health"]).await.done().out, "ready\n");
    world.sql("alter table readiness_probe rename to gone").await;
    crate::process::until("the probe fails", std::time::Duration::from_secs(10), async || {
        run(nowhere, &["health", "--url", &service.public]).await.code == 1
    })
    .await;
    run(nowhere, &["health", "--url", &service.public]).await.failed(1, &["not ready"]);
    let ill = run(&config, &["health", "--json"]).await;
    ill.failed(1, &["not ready"]);
    assert_eq!(ill.json()["ready"], false);
    assert!(ill.json()["reason"].as_str().is_some_and(|reason| ill.err.contains(reason)), "{ill:?}");
    drop(service);
    run(&config, &["health"]).await.failed(1, &["no answer"]);
    run(nowhere, &["health", "--url", "https://example.com"]).await.failed(2, &["--url"]);
    run(nowhere, &["health"]).await.failed(2, &["leaver.toml"]);
}
