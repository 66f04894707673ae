//! Others are told what became of an offboarding: at least once, signed, and without holding anything up.

mod operators;
mod paths;
mod receiver;
mod trouble;

use leaver::config::Config;
use leaver::notify::Notifier;
use leaver::offboarding::{OffboardingId, PersonRef};
use leaver::serve::Parts;
use leaver::store::callbacks::{CallbackFilter, CallbackView};
use leaver_simulator::presets;
use serde_json::json;

use crate::support::World;
use receiver::Receiver;

/// Keys in both ways of writing.
const OLD_KEY: &str = "whsec_b2xkLWtleS1vZi10aGUtcmVjZWl2ZXItMDEyMzQ1Njc4OQ==";
const NEW_KEY: &str = "new-key-of-the-receiver-0123456789";

const CANARY: &str = "canary.person@example.com";

/// A target that wants the usual body.
fn target(name: &str, receiver: &Receiver) -> String {
    format!(
        "[[callbacks]]\nname = \"{name}\"\nurl = \"{}/{name}\"\nsecrets = [\"{NEW_KEY}\", \"{OLD_KEY}\"]\n",
        receiver.url
    )
}

/// What a worker with this configuration would send with.
fn notifier(world: &World, more: &str) -> Notifier {
    let config = Config::load(&world.config(more)).expect("a configuration");
    Parts::new(&config).expect("its parts").notifier(&config).expect("a notifier")
}

/// Lets all workers be gone for some minutes that had the targets in their configuration.
async fn nobody_has_said_so_lately(world: &World) {
    world.sql("update callback_targets set announced_at = announced_at - interval '10 minutes'").await;
}

async fn announced(world: &World, more: &str) -> Notifier {
    let notifier = notifier(world, more);
    notifier.announce().await.expect("stored targets");
    notifier
}

/// Sends until nothing is due, and returns how often it sent.
async fn drain(notifier: &Notifier) -> usize {
    let mut sent = 0;
    while notifier.step().await.expect("a step") {
        sent += 1;
        assert!(sent < 1_000, "it does not end");
    }
    sent
}

/// Makes everything due, whatever the pauses say.
async fn make_due(world: &World) {
    world.sql("update callbacks set next_attempt_at = now() where status = 'waiting'").await;
    world.sql("update callback_targets set paused_until = null").await;
}

async fn outbox(world: &World) -> Vec<CallbackView> {
    let mut all = world.store.callbacks(&CallbackFilter { limit: 200, ..Default::default() }).await.unwrap();
    all.reverse();
    all
}

/// An offboarding that nobody works on: what is tried here is what is told of its row.
async fn held(world: &World, reason: &str) -> OffboardingId {
    let person = PersonRef { email: Some(CANARY.to_owned()), external_id: Some("W-17".to_owned()) };
    let id = world.terminate_as(person, None).await;
    hold(world, id, reason).await;
    id
}

async fn hold(world: &World, id: OffboardingId, reason: &str) {
    change(world, id, &format!("status = 'held', reason = '{reason}'")).await;
}

async fn change(world: &World, id: OffboardingId, what: &str) {
    run(world, format!("update offboardings set {what} where id = '{id}'")).await;
}

async fn run(world: &World, statements: String) {
    use sqlx::{Connection, Executor};
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.expect("a connection");
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statements))).await.expect("statements that work");
}

