//! Tests of faults, hooks and the journal over a real socket.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::faults::Matcher;
use crate::journal::Intent;
use crate::organisation::Id;
use crate::presets;
use crate::probe::Probe;

async fn agent() -> (Probe, Id, String) {
    let probe = Probe::start().await;
    let agent = probe
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
    let path = format!("/api/v2/tokens/{agent}");
    (probe, agent, path)
}

#[tokio::test]
async fn a_fault_before_the_effect_leaves_everything_as_it_was() {
    let (probe, agent, path) = agent().await;
    let fault = probe.simulator.inject(Fault::before(
        Matcher::operation("deleteToken"),
        Action::Answer { status: 503, code: "service.unavailable".to_owned(), retry_after_seconds: Some(3) },
    ));
    let failed = probe.delete(&path).await;
    assert_eq!((failed.status, failed.header("retry-after")), (503, "3"));
    assert_eq!(probe.simulator.person(&agent).unwrap().tokens, 2);
    assert_eq!(probe.delete(&path).await.status, 204);
    assert_eq!(probe.simulator.person(&agent).unwrap().tokens, 0);
    assert_eq!(probe.simulator.struck(fault), 1);
}

#[tokio::test]
async fn a_connection_closed_after_the_effect_loses_only_the_answer() {
    let (probe, agent, path) = agent().await;
    probe.simulator.inject(Fault::after(Matcher::changing(), Action::Close));
    assert!(probe.try_send("DELETE", &path, &Value::Null).await.is_err());
    assert_eq!(probe.simulator.person(&agent).unwrap().tokens, 0);
    let entry = probe.simulator.changing().pop().unwrap();
    assert_eq!((entry.effect, entry.answered.is_none()), (Effect::Changed, true));
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_does_not_stop_the_others() {
    let (probe, agent, path) = agent().await;
    probe.simulator.inject(Fault::before(Matcher::api().method("DELETE"), Action::Hang));
    let hanging = probe.request("DELETE", &path).timeout(Duration::from_millis(50));
    assert!(hanging.send().await.unwrap_err().is_timeout());
    assert_eq!(probe.get(&format!("/api/v2/users/{agent}")).await.status, 200);
    assert_eq!(probe.simulator.person(&agent).unwrap().tokens, 2);
}

#[tokio::test]
async fn the_nth_matching_request_is_hit_and_only_as_often_as_told() {
    let (probe, agent, _) = agent().await;
    let path = format!("/api/v2/users/{agent}");
    probe
        .simulator
        .inject(Fault::before(Matcher::api().path("/users/").nth(2).times(2), Action::too_many_requests(1)));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(probe.get(&path).await.status);
    }
    assert_eq!(statuses, [200, 429, 429, 200]);
}

#[tokio::test]
async fn answers_can_be_replaced_cut_and_rewritten() {
    let (probe, agent, _) = agent().await;
    let path = format!("/api/v2/users/{agent}");
    probe.simulator.inject(Fault::before(Matcher::api().nth(1), Action::html()));
    probe.simulator.inject(Fault::after(Matcher::api().nth(2), Action::Truncate(10)));
    let rewrite = Action::mutate(|mut user| {
        user["email"] = json!("someone.else@example.com");
        user
    });
    probe.simulator.inject(Fault::after(Matcher::api().nth(3), rewrite));
    let html = probe.try_send("GET", &path, &Value::Null).await.unwrap();
    assert_eq!((html.header("content-type"), &html.body), ("text/html", &Value::Null));
    let cut = Probe::reply(probe.request("GET", &path)).await.unwrap();
    assert_eq!((cut.header("content-length"), &cut.body), ("10", &Value::Null));
    assert_eq!(probe.get(&path).await.body["email"], "someone.else@example.com");
}

#[tokio::test]
async fn a_duplicated_request_has_its_effect_twice_and_is_answered_for_the_second() {
    let (probe, agent, _) = agent().await;
    let queue = probe.simulator.person(&agent).unwrap().queues.keys().next().unwrap().clone();
    probe.simulator.inject(Fault::after(Matcher::changing(), Action::Duplicate));
    let answer = probe.delete(&format!("/api/v2/routing/queues/{queue}/members/{agent}")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(probe.simulator.changing()[0].effect, Effect::Changed);
}

#[tokio::test]
async fn hooks_may_edit_the_organisation_between_request_and_effect() {
    let (probe, agent, path) = agent().await;
    let control = probe.simulator.control();
    let edited = agent.clone();
    let edit = move |_: &RequestInfo| {
        control.organisation(|org| org.edit(&edited, |person| person.tokens = 9));
    };
    probe.simulator.inject(Fault::before(Matcher::changing(), Action::call(edit, Then::Continue)));
    assert_eq!(probe.delete(&path).await.status, 204);
    assert_eq!(probe.simulator.person(&agent).unwrap().tokens_revoked, 9);
}

#[tokio::test]
async fn the_hook_on_every_request_sees_what_the_journal_records() {
    let (probe, agent, path) = agent().await;
    let seen = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&seen);
    probe.simulator.on_request(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let request = probe.request("DELETE", &path).header("user-agent", "probe").header("x-request-id", "r-1");
    Probe::reply(request).await.unwrap();
    probe.get(&format!("/api/v2/users/{agent}?expand=skills")).await;
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    let journal = probe.simulator.journal();
    let sequences: Vec<u64> = journal.iter().map(|entry| entry.request.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let deleted = &journal[1];
    assert_eq!(deleted.request.operation, Some("deleteToken"));
    assert_eq!(deleted.request.intent, Intent::Changes);
    assert_eq!(
        (deleted.request.user_agent.as_deref(), deleted.request.request_id.as_deref()),
        (Some("probe"), Some("r-1"))
    );
    assert_eq!((deleted.effect, deleted.token_id.as_deref()), (Effect::Changed, Some("token-1")));
    assert_eq!(deleted.answered.unwrap().status, 204);
    assert_eq!((journal[2].effect, journal[2].request.query.as_str()), (Effect::None, "expand=skills"));
    probe.assert_no_violations();
}
