//! Live work: nobody is cut off in an interaction that is waited for, whenever it began.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use leaver::offboarding::choices::{OffQueue, OnQueue, Order, WhenBusy};
use leaver::offboarding::policy::BusyPolicy;
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::worker::Settings;
use leaver_simulator::{
    AccountState, Control, Expansions, Id, Intent, Media, PersonState, RequestInfo, RoutingStatus,
};

use crate::stepped::{
    by_email, changes_of, decide, ended, holdings, is_about, last_note, slim_agent, step, to_the_end,
};
use crate::support::World;

pub(crate) const JANE: &str = "jane@example.com";

/// What ends a call that goes on.
const CUTTING: &[&str] = &["patchUser", "deleteToken", "deleteUserStationAssociatedstation"];

pub(crate) fn with(change: impl FnOnce(&mut BusyPolicy)) -> Settings {
    let mut settings = World::settings();
    change(&mut settings.busy);
    settings
}

/// Changes what somebody does. A conversation is no change of the user: the version stays.
pub(crate) fn does(control: &Control, user: &str, change: impl FnOnce(&mut PersonState)) {
    control.organisation(|org| {
        org.edit(user, |person| {
            let before = person.clone();
            change(person);
            if *person != before {
                person.version -= 1;
            }
        })
    });
}

pub(crate) fn answers(control: &Control, user: &str) {
    does(control, user, |person| {
        person.routing_status = RoutingStatus::Interacting;
        person.conversations.insert(Media::Call, 1);
    });
}

pub(crate) fn hangs_up(control: &Control, user: &str) {
    does(control, user, |person| {
        person.routing_status = RoutingStatus::OffQueue;
        person.conversations.clear();
    });
}

/// What happened to one person's call.
#[derive(Default)]
struct Call {
    requests: usize,
    /// Nothing had been changed when it began.
    early: bool,
    going_on: bool,
    changes: usize,
    wrong: Vec<String>,
}

impl Call {
    fn see(&mut self, request: &RequestInfo, begins_at: usize, active: bool) -> bool {
        self.requests += 1;
        let operation = request.operation.unwrap_or_default();
        let changes = request.intent == Intent::Changes;
        let unjoins = operation == "patchUserQueues";
        // Whoever answers while the account is being closed is cut off by that, and by nothing that follows.
        if self.going_on && active && (CUTTING.contains(&operation) || (self.early && changes && !unjoins)) {
            self.wrong.push(format!("{operation} at {}, early: {}", self.requests, self.early));
        }
        let begins = self.requests == begins_at && active;
        if begins {
            (self.going_on, self.early) = (true, self.changes == 0 && !changes);
        }
        self.changes += usize::from(changes);
        begins
    }
}

