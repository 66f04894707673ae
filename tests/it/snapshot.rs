//! Before the first change everything that a restore needs is stored; and what goes first is what the policy says.

use leaver::offboarding::Outcome;
use leaver::offboarding::choices::Order;
use leaver::worker::Settings;
use leaver_simulator::{Action, Fault, Joining, Matcher, presets};
use serde_json::{Value, json};

use crate::stepped::{changes_of, impatient_engine, slim_agent, snapshot, step, to_the_end};
use crate::support::World;
use crate::witness::assert_offboarded;

/// Everything that the preset of a fully assigned agent holds, as a restore needs it.
fn assert_complete(snapshot: &[(String, String, Value)], person: &leaver_simulator::PersonState) {
    let of = |step: &str| snapshot.iter().filter(|(name, ..)| name == step).collect::<Vec<_>>();
    let queues = of("strip.queue_memberships");
    assert_eq!(queues.len(), person.queues.len());
    for (_, queue, detail) in queues {
        assert_eq!(detail["joined"], person.queues[queue].joining == Joining::Joined);
    }
    let levels = [("strip.routing_skills", &person.skills), ("strip.routing_languages", &person.languages)];
    for (step, held) in levels {
        assert_eq!(of(step).len(), held.len());
        for (_, target, detail) in of(step) {
            assert_eq!(detail["proficiency"], held[target]);
        }
    }
    let utilization = of("strip.utilization");
    for (key, value) in person.utilization.as_ref().unwrap().as_object().unwrap() {
        assert_eq!(utilization[0].2[key], *value);
    }
    let grants: Vec<_> = of("strip.role_grants").iter().map(|(.., detail)| detail.clone()).collect();
    assert_eq!(grants.len(), person.grants.len());
    for grant in &person.grants {
        let is_it = |d: &Value| d["roleId"] == *grant.role && d["divisionId"] == *grant.division;
        assert!(grants.iter().any(is_it), "{grant:?}");
    }
    let stations: Vec<_> = of("strip.stations").iter().map(|(.., d)| d["stationId"].clone()).collect();
    let held = [&person.associated_station, &person.default_station];
    assert_eq!(stations, held.map(|id| json!(id.as_ref().unwrap())));
}

#[tokio::test]
async fn everything_is_in_the_snapshot_before_the_first_change() {
    for (order, first) in [(Order::StripFirst, "deleteRoutingQueueMember"), (Order::AccessFirst, "patchUser")]
    {
        let world = World::new().await;
        let user = world
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E1"));
        let before = world.simulator.person(&user).unwrap();
        let fault = world.simulator.inject(Fault::before(Matcher::changing(), Action::Hang));
        let id = world.terminate("jane.doe@example.com").await;
        let engine = impatient_engine(&world, Settings { order, ..World::settings() });
        step(&world, &engine).await;
        assert_eq!(world.simulator.struck(fault), 1);
        assert_eq!(world.simulator.changing()[0].request.operation, Some(first));
        assert_eq!(world.simulator.person(&user).unwrap(), before);
        assert_complete(&snapshot(&world, id).await, &before);
        assert_eq!(to_the_end(&world, &engine, id).await.outcome, Some(Outcome::Offboarded));
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn with_access_first_account_and_tokens_go_before_everything_else() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    assert_offboarded(&world, &user, Settings { order: Order::AccessFirst, ..World::settings() }).await;
    let changes = changes_of(&world, &user);
    assert_eq!(changes[..3], ["patchUser", "deleteToken", "deleteRoutingQueueMember"]);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
