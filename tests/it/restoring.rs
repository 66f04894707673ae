//! A restore puts back what was taken away, bit for bit, whatever happens on the way; and says what can't come back.

use std::collections::BTreeSet;

use leaver::offboarding::choices::Order;
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{Actor, Goal, OffboardingId, Outcome, Reason, Status};
use leaver::operate;
use leaver::plan::Choices;
use leaver::plan::choices::{CallbackChoice, RingNumbers};
use leaver::store::decisions::{Decided, Decision};
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{
    AcceptedGroupWrites, AccountState, Action, Fault, Matcher, Moment, PersonState, presets,
};

use crate::corrections::tell;
use crate::evidence::{Outcomes, assert_intended};
use crate::stepped::{decide, ended, impatient_engine, last_note, step, to_the_end};
use crate::support::World;
use crate::whole_plan::{JANE, Scene, assert_recorded, journal, targets, with};

/// What is not put back: the version goes on, sessions are opened anew, and the reason belongs to the last change.
pub(crate) fn comparable(person: &PersonState) -> PersonState {
    PersonState { version: 0, tokens: 0, tokens_revoked: 0, state_reason: None, ..person.clone() }
}

pub(crate) async fn decided(world: &World, id: OffboardingId, decision: Decision) -> Decided {
    let actor = Actor::Operator("bob".to_owned());
    operate::decide(&world.store, id, decision, &actor).await.unwrap().0
}

/// Works on a restore to its end; what was put back counts as long past, so that what doesn't show is put back again.
pub(crate) async fn restored(world: &World, engine: &Engine, id: OffboardingId) -> View {
    assert_eq!(decided(world, id, Decision::Restore).await, Decided::Yes);
    to_the_end(world, engine, id).await
}

/// Jane has everything back that can come back, and so have her callbacks.
pub(crate) fn assert_restored(scene: &Scene, view: &View) {
    let outcome = (view.status, view.outcome, view.goal);
    assert_eq!(outcome, (Status::Done, Some(Outcome::Restored), Goal::Restored), "{:#?}", journal(view));
    assert_eq!(comparable(&scene.jane()), comparable(&scene.before.people[&scene.jane]));
    let owners = |callbacks: &[leaver_simulator::Callback]| -> BTreeSet<_> {
        callbacks.iter().map(|one| (one.conversation.clone(), one.owner.clone(), one.queue.clone())).collect()
    };
    assert_eq!(owners(&scene.now().callbacks), owners(&scene.before.callbacks));
    scene.assert_bystanders();
    let steps = view.steps.as_ref().unwrap();
    assert!(steps.iter().all(|step| ["done", "skipped"].contains(&step.status.as_str())), "{steps:#?}");
}

/// Jane, offboarded with these choices, and the settings.
async fn offboarded(choices: impl FnOnce(&Scene) -> Choices) -> (Scene, Settings, OffboardingId) {
    offboarded_of(Scene::small().await, choices).await
}

async fn offboarded_of(
    scene: Scene,
    choices: impl FnOnce(&Scene) -> Choices,
) -> (Scene, Settings, OffboardingId) {
    let settings = with(choices(&scene));
    let view = scene.offboard(settings.clone()).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", journal(&view));
    (scene, settings, view.id)
}

#[tokio::test]
async fn everything_comes_back_bit_for_bit() {
    for groups in ["stay", "are left"] {
        let (scene, settings, id) = offboarded_of(Scene::new().await, |scene| {
            let queue = CallbackChoice::ToQueue(scene.elsewhere.parse().unwrap());
            match groups {
                "stay" => scene.choices(),
                _ => Choices { callbacks: queue, ..scene.choices_with_groups() },
            }
        })
        .await;
        let view = restored(&scene.world, &scene.world.engine_with(settings), id).await;
        assert_restored(&scene, &view);
        assert_recorded(&scene, &view);
        assert_eq!(targets(&view, "not_restorable"), BTreeSet::from(["all".to_owned()]), "the tokens");
        let in_part =
            journal(&view).iter().filter(|one| one.action == "not_restorable" && one.target.is_none());
        let in_part: Vec<_> = in_part.filter_map(|one| one.step.as_deref()).collect();
        assert_eq!(in_part, ["strip.callbacks", "strip.management_unit"], "once each");
        assert!(view.steps.unwrap().iter().all(|step| step.removed == 0 || step.name == "deactivate.tokens"));
    }
}

#[tokio::test]
async fn what_was_switched_off_since_comes_back_all_the_same() {
    let (scene, _, id) = offboarded(Scene::choices_with_groups).await;
    let off = Choices { ring_numbers: RingNumbers::LeftOut, ..Choices::default() };
    let off = leaver::plan::PLAN
        .iter()
        .fold(off, |off, step| off.switched(step.name(), leaver::plan::choices::Switch::Off));
    let view = restored(&scene.world, &scene.world.engine_with(with(off)), id).await;
    assert_restored(&scene, &view);
}

