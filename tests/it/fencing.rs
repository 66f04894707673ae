//! The lease: one writer at a time, whatever a worker that lost it still believes; and how a worker stops.

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use leaver::offboarding::{Actor, JournalEntry, OffboardingId, Outcome, Status};
use leaver::operate;
use leaver::store::decisions::{Decided, Decision};
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Action, Fault, Id, Matcher, Then, presets};
use sqlx::{Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::evidence::{Outcomes, assert_intended, assert_one_writer, assert_order};
use crate::process::{Worker, until};
use crate::support::World;

/// How long a real process may take on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// A lease so short that a test can wait for its end.
const SHORT_LEASE: &str = "requests_per_minute = 3000\n[worker]\nlease = \"1s\"\npoll = \"20ms\"\n";

async fn with_jane() -> (World, Id, OffboardingId) {
    let world = World::new().await;
    let jane = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E2"));
    let id = world.terminate("jane.doe@example.com").await;
    (world, jane, id)
}

/// An engine whose reads may hang for longer than any test needs.
fn patient_engine(world: &World) -> Engine {
    world.engine_with(Settings { lease: Duration::from_secs(60), ..World::settings() })
}

async fn journal(world: &World, id: OffboardingId) -> Vec<JournalEntry> {
    world.view(id).await.journal.unwrap_or_default()
}

/// Holds the first fitting request; gives what tells that it came, and what lets it go.
pub(crate) fn hold(world: &World, matcher: Matcher) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (came, arrival) = mpsc::channel();
    let (release, go) = mpsc::channel();
    let (came, go) = (Mutex::new(came), Mutex::new(go));
    let wait = move |_: &_| {
        let _ = came.lock().unwrap().send(());
        let _ = go.lock().unwrap().recv_timeout(LIMIT);
    };
    world.simulator.inject(Fault::before(matcher, Action::call(wait, Then::Continue)));
    (arrival, release)
}

pub(crate) async fn arrives(arrival: &mpsc::Receiver<()>) {
    until("the request arrives", LIMIT, async || arrival.try_recv().is_ok()).await;
}

