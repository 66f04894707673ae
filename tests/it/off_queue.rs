//! Gently off the queue: whoever is waited for may be set unjoined, once, and is joined again by a restore.

use leaver::offboarding::choices::{OffQueue, OnQueue, WhenBusy};
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::plan::choices::{Reporting, Switch};
use leaver::plan::{Choices, Plan};
use leaver::store::decisions::Decision;
use leaver::store::progress::BrakeLimits;
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{
    Action, Fault, Id, Joining, Matcher, MemberBy, PersonState, QueueMembership, RoutingStatus,
};

use crate::corrections::tell;
use crate::restoring::{comparable, restored};
use crate::stepped::{
    changes_of, decide, ended, impatient_engine, last_note, slim_agent, snapshot, step, to_the_end,
};
use crate::support::World;
use crate::work::{JANE, answers, does, hangs_up, with};

fn gently() -> Settings {
    with(|busy| busy.off_queue = OffQueue::Unjoin)
}

/// Jane is in a call, joined in two queues, one of them through a group, and unjoined in a third, in rings of their own.
async fn jane_in_a_call() -> (World, Id, PersonState, OffboardingId) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let (jane, home) = (slim_agent(org, JANE), org.home());
        let (more, shared) = (org.add_queue("More", &home), org.add_queue("Shared", &home));
        let member = |joining, ring_number, by| QueueMembership { joining, ring_number, by };
        org.edit(&jane, |person| {
            person.queues.insert(more, member(Joining::Unjoined, 3, MemberBy::User));
            person.queues.insert(shared, member(Joining::Joined, 2, MemberBy::Group));
        });
        jane
    });
    answers(&world.simulator, &jane);
    let before = world.simulator.person(&jane).unwrap();
    let id = world.terminate(JANE).await;
    (world, jane, before, id)
}

fn is_off_queue(world: &World, jane: &str) -> bool {
    world.simulator.person(jane).unwrap().queues.values().all(|queue| queue.joining == Joining::Unjoined)
}

/// As she was before, when she has hung up.
fn assert_as_before(world: &World, jane: &str, before: &PersonState) {
    hangs_up(&world.simulator, jane);
    let now = comparable(&world.simulator.person(jane).unwrap());
    let before = PersonState { routing_status: RoutingStatus::OffQueue, ..comparable(before) };
    assert_eq!(now, PersonState { conversations: std::collections::BTreeMap::new(), ..before });
}

fn results(view: &View) -> Vec<&str> {
    view.journal.as_ref().unwrap().iter().filter_map(|entry| entry.result.as_deref()).collect()
}

async fn wait(world: &World, engine: &Engine, id: OffboardingId) -> View {
    step(world, engine).await;
    let view = world.view(id).await;
    assert_eq!((ended(&view), view.attempt), ((Status::Scheduled, None), 0), "{:#?}", view.journal);
    view
}

#[tokio::test]
async fn whoever_is_waited_for_is_set_unjoined_once_and_nothing_is_removed() {
    let (world, jane, before, id) = jane_in_a_call().await;
    let engine = world.engine_with(gently());
    for recheck in 0..3 {
        let view = wait(&world, &engine, id).await;
        assert_eq!(changes_of(&world, &jane), ["patchUserQueues"], "{recheck}");
        assert_eq!((view.phase.as_deref(), results(&view).contains(&"unjoined")), (None, true));
        assert!(last_note(&view).starts_with("in an interaction"), "{}", last_note(&view));
    }
    assert!(is_off_queue(&world, &jane));
    assert_eq!(world.simulator.person(&jane).unwrap().queues.len(), before.queues.len());
    assert_eq!(world.number("select count(*) from assignments where removed_at is not null").await, 0);
    assert_eq!(world.number("select count(*) from changed_people").await, 1);
    let joined = snapshot(&world, id).await.into_iter().filter(|(.., detail)| detail["joined"] == true);
    assert_eq!(joined.count(), 2);
}

#[tokio::test]
async fn when_the_call_is_over_the_person_goes_and_the_snapshot_says_joined() {
    let (world, jane, before, id) = jane_in_a_call().await;
    world.simulator.organisation(|org| {
        org.edit(&jane, |person| person.queues.retain(|_, queue| queue.by == MemberBy::User))
    });
    let before = PersonState { queues: world.simulator.person(&jane).unwrap().queues, ..before };
    let engine = world.engine_with(gently());
    wait(&world, &engine, id).await;
    hangs_up(&world.simulator, &jane);
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert!(world.simulator.person(&jane).unwrap().queues.is_empty());
    let view = restored(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", view.journal);
    assert_as_before(&world, &jane, &before);
}

#[tokio::test]
async fn a_rescind_after_it_is_held_and_a_restore_joins_exactly_who_was_joined() {
    let (world, jane, before, id) = jane_in_a_call().await;
    let engine = world.engine_with(gently());
    wait(&world, &engine, id).await;
    assert_eq!(tell(&world, "workday", Some(JANE), None, Intake::Rescind(None)).await, Some(id));
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Rescinded)));
    let view = restored(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", view.journal);
    assert_as_before(&world, &jane, &before);
    assert_eq!(
        changes_of(&world, &jane).len(),
        3,
        "two queues are joined again: {:?}",
        changes_of(&world, &jane)
    );
}

