//! Receivers that are away, slow or hostile, and senders that die.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::Utc;
use leaver::offboarding::Actor;
use leaver::store::callbacks::{Health, Next, Tried};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::receiver::{Receiver, Reply};
use super::*;
use crate::process::{Worker, until};

const PATIENCE: Duration = Duration::from_secs(60);

async fn only(world: &World) -> CallbackView {
    let mut all = outbox(world).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_under_the_same_id_and_a_new_signature() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let elsewhere = Receiver::start().await;
    let notifier = announced(&world, &target("hris", &receiver)).await;
    held(&world, "brake").await;
    let answers = [
        (Reply::of(500), "answers 500"),
        (Reply::of(404), "refuses it (404)"),
        (Reply::with(302, "location", &elsewhere.url), "redirects (302), which is not followed"),
        (Reply::with(307, "location", &elsewhere.url), "redirects (307), which is not followed"),
        (Reply::of(429), "wants fewer calls (429)"),
        (Reply::of(503), "answers 503"),
    ];
    for (tries, (reply, words)) in (1..).zip(&answers) {
        receiver.next(std::slice::from_ref(reply));
        make_due(&world).await;
        assert_eq!(drain(&notifier).await, 1, "{words}");
        let view = only(&world).await;
        assert_eq!((view.status.as_str(), view.attempts), ("waiting", tries));
        assert_eq!(view.last_result.as_deref(), Some(*words));
        let next = view.next_attempt_at.unwrap() - Utc::now();
        assert!(next > chrono::TimeDelta::zero() && next < chrono::TimeDelta::seconds(5 << tries), "{next}");
    }
    make_due(&world).await;
    assert_eq!(drain(&notifier).await, 1);
    assert_eq!(only(&world).await.status.as_str(), "delivered");
    let got = receiver.got();
    assert_eq!(got.len(), answers.len() + 1);
    assert!(got.iter().all(|one| one.header("webhook-id") == got[0].header("webhook-id")));
    assert!(got.iter().all(|one| one.body == got[0].body && one.is_proven_with(OLD_KEY)));
    assert_eq!(elsewhere.got().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_says_when_is_not_called_before() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let notifier = announced(&world, &target("hris", &receiver)).await;
    held(&world, "brake").await;
    held_too(&world).await;
    receiver.next(&[Reply::with(429, "retry-after", "120")]);
    drain(&notifier).await;
    assert_eq!(receiver.got().len(), 1, "the other one waits too");
    let waits = outbox(&world).await.into_iter().filter(|view| view.attempts == 1);
    let waits: Vec<_> = waits.map(|view| view.next_attempt_at.unwrap() - Utc::now()).collect();
    assert!(waits.len() == 1 && waits[0].num_seconds() >= 115, "{waits:?}");
    // A receiver that asks for years is not believed.
    make_due(&world).await;
    receiver.always(Reply::with(503, "retry-after", "99999999"));
    assert_eq!(drain(&notifier).await, 1);
    let longest = outbox(&world).await.into_iter().filter_map(|view| view.next_attempt_at).max().unwrap();
    assert!(longest - Utc::now() <= chrono::TimeDelta::hours(1));
}

async fn held_too(world: &World) {
    let id = world.terminate("second@example.com").await;
    hold(world, id, "brake").await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_or_was_tried_for_days_is_given_up() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let notifier = announced(&world, &target("hris", &receiver)).await;
    held(&world, "brake").await;
    receiver.next(&[Reply::of(410)]);
    drain(&notifier).await;
    let view = only(&world).await;
    assert_eq!((view.status.as_str(), view.next_attempt_at), ("gave_up", None));
    assert_eq!(view.last_result.as_deref(), Some("answers 410: it is gone for good"));
    held_too(&world).await;
    receiver.always(Reply::of(500));
    drain(&notifier).await;
    make_due(&world).await;
    world
        .sql("update callbacks set failing_since = now() - interval '71 hours' where status = 'waiting'")
        .await;
    drain(&notifier).await;
    assert_eq!(outbox(&world).await[1].status.as_str(), "waiting");
    make_due(&world).await;
    world
        .sql("update callbacks set failing_since = now() - interval '73 hours' where status = 'waiting'")
        .await;
    drain(&notifier).await;
    let last = outbox(&world).await.pop().unwrap();
    assert_eq!((last.status.as_str(), last.last_result.as_deref()), ("gave_up", Some("answers 500")));
}

#[tokio::test]
async fn one_that_hangs_or_can_not_be_reached_is_given_back() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut away = receiver.clone();
    away.url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let notifier = announced(&world, &(target("away", &away) + &target("hung", &receiver))).await;
    receiver.always(Reply::after(204, Duration::from_secs(30)));
    held(&world, "brake").await;
    // While one hangs the other may be tried again.
    assert!((2..=4).contains(&drain(&notifier).await));
    let mut words: Vec<_> = outbox(&world).await.into_iter().filter_map(|view| view.last_result).collect();
    words.sort();
    assert_eq!(words, ["can't be reached", "no answer in time"]);
}

