//! The end of a shift in workforce management ends the waiting for somebody's work, where it comes first and is known.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use leaver::offboarding::choices::ShiftEnd;
use leaver::offboarding::{OffboardingId, Outcome, Status};
use leaver::store::decisions::Decision;
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{Action, Fault, Id, Matcher, Schedules, Shift};

use crate::stepped::{decide, ended, impatient_engine, last_note, slim_agent, step, to_the_end};
use crate::support::World;
use crate::work::{JANE, answers, with};

const SEARCH: &str = "postWorkforcemanagementManagementunitAgentschedulesSearch";
const UNIT: &str = "getWorkforcemanagementAgentManagementunit";

fn by_shift() -> Settings {
    with(|busy| (busy.shift_end, busy.shift_grace) = (ShiftEnd::Wait, Duration::from_secs(1_800)))
}

/// Jane is in a call. Her shift began two hours ago; it ends so many minutes from now.
async fn jane_in_a_call(ends_in: i64) -> (World, Id, OffboardingId) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let (jane, unit) = (slim_agent(org, JANE), org.add_management_unit("Service"));
        let minutes = u32::try_from(120 + ends_in).unwrap();
        org.edit(&jane, |person| {
            person.management_unit = Some(unit);
            person.shifts.push(Shift { start: Utc::now() - TimeDelta::hours(2), minutes });
        });
        jane
    });
    answers(&world.simulator, &jane);
    let id = world.terminate(JANE).await;
    (world, jane, id)
}

fn asked(world: &World, operation: &str) -> usize {
    world.simulator.journal().iter().filter(|entry| entry.request.operation == Some(operation)).count()
}

async fn wait(world: &World, engine: &Engine, id: OffboardingId) -> View {
    step(world, engine).await;
    let view = world.view(id).await;
    assert_eq!((ended(&view), view.attempt), ((Status::Scheduled, None), 0), "{:#?}", view.journal);
    assert_eq!(world.simulator.changing().len(), 0);
    view
}

fn reported(view: &View) -> Vec<&str> {
    let reported = view.journal.as_ref().unwrap().iter().filter(|entry| entry.action == "reported");
    reported.filter(|entry| entry.step.is_none()).filter_map(|entry| entry.result.as_deref()).collect()
}

#[tokio::test]
async fn the_waiting_ends_with_the_shift_and_its_grace_and_not_before() {
    let (world, _, id) = jane_in_a_call(10).await;
    let engine = world.engine_with(by_shift());
    for _ in 0..3 {
        let view = wait(&world, &engine, id).await;
        let [told] = reported(&view)[..] else { panic!("{:#?}", view.journal) };
        assert!(told.starts_with("the shift ends at "), "{told}");
    }
    assert_eq!((asked(&world, UNIT), asked(&world, SEARCH)), (1, 1));
    let left = "select extract(epoch from busy_until - now())::bigint from offboardings";
    assert!((2_330..=2_400).contains(&world.number(left).await), "{}", world.number(left).await);
    world.sql("update offboardings set busy_until = now() + interval '20 seconds'").await;
    let view = wait(&world, &engine, id).await;
    let pause = view.next_attempt_at.unwrap() - Utc::now();
    assert!(pause <= TimeDelta::seconds(20), "the next look is no later than the end: {pause}");
    world.sql("update offboardings set busy_until = now() - interval '1 second'").await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

/// An approval of something else comes days later: what was waited for then says nothing about the present call.
#[tokio::test]
async fn after_an_approval_work_is_waited_for_from_its_own_beginning() {
    let (world, _, id) = jane_in_a_call(10).await;
    let engine = world.engine_with(by_shift());
    wait(&world, &engine, id).await;
    world
        .sql(
            "update offboardings set status = 'held', reason = 'contradictory_events',
                 busy_at = busy_at - interval '5 hours', busy_until = busy_until - interval '5 hours'",
        )
        .await;
    decide(&world, id, Decision::Approve).await;
    let view = wait(&world, &engine, id).await;
    assert_eq!(reported(&view).len(), 2, "the shift is read anew");
}

#[tokio::test]
async fn the_longest_wait_ends_before_a_shift_that_ends_later() {
    let (world, _, id) = jane_in_a_call(600).await;
    let engine = world.engine_with(by_shift());
    wait(&world, &engine, id).await;
    world.sql("update offboardings set busy_at = busy_at - interval '3 hours 59 minutes'").await;
    wait(&world, &engine, id).await;
    world.sql("update offboardings set busy_at = busy_at - interval '2 minutes'").await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

/// Whatever is not known of the shift, only the longest wait ends the waiting; it is said, and not asked again.
async fn only_the_longest_wait(world: World, id: OffboardingId, says: &str) {
    let engine = world.engine_with(by_shift());
    let before = world.simulator.journal().len();
    let view = wait(&world, &engine, id).await;
    let [told] = reported(&view)[..] else { panic!("{:#?}", view.journal) };
    assert!(told.contains(says) && told.contains("busy_wait_max"), "{told}");
    let first = world.simulator.journal().len() - before;
    wait(&world, &engine, id).await;
    assert!(first > 2 && world.simulator.journal().len() == before + first + 1, "asked once");
    world.sql("update offboardings set busy_at = busy_at - interval '4 hours'").await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn who_is_not_in_workforce_management_is_waited_for_as_long_as_anybody() {
    let (world, jane, id) = jane_in_a_call(10).await;
    world.simulator.organisation(|org| org.edit(&jane, |person| person.management_unit = None));
    only_the_longest_wait(world, id, "does not know").await;
}

#[tokio::test]
async fn a_shift_that_is_long_over_is_no_shift() {
    let (world, _, id) = jane_in_a_call(-31).await;
    only_the_longest_wait(world, id, "no shift").await;
}

#[tokio::test]
async fn a_schedule_that_would_come_later_is_unknown() {
    for schedules in [Schedules::Later, Schedules::Download] {
        let (world, _, id) = jane_in_a_call(10).await;
        world.simulator.rules(|rules| rules.schedules = schedules);
        only_the_longest_wait(world, id, "later or as a download").await;
    }
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_ends_nothing() {
    let (world, _, id) = jane_in_a_call(10).await;
    world.simulator.withhold_permission("wfm:publishedSchedule:view");
    world.simulator.withhold_permission("wfm:schedule:view");
    only_the_longest_wait(world, id, "can't be read").await;
}

#[tokio::test]
async fn a_passing_failure_is_asked_again_at_the_next_look() {
    let (world, _, id) = jane_in_a_call(10).await;
    let engine = impatient_engine(&world, by_shift());
    let down = Matcher::operation(SEARCH).always();
    world.simulator.inject(Fault::before(down, Action::answer(503, "service.unavailable")));
    let view = wait(&world, &engine, id).await;
    assert!(last_note(&view).contains("the shift could not be read"), "{}", last_note(&view));
    assert!(reported(&view).is_empty());
    world.simulator.clear_faults();
    assert_eq!(reported(&wait(&world, &engine, id).await).len(), 1);
}
