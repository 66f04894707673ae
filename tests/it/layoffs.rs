//! Planned layoffs: a list, a window and a count, approved by somebody else, pass the brake and nothing but the brake.

use leaver::offboarding::choices::Protected;
use leaver::offboarding::{Actor, OffboardingId, Outcome, Reason, Status, Zone};
use leaver::operate::{self, ExternalIds, LayoffPlan, OwnRules};
use leaver::store::layoffs::{Layoff, LayoffDecided, LayoffDecision, LayoffFilter};
use leaver::store::progress::BrakeLimits;
use leaver::worker::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::approvals::post;
use crate::brake::tiny_agent;
use crate::commands::run;
use crate::stepped::{ended, step};
use crate::support::{ALICE, BOB, World, termination};

fn rules() -> OwnRules {
    let effective_at = leaver::offboarding::choices::EffectiveAt::EndOfDay;
    OwnRules { zone: Zone::utc(), effective_at, external_ids: ExternalIds::Unknown }
}

fn alice() -> Actor {
    Actor::Operator("alice".to_owned())
}

fn bob() -> Actor {
    Actor::Operator("bob".to_owned())
}

fn window() -> (String, String) {
    let hour = chrono::TimeDelta::hours(1);
    let now = chrono::Utc::now();
    ((now - hour).to_rfc3339(), (now + hour).to_rfc3339())
}

async fn planned(world: &World, people: &[&str], count: Option<u32>) -> Layoff {
    let (from, until) = window();
    let people = people.iter().map(|person| (*person).to_owned()).collect();
    let plan = LayoffPlan { reason: "site closes".to_owned(), from, until, people, count };
    operate::plan_layoff(&world.store, &rules(), &plan, &alice()).await.unwrap()
}

async fn approved(world: &World, people: &[&str], count: Option<u32>) -> Layoff {
    let layoff = planned(world, people, count).await;
    let digest = operate::read_digest(&layoff.digest).unwrap();
    let decision = LayoffDecision::Approve(digest);
    operate::decide_layoff(&world.store, layoff.id, decision, &bob()).await.unwrap().unwrap()
}

fn braked(per_hour: u32) -> Settings {
    Settings { brake: BrakeLimits { per_hour, per_day: 100 }, ..World::settings() }
}

async fn agents(world: &World, emails: &[String]) -> Vec<OffboardingId> {
    let mut ids = Vec::new();
    for email in emails {
        tiny_agent(world, email);
        ids.push(world.terminate(email).await);
    }
    ids
}

async fn outcomes(world: &World, ids: &[OffboardingId]) -> (usize, usize) {
    let (mut done, mut held) = (0, 0);
    for id in ids {
        let view = world.view(*id).await;
        match view.outcome {
            Some(Outcome::Offboarded) => done += 1,
            _ => {
                assert_eq!(ended(&view), (Status::Held, Some(Reason::Brake)), "{:#?}", view.journal);
                held += 1;
            }
        }
    }
    (done, held)
}

