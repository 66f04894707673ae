//! The engine against the simulator, stepped: what is removed, in which order, and what is never touched.

use leaver::offboarding::{Outcome, Status};
use leaver_simulator::{AccountState, presets};

use crate::stepped::changes_of;
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

#[tokio::test]
async fn queues_go_first_and_the_account_and_its_tokens_last() {
    let world = World::new().await;
    let jane = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E2"));
    let id = world.terminate("jane.doe@example.com").await;
    world.work_to_the_end(&world.engine(), id).await;
    let mut order = changes_of(&world, &jane);
    order.dedup();
    let wanted = [
        "deleteRoutingQueueMember",
        "putUserRoutingskillsBulk",
        "deleteUserRoutinglanguage",
        "deleteRoutingUserUtilization",
        "deleteUserStationAssociatedstation",
        "deleteUserStationDefaultstation",
        "postAuthorizationSubjectBulkremove",
        "patchUser",
        "deleteToken",
    ];
    assert_eq!(order, wanted);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn each_call_is_written_down_before_and_after_with_the_id_that_genesys_saw() {
    let world = World::new().await;
    let jane = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E2"));
    let id = world.terminate("jane.doe@example.com").await;
    let journal = world.work_to_the_end(&world.engine(), id).await.journal.unwrap();
    for entry in world.simulator.changing() {
        let request_id = entry.request.request_id.clone().unwrap();
        let of_call: Vec<_> = journal
            .iter()
            .filter(|noted| noted.request_id.is_some_and(|id| id.to_string() == request_id))
            .collect();
        let actions: Vec<_> = of_call.iter().map(|noted| noted.action.as_str()).collect();
        assert_eq!(actions, ["call_intended", "call_finished"], "{}", entry.request.path);
        assert_eq!(of_call[1].correlation_id.as_deref(), Some(entry.correlation_id.as_str()));
        assert!(entry.request.path.contains(&jane));
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}
