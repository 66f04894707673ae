//! The whole plan on somebody who holds one of everything and more than a page of most: nothing is left but what the
//! journal names, and nobody else notices.

use std::collections::{BTreeMap, BTreeSet};

use leaver::offboarding::choices::Order;
use leaver::offboarding::{JournalEntry, OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::plan::choices::{CallbackChoice, InheritedAccess, StateChangeReason, Switch};
use leaver::plan::{Choices, Plan};
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{
    AccountState, Callback, Grant, Group, Id, Joining, LicenceAssignment, MemberBy, PersonState,
    QueueMembership, presets,
};

use crate::evidence::{Outcomes, assert_intended, assert_one_writer};
use crate::stepped::{ended, to_the_end};
use crate::support::World;

pub(crate) const JANE: &str = "jane.doe@example.com";

/// Everything that a test compares, as it truly is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Truth {
    pub(crate) people: BTreeMap<Id, PersonState>,
    groups: BTreeMap<Id, Group>,
    pub(crate) callbacks: Vec<Callback>,
}

/// Jane, who holds everything and leaves, a colleague who is assigned much the same, and both their callbacks.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) jane: Id,
    pub(crate) colleague: Id,
    pub(crate) before: Truth,
    pub(crate) elsewhere: Id,
}

/// Of how many queues and skills of her own Jane is left a member in a small scene: as many kinds, and fewer of each.
const FEW: usize = 8;

impl Scene {
    /// With pages of queues and skills.
    pub(crate) async fn new() -> Self {
        Self::with_at_most(usize::MAX).await
    }

    /// With a few of each kind, where the number is not what matters.
    pub(crate) async fn small() -> Self {
        Self::with_at_most(FEW).await
    }

    async fn with_at_most(own: usize) -> Self {
        let world = World::new().await;
        world.simulator.rules(|rules| rules.licence_assignment = LicenceAssignment::ByHand);
        let (jane, colleague, elsewhere) = world.simulator.organisation(|org| {
            let jane = presets::everything_agent(org, "Jane Doe", JANE, "E1");
            let colleague = presets::everything_agent(org, "Tom Berg", "tom.berg@example.com", "E2");
            let home = org.home();
            let (callbacks, elsewhere) =
                (org.add_queue("Callbacks", &home), org.add_queue("Elsewhere", &home));
            for owner in [&jane, &colleague, &jane] {
                org.add_callback(owner, &callbacks);
            }
            let unit = org.add_management_unit("Billing");
            let shared: Vec<Id> = org.person(&jane).unwrap().groups.into_iter().collect();
            org.edit(&jane, |person| {
                let mut kept = 0;
                person.queues.retain(|_, member| {
                    kept += usize::from(member.by == MemberBy::User);
                    member.by == MemberBy::Group || kept <= own
                });
                while person.skills.len() > own {
                    person.skills.pop_first();
                }
                person.management_unit = Some(unit.clone());
                person.licences = ["engage1", "wem"].map(str::to_owned).into();
            });
            org.edit(&colleague, |person| {
                person.management_unit = Some(unit);
                person.groups.extend(shared);
            });
            // Licences are known by whoever is added with them.
            let licensed = leaver_simulator::Person::new("Ann", "ann@example.com");
            org.add_person(licensed.licence("engage1").licence("wem"));
            (jane, colleague, elsewhere)
        });
        let before = truth(&world, &jane);
        Self { world, jane, colleague, before, elsewhere }
    }

    /// Everything is taken away, and what comes through groups stays where it can't be taken.
    pub(crate) fn choices(&self) -> Choices {
        let choices = Choices {
            inherited_access: InheritedAccess::Pass,
            callbacks: CallbackChoice::ToUser(self.colleague.parse().unwrap()),
            ..Choices::default()
        };
        choices.switched("strip.management_unit", Switch::On).switched("strip.licences", Switch::On)
    }

    /// The same, and groups are left as well.
    pub(crate) fn choices_with_groups(&self) -> Choices {
        Choices { removable_groups: vec!["*".to_owned()], ..self.choices() }
    }

    pub(crate) async fn offboard(&self, settings: Settings) -> View {
        let id = self.world.terminate(JANE).await;
        to_the_end(&self.world, &self.world.engine_with(settings), id).await
    }

    pub(crate) fn now(&self) -> Truth {
        truth(&self.world, &self.jane)
    }

    pub(crate) fn jane(&self) -> PersonState {
        self.world.simulator.person(&self.jane).unwrap()
    }