#[tokio::test]
async fn a_sender_that_is_killed_before_it_has_the_answer_is_followed_by_another_with_the_same_id() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let config = world.config(&target("hris", &receiver));
    announced(&world, &target("hris", &receiver)).await;
    held(&world, "brake").await;
    receiver.next(&[Reply::after(204, Duration::from_secs(9))]);
    let killed = Worker::start(&config);
    until("a message has come", PATIENCE, async || !receiver.got().is_empty()).await;
    killed.kill();
    assert_eq!(only(&world).await.status.as_str(), "waiting");
    // Its time runs out.
    make_due(&world).await;
    let next = Worker::start(&config);
    until("it was delivered", PATIENCE, async || only(&world).await.status.as_str() == "delivered").await;
    next.kill();
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert!(!next.log().contains(CANARY) && !killed.log().contains(CANARY));
}

#[tokio::test]
async fn two_senders_send_each_one_once() {
    const COUNT: usize = 60;
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let more = target("hris", &receiver);
    let (one, other) = (announced(&world, &more).await, announced(&world, &more).await);
    let id = held(&world, "brake").await;
    let rows = format!(
        "insert into callbacks (target, offboarding_id, event, offboarding_status, goal, effective_at)
         select 'hris', '{id}', 'offboarding.held', 'held', 'offboarded', now() from generate_series(2, {COUNT})"
    );
    run(&world, rows).await;
    let (first, second) = tokio::join!(drain(&one), drain(&other));
    assert_eq!(first + second, COUNT);
    assert!(first > 0 && second > 0, "{first} and {second}");
    let got = receiver.got();
    let ids: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("webhook-id")).collect();
    assert_eq!((got.len(), ids.len()), (COUNT, COUNT));
}

#[tokio::test]
async fn ten_thousand_for_a_target_that_is_away_hold_up_nobody() {
    let (world, dead, alive) = (World::new().await, Receiver::start().await, Receiver::start().await);
    dead.always(Reply::of(503));
    let more = target("dead", &dead) + &target("alive", &alive) + "[worker]\npoll = \"20ms\"\n";
    announced(&world, &more).await;
    let id = held(&world, "brake").await;
    let rows = format!(
        "insert into callbacks (target, offboarding_id, event, offboarding_status, goal, effective_at)
         select 'dead', '{id}', 'offboarding.held', 'held', 'offboarded', now() from generate_series(1, 10000)"
    );
    run(&world, rows).await;
    let email = "jane@example.com";
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, "jane", email, "Jane"));
    let jane = world.terminate(email).await;
    let service = world.serve(&more, &["serve"]);
    until("the living one is told of the end", PATIENCE, async || alive.got().len() >= 2).await;
    assert!(alive.told().contains(&("offboarding.done".to_owned(), "offboarded".to_owned())));
    assert_eq!(world.view(jane).await.status, leaver::offboarding::Status::Done);
    let calls = dead.got().len();
    assert!(calls < 40, "{calls} calls to somebody who is away");
    let waiting = service.metric("leaver_callbacks_waiting").await.unwrap();
    assert!(waiting >= 10_000.0, "{waiting}");
    assert!(service.metric("leaver_callbacks_oldest_seconds").await.unwrap() > 0.0);
    assert_eq!(service.metric("leaver_callbacks_gave_up").await, Some(0.0));
    let delivered = "leaver_callbacks_total{event=\"offboarding.done\",result=\"delivered\"}";
    assert_eq!(service.metric(delivered).await, Some(1.0));
    // Once in a while, and not once for each of ten thousand.
    let told: Vec<_> = service
        .log_lines()
        .into_iter()
        .filter(|line| line["fields"]["to"] == "dead" && line["level"] == "WARN")
        .collect();
    assert!((1..=2).contains(&told.len()), "two are tried at a time: {told:?}");
    // It comes back, and is told everything.
    dead.always(Reply::of(204));
    world.sql("update callback_targets set paused_until = null").await;
    until("it is told again", PATIENCE, async || dead.got().len() > calls + 200).await;
}

