//! What is not confirmed about Genesys Cloud may be either way: with each such switch thrown an offboarding ends as it
//! should, and a restore puts back what was taken.

use leaver::offboarding::choices::Order;
use leaver::offboarding::{Outcome, Reason, Status};
use leaver::plan::Choices;
use leaver::plan::choices::{InheritedAccess, StateChangeReason, Switch};
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{
    AcceptedGroupWrites, AccountState, Deactivation, EmptyBulkreplace, Expansions, GroupKind, GroupWrites,
    InactiveWrites, PutStateVersion, QueuesOnInactive, RevokingNothing, Rules, SearchScope, StaleVersion,
    StateCompany, VersionRise,
};

use crate::restoring::{assert_restored, restored};
use crate::stepped::{ended, last_note};
use crate::whole_plan::{JANE, Scene, assert_recorded, journal, left, targets, with};

/// Offboards with these choices and a switch thrown, to nothing left, and puts everything back.
async fn there_and_back(throw: impl FnOnce(&mut Rules), choose: impl FnOnce(Choices) -> Choices) {
    let scene = Scene::small().await;
    scene.world.simulator.rules(throw);
    let settings = with(choose(scene.choices_with_groups()));
    let view = scene.offboard(settings.clone()).await;
    assert_eq!(
        (view.status, view.outcome),
        (Status::Done, Some(Outcome::Offboarded)),
        "{:#?}",
        journal(&view)
    );
    assert_eq!((scene.jane().state, scene.jane().tokens), (AccountState::Inactive, 0));
    assert!(left(&scene, &scene.jane()).is_empty(), "{:?}", left(&scene, &scene.jane()));
    assert_recorded(&scene, &view);
    let view = restored(&scene.world, &scene.world.engine_with(settings), view.id).await;
    assert_restored(&scene, &view);
    assert_recorded(&scene, &view);
}

fn as_it_is(choices: Choices) -> Choices {
    choices
}

/// With a reason the state is set by a call of its own.
fn with_reason(choices: Choices) -> Choices {
    Choices { state_reasons: [("*".to_owned(), StateChangeReason::Voluntary)].into(), ..choices }
}