/// Offboards somebody who answers a call right before the request of this number. False where there are fewer.
async fn answered_at(world: &World, settings: &Settings, status: RoutingStatus, request: usize) -> bool {
    let email = format!("agent-{request}@example.com");
    let user = world.simulator.organisation(|org| slim_agent(org, &email));
    does(&world.simulator, &user, |person| person.routing_status = status);
    let id = world.terminate_as(by_email(&email), Some("voluntary")).await;
    let call = Arc::new(Mutex::new(Call::default()));
    let (seen, control, agent) = (call.clone(), (*world.simulator).clone(), user.clone());
    world.simulator.on_request(move |info| {
        let active = control.person(&agent).is_some_and(|person| person.state == AccountState::Active);
        if seen.lock().unwrap().see(info, request, active) {
            answers(&control, &agent);
        }
    });
    let engine = world.engine_with(settings.clone());
    step(world, &engine).await;
    step(world, &engine).await;
    let (reached, answered) = {
        let call = call.lock().unwrap();
        (call.requests >= request, call.going_on)
    };
    if answered && world.simulator.person(&user).unwrap().state == AccountState::Active {
        let view = world.view(id).await;
        assert!(last_note(&view).starts_with("in an interaction"), "{request}: {:#?}", view.journal);
        hangs_up(&world.simulator, &user);
        call.lock().unwrap().going_on = false;
    }
    let view = to_the_end(world, &engine, id).await;
    world.simulator.clear_faults();
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{request}: {:#?}", view.journal);
    assert_eq!(call.lock().unwrap().wrong, Vec::<String>::new(), "{request}: {:#?}", view.journal);
    assert_eq!(holdings(&world.simulator.person(&user).unwrap()), Vec::<&str>::new());
    reached
}

/// Tries every moment of an offboarding; returns how many there are.
async fn answered_at_any_moment(settings: Settings, status: RoutingStatus) -> usize {
    let world = World::new().await;
    // The token of the client is no request about anybody.
    world.genesys(1_000_000).authenticate().await.unwrap();
    let mut request = 1;
    while answered_at(&world, &settings, status, request).await {
        request += 1;
    }
    request - 1
}

#[tokio::test]
async fn a_call_that_is_answered_at_any_moment_is_never_cut_off() {
    let moments = answered_at_any_moment(World::settings(), RoutingStatus::OffQueue).await;
    assert!(moments > 40, "{moments}");
}

#[tokio::test]
async fn a_call_that_is_routed_at_any_moment_is_never_cut_off() {
    let settings = with(|busy| busy.off_queue = OffQueue::Unjoin);
    let moments = answered_at_any_moment(settings, RoutingStatus::Idle).await;
    assert!(moments > 40, "{moments}");
}

#[tokio::test]
async fn a_call_is_not_cut_off_where_access_goes_first_either() {
    let settings = Settings { order: Order::AccessFirst, ..World::settings() };
    assert!(answered_at_any_moment(settings, RoutingStatus::OffQueue).await > 40);
}

#[tokio::test]
async fn a_call_is_seen_also_where_nothing_is_expanded() {
    let world = World::new().await;
    world.simulator.rules(|rules| rules.expansions = Expansions::Withheld);
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    does(&world.simulator, &jane, |person| person.routing_status = RoutingStatus::Communicating);
    let id = world.terminate(JANE).await;
    step(&world, &world.engine()).await;
    assert_eq!(last_note(&world.view(id).await), "in an interaction");
    assert_eq!(world.simulator.changing().len(), 0);
}

/// What each kind of work leads to under each policy.
#[tokio::test]
async fn every_kind_of_work_is_treated_as_the_table_says() {
    let busy: [fn(&mut PersonState); 3] = [
        |person| person.routing_status = RoutingStatus::Interacting,
        |person| person.routing_status = RoutingStatus::Communicating,
        |person| {
            person.conversations.insert(Media::Email, 1);
        },
    ];
    let on_queue: [fn(&mut PersonState); 3] = [
        |person| person.routing_status = RoutingStatus::Idle,
        |person| person.routing_status = RoutingStatus::NotResponding,
        |person| "On Queue".clone_into(&mut person.presence),
    ];
    let free: [fn(&mut PersonState); 2] = [|_| {}, |person| "Available".clone_into(&mut person.presence)];
    let done = (Status::Done, None);
    let (waits, held) = ((Status::Scheduled, None), (Status::Held, Some(Reason::Busy)));
    let world = World::new().await;
    let mut number = 0;
    for (when_busy, queue, in_interaction, queued) in [
        (WhenBusy::Now, OnQueue::Wait, done, done),
        (WhenBusy::Wait, OnQueue::Go, waits, done),
        (WhenBusy::Wait, OnQueue::Wait, waits, waits),
        (WhenBusy::Ask, OnQueue::Go, held, done),
        (WhenBusy::Ask, OnQueue::Wait, held, held),
    ] {
        let engine = world.engine_with(with(|busy| (busy.when_busy, busy.on_queue) = (when_busy, queue)));
        let kinds = [(&busy[..], in_interaction), (&on_queue[..], queued), (&free[..], done)];
        for (sign, expected) in
            kinds.iter().flat_map(|(signs, expected)| signs.iter().map(|s| (*s, *expected)))
        {
            number += 1;
            let email = format!("agent{number}@example.com");
            let agent = world.simulator.organisation(|org| slim_agent(org, &email));
            does(&world.simulator, &agent, sign);
            let id = world.terminate(&email).await;
            assert_eq!(engine.step().await.unwrap(), 1);
            assert_eq!(ended(&world.view(id).await), expected, "{number}: {when_busy:?} {queue:?}");
            let untouched = changes_of(&world, &agent).is_empty();
            assert_eq!(untouched, expected != done, "{number}: {when_busy:?} {queue:?}");
        }
    }
}

/// Jane answers a call at the first request of this operation.
fn answers_at(world: &World, user: &str, operation: &'static str) {
    let (control, user) = ((*world.simulator).clone(), user.to_owned());
    let begun = Mutex::new(false);
    world.simulator.on_request(move |info| {
        if info.operation == Some(operation) && !std::mem::replace(&mut *begun.lock().unwrap(), true) {
            answers(&control, &user);
        }
    });
}

async fn jane() -> (World, Id, OffboardingId) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = world.terminate_as(by_email(JANE), Some("voluntary")).await;
    (world, jane, id)
}