#[tokio::test]
async fn what_a_target_missed_for_days_is_given_up_together_and_what_was_delivered_is_forgotten_after_a_month()
 {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    let id = held(&world, "brake").await;
    let rows = format!(
        "insert into callbacks (target, offboarding_id, event, offboarding_status, goal, effective_at, occurred_at, status, ended_at)
         select 'hris', '{id}', 'offboarding.held', 'held', 'offboarded', now(), now() - age, status,
                case when status <> 'waiting' then now() - age end
         from (values ('waiting', interval '4 days'), ('delivered', interval '29 days'),
                      ('delivered', interval '31 days'), ('gave_up', interval '89 days'),
                      ('gave_up', interval '91 days')) as v (status, age)"
    );
    run(&world, rows).await;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    // It has been away for two days only.
    world.sql("update callback_targets set failures = 9, failing_since = now() - interval '2 days'").await;
    assert_eq!(world.store.sweep_callbacks(days(3)).await.unwrap(), []);
    world.sql("update callback_targets set failing_since = now() - interval '5 days'").await;
    assert_eq!(world.store.sweep_callbacks(days(3)).await.unwrap(), [("hris".to_owned(), 1)]);
    let mut left: Vec<_> = outbox(&world).await.into_iter().map(|view| view.status.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["delivered", "gave_up", "gave_up", "waiting"]);
}

#[tokio::test]
async fn whoever_was_followed_by_another_sender_can_only_say_that_it_has_arrived() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    let id = world.terminate(CANARY).await;
    change(&world, id, "status = 'done', outcome = 'offboarded'").await;
    let take = async || world.store.take_callback(&["hris".to_owned()]).await.unwrap().expect("one is due");
    let late = take().await;
    make_due(&world).await;
    let next = take().await;
    assert_eq!((late.id, late.attempt, next.attempt), (next.id, 1, 2));
    let worker = Actor::Worker("w".to_owned());
    let tried = |next| Tried { words: "of the late one".to_owned(), next, target: Health::Answers };
    for what in [Next::GiveUp, Next::Again(Duration::from_secs(3600))] {
        world.store.callback_tried(&late, &worker, &tried(what)).await.unwrap();
        let view = only(&world).await;
        assert_eq!((view.status.as_str(), view.next_attempt_at), ("waiting", Some(next.until)), "{what:?}");
        assert_eq!(view.last_result, None, "{what:?}");
    }
    for due in [&late, &next] {
        world.store.callback_tried(due, &worker, &tried(Next::Delivered)).await.unwrap();
        assert_eq!(only(&world).await.status.as_str(), "delivered");
    }
    let told = world.view(id).await.journal.unwrap().into_iter().filter(|entry| entry.action == "told");
    assert_eq!(told.count(), 1, "it has arrived twice and is evidence once");
}