#[tokio::test]
async fn exactly_the_approved_count_of_the_list_passes_a_full_brake_over_two_engines() {
    let world = World::new().await;
    let listed: Vec<_> = (0..6).map(|number| format!("listed{number}@example.com")).collect();
    let others: Vec<_> = (0..3).map(|number| format!("other{number}@example.com")).collect();
    let names: Vec<_> = listed.iter().map(String::as_str).collect();
    let layoff = approved(&world, &names, Some(4)).await;
    let (listed, others) = (agents(&world, &listed).await, agents(&world, &others).await);
    let engines = [world.engine_with(braked(1)), world.engine_with(braked(1))];
    for _ in 0..12 {
        let (one, other) = tokio::join!(engines[0].step(), engines[1].step());
        if one.unwrap() + other.unwrap() == 0 {
            break;
        }
    }
    // One more goes through as anybody would, by the hour's own limit: the layoff used none of it up.
    let ((done, held), (others_done, others_held)) =
        (outcomes(&world, &listed).await, outcomes(&world, &others).await);
    assert_eq!((done + others_done, held + others_held), (5, 4));
    let under = "select count(*) from changed_people where layoff_id is not null";
    assert_eq!(
        (world.number(under).await, world.number("select count(*) from changed_people").await),
        (4, 5)
    );
    let shown = operate::layoffs(&world.store, &LayoffFilter::newest()).await.unwrap().items;
    assert_eq!((shown[0].used, shown[0].count, shown[0].people), (4, 4, 6));
    let mut named = 0;
    for id in &listed {
        let journal = world.view(*id).await.journal.unwrap();
        let entry = journal.iter().find(|entry| entry.action == "under_layoff");
        named += usize::from(entry.is_some_and(|entry| entry.target == Some(layoff.id.to_string())));
    }
    assert_eq!(named, 4);
    assert_eq!(world.store.brake_use().await.unwrap().hour, 1);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_layoff_that_is_not_approved_cancelled_over_or_about_others_lets_nobody_through() {
    let world = World::new().await;
    let jane = "jane@example.com";
    tiny_agent(&world, jane);
    let engine = world.engine_with(braked(0));
    let id = world.terminate(jane).await;
    let held = async |what: &str| {
        world.sql("update offboardings set status = 'scheduled', reason = null").await;
        step(&world, &engine).await;
        assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Brake)), "{what}");
        assert!(world.simulator.changing().is_empty(), "{what}");
    };
    planned(&world, &[jane], None).await;
    held("nobody approved it").await;
    approved(&world, &["john@example.com", "jane@example.co", "hr:W1"], None).await;
    held("somebody else's").await;
    let cancelled = approved(&world, &[jane], None).await;
    operate::decide_layoff(&world.store, cancelled.id, LayoffDecision::Cancel, &alice())
        .await
        .unwrap()
        .unwrap();
    held("cancelled").await;
    approved(&world, &[jane], None).await;
    world.sql("update layoffs set starts_at = now() - interval '2 hours', ends_at = now() - interval '1 second'").await;
    held("over").await;
    world.sql("update layoffs set starts_at = now() + interval '1 minute', ends_at = now() + interval '2 hours'").await;
    held("not begun").await;
    world.sql("update layoffs set count_max = 0, starts_at = now() - interval '1 minute'").await;
    held("used up").await;
    world.sql("update layoffs set count_max = 1").await;
    world.sql("update offboardings set status = 'scheduled', reason = null").await;
    assert_eq!(world.work_to_the_end(&engine, id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn a_list_names_people_by_user_id_and_by_a_sources_id_too() {
    let world = World::new().await;
    let user = tiny_agent(&world, "jane@example.com");
    tiny_agent(&world, "john@example.com");
    tiny_agent(&world, "omar@example.com");
    approved(&world, &[&user, "workday:W2", "other:W3"], None).await;
    let service = world.serve("", &["serve", "--no-worker"]);
    for (event, name) in [("W1", "jane"), ("W2", "john"), ("W3", "omar")] {
        service.deliver(&termination(event, event, &format!("{name}@example.com"))).await;
    }
    let engine = world.engine_with(braked(0));
    for _ in 0..3 {
        step(&world, &engine).await;
    }
    let done =
        "select count(*) from offboardings where outcome = 'offboarded' and external_id in ('W1', 'W2')";
    assert_eq!(world.number(done).await, 2);
    let held = "select count(*) from offboardings where reason = 'brake' and external_id = 'W3'";
    assert_eq!(world.number(held).await, 1);
}

#[tokio::test]
async fn everything_else_holds_as_ever() {
    let world = World::new().await;
    let jane = "jane@example.com";
    tiny_agent(&world, jane);
    approved(&world, &[jane], None).await;
    let id = world.terminate(jane).await;
    let protected = vec![Protected::Email(jane.to_owned())];
    step(&world, &world.engine_with(Settings { protected, ..braked(0) })).await;
    assert_eq!(ended(&world.view(id).await), (Status::Held, Some(Reason::Protected)));
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn whoever_planned_it_another_list_and_a_second_time_are_refused() {
    let world = World::new().await;
    let layoff = planned(&world, &["jane@example.com"], None).await;
    let digest = operate::read_digest(&layoff.digest).unwrap();
    let decide = async |decision: LayoffDecision, by: &Actor| {
        operate::decide_layoff(&world.store, layoff.id, decision, by).await.unwrap().err()
    };
    let (approve, other) = (LayoffDecision::Approve(digest), LayoffDecision::Approve([7; 32]));
    assert_eq!(decide(approve, &alice()).await, Some(LayoffDecided::OwnRequest));
    assert_eq!(decide(approve, &Actor::at_command_line("alice")).await, Some(LayoffDecided::OwnRequest));
    assert_eq!(decide(other, &bob()).await, Some(LayoffDecided::OtherList));
    world
        .sql("update layoffs set starts_at = now() - interval '2 hours', ends_at = now() - interval '1 hour'")
        .await;
    assert_eq!(decide(approve, &bob()).await, Some(LayoffDecided::Over));
    world.sql("update layoffs set ends_at = now() + interval '1 hour'").await;
    assert_eq!(decide(approve, &bob()).await, None);
    assert_eq!(decide(approve, &bob()).await, Some(LayoffDecided::AlreadyApproved));
    assert_eq!(decide(LayoffDecision::Cancel, &alice()).await, None);
    assert_eq!(decide(LayoffDecision::Cancel, &alice()).await, Some(LayoffDecided::AlreadyCancelled));
    assert_eq!(decide(approve, &bob()).await, Some(LayoffDecided::AlreadyCancelled));
}

#[tokio::test]
async fn the_api_plans_lists_approves_and_cancels() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let (from, until) = window();
    let body =
        json!({"reason": "site closes", "from": from, "until": until, "people": ["B@x.y", "a@x.y", "b@x.y"]});
    let planned = post(&service, "/layoffs", ALICE, &body).await;
    assert_eq!(planned.status, 201, "{}", planned.text());
    let planned = planned.json();
    assert_eq!((&planned["people"], &planned["count"], &planned["used"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(planned["requested_by"], "operator:alice");
    let listed = service.api(Method::GET, "/api/v1/layoffs", ALICE).await.1;
    assert_eq!(listed, json!({"items": [planned], "next": null}));
    let path = format!("/layoffs/{}", planned["id"].as_str().unwrap());
    let (approve, cancel) = (format!("{path}/approve"), format!("{path}/cancel"));
    let digest = json!({"digest": planned["digest"]});
    post(&service, &approve, ALICE, &digest).await.is_problem(403, "role-needed");
    post(&service, &approve, BOB, &json!({"digest": "00"})).await.is_problem(400, "bad-field");
    post(&service, &approve, BOB, &json!({"digest": "00".repeat(32)})).await.is_problem(409, "not-possible");
    let unknown = format!("/layoffs/{}/approve", uuid::Uuid::now_v7());
    post(&service, &unknown, BOB, &digest).await.is_problem(404, "not-found");
    let approved = post(&service, &approve, BOB, &digest).await;
    assert_eq!((approved.status, &approved.json()["approved_by"]), (200, &json!("operator:bob")));
    post(&service, &approve, BOB, &digest).await.is_problem(409, "not-possible");
    assert_eq!(post(&service, &cancel, ALICE, &json!({})).await.status, 200);
    post(&service, &cancel, ALICE, &json!({})).await.is_problem(409, "not-possible");
    let rows = world.rows("select actor, action, target, result from journal order by seq").await;
    let text =
        |row: &sqlx::postgres::PgRow, column: usize| row.get::<Option<String>, _>(column).unwrap_or_default();
    let entries: Vec<[String; 3]> =
        rows.iter().map(|row| [0, 1, 3].map(|column| text(row, column))).collect();
    let list = format!("list {}", planned["digest"].as_str().unwrap());
    let words = format!("{list} of 2, at most 2, from {from} until {until}");
    let recorded = [
        ["operator:alice", "layoff_planned", &words],
        ["operator:bob", "layoff_approved", &list],
        ["operator:alice", "layoff_cancelled", ""],
    ];
    assert_eq!(entries, recorded.map(|entry| entry.map(str::to_owned)));
    assert!(rows.iter().all(|row| text(row, 2) == planned["id"].as_str().unwrap()), "each names the layoff");
    let verified = service.api(Method::GET, "/api/v1/audit/verify", ALICE).await.1;
    assert_eq!((&verified["ok"], &verified["entries"]), (&json!(true), &json!(3)));
    let own = post(&service, "/layoffs", BOB, &body).await.json();
    let own = format!("/layoffs/{}/approve", own["id"].as_str().unwrap());
    post(&service, &own, BOB, &digest).await.is_problem(403, "own-request");
}

#[tokio::test]
async fn a_plan_that_is_not_understood_is_refused_whole() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let good = json!({"reason": "r", "from": "2026-03-01", "until": "2026-03-31", "people": ["a@b.c"]});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("reason", json!("")),
        ("from", json!("soon")),
        ("until", json!("2026-02-28")),
        ("until", json!("2026-04-01")),
        ("people", json!([])),
        ("people", json!(["a@b.c", "W1"])),
        ("people", json!(["\u{212A}ate@example.com"])),
        ("people", json!(vec!["a@b.c"; 10_001])),
        ("count", json!(0)),
        ("count", json!(2)),
    ] {
        let answer = post(&service, "/layoffs", ALICE, &with(field, value)).await;
        answer.is_problem(400, "bad-field");
        assert!(answer.text().contains(&format!("the field {field}")), "{field}: {}", answer.text());
    }
    post(&service, "/layoffs", ALICE, &with("who", json!(1))).await.is_problem(400, "bad-body");
    assert_eq!(world.number("select count(*) from layoffs").await, 0);
    let most: Vec<_> = (0..10_000).map(|number| format!("a.rather.long.name.{number}@example.com")).collect();
    assert_eq!(post(&service, "/layoffs", ALICE, &with("people", json!(most))).await.status, 201);
    assert_eq!(world.number("select count(*) from layoff_people").await, 10_000);
    // Of a date the first moment, and the last.
    let window = "select extract(epoch from ends_at - starts_at)::bigint / 86400 from layoffs";
    assert_eq!(world.number(window).await, 31);
}

#[tokio::test]
async fn the_command_line_plans_from_a_file_and_needs_somebody_else_to_approve() {
    let world = World::new().await;
    let config = world.config("");
    let csv = config.with_extension("csv");
    std::fs::write(&csv, "email,name\nA@b.c,Ann\nb@b.c,Bob\n").unwrap();
    let (from, until) = window();
    let plan = ["layoff", "plan", "--csv", csv.to_str().unwrap(), "--from", &from, "--until", &until];
    let plan: Vec<_> =
        plan.into_iter().chain(["--reason", "site closes", "--count", "1", "--json"]).collect();
    assert_eq!(run(&config, &["layoff", "list"]).await.done().out, "no layoffs\n");
    let layoff = run(&config, &plan).await.done().json();
    assert_eq!((&layoff["people"], &layoff["count"]), (&json!(2), &json!(1)));
    assert_eq!(layoff["requested_by"], "operator:carol (command line)");
    let (id, digest) = (layoff["id"].as_str().unwrap(), layoff["digest"].as_str().unwrap());
    run(&config, &["layoff", "approve", id, "--digest", digest]).await.failed(1, &["who planned"]);
    run(&config, &["layoff", "approve", id, "--digest", "xyz"]).await.failed(2, &["digest"]);
    run(&config, &["layoff", "approve", "seven", "--digest", digest]).await.failed(2, &["seven"]);
    let listed = run(&config, &["layoff", "list"]).await;
    assert!(listed.done().out.contains("waits for an approver") && listed.out.contains(digest), "{listed:?}");
    world.sql("update layoffs set requested_by = 'operator:alice'").await;
    let approved = run(&config, &["layoff", "approve", id, "--digest", digest]).await;
    assert!(approved.done().out.contains("approved by operator:carol (command line)"), "{approved:?}");
    assert!(run(&config, &["layoff", "cancel", id]).await.done().out.contains("cancelled by"));
    run(&config, &["layoff", "cancel", id]).await.failed(1, &["cancelled before"]);
    run(
        &config,
        &["layoff", "plan", "--csv", "/nonexistent", "--from", &from, "--until", &until, "--reason", "r"],
    )
    .await
    .failed(2, &["--csv"]);
}
