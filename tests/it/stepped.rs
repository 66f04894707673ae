//! What the tests of the stepped engine share: an engine that waits for nothing long, people to try it on, and a witness
//! at the simulator's side who knows nothing of the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leaver::genesys::{self, Genesys};
use leaver::offboarding::{Actor, OffboardingId, PersonRef, Reason, Status};
use leaver::operate;
use leaver::pacing::SharedPacer;
use leaver::store::decisions::{Decided, Decision};
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{Control, Entry, Id, Joining, Organisation, Person, PersonState};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::World;

/// Longer than any call of a busy test machine takes, and short enough to wait for some of them.
const CALL_TIMEOUT: Duration = Duration::from_millis(400);

/// Steps after which something that was to end counts as endless.
const STEPS_MAX: usize = 40;

/// An engine that gives a hanging call up soon and pauses only briefly after a 429.
pub(crate) fn impatient_engine(world: &World, settings: Settings) -> Engine {
    let url: reqwest::Url = world.simulator.url().parse().unwrap();
    let client = genesys::Settings {
        api_url: url.clone(),
        login_url: url,
        client_id: world.simulator.client_id().to_owned(),
        client_secret: world.simulator.client_secret().into(),
        timeout: CALL_TIMEOUT,
        user_agent: "leaver/test".to_owned(),
        waits: genesys::Waits {
            retry_base: Duration::from_millis(2),
            retry_max: Duration::from_millis(10),
            throttle_min: Duration::from_millis(20),
        },
    };
    let pacer = SharedPacer::new(world.store.clone(), 1_000_000, CancellationToken::new());
    Engine::new(world.store.clone(), Genesys::new(client, Arc::new(pacer)).unwrap(), settings)
}

/// Makes everything due and works on it once.
pub(crate) async fn step(world: &World, engine: &Engine) -> usize {
    world.make_due().await;
    engine.step().await.unwrap()
}

/// Steps until the offboarding is no longer scheduled. Removals count as long past, so that what is assigned again is
/// removed again and not waited for.
pub(crate) async fn to_the_end(world: &World, engine: &Engine, id: OffboardingId) -> View {
    for _ in 0..STEPS_MAX {
        step(world, engine).await;
        let view = world.view(id).await;
        if view.status != Status::Scheduled {
            return view;
        }
        world.forget_lag().await;
    }
    panic!("still scheduled after {STEPS_MAX} steps: {:#?}", world.view(id).await.journal);
}

pub(crate) async fn decide(world: &World, id: OffboardingId, decision: Decision) {
    let actor = Actor::Operator("bob".to_owned());
    let (decided, _) = operate::decide(&world.store, id, decision, &actor).await.unwrap();
    assert_eq!(decided, Decided::Yes);
}

/// Status and reason, for comparing.
pub(crate) fn ended(view: &View) -> (Status, Option<Reason>) {
    (view.status, view.reason)
}

/// The note of the last entry in the journal.
pub(crate) fn last_note(view: &View) -> String {
    let entry = view.journal.as_ref().and_then(|journal| journal.last()).unwrap();
    entry.result.clone().unwrap_or_default()
}

pub(crate) fn by_email(email: &str) -> PersonRef {
    PersonRef { email: Some(email.to_owned()), external_id: None }
}

/// Somebody who holds one of everything that has a call of its own, and two roles.
pub(crate) fn slim_agent(organisation: &mut Organisation, email: &str) -> Id {
    let home = organisation.home();
    let person = Person::new(email, email)
        .queue(&organisation.add_queue(&format!("Queue of {email}"), &home), Joining::Joined)
        .skill(&organisation.add_skill(&format!("Skill of {email}")), 3.5)
        .language(&organisation.add_language(&format!("Language of {email}")), 4.0)
        .utilization(json!({"utilization": {"call": {"maximumCapacity": 2, "interruptableMediaTypes": [],
            "includeNonAcd": true}}, "labelUtilizations": {}}))
        .associated_station(&organisation.add_station(&format!("Desk of {email}")))
        .default_station(&organisation.add_station(&format!("Phone of {email}")))
        .grant(&organisation.add_role(&format!("Agent {email}")), &home)
        .grant(&organisation.add_role(&format!("Supervisor {email}")), &home)
        .tokens(2);
    organisation.add_person(person)
}

/// What can be stripped of a person and is still there, in words.
pub(crate) fn holdings(person: &PersonState) -> Vec<&'static str> {
    let kinds = [
        ("queues", !person.queues.is_empty()),
        ("skills", !person.skills.is_empty()),
        ("languages", !person.languages.is_empty()),
        ("utilization", person.utilization.is_some()),
        ("grants", !person.grants.is_empty()),
        ("associated station", person.associated_station.is_some()),
        ("default station", person.default_station.is_some()),
        ("team", person.team.is_some()),
        ("call forwarding", person.call_forwarding.as_ref().is_some_and(|set| set["enabled"] == true)),
        ("direct-routing backup", person.direct_routing_backup.is_some()),
    ];
    kinds.into_iter().filter(|(_, held)| *held).map(|(name, _)| name).collect()
}

pub(crate) fn without(mut people: BTreeMap<Id, PersonState>, id: &str) -> BTreeMap<Id, PersonState> {
    people.remove(id);
    people
}

/// Whether a request is about this user: by its path, or as a member in a bulk call.
pub(crate) fn is_about(entry: &Entry, user: &str) -> bool {
    entry.request.path.contains(user) || String::from_utf8_lossy(&entry.request.body).contains(user)
}

pub(crate) fn deactivations(world: &World, user: &str) -> Vec<Entry> {
    let patches = world.simulator.changing().into_iter();
    patches.filter(|entry| entry.request.operation == Some("patchUser") && is_about(entry, user)).collect()
}

/// The operations that were meant to change this user, in order.
pub(crate) fn changes_of(world: &World, user: &str) -> Vec<&'static str> {
    let changing = world.simulator.changing().into_iter().filter(|entry| is_about(entry, user));
    changing.filter_map(|entry| entry.request.operation).collect()
}

/// Notes everybody who still holds something at the moment in which a deactivation arrives.
#[derive(Clone, Default)]
pub(crate) struct Guard(Arc<Mutex<Vec<String>>>);

impl Guard {
    /// Watches from now on; ending the simulator's faults ends the watch too.
    pub(crate) fn watch(&self, world: &World) {
        let (early, control): (_, Control) = (self.0.clone(), (*world.simulator).clone());
        world.simulator.on_request(move |request| {
            if request.operation != Some("patchUser") {
                return;
            }
            let person = request.path.rsplit('/').next().and_then(|id| control.person(id));
            let left = person.as_ref().map(holdings).unwrap_or_default();
            if !left.is_empty() {
                early.lock().unwrap().push(format!("{} with {left:?}", request.path));
            }
        });
    }

    /// Ends all faults and goes on watching.
    pub(crate) fn end_faults(&self, world: &World) {
        world.simulator.clear_faults();
        self.watch(world);
    }

    pub(crate) fn assert_nobody_was_deactivated_early(&self) {
        assert_eq!(*self.0.lock().unwrap(), Vec::<String>::new());
    }
}

/// The snapshot as it is stored: step, target and details.
pub(crate) async fn snapshot(world: &World, id: OffboardingId) -> Vec<(String, String, Value)> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    sqlx::query_as("select step, target, detail from assignments where offboarding_id = $1 order by 1, 2")
        .bind(id.0)
        .fetch_all(&mut connection)
        .await
        .unwrap()
}
