//! Events that come late, twice, in the wrong order or in contradiction: what holds in the end is what was said last at
//! the sender, whatever the worker has done meanwhile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{Actor, Goal, OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::store::decisions::{Decided, Decision};
use leaver::store::events::{Accepted, Delivery, Item};
use leaver::store::views::{Filter, View};
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Id, Joining, Person};
use sha2::{Digest, Sha256};

use crate::stepped::{by_email, ended, holdings, is_about, slim_agent, step, to_the_end};
use crate::support::World;

/// Of one small agent's offboarding, about.
const REQUESTS: usize = 40;

const JANE: &str = "jane@example.com";

/// One event of a story. Its place in the story is its time at the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Terminate,
    Rescind,
    CorrectDate,
    Rehire,
    TerminateAgain,
}

const STORY: [Event; 5] =
    [Event::Terminate, Event::Rescind, Event::CorrectDate, Event::Rehire, Event::TerminateAgain];

impl Event {
    fn leaves(self) -> bool {
        match self {
            Self::Terminate | Self::CorrectDate | Self::TerminateAgain => true,
            Self::Rescind | Self::Rehire => false,
        }
    }

    /// Days after `base` on which the person leaves.
    fn day(self) -> i64 {
        self as i64
    }
}

/// Every sequence of different events of the story, of one to five.
fn sequences() -> Vec<Vec<Event>> {
    let mut all: Vec<Vec<Event>> = STORY.iter().map(|event| vec![*event]).collect();
    let mut longest = all.clone();
    for _ in 1..STORY.len() {
        longest = longest
            .iter()
            .flat_map(|begun| {
                STORY.iter().filter(|e| !begun.contains(e)).map(|e| [&begun[..], &[*e]].concat())
            })
            .collect();
        all.extend(longest.clone());
    }
    all
}

/// What the sender said last of these, without a look at how Leaver tells.
fn said_last(delivered: &[Event]) -> Option<Event> {
    delivered.iter().copied().max()
}

fn item(person: &PersonRef, event: Event, base: DateTime<Utc>) -> Item {
    let name = format!("{:?} {event:?}", person.email);
    let at = base + TimeDelta::days(event.day());
    Item {
        event_id: name.clone(),
        content_digest: Sha256::digest(name).into(),
        person: person.clone(),
        termination_type: None,
        sequence: None,
        occurred_at: Some(DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + event.day())),
        intake: if event.leaves() { Intake::Schedule(at) } else { Intake::Rescind(None) },
    }
}

async fn deliver(world: &World, items: Vec<Item>) -> Accepted {
    let delivery =
        Delivery { source: "workday".to_owned(), key_index: 0, body: b"{}".to_vec(), items, asked: None };
    world.store.accept_termination(delivery).await.unwrap()
}

async fn of_person(world: &World, email: &str) -> Vec<View> {
    let filter = Filter { person: Some(email.to_owned()), limit: 200, ..Filter::default() };
    world.store.list(&filter).await.unwrap()
}

fn open(views: &[View]) -> Vec<&View> {
    views.iter().filter(|view| view.status.is_open()).collect()
}

#[tokio::test]
async fn every_order_of_arrival_comes_to_what_was_said_last() {
    let world = World::new().await;
    let base = Utc::now() + TimeDelta::days(10);
    let sequences = sequences();
    for (number, sequence) in sequences.iter().enumerate() {
        let email = format!("p{number}@example.com");
        for (index, event) in sequence.iter().enumerate() {
            deliver(&world, vec![item(&by_email(&email), *event, base)]).await;
            // A duplicate of something that came before, and of this one.
            for again in [sequence[index / 2], *event] {
                let known = deliver(&world, vec![item(&by_email(&email), again, base)]).await;
                assert!(matches!(known, Accepted::Duplicate(_)), "{sequence:?} {again:?}: {known:?}");
            }
            let views = of_person(&world, &email).await;
            let last = said_last(&sequence[..=index]).unwrap();
            let so_far = &sequence[..=index];
            match open(&views)[..] {
                [] => assert!(!last.leaves(), "{so_far:?}: nothing is open"),
                [view] => {
                    assert!(last.leaves(), "{so_far:?}: {:?}", ended(view));
                    assert_eq!(ended(view), (Status::Scheduled, None), "{so_far:?}");
                    let wanted = base + TimeDelta::days(last.day());
                    assert_eq!(view.effective_at.timestamp_micros(), wanted.timestamp_micros(), "{so_far:?}");
                }
                _ => panic!("{so_far:?}: more than one is open"),
            }
        }
    }
    say(&format!(
        "orders of arrival: {} (120 of all five), each event delivered two times or more",
        sequences.len()
    ));
    assert_eq!(sequences.len(), 325);
}