async fn assert_offboarded_once(world: &World, jane: &str, id: OffboardingId, outcomes: Outcomes) {
    let view = world.view(id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    assert_eq!(world.simulator.person(jane).map(|p| p.state), Some(AccountState::Inactive));
    let calls = world.simulator.journal();
    assert_order(&calls, jane, 2);
    assert_intended(&calls, &[view.journal.unwrap_or_default()], outcomes);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_workers_that_want_the_same_offboarding_one_writes() {
    let (world, jane, id) = with_jane().await;
    let stop = CancellationToken::new();
    let running: Vec<_> = (0..2)
        .map(|_| {
            let (engine, stop) = (patient_engine(&world), stop.clone());
            tokio::spawn(async move { engine.run(stop).await })
        })
        .collect();
    until("it is done", LIMIT, async || world.view(id).await.status == Status::Done).await;
    stop.cancel();
    for engine in running {
        engine.await.unwrap();
    }
    assert_eq!(assert_one_writer(&world.simulator.journal(), &journal(&world, id).await), 1);
    assert_offboarded_once(&world, &jane, id, Outcomes::One).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_was_taken_over_makes_no_further_changing_call() {
    // In the middle of the first look, in the look after the strip, and before the account's change of state.
    let points = [
        Matcher::operation("getUserCallforwarding"),
        Matcher::operation("getUserCallforwarding").nth(2),
        Matcher::operation("getUser").nth(2),
    ];
    for point in points {
        let (world, jane, id) = with_jane().await;
        let (arrival, release) = hold(&world, point);
        let first = patient_engine(&world);
        let hanging = tokio::spawn(async move { first.step().await });
        arrives(&arrival).await;
        world.expire_leases().await;
        let view = world.work_to_the_end(&patient_engine(&world), id).await;
        assert_eq!(view.status, Status::Done);
        let changes = world.simulator.changing().len();
        drop(release);
        hanging.await.unwrap().unwrap();
        assert_eq!(world.simulator.changing().len(), changes, "a changing call of the worker without lease");
        assert_one_writer(&world.simulator.journal(), &journal(&world, id).await);
        assert_offboarded_once(&world, &jane, id, Outcomes::One).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_offboarding_sees_no_further_changing_call() {
    // While it is read, and while its third removal is under way.
    for (point, changes) in
        [(Matcher::operation("getUserCallforwarding"), 0), (Matcher::changing().nth(3), 3)]
    {
        let (world, jane, id) = with_jane().await;
        let (arrival, release) = hold(&world, point);
        let engine = patient_engine(&world);
        let working = tokio::spawn(async move { engine.step().await });
        arrives(&arrival).await;
        let alice = Actor::Operator("alice".to_owned());
        let (decided, _) = operate::decide(&world.store, id, Decision::Cancel, &alice).await.unwrap();
        assert_eq!(decided, Decided::Yes);
        drop(release);
        working.await.unwrap().unwrap();
        world.make_due().await;
        assert_eq!(world.engine().step().await.unwrap(), 0);
        let view = world.view(id).await;
        assert_eq!(view.status, Status::Cancelled);
        assert_eq!(world.simulator.changing().len(), changes);
        assert_eq!(world.simulator.person(&jane).map(|p| p.state), Some(AccountState::Active));
        assert_intended(&world.simulator.journal(), &[view.journal.unwrap_or_default()], Outcomes::One);
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

/// Stops a real worker at a request, lets its lease run out and another one finish, and wakes it again.
async fn outlive_lease(point: Matcher) {
    let (world, jane, id) = with_jane().await;
    let sleeper = Arc::new(OnceLock::<Worker>::new());
    let in_hook = sleeper.clone();
    let stop = Action::call(move |_| in_hook.wait().signal("STOP"), Then::Continue);
    world.simulator.inject(Fault::before(point, stop));
    let worker = sleeper.get_or_init(|| Worker::start(&world.config(SHORT_LEASE))).clone();
    until("the worker is stopped", LIMIT, async || worker.is_stopped()).await;
    finish_instead_of(&world, &worker, id).await;
    assert_offboarded_once(&world, &jane, id, Outcomes::OneOrMore).await;
}

async fn finish_instead_of(world: &World, sleeper: &Worker, id: OffboardingId) {
    let engine = patient_engine(world);
    until("its lease has run out and another worker finishes", LIMIT, async || {
        engine.step().await.unwrap();
        world.view(id).await.status == Status::Done
    })
    .await;
    let changes = world.simulator.changing().len();
    sleeper.signal("CONT");
    until("the woken worker gives up", LIMIT, async || {
        let log = sleeper.log();
        // The last one: its connections may have been cut for their time-outs while it was stopped.
        ["the lease is no longer ours", "the offboarding goes on later", "runs out by itself"]
            .iter()
            .any(|ending| log.contains(ending))
    })
    .await;
    assert_eq!(world.simulator.changing().len(), changes, "a changing call of the woken worker");
    assert_one_writer(&world.simulator.journal(), &journal(world, id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_past_its_lease_in_a_read_changes_nothing_when_it_goes_on() {
    let points = [
        Matcher::operation("getAuthorizationSubject"),
        Matcher::operation("getUserQueues").nth(3),
        Matcher::operation("getUser").nth(2),
    ];
    for point in points {
        outlive_lease(point).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_between_intention_and_call_does_not_make_the_call() {
    let (world, jane, id) = with_jane().await;
    // The commit of an intention waits for a lock that the test holds: the worker is stopped while it waits, so it goes
    // on with an intention that is written and a call that is not yet sent.
    world
        .sql(
            "create function hold_intention() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
             create constraint trigger hold_intention after insert on journal deferrable initially deferred
                 for each row when (new.action = 'call_intended') execute function hold_intention()",
        )
        .await;
    let mut gate = PgConnection::connect(world.database.url()).await.unwrap();
    gate.execute("select pg_advisory_lock(1)").await.unwrap();
    let worker = Worker::start(&world.config(SHORT_LEASE));
    until("an intention waits for its commit", LIMIT, async || {
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                       and database = (select oid from pg_database where datname = current_database())";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut gate).await.unwrap() > 0
    })
    .await;
    worker.signal("STOP");
    until("the worker is stopped", LIMIT, async || worker.is_stopped()).await;
    gate.execute("select pg_advisory_unlock(1)").await.unwrap();
    until("the intention is written", LIMIT, async || {
        journal(&world, id).await.iter().any(|line| line.action == "call_intended")
    })
    .await;
    finish_instead_of(&world, &worker, id).await;
    assert_offboarded_once(&world, &jane, id, Outcomes::OneOrMore).await;
    let written = journal(&world, id).await;
    let first = written.iter().find(|line| line.action == "call_intended").and_then(|line| line.request_id);
    let outcomes: Vec<_> =
        written.iter().filter(|l| l.action == "call_finished" && l.request_id == first).collect();
    let results: Vec<_> = outcomes.iter().filter_map(|line| line.result.as_deref()).collect();
    assert!(results[0].starts_with("unknown") && results[1].starts_with("not_sent"), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_finishes_its_call_and_gives_its_lease_back() {
    let (world, jane, id) = with_jane().await;
    let worker_at_work = Arc::new(OnceLock::<Worker>::new());
    let in_hook = worker_at_work.clone();
    let terminate = Action::call(move |_| in_hook.wait().signal("TERM"), Then::Continue);
    world.simulator.inject(Fault::before(Matcher::changing().nth(4), terminate));
    let long_lease = "requests_per_minute = 3000\n[worker]\nlease = \"10m\"\npoll = \"20ms\"\n";
    let worker = worker_at_work.get_or_init(|| Worker::start(&world.config(long_lease))).clone();
    until("the worker has ended", Duration::from_secs(25), async || worker.ended().is_some()).await;
    assert_eq!(worker.ended().and_then(|status| status.code()), Some(0), "{}", worker.log());
    let view = world.view(id).await;
    assert_eq!((view.status, view.lease_until, view.attempt), (Status::Scheduled, None, 0));
    let changes = world.simulator.changing();
    assert!(
        changes.len() < 14 && changes.iter().all(|call| call.answered.is_some()),
        "stopped in the middle"
    );
    assert_eq!(world.engine().step().await.unwrap(), 1, "the next worker takes it at once");
    assert_offboarded_once(&world, &jane, id, Outcomes::One).await;
    assert_eq!(assert_one_writer(&world.simulator.journal(), &journal(&world, id).await), 2);
}
