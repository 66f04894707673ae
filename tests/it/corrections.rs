//! What the HRIS says later: corrected facts, second thoughts, and other sources' ids.

use chrono::{TimeDelta, Utc};
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{Actor, OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::store::decisions::{Decided, Decision};
use leaver::store::events::{Accepted, Delivery, Item};
use leaver_simulator::{AccountState, Action, Fault, Matcher, presets};

use crate::support::World;

/// Stores an event; gives the offboarding that it belongs to, if it has one.
pub(crate) async fn tell(
    world: &World,
    source: &str,
    email: Option<&str>,
    id: Option<&str>,
    intake: Intake,
) -> Option<OffboardingId> {
    let item = Item {
        event_id: uuid::Uuid::new_v4().to_string(),
        content_digest: [0; 32],
        again_after: None,
        person: PersonRef { email: email.map(str::to_owned), external_id: id.map(str::to_owned) },
        termination_type: None,
        sequence: None,
        occurred_at: None,
        intake,
        look_up: false,
        noted: Default::default(),
    };
    let delivery = Delivery {
        source: source.to_owned(),
        key_index: 0,
        body: b"{}".to_vec(),
        items: vec![item],
        headers: Default::default(),
        asked: None,
    };
    match world.store.accept_termination(delivery).await.unwrap() {
        Accepted::New(receipt) | Accepted::Held(receipt) | Accepted::Ignored(receipt) => {
            receipt.offboardings.first().map(|brief| brief.id)
        }
        other @ (Accepted::Duplicate(_) | Accepted::Conflict) => panic!("not new: {other:?}"),
    }
}

fn in_days(days: i64) -> Intake {
    Intake::Schedule(Utc::now() + TimeDelta::days(days))
}

fn now() -> Intake {
    Intake::Schedule(Utc::now() - TimeDelta::seconds(1))
}

#[tokio::test]
async fn a_corrected_address_replaces_the_mistaken_one_and_the_namesake_stays() {
    let world = World::new().await;
    let (namesake, leaver) = world.simulator.organisation(|org| {
        let namesake = presets::fully_assigned_agent(org, "John Smith", "john.smith@example.com", "E1");
        (namesake, presets::fully_assigned_agent(org, "Jon Smith", "jon.smith@example.com", "E2"))
    });
    let before = world.simulator.person(&namesake);
    let first = tell(&world, "workday", Some("john.smith@example.com"), Some("W1"), in_days(5)).await;
    let second = tell(&world, "workday", Some("jon.smith@example.com"), Some("W1"), now()).await;
    assert_eq!(first, second);
    let view = world.work_to_the_end(&world.engine(), second.unwrap()).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.simulator.person(&leaver).unwrap().state, AccountState::Inactive);
    assert_eq!(world.simulator.person(&namesake), before);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_rescind_reaches_an_offboarding_that_has_failed() {
    let world = World::new().await;
    let id = tell(&world, "workday", Some("jane@example.com"), None, now()).await.unwrap();
    world.sql("update offboardings set status = 'failed', reason = 'attempts_exhausted'").await;
    assert_eq!(
        tell(&world, "workday", Some("jane@example.com"), None, Intake::Rescind(None)).await,
        Some(id)
    );
    let view = world.view(id).await;
    assert_eq!((view.status, view.reason), (Status::Cancelled, Some(Reason::Rescinded)));
    let retried = world.store.decide(id, Decision::Retry, &Actor::Operator("alice".to_owned())).await;
    assert_eq!(retried.unwrap(), Decided::NotFrom(Status::Cancelled));
}

#[tokio::test]
async fn an_id_of_one_source_is_never_taken_for_an_id_of_another() {
    let world = World::new().await;
    let first = tell(&world, "bamboo", Some("e@example.com"), None, in_days(3)).await;
    let stranger = tell(&world, "bamboo", Some("other@example.com"), Some("5"), in_days(3)).await;
    let joined = tell(&world, "workday", Some("e@example.com"), Some("5"), in_days(4)).await;
    assert_eq!(joined, first);
    assert_eq!(world.view(first.unwrap()).await.person.external_id, None);
    assert_eq!(tell(&world, "bamboo", None, Some("5"), Intake::Rescind(None)).await, stranger);
    assert_eq!(world.view(first.unwrap()).await.status, Status::Scheduled);
}

#[tokio::test]
async fn what_kept_returning_is_counted_anew_after_somebody_has_looked() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "E1");
    });
    let id = world.terminate("jane@example.com").await;
    let fault = Fault::before(Matcher::changing().always(), Action::answer(503, "service.unavailable"));
    world.simulator.inject(fault);
    world.engine().step().await.unwrap();
    world.simulator.clear_faults();
    world.sql("update assignments set removals = 4, removed_at = now() - interval '1 hour'").await;
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!(view.reason, Some(Reason::KeepsReturning));
    let retried = world.store.decide(id, Decision::Retry, &Actor::Operator("alice".to_owned())).await;
    assert_eq!(retried.unwrap(), Decided::Yes);
    assert_eq!(world.work_to_the_end(&world.engine(), id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn a_single_not_found_does_not_end_an_offboarding() {
    let world = World::new().await;
    let jane = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "E1"));
    let id = world.terminate("jane@example.com").await;
    // Of an active user also the look into the bin finds nothing.
    let gone = Matcher::operation("getUser").times(2);
    world.simulator.inject(Fault::before(gone, Action::answer(404, "not.found")));
    world.engine().step().await.unwrap();
    assert_eq!(world.view(id).await.status, Status::Scheduled);
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
}
