//! What HR says later, and what it had said before: withdrawals that come early, late or from somebody else, corrections,
//! contradictions, and the same again.

use chrono::{DateTime, TimeDelta, Utc};
use leaver::offboarding::choices::OffQueue;
use leaver::offboarding::policy::{BusyPolicy, Intake};
use leaver::offboarding::{Actor, Goal, OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::store::decisions::{Decided, Decision};
use leaver::store::events::{Accepted, Delivery, Item};
use leaver::store::progress::BrakeLimits;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, RoutingStatus};

use crate::order_of_events::{
    Event, JANE, changes_about, deliver, item, of_person, small_person, step_and_crash,
};
use crate::stepped::{by_email, ended, slim_agent, step, to_the_end};
use crate::support::World;

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
        again_after: None,
        person: by_email(JANE),
        termination_type: None,
        sequence: None,
        occurred_at: occurred.map(|day| DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)),
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

#[tokio::test]
async fn a_corrected_case_forgets_what_was_seen_of_somebody_else() {
    let world = World::new().await;
    let (mary, jane) =
        world.simulator.organisation(|org| (slim_agent(org, "mary@example.com"), small_person(org, JANE)));
    let before = (world.simulator.person(&mary), world.simulator.person(&jane));
    let named = |email: &str, at| Item {
        person: PersonRef { external_id: Some("W1".to_owned()), ..by_email(email) },
        ..item(&by_email(email), Event::Terminate, at)
    };
    deliver(&world, vec![named("mary@example.com", Utc::now() - TimeDelta::hours(2))]).await;
    // Everything of Mary's is seen, and the brake holds her before the first change.
    let none = BrakeLimits { per_hour: 0, per_day: 0 };
    step(&world, &world.engine_with(Settings { brake: none, ..World::settings() })).await;
    let id = of_person(&world, "mary@example.com").await[0].id;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Brake)));
    assert!(world.number("select count(*) from assignments").await > 5);
    // HR meant Jane.
    deliver(
        &world,
        vec![Item { occurred_at: Some(Utc::now()), ..named(JANE, Utc::now() + TimeDelta::days(1)) }],
    )
    .await;
    assert_eq!(world.number("select count(*) from assignments").await, 0);
    world.sql("update offboardings set effective_at = now() - interval '1 hour'").await;
    assert_eq!(to_the_end(&world, &world.engine(), id).await.outcome, Some(Outcome::Offboarded));
    world.store.decide(id, Decision::Restore, &Actor::Operator("alice".to_owned())).await.unwrap();
    assert_eq!(to_the_end(&world, &world.engine(), id).await.outcome, Some(Outcome::Restored));
    let after = (world.simulator.person(&mary), world.simulator.person(&jane));
    assert_eq!(after.0, before.0);
    let held = |person: &Option<leaver_simulator::PersonState>| {
        let person = person.as_ref().unwrap();
        (person.grants.clone(), person.queues.clone(), person.skills.clone())
    };
    assert_eq!(held(&after.1), held(&before.1));
}

/// Whoever leaves at once after all does not wait for the end of a call as somebody who leaves in peace, also where the
/// first change has been made: they were taken off queue.
#[tokio::test]
async fn a_termination_that_becomes_involuntary_waits_no_longer() {
    for off_queue in [OffQueue::Leave, OffQueue::Unjoin] {
        let world = World::new().await;
        let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
        world
            .simulator
            .organisation(|org| org.edit(&jane, |person| person.routing_status = RoutingStatus::Interacting));
        let busy = BusyPolicy { off_queue, ..World::settings().busy };
        let engine = world.engine_with(Settings { busy, ..World::settings() });
        let when = Utc::now() - TimeDelta::hours(1);
        let id = tell(&world, "workday", "1", Intake::Schedule(when)).await.unwrap();
        step(&world, &engine).await;
        assert!(world.view(id).await.next_attempt_at.unwrap() > Utc::now() + TimeDelta::seconds(30));
        assert_eq!(changes_about(&world, &jane) > 0, off_queue == OffQueue::Unjoin);
        let again = Item {
            event_id: "2".to_owned(),
            termination_type: Some("involuntary".to_owned()),
            occurred_at: None,
            ..item(&by_email(JANE), Event::Terminate, when)
        };
        deliver(&world, vec![again]).await;
        assert_eq!(engine.step().await.unwrap(), 1, "due at once");
        assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
    }
}

#[tokio::test]
async fn what_is_approved_for_a_later_date_stays_approved_until_then() {
    let world = World::new().await;
    let id = tell_at(&world, "workday", "a", Some(1), in_days(3)).await.unwrap();
    tell_at(&world, "workday", "b", Some(1), in_days(2)).await;
    approve(&world, id).await;
    let left = "select extract(epoch from expires_at - now())::bigint from approvals";
    assert!(world.number(left).await > 3 * 86_400, "{}", world.number(left).await);
}
