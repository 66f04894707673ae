//! Approvals: given to exactly these offboardings or to none, by somebody else than who asked, and only for a time.

use leaver::offboarding::{Actor, OffboardingId, Outcome, Reason, Status};
use leaver::operate;
use leaver::store::approvals::Approval;
use leaver::store::decisions::Decided;
use leaver::store::progress::{BrakeLimits, Permission};
use leaver::worker::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor};

use crate::brake::{Hand, tiny_agent};
use crate::commands::run;
use crate::edge::{Answer, put};
use crate::stepped::{ended, last_note, step};
use crate::support::{ALICE, BOB, Service, World, client, termination};

const NOBODY: BrakeLimits = BrakeLimits { per_hour: 0, per_day: 0 };

const CAROL: &str = "carol-token-0123456789";

fn serve(world: &World) -> Service {
    let carol = format!("[[operators]]\nname = \"carol\"\nrole = \"approver\"\ntoken = \"{CAROL}\"");
    world.serve(&carol, &["serve", "--no-worker"])
}

pub(crate) async fn post(service: &Service, path: &str, token: &str, body: &Value) -> Answer {
    let request = client().post(format!("{}/api/v1{path}", service.admin)).bearer_auth(token);
    Answer::to(request.header("content-type", "application/json").body(body.to_string())).await
}

async fn approve(service: &Service, token: &str, ids: &[&str], reason: Option<&str>) -> Answer {
    let mut body = json!({ "ids": ids });
    if let Some(reason) = reason {
        body["reason"] = json!(reason);
    }
    post(service, "/offboardings/approve", token, &body).await
}

/// Offboardings that are held for the brake.
async fn held(world: &World, people: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..people {
        let email = format!("agent{number}@example.com");
        tiny_agent(world, &email);
        let id = world.terminate(&email).await.to_string();
        put(world, &id, "held", Some("brake")).await;
        ids.push(id);
    }
    ids
}

fn key(id: &str) -> OffboardingId {
    id.parse().map(OffboardingId).unwrap()
}

fn no_brake() -> Settings {
    Settings { brake: NOBODY, ..World::settings() }
}

async fn approvals(world: &World) -> i64 {
    world.number("select count(*) from approvals").await
}

