//! The crash test: a real worker is killed at every request that it makes, before and after its effect, and the next one
//! finishes what it left.

use std::io::Write;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use leaver::offboarding::{OffboardingId, Outcome, Status};
use leaver_simulator::{AccountState, Action, Effect, Fault, Id, Matcher, Moment, Then, presets};

use crate::chain::assert_whole;
use crate::evidence::{Outcomes, assert_intended, assert_one_writer, assert_order};
use crate::process::{Worker, until};
use crate::support::World;

/// Crash points tried at the same time.
const AT_ONCE: usize = 5;

/// How long anything may take on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// The worker that dies holds a short lease, so that the next one has not to wait for long.
const SHORT_LIVED: &str = "requests_per_minute = 3000\n[worker]\nlease = \"1500ms\"\npoll = \"20ms\"\n";
const SUCCESSOR: &str = "requests_per_minute = 3000\n[worker]\nlease = \"20s\"\npoll = \"20ms\"\n";

/// Jane, who leaves, and people who must not notice.
struct Scene {
    world: World,
    jane: Id,
    offboarding: OffboardingId,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let jane = world.simulator.organisation(|org| {
            presets::agent_with_inherited(org, "Tom Berg", "tom.berg@example.com", "E1");
            let jane = presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E2");
            presets::fully_assigned_agent(org, "Jane Doe", "jane.doe2@example.com", "E3");
            jane
        });
        let offboarding = world.terminate("jane.doe@example.com").await;
        Self { world, jane, offboarding }
    }

    async fn until_done(&self) {
        until("the offboarding is done", LIMIT, async || {
            self.world.view(self.offboarding).await.status == Status::Done
        })
        .await;
    }

    async fn check(&self, mut bystanders: std::collections::BTreeMap<Id, leaver_simulator::PersonState>) {
        let view = self.world.view(self.offboarding).await;
        assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
        let simulator = &self.world.simulator;
        let mut everybody = simulator.everybody();
        let jane = everybody.remove(&self.jane).unwrap();
        assert_eq!((jane.state, jane.tokens), (AccountState::Inactive, 0));
        assert!(jane.queues.is_empty() && jane.skills.is_empty() && jane.languages.is_empty());
        assert!(jane.grants.is_empty() && jane.utilization.is_none());
        assert!(jane.associated_station.is_none() && jane.default_station.is_none());
        bystanders.remove(&self.jane);
        assert_eq!(everybody, bystanders);
        let (calls, journal) = (simulator.journal(), view.journal.unwrap_or_default());
        assert_order(&calls, &self.jane, 2);
        assert_one_writer(&calls, &journal);
        assert_intended(&calls, &[journal], Outcomes::One);
        let removals = calls.iter().filter(|call| call.effect == Effect::Changed).count();
        assert_eq!(removals, 14, "12 removals, the account and the tokens, each with effect once");
        assert_eq!(simulator.violations(), Vec::<String>::new());
        assert_whole(&self.world.store).await;
    }

    /// Gives the disk space back before the next of many.
    async fn end(self) {
        self.world.store.close().await;
        self.world.database.remove().await.expect("a database that goes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_worker_is_killed_the_next_one_finishes_and_nothing_is_done_twice() {
    let requests = undisturbed().await;
    let points = (1..=requests).flat_map(|nth| [(nth, Moment::BeforeEffect), (nth, Moment::AfterEffect)]);
    let crashes = stream::iter(points).map(|(nth, moment)| crash(nth, moment)).buffer_unordered(AT_ONCE);
    let survived = crashes.count().await;
    let _ = writeln!(std::io::stderr(), "crash points: {survived} (2 at each of {requests} requests)");
    assert_eq!(survived, 2 * requests as usize);
    assert!(requests > 40, "an offboarding of only {requests} requests");
}

/// The requests of an offboarding that nothing disturbs, the one for the token included.
async fn undisturbed() -> u32 {
    let scene = Scene::new().await;
    let before = scene.world.simulator.everybody();
    let worker = Worker::start(&scene.world.config(SHORT_LIVED));
    scene.until_done().await;
    worker.kill();
    scene.check(before).await;
    let requests = scene.world.simulator.journal().len();
    scene.end().await;
    u32::try_from(requests).unwrap()
}

async fn crash(nth: u32, moment: Moment) {
    let scene = Scene::new().await;
    let simulator = &scene.world.simulator;
    let before = simulator.everybody();
    // The hook is there before the worker is, because a worker begins at once.
    let victim = std::sync::Arc::new(std::sync::OnceLock::<Worker>::new());
    let in_hook = victim.clone();
    let kill = Action::call(move |_| in_hook.wait().kill(), Then::Hang);
    let fault = simulator.inject(Fault { matcher: Matcher::any().nth(nth), moment, action: kill });
    let worker = victim.get_or_init(|| Worker::start(&scene.world.config(SHORT_LIVED))).clone();
    until("the worker is killed", LIMIT, async || worker.ended().is_some()).await;
    assert_eq!(simulator.struck(fault), 1, "{nth} {moment:?}: died by itself: {}", worker.log());
    assert!(worker.ended().is_some_and(|status| status.code().is_none()), "ended by a signal");
    let next = Worker::start(&scene.world.config(SUCCESSOR));
    scene.until_done().await;
    next.kill();
    // Shown where the check fails.
    println!("killed at request {nth}, {moment:?}");
    scene.check(before).await;
    scene.end().await;
}
