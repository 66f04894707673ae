//! The switch over all replicas: no changing call begins after a pause has returned, everything else goes on, and the work is
//! taken up where it was put down.

mod outside;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use leaver::offboarding::choices::Mode;
use leaver::offboarding::{Actor, OffboardingId, Outcome, Reason, Status};
use leaver::operate;
use leaver::store::decisions::Decision;
use leaver::store::progress::{BrakeLimits, Permission};
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Effect, Id, Joining, Matcher, Person};
use sqlx::{Connection, Executor, PgConnection};

use crate::brake::{Hand, tiny_agent};
use crate::evidence::{Outcomes, assert_intended, assert_one_writer, assert_order};
use crate::fencing::{arrives, hold};
use crate::process::{Worker, until};
use crate::stepped::{changes_of, decide, ended, holdings, last_note, slim_agent, step, to_the_end};
use crate::support::World;

const JANE: &str = "jane@example.com";

/// How long anything may take on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

fn alice() -> Actor {
    Actor::Operator("alice".to_owned())
}

async fn pause(world: &World) {
    assert!(world.store.pause("a look at the queues", &alice()).await.unwrap().paused);
}

async fn resume(world: &World) {
    assert!(!world.store.resume(&alice()).await.unwrap().paused);
}

async fn with_jane() -> (World, Id, OffboardingId) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = world.terminate(JANE).await;
    (world, jane, id)
}

#[tokio::test]
async fn while_paused_nothing_is_taken_up_and_events_are_stored() {
    let (world, jane, id) = with_jane().await;
    let engine = world.engine();
    pause(&world).await;
    assert_eq!(step(&world, &engine).await, 0);
    let tom = world.simulator.organisation(|org| slim_agent(org, "tom@example.com"));
    let other = world.terminate("tom@example.com").await;
    assert_eq!(step(&world, &engine).await, 0);
    assert!(world.simulator.journal().is_empty(), "not even a read");
    assert_eq!(world.view(other).await.status, Status::Scheduled);
    resume(&world).await;
    for (user, id) in [(&jane, id), (&tom, other)] {
        assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
        assert_eq!(world.simulator.person(user).unwrap().state, AccountState::Inactive);
    }
}

#[tokio::test]
async fn the_fence_lets_nothing_through_and_writes_nothing() {
    let world = World::new().await;
    let user = tiny_agent(&world, JANE);
    let id = world.terminate(JANE).await;
    let hand = Hand::on(&world).await;
    let brake = Some(BrakeLimits { per_hour: 10, per_day: 10 });
    pause(&world).await;
    assert_eq!(hand.begin(&world, id, &user, brake).await.0, Permission::Paused);
    let view = world.view(id).await;
    assert!(
        view.phase.is_none() && view.journal.unwrap().iter().all(|entry| entry.action != "call_intended")
    );
    assert_eq!(world.number("select count(*) from changed_people").await, 0);
    resume(&world).await;
    assert_eq!(hand.begin(&world, id, &user, brake).await.0, Permission::Granted);
}

