//! `Idempotency-Key` on the POSTs of the operator API: one request, one effect, one answer; across replicas, and across a
//! process that dies between the effect and its answer.

use std::time::Duration;

use leaver::offboarding::{Actor, OffboardingId};
use leaver::store::StoreError;
use leaver::store::decisions::{Decided, Decision};
use leaver::store::idempotency::{self, Claimed, KeyedRequest};
use serde_json::{Value, json};

use crate::edge::{Answer, put};
use crate::process::until;
use crate::support::{ALICE, BOB, Service, World, client, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];

/// Far below the time for which a claim holds.
const PATIENCE: Duration = Duration::from_secs(20);

async fn post(service: &Service, path: &str, token: &str, key: &str, body: Option<&Value>) -> Answer {
    let request = client().post(format!("{}/api/v1{path}", service.admin)).bearer_auth(token);
    let request = request.header("idempotency-key", key);
    Answer::to(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

async fn open(service: &Service, name: &str) -> String {
    let (status, receipt) = service.deliver(&termination(name, name, &format!("{name}@example.com"))).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["offboardings"][0]["id"].as_str().expect("an id").to_owned()
}

fn layoff() -> Value {
    let now = chrono::Utc::now();
    let hour = chrono::TimeDelta::hours(1);
    json!({"reason": "site closes", "from": (now - hour).to_rfc3339(), "until": (now + hour).to_rfc3339(),
        "people": ["jane@example.com"]})
}

/// What the process leaves behind that dies after the action's commit.
pub(crate) async fn lose_the_answers(world: &World) {
    world
        .sql(
            "update idempotency_keys set status = null, body = null, content_type = null,
                 claimed_until = now() - interval '1 second'",
        )
        .await;
}

/// One POST of each verb, with the number that says how often it was carried out.
struct Verb {
    name: &'static str,
    path: String,
    token: &'static str,
    body: Option<Value>,
    effects: &'static str,
}

/// Prepares a world in which each verb is possible once.
async fn verbs(world: &World, service: &Service) -> Vec<Verb> {
    let entries =
        |name: &'static str, path: String, token, effects| Verb { name, path, token, body: None, effects };
    let of = |id: &str, verb: &str| format!("/offboardings/{id}/{verb}");
    let (failed, held, other, done) = (
        open(service, "failed").await,
        open(service, "held").await,
        open(service, "other").await,
        open(service, "done").await,
    );
    put(world, &failed, "failed", Some("attempts_exhausted")).await;
    put(world, &held, "held", Some("brake")).await;
    put(world, &other, "held", Some("brake")).await;
    put(world, &done, "failed", Some("attempts_exhausted")).await;
    world.sql("update offboardings set changes_began_at = now() where external_id = 'done'").await;
    let cancelled = open(service, "cancelled").await;
    let planned = post(service, "/layoffs", ALICE, "planned", Some(&layoff())).await.json();
    let (layoff_id, digest) = (planned["id"].as_str().unwrap(), planned["digest"].as_str().unwrap());
    let mut all = vec![
        entries(
            "retry",
            of(&failed, "retry"),
            ALICE,
            "select count(*) from journal where action = 'retried'",
        ),
        entries(
            "cancel",
            of(&cancelled, "cancel"),
            ALICE,
            "select count(*) from journal where action = 'cancelled'",
        ),
        entries(
            "restore",
            of(&done, "restore"),
            ALICE,
            "select count(*) from journal where action = 'restore_requested'",
        ),
        entries(
            "approve",
            of(&held, "approve"),
            BOB,
            "select count(*) from journal where action = 'approved' and result = 'brake'
            and offboarding_id = (select id from offboardings where external_id = 'held')",
        ),
        entries(
            "approve many",
            "/offboardings/approve".to_owned(),
            BOB,
            "select count(*) from journal where action = 'approved'
            and offboarding_id = (select id from offboardings where external_id = 'other')",
        ),
        entries(
            "offboard",
            "/offboardings".to_owned(),
            ALICE,
            "select count(*) from events where source = 'operator'",
        ),
        entries("plan a layoff", "/layoffs".to_owned(), ALICE, "select count(*) - 1 from layoffs"),
        entries(
            "approve a layoff",
            format!("/layoffs/{layoff_id}/approve"),
            BOB,
            "select count(*) from layoffs where approved_at is not null",
        ),
        entries(
            "cancel a layoff",
            format!("/layoffs/{layoff_id}/cancel"),
            ALICE,
            "select count(*) from layoffs where cancelled_at is not null",
        ),
        entries(
            "replay",
            "/events/cancelled/replay".to_owned(),
            ALICE,
            "select count(*) from events where event_id = 'cancelled'",
        ),
    ];
    all[4].body = Some(json!({"ids": [other]}));
    all[5].body = Some(json!({"person": "own@example.com", "reason": "left"}));
    all[6].body = Some(layoff());
    all[7].body = Some(json!({"digest": digest}));
    all
}

#[tokio::test]
async fn every_verb_is_carried_out_once_and_answered_alike_by_every_replica() {
    let world = World::new().await;
    let (one, other) = (world.serve("", RECEIVE), world.serve("", RECEIVE));
    for Verb { name, path, token, body, effects } in verbs(&world, &one).await {
        let key = name.replace(' ', "-");
        let first = post(&one, &path, token, &key, body.as_ref()).await;
        assert!(matches!(first.status, 200 | 201) && !replayed(&first), "{name}: {}", first.text());
        for service in [&one, &other] {
            let again = post(service, &path, token, &key, body.as_ref()).await;
            assert!(replayed(&again), "{name}");
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{name}");
            assert_eq!(again.header("content-type"), Some("application/json"), "{name}");
        }
        assert_eq!(world.number(effects).await, 1, "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_a_crash_has_swallowed_is_given_without_acting_again() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    for Verb { name, path, token, body, effects } in verbs(&world, &service).await {
        let key = name.replace(' ', "-");
        let first = post(&service, &path, token, &key, body.as_ref()).await;
        assert!(matches!(first.status, 200 | 201), "{name}: {}", first.text());
        lose_the_answers(&world).await;
        let again = post(&service, &path, token, &key, body.as_ref()).await;
        assert_eq!(again.status, first.status, "{name}: {}", again.text());
        let (first, second) = (first.json(), again.json());
        for field in ["id", "status", "goal", "digest", "ids", "approved_by", "cancelled_by"] {
            assert_eq!(second[field], first[field], "{name}: {field}");
        }
        assert_eq!(world.number(effects).await, 1, "{name}");
        let third = post(&service, &path, token, &key, body.as_ref()).await;
        assert!(replayed(&third), "{name}");
        assert_eq!(third.body, again.body, "{name}");
    }
}

#[tokio::test]
async fn a_switch_that_a_crash_has_left_without_an_answer_does_not_undo_what_was_decided_since() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let why = |reason: &str| Some(json!({ "reason": reason }));
    let at = async |path, token, key, body: Option<Value>| {
        let answer = post(&service, path, token, key, body.as_ref()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    at("/pause", BOB, "b1", why("first")).await;
    at("/resume", ALICE, "a1", None).await;
    lose_the_answers(&world).await;
    at("/pause", BOB, "b2", why("second")).await;
    let again = at("/resume", ALICE, "a1", None).await;
    assert_eq!((&again["paused"], &again["reason"]), (&json!(true), &json!("second")));
    at("/resume", BOB, "b3", None).await;
    lose_the_answers(&world).await;
    let again = at("/pause", BOB, "b2", why("second")).await;
    assert_eq!(again["paused"], false, "{again}");
    let moved = "select count(*) from journal where action in ('paused', 'resumed')";
    assert_eq!(world.number(moved).await, 4);
}

#[tokio::test]
async fn a_request_that_died_before_its_effect_is_carried_out_by_the_next() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let id = open(&service, "jane").await;
    let path = format!("/offboardings/{id}/cancel");
    assert_eq!(post(&service, &path, ALICE, "k", None).await.status, 200);
    // As if neither the effect nor the answer had been committed.
    put(&world, &id, "scheduled", None).await;
    world.sql("update idempotency_keys set carried_out_at = null").await;
    lose_the_answers(&world).await;
    let carried_out = post(&service, &path, ALICE, "k", None).await;
    assert_eq!((carried_out.status, &carried_out.json()["status"]), (200, &json!("cancelled")));
    assert!(!replayed(&carried_out));
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_operator() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let (jane, john) = (open(&service, "jane").await, open(&service, "john").await);
    let path = format!("/offboardings/{jane}/cancel");
    assert_eq!(post(&service, &path, ALICE, "k", None).await.status, 200);
    let another = format!("/offboardings/{john}/cancel");
    post(&service, &another, ALICE, "k", None).await.is_problem(409, "key-reused");
    post(&service, &format!("{path}?x"), ALICE, "k", None).await.is_problem(409, "key-reused");
    post(&service, &path, ALICE, "k", Some(&json!({}))).await.is_problem(409, "key-reused");
    let of_bob = post(&service, &another, BOB, "k", None).await;
    assert!(of_bob.status == 200 && !replayed(&of_bob), "{}", of_bob.text());
    for key in ["two words".to_owned(), "k".repeat(256)] {
        post(&service, &path, ALICE, &key, None).await.is_problem(400, "bad-parameter");
    }
    post(&service, &path, "an-unknown-token-0123456789", "k", None).await.is_problem(401, "token-needed");
    assert_eq!(world.number("select count(*) from idempotency_keys").await, 2);
}

#[tokio::test]
async fn whoever_asks_while_it_is_carried_out_is_told_to_come_back() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let path = format!("/offboardings/{}/cancel", open(&service, "jane").await);
    assert_eq!(post(&service, &path, ALICE, "k", None).await.status, 200);
    lose_the_answers(&world).await;
    world.sql("update idempotency_keys set claimed_until = now() + interval '1 minute'").await;
    let told = post(&service, &path, ALICE, "k", None).await;
    assert_eq!((told.status, &told.json()["type"]), (409, &json!("urn:leaver:problem:key-in-use")));
    assert_eq!(told.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn many_at_once_on_two_replicas_have_one_effect() {
    let world = World::new().await;
    let (one, other) = (world.serve("", RECEIVE), world.serve("", RECEIVE));
    let mut asked = Vec::new();
    for number in 0..12 {
        let service = if number % 2 == 0 { &one } else { &other };
        let body =
            json!({"reason": "r", "from": "2026-01-01", "until": "2026-01-02", "people": ["a@example.com"]});
        let request = client().post(format!("{}/api/v1/layoffs", service.admin)).bearer_auth(ALICE);
        asked.push(tokio::spawn(Answer::to(request.header("idempotency-key", "k").json(&body))));
    }
    let (mut done, mut told) = (Vec::new(), 0);
    for answer in asked {
        let answer = answer.await.unwrap();
        match answer.status {
            201 => done.push(answer.body),
            409 => told += 1,
            status => panic!("{status}: {}", answer.text()),
        }
    }
    assert_eq!(done.len() + told, 12);
    assert!(!done.is_empty() && done.iter().all(|body| *body == done[0]));
    assert_eq!(world.number("select count(*) from layoffs").await, 1);
}

#[tokio::test]
async fn refusals_and_our_own_trouble_are_not_kept() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let id = open(&service, "jane").await;
    let path = format!("/offboardings/{id}/cancel");
    put(&world, &id, "cancelled", Some("cancelled_by_operator")).await;
    post(&service, &path, ALICE, "k", None).await.is_problem(409, "not-possible");
    put(&world, &id, "scheduled", None).await;
    world.sql("alter table journal rename to journal_elsewhere").await;
    post(&service, &path, ALICE, "k", None).await.is_problem(503, "unavailable");
    world.sql("alter table journal_elsewhere rename to journal").await;
    assert_eq!(world.number("select count(*) from idempotency_keys").await, 0);
    let cancelled = post(&service, &path, ALICE, "k", None).await;
    assert!(cancelled.status == 200 && !replayed(&cancelled), "{}", cancelled.text());
}

#[tokio::test]
async fn an_answer_is_forgotten_after_a_day() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let path = format!("/offboardings/{}/cancel", open(&service, "jane").await);
    assert_eq!(post(&service, &path, ALICE, "k", None).await.status, 200);
    world.sql("update idempotency_keys set created_at = now() - interval '23 hours 59 minutes'").await;
    assert!(!world.store.forget_keys().await.unwrap());
    assert!(replayed(&post(&service, &path, ALICE, "k", None).await));
    world.sql("update idempotency_keys set created_at = now() - interval '24 hours 1 second'").await;
    post(&service, &path, ALICE, "k", None).await.is_problem(409, "not-possible");
    assert_eq!(world.number("select count(*) from idempotency_keys").await, 0);
    world.sql("insert into idempotency_keys (operator, key, request_digest, claim, first_claim, claimed_until, created_at)
        select 'alice', n::text, '', gen_random_uuid(), gen_random_uuid(), now(), now() - interval '25 hours'
        from generate_series(1, 501) n").await;
    assert!(world.store.forget_keys().await.unwrap(), "there is one more than is deleted at once");
    assert!(!world.store.forget_keys().await.unwrap());
    assert_eq!(world.number("select count(*) from idempotency_keys").await, 0);
}

#[tokio::test]
async fn whoever_was_followed_by_another_can_act_no_more() {
    let world = World::new().await;
    let id: OffboardingId = world.terminate("jane@example.com").await;
    let request = KeyedRequest { operator: "alice".to_owned(), key: "k".to_owned(), digest: [7; 32] };
    let claim = async || match world.store.claim_key(&request).await.unwrap() {
        Claimed::Mine(claim) => claim,
        other @ (Claimed::Answered(_) | Claimed::InUse | Claimed::Reused) => panic!("{other:?}"),
    };
    let alice = Actor::Operator("alice".to_owned());
    let slow = claim().await;
    assert_eq!(world.store.claim_key(&request).await.unwrap(), Claimed::InUse);
    let soon = "select count(*) from idempotency_keys where claimed_until < now() + interval '61 seconds'";
    assert_eq!(world.number(soon).await, 1, "a caller gets on after a crash");
    world.sql("update idempotency_keys set claimed_until = now() - interval '1 second'").await;
    let next = claim().await;
    let late = idempotency::under(slow, world.store.decide(id, Decision::Cancel, &alice)).await;
    assert!(matches!(late, Err(StoreError::ClaimLost)), "{late:?}");
    assert_eq!(world.view(id).await.status.as_str(), "scheduled");
    let done = idempotency::under(next, world.store.decide(id, Decision::Cancel, &alice)).await;
    assert_eq!(done.unwrap(), Decided::Yes);
    assert_eq!(world.view(id).await.status.as_str(), "cancelled");
}

#[tokio::test]
async fn the_answer_is_kept_for_a_caller_who_has_hung_up() {
    use sqlx::{Connection, Executor};
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let path = format!("/offboardings/{}/cancel", open(&service, "jane").await);
    let mut other = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    other.execute("begin").await.unwrap();
    other.execute("select from offboardings for update").await.unwrap();
    let request = client().post(format!("{}/api/v1{path}", service.admin)).bearer_auth(ALICE);
    let asked = tokio::spawn(request.header("idempotency-key", "k").send());
    until("it waits for the row", PATIENCE, async || {
        world
            .number(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
            and datname = current_database()",
            )
            .await
            == 1
    })
    .await;
    asked.abort();
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.execute("rollback").await.unwrap();
    until("its answer is there", PATIENCE, async || {
        let again = post(&service, &path, ALICE, "k", None).await;
        again.status == 200 && replayed(&again)
    })
    .await;
    assert_eq!(world.number("select count(*) from journal where action = 'cancelled'").await, 1);
}
