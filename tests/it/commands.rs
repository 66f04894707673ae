//! The commands as an operator runs them: what they print, what they call, and their exit codes.

use std::path::Path;
use std::process::Stdio;

use leaver_simulator::presets;
use leaver_simulator::proxy::{Availability, Proxy};
use serde_json::{Value, json};

use crate::edge::{Answer, put, ready};
use crate::support::{World, leaver, termination};

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts an exit code with one line on standard error that contains these words.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "one line: {self:?}");
        assert!(self.err.starts_with("leaver: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} in {self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn done(&self) -> &Self {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self
    }
}

/// Runs a command to its end, on a thread of its own so that several can run at once.
pub(crate) async fn run(config: &Path, arguments: &[&str]) -> Run {
    let mut command = leaver(config);
    command.args(arguments).env("USER", "carol").stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended =
        tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("a process");
    Run {
        code: ended.status.code().expect("an exit code"),
        out: String::from_utf8(ended.stdout).expect("UTF-8"),
        err: String::from_utf8(ended.stderr).expect("UTF-8"),
    }
}

/// A world with one agent and a configuration that reaches it.
async fn world_with_jane() -> (World, String) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1").to_string()
    });
    (world, jane)
}

/// The finding that begins so, on one line however it was wrapped.
fn told(out: &str, start: &str) -> String {
    let mut lines = out.lines().skip_while(|line| !line.starts_with(start));
    let first = lines.next().unwrap_or_else(|| panic!("{start} in {out}"));
    let more = lines.take_while(|line| line.starts_with("  ")).map(str::trim);
    [first].into_iter().chain(more).collect::<Vec<_>>().join(" ")
}

pub(crate) fn found(findings: &Value, what: &str) -> Value {
    let findings = findings.as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["check"] == what);
    found.unwrap_or_else(|| panic!("{what} in {findings:?}")).clone()
}

#[tokio::test]
async fn check_names_what_is_right_and_fails_where_the_database_may_forget() {
    let world = World::new().await;
    let run = run(&world.config(""), &["check", "--json"]).await;
    let findings = run.json();
    for what in ["configuration", "sources", "schema", "Genesys Cloud", "database server_version_num"] {
        assert_eq!(found(&findings, what)["ok"], true, "{findings}");
    }
    let settings = world
        .rows("select name from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off'");
    let forgetful = settings.await.len();
    let bad = findings.as_array().unwrap().iter().filter(|finding| finding["ok"] == false).count();
    assert_eq!(bad, forgetful, "{findings}");
    if forgetful == 0 {
        run.done();
    } else {
        run.failed(1, &[&format!("{bad} of ")]);
        assert!(found(&findings, "database fsync")["do"].as_str().unwrap().contains("switch it on"));
    }
    assert!(world.simulator.changing().is_empty());
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn check_is_content_with_a_durable_database() {
    use leaver_simulator::postgres::{Durability, Server};
    let world = World::new().await;
    let server = Server::start_private(Durability::Durable).await.unwrap();
    let database = server.create_database("durable").await.unwrap();
    let config = world.edited_config("", |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{:?}", database.url()))
    });
    run(&config, &["check"]).await.failed(1, &["checks failed"]);
    run(&config, &["migrate"]).await.done();
    let checked = run(&config, &["check"]).await;
    checked.done();
    assert!(!checked.out.contains("FAIL") && checked.out.contains("ok    permissions "), "{}", checked.out);
    server.end().await;
}

#[tokio::test]
async fn check_names_a_wrong_secret_and_a_database_that_is_away_and_never_shows_a_secret() {
    let world = World::new().await;
    let wrong = "wrong-secret-0123456789";
    let config = world.edited_config("", |text| text.replace(world.simulator.client_secret(), wrong));
    let checked = run(&config, &["check"]).await;
    checked.failed(1, &["checks failed"]);
    let line = told(&checked.out, "FAIL  Genesys Cloud");
    assert!(line.contains("OAuth client or its secret is wrong"), "{line}");
    assert!(!checked.out.contains(wrong) && !checked.err.contains(wrong), "{checked:?}");

    let proxy = Proxy::start(world.database.url()).unwrap();
    proxy.set_availability(Availability::Down).unwrap();
    let through = proxy.url_for(world.database.url()).unwrap();
    let config = world.edited_config("", |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{through:?}"))
    });
    let checked = run(&config, &["check"]).await;
    checked.failed(1, &["checks failed"]);
    let line = told(&checked.out, "FAIL  database");
    assert!(line.contains("is it running, and is database.url right?"), "{line}");
}