#[tokio::test]
async fn a_pause_outwaits_the_intention_that_is_being_written_and_is_overtaken_by_none() {
    let world = World::new().await;
    let user = tiny_agent(&world, JANE);
    let id = world.terminate(JANE).await;
    let hand = Hand::on(&world).await;
    // Somebody else's intention, in the middle of its transaction.
    let mut other = PgConnection::connect(world.database.url()).await.unwrap();
    other.execute("begin; select pg_advisory_xact_lock_shared(hashtextextended('pause', 2))").await.unwrap();
    let store = world.store.clone();
    let pausing = tokio::spawn(async move { store.pause("now", &alice()).await });
    until("the pause waits", LIMIT, async || {
        world.number("select count(*) from pg_locks where locktype = 'advisory' and not granted").await == 1
    })
    .await;
    let begun = Instant::now();
    assert_eq!(hand.begin(&world, id, &user, None).await.0, Permission::Paused);
    assert!(begun.elapsed() < Duration::from_secs(2), "an intention does not wait for a pause");
    assert!(!pausing.is_finished() && !world.store.pause_state().await.unwrap().paused);
    other.execute("commit").await.unwrap();
    assert!(pausing.await.unwrap().unwrap().paused);
    assert_eq!(hand.begin(&world, id, &user, None).await.0, Permission::Paused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_in_the_middle_is_put_down_and_goes_on() {
    let (world, jane, id) = with_jane().await;
    let (arrival, release) = hold(&world, Matcher::changing().nth(3));
    let engine = world.engine();
    let working = tokio::spawn(async move { engine.step().await });
    arrives(&arrival).await;
    pause(&world).await;
    assert_eq!(world.store.calls_under_way().await.unwrap(), 1, "the call that was begun before");
    drop(release);
    assert_eq!(working.await.unwrap().unwrap(), 1);
    assert_eq!(world.store.calls_under_way().await.unwrap(), 0);
    assert_eq!(changes_of(&world, &jane).len(), 3, "the third was begun before the pause");
    let view = world.view(id).await;
    assert_eq!(
        (view.status, view.attempt, last_note(&view)),
        (Status::Scheduled, 0, "the service is paused".to_owned())
    );
    let engine = world.engine();
    assert_eq!(step(&world, &engine).await, 0);
    resume(&world).await;
    world.forget_lag().await;
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
    assert_order(&world.simulator.journal(), &jane, 2);
    assert_intended(&world.simulator.journal(), &[view.journal.unwrap()], Outcomes::One);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_returns_when_the_calls_that_were_begun_before_have_their_outcome() {
    let (world, _, id) = with_jane().await;
    let (arrival, release) = hold(&world, Matcher::changing());
    let engine = world.engine();
    let working = tokio::spawn(async move { engine.step().await });
    arrives(&arrival).await;
    let store = world.store.clone();
    let pausing = tokio::spawn(async move { operate::pause(&store, "now", &alice()).await });
    until("the switch is on", LIMIT, async || world.store.pause_state().await.unwrap().paused).await;
    assert!(!pausing.is_finished(), "a call is under way");
    drop(release);
    assert!(pausing.await.unwrap().unwrap().paused);
    let finished = |action: &str| {
        let view = world.view(id);
        let action = action.to_owned();
        async move { view.await.journal.unwrap().iter().filter(|entry| entry.action == action).count() }
    };
    assert_eq!((finished("call_intended").await, finished("call_finished").await), (1, 1));
    working.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_pauses_and_goes_on_too() {
    let (world, jane, id) = with_jane().await;
    let before = world.simulator.person(&jane).unwrap();
    let engine = world.engine();
    to_the_end(&world, &engine, id).await;
    decide(&world, id, Decision::Restore).await;
    pause(&world).await;
    assert_eq!(step(&world, &engine).await, 0);
    resume(&world).await;
    world.forget_lag().await;
    world.make_due().await;
    let (arrival, release) = hold(&world, Matcher::changing().nth(2));
    let in_the_middle = engine.clone();
    let working = tokio::spawn(async move { in_the_middle.step().await });
    arrives(&arrival).await;
    pause(&world).await;
    let changes = world.simulator.changing().len();
    drop(release);
    working.await.unwrap().unwrap();
    assert_eq!(world.simulator.changing().len(), changes);
    let view = world.view(id).await;
    assert_eq!(
        (view.status, view.attempt, last_note(&view)),
        (Status::Scheduled, 0, "the service is paused".to_owned())
    );
    resume(&world).await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Restored));
    assert_eq!(holdings(&world.simulator.person(&jane).unwrap()), holdings(&before));
}

#[tokio::test]
async fn operators_decide_while_the_service_is_paused_and_it_is_carried_out_afterwards() {
    let world = World::new().await;
    let [jane, tom] = [JANE, "tom@example.com"].map(|email| tiny_agent(&world, email));
    let engine =
        world.engine_with(Settings { brake: BrakeLimits { per_hour: 0, per_day: 10 }, ..World::settings() });
    let (approved, cancelled) = (world.terminate(JANE).await, world.terminate("tom@example.com").await);
    step(&world, &engine).await;
    step(&world, &engine).await;
    for id in [approved, cancelled] {
        assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Brake)));
    }
    pause(&world).await;
    decide(&world, approved, Decision::Approve).await;
    decide(&world, cancelled, Decision::Cancel).await;
    assert_eq!(step(&world, &engine).await, 0);
    assert!(world.simulator.changing().is_empty());
    resume(&world).await;
    assert_eq!(to_the_end(&world, &engine, approved).await.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.view(cancelled).await.status, Status::Cancelled);
    let state = |user: &str| world.simulator.person(user).unwrap().state;
    assert_eq!((state(&jane), state(&tom)), (AccountState::Inactive, AccountState::Active));
}

