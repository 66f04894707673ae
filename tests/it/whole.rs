//! What the tests of the whole plan share: a world in which every step is on, somebody who holds one of every kind, what
//! they still hold, and a watch over deactivations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{TimeDelta, Utc};
use leaver::offboarding::{OffboardingId, Status};
use leaver::plan::choices::{CallbackChoice, InheritedAccess, StateChangeReason, Switch};
use leaver::plan::{Choices, Plan};
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{
    AccountState, Action, Control, Fault, Id, LicenceAssignment, Matcher, Organisation, Person,
};
use serde_json::{Value, json};

use crate::stepped::{holdings, slim_agent, step};
use crate::support::World;

/// Steps after which something that was to end counts as endless.
const STEPS_MAX: usize = 40;

/// The calls that change an account's state.
pub(crate) const STATE_CALLS: [&str; 2] = ["patchUser", "putUserState"];

/// The licence that everybody here holds.
const LICENCE: &str = "engage1";

/// A world in which licences are assigned by hand, and somebody takes callbacks over.
pub(crate) async fn whole_world() -> (World, Id) {
    let world = World::new().await;
    world.simulator.rules(|rules| rules.licence_assignment = LicenceAssignment::ByHand);
    let heir = Person::new("Heir", "heir.of.callbacks@example.com").licence(LICENCE);
    let heir = world.simulator.organisation(|org| org.add_person(heir));
    (world, heir)
}

/// Every step is on, and everything is taken away.
pub(crate) fn whole_choices(heir: &str) -> Choices {
    let choices = Choices {
        removable_groups: vec!["*".to_owned()],
        inherited_access: InheritedAccess::Hold,
        callbacks: CallbackChoice::ToUser(heir.parse().unwrap()),
        ..Choices::default()
    };
    choices.switched("strip.management_unit", Switch::On).switched("strip.licences", Switch::On)
}

/// The choices under which the state is changed with a reason, by the other call.
pub(crate) fn with_state_reason(choices: Choices) -> Choices {
    let state_reasons = BTreeMap::from([("*".to_owned(), StateChangeReason::Voluntary)]);
    Choices { state_reasons, ..choices }
}

/// One worker, so that everybody who is due is of one cohort; few attempts, so that what never passes ends soon.
pub(crate) fn whole_settings(choices: Choices) -> Settings {
    Settings { plan: Plan::new(choices), concurrency: 1, attempts_max: 4, ..World::settings() }
}

/// Somebody who holds one of every kind, two roles, and a callback that waits for them.
pub(crate) fn whole_agent(org: &mut Organisation, email: &str) -> Id {
    let user = slim_agent(org, email);
    let home = org.home();
    let team = org.add_team(&format!("Team of {email}"), &home);
    let group = org.add_group(&format!("Group of {email}"), &[]);
    let unit = org.add_management_unit(&format!("Unit of {email}"));
    let backup = org.add_queue(&format!("Backup of {email}"), &home);
    org.edit(&user, |person| {
        person.team = Some(team);
        person.groups.insert(group);
        person.management_unit = Some(unit);
        person.licences.insert(LICENCE.to_owned());
        person.direct_routing_backup =
            Some(json!({"queueId": backup, "waitForAgent": true, "agentWaitSeconds": 60}));
        person.call_forwarding = Some(json!({
            "enabled": true, "voicemail": "PURECLOUD",
            "calls": [{"targets": [{"type": "PHONENUMBER", "value": "+4915112345678"}]}],
        }));
    });
    org.add_callback(&user, &backup);
    user
}

/// What can be stripped of a person and is still there, of every kind of the whole plan.
pub(crate) fn left_with(control: &Control, user: &str) -> Vec<&'static str> {
    let Some(person) = control.person(user) else { return Vec::new() };
    let callbacks = control.organisation(|org| org.callbacks());
    let owns = callbacks.iter().any(|callback| callback.owner.as_deref() == Some(user));
    let more = [
        ("groups", !person.groups.is_empty()),
        ("management unit", person.management_unit.is_some()),
        ("licences", !person.licences.is_empty()),
        ("callbacks", owns),
    ];
    let more = more.into_iter().filter(|(_, held)| *held).map(|(name, _)| name);
    holdings(&person).into_iter().chain(more).collect()
}

/// Genesys leaves expansions out as it likes; then each kind has a read of its own.
pub(crate) fn leave_expansions_out(world: &World) {
    let rewrite = |mut user: Value| {
        for field in ["routingStatus", "conversationSummary", "skills", "languages", "station"] {
            user.as_object_mut().map(|fields| fields.remove(field));
        }
        user
    };
    world.simulator.inject(Fault::after(Matcher::operation("getUser").always(), Action::mutate(rewrite)));
}

/// Notes everybody who still holds anything at the moment in which a change of state to inactive arrives.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Vec<String>>>);

impl Watch {
    pub(crate) fn over(&self, world: &World) {
        let (early, control): (_, Control) = (self.0.clone(), (*world.simulator).clone());
        world.simulator.on_request(move |request| {
            let deactivates = request.json().is_some_and(|body| body["state"] == "inactive");
            if !request.operation.is_some_and(|operation| STATE_CALLS.contains(&operation)) || !deactivates {
                return;
            }
            let user = request.path.trim_end_matches("/state").rsplit('/').next().unwrap_or_default();
            let left = left_with(&control, user);
            if !left.is_empty() {
                early.lock().unwrap().push(format!("{} with {left:?}", request.path));
            }
        });
    }

    /// Ends all faults and goes on watching.
    pub(crate) fn end_faults(&self, world: &World) {
        world.simulator.clear_faults();
        self.over(world);
    }

    /// Takes out what was noted, so that a table can go on.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A wait that is no retry.
const LONG: TimeDelta = TimeDelta::minutes(5);

/// Steps until none of these is scheduled any more, or soon; removals and restores count as long past.
pub(crate) async fn all_to_the_end(world: &World, engine: &Engine, ids: &[OffboardingId]) -> Vec<View> {
    for _ in 0..STEPS_MAX {
        step(world, engine).await;
        let mut views = Vec::new();
        for id in ids {
            views.push(world.view(*id).await);
        }
        let waits_long = |view: &View| view.next_attempt_at.is_some_and(|at| at > Utc::now() + LONG);
        if views.iter().all(|view| view.status != Status::Scheduled || waits_long(view)) {
            return views;
        }
        world.forget_lag().await;
        world.sql("update assignments set restored_at = restored_at - interval '1 hour'").await;
    }
    panic!("still scheduled after {STEPS_MAX} steps: {:#?}", world.view(ids[0]).await.journal);
}

/// The four states in which an offboarding may leave somebody: untouched, partly stripped and active, stripped and
/// active, stripped and inactive. Only one thing is none of them.
pub(crate) fn assert_allowed(world: &World, user: &str, what: &str) {
    let state = world.simulator.person(user).unwrap().state;
    let left = left_with(&world.simulator, user);
    assert!(state == AccountState::Active || left.is_empty(), "{what}: {state:?} with {left:?}");
}
