//! The list of metrics, what the sources emit, what a running service shows, and what docs/metrics.md says: one and the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use leaver::store::Store;
use leaver::telemetry::metrics::{Kind, METRICS, Metric, Origin};
use leaver_simulator::presets;
use leaver_simulator::proxy::Proxy;

use crate::edge::{Answer, ready};
use crate::process::until;
use crate::support::{Service, World, client, signed, termination};

const WRITE: &str = "LEAVER_WRITE_DOCS";

/// The longest that a scrape may take, also where the database says nothing.
const SCRAPE_MAX: Duration = Duration::from_secs(2);

/// An answer of the database that never comes in time.
const NEVER: Duration = Duration::from_secs(60);

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The shipped text of every source but the list.
fn sources() -> Vec<(String, String)> {
    let (mut folders, mut found) = (vec![root("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("telemetry/metrics.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let shipped = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path.display().to_string(), shipped));
            }
        }
    }
    found
}

/// Every name in quotes that a metric could have.
fn names_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for head in ["\"leaver_", "\"process_"] {
        for (at, _) in text.match_indices(head) {
            let quoted = &text[at + 1..];
            let end = quoted.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(quoted.len());
            // The channel of the database that wakes workers has a name like that.
            if quoted[end..].starts_with('"') && &quoted[..end] != "leaver_wake" {
                names.insert(quoted[..end].to_owned());
            }
        }
    }
    names
}

/// A macro's arguments: what stands before the parenthesis that closes it.
fn arguments(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &rest[..end.expect("the end of the macro")]
}

/// What is counted by the recorder's macros: name, macro and labels.
fn emitted(text: &str) -> Vec<(String, &'static str, Vec<String>)> {
    let mut found = Vec::new();
    for kind in ["counter", "gauge", "histogram"] {
        let head = format!("metrics::{kind}!(");
        for (at, _) in text.match_indices(&head) {
            let inside = arguments(&text[at + head.len()..]);
            let Some(name) = inside.split('"').nth(1) else { continue };
            let labels = inside.split(" =>").collect::<Vec<_>>();
            let labels = labels[..labels.len() - 1].iter().filter_map(|before| before.rsplit('"').nth(1));
            found.push((name.to_owned(), kind, labels.map(str::to_owned).collect()));
        }
    }
    found
}

#[test]
fn every_metric_of_the_sources_stands_in_the_list_and_the_reverse() {
    let cookies = ["leaver_session", "leaver_sign_in"].map(str::to_owned);
    let named: BTreeSet<String> = sources().iter().flat_map(|(_, text)| names_in(text)).collect();
    let in_sources = &named - &BTreeSet::from(cookies);
    let in_list: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(in_list.len(), METRICS.len(), "a name stands in the list twice");
    assert_eq!(&in_sources - &in_list, BTreeSet::new(), "emitted, and not in the list");
    assert_eq!(&in_list - &in_sources, BTreeSet::new(), "in the list, and never emitted");
}

#[test]
fn what_is_counted_has_the_kind_and_the_labels_of_the_list() {
    let mut seen = 0;
    for (path, text) in sources() {
        for (name, kind, labels) in emitted(&text) {
            let metric = Metric::named(&name).unwrap_or_else(|| panic!("{path}: {name}"));
            assert_eq!(metric.kind.as_str(), kind, "{path}: {name}");
            assert_eq!(metric.labels, labels, "{path}: {name}");
            assert_eq!(metric.origin, Origin::Counted, "{path}: {name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "the macros are written in another way: {seen}");
}

#[test]
fn names_and_meanings_keep_to_the_customs() {
    for metric in METRICS {
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(
            metric.meaning.ends_with('.') && !metric.meaning.contains(['\n', '\\', '|']),
            "{}",
            metric.name
        );
        for label in metric.labels {
            let personal = ["email", "person", "worker", "user", "name", "offboarding", "event_id"];
            assert!(!personal.contains(label), "{}", metric.name);
        }
    }
}

/// The families of an exposition: kind, help, and the sets of labels that are shown.
fn families(text: &str) -> BTreeMap<String, (String, String, BTreeSet<Vec<String>>)> {
    let mut families: BTreeMap<String, (String, String, BTreeSet<Vec<String>>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().1);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().0);
        } else if let Some(name) = line.split([' ', '{']).next().filter(|name| !name.is_empty()) {
            let parts = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = match parts {
                Some(family) if families.contains_key(family) => family,
                Some(_) | None => name,
            };
            let labels = line.split_once('{').map(|(_, rest)| rest.split('}').next().unwrap_or_default());
            let labels = labels.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
            let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le").collect();
            families.entry(name.to_owned()).or_default().2.insert(labels);
        }
    }
    families
}

