//! Which moment a date means: never an early one.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::event::Effective;

/// Longer than any gap: no zone has skipped more than a day at once (Samoa, 2011).
const GAP_SECONDS_MAX: i64 = 25 * 3600;

/// Makes a moment of what the sender said; `None` where nothing or nothing readable was said.
pub fn effective_moment(effective: &Effective, zone: Tz, time_of_day: EffectiveAt) -> Option<DateTime<Utc>> {
    match effective {
        Effective::At(at) => Some(*at),
        Effective::On(date) => moment_of_date(*date, zone, time_of_day),
        Effective::Local(local) => resolve_local(*local, zone),
        Effective::Missing | Effective::Unreadable => None,
    }
}

fn moment_of_date(date: NaiveDate, zone: Tz, time_of_day: EffectiveAt) -> Option<DateTime<Utc>> {
    let local = match time_of_day {
        EffectiveAt::StartOfDay => date.and_time(NaiveTime::MIN),
        EffectiveAt::EndOfDay => date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN),
        EffectiveAt::At(time) => date.and_time(time),
    };
    resolve_local(local, zone)
}

/// The latest moment that a local time can mean: of two in an overlap the later one, and in a gap the moment at which
/// the clocks have jumped, because acting early locks a working person out. `None` beyond the calendar's end.
pub fn resolve_local(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let moment = |local: &NaiveDateTime| zone.from_local_datetime(local).latest();
    if let Some(at) = moment(&local) {
        return Some(at.with_timezone(&Utc));
    }
    // In a gap. Its end is looked for in whole seconds: clocks never jump within one.
    let local = local.with_nanosecond(0)?;
    let later = |seconds: i64| local.checked_add_signed(TimeDelta::seconds(seconds));
    let (mut skipped, mut there) = (0, GAP_SECONDS_MAX);
    while there - skipped > 1 {
        let middle = skipped + (there - skipped) / 2;
        match moment(&later(middle)?) {
            Some(_) => there = middle,
            None => skipped = middle,
        }
    }
    moment(&later(there)?).map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_of_a_day_is_the_first_moment_of_the_next_in_the_sources_zone() {
        let date = Effective::On("2026-03-10".parse().unwrap());
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(effective_moment(&date, berlin, EffectiveAt::EndOfDay), Some(at("2026-03-10T23:00:00Z")));
        assert_eq!(
            effective_moment(&date, berlin, EffectiveAt::StartOfDay),
            Some(at("2026-03-09T23:00:00Z"))
        );
    }

    #[test]
    fn a_time_that_clocks_skip_or_repeat_is_never_early() {
        let berlin = chrono_tz::Europe::Berlin;
        let half_past_two = EffectiveAt::At("02:30:00".parse().unwrap());
        let gap = Effective::On("2026-03-29".parse().unwrap());
        let overlap = Effective::On("2026-10-25".parse().unwrap());
        assert_eq!(effective_moment(&gap, berlin, half_past_two), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(effective_moment(&overlap, berlin, half_past_two), Some(at("2026-10-25T01:30:00Z")));
        let odd = "2026-03-29T02:17:09.5".parse().unwrap();
        assert_eq!(resolve_local(odd, berlin), Some(at("2026-03-29T01:00:00Z")), "no later than the jump");
    }
}