#[tokio::test]
async fn an_end_is_told_once_and_either_key_proves_it() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let more = format!(
        "{}person = \"full\"\n[console]\nurl = \"https://leaver.example.com\"\n",
        target("hris", &receiver)
    );
    let notifier = announced(&world, &more).await;
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, "jane", CANARY, "Jane"));
    let id = world.terminate(CANARY).await;
    world.work_to_the_end(&world.engine(), id).await;
    assert_eq!(drain(&notifier).await, 1);
    assert_eq!(drain(&notifier).await, 0);
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let got = &got[0];
    assert!(got.is_proven_with(OLD_KEY) && got.is_proven_with(NEW_KEY));
    assert!(!got.is_proven_with("another-key-0123456789"));
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/hris"));
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("user-agent"), concat!("leaver/", env!("CARGO_PKG_VERSION")));
    assert_eq!(got.header("webhook-id"), outbox(&world).await[0].id.to_string());
    let (body, view) = (got.json(), world.view(id).await);
    assert_eq!(body["type"], "offboarding.done");
    let data = &body["data"];
    assert_eq!(data["id"], json!(id));
    assert_eq!((&data["status"], &data["outcome"]), (&json!("done"), &json!("offboarded")));
    assert_eq!(data["event_ids"], json!(view.event_ids));
    assert_eq!(data["person"]["email"], CANARY);
    assert_eq!(data["person"]["genesys_user_id"], json!(view.person.genesys_user_id));
    assert_eq!(data["evidence"], format!("https://leaver.example.com/offboardings/{id}"));
    let at = data["completed_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(Some(at), view.completed_at);
    let told: Vec<_> = view.journal.unwrap().into_iter().filter(|entry| entry.action == "told").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].target.as_deref(), told[0].result.as_deref()),
        (Some("hris"), Some("offboarding.done"))
    );
}

#[tokio::test]
async fn a_new_reason_is_told_and_the_same_fact_is_not() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let notifier = announced(&world, &target("chat", &receiver)).await;
    let id = held(&world, "brake").await;
    change(&world, id, "updated_at = now(), effective_at = now(), email = 'other@example.com'").await;
    hold(&world, id, "brake").await;
    hold(&world, id, "protected").await;
    change(&world, id, "status = 'scheduled', reason = null").await;
    hold(&world, id, "protected").await;
    change(&world, id, "status = 'failed', reason = 'attempts_exhausted'").await;
    change(&world, id, "status = 'cancelled', reason = 'cancelled_by_operator'").await;
    assert_eq!(drain(&notifier).await, 4);
    let told =
        [("held", "brake"), ("held", "protected"), ("held", "protected"), ("failed", "attempts_exhausted")];
    let told = told.map(|(event, reason)| (format!("offboarding.{event}"), reason.to_owned()));
    assert_eq!(receiver.told(), told);
    let sequences: Vec<_> =
        receiver.got().iter().map(|got| got.json()["data"]["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.is_sorted() && sequences.windows(2).all(|two| two[0] < two[1]), "{sequences:?}");
    let stamps: Vec<_> = receiver.got().iter().map(|got| got.json()["timestamp"].to_string()).collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    // A person is told by ids alone where nobody asks for more.
    assert!(receiver.got().iter().all(|got| !got.body.contains("@example.com") && got.body.contains("W-17")));
}

#[tokio::test]
async fn of_one_transaction_the_end_is_told_and_of_one_that_failed_nothing() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let notifier = announced(&world, &target("chat", &receiver)).await;
    let id = held(&world, "brake").await;
    drain(&notifier).await;
    let several = |last: &str| {
        format!(
            "begin;
             update offboardings set status = 'scheduled', reason = null where id = '{id}';
             update offboardings set status = 'held', reason = 'unreadable' where id = '{id}';
             update offboardings set status = 'held', reason = 'protected' where id = '{id}';
             {last};"
        )
    };
    run(&world, several("rollback")).await;
    assert_eq!(drain(&notifier).await, 0);
    run(&world, several("commit")).await;
    assert_eq!(drain(&notifier).await, 1);
    assert_eq!(receiver.told().last().unwrap().1, "protected");
    let released = format!(
        "begin;
         update offboardings set status = 'held', reason = 'busy' where id = '{id}';
         update offboardings set status = 'scheduled', reason = null where id = '{id}';
         commit;"
    );
    run(&world, released).await;
    assert_eq!(drain(&notifier).await, 0);
}

#[tokio::test]
async fn each_target_is_told_what_it_wants_to_know() {
    let (world, hris, chat) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let more = format!(
        "{}events = [\"offboarding.done\"]\n{}events = [\"offboarding.held\", \"offboarding.failed\"]\n",
        target("hris", &hris),
        target("chat", &chat)
    );
    let notifier = announced(&world, &more).await;
    let id = held(&world, "brake").await;
    change(&world, id, "status = 'failed', reason = 'permission_missing'").await;
    change(&world, id, "status = 'done', reason = null, outcome = 'already_inactive'").await;
    assert_eq!(drain(&notifier).await, 3);
    assert_eq!(hris.told(), [("offboarding.done".to_owned(), "already_inactive".to_owned())]);
    let told: Vec<_> = chat.told().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(told, ["brake", "permission_missing"]);
}