#[tokio::test]
async fn check_says_what_to_do_about_an_empty_database_and_no_sources() {
    let world = World::new().await;
    world.sql("drop schema public cascade; create schema public").await;
    let config = world.edited_config("", |text| {
        let (before, rest) = text.split_once("[sources.workday]").unwrap();
        let (_, after) = rest.split_once("[[operators]]").unwrap();
        format!("{before}[[operators]]{after}")
    });
    let checked = run(&config, &["check"]).await;
    checked.failed(1, &["checks failed"]);
    let line = |what: &str| told(&checked.out, &format!("FAIL  {what}"));
    assert!(line("schema").contains("run `leaver migrate`"), "{}", line("schema"));
    assert!(line("sources").contains("add [sources.NAME]"), "{}", line("sources"));
}

#[tokio::test]
async fn plan_shows_what_would_go_and_changes_nothing() {
    let (world, jane) = world_with_jane().await;
    let config = world.config("external_id_authority = \"workday\"");
    let text = run(&config, &["plan", "Jane@Example.com"]).await;
    text.done();
    assert!(text.out.starts_with(&format!("Genesys user {jane} is active\n")), "{}", text.out);
    assert!(text.out.ends_with("held. Nothing was changed.\n"), "{}", text.out);
    assert!(
        text.out.contains("strip.queue_memberships") && text.out.contains("Jane Doe queue 01"),
        "{}",
        text.out
    );
    let document = run(&config, &["plan", "jane@example.com", "--json"]).await.done().json();
    assert_eq!(document["steps"][0]["remove"].as_array().unwrap().len(), 5);
    for person in [jane.as_str(), &jane.to_uppercase(), "W1"] {
        assert_eq!(run(&config, &["plan", person, "--json"]).await.done().json(), document, "{person}");
    }
    run(&config, &["plan", "nobody@example.com"]).await.failed(1, &["nobody", "\"nobody@example.com\""]);
    run(&config, &["plan", " "]).await.failed(2, &["PERSON: is empty"]);
    run(&world.config(""), &["plan", "W1"]).await.failed(2, &["genesys.external_id_authority"]);
    assert!(world.simulator.changing().is_empty());
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn send_signs_a_body_as_the_source_would() {
    let world = World::new().await;
    let config = world.config("");
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let body = config.with_extension("json");
    std::fs::write(&body, termination("e1", "W1", "jane@example.com").to_string()).unwrap();
    let (file, url) = (body.to_str().unwrap(), format!("{}/webhooks/workday", service.public));
    let send = ["send", "--source", "workday", "--file", file, "--url", &url];
    let first = run(&config, &send).await;
    assert!(first.done().out.starts_with("202 Accepted\n") && first.out.contains("\"e1\""), "{first:?}");
    assert!(run(&config, &send).await.done().out.contains("duplicate"));
    let elsewhere = format!("{}/webhooks/nobody", service.public);
    run(&config, &["send", "--source", "workday", "--file", file, "--url", &elsewhere])
        .await
        .failed(1, &["404"]);
    run(&config, &["send", "--source", "nobody", "--file", file]).await.failed(2, &["--source", "workday"]);
    run(&config, &["send", "--source", "workday", "--file", "/nonexistent"]).await.failed(2, &["--file"]);
    assert_eq!(world.number("select count(*) from events").await, 1);
    let answer = run(&config, &[&send[..], &["--json"]].concat()).await.done().json();
    assert_eq!(
        (&answer["status"], &answer["body"]["status"]),
        (&json!(200), &json!("duplicate")),
        "{answer}"
    );
    let refused =
        run(&config, &["send", "--source", "workday", "--file", file, "--url", &elsewhere, "--json"]).await;
    refused.failed(1, &["404"]);
    assert_eq!((&refused.json()["status"], &refused.json()["body"]["status"]), (&json!(404), &json!(404)));
}

#[tokio::test]
async fn send_finds_the_way_names_where_it_leads_and_reads_standard_input() {
    let world = World::new().await;
    let config = world.config("");
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let body = termination("e1", "W1", "jane@example.com").to_string();
    let file = config.with_extension("json");
    std::fs::write(&file, &body).unwrap();
    let to = |url: &str| {
        let call = ["send", "--source", "workday", "--file", file.to_str().unwrap(), "--url", url];
        let call = call.map(str::to_owned);
        let config = config.clone();
        async move { run(&config, &call.each_ref().map(String::as_str)).await }
    };
    for nowhere in ["nonsense", "127.0.0.1:8080", "ftp://127.0.0.1/", "http://"] {
        to(nowhere).await.failed(2, &["--url", nowhere]);
    }
    assert!(to(&service.public).await.done().out.starts_with("202"));
    assert!(to(&format!("{}/", service.public)).await.done().out.starts_with("200"));
    to(&format!("{}/webhooks/nobody", service.public)).await.failed(1, &["404"]);
    let mut command = leaver(&config);
    command.args(["send", "--source", "workday", "--file", "-", "--url", &service.public]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), body.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && String::from_utf8_lossy(&ended.stdout).starts_with("200"), "{ended:?}");
    let public = service.public.clone();
    drop(service);
    let away = to(&format!("{public}/webhooks/workday?key=hushhush")).await;
    away.failed(1, &[&public]);
    assert!(!away.err.contains("hushhush"), "{away:?}");
}

