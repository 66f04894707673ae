//! The dry run of the whole service: everything is accepted, decided and looked at, and nobody is changed. Two guards see to
//! that, and each of them is tried alone.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use leaver::offboarding::choices::{Mode, Order, Protected};
use leaver::offboarding::policy::Intake;
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::store::progress::BrakeLimits;
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::{AccountState, Media, RoutingStatus, presets};
use reqwest::Method;
use serde_json::Value;

use crate::commands::run;
use crate::console::Visitor;
use crate::corrections::tell;
use crate::edge::{Answer, eventually, ready};
use crate::stepped::{by_email, decide, ended, slim_agent, step};
use crate::support::{ALICE, BOB, World, termination};

const LAYOFF: usize = 20;
const DRY: &str = "[policy]\nmode = \"dry_run\"\nnot_found_recheck = \"100ms\"";

type End = (Status, Option<Reason>);

const PREVIEWED: End = (Status::Held, Some(Reason::DryRun));

fn settings(mode: Mode) -> Settings {
    let by_type = [("conduct".to_owned(), Order::AccessFirst)];
    Settings {
        mode,
        order_by_type: by_type.into(),
        protected: vec![Protected::Email("boss@example.com".to_owned())],
        not_found_recheck: Duration::ZERO,
        ..World::settings()
    }
}

/// The engine does not go past looking, although its client could change something.
fn only_the_engine_holds_back(world: &World) -> Engine {
    Engine::new(world.store.clone(), world.genesys(1_000_000), settings(Mode::DryRun))
}

/// The client changes nothing, although the engine wants to.
fn only_the_client_holds_back(world: &World) -> Engine {
    Engine::new(world.store.clone(), world.genesys(1_000_000).reading_only(), settings(Mode::Live))
}

/// Somebody of each kind, with what a dry run makes of them.
async fn everybody_leaves(world: &World) -> Vec<(&'static str, OffboardingId, End)> {
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Full", "full@example.com", "E1");
        presets::agent_with_inherited(org, "Heir", "heir@example.com", "E2");
        presets::everything_agent(org, "Every", "every@example.com", "E3");
        presets::bare_person(org, "Bare", "bare@example.com", "E4");
        for email in ["busy", "boss", "conduct", "twin", "twin", "inactive", "future", "rescinded"] {
            let agent = slim_agent(org, &format!("{email}@example.com"));
            org.edit(&agent, |person| match email {
                "busy" => {
                    person.routing_status = RoutingStatus::Interacting;
                    person.conversations.insert(Media::Call, 1);
                }
                "inactive" => person.state = AccountState::Inactive,
                _ => {}
            });
        }
    });
    let held = |reason| (Status::Held, Some(reason));
    let mut people = Vec::new();
    for (who, end) in [
        ("full", PREVIEWED),
        ("heir", held(Reason::InheritedAccess)),
        ("every", held(Reason::InheritedAccess)),
        ("bare", PREVIEWED),
        ("busy", (Status::Scheduled, None)),
        ("boss", held(Reason::Protected)),
        ("twin", held(Reason::AmbiguousPerson)),
        ("inactive", PREVIEWED),
        ("unknown", (Status::Done, None)),
    ] {
        people.push((who, world.terminate(&format!("{who}@example.com")).await, end));
    }
    let conduct = world.terminate_as(by_email("conduct@example.com"), Some("conduct")).await;
    people.push(("conduct", conduct, PREVIEWED));
    let of = async |who: &str, intake| {
        tell(world, "workday", Some(&format!("{who}@example.com")), None, intake).await.unwrap()
    };
    let future = Intake::Schedule(Utc::now() + TimeDelta::days(5));
    people.push(("future", of("future", future.clone()).await, (Status::Scheduled, None)));
    people.push((
        "thin",
        of("thin", Intake::Hold(Reason::LookupRequired, Utc::now())).await,
        held(Reason::LookupRequired),
    ));
    of("rescinded", future).await;
    let rescinded = of("rescinded", Intake::Rescind(None)).await;
    people.push(("rescinded", rescinded, (Status::Cancelled, Some(Reason::Rescinded))));
    for number in 0..LAYOFF {
        let email = format!("laid-off-{number:02}@example.com");
        world.simulator.organisation(|org| slim_agent(org, &email));
        people.push(("laid off", world.terminate(&email).await, PREVIEWED));
    }
    people
}

