//! Health, metrics, start and stop of the real process.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use leaver_simulator::proxy::{Availability, Proxy};
use leaver_simulator::{Action, Fault, Matcher, presets};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::edge::{Answer, ended, eventually, ready, terminate};
use crate::process::until;
use crate::support::{HRIS_SECRET, Service, World, signed, termination};

/// A stop takes no longer than this.
const STOP_MAX: Duration = Duration::from_secs(25);

/// What a second signal, or a stop with nothing to wait for, may take.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A service whose worker waits for an answer of Genesys Cloud that does not come, for as long as `timeout` says.
async fn serve_with_a_hanging_call(world: &World, timeout: &str) -> Service {
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    let hang = world.simulator.inject(Fault::before(Matcher::changing(), Action::Hang));
    let service = world.serve(&format!("timeout = \"{timeout}\""), &["serve"]);
    ready(&service).await;
    assert_eq!(service.deliver(&termination("e1", "W1", "jane@example.com")).await.0, 202);
    eventually("a call hangs", Duration::from_secs(10), || async {
        (world.simulator.struck(hang) > 0).then_some(())
    })
    .await;
    service
}

async fn stopping(service: &Service) {
    let probe = eventually("the process is not ready", AT_ONCE, || async {
        let probe = Answer::get(format!("{}/readyz", service.public)).await;
        (probe.status == 503).then_some(probe)
    })
    .await;
    probe.is_problem(503, "not-ready");
    assert_eq!(probe.json()["title"], "the process is stopping");
}

#[tokio::test]
async fn a_stopping_process_is_not_ready_finishes_its_call_and_gives_the_lease_back() {
    let world = World::new().await;
    let mut service = serve_with_a_hanging_call(&world, "3s").await;
    let calls = world.simulator.changing().len();
    let started = Instant::now();
    terminate(&service);
    stopping(&service).await;
    assert_eq!(Answer::get(format!("{}/livez", service.public)).await.status, 200);
    let (status, _) = service.deliver(&termination("e2", "W2", "john@example.com")).await;
    assert_eq!(status, 202, "who was not told yet is still served");
    let ended = ended(&mut service, STOP_MAX).await;
    assert_eq!(ended.code(), Some(0), "{ended:?} after {:?}", started.elapsed());
    assert_eq!(world.simulator.changing().len(), calls, "no new call begins");
    let leases = "select count(*) from offboardings where lease_token is not null";
    assert_eq!(world.number(leases).await, 0);
    let open = "select count(*) from journal i where action = 'call_intended' and not exists
                (select from journal f where f.action = 'call_finished' and f.request_id = i.request_id)";
    assert_eq!(world.number(open).await, 0, "the outcome of the call is written down");
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let world = World::new().await;
    let mut service = serve_with_a_hanging_call(&world, "20s").await;
    terminate(&service);
    stopping(&service).await;
    let started = Instant::now();
    terminate(&service);
    let ended = ended(&mut service, AT_ONCE).await;
    assert!(ended.code() == Some(143) || ended.signal().is_some(), "{ended:?}");
    assert!(started.elapsed() < AT_ONCE);
}

#[tokio::test]
async fn a_stop_lets_a_request_in_flight_be_stored_and_answered() {
    let world = World::new().await;
    let mut service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let mut gate = PgConnection::connect(world.database.url()).await.unwrap();
    gate.execute("begin; lock table events in access exclusive mode").await.unwrap();
    let body = termination("e1", "W1", "jane@example.com").to_string();
    let delivery = tokio::spawn(Answer::to(signed(&service.public, body.as_bytes(), HRIS_SECRET)));
    let waits = || async {
        let waiting = world.number("select count(*) from pg_locks where not granted").await;
        (waiting > 0).then_some(())
    };
    eventually("the delivery waits for the table", AT_ONCE, waits).await;
    terminate(&service);
    let closed = || async { crate::support::client().get(&service.public).send().await.err().map(drop) };
    eventually("nobody new is accepted", AT_ONCE, closed).await;
    gate.execute("commit").await.unwrap();
    assert_eq!(delivery.await.unwrap().status, 202);
    assert_eq!(ended(&mut service, STOP_MAX).await.code(), Some(0));
    assert_eq!(world.number("select count(*) from events").await, 1);
}

#[tokio::test]
async fn a_process_with_nothing_to_do_stops_quickly_also_with_connections_kept_open() {
    let world = World::new().await;
    let mut service = world.serve("", &["serve"]);
    ready(&service).await;
    let kept = crate::support::client();
    let alive = kept.get(format!("{}/livez", service.public)).send().await.unwrap();
    assert_eq!(alive.text().await.unwrap(), "ok\n");
    terminate(&service);
    assert_eq!(ended(&mut service, AT_ONCE).await.code(), Some(0));
}