#[tokio::test]
async fn list_show_retry_and_cancel_say_what_the_api_says() {
    let world = World::new().await;
    let config = world.config("");
    let service = world.serve("", &["serve", "--no-worker"]);
    assert_eq!(run(&config, &["list"]).await.done().out, "no offboardings\n");
    let (_, receipt) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    let id = receipt["offboardings"][0]["id"].as_str().unwrap();
    let client = crate::support::client();
    let api = |path: String| {
        let request = client.get(format!("{}/api/v1/offboardings{path}", service.admin));
        Answer::to(request.bearer_auth(crate::support::ALICE))
    };
    let listed = run(&config, &["list", "--json", "--status", "scheduled"]).await.done().json();
    assert_eq!(listed, api(String::new()).await.json());
    let text = run(&config, &["list", "--person", "jane@example.com", "--source", "workday"]).await;
    assert!(text.done().out.contains(id) && text.out.contains("jane@example.com"), "{text:?}");
    assert_eq!(run(&config, &["list", "--status", "done"]).await.done().out, "no offboardings\n");
    let shown = run(&config, &["show", id, "--json"]).await.done().json();
    assert_eq!(shown, api(format!("/{id}")).await.json());
    assert!(run(&config, &["show", id]).await.done().out.contains("event_accepted"));

    put(&world, id, "failed", Some("attempts_exhausted")).await;
    let retried = run(&config, &["retry", id, "--json"]).await.done().json();
    assert_eq!((&retried["status"], &retried["reason"]), (&json!("scheduled"), &Value::Null));
    assert!(run(&config, &["cancel", id]).await.done().out.contains("cancelled_by_operator"));
    run(&config, &["cancel", id]).await.failed(1, &["cancelled"]);
    run(&config, &["retry", id]).await.failed(1, &["cancelled"]);
    run(&config, &["restore", id]).await.failed(1, &["nothing to restore"]);
    let journal = api(format!("/{id}")).await.json()["journal"].clone();
    let actors: Vec<_> = journal.as_array().unwrap().iter().map(|entry| entry["actor"].clone()).collect();
    let carol = json!("operator:carol (command line)");
    assert_eq!(actors, [json!("hris:workday"), carol.clone(), carol]);
}

#[tokio::test]
async fn a_wrong_call_is_one_line_and_exit_code_two() {
    let world = World::new().await;
    let config = world.config("");
    let unknown = uuid::Uuid::now_v7().to_string();
    run(&config, &["show", &unknown]).await.failed(1, &["no offboarding", &unknown]);
    run(&config, &["retry", &unknown]).await.failed(1, &["no offboarding"]);
    let usages: [(&[&str], &str); 10] = [
        (&["restore", "seven"], "seven"),
        (&["show", "seven"], "seven"),
        (&["cancel", "seven"], "seven"),
        (&["list", "--status", "running"], "--status"),
        (&["list", "--limit", "0"], "--limit"),
        (&["list", "--limit", "many"], "--limit"),
        (&["list", "--limt", "5"], "--limt"),
        (&["shw", "x"], "shw"),
        (&["send", "--source", "workday"], "--file"),
        (&["plan"], "PERSON"),
    ];
    for (arguments, word) in usages {
        run(&config, arguments).await.failed(2, &[word]);
    }
    let fields: [(&[&str], &str); 4] = [
        (&["offboard", "jane@example.com", "--reason", " "], "--reason: is empty"),
        (&["offboard", "jane@example.com", "--reason", "left", "--at", "soon"], "--at: expected"),
        (&["offboard", " ", "--reason", "left"], "PERSON: is empty"),
        (&["approve", &unknown, "--email", "jane"], "--email: expected"),
    ];
    for (arguments, words) in fields {
        run(&config, arguments).await.failed(2, &[&format!("leaver: {words}")]);
    }
    let help = run(&config, &["--help"]).await;
    assert!(help.done().out.contains("Usage: leaver"), "{help:?}");
    assert!(run(&config, &["--version"]).await.done().out.starts_with("leaver "));
}

