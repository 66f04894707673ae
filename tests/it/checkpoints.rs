//! Signed checkpoints as a running service writes them: to its log and its file, one process at a time, and never over a chain
//! that does not continue the last one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use leaver::offboarding::checkpoint::{Checkpoint, CheckpointKey};
use serde_json::Value;

use crate::commands::run;
use crate::process::until;
use crate::support::{Service, World, termination};

const LIMIT: Duration = Duration::from_secs(60);

const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

fn signing(file: &Path) -> String {
    format!("[audit]\ncheckpoint_key = \"{SEED}\"\ncheckpoint_file = {file:?}\ncheckpoint_every = \"1s\"\n")
}

fn checkpoints(file: &Path) -> Vec<Checkpoint> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a checkpoint")).collect()
}

fn covered(file: &Path) -> i64 {
    checkpoints(file).iter().map(|checkpoint| checkpoint.seq).max().unwrap_or_default()
}

/// Somebody who leaves in a far year, so that nothing more is written about them now.
async fn deliver(service: &Service, number: u32) {
    let mut body = termination(&format!("e{number}"), &format!("W{number}"), &format!("p{number}@x.example"));
    body["terminationDate"] = "2099-01-31".into();
    assert_eq!(service.deliver(&body).await.0, 202);
}

async fn entries(world: &World) -> i64 {
    world.number("select count(*) from journal").await
}

/// A service that signs, and a chain of some entries that it has signed.
async fn signed() -> (World, Service, PathBuf) {
    let world = World::new().await;
    let file = world.folder.path().join("checkpoints.jsonl");
    let service = world.serve(&signing(&file), &["serve"]);
    for number in 0..3 {
        deliver(&service, number).await;
    }
    until("everything is covered", LIMIT, async || {
        covered(&file) >= 3
            && covered(&file) == entries(&world).await
            && service.metric("leaver_audit_checkpoint_age_seconds").await == Some(0.0)
    })
    .await;
    (world, service, file)
}

#[tokio::test]
async fn every_entry_is_covered_by_a_line_in_the_file_that_is_also_in_the_log() {
    let (world, service, file) = signed().await;
    assert_eq!(service.metric("leaver_audit_ok").await, Some(1.0));
    let lines = checkpoints(&file);
    let proof = CheckpointKey::read(SEED).unwrap().proof();
    assert!(lines.iter().all(|line| line.proved(&[proof]).is_some()), "{lines:?}");
    assert!(lines.windows(2).all(|pair| pair[0].seq < pair[1].seq), "nothing new, nothing signed: {lines:?}");
    let logged = service.log_lines();
    let logged: Vec<_> = logged
        .iter()
        .filter(|line| line["fields"]["message"] == "audit checkpoint")
        .map(|line| &line["fields"])
        .collect();
    for (line, logged) in lines.iter().zip(&logged) {
        assert_eq!(serde_json::from_value::<Checkpoint>((*logged).clone()).unwrap(), *line);
    }
    assert!(logged.len() >= lines.len());
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains(SEED));
    // The command and the API find the configured file by themselves.
    let verified = run(&world.config(&signing(&file)), &["audit", "verify", "--json"]).await;
    let verified = verified.done().json();
    assert_eq!(verified["checkpoints"]["covers"], verified["entries"], "{verified}");
    let (status, by_api) =
        service.api(reqwest::Method::GET, "/api/v1/audit/verify", crate::support::ALICE).await;
    assert_eq!((status, &by_api["checkpoints"]), (200, &verified["checkpoints"]));
    // Whoever verifies needs the public key alone.
    let (path, key) = (file.to_str().unwrap(), proof.to_string());
    let elsewhere = ["audit", "verify", "--checkpoints", path, "--public-key", &key];
    let told = run(&world.config(""), &elsewhere).await;
    assert!(told.done().out.contains("checkpoints fit"), "{told:?}");
    let stranger = CheckpointKey::of_seed([1; 32]).proof().to_string();
    let strange = ["audit", "verify", "--checkpoints", path, "--public-key", &stranger];
    run(&world.config(""), &strange).await.failed(1, &["signed by none of the keys"]);
}

#[tokio::test]
async fn a_key_that_was_changed_leaves_the_record_whole_where_the_one_before_is_named() {
    let (world, service, file) = signed().await;
    drop(service);
    let changed = signing(&file).replace(SEED, &"07".repeat(32));
    run(&world.config(&changed), &["audit", "verify"]).await.failed(1, &["signed by none of the keys"]);
    let proof = CheckpointKey::read(SEED).unwrap().proof().to_string();
    let known = format!("{changed}checkpoint_public_keys = [\"{proof}\"]\n");
    let service = world.serve(&known, &["serve"]);
    let before = checkpoints(&file).len();
    deliver(&service, 9).await;
    until("the new key has signed", LIMIT, async || checkpoints(&file).len() > before).await;
    let (status, verified) =
        service.api(reqwest::Method::GET, "/api/v1/audit/verify", crate::support::ALICE).await;
    assert_eq!((status, &verified["ok"]), (200, &Value::Bool(true)), "{verified}");
    let wrong = format!("{changed}checkpoint_public_keys = [\"beef\"]\n");
    run(&world.config(&wrong), &["audit", "verify"]).await.failed(2, &["audit.checkpoint_public_keys[0]"]);
}