pub(crate) async fn scrape(service: &Service) -> String {
    let answer = client().get(format!("{}/metrics", service.admin)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// A service that has taken out somebody, refused somebody and held somebody.
pub(crate) async fn busy_service(world: &World) -> Service {
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    let service = world.serve(
        "requests_per_minute = 3000\n[policy]\nperson_not_found = \"hold\"\nnot_found_recheck = \"100ms\"\n\
         [worker]\npoll = \"20ms\"\nretry_base = \"10ms\"\n",
        &["serve"],
    );
    ready(&service).await;
    assert_eq!(service.deliver(&termination("e1", "W1", "jane@example.com")).await.0, 202);
    assert_eq!(service.deliver(&termination("e2", "W2", "nobody@example.com")).await.0, 202);
    let forged = signed(&service.public, b"{}", "a-secret-of-nobody-at-all-01").send().await.unwrap();
    assert_eq!(forged.status(), 401);
    until("one is done and one is held", Duration::from_secs(60), async || {
        let text = scrape(&service).await;
        text.contains("leaver_offboardings{status=\"done\"")
            && text.contains("leaver_offboardings{status=\"held\"")
    })
    .await;
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_shows_what_the_list_says_and_nothing_else() {
    let world = World::new().await;
    let service = busy_service(&world).await;
    let text = scrape(&service).await;
    let shown = families(&text);
    for (name, (kind, help, labels)) in &shown {
        let metric = Metric::named(name).unwrap_or_else(|| panic!("{name} is in no list"));
        assert_eq!((kind.as_str(), help.as_str()), (metric.kind.as_str(), metric.meaning), "{name}");
        for labels in labels {
            assert_eq!(metric.labels, labels, "{name}");
        }
    }
    for metric in METRICS.iter().filter(|metric| metric.shown.is_empty()) {
        let arrived = shown.contains_key(metric.name);
        assert!(arrived, "{} is to be shown always", metric.name);
    }
    // Of what comes on occasion, this was one.
    for name in [
        "leaver_deliveries_total",
        "leaver_timestamp_skew_seconds",
        "leaver_last_delivery_timestamp_seconds",
        "leaver_step_seconds",
        "leaver_genesys_calls_total",
        "leaver_genesys_call_seconds",
        "process_open_fds",
    ] {
        assert!(shown.contains_key(name), "{name}");
    }
    for line in [
        "leaver_ready 1",
        "leaver_database_up 1",
        "leaver_held{reason=\"brake\"} 0",
        "leaver_leases{state=\"expired\"} 0",
        "leaver_genesys_budget_limit 3000",
        "leaver_attempts_total{result=\"done\"} 1",
        "leaver_timestamp_skew_seconds_bucket{source=\"workday\",le=\"60\"} 2",
        "leaver_delivery_refusals_total{source=\"workday\",cause=\"wrong_signature\"} 1",
        "leaver_delivery_refusals_total{source=\"workday\",cause=\"stale\"} 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(!text.contains("jane") && !text.contains("W1"), "{text}");
}

#[tokio::test]
async fn what_a_source_answers_when_it_is_asked_is_no_delivery() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    assert_eq!(service.deliver(&termination("e1", "W1", "jane@example.com")).await.0, 202);
    let last = "leaver_last_delivery_timestamp_seconds{source=\"workday\"}";
    world.sql("update events set received_at = now() - interval '9 days'").await;
    let silent = service.metric(last).await.expect("a delivery");
    // As the answer to a question is stored.
    world
        .sql("insert into events select (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(),
                  'event_id', 'look-up:' || e.event_id, 'received_at', now(), 'arrival', e.arrival + 1))).* from events e")
        .await;
    assert_eq!(service.metric(last).await, Some(silent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_is_answered_in_time_where_the_database_says_nothing() {
    let world = World::new().await;
    let upstream = world.database.url().to_owned();
    let proxy = Proxy::start(&upstream).unwrap();
    let url = proxy.url_for(&upstream).unwrap();
    let service = world.serve_edited("", &["serve", "--no-worker"], |text| {
        text.replace(&format!("{upstream:?}"), &format!("{url:?}"))
    });
    ready(&service).await;
    assert!(scrape(&service).await.contains("\nleaver_database_up 1\n"));
    proxy.set_answer_delay(NEVER);
    for scraped in 0..3 {
        let answer = Answer::get(format!("{}/metrics", service.admin)).await;
        assert!(answer.took < SCRAPE_MAX, "{:?}", answer.took);
        let text = answer.text();
        assert!(text.contains("\nleaver_database_up 0\n"), "{text}");
        // A write of a moment ago is trusted for a second; the first scrape takes longer than that.
        assert!(scraped == 0 || text.contains("\nleaver_ready 0\n"), "{text}");
        assert!(!text.contains("leaver_offboardings"), "what nobody knows is not shown");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_of_fifty_thousand_offboardings_cost_a_fraction_of_a_second() {
    let world = World::new().await;
    world
        .sql(
            "insert into offboardings (id, status, outcome, source, email, email_key, effective_at, available_at, completed_at)
             select gen_random_uuid(), 'done', 'offboarded', 'workday', n || '@example.com', n || '@example.com',
                    now() - interval '1 day', now(), now() from generate_series(1, 49500) n;
             insert into offboardings (id, status, reason, source, email, email_key, effective_at, available_at)
             select gen_random_uuid(), 'held', 'ambiguous_person', 'workday', 'h' || n || '@example.com', 'h' || n || '@example.com',
                    now() - interval '2 days', now() from generate_series(1, 500) n;
             insert into events (id, source, event_id, received_at, content_digest, body, key_index, disposition)
             select gen_random_uuid(), 'workday', n::text, now() - n * interval '1 second', '', '', 0, 'accepted'
             from generate_series(1, 50000) n;
             analyze",
        )
        .await;
    let store = Store::open(world.database.url()).unwrap();
    let sources = vec!["workday".to_owned(), "silent".to_owned()];
    store.figures(sources.clone()).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let figures = store.figures(sources.clone()).await.unwrap();
        took.push(begun.elapsed());
        assert_eq!(figures.offboardings.iter().map(|count| count.count).sum::<i64>(), 50_000);
        assert!(figures.oldest_unfinished_seconds > 172_000.0);
        assert_eq!(figures.last_deliveries.len(), 1, "a source that was never heard has no time");
    }
    let best = took.iter().min().unwrap();
    assert!(*best < Duration::from_millis(500), "{took:?}");
}

/// The table of docs/metrics.md.
fn table() -> String {
    let mut text = "| metric | kind | of the | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in METRICS {
        let labels = metric.labels.join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let shown = if metric.shown.is_empty() { String::new() } else { format!(" Shown {}.", metric.shown) };
        let (name, kind, origin) = (metric.name, metric.kind.as_str(), metric.origin);
        text.push_str(&format!("| `{name}{labels}` | {kind} | {origin} | {}{shown} |\n", metric.meaning));
    }
    text
}

#[test]
fn the_page_says_what_the_list_says() {
    let path = root("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- generated: metrics -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end -->").unwrap();
    let now = format!("{head}<!-- generated: metrics -->\n{}<!-- end -->{tail}", table());
    if std::env::var_os(WRITE).is_some() {
        return fs::write(&path, now).unwrap();
    }
    assert!(now == page, "docs/metrics.md is not what the list says: {WRITE}=1 writes it anew");
}

#[test]
fn a_counted_thing_that_stands_in_no_list_is_seen() {
    let text =
        "metrics::counter!(\"leaver_x_total\", \"source\" => a.to_owned(), \"result\" => b)\n.increment(1)";
    assert_eq!(names_in(text), BTreeSet::from(["leaver_x_total".to_owned()]));
    let labels = vec!["source".to_owned(), "result".to_owned()];
    assert_eq!(emitted(text), [("leaver_x_total".to_owned(), "counter", labels)]);
}
