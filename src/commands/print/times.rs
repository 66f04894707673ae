//! Moments as people say them: the moment itself, and how far it is from now.

use chrono::{DateTime, TimeDelta, Utc};

/// The moment, to the minute, and how long ago it was or how soon it is.
pub(super) fn both(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", absolute(at), relative(at, now))
}

/// The moment to the minute.
pub(super) fn absolute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// How far off, in the largest unit that fits.
pub(super) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let far = at - now;
    let size = far.abs();
    let amount = match size {
        _ if size < TimeDelta::seconds(60) => format!("{} s", size.num_seconds()),
        _ if size < TimeDelta::minutes(60) => format!("{} min", size.num_minutes()),
        _ if size < TimeDelta::hours(48) => format!("{} h", size.num_hours()),
        _ => format!("{} days", size.num_days()),
    };
    if far > TimeDelta::zero() { format!("in {amount}") } else { format!("{amount} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_from_now_in_the_largest_unit_that_fits() {
        let now = DateTime::UNIX_EPOCH;
        for (seconds, words) in [
            (0, "0 s ago"),
            (-59, "59 s ago"),
            (-60, "1 min ago"),
            (3599, "in 59 min"),
            (-7200, "2 h ago"),
            (172_800, "in 2 days"),
        ] {
            assert_eq!(relative(now + TimeDelta::seconds(seconds), now), words);
        }
        assert_eq!(both(now + TimeDelta::hours(3), now), "1970-01-01 03:00 UTC (in 3 h)");
    }
}
