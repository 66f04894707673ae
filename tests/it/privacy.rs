//! What must never be seen in logs, metrics and process lists: names, addresses, external ids, bodies and secrets.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use leaver_simulator::{Action, Fault, Matcher, Options, presets};
use serde_json::{Value, json};

use crate::process::until;
use crate::support::{ALICE, BOB, HRIS_SECRET, World, client, leaver, signed, termination};

const LIMIT: Duration = Duration::from_secs(60);

const CLIENT_SECRET: &str = "canary-client-secret-0123456789";
const FORGED_SECRET: &str = "canary-forger-secret-0123456789";
const NAME: &str = "Canaria Zwitschermann";
const CONTROL: &str = "\r\n\u{1b}[31mcanary-red";

/// None of these may be seen, in whatever case.
const CANARIES: &[&str] = &["canar", "zwitscher", HRIS_SECRET, ALICE, BOB, "Bearer ", "Basic "];

/// A real `leaver serve` of which everything that it says is kept.
struct Spoken {
    child: Child,
    out: PathBuf,
    log: PathBuf,
    public: String,
    admin: String,
}

impl Spoken {
    async fn start(world: &World, rust_log: Option<&str>) -> Self {
        let config = world.config(
            "requests_per_minute = 3000\nexternal_id_authority = \"workday\"\n\
             [policy]\nnot_found_recheck = \"100ms\"\nattempts_max = 2\n\
             [worker]\npoll = \"20ms\"\nretry_base = \"10ms\"\nretry_max = \"20ms\"\n",
        );
        let (out, log) = (config.with_extension("out"), config.with_extension("log"));
        let mut command = leaver(&config);
        match rust_log {
            Some(filter) => command.env("RUST_LOG", filter),
            None => command.env_remove("RUST_LOG"),
        };
        let child = command
            .arg("serve")
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut spoken = Self { child, out, log, public: String::new(), admin: String::new() };
        until("it listens", LIMIT, async || spoken.said().contains("(admin)")).await;
        let line = spoken.said();
        let mut addresses = line.split_whitespace().filter(|word| word.starts_with("http://"));
        spoken.public = addresses.next().unwrap().to_owned();
        spoken.admin = addresses.next().unwrap().to_owned();
        spoken
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn deliver(&self, body: &[u8], secret: &str) -> u16 {
        signed(&self.public, body, secret).send().await.unwrap().status().as_u16()
    }

    async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.admin)).bearer_auth(ALICE);
        request.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An error of Genesys Cloud that names somebody wherever it can.
fn indiscreet(status: u16) -> Action {
    let body = json!({
        "message": format!("{NAME} <canaria@canary.example> can't be changed{CONTROL}"), "code": format!("bad {NAME}{CONTROL}"),
        "status": status, "contextId": "canary", "messageWithParams": NAME,
        "messageParams": {"name": NAME, "permission": "canary:zwitscher:red"}, "details": [{"errorCode": NAME}],
    });
    Action::RawBody {
        status,
        content_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
    }
}

