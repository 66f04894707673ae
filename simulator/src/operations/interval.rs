//! Intervals of queries: two moments in ISO-8601, joined by a slash.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Call, text};
use crate::answer::Problem;

/// A span of time that includes its start and not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

impl Interval {
    /// Reads the field `interval` of a query; refuses what is no span of time or longer than so many days.
    pub(super) fn of(call: &Call<'_>, days_max: Option<u32>) -> Result<Self, Problem> {
        let interval = Self::in_body(call.body)?;
        match days_max {
            Some(days) if interval.end - interval.start > TimeDelta::days(i64::from(days)) => {
                Err(Problem::bad_request(&format!("The interval must not exceed {days} days.")))
            }
            Some(_) | None => Ok(interval),
        }
    }

    /// Reads the field `interval` of a query, however long.
    pub(super) fn in_body(body: &Value) -> Result<Self, Problem> {
        let sent = text(body, "interval");
        let refusal = || Problem::bad_request(&format!("[{sent}] is no interval of two dates."));
        Self::parse(sent).ok_or_else(refusal)
    }

    fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('/')?;
        let interval = Self { start: moment(start)?, end: moment(end)? };
        (interval.start < interval.end).then_some(interval)
    }

    pub(super) fn contains(self, moment: DateTime<Utc>) -> bool {
        self.start <= moment && moment < self.end
    }

    /// Tells whether a moment lies on a day that the interval touches.
    pub(super) fn touches_day_of(self, moment: DateTime<Utc>) -> bool {
        let day = moment.date_naive();
        self.start.date_naive() <= day && day <= self.end.date_naive()
    }
}

/// Reads a date field, if it was sent.
pub(super) fn date(body: &Value, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let sent = text(body, name);
    if sent.is_empty() {
        return Ok(None);
    }
    let message = "Dates must be specified as ISO-8601 strings. For example: yyyy-MM-ddTHH:mm:ss.SSSZ";
    moment(sent).map(Some).ok_or_else(|| Problem::new(400, "invalid.date", message))
}

/// Reads a moment; one without a zone is in UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|moment| moment.and_utc());
    zoned.or_else(|_| plain()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_two_moments_in_their_order_with_or_without_a_zone() {
        let interval = Interval::parse("2026-08-01T00:00:00/2026-08-02T12:00:00.500Z").unwrap();
        assert_eq!((interval.end - interval.start).num_hours(), 36);
        assert!(interval.contains(interval.start) && !interval.contains(interval.end));
        for broken in ["", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z/2026-08-01T00:00:00Z", "a/b"] {
            assert_eq!(Interval::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn an_interval_touches_the_whole_of_its_first_and_last_day() {
        let interval = Interval::parse("2026-08-01T12:00:00Z/2026-08-02T12:00:00Z").unwrap();
        assert!(interval.touches_day_of(moment("2026-08-01T00:00:00Z").unwrap()));
        assert!(interval.touches_day_of(moment("2026-08-02T23:00:00Z").unwrap()));
        assert!(!interval.touches_day_of(moment("2026-07-31T23:59:59Z").unwrap()));
    }
}
