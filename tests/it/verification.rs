//! Nobody is deactivated before fresh and complete reads found nothing, and whatever comes in between is found.
//! The judge stands at the simulator's side and sees answers only.

use leaver::offboarding::choices::Order;
use leaver::offboarding::{Outcome, Reason, Status};
use leaver::worker::Settings;
use leaver_simulator::{
    AccountState, Action, Fault, Joining, Kind, Lag, Matcher, Person, StaleVersion, presets,
};
use serde_json::json;

use crate::latecomers::{Gift, Version, give};
use crate::stepped::{deactivations, ended, holdings, is_about, slim_agent, to_the_end};
use crate::support::World;
use crate::witness::{Witness, assert_offboarded, reading, when};

#[tokio::test]
async fn the_account_is_deactivated_only_after_as_many_complete_empty_reads_as_configured() {
    let world = World::new().await;
    for verify_reads in 1..=3 {
        let email = format!("reads{verify_reads}@example.com");
        let user = world.simulator.organisation(|org| slim_agent(org, &email));
        let witness = Witness::of(&world, &user);
        assert_offboarded(&world, &user, reading(verify_reads)).await;
        witness.assert_proved(verify_reads as usize);
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_journal_counts_the_complete_reads_that_found_nothing() {
    let world = World::new().await;
    for verify_reads in 1..=3 {
        let email = format!("counted{verify_reads}@example.com");
        world.simulator.organisation(|org| slim_agent(org, &email));
        let id = world.terminate(&email).await;
        let view = to_the_end(&world, &world.engine_with(reading(verify_reads)), id).await;
        let journal = view.journal.unwrap();
        let empty = journal.iter().filter(|entry| entry.action == "verified_empty");
        let told: Vec<_> = empty.map(|entry| entry.result.clone().unwrap()).collect();
        let counted = (1..=verify_reads).map(|read| format!("{read} of {verify_reads}"));
        let which = counted.chain(["after the deactivation".to_owned()]);
        let expected: Vec<_> = which.map(|which| format!("complete read {which} found nothing")).collect();
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn queues_over_several_pages_are_all_left() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| {
        let home = org.home();
        let mut person = Person::new("Omar", "omar@example.com");
        for number in 0..106 {
            let queue = org.add_queue(&format!("Queue {number:03}"), &home);
            let joining = if number < 102 { Joining::Joined } else { Joining::Unjoined };
            person = person.queue(&queue, joining);
        }
        org.add_person(person)
    });
    let witness = Witness::of(&world, &user);
    assert_offboarded(&world, &user, World::settings()).await;
    witness.assert_proved(2);
    let second_page = |entry: &leaver_simulator::Entry| entry.request.query.contains("pageNumber=2");
    assert!(world.simulator.journal().iter().any(|entry| is_about(entry, &user) && second_page(entry)));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn reads_that_lag_are_neither_an_error_nor_emptiness() {
    let kinds = [
        Kind::Account,
        Kind::Queues,
        Kind::Skills,
        Kind::Languages,
        Kind::Utilization,
        Kind::Grants,
        Kind::Stations,
    ];
    let world = World::new().await;
    for kind in kinds {
        let email = format!("{kind:?}@example.com").to_lowercase();
        let user = world.simulator.organisation(|org| slim_agent(org, &email));
        let witness = Witness::of(&world, &user);
        world.simulator.set_lag(kind, Lag::Reads(5));
        let id = world.terminate(&email).await;
        let view = world.work_to_the_end(&world.engine(), id).await;
        assert_eq!((view.status, view.outcome, view.attempt), (Status::Done, Some(Outcome::Offboarded), 0));
        assert_eq!(holdings(&world.simulator.person(&user).unwrap()), Vec::<&str>::new());
        witness.assert_proved(2);
        world.simulator.set_lag(kind, Lag::None);
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_version_conflict_the_person_is_read_and_proved_again() {
    for stale in [StaleVersion::Conflict, StaleVersion::BadRequest] {
        let world = World::new().await;
        world.simulator.rules(|rules| rules.stale_version = stale);
        let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
        let witness = Witness::of(&world, &user);
        let who = user.clone();
        when(&world, ("patchUser", 1), &user, move |control| {
            control.organisation(|org| org.edit(&who, |person| person.name.push('!')));
        });
        assert_offboarded(&world, &user, World::settings()).await;
        witness.assert_proved(2);
        let versions: Vec<_> =
            deactivations(&world, &user).iter().map(|e| e.request.json().unwrap()).collect();
        assert_eq!(versions.len(), 2);
        assert!(versions[0]["version"].as_u64() < versions[1]["version"].as_u64());
        for body in versions {
            assert_eq!(body, json!({"state": "inactive", "version": body["version"]}));
        }
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_version_that_never_fits_ends_after_a_bounded_number_of_calls() {
    for order in [Order::StripFirst, Order::AccessFirst] {
        let world = World::new().await;
        let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
        let conflict = Action::answer(409, "general.conflict");
        let id = world.terminate("jane@example.com").await;
        world.simulator.inject(Fault::before(Matcher::operation("patchUser").always(), conflict));
        let engine = world.engine_with(Settings { attempts_max: 3, order, ..World::settings() });
        let view = to_the_end(&world, &engine, id).await;
        assert_eq!(ended(&view), (Status::Failed, Some(Reason::AttemptsExhausted)));
        assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Active);
        assert!(deactivations(&world, &user).len() <= 30);
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn whoever_is_inactive_already_is_stripped_all_the_same() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    world.simulator.organisation(|org| org.edit(&user, |person| person.state = AccountState::Inactive));
    let id = world.terminate("jane@example.com").await;
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::AlreadyInactive)));
    let left = world.simulator.person(&user).unwrap();
    assert_eq!((holdings(&left), left.tokens), (vec![], 0));
    assert_eq!(deactivations(&world, &user).len(), 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_an_earlier_run_left_half_done_is_finished_by_the_next() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let refused = Matcher::operation("deleteToken").always();
    world.simulator.inject(Fault::before(refused, Action::answer(400, "bad.request")));
    let engine = world.engine();
    let first = world.terminate("jane@example.com").await;
    let view = to_the_end(&world, &engine, first).await;
    assert_eq!(ended(&view), (Status::Failed, Some(Reason::RefusedByGenesys)));
    world.simulator.clear_faults();
    world.simulator.organisation(|org| give(org, &user, Gift::JoinedQueue, Version::Rises));
    let second = world.terminate("jane@example.com").await;
    let view = to_the_end(&world, &engine, second).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::AlreadyInactive)));
    let left = world.simulator.person(&user).unwrap();
    assert_eq!((holdings(&left), left.tokens, left.tokens_revoked), (vec![], 0, 2));
    assert_eq!(deactivations(&world, &user).len(), 1);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn somebody_who_is_deleted_on_the_way_is_no_longer_in_genesys() {
    for operation in ["deleteRoutingQueueMember", "getUserCallforwarding", "patchUser"] {
        let world = World::new().await;
        let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
        let who = user.clone();
        when(&world, (operation, 1), "", move |control| {
            control.organisation(|org| org.edit(&who, |person| person.state = AccountState::Deleted));
        });
        let id = world.terminate("jane@example.com").await;
        let view = to_the_end(&world, &world.engine(), id).await;
        let wanted = (Status::Done, Some(Outcome::NotInGenesys));
        assert_eq!((view.status, view.outcome), wanted, "{operation}: {:#?}", view.journal);
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn somebody_who_is_renamed_on_the_way_is_still_the_same_person() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let who = user.clone();
    when(&world, ("deleteRoutingQueueMember", 1), "", move |control| {
        control.organisation(|org| org.edit(&who, |person| person.email = "jane.roe@example.com".to_owned()));
        control.organisation(|org| presets::fully_assigned_agent(org, "Other", "jane@example.com", "E9"));
    });
    // The attempt ends here, so that the next one has to find the person again.
    let lost = Matcher::operation("deleteRoutingQueueMember");
    world.simulator.inject(Fault::after(lost, Action::answer(500, "internal.server.error")));
    assert_offboarded(&world, &user, World::settings()).await;
    let namesake = world.simulator.organisation(|org| org.find("jane@example.com")).unwrap();
    let namesake = world.simulator.person(&namesake).unwrap();
    assert_eq!((namesake.state, namesake.version), (AccountState::Active, 1));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_account_that_is_reactivated_on_the_way_is_deactivated_again() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let witness = Witness::of(&world, &user);
    let who = user.clone();
    when(&world, ("deleteToken", 1), &user, move |control| {
        control.organisation(|org| org.edit(&who, |person| person.state = AccountState::Active));
    });
    assert_offboarded(&world, &user, World::settings()).await;
    witness.assert_proved(1);
    assert_eq!(deactivations(&world, &user).len(), 2);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
