//! The documents say what is: every command of README and runbook runs as it is written there, statuses, reasons and alerts
//! have their place in the runbook and nothing else has, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leaver::offboarding::{Outcome, Reason, Status};
use leaver::worker::Engine;
use leaver_simulator::presets;
use serde_json::Value;

use crate::edge::put;
use crate::support::{ALICE, Service, World, program, termination};

/// What is shown and not run here, with the place where it is run.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo demo", "cargo demo --exit"),
    ("cargo demo --exit", "cargo demo --exit"),
    ("cargo demo --dry-run", "cargo demo --dry-run --exit"),
    ("cargo test", "cargo test"),
];

/// The commands that answer a question by their exit code: 1 is an answer too. (A test's Postgres runs without `fsync`, of which
/// `leaver check` rightly complains.)
const ANSWERED_BY_CODE: &[&str] =
    &["leaver check", "leaver plan", "leaver reconcile --csv", "leaver callbacks test NAME"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page for people.
fn pages() -> Vec<String> {
    let docs =
        fs::read_dir(root("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let docs = docs.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    ["README.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned).into_iter().chain(docs).collect()
}

/// The command lines of a page: those of its blocks for the shell, and those that stand in a sentence or a table.
fn commands(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut prose = String::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let bare = line.trim();
        match (fence, bare.strip_prefix("```")) {
            (None, Some(language)) => fence = Some(language),
            (Some(_), Some(_)) => fence = None,
            (Some("" | "sh"), None) if runs(bare) => {
                found.insert(bare.to_owned());
            }
            (Some(_), None) => {}
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    let spans =
        prose.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    found.extend(spans.filter(|span| runs(span)));
    found
}

fn runs(line: &str) -> bool {
    ["leaver ", "curl ", "cargo demo", "cargo test"].iter().any(|start| line.starts_with(start))
}

/// Where the commands are run: a service with somebody in Genesys Cloud, and files beside it.
struct Stage {
    world: World,
    service: Service,
    engine: Engine,
    config: PathBuf,
    people: usize,
}

impl Stage {
    async fn set() -> Self {
        let world = World::new().await;
        world.simulator.organisation(|org| {
            presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "W1");
            presets::fully_assigned_agent(org, "John Roe", "john.roe@example.com", "W2");
        });
        let service = world.serve("", &["serve", "--no-worker"]);
        // As a worker with somebody to tell in its configuration writes it down.
        world.sql("insert into callback_targets (name, events) values ('desk', '{offboarding.held}')").await;
        // The commands post to the configured listener, which is the running one.
        let (public, admin) = (service.public.clone(), service.admin.clone());
        let desk = "[[callbacks]]\nname = \"desk\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"a-secret-of-the-desk\"";
        let config = world.edited_config(desk, |text| {
            let address = |url: &str| url.trim_start_matches("http://").to_owned();
            text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = {:?}", address(&public)), 1)
                .replacen(
                    "admin_listen = \"127.0.0.1:0\"",
                    &format!("admin_listen = {:?}", address(&admin)),
                    1,
                )
        });
        let folder = world.folder.path();
        std::os::unix::fs::symlink(program(), folder.join("leaver")).unwrap();
        fs::write(folder.join("people.csv"), "one@example.com\ntwo@example.com\n").unwrap();
        let left = chrono::Utc::now().date_naive() - chrono::Days::new(2);
        fs::write(folder.join("leavers.csv"), format!("email,left_on\njohn.roe@example.com,{left}\n"))
            .unwrap();
        let event = termination("from-a-file", "W9", "nobody.there@example.com");
        fs::write(folder.join("event.json"), event.to_string()).unwrap();
        Self { engine: world.engine(), world, service, config, people: 0 }
    }

    /// The offboarding of somebody new, in this status.
    async fn somebody(&mut self, status: &str, reason: Option<&str>) -> String {
        let email = self.name();
        let id = self.world.terminate(&email).await.to_string();
        put(&self.world, &id, status, reason).await;
        id
    }

    fn name(&mut self) -> String {
        self.people += 1;
        format!("agent{}@example.com", self.people)
    }

    /// The offboarding that a delivery opens.
    async fn delivered(&self, body: &Value) -> String {
        self.delivered_bytes(body.to_string().as_bytes()).await
    }

    async fn delivered_bytes(&self, body: &[u8]) -> String {
        let (status, receipt) = self.service.deliver_bytes(body).await;
        assert_eq!(status, 202, "{receipt}");
        receipt["offboardings"][0]["id"].as_str().expect("an offboarding").to_owned()
    }

    /// What `ID` stands for in this command.
    async fn offboarding_for(&mut self, command: &str) -> String {
        let verb = command.split_whitespace().nth(1).unwrap_or_default();
        match verb {
            "approve" if command.contains("--email") => {
                self.people += 1;
                self.delivered_bytes(format!("no JSON {}", self.people).as_bytes()).await
            }
            "approve" if command.contains("--at") => {
                let email = self.name();
                let mut event = termination(&email, &email, &email);
                event.as_object_mut().unwrap().remove("terminationDate");
                self.delivered(&event).await
            }
            "approve" if command.contains("brake") => self.somebody("held", Some("brake")).await,
            "approve" => self.somebody("held", Some("stale_event")).await,
            "retry" => self.somebody("failed", Some("attempts_exhausted")).await,
            "restore" => {
                let email = self.name();
                self.world.simulator.organisation(|org| {
                    presets::fully_assigned_agent(org, "Somebody", &email, &email);
                });
                let id = self.world.terminate(&email).await;
                let view = self.world.work_to_the_end(&self.engine, id).await;
                assert_eq!(view.outcome, Some(Outcome::Offboarded));
                id.to_string()
            }
            _ => self.somebody("scheduled", None).await,
        }
    }

    /// Runs a line in a shell, as somebody; what it printed where it failed.
    async fn run(&self, line: &str, user: &str) -> (i32, String) {
        let folder = self.world.folder.path();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("bash");
        shell.args(["-c", line]).current_dir(folder).stdin(Stdio::null()).env("PATH", path).env("USER", user);
        shell.env("LEAVER_CONFIG", &self.config).env("RUST_LOG", "error");
        shell
            .env("LEAVER", &self.service.public)
            .env("LEAVER_ADMIN", &self.service.admin)
            .env("ALICE_TOKEN", ALICE);
        let output = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.code().unwrap_or(-1), said)
    }
}

/// Puts what is meant where the page has a word in capitals.
async fn filled_in(stage: &mut Stage, command: &str) -> String {
    let mut line = command.replace('…', "");
    let has = |line: &str, word: &str| tokens(line).any(|token| token == word);
    if has(&line, "EVENT") || line.starts_with("leaver event ID") || line.starts_with("leaver replay ID") {
        let id = format!("event-{}", stage.people);
        let email = stage.name();
        stage.delivered(&termination(&id, &email, &email)).await;
        line = fill(&fill(&line, "EVENT", &id), "ID", &id);
    }
    if line.starts_with("leaver layoff approve") || line.starts_with("leaver layoff cancel") {
        let plan =
            "leaver --json layoff plan --csv people.csv --from 2026-12-01 --until 2026-12-05 --reason x";
        let (code, said) = stage.run(plan, "dora").await;
        assert_eq!(code, 0, "{said}");
        let plan: Value = serde_json::from_str(&said).unwrap();
        line = fill(&line, "ID", plan["id"].as_str().unwrap());
        line = fill(&line, "HEX", plan["digest"].as_str().unwrap());
    }
    if has(&line, "CALLBACK") || line.starts_with("leaver callbacks repeat") {
        stage.somebody("held", Some("stale_event")).await;
        let newest = stage.world.rows("select id from callbacks order by sequence desc limit 1").await;
        let newest: uuid::Uuid = sqlx::Row::get(&newest[0], 0);
        line = fill(&fill(&line, "CALLBACK", &newest.to_string()), "ID", &newest.to_string());
    }
    if has(&line, "ID") {
        let id = stage.offboarding_for(&line).await;
        line = fill(&line, "ID", &id);
    }
    line = line.replacen("--until T", "--until 2026-12-05", 1).replacen(" T ", " 2026-12-01 ", 1);
    for (word, meant) in [
        ("PERSON", "jane.doe@example.com"),
        ("ADDRESS", "jane.doe@example.com"),
        ("TIME", "2026-12-31"),
        ("TEXT", "because"),
        ("SOURCE", "workday"),
        ("WORD", "worker.terminated"),
        ("NAME", "desk"),
        ("SHELL", "bash"),
        ("FILE", "leavers.csv"),
    ] {
        line = fill(&line, word, meant);
    }
    line
}

fn tokens(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ')
}

fn fill(line: &str, word: &str, meant: &str) -> String {
    tokens(line).map(|token| if token == word { meant } else { token }).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_command_of_readme_and_runbook_runs_as_it_is_written() {
    let mut stage = Stage::set().await;
    let ci = page(".ci/run");
    let shown: BTreeSet<String> =
        ["README.md", "docs/runbook.md"].iter().flat_map(|path| commands(&page(path))).collect();
    assert!(shown.len() > 30, "only {} commands were found", shown.len());
    let mut wrong = Vec::new();
    for command in &shown {
        // Each command meets nobody's case but its own.
        let end = "update offboardings set status = 'cancelled', reason = 'cancelled_by_operator' \
                   where status in ('scheduled', 'held', 'failed'); \
                   update pause set paused = false, reason = null";
        stage.world.sql(end).await;
        if let Some((_, there)) = ELSEWHERE.iter().find(|(line, _)| line == command) {
            assert!(ci.contains(there), "{command} is run nowhere");
            continue;
        }
        let words = command.split_whitespace().count();
        let line = match command.as_str() {
            // What runs until it is told to end.
            "leaver serve" | "leaver serve --no-worker" | "leaver worker" => {
                format!(
                    "LEAVER__SERVER__LISTEN=127.0.0.1:0 LEAVER__SERVER__ADMIN_LISTEN=127.0.0.1:0 \
                         timeout --preserve-status --signal TERM 4 {command}"
                )
            }
            // A verb that is named and not called.
            verb if words <= 3
                && stage.run(&format!("{verb} --help"), "carol").await.0 == 0
                && stage.run(verb, "carol").await.0 == 2 =>
            {
                continue;
            }
            _ => filled_in(&mut stage, command).await,
        };
        let (code, said) = stage.run(&line, "carol").await;
        let answered = ANSWERED_BY_CODE.contains(&command.as_str())
            || ANSWERED_BY_CODE
                .iter()
                .any(|start| command.starts_with(start) && !command.contains("--apply"));
        if code != 0 && !(code == 1 && answered) {
            wrong.push(format!("{command}\n  run as {line}\n  ended with {code}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words in code at the beginning of the rows of the table below a heading.
fn first_column(text: &str, heading: &str) -> Vec<String> {
    let after = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next().map(str::to_owned)).collect()
}

/// The headings of the third level below one of the second.
fn headings<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let after = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let section = after.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}

#[test]
fn the_runbook_has_every_status_reason_and_alert_and_nothing_else() {
    let runbook = page("docs/runbook.md");
    let statuses: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(first_column(&runbook, "\n## Statuses"), statuses);
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| format!("`{}`", reason.as_str())).collect();
    assert_eq!(headings(&runbook, "\n## Reasons"), reasons);
    for outcome in Outcome::ALL {
        assert!(runbook.contains(&format!("`{outcome}`")), "{outcome}");
    }
    let alerts = page("ops/prometheus/alerts.yml");
    let alerts: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    assert_eq!(headings(&runbook, "\n## Alerts"), alerts);
}

/// The anchor that a heading has.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut dead = Vec::new();
    for path in pages() {
        let text = page(&path);
        let folder = root(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') || link.starts_with("mailto:") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root(&path) } else { folder.join(file) };
            let Ok(there) = fs::read(&target) else {
                if !target.is_dir() {
                    dead.push(format!("{path}: {link}"));
                }
                continue;
            };
            let there = String::from_utf8_lossy(&there);
            let anchors: BTreeSet<_> = there
                .lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| anchor(line.trim_start_matches('#').trim()))
                .collect();
            if !fragment.is_empty() && !anchors.contains(fragment) {
                dead.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