/// So many more callbacks for a target.
async fn more_for(world: &World, target: &str, id: OffboardingId, count: usize) {
    let rows = format!(
        "insert into callbacks (target, offboarding_id, event, offboarding_status, goal, effective_at, next_attempt_at)
         select '{target}', '{id}', 'offboarding.held', 'held', 'offboarded', now(), now() - interval '1 minute'
         from generate_series(1, {count})"
    );
    run(world, rows).await;
}

#[tokio::test]
async fn the_pause_between_tries_grows_to_a_quarter_of_a_day_and_is_another_for_each() {
    const COUNT: usize = 10;
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let notifier = announced(&world, &target("hris", &receiver)).await;
    receiver.always(Reply::of(404));
    let id = held(&world, "brake").await;
    more_for(&world, "hris", id, COUNT - 1).await;
    for (tries, at_most) in [(9, 5 << 9), (60, 6 * 3600)] {
        run(&world, format!("update callbacks set attempts = {tries}, next_attempt_at = now()")).await;
        assert_eq!(drain(&notifier).await, COUNT);
        let waits = outbox(&world).await.into_iter().filter_map(|view| view.next_attempt_at);
        let waits: Vec<_> = waits.map(|at| (at - Utc::now()).num_seconds()).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most <= at_most && *most > 60, "after {tries}: {waits:?}");
        assert!(most - least > 30, "many that failed together don't return together: {waits:?}");
    }
}

#[tokio::test]
async fn a_target_that_has_failed_is_tried_with_one_at_a_time_until_somebody_repeats_one() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    let id = held(&world, "brake").await;
    more_for(&world, "hris", id, 2).await;
    let take = async || world.store.take_callback(&["hris".to_owned()]).await.unwrap();
    assert!(take().await.is_some());
    world.sql("update callback_targets set failures = 1").await;
    let one = take().await.expect("one that finds out whether it is back");
    assert!(take().await.is_none(), "while one is under way");
    let alice = Actor::Operator("alice".to_owned());
    world.store.repeat_callback(one.id, &alice).await.unwrap();
    assert!(take().await.is_some(), "whoever repeats one has mended something");
}

#[tokio::test]
async fn a_target_that_hangs_takes_two_places_and_leaves_the_others_to_others() {
    let (world, hung, alive) = (World::new().await, Receiver::start().await, Receiver::start().await);
    hung.always(Reply::after(204, Duration::from_secs(9)));
    let more = target("hung", &hung) + &target("alive", &alive) + "[worker]\npoll = \"20ms\"\n";
    announced(&world, &more).await;
    let id = held(&world, "brake").await;
    more_for(&world, "hung", id, 20).await;
    let _service = world.serve(&more, &["serve"]);
    until("the other one is told", PATIENCE, async || !alive.got().is_empty()).await;
    assert!(hung.got().len() <= 2, "{} calls to somebody who hangs", hung.got().len());
}

/// A receiver that answers 200 and goes on with its answer for ever, so many bytes at a time; and how many were taken.
async fn endless(bytes: usize, pause: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 64 * 1024]).await.unwrap() > 0, "the beginning of the message");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await.unwrap();
        let part = vec![b'x'; bytes];
        while let Ok(written) = stream.write(&part).await {
            count.fetch_add(written, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    });
    (url, taken)
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_answer_and_is_not_read_on() {
    for (bytes, pause) in [(256 * 1024, Duration::ZERO), (1, Duration::from_millis(100))] {
        let world = World::new().await;
        let (url, taken) = endless(bytes, pause).await;
        let more = format!("[[callbacks]]\nname = \"hris\"\nurl = \"{url}\"\nsecret = \"{NEW_KEY}\"\n");
        let notifier = announced(&world, &more).await;
        held(&world, "brake").await;
        let sent = tokio::time::timeout(Duration::from_secs(20), drain(&notifier)).await;
        assert_eq!(sent.expect("an end"), 1, "{bytes} at a time");
        assert_eq!(only(&world).await.status.as_str(), "delivered", "{bytes} at a time");
        let taken = taken.load(Ordering::Relaxed);
        // What both ends keep in between, and not what could be read in a second.
        assert!(taken < 16 * 1024 * 1024, "{taken} bytes");
    }
}