fn noted<'a>(view: &'a View, action: &str) -> Vec<&'a leaver::offboarding::JournalEntry> {
    view.journal.iter().flatten().filter(|entry| entry.action == action).collect()
}

fn assert_nothing_was_asked_to_change(world: &World) {
    assert_eq!(world.simulator.changing().len(), 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

/// Works until nothing is due; twice, because whom nobody knows is looked for twice.
async fn work(world: &World, engine: &Engine) {
    for _ in 0..2 {
        world.make_due().await;
        while engine.step().await.unwrap() > 0 {}
    }
}

#[tokio::test]
async fn an_engine_that_runs_dry_changes_nobody_whoever_leaves() {
    let world = World::new().await;
    let people = everybody_leaves(&world).await;
    let before = world.simulator.everybody();
    work(&world, &only_the_engine_holds_back(&world)).await;
    assert_nothing_was_asked_to_change(&world);
    assert_eq!(world.simulator.everybody(), before);
    for (who, id, end) in &people {
        let view = world.view(*id).await;
        assert_eq!(ended(&view), *end, "{who}: {:#?}", view.journal);
        let looked_at = matches!(end.1, Some(Reason::DryRun | Reason::InheritedAccess));
        assert_eq!(!noted(&view, "would_remove").is_empty(), looked_at, "{who}");
        assert_eq!(noted(&view, "would_brake").len(), usize::from(looked_at), "{who}");
        assert_eq!(view.outcome.is_some(), *who == "unknown");
    }
    // Nothing that a restore, the brake or an auditor could take for something that was done.
    assert_eq!(world.number("select count(*) from assignments").await, 0);
    assert_eq!(world.number("select count(*) from changed_people").await, 0);
    let done =
        "select count(*) from journal where action in ('call_intended', 'snapshot_stored', 'verified_empty')";
    assert_eq!(world.number(done).await, 0);
    assert_eq!(world.number("select count(*) from steps where status <> 'skipped'").await, 0);
}

#[tokio::test]
async fn a_client_that_only_reads_changes_nobody_whatever_the_engine_wants() {
    let world = World::new().await;
    let people = everybody_leaves(&world).await;
    let before = world.simulator.everybody();
    work(&world, &only_the_client_holds_back(&world)).await;
    assert_nothing_was_asked_to_change(&world);
    assert_eq!(world.simulator.everybody(), before);
    for (who, id, end) in &people {
        let view = world.view(*id).await;
        let looked_at = matches!(end.1, Some(Reason::DryRun | Reason::InheritedAccess));
        let end = if looked_at { PREVIEWED } else { *end };
        assert_eq!(ended(&view), end, "{who}: {:#?}", view.journal);
    }
    assert_eq!(world.number("select count(*) from journal where action = 'call_intended'").await, 0);
}

#[tokio::test]
async fn a_dry_run_names_everything_that_would_go() {
    let world = World::new().await;
    let user = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
    let id = world.terminate("jane@example.com").await;
    step(&world, &only_the_engine_holds_back(&world)).await;
    let view = world.view(id).await;
    let person = world.simulator.person(&user).unwrap();
    let counts: Vec<_> = noted(&view, "would_remove")
        .iter()
        .map(|entry| {
            let targets = entry.target.as_deref().unwrap().split(", ").count();
            assert_eq!(entry.result, Some(format!("{targets} would be removed")));
            (entry.step.as_deref().unwrap(), targets)
        })
        .collect();
    let expected = [
        ("strip.queue_memberships", person.queues.len()),
        ("strip.routing_skills", 3),
        ("strip.routing_languages", 2),
        ("strip.utilization", 1),
        ("strip.stations", 2),
        ("strip.role_grants", person.grants.len()),
        ("deactivate.account_state", 1),
        ("deactivate.tokens", 1),
    ];
    assert_eq!(counts, expected);
    for queue in person.queues.keys() {
        assert!(noted(&view, "would_remove")[0].target.as_deref().unwrap().contains(queue));
    }
}

#[tokio::test]
async fn the_brake_is_said_and_not_used_up() {
    let world = World::new().await;
    let settings = Settings {
        brake: BrakeLimits { per_hour: 3, per_day: 100 },
        concurrency: 1,
        ..settings(Mode::DryRun)
    };
    let mut ids = Vec::new();
    for number in 0..5 {
        let email = format!("agent{number}@example.com");
        world.simulator.organisation(|org| slim_agent(org, &email));
        ids.push(world.terminate(&email).await);
    }
    work(&world, &world.engine_with(settings)).await;
    let mut answers = Vec::new();
    for id in ids {
        let view = world.view(id).await;
        assert_eq!(ended(&view), PREVIEWED);
        answers.push(noted(&view, "would_brake")[0].result.clone().unwrap());
    }
    answers.sort();
    assert_eq!(answers[0], "would be held: brake; 3 of 3 others within the hour, 3 of 100 within the day");
    assert_eq!(answers[1], "would be held: brake; 4 of 3 others within the hour, 4 of 100 within the day");
    assert!(answers[2..].iter().all(|answer| answer.starts_with("would go ahead;")), "{answers:?}");
}

#[tokio::test]
async fn going_live_starts_nothing_and_a_retry_goes_ahead() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let before = world.simulator.everybody();
    let id = world.terminate("jane@example.com").await;
    let (dry, live) = (only_the_engine_holds_back(&world), world.engine_with(settings(Mode::Live)));
    work(&world, &dry).await;
    decide(&world, id, Decision::Retry).await;
    work(&world, &dry).await;
    let view = world.view(id).await;
    assert_eq!((ended(&view), noted(&view, "would_brake").len()), (PREVIEWED, 2));
    assert_eq!(noted(&view, "reported").len(), 2, "reports are read at each look");
    work(&world, &live).await;
    assert_eq!((ended(&world.view(id).await), world.simulator.everybody()), (PREVIEWED, before));
    assert_nothing_was_asked_to_change(&world);
    decide(&world, id, Decision::Retry).await;
    let view = crate::stepped::to_the_end(&world, &live, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert_eq!(noted(&view, "reported").len(), 3, "and once more before the first change");
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
}

#[tokio::test]
async fn a_corrected_date_moves_what_a_dry_run_has_held() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let id = world.terminate("jane@example.com").await;
    work(&world, &only_the_engine_holds_back(&world)).await;
    assert_eq!(ended(&world.view(id).await), PREVIEWED);
    let later = Intake::Schedule(Utc::now() + TimeDelta::days(5));
    assert_eq!(tell(&world, "workday", Some("jane@example.com"), None, later).await, Some(id));
    work(&world, &world.engine_with(settings(Mode::Live))).await;
    assert_eq!(ended(&world.view(id).await), (Status::Scheduled, None));
    assert_nothing_was_asked_to_change(&world);
}

#[tokio::test]
async fn a_restore_from_before_the_dry_run_fails_until_it_is_retried_live() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let id = world.terminate("jane@example.com").await;
    let live = world.engine_with(settings(Mode::Live));
    crate::stepped::to_the_end(&world, &live, id).await;
    decide(&world, id, Decision::Restore).await;
    for dry in [only_the_engine_holds_back(&world), only_the_client_holds_back(&world)] {
        world.forget_lag().await;
        let changes = world.simulator.changing().len();
        work(&world, &dry).await;
        assert_eq!(ended(&world.view(id).await), (Status::Failed, Some(Reason::DryRun)));
        assert_eq!(world.simulator.changing().len(), changes);
        decide(&world, id, Decision::Retry).await;
    }
    let view = crate::stepped::to_the_end(&world, &live, id).await;
    assert_eq!(view.outcome, Some(Outcome::Restored), "{:#?}", view.journal);
}

