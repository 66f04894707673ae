//! Every way in which an offboarding is held, fails or ends tells of it: whatever the journal says, the outbox says too.

use leaver::offboarding::Status;
use leaver::offboarding::choices::Protected;
use leaver::store::decisions::Decision;
use leaver::store::progress::BrakeLimits;
use leaver_simulator::presets;
use reqwest::Method;
use serde_json::json;

use super::receiver::Receiver;
use super::*;
use crate::stepped::decide;
use crate::support::{BOB, termination};

/// What was told of an offboarding, in order, as event and result.
async fn told_of(world: &World, id: OffboardingId) -> Vec<String> {
    let all = outbox(world).await.into_iter().filter(|view| view.offboarding == id.0);
    all.map(|view| {
        format!("{} {}", view.event.trim_start_matches("offboarding."), view.told.unwrap_or_default())
    })
    .collect()
}

#[tokio::test]
async fn the_engine_the_brake_and_decisions_tell() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    for name in ["jane", "john"] {
        let email = format!("{name}@example.com");
        world.simulator.organisation(|org| presets::fully_assigned_agent(org, name, &email, name));
    }
    let mut settings = World::settings();
    settings.brake = BrakeLimits { per_hour: 1, per_day: 1 };
    let engine = world.engine_with(settings);
    let jane = world.terminate("jane@example.com").await;
    world.work_to_the_end(&engine, jane).await;
    assert_eq!(told_of(&world, jane).await, ["done offboarded"]);
    let john = world.terminate("john@example.com").await;
    world.work_to_the_end(&engine, john).await;
    assert_eq!(told_of(&world, john).await, ["held brake"]);
    decide(&world, john, Decision::Approve).await;
    world.work_to_the_end(&engine, john).await;
    assert_eq!(told_of(&world, john).await, ["held brake", "done offboarded"]);
    decide(&world, john, Decision::Restore).await;
    let restored = world.work_to_the_end(&engine, john).await;
    assert_eq!(restored.status, Status::Done);
    assert_eq!(told_of(&world, john).await, ["held brake", "done offboarded", "done restored"]);
}

#[tokio::test]
async fn an_approval_that_expires_tells_again() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    let mut settings = World::settings();
    settings.brake = BrakeLimits { per_hour: 0, per_day: 0 };
    let engine = world.engine_with(settings);
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, "jane", CANARY, "Jane"));
    let id = world.terminate(CANARY).await;
    world.work_to_the_end(&engine, id).await;
    decide(&world, id, Decision::Approve).await;
    world.sql("update approvals set expires_at = now() - interval '1 second'").await;
    world.work_to_the_end(&engine, id).await;
    assert_eq!(told_of(&world, id).await, ["held brake", "held brake"]);
}

#[tokio::test]
async fn webhooks_and_cancellations_tell_what_they_should() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let more = target("hris", &receiver);
    announced(&world, &more).await;
    let service = world.serve(&more, &["serve", "--no-worker"]);
    let mut old = termination("e1", "W1", "old@example.com");
    old["terminationDate"] = json!("2020-01-31");
    let (_, answer) = service.deliver(&old).await;
    let id = OffboardingId(answer["offboardings"][0]["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(told_of(&world, id).await, ["held stale_event"]);
    // The same delivery again changes nothing, and tells nothing.
    service.deliver(&old).await;
    assert_eq!(told_of(&world, id).await.len(), 1);
    let cancel = format!("/api/v1/offboardings/{id}/cancel");
    assert_eq!(service.api(Method::POST, &cancel, BOB).await.0, 200);
    assert_eq!(told_of(&world, id).await, ["held stale_event"]);
    let (_, answer) = service.deliver(&termination("e2", "W2", "new@example.com")).await;
    let id = OffboardingId(answer["offboardings"][0]["id"].as_str().unwrap().parse().unwrap());
    assert!(told_of(&world, id).await.is_empty(), "a scheduled one tells nobody");
}

/// The journal is written by each path itself, the outbox by the database: they have to agree.
#[tokio::test]
async fn the_outbox_says_what_the_journal_says() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    announced(&world, &target("hris", &receiver)).await;
    let mut settings = World::settings();
    settings.protected = vec![Protected::Email("boss@example.com".to_owned())];
    let engine = world.engine_with(settings);
    for name in ["boss", "jane"] {
        let email = format!("{name}@example.com");
        world.simulator.organisation(|org| presets::fully_assigned_agent(org, name, &email, name));
    }
    for email in ["boss@example.com", "jane@example.com", "nobody@example.com"] {
        let id = world.terminate(email).await;
        for _ in 0..12 {
            world.make_due().await;
            world.sql("update offboardings set not_found_at = not_found_at - interval '1 hour'").await;
            engine.step().await.unwrap();
        }
        let view = world.view(id).await;
        assert_ne!(view.status, Status::Scheduled, "{email}");
        let journal = view.journal.unwrap().into_iter();
        let said = journal.filter(|entry| ["done", "held", "failed"].contains(&entry.action.as_str()));
        let told = told_of(&world, id).await;
        assert_eq!(told.len(), said.count(), "{email}: {told:?}");
    }
}
