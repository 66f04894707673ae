//! What watches the service: the alerts and the dashboard under `ops/`, tried with Prometheus's own program, and held to
//! the list of metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use leaver::telemetry::metrics::{Kind, Metric};
use serde_json::Value;

use crate::metrics::{busy_service, scrape};
use crate::support::World;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Prometheus's `promtool`: the machine's, or the one of Debian's package `prometheus`, unpacked under `target` without
/// being installed, so that no service is started.
fn promtool() -> PathBuf {
    if Command::new("promtool").arg("--version").output().is_ok() {
        return "promtool".into();
    }
    let folder = root("target/tools/promtool");
    let program = folder.join("usr/bin/promtool");
    if program.exists() {
        return program;
    }
    let work = root("target/tools").join(format!("fetching-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir_all(&work).unwrap();
    let fetch = "(apt-get download prometheus || (apt-get update && apt-get download prometheus)) && dpkg -x prometheus_*.deb unpacked";
    let fetched = Command::new("sh").args(["-c", fetch]).current_dir(&work).output().unwrap();
    let _ = fs::rename(work.join("unpacked"), &folder);
    let _ = fs::remove_dir_all(&work);
    assert!(
        program.exists(),
        "promtool is needed and could not be fetched; install it (Debian, Ubuntu: apt-get install prometheus): {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    program
}

#[track_caller]
fn passes(output: &Output) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The alerts, as name, expression and the rest of the text.
fn alerts() -> Vec<(String, String, String)> {
    let text = fs::read_to_string(root("ops/prometheus/alerts.yml")).unwrap();
    let alerts = text.split("- alert: ").skip(1).map(|alert| {
        let name = alert.lines().next().unwrap().to_owned();
        let expression = alert.lines().find_map(|line| line.trim().strip_prefix("expr: ")).unwrap();
        (name, expression.trim_matches('\'').to_owned(), alert.to_owned())
    });
    alerts.collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(root("ops/grafana/leaver.json")).unwrap()).unwrap()
}

/// Every expression of the dashboard with the title of its panel.
fn panels() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of = |panel: &Value| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let title = panel["title"].as_str().unwrap().to_owned();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels.flat_map(of).collect()
}

/// The names of metrics in an expression, each with the labels that are asked of it.
fn used(expression: &str) -> BTreeMap<String, BTreeSet<String>> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for prefix in ["leaver_", "process_"] {
        for (at, _) in expression.match_indices(prefix) {
            if expression[..at].ends_with(word) {
                continue;
            }
            let rest = &expression[at..];
            let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            let labels = found.entry(rest[..end].to_owned()).or_default();
            if let Some(selector) = rest[end..].strip_prefix('{') {
                let matchers = selector.split('}').next().unwrap();
                for matcher in matchers.split("\",").filter(|matcher| !matcher.is_empty()) {
                    labels.insert(matcher.split(['=', '!']).next().unwrap().trim().to_owned());
                }
            }
        }
    }
    found
}

/// What is wrong with an expression's metrics.
fn wrong(expression: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, labels) in used(expression) {
        let (family, part) = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| Some((name.strip_suffix(end)?, *end)))
            .filter(|(family, _)| Metric::named(family).is_some())
            .unwrap_or((&name, ""));
        let Some(metric) = Metric::named(family) else {
            wrong.push(format!("there is no {name}"));
            continue;
        };
        if matches!(metric.kind, Kind::Histogram(_)) == part.is_empty() {
            wrong.push(format!("{name} of a {}", metric.kind.as_str()));
        }
        let everywhere = ["instance", "job"];
        let known = |label: &&String| {
            metric.labels.contains(&label.as_str())
                || everywhere.contains(&label.as_str())
                || (part == "_bucket" && *label == "le")
        };
        wrong.extend(
            labels.iter().filter(|label| !known(label)).map(|label| format!("{name} has no {label}")),
        );
    }
    wrong
}

