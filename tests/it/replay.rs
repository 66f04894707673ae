//! A stored event that is read again after its profile was mended: nothing is lost to a mistake in a profile, an old event
//! never beats a newer word, and what was done is never undone.

use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::progress::Permission;
use reqwest::Method;
use serde_json::{Value, json};

use crate::brake::Hand;
use crate::commands::run;
use crate::order_of_events::{JANE, changes_about, small_person};
use crate::stepped::ended;
use crate::support::{ALICE, HRIS_SECRET, Service, World, signed, termination};

const RECEIVE: &[&str] = &["serve", "--no-worker"];

/// A mistake: the rule waits for another word.
const OTHER_WORD: &str =
    "[[sources.workday.rules]]\nwhen = [[\"event\", \"in\", [\"worker.left\"]]]\ndo = \"terminate\"";

/// A mistake: the people of a delivery are said to be somewhere else; and where they are.
const ITEMS_ELSEWHERE: &str = "[sources.workday.map]\nitems = \"/workers\"";
const ITEMS: &str = "[sources.workday.map]\nitems = \"/people\"";

async fn replay(service: &Service, id: &str) -> Value {
    let path = format!("/api/v1/events/{id}/replay");
    let (status, answer) = service.api(Method::POST, &path, ALICE).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn refused(service: &Service, id: &str, word: &str) {
    let path = format!("/api/v1/events/{id}/replay");
    let (status, problem) = service.api(Method::POST, &path, ALICE).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:leaver:problem:not-possible")), "{problem}");
    assert!(problem["title"].as_str().unwrap().contains(word), "{problem}");
}

async fn event(service: &Service, id: &str) -> Value {
    let (status, event) = service.api(Method::GET, &format!("/api/v1/events/{id}"), ALICE).await;
    assert_eq!(status, 200, "{event}");
    event
}

fn offboarding(answer: &Value) -> OffboardingId {
    let id = answer["events"][0]["offboarding_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    OffboardingId(id.parse().unwrap())
}

fn results(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["result"].as_str().unwrap()).collect()
}

/// The day so many days from now.
fn day(days: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::days(days)).format("%Y-%m-%d").to_string()
}

/// Everything that a replay may write.
async fn everything(world: &World) -> [i64; 4] {
    [
        world.number("select count(*) from events").await,
        world.number("select count(*) from event_replays").await,
        world.number("select count(*) from offboardings").await,
        world.number("select count(*) from journal").await,
    ]
}

fn of_three(ids: [&str; 3]) -> Value {
    json!({"people": ids.map(|id| termination(id, id, &format!("{id}@example.com")))})
}

#[tokio::test]
async fn an_ignored_termination_takes_its_person_out_once_the_rule_is_mended() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| small_person(org, JANE));
    let body = termination("e1", "W1", JANE);
    let service = world.serve(OTHER_WORD, RECEIVE);
    assert_eq!(service.deliver(&body).await.1["status"], "ignored");
    let before = event(&service, "e1").await;
    assert_eq!((&before["disposition"], &before["directive"]), (&json!("ignored"), &Value::Null));
    assert_eq!(replay(&service, "e1").await["status"], "unchanged", "the profile is the same");
    drop(service);

    let service = world.serve("", RECEIVE);
    let answer = replay(&service, "e1").await;
    assert_eq!((&answer["status"], results(&answer)), (&json!("replayed"), vec!["updated"]), "{answer}");
    assert_eq!(answer["warnings"], json!([]));
    let id = offboarding(&answer);
    let view = world.view(id).await;
    let replayed = view.journal.as_ref().unwrap().iter().find(|entry| entry.action == "event_replayed");
    let replayed = replayed.unwrap();
    assert_eq!((replayed.actor.as_str(), replayed.target.as_deref()), ("operator:alice", Some("e1")));
    let after = event(&service, "e1").await;
    for same in ["id", "received_at", "key_index", "body", "event_id"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!((&after["disposition"], &after["said"]), (&json!("accepted"), &json!("leaves")));
    let [history] = after["replays"].as_array().unwrap().as_slice() else { panic!("{after}") };
    assert_eq!(history["actor"], "operator:alice");
    assert_eq!(
        (&history["before"]["disposition"], &history["after"]["disposition"]),
        (&json!("ignored"), &json!("accepted"))
    );

    let (status, again) = service.deliver(&body).await;
    assert_eq!((status, &again["status"]), (200, &json!("duplicate")));
    assert_eq!(again["offboardings"][0]["id"], json!(id));
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    assert!(changes_about(&world, &jane) > 0);
    let settled = everything(&world).await;
    assert_eq!(replay(&service, "e1").await["status"], "unchanged");
    assert_eq!(everything(&world).await, settled, "twice is once");
    assert_eq!(service.deliver(&body).await.0, 200);
}