#[tokio::test]
async fn expansions_may_be_withheld_where_no_step_depends_on_them() {
    let scene = Scene::small().await;
    scene.world.simulator.rules(|rules| rules.expansions = Expansions::Withheld);
    let settings = with(scene.choices().switched("strip.team", Switch::Off));
    let view = scene.offboard(settings.clone()).await;
    assert_eq!(
        (view.status, view.outcome),
        (Status::Done, Some(Outcome::Offboarded)),
        "{:#?}",
        journal(&view)
    );
    let mut named = targets(&view, "left_in_place");
    named.extend(scene.jane().team);
    assert_eq!(left(&scene, &scene.jane()), named);
    let view = restored(&scene.world, &scene.world.engine_with(settings), view.id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", journal(&view));
}

#[tokio::test]
async fn a_team_or_group_that_nobody_can_see_is_never_taken_for_none() {
    for groups in [vec![], vec!["*".to_owned()]] {
        let scene = Scene::small().await;
        scene.world.simulator.rules(|rules| rules.expansions = Expansions::Withheld);
        let choices = Choices { removable_groups: groups, ..scene.choices() };
        let view = scene.offboard(with(choices)).await;
        assert_eq!(ended(&view), (Status::Failed, Some(Reason::AttemptsExhausted)));
        assert_eq!(last_note(&view), "malformed");
        assert_eq!(scene.now(), scene.before, "nothing was changed");
    }
}

#[tokio::test]
async fn deactivation_may_take_the_queues_too() {
    there_and_back(|rules| rules.queues_on_inactive = QueuesOnInactive::Removed, as_it_is).await;
}

#[tokio::test]
async fn deactivation_may_need_empty_queues() {
    there_and_back(|rules| rules.deactivation = Deactivation::NeedsEmptyRouting, as_it_is).await;
}

#[tokio::test]
async fn a_stale_version_may_be_a_bad_request() {
    there_and_back(|rules| rules.stale_version = StaleVersion::BadRequest, as_it_is).await;
}

#[tokio::test]
async fn versions_may_rise_with_the_account_only() {
    there_and_back(|rules| rules.version_rise = VersionRise::AccountOnly, as_it_is).await;
}

#[tokio::test]
async fn other_fields_beside_the_state_may_be_ignored() {
    there_and_back(|rules| rules.state_company = StateCompany::Ignored, as_it_is).await;
}

#[tokio::test]
async fn setting_the_state_may_look_at_the_version_or_not() {
    for version in [PutStateVersion::CheckedWhenSent, PutStateVersion::Required, PutStateVersion::Ignored] {
        there_and_back(|rules| rules.put_state_version = version, with_reason).await;
    }
}

#[tokio::test]
async fn a_search_may_cover_any_states() {
    for scope in [SearchScope::ActiveAndInactive, SearchScope::ActiveOnly, SearchScope::Everybody] {
        there_and_back(|rules| rules.search_scope = scope, as_it_is).await;
    }
}

#[tokio::test]
async fn replacing_grants_with_none_may_be_refused() {
    there_and_back(|rules| rules.empty_bulkreplace = EmptyBulkreplace::Refused, as_it_is).await;
}

#[tokio::test]
async fn revoking_the_tokens_of_somebody_without_any_may_be_not_found() {
    there_and_back(|rules| rules.revoking_nothing = RevokingNothing::NotFound, as_it_is).await;
}

/// Offboards with a switch thrown, to an end that a person has to look at; then puts back what was taken.
async fn looked_at_and_back(scene: &Scene, settings: Settings, wanted: (Status, Reason)) -> View {
    let view = scene.offboard(settings.clone()).await;
    assert_eq!(ended(&view), (wanted.0, Some(wanted.1)), "{:#?}", journal(&view));
    assert_recorded(scene, &view);
    let back = restored(&scene.world, &scene.world.engine_with(settings), view.id).await;
    assert_restored(scene, &back);
    view
}

async fn with_other_groups(writes: GroupWrites, wanted: (Status, Reason)) {
    for kind in [GroupKind::Dynamic, GroupKind::DirectoryOwned] {
        let scene = Scene::small().await;
        scene.world.simulator.rules(|rules| rules.group_writes = writes);
        for group in &scene.jane().groups {
            scene.world.simulator.organisation(|org| org.set_group_kind(group, kind));
        }
        let scene = Scene { before: scene.now(), ..scene };
        let choices = Choices { inherited_access: InheritedAccess::Hold, ..scene.choices_with_groups() };
        let view = looked_at_and_back(&scene, with(choices), wanted).await;
        for group in &scene.before.people[&scene.jane].groups {
            assert!(last_note(&view).contains(group), "{}", last_note(&view));
        }
        let scene = Scene::small().await;
        scene.world.simulator.rules(|rules| rules.group_writes = writes);
        for group in &scene.jane().groups {
            scene.world.simulator.organisation(|org| org.set_group_kind(group, kind));
        }
        let passes = Choices { inherited_access: InheritedAccess::Pass, ..scene.choices_with_groups() };
        let view = scene.offboard(with(passes)).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", journal(&view));
        let named = targets(&view, "left_in_place");
        assert!(scene.jane().groups.iter().all(|group| named.contains(group)), "{named:?}");
    }
}

#[tokio::test]
async fn a_group_that_others_fill_may_refuse() {
    with_other_groups(GroupWrites::Refused, (Status::Held, Reason::InheritedAccess)).await;
}

#[tokio::test]
async fn a_group_that_others_fill_may_ignore_what_it_accepted() {
    with_other_groups(GroupWrites::SilentlyIgnored, (Status::Held, Reason::InheritedAccess)).await;
}

#[tokio::test]
async fn what_a_group_accepted_may_fail_later() {
    let scene = Scene::small().await;
    scene.world.simulator.rules(|rules| rules.accepted_group_writes = AcceptedGroupWrites::FailLater);
    let wanted = (Status::Held, Reason::InheritedAccess);
    let choices = Choices { inherited_access: InheritedAccess::Hold, ..scene.choices_with_groups() };
    let view = looked_at_and_back(&scene, with(choices), wanted).await;
    for group in &scene.before.people[&scene.jane].groups {
        assert!(last_note(&view).contains(group), "{}", last_note(&view));
    }
}

#[tokio::test]
async fn an_inactive_account_may_refuse_changes_without_any_harm_to_strip_first() {
    there_and_back(|rules| rules.inactive_writes = InactiveWrites::Refused, as_it_is).await;
}

#[tokio::test]
async fn access_first_names_what_an_inactive_account_refuses() {
    let scene = Scene::small().await;
    scene.world.simulator.rules(|rules| rules.inactive_writes = InactiveWrites::Refused);
    let settings = Settings { order: Order::AccessFirst, ..with(scene.choices()) };
    let view = looked_at_and_back(&scene, settings, (Status::Failed, Reason::RefusedByGenesys)).await;
    assert!(last_note(&view).contains("strip."), "{}", last_note(&view));
}

#[tokio::test]
async fn of_an_account_that_was_inactive_before_the_journal_names_what_is_left() {
    let scene = Scene::small().await;
    scene.world.simulator.rules(|rules| rules.inactive_writes = InactiveWrites::Refused);
    let inactive = AccountState::Inactive;
    scene.world.simulator.organisation(|org| org.edit(&scene.jane, |person| person.state = inactive));
    let view = scene.offboard(with(scene.choices())).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::AlreadyInactive)));
    let queues = scene.jane().queues.into_keys().collect::<std::collections::BTreeSet<_>>();
    assert!(queues.len() == 12 && queues.is_subset(&targets(&view, "left_in_place")));
    let steps = view.steps.as_ref().unwrap();
    let of = |name: &str| steps.iter().find(|step| step.name == name).map(|s| (s.status.clone(), s.removed));
    assert_eq!(of("strip.queue_memberships"), Some(("failed".to_owned(), 0)), "{JANE}");
    assert_recorded(&scene, &view);
    scene.assert_bystanders();
}
