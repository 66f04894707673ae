//! Every metric that the service shows, in one list. Help texts, `docs/metrics.md` and the tests walk it; whoever counts
//! something new writes it here first.

use std::fmt;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with the unit last.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels, in the order in which they are shown.
    pub labels: &'static [&'static str],
    /// One sentence, which is its help text too.
    pub meaning: &'static str,
    /// Where the number comes from.
    pub origin: Origin,
    /// Since when, or where, it is shown; empty: always.
    pub shown: &'static str,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises, and begins at 0 with each process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts of observations up to each of these limits.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Counted by this process: add up what all replicas show.
    Counted,
    /// About this process, read when it is asked for.
    Read,
    /// Read from the database when it is asked for: all replicas show the same.
    Shared,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counted | Self::Read => "process",
            Self::Shared => "service",
        })
    }
}

impl Metric {
    const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, labels, meaning, origin: Origin::Counted, shown: "" }
    }

    const fn of_process(self) -> Self {
        Self { origin: Origin::Read, ..self }
    }

    const fn of_service(self) -> Self {
        Self { origin: Origin::Shared, ..self }
    }

    const fn shown(self, shown: &'static str) -> Self {
        Self { shown, ..self }
    }

    /// The metric of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.name == name)
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric::new(name, Kind::Counter, labels, meaning)
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric::new(name, Kind::Gauge, labels, meaning)
}

/// An answer is due within 3 s, and half a second is the promise.
const ANSWERS: Kind = Kind::Histogram(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);

/// Calls of other systems, up to the longest time-out.
const CALLS: Kind = Kind::Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]);

/// A connection is waited for at most 2 s.
const WAITS: Kind = Kind::Histogram(&[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.0]);

/// From clocks in step to the longest window of a sender that never signs anew.
const SKEWS: Kind = Kind::Histogram(&[1.0, 5.0, 15.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0]);

/// Attempts, from nothing to do to a large cohort.
const ATTEMPTS: Kind = Kind::Histogram(&[0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0]);