#[tokio::test]
async fn a_date_that_is_found_at_last_moves_what_was_held_for_it() {
    // With an id of the sender's, and with one that is derived from the fields, among them the date.
    for with_id in [true, false] {
        let world = World::new().await;
        let mut body = termination("e1", "W1", JANE);
        // By the sender's own clock the two readings are of one moment.
        body["timestamp"] = json!("2026-01-31T18:42:00Z");
        if !with_id {
            body.as_object_mut().unwrap().remove("eventId");
        }
        let service = world.serve("[sources.workday.map]\neffective = \"/lastDay\"", RECEIVE);
        let (_, held) = service.deliver(&body).await;
        assert_eq!(held["status"], "held");
        let key = held["event_id"].as_str().unwrap().to_owned();
        drop(service);
        let service = world.serve("", RECEIVE);
        let answer = replay(&service, &key).await;
        let expected = if with_id { vec!["updated"] } else { vec!["new", "replaced"] };
        assert_eq!((results(&answer), &answer["warnings"]), (expected, &json!([])), "{answer}");
        assert_eq!(json!(offboarding(&answer)), held["offboardings"][0]["id"], "the same offboarding");
        let view = world.view(offboarding(&answer)).await;
        assert_eq!(ended(&view), (Status::Scheduled, None), "{:#?}", view.journal);
        assert_eq!(service.deliver(&body).await.0, 200);
        let settled = everything(&world).await;
        assert_eq!(replay(&service, &key).await["status"], "unchanged");
        assert_eq!((everything(&world).await, settled[2]), (settled, 1));
    }
}

#[tokio::test]
async fn an_unreadable_body_becomes_the_events_that_were_in_it_and_leaves_no_ghost() {
    let world = World::new().await;
    let body = of_three(["p1", "p2", "p3"]);
    let service = world.serve(ITEMS_ELSEWHERE, RECEIVE);
    let (_, held) = service.deliver(&body).await;
    assert_eq!(held["status"], "held");
    let (key, ghost) = (held["event_id"].as_str().unwrap().to_owned(), &held["offboardings"][0]["id"]);
    assert_eq!(event(&service, &key).await["unreadable"], "items_not_array");
    let before = event(&service, &key).await;
    // Something else arrives in between.
    drop(service);
    let service = world.serve(ITEMS, RECEIVE);
    service.deliver(&of_three(["q1", "q2", "q3"])).await;
    let answer = replay(&service, &key).await;
    assert_eq!((results(&answer), &answer["warnings"]), (vec!["new", "new", "new", "replaced"], &json!([])));
    let ghost = world.view(OffboardingId(ghost.as_str().unwrap().parse().unwrap())).await;
    assert_eq!(ended(&ghost), (Status::Cancelled, Some(Reason::Replayed)));
    let cancelled = ghost.journal.unwrap().into_iter().find(|entry| entry.action == "cancelled").unwrap();
    assert_eq!(cancelled.actor, "operator:alice");
    let pointers = cancelled.target.unwrap();
    for new in answer["events"].as_array().unwrap().iter().take(3) {
        assert!(pointers.contains(new["offboarding_id"].as_str().unwrap()), "{pointers}");
        let new = event(&service, new["id"].as_str().unwrap()).await;
        assert_eq!((&new["received_at"], &new["body"]), (&before["received_at"], &before["body"]));
    }
    assert_eq!(world.number("select count(*) from offboardings where status = 'held'").await, 0);
    let late = "select count(*) from events p join events q on p.event_id like 'p%' and q.event_id like 'q%'
                and p.arrival > q.arrival";
    assert_eq!(world.number(late).await, 0, "the place in the order of arrival stays");
    assert_eq!(service.deliver(&body).await.1["status"], "duplicate");
    let settled = everything(&world).await;
    for again in [key.as_str(), "p2"] {
        assert_eq!(replay(&service, again).await["status"], "unchanged");
    }
    assert_eq!(everything(&world).await, settled);
}

