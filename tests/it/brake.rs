//! The brake: how many distinct people are changed, by the database's clock, over replicas, restarts and midnights, and that
//! it is told once.

use std::time::Duration;

use leaver::offboarding::{Actor, OffboardingId, Outcome, Phase, Reason, Status};
use leaver::store::brake::BrakeUse;
use leaver::store::decisions::Decision;
use leaver::store::leases::Fence;
use leaver::store::progress::{BrakeLimits, CallResult, Change, Intention, Permission, Proves};
use leaver::worker::Settings;
use leaver_simulator::Person;
use uuid::Uuid;

use crate::edge::Answer;
use crate::stepped::{decide, ended, step};
use crate::support::{ALICE, World};

/// A worker's hand without its head: takes leases and writes intentions, and sends nothing.
pub(crate) struct Hand(Fence);

impl Hand {
    /// Takes everything that is due.
    pub(crate) async fn on(world: &World) -> Self {
        let worker = Actor::Worker("hand".to_owned());
        let hand = Self(Fence { token: Uuid::new_v4(), lease: Duration::from_secs(60), worker });
        world.make_due().await;
        world.store.acquire(&hand.0, 1000).await.unwrap();
        hand
    }

    fn intention(id: OffboardingId, user: &str) -> Intention {
        Intention {
            offboarding: id,
            user: user.to_owned(),
            step: "strip.routing_skills",
            phase: Phase::Strip,
            targets: vec!["skill".to_owned()],
            change: Change::Remove,
            request_id: Uuid::new_v4(),
        }
    }

    pub(crate) async fn begin(
        &self,
        world: &World,
        id: OffboardingId,
        user: &str,
        brake: Option<BrakeLimits>,
    ) -> (Permission, Intention) {
        let intention = Self::intention(id, user);
        (world.store.begin(&self.0, &intention, brake).await.unwrap(), intention)
    }

    async fn finish(&self, world: &World, intention: &Intention, proves: Proves, result: &str) {
        let result = CallResult { result: result.to_owned(), correlation_id: None, proves };
        world.store.finish(&self.0, intention, result).await.unwrap();
    }
}

fn limits(per_hour: u32, per_day: u32) -> BrakeLimits {
    BrakeLimits { per_hour, per_day }
}

fn braked(brake: BrakeLimits) -> Settings {
    Settings { brake, ..World::settings() }
}

/// Somebody with a skill and nothing else.
pub(crate) fn tiny_agent(world: &World, email: &str) -> String {
    world.simulator.organisation(|org| {
        let skill = org.add_skill(&format!("Skill of {email}"));
        org.add_person(Person::new(email, email).skill(&skill, 3.0))
    })
}

/// A new agent's termination, worked on once.
async fn offboard(world: &World, settings: &Settings, email: &str) -> (Status, Option<Reason>) {
    tiny_agent(world, email);
    let id = world.terminate(email).await;
    step(world, &world.engine_with(settings.clone())).await;
    ended(&world.view(id).await)
}

const HELD: (Status, Option<Reason>) = (Status::Held, Some(Reason::Brake));
const DONE: (Status, Option<Reason>) = (Status::Done, None);