#[tokio::test]
async fn many_are_released_together_and_each_journal_names_approver_and_set() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 3).await;
    let mut sorted = ids.clone();
    sorted.sort();
    let lines: String = sorted.iter().map(|id| format!("{id}\n")).collect();
    let digest = hex::encode(Sha256::digest(lines));
    // In any order, and one of them twice: the set is the same.
    let asked = [ids[2].as_str(), &ids[0], &ids[1], &ids[0]];
    let answer = approve(&service, BOB, &asked, Some("brake")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), json!({"ids": sorted, "size": 3, "digest": digest}));
    let engine = world.engine_with(no_brake());
    for id in &ids {
        let view = world.work_to_the_end(&engine, key(id)).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
        let journal = view.journal.unwrap();
        let entry = journal.iter().find(|entry| entry.action == "approved").unwrap();
        let target = format!("set of 3, sha256:{digest}");
        assert_eq!(entry.actor, "operator:bob");
        assert_eq!(
            (entry.target.as_deref(), entry.result.as_deref()),
            (Some(target.as_str()), Some("brake"))
        );
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn one_that_cant_be_approved_keeps_all_of_its_set_from_it() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 2).await;
    let (good, bad) = (ids[0].as_str(), ids[1].as_str());
    let unknown = OffboardingId::new().to_string();
    let own = |by: &str| format!("operator:{by}");
    let cases = [
        ("held", Some("brake"), Some(own("bob")), None, 403),
        ("held", Some("brake"), Some(own("bob (command line)")), None, 403),
        ("held", Some("brake"), Some(own("BOB")), None, 403),
        ("held", Some("ambiguous_person"), None, None, 409),
        ("held", Some("unreadable"), None, None, 409),
        ("held", Some("protected"), None, Some("brake"), 409),
        ("scheduled", None, None, None, 409),
        ("failed", Some("attempts_exhausted"), None, None, 409),
        ("cancelled", Some("cancelled_by_operator"), None, None, 409),
        ("done", None, None, None, 409),
    ];
    for (status, reason, by, wanted, expected) in cases {
        put(&world, bad, status, reason).await;
        let mut connection = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
        sqlx::query("update offboardings set requested_by = $2 where id = $1")
            .bind(key(bad).0)
            .bind(&by)
            .execute(&mut connection)
            .await
            .unwrap();
        for set in [vec![good, bad], vec![bad, good], vec![bad]] {
            let answer = approve(&service, BOB, &set, wanted).await;
            answer.is_problem(expected, "none-approved");
            assert!(answer.text().contains(bad), "{status} {reason:?} {by:?}: {}", answer.text());
        }
    }
    let answer = approve(&service, BOB, &[good, &unknown], None).await;
    answer.is_problem(404, "none-approved");
    assert!(answer.text().contains(&unknown), "{}", answer.text());
    assert_eq!(ended(&world.view(key(good)).await), (Status::Held, Some(Reason::Brake)));
    assert_eq!(approvals(&world).await, 0);
    step(&world, &world.engine_with(no_brake())).await;
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn a_set_is_released_by_an_approver_and_is_at_most_a_thousand() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 1).await;
    let good = ids[0].as_str();
    approve(&service, ALICE, &[good], None).await.is_problem(403, "role-needed");
    approve(&service, "an-unknown-token-0123456789", &[good], None).await.is_problem(401, "token-needed");
    approve(&service, BOB, &[good], Some("tired")).await.is_problem(400, "bad-field");
    approve(&service, BOB, &["seven"], None).await.is_problem(400, "bad-field");
    approve(&service, BOB, &[], None).await.is_problem(400, "bad-field");
    let many: Vec<_> = (0..1001).map(|_| OffboardingId::new().to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    approve(&service, BOB, &many, None).await.is_problem(400, "bad-field");
    approve(&service, BOB, &many[..1000], None).await.is_problem(404, "none-approved");
    assert_eq!(ended(&world.view(key(good)).await), (Status::Held, Some(Reason::Brake)));
    assert_eq!(approvals(&world).await, 0);
}

#[tokio::test]
async fn approving_twice_is_approving_once() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 3).await;
    let set = [ids[0].as_str(), &ids[1]];
    let (one, other) = tokio::join!(approve(&service, BOB, &set, None), approve(&service, CAROL, &set, None));
    let mut answers = [one.status, other.status];
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
    approve(&service, BOB, &set, None).await.is_problem(409, "none-approved");
    let single = format!("/api/v1/offboardings/{}/approve", ids[0]);
    assert_eq!(service.api(Method::POST, &single, BOB).await.0, 409);
    assert_eq!(approvals(&world).await, 2);
    // The approval is about these two: the third is none of it.
    let engine = world.engine_with(no_brake());
    for _ in 0..3 {
        step(&world, &engine).await;
    }
    assert_eq!(ended(&world.view(key(&ids[2])).await), (Status::Held, Some(Reason::Brake)));
    assert_eq!(world.number("select count(*) from changed_people").await, 2);
}