#[tokio::test]
async fn one_bad_item_of_a_batch_is_mended_and_the_others_stay() {
    let world = World::new().await;
    let mut body = of_three(["p1", "p2", "p3"]);
    let bad = body["people"][1].as_object_mut().unwrap();
    let date = bad.remove("terminationDate").unwrap();
    bad.insert("lastDay".to_owned(), date);
    let service = world.serve(ITEMS, RECEIVE);
    assert_eq!(service.deliver(&body).await.1["status"], "accepted");
    assert_eq!(event(&service, "p2").await["reason"], "effective_date_missing");
    drop(service);
    let both = format!("{ITEMS}\neffective = [\"/terminationDate\", \"/lastDay\"]");
    let service = world.serve(&both, RECEIVE);
    // By any of the delivery's events.
    let answer = replay(&service, "p3").await;
    assert_eq!(results(&answer), ["unchanged", "updated", "unchanged"], "{answer}");
    assert_eq!(world.number("select count(*) from offboardings where status = 'scheduled'").await, 3);
    assert_eq!(world.number("select count(*) from event_replays").await, 1);
}

#[tokio::test]
async fn an_old_event_never_beats_a_newer_word() {
    let world = World::new().await;
    let leaves = |id: &str, date: &str| json!({"people": [{"event": "worker.terminated", "eventId": id, "email": JANE, "terminationDate": date}]});
    let service = world.serve(ITEMS_ELSEWHERE, RECEIVE);
    let (_, held) = service.deliver(&leaves("old", &day(20))).await;
    drop(service);
    let service = world.serve(ITEMS, RECEIVE);
    let (_, newer) = service.deliver(&leaves("newer", &day(5))).await;
    let id = OffboardingId(newer["offboardings"][0]["id"].as_str().unwrap().parse().unwrap());
    let before = world.view(id).await.effective_at;
    let answer = replay(&service, held["event_id"].as_str().unwrap()).await;
    assert_eq!(offboarding(&answer), id);
    assert_eq!(world.view(id).await.effective_at, before);
}