#[tokio::test]
async fn a_dry_run_waits_for_the_end_of_the_pause_like_any_other() {
    let (world, _, id) = with_jane().await;
    let engine = world.engine_with(Settings { mode: Mode::DryRun, ..World::settings() });
    pause(&world).await;
    assert_eq!(step(&world, &engine).await, 0);
    resume(&world).await;
    step(&world, &engine).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::DryRun)));
}

#[tokio::test]
async fn the_end_of_a_pause_wakes_the_workers() {
    let world = World::new().await;
    pause(&world).await;
    let mut listener = world.store.listen().await.unwrap();
    resume(&world).await;
    let woken = tokio::time::timeout(LIMIT, listener.recv()).await;
    assert!(woken.is_ok_and(|notification| notification.is_ok()));
}

/// People with a queue of their own, one that all share, a skill and a grant.
async fn crowd(world: &World, size: usize) -> Vec<(Id, OffboardingId)> {
    let people: Vec<_> = world.simulator.organisation(|org| {
        let home = org.home();
        let (shared, skill, role) =
            (org.add_queue("All", &home), org.add_skill("Sales"), org.add_role("Agent"));
        let agent = |org: &mut leaver_simulator::Organisation, number: usize| {
            let own = org.add_queue(&format!("Queue {number}"), &home);
            let email = format!("agent{number}@example.com");
            let agent =
                Person::new(&format!("Agent {number}"), &email).queue(&own, Joining::Joined).tokens(1);
            let agent = agent.queue(&shared, Joining::Unjoined).skill(&skill, 3.0).grant(&role, &home);
            (org.add_person(agent), email)
        };
        (0..size).map(|number| agent(org, number)).collect()
    });
    let mut crowd = Vec::with_capacity(size);
    for (person, email) in people {
        crowd.push((person, world.terminate(&email).await));
    }
    crowd
}

fn replica(world: &World) -> Worker {
    let more = "requests_per_minute = 3000\n[policy]\nchanges_per_hour_max = 1000\nchanges_per_day_max = 1000\n\
                [worker]\nlease = \"4s\"\npoll = \"20ms\"\n";
    Worker::start(&world.config(more))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_no_replica_does_a_changing_call_begin_after_a_pause_has_returned() {
    const PEOPLE: usize = 16;
    const PAUSES: usize = 4;
    let world = World::new().await;
    let crowd = crowd(&world, PEOPLE).await;
    let mut replicas = [replica(&world), replica(&world)];
    let mut pauses = Vec::new();
    for round in 0..PAUSES {
        let begun = world.simulator.changing().len();
        until("changes are made", LIMIT, async || world.simulator.changing().len() > begun + 3).await;
        if round == 1 {
            // In the middle of whatever it does; nobody takes over what it held while the service is paused.
            replicas[0].kill();
        }
        assert!(operate::pause(&world.store, "a look", &alice()).await.unwrap().paused);
        let paused = Instant::now();
        if round == 2 {
            replicas[1].kill();
            replicas[1] = replica(&world);
        }
        until("everything is put down, and leases of the dead are over", LIMIT, async || {
            world
                .number("select count(*) from offboardings where lease_token is not null and available_at > now()")
                .await
                == 0
        })
        .await;
        pauses.push((paused, Instant::now()));
        resume(&world).await;
        if round == 1 {
            replicas[0] = replica(&world);
        }
    }
    until("all are done", LIMIT, async || {
        world.number("select count(*) from offboardings where status <> 'done'").await == 0
    })
    .await;
    let calls = world.simulator.journal();
    let changing = world.simulator.changing();
    for (from, to) in pauses {
        let inside = changing.iter().filter(|call| call.request.arrived > from && call.request.arrived < to);
        let inside: Vec<_> =
            inside.map(|call| (call.request.operation, call.request.arrived - from)).collect();
        assert!(inside.is_empty(), "began while the service was paused: {inside:?}");
    }
    let mut deactivated: HashMap<&str, usize> = HashMap::new();
    for call in &calls {
        if call.request.operation == Some("patchUser") && call.effect == Effect::Changed {
            *deactivated.entry(call.request.path.rsplit('/').next().unwrap()).or_default() += 1;
        }
    }
    assert!(crowd.iter().all(|(user, _)| deactivated.get(user.as_str()) == Some(&1)), "{deactivated:?}");
    for (user, id) in &crowd {
        let view = world.view(*id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
        assert_order(&calls, user, 2);
        assert_one_writer(&calls, &view.journal.unwrap());
    }
}