#[tokio::test]
async fn a_new_target_hears_nothing_of_before_and_one_that_is_gone_nothing_more() {
    let (world, first, second) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let id = held(&world, "unreadable").await;
    assert_eq!(outbox(&world).await.len(), 0, "nobody is configured");
    let alone = announced(&world, &target("first", &first)).await;
    hold(&world, id, "brake").await;
    let both = announced(&world, &(target("first", &first) + &target("second", &second))).await;
    hold(&world, id, "busy").await;
    drain(&both).await;
    assert_eq!((first.got().len(), second.got().len()), (2, 1));
    // A worker that still has the old configuration sends what it knows of, and nothing else.
    hold(&world, id, "protected").await;
    drain(&alone).await;
    assert_eq!((first.got().len(), second.got().len()), (3, 1));
    nobody_has_said_so_lately(&world).await;
    let gone = announced(&world, &target("second", &second)).await;
    hold(&world, id, "rehired").await;
    drain(&gone).await;
    assert_eq!((first.got().len(), second.got().len()), (3, 3));
    assert_eq!(drain(&alone).await, 0, "what was taken out is sent nothing, whoever tries");
    hold(&world, id, "report_found").await;
    nobody_has_said_so_lately(&world).await;
    announced(&world, &target("first", &first)).await;
    world.store.sweep_callbacks(std::time::Duration::from_secs(3600)).await.unwrap();
    let last = outbox(&world).await.pop().unwrap();
    assert_eq!((last.target.as_str(), last.status.as_str()), ("second", "gave_up"));
    assert_eq!(last.last_result.as_deref(), Some("its target is not configured any more"));
}

#[tokio::test]
async fn what_waits_for_a_target_that_is_gone_is_not_sent_and_nothing_more_is_written_for_it() {
    let (world, gone, other) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let before = announced(&world, &target("gone", &gone)).await;
    let id = held(&world, "brake").await;
    nobody_has_said_so_lately(&world).await;
    announced(&world, &target("other", &other)).await;
    hold(&world, id, "busy").await;
    assert_eq!((drain(&before).await, gone.got().len()), (0, 0));
    let written: Vec<_> =
        outbox(&world).await.into_iter().filter_map(|view| Some((view.target, view.told?))).collect();
    assert_eq!(
        written,
        [("gone", "brake"), ("other", "busy")].map(|(to, why)| (to.to_owned(), why.to_owned()))
    );
}

#[tokio::test]
async fn a_worker_with_another_configuration_takes_nobodys_target_away() {
    let (world, first, second) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let one = announced(&world, &target("first", &first)).await;
    let other = announced(&world, &target("second", &second)).await;
    held(&world, "brake").await;
    drain(&one).await;
    drain(&other).await;
    assert_eq!((first.got().len(), second.got().len()), (1, 1));
}

#[tokio::test]
async fn a_target_is_told_of_the_person_what_it_is_to_know() {
    let world = World::new().await;
    let shares = [("none", false, false), ("ids", true, false), ("full", true, true)];
    let mut receivers = Vec::new();
    let mut more = String::new();
    for (share, ..) in shares {
        let receiver = Receiver::start().await;
        more += &format!("{}person = \"{share}\"\n", target(share, &receiver));
        receivers.push(receiver);
    }
    let notifier = announced(&world, &more).await;
    held(&world, "brake").await;
    assert_eq!(drain(&notifier).await, shares.len());
    for ((share, id, email), receiver) in shares.into_iter().zip(&receivers) {
        let got = receiver.got().remove(0);
        assert_eq!(got.json()["data"].get("person").is_some(), id, "{share}: {}", got.body);
        assert_eq!((got.body.contains("W-17"), got.body.contains(CANARY)), (id, email), "{share}");
    }
}