/// Every metric, in the order of `docs/metrics.md`.
pub const METRICS: &[Metric] = &[
    // What arrives.
    counter(
        "leaver_deliveries_total",
        &["source", "result"],
        "Deliveries answered, by source and what became of each: accepted, held, ignored, \
         duplicate, conflict, unauthenticated, unavailable, unread, unsupported_media, ping or \
         token.",
    )
    .shown("from the first delivery of a source"),
    Metric::new(
        "leaver_acknowledge_seconds",
        ANSWERS,
        &[],
        "The time from a delivery's headers to its answer, in seconds.",
    ),
    counter(
        "leaver_delivery_refusals_total",
        &["source", "cause"],
        "Requests that could not be authenticated, by source and cause.",
    ),
    gauge(
        "leaver_source_failing",
        &["source"],
        "1 where the last request of the source could not be authenticated.",
    ),
    Metric::new(
        "leaver_timestamp_skew_seconds",
        SKEWS,
        &["source"],
        "How far the signed timestamp of an authentic delivery was from this machine's clock, in \
         seconds, whichever was ahead.",
    )
    .shown("from the first authentic delivery of a source that signs a timestamp"),
    counter(
        "leaver_commits_in_doubt_total",
        &["source"],
        "Deliveries that were answered 503 because the commit took too long, and may be stored \
         all the same.",
    ),
    counter(
        "leaver_unknown_events_total",
        &["source"],
        "Events with a word for which the profile has no rule.",
    )
    .shown("from the first such event of a source"),
    counter(
        "leaver_scim_requests_total",
        &["source", "status"],
        "Requests of an identity provider, by source and status.",
    )
    .shown("from the first SCIM request of a source"),
    gauge(
        "leaver_last_delivery_timestamp_seconds",
        &["source"],
        "When the last new event of the source was stored, in seconds since 1970.",
    )
    .of_service()
    .shown("from the first stored event of a source"),
    counter("leaver_look_ups_total", &["source", "result"], "Look-ups in the HRIS, by source and result.")
        .shown("from the first look-up of a source"),
    Metric::new(
        "leaver_look_up_seconds",
        CALLS,
        &["source"],
        "How long a look-up in the HRIS took, in seconds.",
    )
    .shown("from the first look-up of a source"),
    counter(
        "leaver_secrets_read_again_total",
        &["source"],
        "How often the secrets of a source were taken anew from their files.",
    )
    .shown("from the first change of a file"),
    gauge(
        "leaver_secret_file_failing",
        &["source", "key"],
        "1 where a file of secrets can't be used; the secrets of before hold.",
    )
    .shown("from the start, where a secret stands in a file"),
    // Where the work stands.
    gauge(
        "leaver_offboardings",
        &["status", "outcome", "reason"],
        "Offboardings by status, outcome and reason; what does not apply is empty.",
    )
    .of_service()
    .shown("from the first offboarding"),
    gauge("leaver_held", &["reason"], "Offboardings that wait for a person, by reason.").of_service(),
    gauge(
        "leaver_oldest_unfinished_seconds",
        &[],
        "The age of the oldest offboarding that is due and not finished, held ones included; 0 \
         where there is none.",
    )
    .of_service(),
    gauge(
        "leaver_leases",
        &["state"],
        "Offboardings under a lease: held by a live worker, or expired and not taken over yet.",
    )
    .of_service(),
    counter(
        "leaver_leases_taken_over_total",
        &[],
        "Leases that ran out and were taken over: each is a worker that died, hung or lost its \
         database.",
    ),
    counter(
        "leaver_fence_refusals_total",
        &[],
        "Changing calls that were not made because the lease was no longer this worker's.",
    ),
    counter(
        "leaver_attempts_total",
        &["result"],
        "Attempts that ended, by result: postponed, held, failed, done or lost.",
    )
    .shown("from the first attempt"),
    Metric::new("leaver_attempt_seconds", ATTEMPTS, &[], "How long an attempt took, in seconds."),
    Metric::new(
        "leaver_step_seconds",
        CALLS,
        &["step", "operation"],
        "How long a step took with one call or one look, in seconds; the operation is look, \
         remove, unjoin or restore.",
    )
    .shown("from the first use of a step"),
    counter(
        "leaver_step_errors_total",
        &["step", "operation", "code"],
        "Steps that failed, by operation and a code of ours: a status, or a word.",
    )
    .shown("from the first such failure"),
    counter("leaver_protected_hits_total", &[], "Attempts that were held because the person is protected."),
    // The brake.
    gauge("leaver_brake_used", &["window"], "People who were changed within the hour and the day.")
        .of_service(),
    gauge(
        "leaver_brake_limit",
        &["window"],
        "The most people who may be changed within the hour and the day.",
    )
    .of_process(),
    gauge("leaver_brake_held", &[], "Offboardings that wait for an approver because the brake was full.")
        .of_service(),
    counter(
        "leaver_brake_trips_total",
        &[],
        "How often the brake tripped, counted at most once an hour by one of all replicas.",
    ),
    gauge("leaver_paused", &[], "1 where an operator has paused all changes.").of_service(),
    gauge("leaver_dry_run", &[], "1 where policy.mode is dry_run and nothing is changed.").of_process(),
    // Genesys Cloud.
    counter(
        "leaver_genesys_calls_total",
        &["family", "method", "status"],
        "Calls of Genesys Cloud by the first word of the path, method and status; without an \
         answer the status is not_connected, timeout, connection_lost or unsendable.",
    )
    .shown("from the first such call"),
    Metric::new(
        "leaver_genesys_call_seconds",
        CALLS,
        &["family"],
        "How long a call of Genesys Cloud took, in seconds.",
    )
    .shown("from the first such call"),
    counter("leaver_genesys_throttled_total", &[], "Answers of Genesys Cloud that asked for a pause."),
    gauge("leaver_genesys_budget_used", &[], "Calls that were reserved within the last minute.").of_service(),
    gauge(
        "leaver_genesys_budget_limit",
        &[],
        "Calls that may be made in a minute: the configured limit, or a lower one that Genesys \
         Cloud announced.",
    )
    .of_service(),
    gauge(
        "leaver_genesys_blocked_seconds",
        &[],
        "For how long Genesys Cloud still wants no calls; 0 where it takes them.",
    )
    .of_service(),
    // Evidence and callbacks.
    gauge("leaver_audit_entries", &[], "Entries of the audit chain.").of_service(),
    gauge("leaver_audit_ok", &[], "1 where the audit chain was found whole at the last verification.")
        .of_service()
        .shown("where checkpoints are configured"),
    gauge("leaver_audit_checkpoint_age_seconds", &[], "The age of the newest checkpoint of the audit chain.")
        .of_service()
        .shown("from the first checkpoint, where checkpoints are configured"),
    counter(
        "leaver_callbacks_total",
        &["event", "result"],
        "Callbacks that were tried, by event and result.",
    )
    .shown("from the first callback of an event"),
    gauge("leaver_callbacks_gave_up", &[], "Callbacks that were given up and not repeated.").of_service(),
    gauge("leaver_callbacks_waiting", &[], "Callbacks that are not delivered yet.").of_service(),
    gauge(
        "leaver_callbacks_oldest_seconds",
        &[],
        "The age of the oldest callback that is not delivered yet; 0 where there is none.",
    )
    .of_service(),
    // The process.
    gauge("leaver_ready", &[], "1 where /readyz says that a delivery would be stored.").of_process(),
    gauge(
        "leaver_database_up",
        &[],
        "1 where the database answered this scrape in time; without it the figures of the whole \
         service are missing.",
    )
    .of_process(),
    Metric::new(
        "leaver_pool_wait_seconds",
        WAITS,
        &[],
        "How long a transaction waited for its connection, in seconds.",
    ),
    gauge(
        "leaver_pool_connections",
        &["pool", "state"],
        "Connections to the database, by pool and state: idle or busy.",
    )
    .of_process(),
    counter(
        "leaver_trace_exports_total",
        &["result"],
        "Batches of spans handed to the collector, by result: ok or failed.",
    )
    .shown("from the first batch, where traces are configured"),
    gauge("leaver_build_info", &["version"], "1, with the version of this program.").of_process(),
    gauge("process_start_time_seconds", &[], "When this process started, in seconds since 1970.")
        .of_process(),
    gauge("process_resident_memory_bytes", &[], "The memory of this process that is in RAM.")
        .of_process()
        .shown("where /proc is there"),
    gauge("process_open_fds", &[], "File descriptors that are open.")
        .of_process()
        .shown("where /proc is there"),
    gauge("process_max_fds", &[], "The most file descriptors that may be open.")
        .of_process()
        .shown("where /proc is there"),
];

/// The pause between two folds of the histograms: they keep every sample until somebody looks.
const UPKEEP_PAUSE: Duration = Duration::from_secs(5);

/// Starts counting in this process, once: with the list's help texts and limits, and every counter that has no labels at 0,
/// so that its first rise is seen as one.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(limits) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), limits)?;
        }
    }
    let handle = builder.install_recorder()?;
    for metric in METRICS.iter().filter(|metric| metric.origin == Origin::Counted) {
        let always = metric.labels.is_empty() && metric.shown.is_empty();
        match metric.kind {
            Kind::Counter => {
                metrics::describe_counter!(metric.name, metric.meaning);
                if always {
                    metrics::counter!(metric.name).increment(0);
                }
            }
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram(_) => {
                metrics::describe_histogram!(metric.name, metric.meaning);
                if always {
                    let _ = metrics::histogram!(metric.name);
                }
            }
        }
    }
    Ok(handle)
}

/// Folds the histograms for as long as it is polled, also where nobody looks.
pub async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_PAUSE).await;
        metrics.run_upkeep();
    }
}