/// What became of a step that was to be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It ended before.
    No,
    /// In the middle.
    Yes,
}

/// Ends the engine's work in the middle of a step, as a crash would, at the `k`th request from now.
async fn step_and_crash(world: &World, engine: &Engine, k: usize) -> Cut {
    world.make_due().await;
    let engine = engine.clone();
    let (seen, control) = (Arc::new(AtomicUsize::new(0)), tokio::sync::oneshot::channel::<()>());
    let sender = std::sync::Mutex::new(Some(control.0));
    world.simulator.on_request(move |_| {
        if seen.fetch_add(1, Ordering::SeqCst) == k
            && let Some(sender) = sender.lock().unwrap().take()
        {
            let _ = sender.send(());
        }
    });
    let working = tokio::spawn(async move { engine.step().await });
    let abort = working.abort_handle();
    let cut = tokio::select! {
        _ = working => Cut::No,
        Ok(()) = control.1 => {
            abort.abort();
            Cut::Yes
        }
    };
    world.simulator.clear_faults();
    world.expire_leases().await;
    cut
}

/// Somebody who holds little, so that many can be tried.
fn small_agent(world: &World, email: &str) -> Id {
    world.simulator.organisation(|org| {
        let home = org.home();
        let person = Person::new(email, email)
            .queue(&org.add_queue(&format!("Queue of {email}"), &home), Joining::Joined)
            .skill(&org.add_skill(&format!("Skill of {email}")), 3.5)
            .grant(&org.add_role(&format!("Agent {email}")), &home);
        org.add_person(person)
    })
}

/// All 120 orders of the whole story, with the worker running after each event: to the end, or into a crash, whose place
/// moves request by request through the whole way of an offboarding.
#[tokio::test]
async fn whatever_the_worker_has_done_meanwhile_nobody_is_changed_against_the_last_word() {
    let world = World::new().await;
    // Nobody is given up for the crashes.
    let engine = world.engine_with(Settings { attempts_max: 1000, ..World::settings() });
    let base = Utc::now() - TimeDelta::days(10);
    let orders = sequences().into_iter().filter(|sequence| sequence.len() == STORY.len());
    let (mut tried, mut crashes, mut late) = (0, 0, 0);
    // How far somebody was when they were cut off, by their true state.
    let mut places = BTreeMap::from([("untouched", 0), ("partly stripped", 0), ("inactive", 0)]);
    for (number, order) in orders.enumerate() {
        let email = format!("p{number}@example.com");
        let user = small_agent(&world, &email);
        let whole = world.simulator.person(&user);
        for (index, event) in order.iter().enumerate() {
            for again in [*event, order[index / 2]] {
                deliver(&world, vec![item(&by_email(&email), again, base)]).await;
            }
            let leaves = said_last(&order[..=index]).unwrap().leaves();
            let before = (world.simulator.person(&user), changes_about(&world, &user));
            if (number + index) % 2 == 0 {
                let cut = step_and_crash(&world, &engine, tried % REQUESTS).await;
                tried += 1;
                crashes += usize::from(cut == Cut::Yes);
                if cut == Cut::Yes {
                    let now = world.simulator.person(&user);
                    let inactive = now.as_ref().is_some_and(|now| now.state == AccountState::Inactive);
                    let place = match inactive {
                        true => "inactive",
                        false if now == whole => "untouched",
                        false => "partly stripped",
                    };
                    *places.entry(place).or_default() += 1;
                }
            } else {
                finish(&world, &engine, Some(&email)).await;
            }
            if !leaves {
                let after = (world.simulator.person(&user), changes_about(&world, &user));
                assert_eq!(after, before, "{order:?} after {:?}", &order[..=index]);
            }
        }
        finish(&world, &engine, Some(&email)).await;
        // The last event of the story says that the person leaves, so everybody is out in the end.
        let person = world.simulator.person(&user).unwrap();
        let views = of_person(&world, &email).await;
        let ends: Vec<_> = views.iter().map(ended).collect();
        assert_eq!(person.state, AccountState::Inactive, "{order:?}: {ends:?}");
        assert_eq!(holdings(&person), Vec::<&str>::new(), "{order:?}");
        assert_eq!(open(&views).len(), 0, "{order:?}: {ends:?}");
        late += usize::from(views.iter().any(|view| view.rescinded_at.is_some()));
    }
    say(&format!(
        "120 orders, {crashes} crashes {places:?}, 0 changes against the last word; withdrawn late: {late}"
    ));
    assert!(tried == 300 && crashes >= 100, "{tried} {crashes}");
    assert!(places.values().all(|count| *count > 0) && late > 0, "{places:?} {late}");
}