#[tokio::test]
async fn a_cancelled_one_can_be_restored_too() {
    let (world, jane, before, id) = jane_in_a_call().await;
    let engine = world.engine_with(gently());
    wait(&world, &engine, id).await;
    decide(&world, id, Decision::Cancel).await;
    let view = restored(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", view.journal);
    assert_as_before(&world, &jane, &before);
}

#[tokio::test]
async fn a_lost_answer_is_found_out_and_a_lost_request_is_sent_again() {
    for (fault, calls) in [(Fault::after as fn(Matcher, Action) -> Fault, 1), (Fault::before, 2)] {
        let (world, jane, before, id) = jane_in_a_call().await;
        let engine = impatient_engine(&world, gently());
        world.simulator.inject(fault(Matcher::operation("patchUserQueues").times(1), Action::Close));
        let view = wait(&world, &engine, id).await;
        assert!(last_note(&view).contains("could not be taken off queue"), "{}", last_note(&view));
        for _ in 0..2 {
            wait(&world, &engine, id).await;
        }
        assert!(is_off_queue(&world, &jane));
        assert_eq!(changes_of(&world, &jane), vec!["patchUserQueues"; calls]);
        tell(&world, "workday", Some(JANE), None, Intake::Rescind(None)).await;
        let view = restored(&world, &engine, id).await;
        assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", view.journal);
        assert_as_before(&world, &jane, &before);
    }
}

#[tokio::test]
async fn a_worker_that_ends_in_the_middle_of_it_leaves_what_a_restore_finds() {
    let (world, jane, before, id) = jane_in_a_call().await;
    let engine = world.engine_with(gently());
    wait(&world, &engine, id).await;
    // As if the outcome had never been written, and nothing of the attempt after it.
    world
        .sql(
            "set session_replication_role = replica;
             delete from journal where result = 'unjoined';
             truncate audit_chain;
             select audit_append(journal) from journal order by seq;
             update offboardings set off_queue_at = null, lease_token = gen_random_uuid()",
        )
        .await;
    world.expire_leases().await;
    engine.step().await.unwrap();
    let view = world.view(id).await;
    assert!(results(&view).contains(&"unknown: the worker ended"), "{:#?}", view.journal);
    assert_eq!((ended(&view), changes_of(&world, &jane).len()), ((Status::Scheduled, None), 1));
    decide(&world, id, Decision::Cancel).await;
    assert_eq!(restored(&world, &engine, id).await.outcome, Some(Outcome::Restored));
    assert_as_before(&world, &jane, &before);
}

#[tokio::test]
async fn that_it_is_refused_is_said_once_and_ends_no_waiting() {
    let (world, jane, _, id) = jane_in_a_call().await;
    let engine = world.engine_with(gently());
    let refusal = Action::answer(403, "missing.permissions");
    world.simulator.inject(Fault::before(Matcher::operation("patchUserQueues").always(), refusal));
    let view = wait(&world, &engine, id).await;
    assert!(last_note(&view).contains("could not be taken off queue"), "{}", last_note(&view));
    wait(&world, &engine, id).await;
    assert_eq!(changes_of(&world, &jane), ["patchUserQueues"]);
    hangs_up(&world.simulator, &jane);
    world.simulator.organisation(|org| {
        org.edit(&jane, |person| person.queues.retain(|_, queue| queue.by == MemberBy::User))
    });
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn the_brake_counts_it_like_every_first_change() {
    let (world, jane, _, id) = jane_in_a_call().await;
    let brake = BrakeLimits { per_hour: 0, per_day: 0 };
    let engine = world.engine_with(Settings { brake, ..gently() });
    step(&world, &engine).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Brake)));
    assert!(changes_of(&world, &jane).is_empty());
    decide(&world, id, Decision::Approve).await;
    wait(&world, &engine, id).await;
    assert!(is_off_queue(&world, &jane));
}

#[tokio::test]
async fn nobody_else_is_taken_off_queue() {
    let ask = with(|busy| (busy.when_busy, busy.off_queue) = (WhenBusy::Ask, OffQueue::Unjoin));
    let leave = with(|busy| busy.off_queue = OffQueue::Leave);
    let switched_off = Choices::default().switched("strip.queue_memberships", Switch::Off);
    let untouched = Settings { plan: Plan::new(switched_off), ..gently() };
    for settings in [ask, leave, untouched] {
        let (world, jane, before, _) = jane_in_a_call().await;
        step(&world, &world.engine_with(settings)).await;
        assert_eq!(world.simulator.person(&jane), Some(before));
    }
}

#[tokio::test]
async fn somebody_on_queue_is_taken_off_it_where_that_is_waited_for() {
    let (world, jane, _, id) = jane_in_a_call().await;
    does(&world.simulator, &jane, |person| {
        person.conversations.clear();
        person.routing_status = RoutingStatus::Idle;
    });
    let settings = with(|busy| (busy.on_queue, busy.off_queue) = (OnQueue::Wait, OffQueue::Unjoin));
    let engine = world.engine_with(settings);
    let view = wait(&world, &engine, id).await;
    assert_eq!((last_note(&view).as_str(), is_off_queue(&world, &jane)), ("on queue; taken off queue", true));
    // It is no part of the strip: the waiting goes on.
    assert_eq!(last_note(&wait(&world, &engine, id).await), "on queue");
}

#[tokio::test]
async fn what_is_to_be_seen_before_the_first_change_comes_before_it() {
    let (world, jane, _, id) = jane_in_a_call().await;
    for permission in ["analytics:conversationDetail:view", "analytics:agentConversationDetail:view"] {
        world.simulator.withhold_permission(permission);
    }
    let reports = [("report.callbacks".to_owned(), Reporting::Hold)].into();
    let plan = Plan::new(Choices { reports, ..Choices::default() });
    step(&world, &world.engine_with(Settings { plan, ..gently() })).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::ReportFound)));
    assert!(changes_of(&world, &jane).is_empty());
}