#[tokio::test]
async fn a_line_that_was_cut_off_is_told_and_one_that_was_changed_is_a_finding() {
    let (world, service, file) = signed().await;
    drop(service);
    let text = std::fs::read_to_string(&file).unwrap();
    let config = world.config(&signing(&file));
    std::fs::write(&file, format!("{{\"seq\":1,\"ha\n{text}\n\n")).unwrap();
    let verified = run(&config, &["audit", "verify", "--json"]).await.done().json();
    assert_eq!(verified["checkpoints"]["unreadable_lines"], 1);
    let last = text.lines().last().unwrap();
    let mut changed: Value = serde_json::from_str(last).unwrap();
    changed["time"] = "2020-01-01T00:00:00.000Z".into();
    std::fs::write(&file, format!("{text}{changed}\n")).unwrap();
    run(&config, &["audit", "verify"]).await.failed(1, &["signed by none of the keys"]);
    std::fs::write(&file, "").unwrap();
    run(&config, &["audit", "verify"]).await.failed(1, &["no checkpoint"]);
}

#[tokio::test]
async fn a_chain_that_was_cut_off_or_written_anew_is_told_and_never_signed() {
    let (mut world, service, file) = signed().await;
    world.chain.is_broken_on_purpose();
    let config = world.config(&signing(&file));
    let signed = covered(&file);
    // Whole in itself, and no longer what was signed.
    world
        .sql(
            "set session_replication_role = replica;
             update journal set actor = 'hris:workday2' where seq = (select max(seq) from journal);
             delete from audit_chain where seq = (select max(seq) from audit_chain);
             select audit_append(journal) from journal order by seq desc limit 1",
        )
        .await;
    run(&config, &["audit", "verify"])
        .await
        .failed(1, &[&format!("link {signed} is not the one that was signed")]);
    deliver(&service, 9).await;
    until("the service tells", LIMIT, async || service.metric("leaver_audit_ok").await == Some(0.0)).await;
    let told = service.log_lines();
    let told = |words: &str| {
        told.iter().any(|line| line["fields"]["message"].as_str().is_some_and(|m| m.contains(words)))
    };
    assert!(told("does not continue the last checkpoint"));
    assert_eq!(covered(&file), signed, "what was rewritten is not signed");
    // Shorter than what was signed.
    world
        .sql(
            "set session_replication_role = replica;
             delete from journal where seq > 1; delete from audit_chain where seq > 1",
        )
        .await;
    run(&config, &["audit", "verify"]).await.failed(1, &["the chain ends at link 1, and link"]);
}

#[tokio::test]
async fn an_end_that_was_written_anew_or_cut_off_is_told_before_anything_follows_it() {
    let rewritten = "set session_replication_role = replica;
        update journal set actor = 'hris:workday2' where seq = (select max(seq) from journal);
        delete from audit_chain where seq = (select max(seq) from audit_chain);
        select audit_append(journal) from journal order by seq desc limit 1";
    let cut_off = "set session_replication_role = replica;
        delete from journal where seq = (select max(seq) from journal);
        delete from audit_chain where seq = (select max(seq) from audit_chain)";
    for (what, tampering) in [("written anew", rewritten), ("cut off", cut_off)] {
        let (mut world, service, file) = signed().await;
        world.chain.is_broken_on_purpose();
        let signed = covered(&file);
        world.sql(tampering).await;
        until(what, LIMIT, async || service.metric("leaver_audit_ok").await == Some(0.0)).await;
        assert_eq!(covered(&file), signed, "{what}");
    }
}

#[tokio::test]
async fn of_many_processes_one_writes_and_another_takes_over() {
    let world = World::new().await;
    let file = world.folder.path().join("checkpoints.jsonl");
    let more = signing(&file);
    let mut services: Vec<Service> = (0..3).map(|_| world.serve(&more, &["serve"])).collect();
    deliver(&services[0], 1).await;
    let all_covered = async |file: &Path| covered(file) > 0 && covered(file) == entries(&world).await;
    until("covered", LIMIT, async || all_covered(&file).await).await;
    services.remove(0).kill();
    services.remove(0).kill();
    deliver(&services[0], 2).await;
    until("covered by the last one", LIMIT, async || all_covered(&file).await).await;
    let seqs: Vec<i64> = checkpoints(&file).iter().map(|checkpoint| checkpoint.seq).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "each once: {seqs:?}");
}

#[tokio::test]
async fn a_file_that_can_not_be_written_holds_up_nothing_and_is_told_by_its_age() {
    let world = World::new().await;
    let folder = world.folder.path().join("later");
    let file = folder.join("checkpoints.jsonl");
    let service = world.serve(&signing(&file), &["serve"]);
    deliver(&service, 1).await;
    until("it is told", LIMIT, async || {
        let told = |line: &Value| {
            line["fields"]["message"].as_str().is_some_and(|m| m.contains("no audit checkpoint"))
        };
        service.log_lines().iter().any(told)
            && service.metric("leaver_audit_checkpoint_age_seconds").await.is_some_and(|age| age > 0.0)
    })
    .await;
    std::fs::create_dir(&folder).unwrap();
    until("it is written", LIMIT, async || covered(&file) == entries(&world).await && covered(&file) > 0)
        .await;
}
