//! A stranger that knows only the description: schemathesis makes requests of every kind from it, allowed and not, and compares
//! every answer with what is described.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leaver_simulator::presets;
use serde_json::json;

use crate::edge::{Answer, put};
use crate::support::{ALICE, BOB, Service, World, client, termination};
use crate::tools::python_program;

/// With a new version come new checks; what it then finds belongs to the change that takes it.
const VERSION: &str = "4.32.5";

/// The same requests in every run. Where it is another one, other defects may be found.
const SEED: &str = "20260601";

/// Requests of each phase for one operation, so that all of it takes less than two minutes.
const EXAMPLES: &str = "25";

/// No run may take longer than this; a machine with a lot of other work takes several times what it takes alone.
const TIME_MAX: &str = "900s";

/// What is right in form and still refused: a schema can't say whom Genesys Cloud knows, nor which moments and orders of moments
/// there are. Everything else that is right in form has to be accepted.
const RIGHT_IN_FORM_ONLY: [(&str, &str); 4] = [
    ("GET /api/v1/plan", "nobody has this address"),
    ("POST /api/v1/offboardings", "a moment that is none"),
    ("POST /api/v1/offboardings/{id}/approve", "a moment that is none"),
    ("POST /api/v1/layoffs", "a window that ends before it begins"),
];

/// The settings of a run.
fn settings(world: &World) -> PathBuf {
    let mut text = "[generation]\ndatabase = \"none\"\n".to_owned();
    for (operation, why) in RIGHT_IN_FORM_ONLY {
        let accepted = "[\"2xx\", \"400\", \"401\", \"403\", \"404\", \"409\"]";
        write!(
            text,
            "[[operations]]\n# {why}\ninclude-name = \"{operation}\"\n\
             checks.positive_data_acceptance.expected-statuses = {accepted}\n"
        )
        .unwrap();
    }
    let path = world.folder.path().join("schemathesis.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs it and returns what it said, and whether it found nothing.
fn stranger(service: &Service, settings: &Path, token: Option<&str>, arguments: &[&str]) -> (bool, String) {
    let program = python_program("schemathesis", VERSION, "schemathesis");
    let mut command = Command::new("timeout");
    command
        .arg(TIME_MAX)
        .arg(program)
        .arg("--config-file")
        .arg(settings)
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", service.admin));
    command
        .args(["--seed", SEED, "--max-examples", EXAMPLES, "--no-color", "--workers", "1"])
        .args(arguments);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let said = settings.with_extension("said");
    let log = std::fs::File::create(&said).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let ended =
        command.current_dir(settings.parent().unwrap()).status().expect("timeout and schemathesis").success();
    (ended, std::fs::read_to_string(said).unwrap())
}

/// Offboardings in several statuses, events of several kinds, a layoff.
async fn seed(world: &World, service: &Service) {
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    for (name, status, reason) in [
        ("scheduled", "scheduled", None),
        ("braked", "held", Some("brake")),
        ("protected", "held", Some("protected")),
        ("failed", "failed", Some("attempts_exhausted")),
        ("cancelled", "cancelled", Some("cancelled_by_operator")),
    ] {
        let (_, receipt) = service.deliver(&termination(name, name, &format!("{name}@example.com"))).await;
        put(world, receipt["offboardings"][0]["id"].as_str().unwrap(), status, reason).await;
    }
    service.deliver(&json!({"event": "worker.hired", "eventId": "hired", "email": "john@example.com"})).await;
    service.deliver_bytes(b"\xff\x00").await;
    let layoff = json!({"reason": "site closes", "from": "2026-01-01", "until": "2026-01-02", "people": ["a@example.com"]});
    let planned = client().post(format!("{}/api/v1/layoffs", service.admin)).bearer_auth(ALICE).json(&layoff);
    assert_eq!(Answer::to(planned).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_is_what_is_answered() {
    let world = World::new().await;
    let service = world.serve("external_id_authority = \"hris\"\n", &["serve", "--no-worker"]);
    seed(&world, &service).await;
    let settings = settings(&world);
    let (found_nothing, said) = stranger(&service, &settings, Some(BOB), &["--checks", "all"]);
    assert!(found_nothing, "{said}");
    // It has asked, and not only nobodies: the record shows what an approver can do.
    assert!(world.number("select count(*) from events where source = 'operator'").await > 0, "{said}");
    assert_eq!(service.metric("leaver_database_up").await, Some(1.0));
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains("panicked") && !log.contains("could not be carried out"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_everything_is_refused() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    seed(&world, &service).await;
    // Whatever is asked, the one right answer is 401.
    let only_401 = "[checks]\npositive_data_acceptance.expected-statuses = [\"401\"]\n\
        negative_data_rejection.expected-statuses = [\"401\", \"405\"]\n";
    let path = world.folder.path().join("none.toml");
    std::fs::write(&path, only_401).unwrap();
    let before = world.number("select count(*) from journal").await;
    let arguments =
        ["--checks", "all", "--exclude-path", "/api/v1/openapi.json", "--exclude-path", "/metrics"];
    let (found_nothing, said) = stranger(&service, &path, None, &arguments);
    assert!(found_nothing, "{said}");
    assert_eq!(world.number("select count(*) from journal").await, before);
    assert_eq!(world.number("select count(*) from idempotency_keys").await, 0);
}
