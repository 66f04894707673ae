//! When a call may begin: the contract with whoever paces all replicas together, and this process's own memory of
//! a `Retry-After`. The budget itself is kept elsewhere.

use std::{
    error::Error as StdError,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The shortest pause after a 429: a `Retry-After` of 0, a negative or an unreadable one must not make a busy loop.
pub const THROTTLE_MIN: Duration = Duration::from_secs(1);

/// The longest pause after a 429: Genesys counts in windows of a minute, so a longer one is a mistake, and obeying it
/// would let a single answer stop all offboardings for days.
pub const THROTTLE_MAX: Duration = Duration::from_secs(5 * 60);

/// Hands out the permission to call Genesys, for all replicas together.
#[async_trait]
pub trait Pacer: Send + Sync {
    /// Waits until `calls` HTTP requests may begin and takes them from the budget.
    async fn reserve(&self, calls: u32) -> Result<Permits, PacerError>;

    /// How long all replicas still have to keep silent; asked before a permit of an earlier reservation is used.
    async fn pause(&self) -> Result<Duration, PacerError>;

    /// Learns what Genesys said about its limits. Failures are the pacer's own to handle.
    async fn announced(&self, notice: Notice);
}

/// Allows a number of HTTP requests to begin, each once, until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permits {
    /// How many requests may begin.
    pub calls: u32,
    /// The moment from which the permits count for nothing.
    pub valid_until: Instant,
}

/// What Genesys said about its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The requests that Genesys allows in a minute (`inin-ratelimit-allowed`); at least 1.
    AllowedPerMinute(u32),
    /// Genesys wants no request for this long, counted from now.
    Throttled(Duration),
}

/// Reports that the pacer could not grant a permit, for example because its database is away.
#[derive(Debug, thiserror::Error)]
#[error("the budget of calls could not be asked for a permit")]
pub struct PacerError(#[source] Box<dyn StdError + Send + Sync>);

impl PacerError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Permits that were reserved together, for the calls of one handle.
#[derive(Debug)]
pub(super) struct Stash(Mutex<Permits>);

impl Stash {
    pub(super) fn new(permits: Permits) -> Self {
        Self(Mutex::new(permits))
    }

    /// Tells whether so many permits are left that are still good.
    pub(super) fn has(&self, calls: u32, now: Instant) -> bool {
        let permits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now < permits.valid_until && permits.calls >= calls
    }

    /// Takes one permit that is still good, and gives the moment until which it is.
    pub(super) fn take(&self, now: Instant) -> Option<Instant> {
        let mut permits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if permits.valid_until <= now {
            permits.calls = 0;
        }
        permits.calls = permits.calls.checked_sub(1)?;
        Some(permits.valid_until)
    }
}

/// Remembers until when Genesys wants silence, so that no task of this process sends inside a `Retry-After` on a
/// permit that is older than the 429.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Instant>>);

impl Gate {
    pub(super) fn close_for(&self, pause: Duration, now: Instant) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(now + pause));
    }

    /// Gives how long the gate stays closed, `None` when it is open.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        let until = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        until.checked_duration_since(now).filter(|pause| !pause.is_zero())
    }
}

/// Reads `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3). `None` where there is none or it can't be read.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = DateTime::parse_from_rfc2822(text).ok()?;
    Some((moment.to_utc() - DateTime::<Utc>::from(now)).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn read(value: &str, now: SystemTime) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = SystemTime::from(DateTime::parse_from_rfc2822("Wed, 21 Oct 2026 07:28:00 GMT").unwrap());
        let table = [
            ("17", Some(17)),
            ("0", Some(0)),
            ("1000000000", Some(1_000_000_000)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2026 07:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
            ("99999999999999999999999", None),
        ];
        for (text, seconds) in table {
            assert_eq!(read(text, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_stash_gives_each_permit_once_and_none_after_its_time() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let stash = Stash::new(Permits { calls: 2, valid_until: until });
        assert_eq!(stash.take(now), Some(until));
        assert_eq!(stash.take(until), None);
        assert_eq!(stash.take(now), None, "a lapsed permit does not come back");
    }

    #[test]
    fn a_later_and_shorter_pause_does_not_open_the_gate_earlier() {
        let (gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.closed_for(now), None);
        gate.close_for(Duration::from_secs(9), now);
        gate.close_for(Duration::from_secs(2), now);
        assert_eq!(gate.closed_for(now), Some(Duration::from_secs(9)));
        assert_eq!(gate.closed_for(now + Duration::from_secs(9)), None);
    }
}
