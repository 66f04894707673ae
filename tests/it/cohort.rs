//! A layoff: the people of one queue share a call, and one person's trouble is nobody else's.

use leaver::offboarding::{OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::worker::Settings;
use leaver_simulator::{
    AccountState, Action, Fault, Id, Joining, Matcher, MemberBy, QueueMembership, presets,
};

use crate::stepped::{
    Guard, by_email, changes_of, deactivations, ended, holdings, impatient_engine, is_about, slim_agent, step,
};
use crate::support::World;

const PEOPLE: usize = 12;

/// One worker, so that everybody who is due is of one cohort.
fn one_worker() -> Settings {
    Settings { concurrency: 1, ..World::settings() }
}

/// Twelve people in two shared queues, all of whom leave.
async fn layoff(world: &World) -> Vec<(Id, OffboardingId)> {
    let mut people = Vec::new();
    let queues = world.simulator.organisation(|org| {
        let home = org.home();
        [org.add_queue("Support", &home), org.add_queue("Sales", &home)]
    });
    for number in 0..PEOPLE {
        let email = format!("agent{number:02}@example.com");
        let user = world.simulator.organisation(|org| {
            let user = slim_agent(org, &email);
            org.edit(&user, |person| {
                person.queues.clear();
                for (queue, joining) in queues.iter().zip([Joining::Joined, Joining::Unjoined]) {
                    let member = QueueMembership { joining, ring_number: 1, by: MemberBy::User };
                    person.queues.insert(queue.clone(), member);
                }
            });
            user
        });
        people.push((user, world.terminate(&email).await));
    }
    people
}

async fn assert_done(world: &World, people: &[(Id, OffboardingId)]) {
    for (user, id) in people {
        let view = world.view(*id).await;
        assert_eq!(
            (view.status, view.outcome),
            (Status::Done, Some(Outcome::Offboarded)),
            "{:#?}",
            view.journal
        );
        let left = world.simulator.person(user).unwrap();
        assert_eq!((holdings(&left), left.state, left.tokens), (vec![], AccountState::Inactive, 0));
    }
}

fn calls(world: &World, operation: &str) -> usize {
    world.simulator.changing().iter().filter(|entry| entry.request.operation == Some(operation)).count()
}

#[tokio::test]
async fn people_of_the_same_queues_leave_them_with_one_call_each() {
    let world = World::new().await;
    let guard = Guard::default();
    guard.watch(&world);
    let people = layoff(&world).await;
    let stranger = world.simulator.organisation(|org| org.stranger());
    let before = world.simulator.person(&stranger);
    assert_eq!(step(&world, &world.engine_with(one_worker())).await, PEOPLE);
    assert_done(&world, &people).await;
    let bulk = (calls(&world, "postRoutingQueueMembers"), calls(&world, "deleteRoutingQueueMember"));
    assert_eq!(bulk, (2, 0));
    for entry in world.simulator.changing() {
        if entry.request.operation == Some("postRoutingQueueMembers") {
            assert!(entry.request.query.contains("delete=true"));
            assert_eq!(entry.request.json().unwrap().as_array().unwrap().len(), PEOPLE);
        }
    }
    assert_eq!(world.simulator.person(&stranger), before);
    guard.assert_nobody_was_deactivated_early();
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bulk_call_that_is_refused_is_divided() {
    let world = World::new().await;
    let people = layoff(&world).await;
    let bulk = Matcher::operation("postRoutingQueueMembers").always();
    world.simulator.inject(Fault::before(bulk, Action::answer(400, "bad.request")));
    assert_eq!(step(&world, &world.engine_with(one_worker())).await, PEOPLE);
    assert_done(&world, &people).await;
    assert_eq!(calls(&world, "deleteRoutingQueueMember"), 2 * PEOPLE);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

/// One of the cohort has trouble with a call; the others are done at the first step.
async fn trouble_of_one(operation: &str, action: Action, wanted: (Status, Option<Reason>)) {
    let world = World::new().await;
    let people = layoff(&world).await;
    let ((unlucky, id), others) = people.split_first().unwrap();
    world.simulator.inject(Fault::before(Matcher::operation(operation).path(unlucky).always(), action));
    let engine = impatient_engine(&world, one_worker());
    assert_eq!(step(&world, &engine).await, PEOPLE);
    assert_done(&world, others).await;
    assert_eq!(ended(&world.view(*id).await), wanted);
    assert_eq!(world.simulator.person(unlucky).unwrap().state, AccountState::Active);
    assert_eq!(deactivations(&world, unlucky).len(), 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_permission_that_is_missing_for_one_holds_nobody_else_up() {
    let held = (Status::Held, Some(Reason::PermissionMissing));
    trouble_of_one("deleteUserRoutinglanguage", Action::answer(403, "missing.permissions"), held).await;
}

#[tokio::test]
async fn an_error_about_one_holds_nobody_else_up() {
    let later = (Status::Scheduled, None);
    trouble_of_one("putUserRoutingskillsBulk", Action::answer(500, "internal.server.error"), later).await;
}

#[tokio::test]
async fn an_unreadable_answer_about_one_holds_nobody_else_up() {
    trouble_of_one("getUserCallforwarding", Action::html(), (Status::Scheduled, None)).await;
}

#[tokio::test]
async fn two_offboardings_of_the_same_user_end_one_after_the_other() {
    for concurrency in [1, 2] {
        let world = World::new().await;
        let jane = world
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E1"));
        let by_id = PersonRef { email: None, external_id: Some("E1".to_owned()) };
        let ids = [
            world.terminate_as(by_email("jane.doe@example.com"), None).await,
            world.terminate_as(by_id, None).await,
        ];
        assert_ne!(ids[0], ids[1]);
        let authority = Some(presets::AUTHORITY.to_owned());
        let settings = Settings { concurrency, external_id_authority: authority, ..World::settings() };
        let engines = [world.engine_with(settings.clone()), world.engine_with(settings)];
        for _ in 0..6 {
            world.make_due().await;
            let (one, other) = tokio::join!(engines[0].step(), engines[1].step());
            one.unwrap();
            other.unwrap();
        }
        let mut outcomes = Vec::new();
        for id in ids {
            outcomes.push(world.view(id).await.outcome.map(Outcome::as_str));
        }
        outcomes.sort_unstable();
        assert_eq!(outcomes, [Some("already_inactive"), Some("offboarded")]);
        assert_eq!(deactivations(&world, &jane).len(), 1);
        let twice = changes_of(&world, &jane);
        assert_eq!(twice.iter().filter(|operation| **operation == "putUserRoutingskillsBulk").count(), 1);
        assert!(world.simulator.changing().iter().all(|entry| is_about(entry, &jane)));
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}