/// Past the harness, which keeps what a test that passes prints.
fn say(figures: &str) {
    let _ = writeln!(std::io::stderr(), "{figures}");
}

/// The same with stories that end with the person staying: whoever was not taken out before the last word is still as
/// they were at that moment, and is never changed again.
#[tokio::test]
async fn a_story_that_ends_well_leaves_the_person_as_the_last_word_found_them() {
    let world = World::new().await;
    let engine = world.engine();
    let base = Utc::now() - TimeDelta::days(10);
    let ends_well = |sequence: &Vec<Event>| {
        sequence.len() == 4 && !sequence.contains(&Event::TerminateAgain) && sequence.contains(&Event::Rehire)
    };
    let orders: Vec<_> = sequences().into_iter().filter(ends_well).collect();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for (number, order) in orders.iter().enumerate() {
        for crash_at in [4, 13, 15] {
            let email = format!("p{number}-{crash_at}@example.com");
            let user = small_agent(&world, &email);
            for event in order {
                if *event == Event::Rehire {
                    // The rehire is the last word: from here on nothing may change, whatever comes.
                    break;
                }
                deliver(&world, vec![item(&by_email(&email), *event, base)]).await;
                step_and_crash(&world, &engine, crash_at).await;
            }
            deliver(&world, vec![item(&by_email(&email), Event::Rehire, base)]).await;
            let (before, changes) = (world.simulator.person(&user), changes_about(&world, &user));
            for event in order {
                deliver(&world, vec![item(&by_email(&email), *event, base)]).await;
            }
            finish(&world, &engine, Some(&email)).await;
            assert_eq!(world.simulator.person(&user), before, "{order:?} {crash_at}");
            assert_eq!(changes_about(&world, &user), changes, "{order:?} {crash_at}");
            let views = of_person(&world, &email).await;
            for view in open(&views) {
                assert_eq!(ended(view), (Status::Held, Some(Reason::Rescinded)), "{order:?}");
                assert!(changes > 0, "{order:?}: held without a change");
            }
            let kind = if open(&views).is_empty() { "over" } else { "held with a restore" };
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    say(&format!("stories that end well: {kinds:?}"));
    assert!(kinds.len() == 2, "both ends have to come: {kinds:?}");
}

fn changes_about(world: &World, user: &str) -> usize {
    world.simulator.changing().iter().filter(|entry| is_about(entry, user)).count()
}

/// Works until nothing of this person, or of anybody, is scheduled.
async fn finish(world: &World, engine: &Engine, email: Option<&str>) {
    let scheduled = Filter {
        person: email.map(str::to_owned),
        status: Some(Status::Scheduled),
        limit: 200,
        ..Filter::default()
    };
    for _ in 0..200 {
        if world.store.list(&scheduled).await.unwrap().is_empty() {
            return;
        }
        step(world, engine).await;
        world.forget_lag().await;
    }
    panic!("somebody is still scheduled");
}

/// Tells something about Jane that has no order of its own at the sender.
async fn tell(world: &World, source: &str, id: &str, intake: Intake) -> Option<OffboardingId> {
    tell_at(world, source, id, None, intake).await
}

async fn tell_at(
    world: &World,
    source: &str,
    id: &str,
    occurred: Option<i64>,
    intake: Intake,
) -> Option<OffboardingId> {
    let item = Item {
        event_id: id.to_owned(),
        content_digest: [0; 32],
        person: by_email(JANE),
        termination_type: None,
        sequence: None,
        occurred_at: occurred.map(|day| DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)),
        intake,
    };
    let delivery = Delivery {
        source: source.to_owned(),
        key_index: 0,
        body: b"{}".to_vec(),
        items: vec![item],
        asked: None,
    };
    match world.store.accept_termination(delivery).await.unwrap() {
        Accepted::New(receipt) | Accepted::Held(receipt) | Accepted::Ignored(receipt) => {
            receipt.offboardings.first().map(|brief| brief.id)
        }
        other @ (Accepted::Duplicate(_) | Accepted::Conflict) => panic!("not new: {other:?}"),
    }
}

fn past() -> Intake {
    Intake::Schedule(Utc::now() - TimeDelta::hours(1))
}

fn in_days(days: i64) -> Intake {
    Intake::Schedule(Utc::now() + TimeDelta::days(days))
}

async fn approve(world: &World, id: OffboardingId) {
    let decided = world.store.decide(id, Decision::Approve, &Actor::Operator("bob".to_owned())).await;
    assert_eq!(decided.unwrap(), Decided::Yes);
}

#[tokio::test]
async fn a_withdrawal_that_comes_before_its_termination_is_remembered() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, JANE));
    assert_eq!(tell_at(&world, "workday", "r", Some(2), Intake::Rescind(None)).await, None);
    let id = tell_at(&world, "workday", "t", Some(1), past()).await.unwrap();
    assert_eq!(ended(&world.view(id).await), (Status::Cancelled, Some(Reason::Rescinded)));
    assert_eq!(step(&world, &world.engine()).await, 0);
    assert_eq!(world.simulator.journal().len(), 0, "nothing was even asked");
}