#[tokio::test]
async fn a_service_that_runs_dry_says_so_everywhere() {
    let world = World::new().await;
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "W1"));
    let before = world.simulator.everybody();
    let service = world.serve(DRY, &["serve"]);
    ready(&service).await;
    let (status, receipt) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    assert_eq!((status, &receipt["mode"]), (202, &Value::from("dry_run")), "{receipt}");
    let id = receipt["offboardings"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/offboardings/{id}");
    let view = eventually("it is looked at", Duration::from_secs(10), async || {
        let (_, view) = service.api(Method::GET, &path, ALICE).await;
        (view["status"] == "held").then_some(view)
    })
    .await;
    assert_eq!((&view["reason"], &view["mode"]), (&Value::from("dry_run"), &Value::from("dry_run")));
    let (_, redelivered) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    assert_eq!((&redelivered["status"], &redelivered["mode"]), (&Value::from("duplicate"), &view["mode"]));
    for get in ["/api/v1/offboardings", "/api/v1/plan?person=jane@example.com"] {
        let (status, body) = service.api(Method::GET, get, ALICE).await;
        assert_eq!((status, &body["mode"]), (200, &view["mode"]), "{get}: {body}");
    }
    for (decision, token) in [("restore", ALICE), ("restore", BOB)] {
        let (status, problem) = service.api(Method::POST, &format!("{path}/{decision}"), token).await;
        assert_eq!((status, &problem["type"]), (409, &Value::from("urn:leaver:problem:runs-dry")));
    }
    let form = Visitor::sign_in(&service, BOB).await.post(&format!("/offboardings/{id}/restore"), &[]).await;
    assert!(form.status == 409 && form.text().contains("runs dry"), "{}", form.text());
    let (status, retried) = service.api(Method::POST, &format!("{path}/retry"), ALICE).await;
    assert_eq!((status, &retried["mode"]), (200, &view["mode"]));
    let probe = Answer::get(format!("{}/readyz", service.public)).await;
    assert_eq!(
        (probe.status, probe.body),
        (200, b"ready (dry run: nothing is changed in Genesys Cloud)\n".to_vec())
    );
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("\nleaver_dry_run 1\n"));
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(log.contains("policy.mode is dry_run"), "{log}");
    assert_nothing_was_asked_to_change(&world);
    assert_eq!(world.simulator.everybody(), before);
}

