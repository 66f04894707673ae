//! Dates and times as senders write them: calendar dates, moments, and local times without a zone.
//! Which moment a date means is left to the policy; nothing that can be read in two ways is read.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use serde_json::Value;

use crate::offboarding::{Effective, Zone};

/// Years outside are slips of the hand or placeholders such as 0001 and 9999. Every zone is held against a second database up
/// to the last of them, where that one ends.
pub(super) const YEARS: std::ops::RangeInclusive<i32> = 1990..=2099;

/// Longer than any form of a date and time, with room for digits of the second.
const LENGTH_MAX: usize = 64;

/// Reads an effective date. Whatever is there and isn't one of the three forms is unreadable, never missing.
pub(super) fn effective(value: Option<&Value>, zone: Option<&Zone>) -> Effective {
    let Some(value) = value else {
        return Effective::Missing;
    };
    match value.as_str().and_then(read) {
        None => Effective::Unreadable,
        Some(Written::Date(date)) => Effective::On(date),
        Some(Written::Moment(moment)) => Effective::At(moment),
        Some(Written::Local(local)) => match zone {
            None => Effective::Local(local),
            Some(zone) => zone.latest(local).map_or(Effective::Unreadable, Effective::At),
        },
    }
}

/// Reads when something is said to have happened, leniently: it orders events of one source and decides nothing
/// else. Numbers are Unix seconds or milliseconds; a time without a zone is taken as the source's, or as UTC.
pub(super) fn occurred_at(value: &Value, zone: Option<&Zone>) -> Option<DateTime<Utc>> {
    // Formats without numbers have their digits.
    let digits = value.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(number) = value.as_i64().or_else(|| digits?.parse().ok()) {
        let seconds = DateTime::from_timestamp(number, 0).filter(plausible);
        return seconds.or_else(|| DateTime::from_timestamp_millis(number).filter(plausible));
    }
    match read(value.as_str()?)? {
        Written::Moment(moment) => Some(moment),
        Written::Local(local) => zone.unwrap_or(&Zone::utc()).latest(local),
        Written::Date(_) => None,
    }
}

/// Reads a date and time with an offset.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    match read(text)? {
        Written::Moment(moment) => Some(moment),
        Written::Local(_) | Written::Date(_) => None,
    }
}

enum Written {
    Date(NaiveDate),
    Moment(DateTime<Utc>),
    Local(NaiveDateTime),
}