#[tokio::test]
async fn a_database_that_is_away_is_one_line_and_exit_code_one() {
    let world = World::new().await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    proxy.set_availability(Availability::Down).unwrap();
    let through = proxy.url_for(world.database.url()).unwrap();
    let config = world.edited_config("", |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{through:?}"))
    });
    let id = uuid::Uuid::now_v7().to_string();
    let calls: [&[&str]; 4] = [&["list"], &["show", &id], &["cancel", &id], &["migrate"]];
    for run in futures_util::future::join_all(calls.map(|arguments| run(&config, arguments))).await {
        run.failed(1, &["database"]);
        assert_eq!(run.out, "");
    }
}

#[tokio::test]
async fn a_schema_that_is_missing_is_said_in_one_line_and_in_the_log() {
    let world = World::new().await;
    let config = world.config("");
    world.sql("drop schema public cascade; create schema public").await;
    let nobody = uuid::Uuid::now_v7().to_string();
    for arguments in [vec!["list"], vec!["show", &nobody], vec!["events"]] {
        let ran = run(&config, &arguments).await;
        ran.failed(1, &["run `leaver migrate`"]);
        assert!(!ran.err.contains("does not exist"), "{ran:?}");
    }
    let log = log_of(&config, &["worker", "--no-migrate"], "run `leaver migrate`").await;
    assert!(log.contains("no work can be taken"), "{log}");
}

#[tokio::test]
async fn a_database_that_refuses_connections_is_told_at_once_and_with_the_cause() {
    let world = World::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("\"postgres://leaver:a-password-of-the-database@127.0.0.1:{port}/leaver\"");
    let config =
        world.edited_config("", |text| text.replace(&format!("{:?}", world.database.url()), &nowhere));
    let started = std::time::Instant::now();
    let checked = run(&config, &["check"]).await;
    assert!(started.elapsed() < std::time::Duration::from_secs(6), "{:?}", started.elapsed());
    checked.failed(1, &["checks failed"]);
    let line = told(&checked.out, "FAIL  database");
    assert_eq!(line.matches("Connection refused").count(), 1, "{line}");
    assert!(told(&checked.out, "FAIL  Genesys Cloud").contains("mend the database first"), "{}", checked.out);
    let migrated = run(&config, &["migrate"]).await;
    migrated.failed(1, &["Connection refused"]);
    let log = log_of(&config, &["serve"], "Connection refused").await;
    for output in [&checked.out, &checked.err, &migrated.err, &log] {
        assert!(!output.contains("a-password"), "{output}");
    }
}

/// Runs a service until its log has these words, and returns the log.
async fn log_of(config: &Path, arguments: &[&str], words: &str) -> String {
    let log = config.with_extension("log");
    let mut child = leaver(config)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    let read = || std::fs::read_to_string(&log).unwrap();
    while !read().contains(words) && started.elapsed() < std::time::Duration::from_secs(10) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(read().contains(words), "{words:?} in {}", read());
    read()
}

#[tokio::test]
async fn migrating_twice_or_at_the_same_time_is_migrating_once() {
    let world = World::new().await;
    let config = world.config("");
    run(&config, &["migrate"]).await.done();
    world.sql("drop schema public cascade; create schema public").await;
    let runs = futures_util::future::join_all((0..4).map(|_| run(&config, &["migrate"]))).await;
    for run in &runs {
        assert!(run.done().out.contains("this version's schema"), "{run:?}");
    }
    let versions = "select count(*) from _sqlx_migrations where success";
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert_eq!(world.number(versions).await, i64::try_from(migrations).unwrap());
    run(&config, &["migrate"]).await.done();
    assert_eq!(run(&config, &["list"]).await.done().out, "no offboardings\n");
    let told = run(&config, &["migrate", "--json"]).await.done().json();
    assert_eq!(told, json!({"schema": "current"}));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let world = World::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = world.edited_config("", |text| {
        text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""), 1)
    });
    run(&config, &["serve"]).await.failed(1, &["server.listen", &address]);
}