#[tokio::test]
async fn a_new_day_and_a_new_hour_open_nothing_early() {
    let world = World::new().await;
    for (settings, still, over) in [
        (
            braked(limits(100, 2)),
            "update changed_people set changed_at = now() - interval '23 hours 59 minutes'",
            "update changed_people set changed_at = now() - interval '24 hours 1 second'",
        ),
        (
            braked(limits(2, 100)),
            "update changed_people set changed_at = now() - interval '59 minutes'",
            "update changed_people set changed_at = now() - interval '60 minutes 1 second'",
        ),
    ] {
        world.sql("delete from changed_people").await;
        let mut people = (0..).map(|number| format!("agent{number}.{}@example.com", settings.brake.per_day));
        let mut next = || people.next().unwrap();
        assert_eq!(offboard(&world, &settings, &next()).await, DONE);
        assert_eq!(offboard(&world, &settings, &next()).await, DONE);
        assert_eq!(offboard(&world, &settings, &next()).await, HELD);
        world.sql(still).await;
        assert_eq!(offboard(&world, &settings, &next()).await, HELD, "{still}");
        world.sql(over).await;
        assert_eq!(offboard(&world, &settings, &next()).await, DONE, "{over}");
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_is_stamped_in_the_future_counts() {
    let world = World::new().await;
    let settings = braked(limits(1, 1));
    assert_eq!(offboard(&world, &settings, "first@example.com").await, DONE);
    world.sql("update changed_people set changed_at = now() + interval '3 days'").await;
    assert_eq!(offboard(&world, &settings, "second@example.com").await, HELD);
}

#[test]
fn brake_approvals_and_layoffs_know_no_clock_but_the_databases() {
    for file in ["brake.rs", "approvals.rs", "layoffs.rs", "progress.rs", "leases.rs"] {
        let path = format!("{}/src/store/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for clock in ["Utc::now", "SystemTime", "Instant::now", "Local::now"] {
            assert!(!text.contains(clock), "{file} asks {clock}");
        }
    }
}

#[tokio::test]
async fn somebody_who_was_changed_within_the_window_takes_up_no_second_place() {
    let world = World::new().await;
    let settings = braked(limits(1, 1));
    assert_eq!(offboard(&world, &settings, "first@example.com").await, DONE);
    let again = world.terminate("first@example.com").await;
    step(&world, &world.engine_with(settings.clone())).await;
    assert_eq!(world.view(again).await.outcome, Some(Outcome::AlreadyInactive));
    assert_eq!(world.number("select count(*) from changed_people").await, 2);
    assert_eq!(offboard(&world, &settings, "second@example.com").await, HELD);
    assert_eq!(world.store.brake_use().await.unwrap(), BrakeUse { hour: 1, day: 1 });
}

#[tokio::test]
async fn a_trip_is_told_once_within_an_hour_of_the_databases_clock() {
    let world = World::new().await;
    let id = world.terminate("first@example.com").await;
    let hand = Hand::on(&world).await;
    let none = Some(limits(0, 5));
    let told = Permission::Brake { trip: Some(BrakeUse { hour: 0, day: 0 }) };
    let again = Permission::Brake { trip: None };
    for (moved, expected) in [
        (None, told),
        (None, again),
        (Some("update brake set paged_at = now() - interval '59 minutes'"), again),
        (Some("update brake set paged_at = now() - interval '61 minutes'"), told),
        (None, again),
        // Somebody set the clock back: a page too many is better than none for days.
        (Some("update brake set paged_at = now() + interval '2 days'"), told),
        (None, again),
    ] {
        if let Some(moved) = moved {
            world.sql(moved).await;
        }
        assert_eq!(hand.begin(&world, id, "u1", none).await.0, expected, "{moved:?}");
    }
    assert_eq!(world.number("select count(*) from changed_people").await, 0);
}

#[tokio::test]
async fn a_call_that_never_left_uses_up_no_place() {
    let world = World::new().await;
    let ids = [world.terminate("a@example.com").await, world.terminate("b@example.com").await];
    let hand = Hand::on(&world).await;
    let one = Some(limits(1, 1));
    let (granted, first) = hand.begin(&world, ids[0], "u1", one).await;
    assert_eq!(granted, Permission::Granted);
    assert!(matches!(hand.begin(&world, ids[1], "u2", one).await.0, Permission::Brake { .. }));
    hand.finish(&world, &first, Proves::NotSent, "not_sent: not_connected").await;
    let began = "select count(*) from offboardings where changes_began_at is not null";
    assert_eq!(
        (world.number("select count(*) from changed_people").await, world.number(began).await),
        (0, 0)
    );
    // The place goes to whoever comes next, and the first is counted anew like everybody else.
    let (granted, second) = hand.begin(&world, ids[1], "u2", one).await;
    assert_eq!(granted, Permission::Granted);
    assert!(matches!(hand.begin(&world, ids[0], "u1", one).await.0, Permission::Brake { .. }));
    // What was refused, or of what nobody knows, was sent: the place is used up, whatever is not sent later.
    hand.finish(&world, &second, Proves::Nothing, "refused: 403 forbidden").await;
    let (granted, third) = hand.begin(&world, ids[1], "u2", one).await;
    assert_eq!(granted, Permission::Granted);
    hand.finish(&world, &third, Proves::NotSent, "not_sent: not_connected").await;
    assert_eq!(
        (world.number("select count(*) from changed_people").await, world.number(began).await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_call_that_may_have_left_keeps_its_place() {
    let world = World::new().await;
    let id = world.terminate("a@example.com").await;
    let hand = Hand::on(&world).await;
    let one = Some(limits(1, 1));
    let (_, first) = hand.begin(&world, id, "u1", one).await;
    // Two calls are under way; one that never left says nothing about the other.
    let (_, second) = hand.begin(&world, id, "u1", one).await;
    hand.finish(&world, &second, Proves::NotSent, "not_sent: not_connected").await;
    let changed = "select count(*) from changed_people";
    assert_eq!(world.number(changed).await, 1);
    // The worker dies; who takes over says of the first that nobody knows. The late word of the dead one changes nothing.
    world.expire_leases().await;
    let next = Hand::on(&world).await;
    hand.finish(&world, &first, Proves::NotSent, "not_sent: lapsed").await;
    assert_eq!(world.number(changed).await, 1);
    let (granted, third) = next.begin(&world, id, "u1", one).await;
    assert_eq!(granted, Permission::Granted);
    next.finish(&world, &third, Proves::NotSent, "not_sent: not_connected").await;
    assert_eq!(world.number(changed).await, 1);
}

#[tokio::test]
async fn a_place_that_was_never_used_is_free_again_also_where_the_offboarding_was_cancelled_meanwhile() {
    let world = World::new().await;
    let id = world.terminate("a@example.com").await;
    let hand = Hand::on(&world).await;
    let (_, first) = hand.begin(&world, id, "u1", Some(limits(1, 1))).await;
    decide(&world, id, Decision::Cancel).await;
    hand.finish(&world, &first, Proves::NotSent, "not_sent: lapsed").await;
    assert_eq!(world.number("select count(*) from changed_people").await, 0);
    assert_eq!(world.view(id).await.status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_the_same_moment_exactly_the_limit_passes() {
    const PEOPLE: usize = 40;
    let world = World::new().await;
    let mut ids = Vec::new();
    for number in 0..PEOPLE {
        ids.push(world.terminate(&format!("agent{number}@example.com")).await);
    }
    let hand = Hand::on(&world).await;
    let users: Vec<_> = (0..PEOPLE).map(|number| format!("u{number}")).collect();
    let asked = ids.iter().zip(&users).map(|(id, user)| hand.begin(&world, *id, user, Some(limits(3, 100))));
    let answers = futures_util::future::join_all(asked).await;
    let count = |wanted: fn(&Permission) -> bool| answers.iter().filter(|(answer, _)| wanted(answer)).count();
    assert_eq!(count(|answer| *answer == Permission::Granted), 3);
    assert_eq!(count(|answer| matches!(answer, Permission::Brake { trip: Some(_) })), 1, "told once");
    assert_eq!(count(|answer| matches!(answer, Permission::Brake { trip: None })), PEOPLE - 4);
}

#[tokio::test]
async fn the_metrics_say_how_near_the_brake_is() {
    let world = World::new().await;
    let settings = braked(limits(2, 3));
    for number in 0..4 {
        offboard(&world, &settings, &format!("agent{number}@example.com")).await;
    }
    world
        .sql(
            "update changed_people set changed_at = now() - interval '2 hours'
              where offboarding_id = (select min(offboarding_id::text)::uuid from changed_people)",
        )
        .await;
    let policy = "[policy]\nchanges_per_hour_max = 2\nchanges_per_day_max = 3\n";
    let service = world.serve(policy, &["serve", "--no-worker"]);
    let text = Answer::get(format!("{}/metrics", service.admin)).await.text();
    for line in [
        "leaver_brake_used{window=\"hour\"} 1",
        "leaver_brake_used{window=\"day\"} 2",
        "leaver_brake_limit{window=\"hour\"} 2",
        "leaver_brake_limit{window=\"day\"} 3",
        "leaver_brake_held 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert_eq!(service.api(reqwest::Method::GET, "/api/v1/layoffs", ALICE).await.0, 200);
}

#[tokio::test]
async fn whoever_is_approved_is_changed_although_the_brake_is_full() {
    let world = World::new().await;
    let settings = braked(limits(0, 0));
    tiny_agent(&world, "jane@example.com");
    let id = world.terminate("jane@example.com").await;
    let engine = world.engine_with(settings);
    step(&world, &engine).await;
    assert_eq!(ended(&world.view(id).await), HELD);
    decide(&world, id, Decision::Approve).await;
    let view = world.work_to_the_end(&engine, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
}