#[tokio::test]
async fn a_withdrawal_of_unknown_order_before_its_termination_is_held_and_one_approval_away() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    assert_eq!(tell(&world, "workday", "r", Intake::Rescind(None)).await, None);
    let id = tell(&world, "workday", "t", past()).await.unwrap();
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::ContradictoryEvents)));
    assert_eq!(step(&world, &world.engine()).await, 0);
    let retried = world.store.decide(id, Decision::Retry, &Actor::Operator("alice".to_owned())).await;
    assert_eq!(retried.unwrap(), Decided::ApprovalNeeded(Reason::ContradictoryEvents));
    approve(&world, id).await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
}

#[tokio::test]
async fn two_dates_of_one_moment_are_held_at_the_later_one() {
    let world = World::new().await;
    let id = tell_at(&world, "workday", "a", Some(1), in_days(3)).await.unwrap();
    assert_eq!(tell_at(&world, "workday", "b", Some(1), in_days(2)).await, Some(id));
    let view = world.view(id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::ContradictoryEvents)));
    assert!(view.effective_at > Utc::now() + TimeDelta::hours(71), "{}", view.effective_at);
    // Somebody corrects it, and says so later.
    tell_at(&world, "workday", "c", Some(2), in_days(1)).await;
    let view = world.view(id).await;
    assert_eq!(ended(&view), (Status::Scheduled, None));
    assert!(view.effective_at < Utc::now() + TimeDelta::hours(25));
}

#[tokio::test]
async fn an_earlier_date_that_was_said_earlier_moves_nothing() {
    let world = World::new().await;
    let id = tell_at(&world, "workday", "new", Some(2), in_days(9)).await.unwrap();
    assert_eq!(tell_at(&world, "workday", "old", Some(1), past()).await, Some(id));
    assert!(world.view(id).await.effective_at > Utc::now() + TimeDelta::days(8));
    assert_eq!(world.engine().step().await.unwrap(), 0);
}

#[tokio::test]
async fn a_sender_does_not_withdraw_what_another_one_asked_for() {
    let world = World::new().await;
    let id = tell(&world, "workday", "t", in_days(2)).await.unwrap();
    assert_eq!(tell(&world, "bamboo", "r", Intake::Rescind(None)).await, Some(id));
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::ContradictoryEvents)));
    assert_eq!(tell(&world, "workday", "r", Intake::Rescind(None)).await, Some(id));
    assert_eq!(ended(&world.view(id).await), (Status::Cancelled, Some(Reason::Rescinded)));
}

#[tokio::test]
async fn a_date_that_is_corrected_to_later_after_the_first_change_stops_the_rest() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = tell_at(&world, "workday", "t", Some(1), past()).await.unwrap();
    while changes_about(&world, &jane) == 0 {
        step_and_crash(&world, &world.engine(), 14).await;
    }
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Active);
    tell_at(&world, "workday", "c", Some(2), in_days(5)).await;
    let view = world.view(id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::ContradictoryEvents)));
    let changes = changes_about(&world, &jane);
    approve(&world, id).await;
    assert_eq!(world.engine().step().await.unwrap(), 0, "the approved one waits for its new date");
    assert_eq!(changes_about(&world, &jane), changes);
}

#[tokio::test]
async fn something_unclear_about_somebody_who_is_scheduled_puts_it_into_doubt() {
    for (source, occurred, wanted) in [
        ("workday", Some(2), (Status::Held, Some(Reason::ContradictoryEvents))),
        ("workday", None, (Status::Held, Some(Reason::ContradictoryEvents))),
        // Said before the termination, or by somebody who did not ask for it.
        ("workday", Some(1), (Status::Scheduled, None)),
        ("bamboo", None, (Status::Scheduled, None)),
    ] {
        let world = World::new().await;
        let id = tell_at(&world, "workday", "t", Some(1), in_days(2)).await.unwrap();
        let hint = Intake::Hold(Reason::LookupRequired, Utc::now());
        assert_eq!(tell_at(&world, source, "hint", occurred, hint).await, Some(id));
        assert_eq!(ended(&world.view(id).await), wanted, "{source} {occurred:?}");
    }
}