#[tokio::test]
async fn a_call_that_begins_during_the_strip_is_waited_for_until_the_bound() {
    let (world, jane, id) = jane().await;
    let engine = world.engine();
    answers_at(&world, &jane, "deleteRoutingQueueMember");
    step(&world, &engine).await;
    assert_eq!(ended(&world.view(id).await), (Status::Scheduled, None));
    let changes = changes_of(&world, &jane);
    assert!(!changes.is_empty() && !changes.iter().any(|change| CUTTING.contains(change)), "{changes:?}");
    let before = world.simulator.journal().len();
    step(&world, &engine).await;
    assert_eq!(world.simulator.journal().len(), before + 1, "a recheck is one call");
    world.sql("update offboardings set busy_at = busy_at - interval '3 hours 59 minutes'").await;
    step(&world, &engine).await;
    assert_eq!(changes_of(&world, &jane), changes);
    world.sql("update offboardings set busy_at = busy_at - interval '2 minutes'").await;
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn who_was_on_queue_is_looked_at_again_when_the_queues_are_gone() {
    for (status, goes_on) in [(RoutingStatus::Idle, false), (RoutingStatus::OffQueue, true)] {
        let (world, jane, id) = jane().await;
        does(&world.simulator, &jane, |person| person.routing_status = status);
        answers_at(&world, &jane, "deleteRoutingQueueMember");
        step(&world, &world.engine()).await;
        assert_eq!(ended(&world.view(id).await), (Status::Scheduled, None));
        let changes = changes_of(&world, &jane);
        assert_eq!(
            changes.iter().any(|change| *change != "deleteRoutingQueueMember"),
            goes_on,
            "{changes:?}"
        );
        hangs_up(&world.simulator, &jane);
        assert_eq!(to_the_end(&world, &world.engine(), id).await.outcome, Some(Outcome::Offboarded));
    }
}

#[tokio::test]
async fn who_answers_before_the_first_change_is_asked_about_and_later_waited_for() {
    let ask = || with(|busy| busy.when_busy = WhenBusy::Ask);
    let (world, jane, id) = jane().await;
    let engine = world.engine_with(ask());
    answers_at(&world, &jane, "getUserQueues");
    step(&world, &engine).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Busy)));
    assert_eq!(world.simulator.changing().len(), 0);
    decide(&world, id, Decision::Approve).await;
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));

    let (world, jane, id) = self::jane().await;
    let engine = world.engine_with(ask());
    answers_at(&world, &jane, "deleteRoutingQueueMember");
    for _ in 0..3 {
        step(&world, &engine).await;
        assert_eq!(ended(&world.view(id).await), (Status::Scheduled, None));
    }
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Active);
    hangs_up(&world.simulator, &jane);
    assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn immediate_types_are_neither_waited_for_nor_looked_at_again() {
    let mut requests = BTreeSet::new();
    for in_call in [false, true] {
        let (world, jane) = (World::new().await, slim_agent);
        let jane = world.simulator.organisation(|org| jane(org, JANE));
        if in_call {
            answers(&world.simulator, &jane);
        }
        let id = world.terminate_as(by_email(JANE), Some("involuntary")).await;
        step(&world, &world.engine()).await;
        assert_eq!(world.view(id).await.outcome, Some(Outcome::Offboarded));
        requests.insert(world.simulator.journal().len());
    }
    assert_eq!(requests.len(), 1, "{requests:?}");
}

#[tokio::test]
async fn of_a_layoff_whoever_answers_a_call_is_left_out_and_the_others_go() {
    let world = World::new().await;
    let (mut people, mut agents) = (Vec::new(), Vec::new());
    let queue = world.simulator.organisation(|org| {
        let home = org.home();
        org.add_queue("Support", &home)
    });
    for number in 0..6 {
        let email = format!("agent{number}@example.com");
        let agent = world.simulator.organisation(|org| {
            let agent = slim_agent(org, &email);
            org.edit(&agent, |person| {
                let membership = *person.queues.values().next().unwrap();
                person.queues = [(queue.clone(), membership)].into();
            });
            agent
        });
        agents.push(agent);
        people.push(world.terminate(&email).await);
    }
    answers_at(&world, &agents[3], "getRoutingUserUtilization");
    let engine = world.engine_with(Settings { concurrency: 1, ..World::settings() });
    assert_eq!(engine.step().await.unwrap(), 6);
    for (agent, id) in agents.iter().zip(&people) {
        let touched = world.simulator.changing().iter().any(|entry| is_about(entry, agent));
        let expected = if *agent == agents[3] { Status::Scheduled } else { Status::Done };
        assert_eq!((world.view(*id).await.status, touched), (expected, expected == Status::Done), "{agent}");
    }
    hangs_up(&world.simulator, &agents[3]);
    assert_eq!(to_the_end(&world, &engine, people[3]).await.outcome, Some(Outcome::Offboarded));
}
