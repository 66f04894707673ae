//! Who is meant: under which authority an external id counts, and whether somebody was hired again since.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::offboarding::zone::Zone;

/// The source of the events that the service's own operators make. Their ids are those of the general authority.
pub const OPERATORS_SOURCE: &str = "operator";

/// What the ids of events begin with that are answers of an HRIS that was asked. No sender's id does.
pub const LOOKED_UP: &str = "look-up:";

/// The authority under which the external ids of a source are looked up; `None` where they never are. Two sources may
/// give the same id to different people, so a source's own authority wins, also where it is empty.
pub fn authority_for<'a>(
    general: Option<&'a str>,
    by_source: &'a BTreeMap<String, String>,
    source: &str,
) -> Option<&'a str> {
    let own = by_source.get(source).filter(|_| source != OPERATORS_SOURCE);
    own.map(String::as_str).or(general).filter(|authority| !authority.is_empty())
}

/// What the date of hire says about a termination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hire {
    /// Nothing speaks against the termination; also where no date is known.
    NotLater,
    /// The person was hired after the termination took effect.
    Later,
    /// There is a text that is no date.
    Unreadable,
}

/// Compares the calendar dates of a hire, as Genesys Cloud has it, and of a termination; equal is not later. A
/// termination at a midnight counts for the day that ends then: whoever is hired on the next morning is hired later.
pub fn hire(date_hire: Option<&str>, effective_at: DateTime<Utc>, zone: &Zone) -> Hire {
    let Some(text) = date_hire.filter(|text| !text.is_empty()) else {
        return Hire::NotLater;
    };
    let last_moment = effective_at - TimeDelta::microseconds(1);
    match calendar_date(text) {
        None => Hire::Unreadable,
        Some(hired) if hired > zone.date_of(last_moment) => Hire::Later,
        Some(_) => Hire::NotLater,
    }
}

/// The date of `2026-05-01`, and of a moment as it is written: mostly that is a date with a midnight added.
fn calendar_date(text: &str) -> Option<NaiveDate> {
    let date = match text.split_once('T') {
        Some((date, _)) => DateTime::parse_from_rfc3339(text).is_ok().then_some(date)?,
        None => text,
    };
    // chrono also takes `2026-5-1` and signs.
    if date.len() == "2026-05-01".len() { NaiveDate::parse_from_str(date, "%Y-%m-%d").ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_the_source_comes_before_the_general_one_and_an_empty_one_is_none() {
        let by_source = [("bamboo", "bamboohr"), ("okta", ""), ("operator", "x")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let by_source = BTreeMap::from(by_source);
        let general = |source| authority_for(Some("workday"), &by_source, source);
        assert_eq!(general("bamboo"), Some("bamboohr"));
        assert_eq!(general("workday"), Some("workday"));
        assert_eq!(general("okta"), None);
        assert_eq!(general(OPERATORS_SOURCE), Some("workday"));
        assert_eq!(authority_for(None, &by_source, "workday"), None);
        assert_eq!(authority_for(None, &by_source, "bamboo"), Some("bamboohr"));
    }

    #[test]
    fn a_hire_is_later_by_its_calendar_date_in_the_zone() {
        let berlin: &Zone = &"Europe/Berlin".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        // 17:00 on 1 May in Berlin.
        let noon = at("2026-05-01T15:00:00Z");
        for (text, expected) in [
            ("2026-04-30", Hire::NotLater),
            ("2026-05-01", Hire::NotLater),
            ("2026-05-02", Hire::Later),
            ("2026-05-02T00:00:00Z", Hire::Later),
            ("2026-05-01T23:59:59.000+02:00", Hire::NotLater),
            ("", Hire::NotLater),
            ("May 2nd", Hire::Unreadable),
            ("2026-5-2", Hire::Unreadable),
            ("02.05.2026", Hire::Unreadable),
            ("2026-02-30", Hire::Unreadable),
            ("2026-05-02Tbreakfast", Hire::Unreadable),
        ] {
            assert_eq!(hire(Some(text), noon, berlin), expected, "{text}");
        }
        assert_eq!(hire(None, noon, berlin), Hire::NotLater);
        // The end of 1 May is the first moment of 2 May; in UTC it is still the evening before.
        let end_of_day = at("2026-05-01T22:00:00Z");
        assert_eq!(hire(Some("2026-05-01"), end_of_day, berlin), Hire::NotLater);
        assert_eq!(hire(Some("2026-05-02"), end_of_day, berlin), Hire::Later);
        assert_eq!(hire(Some("2026-05-02"), end_of_day + TimeDelta::hours(1), berlin), Hire::NotLater);
    }
}