#[test]
fn the_alerts_are_right_and_fire_when_they_should_and_not_before() {
    let folder = root("ops/prometheus");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(promtool());
        command.args(arguments).current_dir(&folder).output().unwrap()
    };
    passes(&run(&["check", "rules", "alerts.yml"]));
    passes(&run(&["test", "rules", "alerts_test.yml"]));
    let tests = fs::read_to_string(folder.join("alerts_test.yml")).unwrap();
    for (name, ..) in alerts() {
        let fires = format!("- expr: count(ALERTS{{alertname=\"{name}\",");
        let values: BTreeSet<&str> = tests
            .split(&fires)
            .skip(1)
            .filter_map(|rest| rest.split("value: ").nth(1)?.split(' ').next())
            .collect();
        assert_eq!(values, BTreeSet::from(["0", "1"]), "{name} is to be seen quiet and firing");
    }
}

#[test]
fn an_alert_with_another_limit_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root("ops/prometheus/alerts.yml")).unwrap();
    let late =
        text.replace("leaver_oldest_unfinished_seconds) > 900", "leaver_oldest_unfinished_seconds) > 9000");
    assert_ne!(late, text);
    fs::write(folder.path().join("alerts.yml"), late).unwrap();
    fs::copy(root("ops/prometheus/alerts_test.yml"), folder.path().join("alerts_test.yml")).unwrap();
    let mut command = Command::new(promtool());
    let output =
        command.args(["test", "rules", "alerts_test.yml"]).current_dir(folder.path()).output().unwrap();
    assert!(!output.status.success());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("LeaverOldestUnfinished"), "{said}");
}

#[test]
fn alerts_and_dashboard_use_metrics_and_labels_that_exist() {
    let mut found = Vec::new();
    let alerts = alerts();
    let expressions = alerts.iter().map(|(name, expression, _)| (name.clone(), expression.clone()));
    for (place, expression) in expressions.chain(panels()) {
        assert!(!used(&expression).is_empty(), "{place}: {expression}");
        found.extend(wrong(&expression).into_iter().map(|wrong| format!("{place}: {wrong}")));
    }
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(wrong("rate(leaver_paused_total[5m])"), ["there is no leaver_paused_total"]);
    assert_eq!(wrong("leaver_acknowledge_seconds"), ["leaver_acknowledge_seconds of a histogram"]);
    assert_eq!(wrong("leaver_held{email=\"x\"}"), ["leaver_held has no email"]);
}

#[test]
fn every_alert_says_what_it_is_how_bad_and_where_to_read_on() {
    let mut names = BTreeSet::new();
    for (name, _, text) in alerts() {
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(text.contains("severity: page\n") || text.contains("severity: ticket\n"), "{name}");
        for field in ["summary: '", "description: '"] {
            assert!(text.contains(field), "{name}: {field}");
        }
        let anchor = format!("runbook_url: docs/runbook.md#{}\n", name.to_lowercase());
        assert!(text.contains(&anchor), "{name}: {anchor}");
    }
    assert!(names.len() > 20, "the alerts are written in another way");
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36));
    assert!(dashboard["id"].is_null() && dashboard["uid"].is_string() && dashboard["title"].is_string());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables
            .iter()
            .any(|variable| variable["type"] == "datasource" && variable["query"] == "prometheus")
    );
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let at = &panel["gridPos"];
        let at = ["x", "y", "w", "h"].map(|side| at[side].as_u64().unwrap());
        assert!(at[0] + at[2] <= 24, "{panel}");
        for x in at[0]..at[0] + at[2] {
            for y in at[1]..at[1] + at[3] {
                assert!(places.insert((x, y)), "two panels at {x}, {y}");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{panel}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_running_service_shows_is_as_prometheus_wants_it() {
    let world = World::new().await;
    let service = busy_service(&world).await;
    let text = scrape(&service).await;
    let check = |text: &str| {
        let mut command = Command::new(promtool());
        command
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    passes(&check(&text));
    let bad = text.replace("# TYPE leaver_ready gauge", "# TYPE leaver_ready counter");
    assert!(!check(&bad).status.success(), "a counter without _total is seen");
}