    /// Nobody but Jane is another than before; of groups and callbacks only hers have changed hands.
    pub(crate) fn assert_bystanders(&self) {
        let (mut before, mut now) = (self.before.clone(), self.now());
        before.people.remove(&self.jane);
        now.people.remove(&self.jane);
        assert_eq!(now.people, before.people);
        let others = |truth: Truth| -> Vec<_> {
            truth.callbacks.into_iter().filter(|one| one.owner.as_deref() != Some(&self.jane)).collect()
        };
        let hers: BTreeSet<Id> = self
            .before
            .callbacks
            .iter()
            .filter(|one| one.owner.as_deref() == Some(&self.jane))
            .map(|one| one.conversation.clone())
            .collect();
        let others_now: Vec<_> =
            others(now).into_iter().filter(|one| !hers.contains(&one.conversation)).collect();
        assert_eq!(others_now, others(before));
        assert_eq!(self.world.simulator.violations(), Vec::<String>::new());
    }
}

fn truth(world: &World, jane: &str) -> Truth {
    let people = world.simulator.everybody();
    world.simulator.organisation(|org| {
        let groups = people[jane].groups.iter().filter_map(|id| Some((id.clone(), org.group(id)?)));
        Truth { groups: groups.collect(), callbacks: org.callbacks(), people: people.clone() }
    })
}

pub(crate) fn with(choices: Choices) -> Settings {
    Settings { plan: Plan::new(choices), ..World::settings() }
}

/// What truly is left of a person, as the targets of the journal name it; groups themselves are not among it.
pub(crate) fn left(scene: &Scene, person: &PersonState) -> BTreeSet<String> {
    let grant = |grant: &Grant| format!("{}:{}", grant.role, grant.division);
    let inherited: Vec<Grant> = scene.world.simulator.organisation(|org| {
        person.groups.iter().filter_map(|id| org.group(id)).flat_map(|group| group.grants).collect()
    });
    let mut left: BTreeSet<String> = person.queues.keys().cloned().collect();
    left.extend(person.skills.keys().chain(person.languages.keys()).cloned());
    left.extend(person.grants.iter().chain(&inherited).map(grant));
    left.extend(person.utilization.iter().map(|_| "utilization".to_owned()));
    left.extend(person.direct_routing_backup.iter().map(|_| "backup".to_owned()));
    left.extend(person.team.iter().chain(&person.management_unit).cloned());
    left.extend(person.associated_station.iter().chain(&person.default_station).cloned());
    left.extend(person.licences.iter().cloned());
    let forwards = |forwarding: &&serde_json::Value| forwarding["enabled"] == true;
    left.extend(person.call_forwarding.iter().filter(forwards).map(|_| "forwarding".to_owned()));
    let callbacks = scene.world.simulator.organisation(|org| org.callbacks());
    let hers = callbacks.into_iter().filter(|callback| callback.owner.as_ref() == Some(&person.id));
    left.extend(hers.map(|callback| callback.conversation));
    left
}

pub(crate) fn journal(view: &View) -> &[JournalEntry] {
    view.journal.as_deref().unwrap_or_default()
}

pub(crate) fn targets(view: &View, action: &str) -> BTreeSet<String> {
    let entries = journal(view).iter().filter(|entry| entry.action == action);
    entries.filter_map(|entry| entry.target.clone()).collect()
}

/// Every changing call was intended before it was made, by the one who held the lease, and has one outcome.
pub(crate) fn assert_recorded(scene: &Scene, view: &View) {
    let calls = scene.world.simulator.journal();
    assert_intended(&calls, &[journal(view).to_vec()], Outcomes::One);
    assert_one_writer(&calls, journal(view));
}

fn assert_offboarded(scene: &Scene, view: &View) {
    assert_eq!(
        (view.status, view.outcome),
        (Status::Done, Some(Outcome::Offboarded)),
        "{:#?}",
        journal(view)
    );
    let jane = scene.jane();
    assert_eq!((jane.state, jane.tokens, jane.tokens_revoked), (AccountState::Inactive, 0, 2));
    assert_eq!(left(scene, &jane), targets(view, "left_in_place"));
    assert_recorded(scene, view);
    scene.assert_bystanders();
}

#[tokio::test]
async fn of_everything_only_what_the_journal_names_is_left() {
    let scene = Scene::new().await;
    let view = scene.offboard(with(scene.choices())).await;
    assert_offboarded(&scene, &view);
    let jane = scene.jane();
    let by_group = jane.queues.values().filter(|member| member.by == MemberBy::Group).count();
    assert_eq!((jane.queues.len(), by_group, targets(&view, "left_in_place").len()), (4, 4, 9));
    assert_eq!(scene.now().groups, scene.before.groups);
    let callbacks = scene.now().callbacks;
    assert!(callbacks.iter().all(|callback| callback.owner.as_ref() == Some(&scene.colleague)));
    let steps = view.steps.as_ref().unwrap();
    let removed = |name: &str| steps.iter().find(|step| step.name == name).map(|step| step.removed);
    assert_eq!(removed("strip.queue_memberships"), Some(126), "what stays is not counted as taken away");
    assert!(steps.iter().all(|step| step.status == "done"), "{steps:#?}");
}

