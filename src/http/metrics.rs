//! `GET /metrics`: what this process counted, and what is read when it is asked for. A gauge that is only ever set keeps
//! showing a status that nobody has any more, so whatever lives in the database is read and written out here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::health::Health;
use crate::offboarding::choices::Mode;
use crate::offboarding::{Reason, Status};
use crate::store::Store;
use crate::store::figures::Figures;
use crate::store::progress::BrakeLimits;
use crate::telemetry::metrics::Metric;

/// Whoever scrapes gives up after some seconds; what a silent database knows has to be missing by then, and not everything.
const DATABASE_DEADLINE: Duration = Duration::from_millis(1_500);

/// What a scrape needs besides the recorder's own numbers.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: PrometheusHandle,
    store: Store,
    health: Health,
    facts: Facts,
    started: SystemTime,
    /// One scrape at a time reads the database, however many ask.
    one_at_a_time: Mutex<()>,
}

/// What the metrics say of the configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whether anything is changed.
    pub mode: Mode,
    /// The brake's limits.
    pub brake: BrakeLimits,
    /// The configured budget of calls.
    pub calls_per_minute: u32,
    /// Whether the audit chain is signed.
    pub checkpoints: bool,
    /// The names of all sources.
    pub sources: Vec<String>,
}

impl Metrics {
    /// Of a process that starts now.
    pub fn new(recorder: PrometheusHandle, store: Store, health: Health, facts: Facts) -> Self {
        let (started, one_at_a_time) = (SystemTime::now(), Mutex::default());
        Self { inner: Arc::new(Inner { recorder, store, health, facts, started, one_at_a_time }) }
    }

    /// The route. Whoever reaches the admin listener may read it: it names nobody.
    pub(super) fn routes<S: Clone + Send + Sync + 'static>(self) -> OpenApiRouter<S> {
        OpenApiRouter::new().routes(routes!(metrics)).with_state(self)
    }
}

/// Shows the metrics in Prometheus's text format. It needs no token: whoever reaches this listener may read them.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", security(()),
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain; version=0.0.4")),
)]
async fn metrics(State(metrics): State<Metrics>) -> Response {
    let inner = &metrics.inner;
    let figures = async {
        let _only = inner.one_at_a_time.lock().await;
        inner.store.figures(inner.facts.sources.clone()).await
    };
    // Together: a silent database must not be waited for twice.
    let (figures, ready) =
        tokio::join!(tokio::time::timeout(DATABASE_DEADLINE, figures), inner.health.is_ready());
    let figures = match figures {
        Ok(Ok(figures)) => Some(figures),
        Ok(Err(_)) | Err(_) => None,
    };
    let mut text = Exposition(inner.recorder.render());
    text.one("leaver_ready", truth(ready));
    text.one("leaver_database_up", truth(figures.is_some()));
    of_process(&mut text, inner);
    if let Some(figures) = &figures {
        of_work(&mut text, figures);
        of_limits(&mut text, figures, &inner.facts);
        of_record(&mut text, figures, &inner.facts);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.0).into_response()
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn of_process(text: &mut Exposition, inner: &Inner) {
    let dry = match inner.facts.mode {
        Mode::Live => false,
        Mode::DryRun => true,
    };
    text.one("leaver_dry_run", truth(dry));
    text.all("leaver_build_info", [(vec![env!("CARGO_PKG_VERSION")], 1.0)]);
    let limits = inner.facts.brake;
    text.all(
        "leaver_brake_limit",
        [(vec!["hour"], f64::from(limits.per_hour)), (vec!["day"], f64::from(limits.per_day))],
    );
    let pools = inner.store.connections();
    text.all(
        "leaver_pool_connections",
        pools.iter().flat_map(|pool| {
            [(vec![pool.name, "busy"], f64::from(pool.busy)), (vec![pool.name, "idle"], f64::from(pool.idle))]
        }),
    );
    let started = inner.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    text.one("process_start_time_seconds", started.as_secs_f64());
    let known = [
        ("process_resident_memory_bytes", resident_bytes()),
        ("process_open_fds", std::fs::read_dir("/proc/self/fd").ok().map(|open| number(open.count()))),
        ("process_max_fds", descriptors_max()),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            text.one(name, value);
        }
    }
}