#[tokio::test]
async fn an_approval_that_led_to_no_change_in_time_counts_no_more() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 1).await;
    let id = key(&ids[0]);
    let engine = world.engine_with(no_brake());
    assert_eq!(approve(&service, BOB, &[&ids[0]], None).await.status, 200);
    let valid = "select extract(epoch from expires_at - approved_at)::bigint from approvals";
    assert_eq!(world.number(valid).await, 3600, "an hour where nothing else is configured");
    world.sql("update approvals set expires_at = now()").await;
    step(&world, &engine).await;
    let view = world.view(id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::Brake)));
    assert_eq!(last_note(&view), "the approval expired before the first change");
    assert!(world.simulator.changing().is_empty());
    // Between the lease and the first change it counts no more either, whatever the worker has seen.
    assert_eq!(approve(&service, BOB, &[&ids[0]], None).await.status, 200);
    let hand = Hand::on(&world).await;
    world.sql("update approvals set expires_at = now()").await;
    let (permission, _) = hand.begin(&world, id, "u1", None).await;
    assert_eq!(permission, Permission::ApprovalExpired(Reason::Brake));
    assert_eq!(world.number("select count(*) from changed_people").await, 0);
    // Given again it counts again.
    world.sql("update offboardings set lease_token = null, status = 'held', reason = 'brake'").await;
    assert_eq!(approve(&service, BOB, &[&ids[0]], None).await.status, 200);
    assert_eq!(world.work_to_the_end(&engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn what_an_hr_event_was_held_for_is_held_again_when_its_approval_expires() {
    let world = World::new().await;
    let service = serve(&world);
    let mut old = termination("e1", "W1", "jane@example.com");
    old["terminationDate"] =
        json!((chrono::Utc::now() - chrono::TimeDelta::days(40)).format("%Y-%m-%d").to_string());
    let id = service.deliver(&old).await.1["offboardings"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(approve(&service, BOB, &[&id], Some("stale_event")).await.status, 200);
    world.sql("update approvals set expires_at = now()").await;
    step(&world, &world.engine()).await;
    assert_eq!(ended(&world.view(key(&id)).await), (Status::Held, Some(Reason::StaleEvent)));
    assert!(world.simulator.journal().is_empty());
}

#[tokio::test]
async fn an_approval_under_which_the_first_change_was_made_does_not_expire() {
    let world = World::new().await;
    let service = serve(&world);
    let ids = held(&world, 1).await;
    assert_eq!(approve(&service, BOB, &[&ids[0]], None).await.status, 200);
    let hand = Hand::on(&world).await;
    assert_eq!(hand.begin(&world, key(&ids[0]), "u1", None).await.0, Permission::Granted);
    world.sql("update approvals set expires_at = now()").await;
    world.expire_leases().await;
    let fence = leaver::store::leases::Fence {
        token: uuid::Uuid::new_v4(),
        lease: std::time::Duration::from_secs(10),
        worker: Actor::Worker("next".to_owned()),
    };
    let leases = world.store.acquire(&fence, 10).await.unwrap();
    assert_eq!(leases.iter().map(|lease| lease.approved.clone()).collect::<Vec<_>>(), [[Reason::Brake]]);
    // One that had expired before the first change does not come back to life with it.
    world.sql("update approvals set expires_at = (select changes_began_at from offboardings)").await;
    world.expire_leases().await;
    let leases = world.store.acquire(&fence, 10).await.unwrap();
    assert!(leases[0].approved.is_empty());
}

#[tokio::test]
async fn new_facts_are_not_what_was_approved() {
    let world = World::new().await;
    let service = serve(&world);
    let receipt = service.deliver(&termination("e1", "W1", "jane@example.com")).await.1;
    let id = receipt["offboardings"][0]["id"].as_str().unwrap().to_owned();
    put(&world, &id, "held", Some("protected")).await;
    assert_eq!(approve(&service, BOB, &[&id], None).await.status, 200);
    assert_eq!(approvals(&world).await, 1);
    // The same said again is what was approved.
    service.deliver(&termination("e2", "W1", "jane@example.com")).await;
    assert_eq!(approvals(&world).await, 1);
    let mut moved = termination("e3", "W1", "jane@example.com");
    moved["terminationDate"] =
        json!((chrono::Utc::now() + chrono::TimeDelta::days(3)).format("%Y-%m-%d").to_string());
    service.deliver(&moved).await;
    assert_eq!(approvals(&world).await, 0);
    put(&world, &id, "held", Some("protected")).await;
    assert_eq!(approve(&service, BOB, &[&id], None).await.status, 200);
    moved["eventId"] = json!("e4");
    moved["email"] = json!("jane.roe@example.com");
    service.deliver(&moved).await;
    assert_eq!(approvals(&world).await, 0);
}

#[tokio::test]
async fn the_command_line_approves_the_same_way_and_not_what_it_asked_for() {
    let world = World::new().await;
    let service = serve(&world);
    let config = world.config("[policy]\napproval_valid = \"2h\"\n");
    let ids = held(&world, 3).await;
    let approved = run(&config, &["approve", &ids[0], &ids[1], "--reason", "brake", "--json"]).await;
    assert_eq!(approved.done().json()["size"], 2, "{approved:?}");
    let valid = "select extract(epoch from expires_at - approved_at)::bigint from approvals limit 1";
    assert_eq!(world.number(valid).await, 7200, "as configured");
    run(&config, &["approve", &ids[2], &ids[0]]).await.failed(1, &["nothing was approved", &ids[0]]);
    run(&config, &["approve", &ids[2], "--reason", "protected"]).await.failed(1, &[&ids[2], "brake"]);
    run(&config, &["approve", "seven"]).await.failed(2, &["seven"]);
    run(&config, &["approve", &ids[2], "--reason", "tired"]).await.failed(2, &["--reason"]);
    run(&config, &["approve"]).await.failed(2, &["ID"]);
    // Carol asked for it at the command line: she is the same person through the API, and the other way round.
    let jane = run(&config, &["offboard", "jane@example.com", "--reason", "left", "--json"]).await;
    let jane = jane.done().json()["id"].as_str().unwrap().to_owned();
    put(&world, &jane, "held", Some("brake")).await;
    run(&config, &["approve", &jane]).await.failed(1, &[&jane, "who asked"]);
    approve(&service, CAROL, &[&jane], None).await.is_problem(403, "none-approved");
    let body = json!({"person": "john@example.com", "reason": "left"});
    let john = post(&service, "/offboardings", CAROL, &body).await.json()["id"].as_str().unwrap().to_owned();
    put(&world, &john, "held", Some("brake")).await;
    run(&config, &["approve", &john]).await.failed(1, &[&john, "who asked"]);
    assert_eq!(approvals(&world).await, 2);
    assert_eq!(approve(&service, BOB, &[&jane, &john], None).await.status, 200);
}

#[tokio::test]
async fn two_open_offboardings_of_one_person_are_not_released_together() {
    let world = World::new().await;
    let ids = held(&world, 2).await;
    world.sql("update offboardings set genesys_user_id = 'u1'").await;
    let ids: Vec<_> = ids.iter().map(|id| key(id)).collect();
    let bob = Actor::Operator("bob".to_owned());
    let refused = operate::approve(&world.store, &ids, None, &bob).await.unwrap();
    assert!(matches!(refused, Approval::Refused(_, Decided::AnotherOpen(_))), "{refused:?}");
    assert_eq!(approvals(&world).await, 0);
}

#[tokio::test]
async fn approvals_of_the_version_before_are_carried_over() {
    let world = World::new().await;
    world.sql("drop schema public cascade; create schema public").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let ours = files.iter().position(|file| file.ends_with("0009_approvals_and_layoffs.sql")).unwrap();
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    for file in &files[..ours] {
        let text = std::fs::read_to_string(file).unwrap();
        connection.execute(sqlx::AssertSqlSafe(text)).await.unwrap();
    }
    let row = "insert into offboardings (id, status, source, effective_at, available_at, approved_reasons)
        values (gen_random_uuid(), 'scheduled', 'hr', now(), now(), '{brake,protected,brake}'),
               (gen_random_uuid(), 'scheduled', 'hr', now(), now(), '{}');
        insert into journal (offboarding_id, actor, action, result)
        select id, 'operator:bob', 'approved', 'brake' from offboardings where approved_reasons <> '{}'";
    connection.execute(row).await.unwrap();
    let text = std::fs::read_to_string(&files[ours]).unwrap();
    connection.execute(sqlx::AssertSqlSafe(text)).await.unwrap();
    let count = "select count(*) from approvals where expires_at > now() and set_size = 1";
    assert_eq!(world.number(count).await, 2);
    let bob = "select count(*) from approvals where reason = 'brake' and approved_by = 'operator:bob'";
    assert_eq!(world.number(bob).await, 1);
}
