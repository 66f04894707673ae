//! Keys in files: read again while the service runs, and never given up for a file that is not good.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sqlx::Row;

use crate::commands::{found, run};
use crate::process::until;
use crate::support::{Service, World, signed_for, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];
const OLD: &str = "the-old-secret-of-acme-0123456789";
const NEW: &str = "the-new-secret-of-acme-0123456789";
const NEWER: &str = "the-newer-secret-of-acme-01234567";

/// Much longer than a change takes to hold; only a machine under load comes near it.
const LIMIT: Duration = Duration::from_secs(20);

fn source(name: &str, files: &[&Path]) -> String {
    let files: Vec<_> = files.iter().map(|file| format!("\"file:{}\"", file.display())).collect();
    format!("[sources.{name}]\nprofile = \"generic-worker-terminated\"\nsecrets = [{}]\n", files.join(", "))
}

async fn deliver(service: &Service, source: &str, event: &str, secret: &str) -> u16 {
    let body = termination(event, "W1", "jane@example.com").to_string();
    signed_for(service, source, body.as_bytes(), secret).send().await.unwrap().status().as_u16()
}

/// Waits until a key is good or no longer good.
async fn becomes(service: &Service, source: &str, secret: &str, good: bool) {
    let what = format!("a key of {source} becomes {}", if good { "good" } else { "bad" });
    let mut tries = 0;
    until(&what, LIMIT, async || {
        tries += 1;
        (deliver(service, source, &format!("{secret}-{tries}"), secret).await != 401) == good
    })
    .await;
}

fn told(service: &Service, level: &str) -> Vec<Value> {
    let about = |line: &Value| line["level"] == level && line["fields"]["key"].is_string();
    service.log_lines().into_iter().filter(about).collect()
}