#[tokio::test]
async fn another_person_is_taken_and_the_first_is_held_for_the_operator() {
    let world = World::new().await;
    let body = json!({"event": "worker.terminated", "eventId": "e1", "email": JANE, "workerId": "W1",
        "manager": {"email": "boss@example.com", "id": "W9"}, "terminationDate": day(3)});
    let wrong = "[sources.workday.map]\nemail = \"/manager/email\"\nexternal_id = \"/manager/id\"";
    let service = world.serve(wrong, RECEIVE);
    let boss = service.deliver(&body).await.1["offboardings"][0]["id"].as_str().unwrap().to_owned();
    drop(service);
    let service = world.serve("", RECEIVE);
    let answer = replay(&service, "e1").await;
    let jane = world.view(offboarding(&answer)).await;
    assert_eq!((jane.person.email.as_deref(), jane.status), (Some(JANE), Status::Scheduled));
    let [warning] = answer["warnings"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert!(warning.as_str().unwrap().contains(&boss), "{warning}");
    let boss = world.view(OffboardingId(boss.parse().unwrap())).await;
    assert_eq!((boss.person.email.as_deref(), boss.status), (Some("boss@example.com"), Status::Held));
    assert_eq!(boss.reason, Some(leaver::offboarding::Reason::ContradictoryEvents));
    assert!(boss.journal.unwrap().iter().any(|entry| entry.action == "event_replayed"));
}

#[tokio::test]
async fn what_was_carried_out_is_neither_undone_nor_done_again() {
    let world = World::new().await;
    world.simulator.organisation(|org| small_person(org, JANE));
    let service = world.serve("", RECEIVE);
    // Without an id of the sender's: the derived one follows the type.
    let mut body = termination("e1", "W1", JANE);
    body.as_object_mut().unwrap().remove("eventId");
    body["why"] = json!("involuntary");
    let (_, accepted) = service.deliver(&body).await;
    let id = OffboardingId(accepted["offboardings"][0]["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(world.work_to_the_end(&world.engine(), id).await.status, Status::Done);
    let changes = world.simulator.changing().len();
    drop(service);
    let service = world.serve("[sources.workday.map]\ntype = \"/why\"", RECEIVE);
    let answer = replay(&service, accepted["event_id"].as_str().unwrap()).await;
    assert_eq!((offboarding(&answer), results(&answer)), (id, vec!["new", "replaced"]));
    assert_eq!(world.view(id).await.status, Status::Done);
    drop(service);
    let service = world.serve(&format!("{OTHER_WORD}\n[sources.workday.map]\ntype = \"/why\""), RECEIVE);
    let answer = replay(&service, accepted["event_id"].as_str().unwrap()).await;
    assert!(answer["warnings"][0].as_str().unwrap().contains("is done"), "{answer}");
    drop(service);
    // Nor where it turns out to have meant another moment.
    let more = "[sources.workday.map]\ntype = \"/why\"\neffective_at = \"start_of_day\"";
    let service = world.serve(more, RECEIVE);
    replay(&service, accepted["event_id"].as_str().unwrap()).await;
    assert_eq!(world.number("select count(*) from offboardings").await, 1);
    assert_eq!((world.view(id).await.status, world.simulator.changing().len()), (Status::Done, changes));
}

#[tokio::test]
async fn what_is_old_by_now_waits_for_a_person() {
    let world = World::new().await;
    let mut body = termination("e1", "W1", JANE);
    body["terminationDate"] = json!(day(-40));
    let service = world.serve(OTHER_WORD, RECEIVE);
    service.deliver(&body).await;
    drop(service);
    let service = world.serve("", RECEIVE);
    let answer = replay(&service, "e1").await;
    assert_eq!(ended(&world.view(offboarding(&answer)).await), (Status::Held, Some(Reason::StaleEvent)));
    // And what was in time when it came is no new event for having grown old since.
    let mut timely = termination("e2", "W2", "john@example.com");
    timely["terminationDate"] = json!(day(-40));
    service.deliver(&timely).await;
    world.sql("update events set disposition = 'accepted', reason = null where event_id = 'e2'").await;
    assert_eq!(replay(&service, "e2").await["status"], "unchanged");
}

#[tokio::test]
async fn a_word_of_the_hris_about_the_same_person_counts_as_it_would_have_then() {
    let world = World::new().await;
    let service = world.serve(OTHER_WORD, RECEIVE);
    let mut body = termination("e1", "W1", JANE);
    body["terminationDate"] = json!(day(3));
    service.deliver(&body).await;
    drop(service);
    let service = world.serve("", RECEIVE);
    let stays =
        json!({"event": "worker.termination_rescinded", "eventId": "e2", "workerId": "W1", "email": JANE});
    service.deliver(&stays).await;
    let answer = replay(&service, "e1").await;
    let view = world.view(offboarding(&answer)).await;
    assert_eq!(ended(&view), (Status::Cancelled, Some(Reason::Rescinded)), "taken back after it was sent");
}

#[tokio::test]
async fn replays_and_redeliveries_at_the_same_time_have_one_effect() {
    let world = World::new().await;
    let body = of_three(["p1", "p2", "p3"]);
    let service = world.serve(ITEMS_ELSEWHERE, RECEIVE);
    let (_, held) = service.deliver(&body).await;
    let key = held["event_id"].as_str().unwrap();
    drop(service);
    let services = [world.serve(ITEMS, RECEIVE), world.serve(ITEMS, RECEIVE)];
    let bytes = body.to_string();
    let path = format!("/api/v1/events/{key}/replay");
    let replays = (0..6).map(|n| services[n % 2].api(Method::POST, &path, ALICE));
    let deliveries = (0..6).map(|n| signed(&services[n % 2].public, bytes.as_bytes(), HRIS_SECRET).send());
    let (replays, deliveries) =
        tokio::join!(futures_util::future::join_all(replays), futures_util::future::join_all(deliveries));
    // Where the machine is slow, one may not get its lock in time and is told to come back.
    for (status, answer) in replays {
        assert!([200, 503].contains(&status), "{answer}");
    }
    for answer in deliveries {
        assert!([200, 202, 503].contains(&answer.unwrap().status().as_u16()));
    }
    replay(&services[0], key).await;
    assert_eq!(services[1].deliver(&body).await.0, 200);
    assert_eq!(world.number("select count(*) from events").await, 4);
    assert_eq!(world.number("select count(*) from offboardings").await, 4);
    assert_eq!(world.number("select count(*) from offboardings where status = 'scheduled'").await, 3);
    assert_eq!(world.number("select count(*) from offboardings where reason = 'replayed'").await, 1);
}

#[tokio::test]
async fn replays_at_the_same_time_of_an_event_that_names_nobody_hold_it_once() {
    let world = World::new().await;
    let service = world.serve(OTHER_WORD, RECEIVE);
    service.deliver(&json!({"event": "worker.terminated", "eventId": "e1", "terminationDate": day(0)})).await;
    drop(service);
    let service = world.serve("", RECEIVE);
    let replays = (0..5).map(|_| service.api(Method::POST, "/api/v1/events/e1/replay", ALICE));
    for (status, answer) in futures_util::future::join_all(replays).await {
        assert!([200, 503].contains(&status), "{answer}");
    }
    replay(&service, "e1").await;
    let [_, replays, offboardings, _] = everything(&world).await;
    assert_eq!((replays, offboardings), (1, 1));
}

#[tokio::test]
async fn a_worker_that_holds_the_lease_makes_no_call_by_the_old_reading() {
    let world = World::new().await;
    let body = json!({"event": "worker.terminated", "eventId": "e1", "email": JANE, "workerId": "W1",
        "noticeDate": day(-3), "terminationDate": day(5)});
    let service = world.serve("[sources.workday.map]\neffective = \"/noticeDate\"", RECEIVE);
    let id = service.deliver(&body).await.1["offboardings"][0]["id"].as_str().unwrap().to_owned();
    let id = OffboardingId(id.parse().unwrap());
    drop(service);
    let hand = Hand::on(&world).await;
    assert!(world.view(id).await.lease_until.is_some());
    let service = world.serve("", RECEIVE);
    assert_eq!(offboarding(&replay(&service, "e1").await), id);
    let view = world.view(id).await;
    assert!(view.lease_until.is_none() && view.effective_at > chrono::Utc::now());
    let (permission, _) = hand.begin(&world, id, "00000000-0000-4000-8000-000000000001", None).await;
    assert_eq!(permission, Permission::LeaseLost);
}

#[tokio::test]
async fn what_has_no_profile_or_none_that_fits_is_refused_and_stays() {
    let world = World::new().await;
    let second =
        format!("[sources.second]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{HRIS_SECRET}\"]");
    let service = world.serve(&second, RECEIVE);
    service.deliver(&termination("e1", "W1", JANE)).await;
    let own = json!({"person": "john@example.com", "reason": "r"});
    assert_eq!(crate::approvals::post(&service, "/offboardings", ALICE, &own).await.status, 201);
    world.sql("update events set event_id = 'own' where source = 'operator'").await;
    refused(&service, "own", "operator").await;
    world.sql("update events set source = 'gone' where event_id = 'e1'").await;
    refused(&service, "e1", "not configured").await;
    world.sql("update events set source = 'second' where event_id = 'e1'").await;
    drop(service);
    let broken = format!("{second}\n[sources.second.map]\nitems = \"/people\"");
    let service = world.serve(&broken, RECEIVE);
    let settled = everything(&world).await;
    refused(&service, "e1", "items_not_array").await;
    assert_eq!(everything(&world).await, settled);
    let said = "select count(*) from events where event_id = 'e1' and said = 'leaves'";
    assert_eq!(world.number(said).await, 1, "what it said still counts");
}

#[tokio::test]
async fn an_id_of_another_delivery_is_not_taken_over() {
    let world = World::new().await;
    let service = world.serve(ITEMS_ELSEWHERE, RECEIVE);
    let (_, held) = service.deliver(&of_three(["p1", "p2", "p3"])).await;
    drop(service);
    let service = world.serve(ITEMS, RECEIVE);
    let other = json!({"people": [termination("p2", "W7", "somebody.else@example.com")]});
    service.deliver(&other).await;
    let settled = everything(&world).await;
    refused(&service, held["event_id"].as_str().unwrap(), "another delivery").await;
    assert_eq!(everything(&world).await, settled);
}

#[tokio::test]
async fn what_the_sender_sent_again_meanwhile_is_known_and_the_unreadable_one_ends() {
    let world = World::new().await;
    let body = of_three(["p1", "p2", "p3"]);
    let service = world.serve(ITEMS_ELSEWHERE, RECEIVE);
    let (_, held) = service.deliver(&body).await;
    drop(service);
    let service = world.serve(ITEMS, RECEIVE);
    assert_eq!(service.deliver(&body).await.1["status"], "accepted");
    let answer = replay(&service, held["event_id"].as_str().unwrap()).await;
    assert_eq!(results(&answer), ["unchanged", "unchanged", "unchanged", "replaced"]);
    assert_eq!(world.number("select count(*) from offboardings where status = 'scheduled'").await, 3);
    assert_eq!(world.number("select count(*) from offboardings where reason = 'replayed'").await, 1);
}

#[tokio::test]
async fn the_command_line_lists_shows_and_replays() {
    let world = World::new().await;
    let service = world.serve(OTHER_WORD, RECEIVE);
    service.deliver(&termination("e 1/ü", "W1", JANE)).await;
    service.deliver(&json!({"event": "worker.hired\u{1b}[31m", "eventId": "e2", "email": JANE})).await;
    drop(service);
    let (wrong, good) = (world.config(OTHER_WORD), world.config(""));
    let listed = run(&wrong, &["events", "--disposition", "ignored"]).await;
    for word in ["no rule matched", "worker.terminated", "worker.hired[31m"] {
        assert!(listed.done().out.contains(word), "{word}: {listed:?}");
    }
    let one = run(&wrong, &["events", "--event", "worker.terminated", "--json"]).await.done().json();
    assert_eq!((one["items"].as_array().unwrap().len(), &one["items"][0]["event_id"]), (1, &json!("e 1/ü")));
    assert!(run(&wrong, &["events", "--source", "nobody"]).await.done().out.contains("no events"));
    run(&wrong, &["events", "--disposition", "lost"]).await.failed(2, &["--disposition", "lost"]);
    run(&wrong, &["events", "--limit", "0"]).await.failed(2, &["--limit"]);
    run(&wrong, &["event", "nothing"]).await.failed(1, &["nothing"]);
    assert!(run(&wrong, &["replay", "e 1/ü"]).await.done().out.contains("unchanged"));
    let replayed = run(&good, &["replay", "e 1/ü", "--source", "workday", "--json"]).await.done().json();
    assert_eq!(ended(&world.view(offboarding(&replayed)).await), (Status::Scheduled, None));
    let shown = run(&good, &["event", "e 1/ü"]).await;
    for word in ["accepted", "terminationDate", "operator:carol (command line)", "ignored -> accepted"] {
        assert!(shown.done().out.contains(word), "{word}: {shown:?}");
    }
    world.sql("update events set source = 'gone'").await;
    run(&good, &["replay", "e 1/ü"]).await.failed(1, &["not configured"]);
}
