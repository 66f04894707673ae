//! Thin events are looked up, and whoever is due is looked up again: a withdrawn termination often sends no event.

mod calls;

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use leaver_simulator::{Id, PersonState, presets};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hris::{HRIS_TOKEN, Hris};
use crate::support::{ALICE, BOB, HRIS_SECRET, Service, World, client, signature};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sender of thin and fat events whose HRIS can be asked; `more` is TOML of its look-up.
fn source(hris: &Hris, more: &str) -> String {
    format!(
        r#"
[policy]
not_found_recheck = "1s"
[worker]
poll = "100ms"
retry_base = "100ms"
retry_max = "400ms"
[sources.acme]
profile = "generic-worker-terminated"
secrets = ["{HRIS_SECRET}"]
[[sources.acme.rules]]
when = [["event", "in", ["worker.terminated"]]]
do = "terminate"
[[sources.acme.rules]]
when = [["event", "in", ["worker.changed"]]]
do = "lookup"
[sources.acme.lookup]
url = "{url}/people/{{external_id}}?fields=status"
requests_per_minute = 6000
timeout = "1s"
max_bytes = 4096
{more}
[sources.acme.lookup.auth]
kind = "bearer"
secret = "{HRIS_TOKEN}"
[sources.acme.lookup.map]
external_id = "/id"
email = "/mail"
status = "/status"
effective = "/leaves"
[[sources.acme.lookup.rules]]
when = [["status", "in", ["gone"]]]
do = "terminate"
[[sources.acme.lookup.rules]]
when = [["status", "in", ["works"]], ["effective", "absent"]]
do = "rescind"
[[sources.acme.lookup.rules]]
when = [["status", "in", ["works"]]]
do = "lookup"
[[sources.acme.lookup.rules]]
when = [["status", "in", ["try again"]]]
do = "ignore"
"#,
        url = hris.url
    )
}

fn in_seconds(seconds: i64) -> DateTime<Utc> {
    (Utc::now() + TimeDelta::seconds(seconds)).trunc_subsecs(3)
}

fn record(id: &str, status: &str, leaves: Option<DateTime<Utc>>) -> Value {
    json!({"id": id, "mail": format!("{id}@example.com"), "status": status,
           "leaves": leaves.map(|at| at.to_rfc3339()), "salary": "a secret of theirs"})
}

/// What is under test, and whoever is asked and changed.
struct Scene {
    world: World,
    hris: Hris,
    service: Service,
}

impl Scene {
    async fn new(more: &str) -> Self {
        let (world, hris) = (World::new().await, Hris::start().await);
        let service = world.serve(&source(&hris, more), &["serve"]);
        Self { world, hris, service }
    }

    /// Somebody who has a lot, and how they are now.
    fn user(&self, id: &str) -> (Id, PersonState) {
        let email = format!("{id}@example.com");
        let simulator = &self.world.simulator;
        let user = simulator.organisation(|org| presets::fully_assigned_agent(org, id, &email, id));
        let state = simulator.person(&user).expect("a person");
        (user, state)
    }

    async fn post(&self, body: &Value) -> Value {
        let body = body.to_string();
        let now = Utc::now().timestamp().unsigned_abs();
        let answer = client()
            .post(format!("{}/webhooks/acme", self.service.public))
            .header("content-type", "application/json")
            .header("x-timestamp", now.to_string())
            .header("x-signature", format!("sha256={}", signature(body.as_bytes(), HRIS_SECRET, now)))
            .body(body);
        let answer = answer.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.expect("a JSON answer")
    }

    /// Says only that something about somebody has changed; returns the offboarding's id.
    async fn hint(&self, event_id: &str, id: &str) -> String {
        let body = json!({"event": "worker.changed", "eventId": event_id, "workerId": id});
        self.opened(&self.post(&body).await)
    }

    async fn terminate(&self, event_id: &str, id: &str, at: DateTime<Utc>) -> String {
        let body = json!({"event": "worker.terminated", "eventId": event_id, "workerId": id,
                          "email": format!("{id}@example.com"), "terminationDate": at.to_rfc3339()});
        self.opened(&self.post(&body).await)
    }

    fn opened(&self, answer: &Value) -> String {
        answer["offboardings"][0]["id"].as_str().expect("an offboarding").to_owned()
    }

    async fn show(&self, id: &str) -> Value {
        let path = format!("/api/v1/offboardings/{id}");
        let (status, view) = self.service.api(Method::GET, &path, ALICE).await;
        assert_eq!(status, 200);
        view
    }