#[tokio::test]
async fn whoever_also_leaves_their_groups_is_left_with_nothing() {
    let scene = Scene::new().await;
    let queue = CallbackChoice::ToQueue(scene.elsewhere.parse().unwrap());
    let view = scene.offboard(with(Choices { callbacks: queue, ..scene.choices_with_groups() })).await;
    assert_offboarded(&scene, &view);
    assert_eq!((left(&scene, &scene.jane()), scene.jane().groups), (BTreeSet::new(), BTreeSet::new()));
    let hers = scene.now().callbacks.into_iter().filter(|callback| callback.owner.is_none());
    assert_eq!(hers.filter(|callback| callback.queue == scene.elsewhere).count(), 2);
}

#[tokio::test]
async fn whoever_is_to_go_at_once_loses_the_access_before_the_work() {
    let scene = Scene::new().await;
    let other = scene
        .world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Omar", "omar@example.com", "E9"));
    let order_by_type = BTreeMap::from([("involuntary".to_owned(), Order::AccessFirst)]);
    let state_reasons = [("involuntary", StateChangeReason::Conduct), ("*", StateChangeReason::Voluntary)];
    let state_reasons = state_reasons.map(|(kind, reason)| (kind.to_owned(), reason)).into();
    let choices = Choices { state_reasons, ..scene.choices_with_groups() };
    let settings = Settings { order_by_type, concurrency: 1, ..with(choices) };
    let by = |email: &str| PersonRef { email: Some(email.to_owned()), external_id: None };
    let at_once = scene.world.terminate_as(by(JANE), Some("involuntary")).await;
    let in_order = scene.world.terminate_as(by("omar@example.com"), Some("voluntary")).await;
    let engine = scene.world.engine_with(settings);
    assert_eq!(crate::stepped::step(&scene.world, &engine).await, 2, "one cohort");
    for id in [at_once, in_order] {
        let view = to_the_end(&scene.world, &engine, id).await;
        assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    }
    assert_eq!(left(&scene, &scene.jane()), BTreeSet::new());
    assert_eq!(scene.jane().state_reason.as_deref(), Some("Conduct"));
    let omar = scene.world.simulator.person(&other).unwrap();
    assert_eq!((left(&scene, &omar), omar.state), (BTreeSet::new(), AccountState::Inactive));
    assert_eq!(omar.state_reason.as_deref(), Some("Voluntary"));
    let changes = |user: &str| crate::stepped::changes_of(&scene.world, user);
    assert_eq!(changes(&scene.jane)[..2], ["putUserState", "deleteToken"]);
    let of_omar = changes(&other);
    let place = |name: &str| of_omar.iter().position(|operation| *operation == name).unwrap();
    assert!(place("putUserState") > place("postAuthorizationSubjectBulkremove"), "{of_omar:?}");
    assert_eq!(scene.world.simulator.violations(), Vec::<String>::new());
}

/// Who gives Jane a queue back whenever it is taken from her.
async fn somebody_keeps_assigning(scene: &Scene, email: &str) -> (View, Id) {
    let (admin, queue) = scene.world.simulator.organisation(|org| {
        let home = org.home();
        let admin = presets::bare_person(org, "Admin", "admin@example.com", "E7");
        (admin, org.add_queue("Favourite", &home))
    });
    let (control, jane, who) = ((*scene.world.simulator).clone(), scene.jane.clone(), admin.clone());
    scene.world.simulator.on_request(move |request| {
        if request.operation == Some("getUserQueues") && request.query.contains("joined=true") {
            let member = QueueMembership { joining: Joining::Joined, ring_number: 1, by: MemberBy::User };
            control.organisation(|org| {
                org.edit_as(&who, &jane, "Routing", "MemberAdd", |person| {
                    person.queues.insert(queue.clone(), member)
                })
            });
        }
    });
    let id: OffboardingId = scene.world.terminate(email).await;
    let engine = scene.world.engine_with(with(scene.choices()));
    (to_the_end(&scene.world, &engine, id).await, admin)
}

#[tokio::test]
async fn whoever_keeps_assigning_is_named() {
    let scene = Scene::new().await;
    let (view, admin) = somebody_keeps_assigning(&scene, JANE).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::KeepsReturning)), "{:#?}", journal(&view));
    let note = crate::stepped::last_note(&view);
    assert!(note.contains(&format!("assigned by {admin}")), "{note}");
    assert_eq!(scene.jane().state, AccountState::Active);
}
