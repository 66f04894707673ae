//! No case starts before it takes effect, by the database's clock: not by a second, whatever way it came to be due.

use leaver::offboarding::{Actor, OffboardingId, Reason, Status};
use leaver::operate;
use leaver::store::decisions::{Decided, Decision};

use crate::stepped::{decide, ended, slim_agent};
use crate::support::World;

const JANE: &str = "jane@example.com";

/// Jane leaves; when is said by SQL.
async fn jane_leaves() -> (World, OffboardingId) {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = world.terminate(JANE).await;
    (world, id)
}

/// Takes what may be taken; nothing may, and Genesys Cloud is asked nothing.
async fn assert_not_taken(world: &World, what: &str) {
    let engine = world.engine();
    let asked = world.simulator.journal().len();
    assert_eq!((engine.step().await.unwrap(), world.store.due().await.unwrap()), (0, 0), "{what}");
    assert_eq!(world.simulator.journal().len(), asked, "{what}");
}

#[tokio::test]
async fn a_case_is_taken_at_its_moment_and_not_before() {
    let (world, _) = jane_leaves().await;
    let engine = world.engine();
    world
        .sql("update offboardings set effective_at = now() + interval '1 second', available_at = now() + interval '1 second'")
        .await;
    let mut steps = 0_u32;
    while engine.step().await.unwrap() == 0 {
        steps += 1;
    }
    assert!(steps > 0, "a second is long enough for a step that takes nothing");
    let early = "select count(*) from offboardings o join journal j on j.offboarding_id = o.id
                 where j.action = 'lease_acquired' and j.at < o.effective_at";
    assert_eq!(world.number(early).await, 0);
    assert_eq!(world.number("select count(*) from journal where action = 'lease_acquired'").await, 1);
}

#[tokio::test]
async fn a_case_whose_moment_is_now_is_taken() {
    let (world, _) = jane_leaves().await;
    world.sql("update offboardings set effective_at = now(), available_at = now()").await;
    assert_eq!(world.engine().step().await.unwrap(), 1);
}

#[tokio::test]
async fn a_case_that_is_wrongly_available_is_not_taken() {
    let (world, id) = jane_leaves().await;
    world
        .sql(
            "update offboardings set effective_at = now() + interval '1 minute',
             available_at = now() - interval '1 minute'",
        )
        .await;
    assert_not_taken(&world, "wrongly available").await;
    assert_eq!(world.view(id).await.status, Status::Scheduled);
    // A restore has nothing to wait for.
    world.sql("update offboardings set goal = 'restored'").await;
    assert_eq!(world.engine().step().await.unwrap(), 1);
}

#[tokio::test]
async fn no_decision_brings_a_case_forward() {
    let waiting = [
        ("status = 'held', reason = 'brake'", Decision::Approve),
        ("status = 'held', reason = 'protected'", Decision::Approve),
        ("status = 'held', reason = 'dry_run'", Decision::Retry),
        ("status = 'held', reason = 'permission_missing'", Decision::Retry),
        ("status = 'failed', reason = 'attempts_exhausted'", Decision::Retry),
    ];
    for (state, decision) in waiting {
        let (world, id) = jane_leaves().await;
        let moment = "effective_at = now() + interval '1 minute', available_at = now()";
        world.sql(format!("update offboardings set {moment}, {state}").leak()).await;
        decide(&world, id, decision).await;
        assert_not_taken(&world, state).await;
        assert_eq!(ended(&world.view(id).await), (Status::Scheduled, None));
        let due = "select count(*) from offboardings where available_at >= effective_at";
        assert_eq!(world.number(due).await, 1, "{state}");
        world.sql("update offboardings set effective_at = now(), available_at = now()").await;
        assert_eq!(world.engine().step().await.unwrap(), 1, "{state}");
    }
}

#[tokio::test]
async fn what_was_postponed_and_moved_meanwhile_waits_for_its_new_moment() {
    let (world, id) = jane_leaves().await;
    // As after a correction that came while a worker was at it: the pause is over, the new moment is not.
    world
        .sql(
            "update offboardings set attempt = 3, effective_at = now() + interval '1 minute',
             available_at = now() - interval '1 second'",
        )
        .await;
    assert_not_taken(&world, "postponed").await;
    let bob = Actor::Operator("bob".to_owned());
    let (retried, _) = operate::decide(&world.store, id, Decision::Retry, &bob).await.unwrap();
    assert_eq!(retried, Decided::NotFrom(Status::Scheduled), "a retry does not bring it forward");
    decide(&world, id, Decision::Cancel).await;
    assert_eq!(ended(&world.view(id).await), (Status::Cancelled, Some(Reason::CancelledByOperator)));
    assert_not_taken(&world, "cancelled").await;
}