#[tokio::test]
async fn the_same_facts_again_after_somebody_was_taken_back_are_held() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let when = Utc::now() - TimeDelta::hours(2);
    let first = tell(&world, "workday", "1", Intake::Schedule(when)).await.unwrap();
    assert_eq!(to_the_end(&world, &world.engine(), first).await.outcome, Some(Outcome::Offboarded));
    // Said again while the account is inactive: nothing is left to do.
    let second = tell(&world, "workday", "2", Intake::Schedule(when)).await.unwrap();
    assert_eq!(to_the_end(&world, &world.engine(), second).await.outcome, Some(Outcome::AlreadyInactive));
    // Somebody takes Jane back, and the HRIS repeats itself.
    world.simulator.organisation(|org| org.edit(&jane, |person| person.state = AccountState::Active));
    let before = (world.simulator.person(&jane), changes_about(&world, &jane));
    let third = tell(&world, "workday", "3", Intake::Schedule(when)).await.unwrap();
    let view = to_the_end(&world, &world.engine(), third).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::Reactivated)));
    assert_eq!((world.simulator.person(&jane), changes_about(&world, &jane)), before);
    // A later date is a new termination, and goes ahead.
    tell(&world, "workday", "4", past()).await;
    world.store.decide(third, Decision::Cancel, &Actor::Operator("alice".to_owned())).await.unwrap();
    let fourth = tell(&world, "workday", "5", past()).await.unwrap();
    assert_eq!(to_the_end(&world, &world.engine(), fourth).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn a_withdrawal_after_the_end_puts_nothing_back_and_is_seen() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = tell(&world, "workday", "t", past()).await.unwrap();
    to_the_end(&world, &world.engine(), id).await;
    let before = (world.simulator.person(&jane), changes_about(&world, &jane));
    assert_eq!(tell(&world, "workday", "r", Intake::Rescind(None)).await, Some(id));
    assert_eq!(step(&world, &world.engine()).await, 0);
    assert_eq!((world.simulator.person(&jane), changes_about(&world, &jane)), before);
    let view = world.view(id).await;
    assert_eq!((view.status, view.goal), (Status::Done, Goal::Offboarded));
    assert!(view.rescinded_at.is_some());
    let noted = view.journal.unwrap().iter().any(|entry| entry.action == "rescinded_late");
    assert!(noted);
    let restore = world.store.decide(id, Decision::Restore, &Actor::Operator("alice".to_owned())).await;
    assert_eq!(restore.unwrap(), Decided::Yes);
    assert_eq!(to_the_end(&world, &world.engine(), id).await.outcome, Some(Outcome::Restored));
}

#[tokio::test]
async fn another_senders_withdrawal_does_not_end_what_has_failed() {
    let world = World::new().await;
    let id = tell(&world, "workday", "t", past()).await.unwrap();
    world.sql("update offboardings set status = 'failed', reason = 'attempts_exhausted'").await;
    tell(&world, "bamboo", "r", Intake::Rescind(None)).await;
    assert_eq!(ended(&world.view(id).await), (Status::Failed, Some(Reason::AttemptsExhausted)));
    tell(&world, "workday", "r", Intake::Rescind(None)).await;
    assert_eq!(ended(&world.view(id).await), (Status::Cancelled, Some(Reason::Rescinded)));
}

#[tokio::test]
async fn a_withdrawal_of_what_failed_half_way_is_held_with_its_restore() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = tell(&world, "workday", "t", past()).await.unwrap();
    while changes_about(&world, &jane) == 0 {
        step_and_crash(&world, &world.engine(), 14).await;
    }
    world
        .sql("update offboardings set status = 'failed', reason = 'attempts_exhausted', lease_token = null")
        .await;
    assert_eq!(tell(&world, "workday", "r", Intake::Rescind(None)).await, Some(id));
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Rescinded)));
    let restore = world.store.decide(id, Decision::Restore, &Actor::Operator("alice".to_owned())).await;
    assert_eq!(restore.unwrap(), Decided::Yes);
    assert_eq!(to_the_end(&world, &world.engine(), id).await.outcome, Some(Outcome::Restored));
}
