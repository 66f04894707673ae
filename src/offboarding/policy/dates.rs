//! Which moment a date means: never an early one.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::event::Effective;
use crate::offboarding::zone::Zone;

/// Makes a moment of what the sender said; `None` where nothing or nothing readable was said.
pub fn effective_moment(
    effective: &Effective,
    zone: &Zone,
    time_of_day: EffectiveAt,
) -> Option<DateTime<Utc>> {
    match effective {
        Effective::At(at) => Some(*at),
        Effective::On(date) => moment_of_date(*date, zone, time_of_day),
        Effective::Local(local) => zone.latest(*local),
        Effective::Missing | Effective::Unreadable => None,
    }
}

fn moment_of_date(date: NaiveDate, zone: &Zone, time_of_day: EffectiveAt) -> Option<DateTime<Utc>> {
    let local = match time_of_day {
        EffectiveAt::StartOfDay => date.and_time(NaiveTime::MIN),
        EffectiveAt::EndOfDay => date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN),
        EffectiveAt::At(time) => date.and_time(time),
    };
    zone.latest(local)
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
        let berlin: &Zone = &"Europe/Berlin".parse().unwrap();
        assert_eq!(effective_moment(&date, berlin, EffectiveAt::EndOfDay), Some(at("2026-03-10T23:00:00Z")));
        assert_eq!(
            effective_moment(&date, berlin, EffectiveAt::StartOfDay),
            Some(at("2026-03-09T23:00:00Z"))
        );
    }

    #[test]
    fn a_time_that_clocks_skip_or_repeat_is_never_early() {
        let berlin: &Zone = &"Europe/Berlin".parse().unwrap();
        let half_past_two = EffectiveAt::At("02:30:00".parse().unwrap());
        let gap = Effective::On("2026-03-29".parse().unwrap());
        let overlap = Effective::On("2026-10-25".parse().unwrap());
        assert_eq!(effective_moment(&gap, berlin, half_past_two), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(effective_moment(&overlap, berlin, half_past_two), Some(at("2026-10-25T01:30:00Z")));
    }
}