/// chrono's own parser for RFC 3339 refuses `+0000` and times without an offset, both of which are sent.
fn read(text: &str) -> Option<Written> {
    if !text.is_ascii() || text.len() > LENGTH_MAX {
        return None;
    }
    let (date, rest) = text.split_at_checked(10)?;
    let date = read_date(date)?;
    if rest.is_empty() {
        return Some(Written::Date(date));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let (nanoseconds, offset) = match rest.strip_prefix('.') {
        Some(rest) => read_fraction(rest)?,
        None => (0, rest),
    };
    let local = date.and_time(read_time(time, nanoseconds)?);
    if offset.is_empty() {
        return Some(Written::Local(local));
    }
    let moment = read_offset(offset)?.from_local_datetime(&local).single()?;
    Some(Written::Moment(moment.with_timezone(&Utc)))
}

fn read_date(text: &str) -> Option<NaiveDate> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let year = i32::try_from(number(year, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)?;
    YEARS.contains(&year).then_some(date)
}

fn read_time(text: &str, nanoseconds: u32) -> Option<NaiveTime> {
    let (hour, rest) = text.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    NaiveTime::from_hms_nano_opt(number(hour, 2)?, number(minute, 2)?, number(second, 2)?, nanoseconds)
}

/// Digits beyond nanoseconds are dropped.
fn read_fraction(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    let kept = digits.get(..9).unwrap_or(digits);
    (!digits.is_empty()).then_some(())?;
    format!("{kept:0<9}").parse().ok().map(|nanoseconds| (nanoseconds, rest))
}

fn read_offset(text: &str) -> Option<FixedOffset> {
    if matches!(text, "Z" | "z") {
        return FixedOffset::east_opt(0);
    }
    let (east, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (None, Some(digits)) => (-1, digits),
        (None, None) => return None,
    };
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(east * i32::try_from(hours * 3_600 + minutes * 60).ok()?)
}

/// Exactly so many digits: `parse` alone would take signs and other lengths.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn plausible(moment: &DateTime<Utc>) -> bool {
    use chrono::Datelike as _;
    YEARS.contains(&moment.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Effective {
        Effective::At(text.parse().unwrap())
    }

    fn eff(text: &str) -> Effective {
        effective(Some(&json!(text)), None)
    }

    #[test]
    fn the_three_forms_are_told_apart() {
        assert_eq!(eff("2025-06-30"), Effective::On(NaiveDate::from_ymd_opt(2025, 6, 30).unwrap()));
        for same in [
            "2026-01-31T18:42:00Z",
            "2026-01-31t18:42:00z",
            "2026-01-31T18:42:00+0000",
            "2026-01-31 19:42:00+01:00",
        ] {
            assert_eq!(eff(same), at("2026-01-31T18:42:00Z"), "{same}");
        }
        assert_eq!(eff("2026-01-31T13:12:00.5-0530"), at("2026-01-31T18:42:00.5Z"));
        assert_eq!(eff("2026-01-31T18:42:00.12345678901234Z"), at("2026-01-31T18:42:00.123456789Z"));
        let local = "2026-01-31T00:00:11.955603".parse().unwrap();
        assert_eq!(eff("2026-01-31T00:00:11.955603"), Effective::Local(local));
        assert_eq!(effective(None, None), Effective::Missing);
    }

    #[test]
    fn whatever_else_is_there_is_unreadable() {
        let wrong = [
            "06/07/2025",
            "2025-6-30",
            "2025-02-30",
            "20250630",
            "30.06.2025",
            "tomorrow",
            " 2025-06-30",
            "2025-06-30 ",
            "1989-12-31",
            "2100-01-01",
            "0001-01-01",
            "9999-12-31",
            "+2025-06-3",
            "2025-06-30T",
            "2025-06-30T17",
            "2025-06-30T24:00:00Z",
            "2025-06-30T17:00:60Z",
            "2025-06-30T17:00:00.Z",
            "2025-06-30T17:00:00 UTC",
            "2025-06-30T17:00:00+24:00",
            "2025-06-30T17:00:00+01:60",
            "2025-06-30T17:00:00+1:00",
            "2025-06-30T+7:00:00Z",
            "２０２５-06-30",
            "2025-06-30T17:00:00Z extra",
        ];
        for text in wrong {
            assert_eq!(eff(text), Effective::Unreadable, "{text}");
        }
        for value in [json!(1_767_225_600), json!(true), json!(["2025-06-30"]), json!({"date": "2025-06-30"})]
        {
            assert_eq!(effective(Some(&value), None), Effective::Unreadable);
        }
    }

    #[test]
    fn a_zone_makes_a_local_time_a_moment_and_leaves_a_date_alone() {
        let zoned = |text: &str, zone: &str| effective(Some(&json!(text)), Some(&zone.parse().unwrap()));
        assert_eq!(zoned("2026-01-31T17:00:00", "Europe/Berlin"), at("2026-01-31T16:00:00Z"));
        assert_eq!(
            zoned("2026-10-25T02:30:00", "Europe/Berlin"),
            at("2026-10-25T01:30:00Z"),
            "the later of two"
        );
        assert_eq!(
            zoned("2026-03-29T02:30:00", "Europe/Berlin"),
            at("2026-03-29T01:00:00Z"),
            "the end of the gap"
        );
        assert_eq!(
            zoned("2011-12-30T00:00:00", "Pacific/Apia"),
            at("2011-12-30T10:00:00Z"),
            "a day that was skipped"
        );
        assert_eq!(zoned("2025-06-30", "Europe/Berlin"), eff("2025-06-30"));
        assert_eq!(zoned("2026-01-31T17:00:00Z", "Europe/Berlin"), at("2026-01-31T17:00:00Z"));
    }

    #[test]
    fn when_it_happened_is_read_leniently_or_not_at_all() {
        let expected: DateTime<Utc> = "2022-12-15T01:28:20Z".parse().unwrap();
        let same = [
            json!(1_671_067_700),
            json!(1_671_067_700_000_i64),
            json!("1671067700"),
            json!("1671067700000"),
            json!("2022-12-15T01:28:20"),
            json!("2022-12-15T01:28:20+0000"),
        ];
        for value in same {
            assert_eq!(occurred_at(&value, None), Some(expected), "{value}");
        }
        for value in
            [json!("yesterday"), json!(-1), json!(i64::MAX), json!(1.5), json!(null), json!("2022-12-15")]
        {
            assert_eq!(occurred_at(&value, None), None, "{value}");
        }
    }
}