#[tokio::test]
async fn a_key_is_rotated_without_a_restart_and_in_every_process() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("new"), folder.path().join("old"));
    fs::write(&first, OLD).unwrap();
    fs::write(&second, format!("{OLD}\n")).unwrap();
    let more = source("acme", &[&first, &second]);
    let config = world.config(&more);
    let replicas = [world.serve(&more, RECEIVE), world.serve(&more, RECEIVE)];
    assert_eq!(deliver(&replicas[0], "acme", "e1", OLD).await, 202);
    assert_eq!(deliver(&replicas[0], "acme", "e2", NEW).await, 401);
    fs::write(&first, NEW).unwrap();
    for replica in &replicas {
        becomes(replica, "acme", NEW, true).await;
        assert_ne!(
            deliver(replica, "acme", "e3", OLD).await,
            401,
            "the old key is good until it is replaced"
        );
    }
    assert_eq!(deliver(&replicas[0], "acme", "e4", NEW).await, 202);
    let rows =
        world.rows("select key_index from events where event_id in ('e1', 'e3', 'e4') order by event_id");
    let keys: Vec<i32> = rows.await.iter().map(|row| row.get(0)).collect();
    assert_eq!(keys, [0, 1, 0]);
    let checked = run(&config, &["check", "--json"]).await.json();
    let keys = found(&checked, "keys of acme")["what"].as_str().unwrap().to_owned();
    assert!(keys.starts_with("secrets[0] verified the last delivery, 20"), "{keys}");
    assert!(keys.contains("; secrets[1] the last one at 20"), "{keys}");
    let none = found(&checked, "keys of workday")["what"].as_str().unwrap().to_owned();
    assert_eq!(none, "no delivery has been stored yet");
    fs::write(&second, NEW).unwrap();
    for replica in &replicas {
        becomes(replica, "acme", OLD, false).await;
        assert_eq!(deliver(replica, "acme", "e1", NEW).await, 200, "signed anew, and stored before");
    }
    let changes = told(&replicas[0], "INFO");
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes[0]["fields"]["key"], "sources.acme.secrets[0]");
    assert_eq!(replicas[0].metric(r#"leaver_secrets_read_again_total{source="acme"}"#).await, Some(2.0));
    for replica in &replicas {
        let log = fs::read_to_string(&replica.log).unwrap();
        assert!(!log.contains(NEW) && !log.contains(OLD), "{log}");
    }
}

#[tokio::test]
async fn a_link_that_is_swapped_is_a_change_and_a_touched_file_is_none() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, secret) in [("v1", OLD), ("v2", NEW)] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("key"), secret).unwrap();
        // As a mounted secret has it: the same time, whatever the content.
        let file = fs::File::options().write(true).open(at(version).join("key")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }
    symlink("v1", at("data")).unwrap();
    symlink("data/key", at("key")).unwrap();
    let service = world.serve(&source("acme", &[&at("key")]), RECEIVE);
    assert_eq!(deliver(&service, "acme", "e1", OLD).await, 202);
    fs::File::options()
        .write(true)
        .open(at("v1/key"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    symlink("v2", at("data-next")).unwrap();
    fs::rename(at("data-next"), at("data")).unwrap();
    becomes(&service, "acme", NEW, true).await;
    assert_eq!(deliver(&service, "acme", "e2", OLD).await, 401);
    assert_eq!(told(&service, "INFO").len(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_good_changes_nothing_and_is_told_once() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("key"), folder.path().join("other"));
    fs::write(&file, OLD).unwrap();
    fs::write(&other, OLD).unwrap();
    let service = world.serve(&(source("acme", &[&file]) + &source("beta", &[&other])), RECEIVE);
    let failing = r#"leaver_secret_file_failing{source="acme",key="sources.acme.secrets[0]"}"#;
    assert_eq!(service.metric(failing).await, Some(0.0));
    let mut others = [NEW, NEWER, OLD].into_iter().cycle();
    let mut errors = 0;
    let bad: [(&str, Option<&str>); 4] = [
        ("cannot be read", None),
        ("is empty", Some("")),
        ("is empty", Some(" \n")),
        ("has 6 bytes", Some("canary")),
    ];
    for (problem, content) in bad {
        match content {
            Some(content) => fs::write(&file, content).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        errors += 1;
        until("it is told", LIMIT, async || told(&service, "ERROR").len() >= errors).await;
        // Two changes of another source take several looks at this one, which says nothing more.
        for secret in [others.next().unwrap(), others.next().unwrap()] {
            fs::write(&other, secret).unwrap();
            becomes(&service, "beta", secret, true).await;
        }
        let lines = told(&service, "ERROR");
        assert_eq!(lines.len(), errors, "{problem}: {lines:?}");
        let fields = &lines[errors - 1]["fields"];
        assert!(fields["problem"].as_str().unwrap().contains(problem), "{problem}: {fields}");
        assert_eq!(fields["key"], "sources.acme.secrets[0]");
        assert_eq!(fields["file"], file.to_str().unwrap());
        assert_eq!(service.metric(failing).await, Some(1.0), "{problem}");
        assert_ne!(deliver(&service, "acme", "e1", OLD).await, 401, "{problem}: the key before stays good");
    }
    assert!(!fs::read_to_string(&service.log).unwrap().contains("canary"));
    fs::write(&file, NEW).unwrap();
    becomes(&service, "acme", NEW, true).await;
    assert_eq!(deliver(&service, "acme", "e2", OLD).await, 401);
    until("it is fine again", LIMIT, async || service.metric(failing).await == Some(0.0)).await;
}

#[tokio::test]
async fn one_bad_file_of_a_source_does_not_keep_the_other_from_counting() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    fs::write(&first, OLD).unwrap();
    fs::write(&second, OLD).unwrap();
    let service = world.serve(&source("acme", &[&first, &second]), RECEIVE);
    fs::remove_file(&first).unwrap();
    until("it is told", LIMIT, async || told(&service, "ERROR").len() == 1).await;
    fs::write(&second, NEW).unwrap();
    becomes(&service, "acme", NEW, true).await;
    assert_ne!(deliver(&service, "acme", "e1", OLD).await, 401, "the first is still the one before");
}
