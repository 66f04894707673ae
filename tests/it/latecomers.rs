//! Whatever is assigned while somebody is being taken out is found, at whichever moment; and whoever keeps assigning ends
//! with a person who looks, not with an endless loop.

use leaver::offboarding::{Reason, Status};
use leaver_simulator::{Control, Grant, Joining, MemberBy, Organisation, QueueMembership, presets};
use serde_json::json;

use crate::stepped::{deactivations, ended, slim_agent, to_the_end};
use crate::support::World;
use crate::witness::{Witness, assert_offboarded, reading, when};

/// Everything that somebody may be given at the wrong moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gift {
    JoinedQueue,
    UnjoinedQueue,
    Skill,
    Language,
    Utilization,
    Role,
    AssociatedStation,
    DefaultStation,
}

const GIFTS: [Gift; 8] = [
    Gift::JoinedQueue,
    Gift::UnjoinedQueue,
    Gift::Skill,
    Gift::Language,
    Gift::Utilization,
    Gift::Role,
    Gift::AssociatedStation,
    Gift::DefaultStation,
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    Rises,
    Stays,
}

pub(crate) fn give(organisation: &mut Organisation, user: &str, gift: Gift, version: Version) {
    let home = organisation.home();
    let queue = organisation.add_queue("Late queue", &home);
    let skill = organisation.add_skill("Late skill");
    let language = organisation.add_language("Late language");
    let role = organisation.add_role("Late role");
    let station = organisation.add_station("Late station");
    let member = |joining| QueueMembership { joining, ring_number: 1, by: MemberBy::User };
    organisation.edit(user, |person| {
        match gift {
            Gift::JoinedQueue => {
                person.queues.insert(queue, member(Joining::Joined));
            }
            Gift::UnjoinedQueue => {
                person.queues.insert(queue, member(Joining::Unjoined));
            }
            Gift::Skill => {
                person.skills.insert(skill, 2.0);
            }
            Gift::Language => {
                person.languages.insert(language, 2.0);
            }
            Gift::Utilization => {
                person.utilization = Some(json!({"utilization": {}, "labelUtilizations": {}}));
            }
            Gift::Role => {
                person.grants.insert(Grant { role, division: home });
            }
            Gift::AssociatedStation => person.associated_station = Some(station),
            Gift::DefaultStation => person.default_station = Some(station),
        }
        if version == Version::Stays {
            person.version -= 1;
        }
    });
}

/// An organisation's people who hold nothing, each given something at one moment; all are found out and proved again.
async fn late_gifts_are_found(moment: (&'static str, u32), version: Version, verify_reads: u32) {
    let world = World::new().await;
    for gift in GIFTS {
        let email = format!("{gift:?}@example.com").to_lowercase();
        let user = world.simulator.organisation(|org| presets::bare_person(org, &email, &email, &email));
        world.simulator.organisation(|org| org.edit(&user, |person| person.version = 7));
        let witness = Witness::of(&world, &user);
        let to = user.clone();
        when(&world, moment, &user, move |control| {
            control.organisation(|org| give(org, &to, gift, version));
        });
        assert_offboarded(&world, &user, reading(verify_reads)).await;
        witness.assert_proved(verify_reads as usize);
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_assigned_between_two_reads_is_found_and_everything_is_read_again() {
    // Two halves of queues a read: the third request belongs to the second read, the last one before the account.
    late_gifts_are_found(("getUserQueues", 3), Version::Stays, 2).await;
}

#[tokio::test]
async fn what_is_assigned_behind_the_last_read_is_found_by_the_version_conflict() {
    late_gifts_are_found(("patchUser", 1), Version::Rises, 3).await;
}

#[tokio::test]
async fn what_is_assigned_behind_the_last_read_without_a_new_version_is_found_by_the_read_after_it() {
    late_gifts_are_found(("patchUser", 1), Version::Stays, 2).await;
}

#[tokio::test]
async fn what_is_assigned_right_after_the_deactivation_is_found() {
    late_gifts_are_found(("deleteToken", 1), Version::Rises, 1).await;
}

/// Ends held for what keeps returning, after a bounded number of requests.
async fn is_held_for_returning(world: &World, user: &str) {
    const REQUESTS_MAX: usize = 400;
    let email = world.simulator.person(user).unwrap().email;
    let id = world.terminate(&email).await;
    let view = to_the_end(world, &world.engine(), id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::KeepsReturning)), "{:#?}", view.journal);
    let requests = world.simulator.journal().len();
    assert!(requests < REQUESTS_MAX, "{requests} requests");
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

/// Gives a new queue at every request of an operation.
fn keep_giving(world: &World, user: &str, operation: &'static str, version: Version) {
    let (control, to): (Control, _) = ((*world.simulator).clone(), user.to_owned());
    world.simulator.on_request(move |request| {
        if request.operation == Some(operation) && request.path.contains(&to) {
            control.organisation(|org| give(org, &to, Gift::JoinedQueue, version));
        }
    });
}

#[tokio::test]
async fn whoever_gets_a_new_queue_at_every_look_is_held_with_the_account_active() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    keep_giving(&world, &user, "getRoutingUserUtilization", Version::Rises);
    is_held_for_returning(&world, &user).await;
    assert_eq!(deactivations(&world, &user).len(), 0);
}

#[tokio::test]
async fn whoever_gets_a_new_queue_at_every_deactivation_is_held() {
    for version in [Version::Rises, Version::Stays] {
        let world = World::new().await;
        let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
        keep_giving(&world, &user, "patchUser", version);
        keep_giving(&world, &user, "deleteToken", version);
        is_held_for_returning(&world, &user).await;
        assert_eq!(world.simulator.person(&user).unwrap().name, "jane@example.com");
    }
}

#[tokio::test]
async fn the_same_assignment_that_comes_back_each_time_is_held() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let (control, to): (Control, _) = ((*world.simulator).clone(), user.clone());
    let queues = world.simulator.person(&user).unwrap().queues;
    world.simulator.on_request(move |request| {
        if request.operation == Some("getRoutingUserUtilization") {
            control.organisation(|org| org.edit(&to, |person| person.queues.clone_from(&queues)));
        }
    });
    is_held_for_returning(&world, &user).await;
    assert_eq!(deactivations(&world, &user).len(), 0);
}