#[tokio::test]
async fn deliveries_are_taken_until_a_load_balancer_has_noticed_the_stop() {
    const DELAY: Duration = Duration::from_secs(3);
    let world = World::new().await;
    let mut service =
        world.serve_edited("", &["serve"], |text| text.replace("stop_delay = \"0s\"", "stop_delay = \"3s\""));
    ready(&service).await;
    terminate(&service);
    let started = Instant::now();
    stopping(&service).await;
    assert_eq!(service.deliver(&termination("e1", "W1", "jane@example.com")).await.0, 202);
    assert_eq!(ended(&mut service, STOP_MAX).await.code(), Some(0));
    assert!(started.elapsed() >= DELAY, "{:?}", started.elapsed());
}

#[tokio::test]
async fn people_who_look_hold_up_no_delivery() {
    const LOOKERS: usize = 12;
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let mut gate = PgConnection::connect(world.database.url()).await.unwrap();
    gate.execute("begin; lock table callbacks, journal, layoffs in access exclusive mode").await.unwrap();
    let mut looking = tokio::task::JoinSet::new();
    for number in 0..LOOKERS {
        let page = ["callbacks", "layoffs", "audit/verify"][number % 3];
        let request = crate::support::client().get(format!("{}/api/v1/{page}", service.admin));
        looking.spawn(request.bearer_auth(crate::support::ALICE).send());
    }
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and state = 'active'";
    until("all that may look wait", AT_ONCE, async || world.number(waiting).await >= 5).await;
    let delivered = service.deliver(&serde_json::json!({"event": "worker.hired", "workerId": "W1"})).await;
    assert_eq!(delivered.0, 202, "{}", delivered.1);
    gate.execute("rollback").await.unwrap();
}

#[tokio::test]
async fn a_service_whose_database_is_away_starts_and_becomes_ready_when_it_comes() {
    let world = World::new().await;
    world.sql("drop schema public cascade; create schema public").await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    let through = proxy.url_for(world.database.url()).unwrap();
    proxy.set_availability(Availability::Down).unwrap();
    let service = world.serve_edited("", &["serve"], |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{through:?}"))
    });
    let probe = Answer::get(format!("{}/readyz", service.public)).await;
    probe.is_problem(503, "not-ready");
    assert!(probe.took < Duration::from_secs(2), "{:?}", probe.took);
    assert!(!probe.text().contains("postgres://"), "{}", probe.text());
    assert_eq!(Answer::get(format!("{}/livez", service.public)).await.status, 200);
    proxy.set_availability(Availability::Up).unwrap();
    ready(&service).await;
    assert_eq!(service.deliver(&termination("e1", "W1", "jane@example.com")).await.0, 202);
}

#[tokio::test]
async fn a_schema_of_another_version_is_not_ready_and_says_what_to_do() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker", "--no-migrate"]);
    ready(&service).await;
    world
        .sql("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .await;
    let probe = eventually("the process is not ready", AT_ONCE, || async {
        let probe = Answer::get(format!("{}/readyz", service.public)).await;
        (probe.status == 503).then_some(probe)
    })
    .await;
    probe.is_problem(503, "not-ready");
    assert!(probe.text().contains("leaver migrate"), "{}", probe.text());
}

#[tokio::test]
async fn the_metrics_count_deliveries_and_name_nobody() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let jane = termination("e1", "W1", "jane@example.com");
    for expected in [202, 200] {
        assert_eq!(service.deliver(&jane).await.0, expected);
    }
    assert_eq!(service.deliver(&json!({"event": "worker.hired", "email": "new@example.com"})).await.0, 202);
    let answer = Answer::get(format!("{}/metrics", service.admin)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let text = answer.text();
    for line in [
        r#"leaver_deliveries_total{source="workday",result="accepted"} 1"#,
        r#"leaver_deliveries_total{source="workday",result="duplicate"} 1"#,
        r#"leaver_deliveries_total{source="workday",result="ignored"} 1"#,
        r#"leaver_offboardings{status="scheduled",outcome="",reason=""} 1"#,
        "leaver_database_up 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    for secret in ["example.com", "W1", "jane", HRIS_SECRET] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains("example.com") && !log.contains(HRIS_SECRET), "{log}");
    assert_eq!(Answer::get(format!("{}/metrics", service.public)).await.status, 404, "not for the internet");
}
