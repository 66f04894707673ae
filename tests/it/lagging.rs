//! Reads that lag by a minute and a half: nobody is deactivated early, nothing is taken for something that comes back, and
//! a restore waits for what it put back. The simulator's clock and the database's stamps move together.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use leaver::offboarding::{OffboardingId, Outcome, Status};
use leaver::plan::Choices;
use leaver::plan::choices::CallbackChoice;
use leaver::store::decisions::{Decided, Decision};
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Kind, Lag};

use crate::restoring::{assert_restored, decided};
use crate::stepped::Guard;
use crate::support::World;
use crate::whole_plan::{JANE, Scene, journal, left, with};

const LAG: Duration = Duration::from_secs(90);

/// Simulated time within which everything has to be over: the growing waits add up to a little more than the lag.
const END_MAX: u64 = 1_800;

/// Kinds tried at the same time.
const AT_ONCE: usize = 4;

const KINDS: [Kind; 16] = [
    Kind::Search,
    Kind::Account,
    Kind::Queues,
    Kind::Skills,
    Kind::Languages,
    Kind::Utilization,
    Kind::Grants,
    Kind::Stations,
    Kind::Groups,
    Kind::Team,
    Kind::CallForwarding,
    Kind::DirectRoutingBackup,
    Kind::Callbacks,
    Kind::ManagementUnit,
    Kind::Licences,
    Kind::Audits,
];

/// Lets time pass, for the simulator and for the database alike.
async fn pass(world: &World, seconds: u64) {
    use sqlx::Connection;
    world.simulator.advance(Duration::from_secs(seconds));
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    for statement in [
        "update assignments set removed_at = removed_at - make_interval(secs => $1),
             gone_at = gone_at - make_interval(secs => $1), restored_at = restored_at - make_interval(secs => $1)",
        "update offboardings set available_at = available_at - make_interval(secs => $1)
         where status = 'scheduled' and lease_token is null",
    ] {
        let seconds = u32::try_from(seconds).unwrap();
        sqlx::query(statement).bind(f64::from(seconds)).execute(&mut connection).await.unwrap();
    }
}

/// Works on whatever is due as time goes by, until the offboarding is over.
async fn as_time_goes_by(world: &World, engine: &Engine, id: OffboardingId) -> View {
    let mut passed = 0;
    for seconds in [5, 7, 20, 11].into_iter().cycle() {
        engine.step().await.unwrap();
        let view = world.view(id).await;
        if view.status != Status::Scheduled {
            return view;
        }
        assert!(passed < END_MAX, "still scheduled after {passed} s: {:#?}", journal(&view));
        pass(world, seconds).await;
        passed += seconds;
    }
    unreachable!("an endless cycle")
}

/// Waits after failures as they are by default, because they pass here as well.
fn patient(choices: Choices) -> Settings {
    Settings { retry_base: Duration::from_secs(1), retry_max: Duration::from_secs(300), ..with(choices) }
}

async fn there_and_back_with(kinds: &[Kind], choose: impl FnOnce(&Scene) -> Choices) {
    let scene = Scene::small().await;
    for kind in kinds {
        scene.world.simulator.set_lag(*kind, Lag::For(LAG));
    }
    let guard = Guard::default();
    guard.watch(&scene.world);
    let engine = scene.world.engine_with(patient(choose(&scene)));
    let id = scene.world.terminate(JANE).await;
    let view = as_time_goes_by(&scene.world, &engine, id).await;
    let end = (view.status, view.outcome, view.reason);
    assert_eq!(end, (Status::Done, Some(Outcome::Offboarded), None), "{kinds:?} {:#?}", journal(&view));
    assert!(left(&scene, &scene.jane()).is_empty(), "{kinds:?} {:?}", left(&scene, &scene.jane()));
    assert_eq!((scene.jane().state, scene.jane().tokens), (AccountState::Inactive, 0));
    guard.assert_nobody_was_deactivated_early();
    scene.assert_bystanders();
    pass(&scene.world, LAG.as_secs()).await;
    assert_eq!(decided(&scene.world, id, Decision::Restore).await, Decided::Yes);
    let view = as_time_goes_by(&scene.world, &engine, id).await;
    assert_restored(&scene, &view);
}

#[tokio::test]
async fn any_one_kind_may_lag() {
    let alone = |kind| async move { there_and_back_with(&[kind], Scene::choices_with_groups).await };
    stream::iter(KINDS).for_each_concurrent(AT_ONCE, alone).await;
}

#[tokio::test]
async fn all_kinds_may_lag_together() {
    there_and_back_with(&KINDS, Scene::choices_with_groups).await;
}

#[tokio::test]
async fn callbacks_that_go_to_a_queue_may_lag() {
    let to_queue = |scene: &Scene| Choices {
        callbacks: CallbackChoice::ToQueue(scene.elsewhere.parse().unwrap()),
        ..scene.choices_with_groups()
    };
    there_and_back_with(&[Kind::Callbacks], to_queue).await;
}
