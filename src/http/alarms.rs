//! The alarm about requests that can't be authenticated: loud when a source begins to fail, and rare while it goes on.
//! What the sender is told is left to the endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, Utc};
use metrics::Counter;

use crate::hris::Refusal;

/// While a source fails, it is told again after this time: whoever floods it with forgeries does not flood the log.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Names of headers that one line of the log shows; a rightful sender has fewer.
const NAMES_MAX: usize = 40;

/// Which sources fail at present, in this process. One that has not been heard yet counts as fine.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    failing: Mutex<BTreeMap<String, Failing>>,
    heard: Mutex<BTreeMap<String, Heard>>,
}

/// What this process has heard of a source since it started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// When it was authentic last, and how far this clock was ahead of its timestamp then, in seconds.
    pub(super) authentic: Option<(DateTime<Utc>, Option<i64>)>,
    /// Requests that could not be authenticated since the last one that was.
    pub(super) failures: u64,
    /// The last of them, and its cause.
    pub(super) failed: Option<(DateTime<Utc>, Refusal)>,
}

/// A source whose last request could not be authenticated.
#[derive(Clone, Copy, Debug)]
struct Failing {
    told_at: Instant,
    /// Since the last line.
    untold: u64,
    /// Since it was fine.
    refused: u64,
}

/// What a failure is worth in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    First,
    /// With the number of failures since the last line, this one included.
    Again(u64),
    None,
}

impl Alarms {
    /// For these sources, all of them fine.
    pub(super) fn new<'a>(sources: impl Iterator<Item = &'a String>) -> Self {
        for source in sources {
            show(source, 0.0);
            // At 0 from the start: what appears with its first count never rose, for whoever watches the difference.
            Refusal::ALL.iter().for_each(|cause| refused(source, *cause).increment(0));
            in_doubt(source).increment(0);
        }
        Self::default()
    }

    /// A request of the source could not be authenticated: a mistake with a key, or an attack. Both want a person.
    pub(super) fn failed(
        &self,
        source: &str,
        cause: Refusal,
        remote_address: Option<SocketAddr>,
        headers: &HeaderMap,
    ) {
        refused(source, cause).increment(1);
        show(source, 1.0);
        self.note(source, |heard| {
            heard.failures += 1;
            heard.failed = Some((Utc::now(), cause));
        });
        let line = self.note_failure(source, Instant::now());
        if line == Line::None {
            return;
        }
        let remote_address = remote_address.map(|address| address.ip().to_string()).unwrap_or_default();
        // Never a value: it may be a secret, or text that a stranger wants to see in the log.
        let names = headers.keys().take(NAMES_MAX).map(HeaderName::as_str).collect::<Vec<_>>().join(" ");
        let cause = cause.as_str();
        match line {
            Line::First => tracing::error!(
                source,
                cause,
                remote_address,
                headers = names,
                "a request of this source could not be authenticated, for the first time: a wrong key, or somebody else"
            ),
            Line::Again(refused) => tracing::error!(
                source,
                cause,
                remote_address,
                headers = names,
                refused,
                "requests of this source still can't be authenticated"
            ),
            Line::None => {}
        }
    }

    /// What was heard of a source.
    pub(super) fn heard(&self, source: &str) -> Heard {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(source).copied().unwrap_or_default()
    }

    fn note(&self, source: &str, change: impl FnOnce(&mut Heard)) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        change(heard.entry(source.to_owned()).or_default());
    }

    /// A request of the source was authentic, and this clock so many seconds ahead of its timestamp.
    pub(super) fn succeeded(&self, source: &str, skew_seconds: Option<i64>) {
        self.note(source, |heard| {
            heard.authentic = Some((Utc::now(), skew_seconds));
            heard.failures = 0;
        });
        let ended = self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
        if let Some(failing) = ended {
            show(source, 0.0);
            tracing::info!(source, refused = failing.refused, "requests of this source are authentic again");
        }
    }

    fn note_failure(&self, source: &str, now: Instant) -> Line {
        let mut all = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(failing) = all.get_mut(source) else {
            all.insert(source.to_owned(), Failing { told_at: now, untold: 0, refused: 1 });
            return Line::First;
        };
        failing.untold += 1;
        failing.refused += 1;
        if now.saturating_duration_since(failing.told_at) < TOLD_AGAIN_AFTER {
            return Line::None;
        }
        failing.told_at = now;
        Line::Again(std::mem::take(&mut failing.untold))
    }
}

fn refused(source: &str, cause: Refusal) -> Counter {
    metrics::counter!("leaver_delivery_refusals_total", "source" => source.to_owned(), "cause" => cause.as_str())
}

/// Counts the commits of which nobody knows whether they happened.
pub(super) fn in_doubt(source: &str) -> Counter {
    metrics::counter!("leaver_commits_in_doubt_total", "source" => source.to_owned())
}

fn show(source: &str, failing: f64) {
    metrics::gauge!("leaver_source_failing", "source" => source.to_owned()).set(failing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_goes_on_failing_is_told_every_ten_minutes_with_the_number_in_between() {
        let (alarms, start) = (Alarms::default(), Instant::now());
        let failed_after = |seconds| alarms.note_failure("acme", start + Duration::from_secs(seconds));
        assert_eq!(failed_after(0), Line::First);
        for seconds in [0, 1, 599] {
            assert_eq!(failed_after(seconds), Line::None, "{seconds}");
        }
        assert_eq!(failed_after(600), Line::Again(4));
        assert_eq!(failed_after(1_199), Line::None);
        assert_eq!(failed_after(1_300), Line::Again(2));
        assert_eq!(alarms.note_failure("other", start), Line::First);
        alarms.succeeded("acme", None);
        assert_eq!(failed_after(1_301), Line::First);
    }
}
