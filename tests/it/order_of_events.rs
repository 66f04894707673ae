//! Events in every order of arrival, each twice: what holds in the end is what was said last at the sender, whatever the worker
//! has done meanwhile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{PersonRef, Reason, Status};
use leaver::store::events::{Accepted, Delivery, Item};
use leaver::store::views::{Filter, View};
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Id, Joining, Organisation, Person};
use sha2::{Digest, Sha256};

use crate::stepped::{by_email, ended, holdings, is_about, step};
use crate::support::World;

/// Of one small agent's offboarding, about.
const REQUESTS: usize = 40;

pub(crate) const JANE: &str = "jane@example.com";

/// One event of a story. Its place in the story is its time at the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
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

pub(crate) fn item(person: &PersonRef, event: Event, base: DateTime<Utc>) -> Item {
    let name = format!("{:?} {event:?}", person.email);
    let at = base + TimeDelta::days(event.day());
    Item {
        event_id: name.clone(),
        content_digest: Sha256::digest(name).into(),
        again_after: None,
        person: person.clone(),
        termination_type: None,
        sequence: None,
        occurred_at: Some(DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + event.day())),
        intake: if event.leaves() { Intake::Schedule(at) } else { Intake::Rescind(None) },
        look_up: false,
        noted: Default::default(),
    }
}

pub(crate) async fn deliver(world: &World, items: Vec<Item>) -> Accepted {
    let delivery = Delivery {
        source: "workday".to_owned(),
        key_index: 0,
        body: b"{}".to_vec(),
        headers: Default::default(),
        items,
        asked: None,
    };
    world.store.accept_termination(delivery).await.unwrap()
}

pub(crate) async fn of_person(world: &World, email: &str) -> Vec<View> {
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
pub(crate) enum Cut {
    /// It ended before.
    No,
    /// In the middle.
    Yes,
}

/// Ends the engine's work in the middle of a step, as a crash would, at the `k`th request from now.
pub(crate) async fn step_and_crash(world: &World, engine: &Engine, k: usize) -> Cut {
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
pub(crate) fn small_person(org: &mut Organisation, email: &str) -> Id {
    let home = org.home();
    let person = Person::new(email, email)
        .queue(&org.add_queue(&format!("Queue of {email}"), &home), Joining::Joined)
        .skill(&org.add_skill(&format!("Skill of {email}")), 3.5)
        .grant(&org.add_role(&format!("Agent {email}")), &home);
    org.add_person(person)
}

fn small_agent(world: &World, email: &str) -> Id {
    world.simulator.organisation(|org| small_person(org, email))
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

pub(crate) fn changes_about(world: &World, user: &str) -> usize {
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
