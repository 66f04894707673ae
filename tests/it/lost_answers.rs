//! Every step's call whose effect happens and whose answer is lost, twice and five times, while the reads lag: the call is
//! repeated, and what it is about changes once at the most. The same on the way back.

use std::collections::{BTreeMap, BTreeSet};

use leaver::offboarding::{OffboardingId, Outcome, Status};
use leaver::store::decisions::Decision;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Action, Effect, Fault, Id, Kind, Lag, Matcher};

use crate::stepped::{decide, impatient_engine};
use crate::support::World;
use crate::whole::{
    Watch, all_to_the_end, left_with, whole_agent, whole_choices, whole_settings, whole_world,
    with_state_reason,
};

/// The kinds whose writes show late here; each is read once a pass.
const LAGGING: [Kind; 10] = [
    Kind::Queues,
    Kind::Skills,
    Kind::Languages,
    Kind::Utilization,
    Kind::Stations,
    Kind::Team,
    Kind::CallForwarding,
    Kind::DirectRoutingBackup,
    Kind::ManagementUnit,
    Kind::Licences,
];

/// So late that a call whose answer was lost is sent again, and not so late that somebody seems to assign it anew.
const LAG_READS: u32 = 2;

/// What takes several things with calls of their own: 2 roles go with one call, or with one each.
const EFFECTS_MAX: usize = 2;

async fn offboard(world: &World, engine: &Engine, email: &str) -> OffboardingId {
    let id = world.terminate(email).await;
    let view = all_to_the_end(world, engine, &[id]).await.remove(0);
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)), "{:#?}", view.journal);
    id
}

async fn restore(world: &World, engine: &Engine, id: OffboardingId) {
    decide(world, id, Decision::Restore).await;
    let view = all_to_the_end(world, engine, &[id]).await.remove(0);
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Restored)), "{:#?}", view.journal);
}

/// The effective changes since the request with this number, by operation and path.
fn effects(world: &World, since: usize) -> BTreeMap<(String, String), usize> {
    let mut effects = BTreeMap::new();
    for entry in world.simulator.changing().into_iter().skip(since) {
        if entry.effect == Effect::Changed {
            let operation = entry.request.operation.unwrap_or_default().to_owned();
            *effects.entry((operation, entry.request.path)).or_default() += 1;
        }
    }
    effects
}

fn settings(heir: &Id, operation: &str) -> Settings {
    let choices = whole_choices(heir);
    let choices = if operation == "putUserState" { with_state_reason(choices) } else { choices };
    Settings { attempts_max: 12, ..whole_settings(choices) }
}

/// The changing operations of an offboarding and of a restore that nothing disturbs.
async fn undisturbed() -> (BTreeSet<String>, BTreeSet<String>) {
    let (world, heir) = whole_world().await;
    world.simulator.organisation(|org| whole_agent(org, "jane@example.com"));
    let engine = impatient_engine(&world, settings(&heir, ""));
    let id = offboard(&world, &engine, "jane@example.com").await;
    let before = world.simulator.changing().len();
    restore(&world, &engine, id).await;
    let names =
        |effects: BTreeMap<(String, String), usize>| effects.into_keys().map(|(name, _)| name).collect();
    let there = world.simulator.changing()[..before]
        .iter()
        .filter_map(|entry| entry.request.operation.map(str::to_owned))
        .chain(["putUserState".to_owned()])
        .collect();
    (there, names(effects(&world, before)))
}

async fn lose_answers(times: u32) {
    let (there, back) = undisturbed().await;
    assert!(there.len() >= 17 && back.len() >= 14, "{there:?} {back:?}");
    let (world, heir) = whole_world().await;
    let watch = Watch::default();
    watch.over(&world);
    for kind in LAGGING {
        world.simulator.set_lag(kind, Lag::Reads(LAG_READS));
    }
    for (number, operation) in there.iter().chain(&back).enumerate() {
        let action = if number % 2 == 0 { Action::Close } else { Action::answer(504, "gateway.timeout") };
        let email = format!("{}@example.com", uuid::Uuid::new_v4());
        let user = world.simulator.organisation(|org| whole_agent(org, &email));
        let engine = impatient_engine(&world, settings(&heir, operation));
        let on_the_way_back = number >= there.len();
        let lose = || {
            world.simulator.inject(Fault::after(Matcher::operation(operation).times(times), action.clone()))
        };
        let mut since = world.simulator.changing().len();
        let struck = if on_the_way_back {
            let id = offboard(&world, &engine, &email).await;
            since = world.simulator.changing().len();
            let struck = lose();
            restore(&world, &engine, id).await;
            let back = world.simulator.person(&user).unwrap();
            assert_eq!((back.state, left_with(&world.simulator, &user).len()), (AccountState::Active, 14));
            struck
        } else {
            let struck = lose();
            offboard(&world, &engine, &email).await;
            assert_eq!(left_with(&world.simulator, &user), Vec::<&str>::new());
            struck
        };
        assert!(world.simulator.struck(struck) > 0, "{operation}");
        for ((of, path), count) in effects(&world, since) {
            // Telling a new member's ring and joining is a change of its own.
            assert!(count <= EFFECTS_MAX, "{operation}: {count} effects of {of} {path}");
        }
        watch.end_faults(&world);
        assert_eq!(watch.take(), Vec::<String>::new(), "{operation}");
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn answers_that_are_lost_twice_do_not_double_an_effect() {
    lose_answers(2).await;
}

#[tokio::test]
async fn answers_that_are_lost_five_times_do_not_double_an_effect() {
    lose_answers(5).await;
}
