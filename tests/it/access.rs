//! What stands between an offboarding and its end without being about the person alone: our own login, and rights that
//! come through a group.

use std::time::{Duration, Instant};

use leaver::offboarding::{Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver_simulator::{AccountState, Action, Fault, Grant, Matcher};

use crate::stepped::{decide, ended, holdings, impatient_engine, last_note, slim_agent, step, to_the_end};
use crate::support::World;

const JANE: &str = "jane@example.com";

/// Longer than the login's first pauses.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// While the login fails nothing is counted; when it works again the offboarding ends by itself.
async fn waits_for_the_login(action: Action) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let engine = impatient_engine(&world, World::settings());
    let login = Matcher::operation("oauthToken").always();
    let fault = world.simulator.inject(Fault::before(login, action));
    let id = world.terminate(JANE).await;
    for _ in 0..20 {
        step(&world, &engine).await;
        let view = world.view(id).await;
        assert_eq!((view.status, view.attempt), (Status::Scheduled, 0), "{:#?}", view.journal);
    }
    // The login isn't asked at each attempt.
    assert!((1..=3).contains(&world.simulator.struck(fault)), "{}", world.simulator.struck(fault));
    world.simulator.clear_faults();
    let started = Instant::now();
    while world.view(id).await.status == Status::Scheduled {
        assert!(started.elapsed() < RECOVERY_MAX, "no recovery");
        tokio::time::sleep(Duration::from_millis(50)).await;
        step(&world, &engine).await;
    }
    assert_eq!(world.view(id).await.outcome, Some(Outcome::Offboarded));
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_login_that_refuses_us_is_waited_for() {
    waits_for_the_login(Action::answer(400, "invalid_client")).await;
}

#[tokio::test]
async fn a_login_that_fails_is_waited_for() {
    waits_for_the_login(Action::answer(500, "internal.server.error")).await;
}

#[tokio::test]
async fn a_login_that_hangs_is_waited_for() {
    waits_for_the_login(Action::Hang).await;
}

#[tokio::test]
async fn a_role_through_a_group_is_held_after_everything_else_is_stripped() {
    let world = World::new().await;
    let (jane, group) = world.simulator.organisation(|org| {
        let (jane, home, role) = (slim_agent(org, JANE), org.home(), org.add_role("Employee"));
        let group = org.add_group("Everybody", &[Grant { role, division: home }]);
        org.edit(&jane, |person| {
            person.groups.insert(group.clone());
        });
        (jane, group)
    });
    let engine = world.engine();
    let id = world.terminate(JANE).await;
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::InheritedAccess)));
    assert!(last_note(&view).contains(&group), "{}", last_note(&view));
    let left = world.simulator.person(&jane).unwrap();
    assert_eq!((holdings(&left), left.state, left.tokens), (vec![], AccountState::Active, 2));
    decide(&world, id, Decision::Approve).await;
    let view = to_the_end(&world, &engine, id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    let left = world.simulator.person(&jane).unwrap();
    assert_eq!((left.state, left.tokens, left.groups.len()), (AccountState::Inactive, 0, 1));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_queue_through_a_group_is_named_after_everything_else_is_stripped() {
    let world = World::new().await;
    let (jane, queue) = world.simulator.organisation(|org| {
        let (jane, home) = (slim_agent(org, JANE), org.home());
        let queue = org.add_queue("Everybody's", &home);
        let by_group = leaver_simulator::QueueMembership {
            joining: leaver_simulator::Joining::Joined,
            ring_number: 1,
            by: leaver_simulator::MemberBy::Group,
        };
        org.edit(&jane, |person| {
            person.queues.insert(queue.clone(), by_group);
        });
        (jane, queue)
    });
    let id = world.terminate(JANE).await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::InheritedAccess)));
    assert!(last_note(&view).contains(&queue), "{}", last_note(&view));
    let left = world.simulator.person(&jane).unwrap();
    assert_eq!((holdings(&left), left.state), (vec!["queues"], AccountState::Active));
    assert_eq!(left.queues.into_keys().collect::<Vec<_>>(), [queue]);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