    /// Waits until the offboarding is as wanted.
    async fn until(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let view = self.show(id).await;
            if wanted(&view) {
                return view;
            }
            assert!(std::time::Instant::now() < end, "not {what}: {view:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the HRIS was asked so often about somebody.
    async fn asked_about(&self, person: &str, times: usize) {
        let end = std::time::Instant::now() + PATIENCE;
        while self.hris.asked_about(person) < times {
            assert!(std::time::Instant::now() < end, "not asked {times} times about {person}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the service says that an answer came too late.
    async fn answer_dropped(&self) {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read_to_string(&self.service.log).expect("its log");
            if log.contains("it changed while the HRIS was asked") {
                return;
            }
            assert!(std::time::Instant::now() < end, "no answer was dropped: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ends(&self, id: &str, status: &str, word: &str) -> Value {
        self.until(id, &format!("{status} {word}"), |view| {
            view["status"] == status && (view["outcome"] == word || view["reason"] == word)
        })
        .await
    }

    fn is_untouched(&self, (user, before): &(Id, PersonState)) -> bool {
        self.world.simulator.person(user).as_ref() == Some(before)
    }
}

fn actions(view: &Value, action: &str) -> Vec<String> {
    let journal = view["journal"].as_array().expect("a journal");
    let of_kind = journal.iter().filter(|entry| entry["action"] == action);
    of_kind.map(|entry| entry["result"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_thin_event_is_looked_up_and_carried_out() {
    let scene = Scene::new("headers = { X-Company = \"acme\" }").await;
    scene.user("jane");
    let left = in_seconds(-86_400);
    scene.hris.knows("jane", &record("jane", "gone", Some(left)));
    let id = scene.hint("e1", "jane").await;
    let view = scene.ends(&id, "done", "offboarded").await;
    assert_eq!(view["person"]["email"], "jane@example.com");
    assert_eq!(
        view["effective_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap().timestamp(),
        left.timestamp()
    );
    assert_eq!(actions(&view, "looked_up"), [format!("leaves {}", left.to_rfc3339())]);
    let asked = scene.hris.asked();
    assert_eq!(asked.len(), 1, "a fresh answer is not asked for again");
    let header = |name: &str| asked[0].headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("authorization"), format!("Bearer {HRIS_TOKEN}"));
    assert_eq!((header("x-company"), header("user-agent")), ("acme".to_owned(), "leaver/0.1.0".to_owned()));
    let stored = scene
        .world
        .number("select count(*) from events where convert_from(body, 'UTF8') like '%secret of theirs%'");
    assert_eq!(stored.await, 0, "a record holds more than this service has to know");
    let log = std::fs::read_to_string(&scene.service.log).unwrap();
    assert!(!log.contains("jane") && !log.contains(HRIS_TOKEN), "{log}");
}

#[tokio::test]
async fn whoever_stays_is_left_alone() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    scene.hris.knows("jane", &record("jane", "works", None));
    let id = scene.hint("e1", "jane").await;
    let view = scene.ends(&id, "cancelled", "rescinded").await;
    assert_eq!(actions(&view, "looked_up"), ["stays, as far as one look tells", "stays"]);
    let asked = scene.hris.asked();
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(1), "records lag behind events");
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn at_the_effective_moment_the_hris_is_asked_again() {
    let scene = Scene::new("").await;
    scene.user("jane");
    let at = in_seconds(3);
    scene.hris.knows("jane", &record("jane", "works", Some(at)));
    let id = scene.hint("e1", "jane").await;
    scene.until(&id, "scheduled", |view| view["status"] == "scheduled").await;
    scene.hris.knows("jane", &record("jane", "gone", Some(at)));
    let before = scene.hris.asked_about("jane");
    assert!(Utc::now() < at, "too slow to tell");
    let view = scene.ends(&id, "done", "offboarded").await;
    assert!(scene.hris.asked_about("jane") > before);
    assert_eq!(actions(&view, "looked_up").len(), 2);
}

#[tokio::test]
async fn a_termination_that_was_withdrawn_without_a_word_ends_as_rescinded() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    scene.hris.knows("jane", &record("jane", "works", None));
    let id = scene.terminate("e1", "jane", in_seconds(2)).await;
    assert_eq!(scene.show(&id).await["status"], "scheduled");
    assert_eq!(scene.hris.asked_about("jane"), 0, "not before its moment");
    let view = scene.ends(&id, "cancelled", "rescinded").await;
    assert_eq!(actions(&view, "lease_acquired"), Vec::<String>::new());
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn a_termination_that_was_put_off_waits_for_its_new_date() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    let later = in_seconds(86_400);
    scene.hris.knows("jane", &record("jane", "works", Some(later)));
    let id = scene.terminate("e1", "jane", in_seconds(-60)).await;
    let view = scene
        .until(&id, "moved", |view| {
            view["effective_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap().timestamp()
                == later.timestamp()
        })
        .await;
    assert_eq!(view["status"], "scheduled");
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn a_hint_about_somebody_scheduled_is_looked_up_at_once() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    let at = in_seconds(86_400);
    let id = scene.terminate("e1", "jane", at).await;
    scene.hris.knows("jane", &record("jane", "works", Some(at)));
    assert_eq!(scene.hint("e2", "jane").await, id);
    scene
        .until(&id, "scheduled again", |view| {
            view["status"] == "scheduled" && !actions(view, "looked_up").is_empty()
        })
        .await;
    scene.hris.knows("jane", &record("jane", "works", None));
    scene.hint("e3", "jane").await;
    scene.ends(&id, "cancelled", "rescinded").await;
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn an_hris_that_does_not_answer_is_asked_again_and_nothing_is_changed_meanwhile() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    scene.hris.answers("jane", 500, &[], "", Duration::ZERO);
    let id = scene.terminate("e1", "jane", in_seconds(-60)).await;
    scene.until(&id, "tried", |view| actions(view, "look_up_failed").len() >= 3).await;
    assert!(scene.is_untouched(&user));
    let slow = Duration::from_secs(3);
    scene.hris.answers("jane", 200, &[], &record("jane", "gone", Some(in_seconds(-60))).to_string(), slow);
    let timed_out = "the HRIS did not answer in time";
    scene
        .until(&id, "timed out", |view| actions(view, "look_up_failed").iter().any(|why| why == timed_out))
        .await;
    scene.hris.knows("jane", &record("jane", "try again", None));
    let no_record = "there is no record in the answer";
    scene.until(&id, "told", |view| actions(view, "look_up_failed").iter().any(|why| why == no_record)).await;
    assert!(scene.is_untouched(&user));
    // Tried as often as the policy allows, a person is told; it is asked on.
    scene.ends(&id, "held", "lookup_required").await;
    scene.hris.knows("jane", &record("jane", "gone", Some(in_seconds(-60))));
    scene.ends(&id, "done", "offboarded").await;
}

#[tokio::test]
async fn an_answer_that_can_not_be_acted_on_waits_for_a_person() {
    let scene = Scene::new("").await;
    let elsewhere = Hris::start().await;
    let gone = |id: &str| record(id, "gone", Some(in_seconds(-60))).to_string();
    let cases = [
        ("missing", 404, String::new(), "the HRIS has no such record (404)"),
        ("moved", 302, String::new(), "the HRIS redirects (302), which is not followed"),
        ("long", 200, gone("long") + &" ".repeat(5_000), "the answer is too long"),
        ("broken", 200, "{\"id\":".to_owned(), "the answer can't be read"),
        (
            "twice",
            200,
            r#"{"id":"twice","status":"works","status":"gone"}"#.to_owned(),
            "the answer can't be read",
        ),
        ("other", 200, gone("another"), "the answer is about somebody with another id"),
        ("vague", 200, record("vague", "on leave", None).to_string(), "no rule says what the answer means"),
        (
            "typed",
            200,
            r#"{"id":"typed","status":["gone"]}"#.to_owned(),
            "no rule says what the answer means",
        ),
        (
            "dateless",
            200,
            r#"{"id":"dateless","status":"gone","leaves":"soon"}"#.to_owned(),
            "the date can't be read",
        ),
    ];
    for (id, status, body, why) in &cases {
        let user = scene.user(id);
        let away = [("location", format!("{}/people/{id}", elsewhere.url))];
        scene.hris.answers(id, *status, if *status == 302 { &away } else { &[] }, body, Duration::ZERO);
        elsewhere.knows(id, &record(id, "gone", Some(in_seconds(-60))));
        for due in [false, true] {
            let offboarding = match due {
                false => scene.hint(&format!("hint {id}"), id).await,
                true => scene.terminate(&format!("fat {id}"), id, in_seconds(-60)).await,
            };
            let asked = usize::from(due) + 1;
            let view = scene
                .until(&offboarding, why, |view| {
                    view["status"] == "held"
                        && view["reason"] == "lookup_required"
                        && actions(view, "looked_up").len() + actions(view, "look_up_failed").len() == asked
                })
                .await;
            assert_eq!(actions(&view, "looked_up").last().map(String::as_str), Some(*why), "{id}");
        }
        assert!(scene.is_untouched(&user), "{id}");
    }
    assert_eq!(elsewhere.asked().len(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn an_id_never_reaches_beyond_its_place_in_the_address() {
    let scene = Scene::new("").await;
    for (event, id, path) in [
        ("e1", "../admin?x=1#y", Some("/people/..%2Fadmin%3Fx%3D1%23y")),
        ("e2", "..", None),
        ("e3", "a/../../b", Some("/people/a%2F..%2F..%2Fb")),
    ] {
        let before = scene.hris.asked().len();
        let offboarding = scene.hint(event, id).await;
        scene.until(&offboarding, "looked up", |view| !actions(view, "looked_up").is_empty()).await;
        let asked = scene.hris.asked();
        let paths: Vec<_> = asked[before..].iter().map(|asked| asked.path.as_str()).collect();
        assert_eq!(paths, path.into_iter().collect::<Vec<_>>(), "{id}");
    }
}

#[tokio::test]
async fn without_an_answer_an_approver_decides() {
    let scene = Scene::new("").await;
    scene.user("jane");
    let id = scene.terminate("e1", "jane", in_seconds(-60)).await;
    scene.ends(&id, "held", "lookup_required").await;
    let path = format!("/api/v1/offboardings/{id}/approve");
    assert_eq!(scene.service.api(Method::POST, &path, ALICE).await.0, 403);
    assert_eq!(scene.service.api(Method::POST, &path, BOB).await.0, 200);
    scene.ends(&id, "done", "offboarded").await;
    assert_eq!(scene.hris.asked_about("jane"), 1, "who was approved needs no answer");
}

#[tokio::test]
async fn an_answer_that_comes_after_a_withdrawal_is_dropped() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    let gone = record("jane", "gone", Some(in_seconds(-60))).to_string();
    scene.hris.answers("jane", 200, &[], &gone, Duration::from_millis(800));
    let id = scene.hint("e1", "jane").await;
    scene.asked_about("jane", 1).await;
    let path = format!("/api/v1/offboardings/{id}/cancel");
    assert_eq!(scene.service.api(Method::POST, &path, ALICE).await.0, 200);
    scene.answer_dropped().await;
    let view = scene.show(&id).await;
    assert_eq!((&view["status"], &view["reason"]), (&json!("cancelled"), &json!("cancelled_by_operator")));
    assert_eq!(actions(&view, "looked_up"), Vec::<String>::new());
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn an_answer_counts_as_later_than_what_was_known_whatever_the_senders_clock_says() {
    let scene = Scene::new("").await;
    let user = scene.user("jane");
    scene.hris.knows("jane", &record("jane", "works", None));
    // A sender whose clock is an hour ahead of ours.
    let body = json!({"event": "worker.terminated", "eventId": "e1", "workerId": "jane", "email": "jane@example.com",
                      "terminationDate": in_seconds(-60).to_rfc3339(), "timestamp": in_seconds(3_600).to_rfc3339()});
    let id = scene.opened(&scene.post(&body).await);
    scene.ends(&id, "cancelled", "rescinded").await;
    assert!(scene.is_untouched(&user));
}

#[tokio::test]
async fn an_answer_that_is_older_than_an_event_is_not_believed() {
    let scene = Scene::new("").await;
    scene.user("jane");
    scene.hris.knows("jane", &record("jane", "works", None));
    let id = scene.hint("e1", "jane").await;
    scene.until(&id, "asked once", |view| !actions(view, "looked_up").is_empty()).await;
    let stays = record("jane", "works", None).to_string();
    scene.hris.answers("jane", 200, &[], &stays, Duration::from_millis(900));
    let before = scene.hris.asked_about("jane");
    scene.asked_about("jane", before + 1).await;
    // While the second answer is on its way, the record is changed and an event says so.
    scene.hris.knows("jane", &record("jane", "gone", Some(in_seconds(-60))));
    assert_eq!(scene.terminate("e2", "jane", in_seconds(-60)).await, id);
    scene.ends(&id, "done", "offboarded").await;
}

#[tokio::test]
async fn the_same_answer_again_keeps_what_was_approved() {
    let scene = Scene::new("").await;
    scene.user("jane");
    let left = in_seconds(-60);
    scene.hris.knows("jane", &record("jane", "gone", Some(left)));
    let id = scene.terminate("e1", "jane", in_seconds(3)).await;
    scene.world.sql("update offboardings set status = 'held', reason = 'protected'").await;
    let path = format!("/api/v1/offboardings/{id}/approve");
    assert_eq!(scene.service.api(Method::POST, &path, BOB).await.0, 200);
    let view = scene.show(&id).await;
    let at = view["effective_at"].as_str().unwrap().parse().unwrap();
    scene.hris.knows("jane", &record("jane", "gone", Some(at)));
    scene.hint("e2", "jane").await;
    scene.ends(&id, "done", "offboarded").await;
    assert_eq!(scene.world.number("select count(*) from approvals where reason = 'protected'").await, 1);
}
