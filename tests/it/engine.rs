//! The engine against the simulator, stepped: what is removed, in which order, and what is never touched.

use leaver::offboarding::{Outcome, Status};
use leaver_simulator::{AccountState, presets};

use crate::support::World;

#[tokio::test]
async fn a_leaver_loses_everything_and_nobody_else_loses_anything() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Tom Berg", "tom.berg@example.com", "E1");
        presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E2")
    });
    let before = world.simulator.everybody();
    let id = world.terminate("Jane.Doe@example.com").await;
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)));
    let mut after = world.simulator.everybody();
    let left = after.remove(&jane).unwrap();
    assert_eq!(left.state, AccountState::Inactive);
    assert!(left.queues.is_empty() && left.skills.is_empty() && left.languages.is_empty());
    assert!(left.grants.is_empty() && left.utilization.is_none() && left.tokens == 0);
    assert!(left.associated_station.is_none() && left.default_station.is_none());
    let mut bystanders = before;
    bystanders.remove(&jane);
    assert_eq!(after, bystanders);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
