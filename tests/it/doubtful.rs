//! What nobody can be sure of: calls whose answers are lost when the goal is turned round, holds that are lost with their
//! worker, successes that prove nothing, and permissions that are missing for an account that was inactive before.

use leaver::offboarding::choices::Order;
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{Outcome, Reason, Status};
use leaver::plan::Choices;
use leaver::plan::choices::Reporting;
use leaver::store::decisions::Decision;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Fault, Matcher};

use crate::corrections::tell;
use crate::restoring::{assert_restored, restored};
use crate::stepped::{decide, ended, impatient_engine, slim_agent, step, to_the_end};
use crate::support::World;
use crate::whole_plan::{JANE, Scene, journal, with};

#[tokio::test]
async fn an_account_that_was_deactivated_by_a_call_without_an_answer_is_restored_too() {
    let scene = Scene::small().await;
    let settings = with(scene.choices_with_groups());
    let engine = impatient_engine(&scene.world, settings);
    scene.world.simulator.inject(Fault::after(Matcher::operation("patchUser"), Action::Close));
    let id = scene.world.terminate(JANE).await;
    step(&scene.world, &engine).await;
    assert_eq!(scene.jane().state, AccountState::Inactive, "{:#?}", journal(&scene.world.view(id).await));
    decide(&scene.world, id, Decision::Cancel).await;
    let view = restored(&scene.world, &engine, id).await;
    assert_restored(&scene, &view);
}

#[tokio::test]
async fn roles_that_went_with_the_account_are_restored_though_no_call_took_them() {
    let scene = Scene::small().await;
    let settings = Settings { order: Order::AccessFirst, ..with(scene.choices_with_groups()) };
    let engine = impatient_engine(&scene.world, settings);
    let away = Action::answer(500, "internal.server.error");
    scene.world.simulator.inject(Fault::before(Matcher::operation("deleteToken").always(), away));
    let id = scene.world.terminate(JANE).await;
    step(&scene.world, &engine).await;
    assert!(scene.jane().grants.is_empty());
    scene.world.simulator.clear_faults();
    tell(&scene.world, "workday", Some(JANE), None, Intake::Rescind(None)).await;
    assert_eq!(ended(&scene.world.view(id).await), (Status::Held, Some(Reason::Rescinded)));
    let view = restored(&scene.world, &engine, id).await;
    assert_restored(&scene, &view);
}

#[tokio::test]
async fn a_report_holds_again_where_the_hold_was_lost_with_its_worker() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let jane = slim_agent(org, JANE);
        org.add_voicemail(&jane, "A customer");
        jane
    });
    let before = world.simulator.person(&jane).unwrap();
    let mut choices = Choices::default();
    choices.reports.insert("report.voicemail".to_owned(), Reporting::Hold);
    let engine = world.engine_with(with(choices));
    let id = world.terminate(JANE).await;
    for _ in 0..2 {
        step(&world, &engine).await;
        assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::ReportFound)));
        assert_eq!(world.simulator.person(&jane).unwrap(), before);
        world.sql("update offboardings set status = 'scheduled', reason = null").await;
    }
    world.sql("update offboardings set status = 'held', reason = 'report_found'").await;
    decide(&world, id, Decision::Approve).await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn tokens_that_are_revoked_each_time_do_not_keep_a_hopeless_offboarding_alive() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, JANE));
    let away = Action::answer(500, "internal.server.error");
    world.simulator.inject(Fault::before(Matcher::operation("deleteRoutingQueueMember").always(), away));
    let settings = Settings { order: Order::AccessFirst, attempts_max: 4, ..World::settings() };
    let id = world.terminate(JANE).await;
    let view = to_the_end(&world, &impatient_engine(&world, settings), id).await;
    assert_eq!(ended(&view), (Status::Failed, Some(Reason::AttemptsExhausted)));
}

#[tokio::test]
async fn a_missing_permission_is_not_passed_over_for_an_account_that_was_inactive_before() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        let jane = slim_agent(org, JANE);
        org.edit(&jane, |person| person.state = AccountState::Inactive);
    });
    world.simulator.withhold_permission("authorization:grant:delete");
    let id = world.terminate(JANE).await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::PermissionMissing)), "{:#?}", view.journal);
}