fn of_work(text: &mut Exposition, figures: &Figures) {
    text.one("leaver_paused", truth(figures.paused));
    text.one("leaver_oldest_unfinished_seconds", figures.oldest_unfinished_seconds);
    let mut held: BTreeMap<&str, i64> = Reason::ALL.iter().map(|reason| (reason.as_str(), 0)).collect();
    for count in figures.offboardings.iter().filter(|count| count.status == Status::Held.as_str()) {
        *held.entry(&count.reason).or_default() += count.count;
    }
    text.one("leaver_brake_held", whole(held.get(Reason::Brake.as_str()).copied().unwrap_or_default()));
    text.all("leaver_held", held.iter().map(|(reason, count)| (vec![*reason], whole(*count))));
    text.all(
        "leaver_offboardings",
        figures.offboardings.iter().map(|count| {
            (vec![count.status.as_str(), count.outcome.as_str(), count.reason.as_str()], whole(count.count))
        }),
    );
    text.all(
        "leaver_leases",
        [(vec!["held"], whole(figures.leases_held)), (vec!["expired"], whole(figures.leases_expired))],
    );
    let last = figures.last_deliveries.iter();
    text.all(
        "leaver_last_delivery_timestamp_seconds",
        last.map(|(source, at)| (vec![source.as_str()], at.timestamp_micros() as f64 / 1e6)),
    );
}

fn of_limits(text: &mut Exposition, figures: &Figures, facts: &Facts) {
    let used = figures.brake;
    text.all("leaver_brake_used", [(vec!["hour"], whole(used.hour)), (vec!["day"], whole(used.day))]);
    let announced = figures.calls_announced.unwrap_or(facts.calls_per_minute);
    text.one("leaver_genesys_budget_limit", f64::from(announced.min(facts.calls_per_minute)));
    text.one("leaver_genesys_budget_used", whole(figures.calls_reserved));
    text.one("leaver_genesys_blocked_seconds", figures.calls_blocked_seconds);
}

/// What others were told, and the audit chain; whether that is signed is said only where it is.
fn of_record(text: &mut Exposition, figures: &Figures, facts: &Facts) {
    text.one("leaver_callbacks_waiting", whole(figures.outbox.waiting));
    text.one("leaver_callbacks_gave_up", whole(figures.outbox.gave_up));
    text.one("leaver_callbacks_oldest_seconds", figures.outbox.oldest_seconds);
    text.one("leaver_audit_entries", whole(figures.audit.entries));
    if facts.checkpoints {
        text.one("leaver_audit_checkpoint_age_seconds", figures.audit.uncovered_seconds);
        text.one("leaver_audit_ok", truth(figures.audit.ok));
    }
}

/// Counts stay far below 2^53, up to which a float holds them exactly.
fn whole(count: i64) -> f64 {
    count as f64
}

fn number(count: usize) -> f64 {
    whole(i64::try_from(count).unwrap_or(i64::MAX))
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn descriptors_max() -> Option<f64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Prometheus's text format.
struct Exposition(String);

impl Exposition {
    fn one(&mut self, name: &'static str, value: f64) {
        self.all(name, [(Vec::new(), value)]);
    }

    /// Writes one metric with a value for each list of labels; nothing where there is none.
    fn all<'a>(&mut self, name: &'static str, values: impl IntoIterator<Item = (Vec<&'a str>, f64)>) {
        // A test walks the list and the sources: whatever is written here stands in it.
        let Some(metric) = Metric::named(name) else { return };
        let mut head = format!("# HELP {name} {}\n# TYPE {name} {}\n", metric.meaning, metric.kind.as_str());
        for (labels, value) in values {
            let _ = write!(head, "{name}");
            for (at, (label, text)) in metric.labels.iter().zip(&labels).enumerate() {
                let _ = write!(head, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text));
            }
            let _ = writeln!(head, "{} {value}", if labels.is_empty() { "" } else { "}" });
            self.0.push_str(&std::mem::take(&mut head));
        }
    }
}

/// Words of ours need it not, but a label that ends early would change what all the following lines say.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_without_values_leaves_no_head_and_a_hostile_label_stays_within_its_quotes() {
        let mut text = Exposition(String::new());
        text.all("leaver_brake_used", []);
        assert_eq!(text.0, "");
        text.all("leaver_brake_used", [(vec!["a\"} 1\nb\\"], 2.0), (vec!["day"], 3.5)]);
        let lines: Vec<&str> = text.0.lines().skip(2).collect();
        assert_eq!(
            lines,
            ["leaver_brake_used{window=\"a\\\"} 1\\nb\\\\\"} 2", "leaver_brake_used{window=\"day\"} 3.5"]
        );
    }
}
