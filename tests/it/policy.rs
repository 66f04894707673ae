//! When nothing may be done yet, or not without somebody's consent: interactions, protected people, the brake, dates.

use std::collections::BTreeSet;

use leaver::offboarding::choices::{Protected, WhenBusy};
use leaver::offboarding::policy::BusyPolicy;
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::store::progress::BrakeLimits;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Id, Media, RoutingStatus};

use crate::stepped::{by_email, decide, ended, slim_agent, step, to_the_end};
use crate::support::World;

const JANE: &str = "jane@example.com";

fn busy(when_busy: WhenBusy) -> Settings {
    let settings = World::settings();
    Settings { busy: BusyPolicy { when_busy, ..settings.busy }, ..settings }
}

/// Jane is in a call of a queue.
async fn jane_in_a_call() -> (World, Id) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    world.simulator.organisation(|org| {
        org.edit(&jane, |person| {
            person.routing_status = RoutingStatus::Interacting;
            person.conversations.insert(Media::Call, 1);
        })
    });
    (world, jane)
}

fn hang_up(world: &World, user: &str) {
    world.simulator.organisation(|org| {
        org.edit(user, |person| {
            person.routing_status = RoutingStatus::Idle;
            person.conversations.clear();
        })
    });
}

fn assert_left_alone(world: &World) {
    assert_eq!(world.simulator.changing().len(), 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

async fn assert_offboarded(world: &World, settings: Settings, id: OffboardingId, user: &str) {
    let view = to_the_end(world, &world.engine_with(settings), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)), "{:#?}", view.journal);
    assert_eq!(world.simulator.person(user).unwrap().state, AccountState::Inactive);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_agent_in_a_call_is_left_alone_until_it_is_over() {
    let (world, jane) = jane_in_a_call().await;
    let id = world.terminate(JANE).await;
    let engine = world.engine_with(busy(WhenBusy::Wait));
    for _ in 0..3 {
        assert_eq!(step(&world, &engine).await, 1);
        let view = world.view(id).await;
        let pause = view.next_attempt_at.unwrap() - chrono::Utc::now();
        assert!((45..=60).contains(&pause.num_seconds()), "{pause}");
        assert_eq!((view.status, view.attempt), (Status::Scheduled, 0));
    }
    assert_left_alone(&world);
    hang_up(&world, &jane);
    assert_offboarded(&world, busy(WhenBusy::Wait), id, &jane).await;
}

#[tokio::test]
async fn each_sign_of_an_interaction_counts() {
    let signs: [fn(&mut leaver_simulator::PersonState); 4] = [
        |person| person.routing_status = RoutingStatus::Interacting,
        |person| person.routing_status = RoutingStatus::Communicating,
        |person| {
            person.conversations.insert(Media::Email, 2);
        },
        |person| {
            person.conversations.insert(Media::Message, 1);
        },
    ];
    let world = World::new().await;
    for (number, sign) in signs.into_iter().enumerate() {
        let email = format!("agent{number}@example.com");
        let agent = world.simulator.organisation(|org| slim_agent(org, &email));
        world.simulator.organisation(|org| org.edit(&agent, sign));
        let id = world.terminate(&email).await;
        step(&world, &world.engine_with(busy(WhenBusy::Ask))).await;
        assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Busy)), "sign {number}");
    }
    assert_left_alone(&world);
}

#[tokio::test]
async fn an_agent_in_a_call_is_held_where_somebody_is_to_be_asked() {
    let (world, jane) = jane_in_a_call().await;
    let id = world.terminate(JANE).await;
    step(&world, &world.engine_with(busy(WhenBusy::Ask))).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Busy)));
    assert_left_alone(&world);
    decide(&world, id, Decision::Approve).await;
    assert_offboarded(&world, busy(WhenBusy::Ask), id, &jane).await;
}

#[tokio::test]
async fn a_call_is_cut_off_where_the_policy_or_the_kind_of_termination_says_so() {
    for (when_busy, kind) in [(WhenBusy::Now, "voluntary"), (WhenBusy::Wait, "involuntary")] {
        let (world, jane) = jane_in_a_call().await;
        let id = world.terminate_as(by_email(JANE), Some(kind)).await;
        assert_offboarded(&world, busy(when_busy), id, &jane).await;
    }
}

#[tokio::test]
async fn waiting_for_the_end_of_a_call_has_an_end() {
    let (world, jane) = jane_in_a_call().await;
    let id = world.terminate(JANE).await;
    let engine = world.engine_with(busy(WhenBusy::Wait));
    // It counts from the first look that found the call, however long ago the termination took effect.
    world.sql("update offboardings set effective_at = now() - interval '1 day'").await;
    step(&world, &engine).await;
    world.sql("update offboardings set busy_at = busy_at - interval '3 hours 59 minutes'").await;
    step(&world, &engine).await;
    assert_left_alone(&world);
    world.sql("update offboardings set busy_at = busy_at - interval '2 minutes'").await;
    assert_offboarded(&world, busy(WhenBusy::Wait), id, &jane).await;
}