#[tokio::test]
async fn commands_say_first_that_the_service_runs_dry_and_put_nothing_back() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let id = world.terminate("jane@example.com").await.to_string();
    let (dry, live) = (world.config(DRY), world.config(""));
    for arguments in [&["list"][..], &["show", &id], &["plan", "jane@example.com"], &["check"]] {
        let said = run(&dry, arguments).await;
        assert!(said.out.starts_with("DRY RUN (policy.mode)"), "{arguments:?}: {said:?}");
        assert!(!run(&live, arguments).await.out.contains("DRY RUN"), "{arguments:?}");
    }
    for arguments in
        [&["list", "--json"][..], &["show", &id, "--json"], &["plan", "jane@example.com", "--json"]]
    {
        assert_eq!(run(&dry, arguments).await.json()["mode"], "dry_run", "{arguments:?}");
        assert_eq!(run(&live, arguments).await.json()["mode"], Value::Null, "{arguments:?}");
    }
    run(&dry, &["restore", &id]).await.failed(1, &["runs dry"]);
    assert_nothing_was_asked_to_change(&world);
}

#[tokio::test]
async fn a_live_service_speaks_of_no_mode() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let (_, receipt) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    let (_, page) = service.api(Method::GET, "/api/v1/offboardings", ALICE).await;
    assert!(
        receipt.get("mode").is_none() && page.get("mode").is_none() && page["items"][0]["id"].is_string()
    );
    assert_eq!(Answer::get(format!("{}/readyz", service.public)).await.body, b"ready\n");
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("\nleaver_dry_run 0\n"));
}