/// Each changing call of a restore is lost on its way there or back, and the worker that made it dies; whoever comes next
/// takes over a lease that ran out.
async fn interrupted_at_each_call(moment: Moment) {
    let (scene, settings, id) = offboarded(Scene::choices_with_groups).await;
    let short = Settings { lease: std::time::Duration::from_millis(900), ..settings };
    assert_eq!(decided(&scene.world, id, Decision::Restore).await, Decided::Yes);
    let mut interrupted = 0;
    for number in 0.. {
        scene.world.simulator.clear_faults();
        // A call that didn't arrive is made again first; the one after it is lost then.
        let nth = match moment {
            Moment::BeforeEffect => Matcher::changing().nth(1 + u32::from(number > 0)),
            Moment::AfterEffect => Matcher::changing(),
        };
        let fault = scene.world.simulator.inject(Fault { matcher: nth, moment, action: Action::Hang });
        let engine = impatient_engine(&scene.world, short.clone());
        scene.world.make_due().await;
        let working = tokio::spawn(async move { engine.step().await });
        while !working.is_finished() && scene.world.simulator.struck(fault) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        if scene.world.simulator.struck(fault) > 0 {
            interrupted += 1;
            working.abort();
        }
        let _ended = working.await;
        scene.world.expire_leases().await;
        scene.world.sql("update offboardings set attempt = 0").await;
        scene.world.sql("update assignments set restored_at = restored_at - interval '1 hour'").await;
        if scene.world.view(id).await.status != Status::Scheduled {
            break;
        }
        assert!(number < 400, "no end: {:#?}", scene.world.view(id).await.journal);
    }
    assert!(interrupted > 20, "{interrupted}");
    let view = scene.world.view(id).await;
    assert_restored(&scene, &view);
    assert_intended(&scene.world.simulator.journal(), &[journal(&view).to_vec()], Outcomes::OneOrMore);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_interrupted_before_its_calls_arrive_comes_to_the_same_end() {
    interrupted_at_each_call(Moment::BeforeEffect).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_whose_answers_are_lost_comes_to_the_same_end() {
    interrupted_at_each_call(Moment::AfterEffect).await;
}

#[tokio::test]
async fn a_restore_is_refused_where_nothing_can_be_put_back() {
    let world = World::new().await;
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", JANE, "E1"));
    let id = world.terminate(JANE).await;
    assert_eq!(decided(&world, id, Decision::Restore).await, Decided::NotFrom(Status::Scheduled));
    assert_eq!(decided(&world, id, Decision::Cancel).await, Decided::Yes);
    assert_eq!(decided(&world, id, Decision::Restore).await, Decided::NothingToRestore);
    let engine = world.engine();
    let second = world.terminate(JANE).await;
    to_the_end(&world, &engine, second).await;
    let view = restored(&world, &engine, second).await;
    assert_eq!(view.outcome, Some(Outcome::Restored));
    assert_eq!(decided(&world, second, Decision::Restore).await, Decided::NothingToRestore);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_termination_during_a_restore_waits_for_it_and_then_goes_on() {
    let (scene, settings, id) = offboarded(Scene::choices_with_groups).await;
    let engine = scene.world.engine_with(settings);
    let refused = Matcher::operation("patchUser").always();
    scene.world.simulator.inject(Fault::before(refused, Action::answer(500, "internal.server.error")));
    assert_eq!(decided(&scene.world, id, Decision::Restore).await, Decided::Yes);
    step(&scene.world, &engine).await;
    let again = scene.world.terminate(JANE).await;
    assert_ne!(id, again, "a restore is no open offboarding");
    step(&scene.world, &engine).await;
    let waiting = scene.world.view(again).await;
    assert_eq!(waiting.status, Status::Scheduled);
    assert!(targets(&waiting, "call_intended").is_empty(), "{:#?}", journal(&waiting));
    scene.world.simulator.clear_faults();
    let view = to_the_end(&scene.world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", journal(&view));
    let view = to_the_end(&scene.world, &engine, again).await;
    let inactive = (scene.jane().state, scene.jane().queues.len());
    assert!(view.outcome.is_some(), "{:#?}", journal(&view));
    assert_eq!(inactive, (AccountState::Inactive, 0));
    assert_eq!(scene.world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_no_longer_exists_is_named_and_the_rest_comes_back() {
    let (scene, settings, id) = offboarded(Scene::choices_with_groups).await;
    let before = scene.before.people[&scene.jane].clone();
    let own = |person: &PersonState| {
        let mut own = person.queues.iter().filter(|(_, m)| m.by == leaver_simulator::MemberBy::User);
        own.next().map(|(queue, _)| queue.clone()).unwrap()
    };
    let (queue, skill) = (own(&before), before.skills.keys().next().unwrap().clone());
    let role = before.grants.iter().next().unwrap().role.clone();
    let station = before.default_station.clone().unwrap();
    scene.world.simulator.organisation(|org| {
        org.remove_queue(&queue);
        org.remove_skill(&skill);
        org.remove_role(&role);
        // Somebody else sits there now.
        let desk = before.associated_station.clone();
        org.edit(&scene.colleague, |person| person.associated_station = desk);
    });
    let view = restored(&scene.world, &scene.world.engine_with(settings), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Restored)), "{:#?}", journal(&view));
    let now = scene.jane();
    let lost_grants = before.grants.iter().filter(|grant| grant.role == role).count();
    assert_eq!(now.queues.len(), before.queues.len() - 1);
    assert_eq!(now.skills.len(), before.skills.len() - 1);
    assert_eq!(now.grants.len(), before.grants.len() - lost_grants);
    assert_eq!((now.default_station, now.associated_station), (Some(station), None));
    let named = targets(&view, "not_restorable");
    assert!(named.contains(&queue) && named.contains(&skill), "{named:?}");
    assert_eq!(named.len(), 4 + lost_grants, "{named:?}");
    assert_eq!(scene.world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_role_that_the_active_account_is_not_known_for_yet_is_granted_later() {
    let (scene, settings, id) = offboarded(Scene::choices).await;
    let unknown = Matcher::operation("postAuthorizationSubjectBulkadd").times(9);
    scene.world.simulator.inject(Fault::before(unknown, Action::answer(404, "not.found")));
    assert_eq!(decided(&scene.world, id, Decision::Restore).await, Decided::Yes);
    let engine = scene.world.engine_with(settings);
    let view = scene.world.work_to_the_end(&engine, id).await;
    assert_restored(&scene, &view);
}

#[tokio::test]
async fn somebody_who_was_deleted_meanwhile_is_not_restored() {
    let (scene, settings, id) = offboarded(Scene::choices).await;
    let deleted = |person: &mut PersonState| person.state = AccountState::Deleted;
    scene.world.simulator.organisation(|org| org.edit(&scene.jane, deleted));
    let changes = scene.world.simulator.changing().len();
    let view = restored(&scene.world, &scene.world.engine_with(settings), id).await;
    assert_eq!(ended(&view), (Status::Failed, Some(Reason::PersonNotFound)), "{}", last_note(&view));
    assert_eq!(scene.world.simulator.changing().len(), changes);
}

#[tokio::test]
async fn what_does_not_stay_is_named_and_a_retry_begins_anew() {
    let (scene, settings, id) = offboarded(Scene::choices_with_groups).await;
    let engine = scene.world.engine_with(settings);
    let fate = |fate| scene.world.simulator.rules(|rules| rules.accepted_group_writes = fate);
    fate(AcceptedGroupWrites::FailLater);
    let view = restored(&scene.world, &engine, id).await;
    assert_eq!(ended(&view), (Status::Failed, Some(Reason::AttemptsExhausted)), "{:#?}", journal(&view));
    assert!(last_note(&view).contains("does not stay"), "{}", last_note(&view));
    fate(AcceptedGroupWrites::CarriedOut);
    decide(&scene.world, id, Decision::Retry).await;
    let view = to_the_end(&scene.world, &engine, id).await;
    assert_restored(&scene, &view);
}

#[tokio::test]
async fn what_was_half_taken_away_when_the_termination_was_taken_back_comes_back() {
    for order in [Order::StripFirst, Order::AccessFirst] {
        let scene = Scene::small().await;
        let settings = Settings { order, ..with(scene.choices_with_groups()) };
        let engine = scene.world.engine_with(settings);
        let id = scene.world.terminate(JANE).await;
        let lost = Matcher::operation("postAuthorizationSubjectBulkremove");
        let lost = match order {
            Order::StripFirst => lost,
            Order::AccessFirst => Matcher::operation("deleteUserRoutinglanguage"),
        };
        let away = Fault::before(lost.always(), Action::answer(500, "internal.server.error"));
        scene.world.simulator.inject(away);
        step(&scene.world, &engine).await;
        scene.world.simulator.clear_faults();
        tell(&scene.world, "workday", Some(JANE), None, Intake::Rescind(None)).await;
        let view = scene.world.view(id).await;
        assert_eq!(ended(&view), (Status::Held, Some(Reason::Rescinded)), "{:#?}", journal(&view));
        let view = restored(&scene.world, &engine, id).await;
        assert_restored(&scene, &view);
    }
}