#[tokio::test]
async fn protected_people_are_held_untouched_until_somebody_approves() {
    let world = World::new().await;
    for number in 0..5 {
        let email = format!("boss{number}@example.com");
        let boss = world.simulator.organisation(|org| {
            let boss = slim_agent(org, &email);
            let (division, role) = (org.add_division(&format!("Board {number}")), org.add_role("Chief"));
            org.edit(&boss, |person| {
                person.division = division.clone();
                person.grants.insert(leaver_simulator::Grant { role, division });
            });
            boss
        });
        let protected = match number {
            0 => Protected::Email("BOSS0@example.com".to_owned()),
            1 => Protected::Id(boss.clone()),
            2 => Protected::Role("Chief".to_owned()),
            3 => Protected::Division("Board 3".to_owned()),
            _ => Protected::Division(world.simulator.person(&boss).unwrap().division),
        };
        let settings = Settings { protected: vec![protected], ..World::settings() };
        let (id, changes) = (world.terminate(&email).await, world.simulator.changing().len());
        step(&world, &world.engine_with(settings.clone())).await;
        assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Protected)), "{settings:?}");
        assert_eq!(world.simulator.changing().len(), changes);
        decide(&world, id, Decision::Approve).await;
        assert_offboarded(&world, settings, id, &boss).await;
    }
}

#[tokio::test]
async fn whoever_is_not_on_the_list_is_not_protected() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let protected = [
        Protected::Email("jane@example.co".to_owned()),
        Protected::Role("Chief".to_owned()),
        Protected::Division("Board".to_owned()),
        Protected::Id(world.simulator.organisation(|org| org.stranger())),
    ];
    let settings = Settings { protected: protected.to_vec(), ..World::settings() };
    let id = world.terminate(JANE).await;
    assert_offboarded(&world, settings, id, &jane).await;
}

fn changed_people(world: &World, people: &[(Id, OffboardingId)]) -> BTreeSet<Id> {
    let journal = world.simulator.changing();
    let touched = |user: &str| journal.iter().any(|entry| crate::stepped::is_about(entry, user));
    people.iter().map(|(user, _)| user.clone()).filter(|user| touched(user)).collect()
}

#[tokio::test]
async fn the_brake_is_exact_over_two_engines() {
    for brake in [BrakeLimits { per_hour: 3, per_day: 100 }, BrakeLimits { per_hour: 100, per_day: 3 }] {
        let world = World::new().await;
        let mut people = Vec::new();
        for number in 0..6 {
            let email = format!("agent{number}@example.com");
            let user = world.simulator.organisation(|org| slim_agent(org, &email));
            people.push((user, world.terminate(&email).await));
        }
        let settings = Settings { brake, concurrency: 3, ..World::settings() };
        let engines = [world.engine_with(settings.clone()), world.engine_with(settings)];
        for _ in 0..6 {
            let [one, other] = &engines;
            let (one, other) = tokio::join!(one.step(), other.step());
            if one.unwrap() + other.unwrap() == 0 {
                break;
            }
        }
        let changed = changed_people(&world, &people);
        assert_eq!(changed.len(), 3);
        let mut held = Vec::new();
        for (user, id) in &people {
            let view = world.view(*id).await;
            match changed.contains(user) {
                true => assert_eq!(view.outcome, Some(Outcome::Offboarded)),
                false => {
                    assert_eq!(ended(&view), (Status::Held, Some(Reason::Brake)));
                    held.push((user, *id));
                }
            }
        }
        let (user, id) = held[0];
        decide(&world, id, Decision::Approve).await;
        let view = to_the_end(&world, &engines[0], id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
        assert_eq!(world.simulator.person(user).unwrap().state, AccountState::Inactive);
        assert_eq!(changed_people(&world, &people).len(), 4);
        assert_eq!(world.view(held[1].1).await.status, Status::Held);
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn nothing_is_asked_of_genesys_before_the_time_has_come() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, JANE));
    let id = world.terminate(JANE).await;
    world
        .sql(
            "update offboardings set effective_at = now() + interval '1 hour',
             available_at = now() + interval '1 hour'",
        )
        .await;
    let engine = world.engine();
    for _ in 0..3 {
        assert_eq!(engine.step().await.unwrap(), 0);
    }
    assert_eq!(world.simulator.journal().len(), 0);
    assert_eq!(world.view(id).await.status, Status::Scheduled);
    world.sql("update offboardings set effective_at = now(), available_at = now()").await;
    assert_offboarded(&world, World::settings(), id, &jane).await;
}