/// People who leave well, who can't be taken out, who are unknown, ambiguous and busy with errors; and senders who are
/// forged, unreadable and full of control characters.
async fn tell(world: &World, service: &Spoken) {
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, NAME, "canaria@canary.example", "CANARY-1");
        presets::fully_assigned_agent(org, NAME, "zwitscher@canary.example", "CANARY-2");
        presets::agent_with_inherited(org, NAME, "canary3@canary.example", "CANARY-3");
    });
    world
        .simulator
        .inject(Fault::before(Matcher::operation("deleteRoutingQueueMember").nth(3), indiscreet(400)));
    world
        .simulator
        .inject(Fault::before(Matcher::operation("getUserCallforwarding").times(2), indiscreet(500)));
    world
        .simulator
        .inject(Fault::before(Matcher::operation("getRoutingUserUtilization").nth(2), indiscreet(409)));
    world.simulator.inject(Fault::before(Matcher::operation("deleteUserRoutinglanguage"), Action::html()));
    let people = [
        ("canary-event-1", "CANARY-1", "canaria@canary.example"),
        ("canary-event-2", "CANARY-2", "zwitscher@canary.example"),
        ("canary-event-3", "CANARY-3", "canary3@canary.example"),
        ("canary-event-4", "CANARY-NOBODY", "canary-nobody@canary.example"),
        ("canary-event-5", "CANARY-1", "another.canary@canary.example"),
    ];
    for (event, worker, email) in people {
        let body = termination(event, worker, email).to_string();
        assert_eq!(service.deliver(body.as_bytes(), HRIS_SECRET).await, 202, "{event}");
        assert_eq!(service.deliver(body.as_bytes(), FORGED_SECRET).await, 401, "{event}");
        assert_eq!(service.deliver(body.as_bytes(), HRIS_SECRET).await, 200, "{event}");
    }
    let controls =
        termination(&format!("canary{CONTROL}"), &format!("C{CONTROL}"), &format!("c{CONTROL}@canary"));
    service.deliver(controls.to_string().as_bytes(), HRIS_SECRET).await;
    let unreadable =
        format!("{{\"event\": \"worker.terminated\", \"name\": \"{NAME}\u{1b}[31m\", \"email\": canary");
    assert_eq!(service.deliver(unreadable.as_bytes(), HRIS_SECRET).await, 202);
    assert_eq!(service.deliver(&[b'c'; 70_000], HRIS_SECRET).await, 413);
    let conflict = termination("canary-event-1", "CANARY-9", "other.canary@canary.example").to_string();
    assert_eq!(service.deliver(conflict.as_bytes(), HRIS_SECRET).await, 409);
    let strange = format!("{}/webhooks/canary%0d%0a%1b%5b31m?canary=zwitscher", service.public);
    assert_eq!(client().post(strange).send().await.unwrap().status(), 404);
    let wrong = client().get(format!("{}/api/v1/offboardings", service.admin)).bearer_auth("canary-token");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    service.get("/api/v1/offboardings?person=canaria@canary.example").await;
    service.get("/api/v1/plan?person=zwitscher@canary.example").await;
    service.get("/api/v1/plan?person=canary-unknown").await;
}

/// Tells the whole story to a service with this log filter, and looks for canaries in everything that can be seen.
async fn assert_discreet(rust_log: Option<&str>) {
    let options = Options { client_secret: CLIENT_SECRET.to_owned(), ..Options::roomy() };
    let world = World::with(options).await;
    let service = Spoken::start(&world, rust_log).await;
    tell(&world, &service).await;
    until("nobody is left to be worked on", LIMIT, async || {
        let scheduled = service.get("/api/v1/offboardings?status=scheduled").await;
        scheduled["items"].as_array().is_some_and(Vec::is_empty)
    })
    .await;
    let metrics =
        client().get(format!("{}/metrics", service.admin)).send().await.unwrap().text().await.unwrap();
    let command = std::fs::read(format!("/proc/{}/cmdline", service.child.id())).unwrap();
    let seen = [
        ("the log", service.logged()),
        ("standard output", service.said()),
        ("the metrics", metrics),
        ("the process list", String::from_utf8_lossy(&command).into_owned()),
    ];
    for (place, text) in &seen {
        assert!(!text.is_empty(), "nothing in {place}");
        for line in text.lines() {
            let folded = line.to_lowercase();
            let canary = CANARIES.iter().find(|canary| folded.contains(&canary.to_lowercase()));
            assert_eq!(canary, None, "in {place}, with {rust_log:?}: {line}");
        }
    }
    assert_one_object_per_line(&seen[0].1);
}

fn assert_one_object_per_line(log: &str) {
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(value.is_object() && value["level"].is_string() && value["timestamp"].is_string(), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(log.lines().count() >= 10, "only {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_about_people_and_no_secret_is_seen_at_the_default_level() {
    assert_discreet(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_about_people_and_no_secret_is_seen_at_the_level_debug() {
    assert_discreet(Some("debug")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_about_people_and_no_secret_is_seen_at_the_level_trace() {
    assert_discreet(Some("trace")).await;
}
