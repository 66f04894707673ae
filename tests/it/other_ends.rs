//! Ends that somebody else brings about: a kind of assignment that nobody knows, a person who is renamed, moved or
//! activated meanwhile, and a permission that is missing in one division.

use leaver::offboarding::{Outcome, Reason, Status};
use leaver_simulator::{AccountState, Action, Fault, Joining, Matcher, PersonState};
use serde_json::json;

use crate::process::until;
use crate::stepped::{Guard, ended, impatient_engine, last_note, slim_agent, step, to_the_end};
use crate::support::{World, termination};
use crate::whole::{left_with, whole_agent, whole_choices, whole_settings, whole_world};
use crate::witness::{assert_offboarded, reading, when};

/// Longer than an offboarding takes on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[tokio::test]
async fn a_kind_that_nobody_knows_of_ends_with_the_platforms_own_code() {
    let (world, heir) = whole_world().await;
    let user = world.simulator.organisation(|org| whole_agent(org, "jane@example.com"));
    let refusal = Action::answer(400, "user.has.assigned.widgets");
    world.simulator.inject(Fault::before(Matcher::operation("patchUser").always(), refusal));
    let id = world.terminate("jane@example.com").await;
    let engine = impatient_engine(&world, whole_settings(whole_choices(&heir)));
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!(ended(&view), (Status::Failed, Some(Reason::RefusedByGenesys)));
    assert_eq!(last_note(&view), "400 user.has.assigned.widgets");
    assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Active);
    assert_eq!(left_with(&world.simulator, &user), Vec::<&str>::new());
}

/// Somebody changes the account while it is stripped, and again right before it is deactivated.
async fn changed_meanwhile(change: impl Fn(&mut PersonState) + Copy + Send + Sync + 'static) {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let guard = Guard::default();
    guard.watch(&world);
    for (operation, nth) in [("putUserRoutingskillsBulk", 1), ("patchUser", 1)] {
        let id = user.clone();
        when(&world, (operation, nth), &user, move |control| {
            control.organisation(|org| {
                org.edit(&id, |person| {
                    change(person);
                    person.version += 1;
                })
            });
        });
    }
    assert_offboarded_as(&world, &user).await;
    guard.assert_nobody_was_deactivated_early();
}

async fn assert_offboarded_as(world: &World, user: &str) {
    assert_offboarded(world, user, reading(2)).await;
}

#[tokio::test]
async fn whoever_is_renamed_meanwhile_is_the_same_person() {
    changed_meanwhile(|person| {
        person.name = "Jane Roe".to_owned();
        person.email = "jane.roe@example.com".to_owned();
    })
    .await;
}

#[tokio::test]
async fn whoever_is_moved_to_another_division_meanwhile_is_the_same_person() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let division = world.simulator.organisation(|org| org.add_division("South"));
    let id = user.clone();
    when(&world, ("putUserRoutingskillsBulk", 1), &user, move |control| {
        control.organisation(|org| org.edit(&id, |person| person.division.clone_from(&division)));
    });
    assert_offboarded_as(&world, &user).await;
}

#[tokio::test]
async fn whoever_is_activated_again_before_the_end_is_deactivated_again_or_held() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let id = user.clone();
    when(&world, ("deleteToken", 1), &user, move |control| {
        control.organisation(|org| {
            org.edit(&id, |person| {
                person.state = AccountState::Active;
                person.version += 1;
            })
        });
    });
    let id = world.terminate("jane@example.com").await;
    let view = to_the_end(&world, &world.engine_with(reading(2)), id).await;
    let person = world.simulator.person(&user).unwrap();
    match ended(&view) {
        (Status::Done, None) => assert_eq!(person.state, AccountState::Inactive),
        (Status::Held, Some(Reason::KeepsReturning)) => {}
        other => panic!("{other:?}: {:#?}", view.journal),
    }
}

#[tokio::test]
async fn whoever_is_activated_after_the_end_is_left_alone_by_a_redelivery() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let service = world.serve("", &["serve"]);
    let body = termination("e1", "E1", "jane@example.com");
    let (status, answer) = service.deliver(&body).await;
    assert_eq!(status, 202, "{answer}");
    let done = "select count(*) from offboardings where status = 'done'";
    until("the offboarding is done", PATIENCE, async || world.number(done).await == 1).await;
    assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Inactive);
    world.simulator.organisation(|org| {
        let skill = org.add_skill("Back again");
        org.edit(&user, |person| {
            person.state = AccountState::Active;
            person.skills.insert(skill, 1.0);
        })
    });
    let before = world.simulator.person(&user);
    let changes = world.simulator.changing().len();
    let (status, answer) = service.deliver(&body).await;
    assert_eq!(status, 200, "{answer}");
    // Nothing was opened, so that no worker finds anything to do, now or later.
    assert_eq!(world.number("select count(*) from offboardings").await, 1);
    assert_eq!(step(&world, &world.engine()).await, 0);
    assert_eq!(world.simulator.person(&user), before);
    assert_eq!(world.simulator.changing().len(), changes);
}

#[tokio::test]
async fn a_permission_that_is_missing_in_one_division_leaves_only_its_queue() {
    let world = World::new().await;
    let (user, closed) = world.simulator.organisation(|org| {
        let user = slim_agent(org, "jane@example.com");
        let south = org.add_division("South");
        let closed = org.add_queue("Closed", &south);
        let member = leaver_simulator::QueueMembership {
            joining: Joining::Joined,
            ring_number: 1,
            by: leaver_simulator::MemberBy::User,
        };
        org.edit(&user, |person| person.queues.insert(closed.clone(), member));
        (user, closed)
    });
    let body = json!({"status": 403, "code": "missing.division.permission", "message":
        "You are missing the following permission(s): [routing:queueMember:manage]"});
    let (content_type, body) = ("application/json".to_owned(), body.to_string().into_bytes());
    let refusal = Action::RawBody { status: 403, content_type, body };
    let matcher = Matcher::operation("deleteRoutingQueueMember").path(&closed).always();
    world.simulator.inject(Fault::before(matcher, refusal));
    let id = world.terminate("jane@example.com").await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::PermissionMissing)), "{:#?}", view.journal);
    assert_eq!(last_note(&view), "routing:queueMember:manage");
    let person = world.simulator.person(&user).unwrap();
    assert_eq!(person.queues.keys().collect::<Vec<_>>(), [&closed]);
    assert_eq!((left_with(&world.simulator, &user), person.state), (vec!["queues"], AccountState::Active));
    world.simulator.clear_faults();
    crate::stepped::decide(&world, id, leaver::store::decisions::Decision::Retry).await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
}
