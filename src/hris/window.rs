//! The time window of a signed timestamp: how it is written, how old and how far ahead it may be.
//! Reading it from the request and proving it are left to the signature.

use axum::http::HeaderName;
use chrono::{DateTime, Utc};

use super::auth::{Refusal, header_name};
use super::dates;
use super::settings::{Problem, Section, SourceError};

/// Five minutes, the custom among senders that stamp each attempt anew.
const MAX_AGE_SECONDS: i64 = 300;

/// One minute for clocks that differ; a window as wide ahead as back would double the life of a replay.
const MAX_FUTURE_SECONDS: i64 = 60;

/// Digits of a Unix time in seconds that are read at all: enough for 30,000 years, too few to overflow anything.
const DIGITS_MAX: usize = 12;

/// Digits of every Unix time in seconds between 2001 and 2286.
const DIGITS_FIXED: usize = 10;

/// The window and the header that it is about.
#[derive(Debug)]
pub(super) struct Window {
    header: HeaderName,
    form: Form,
    max_age_seconds: i64,
    max_future_seconds: i64,
}

/// How the timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unix,
    UnixOrRfc3339,
}

/// What stands beside the timestamp in the signed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// Literals only: one to twelve digits.
    Any,
    /// The body or another header: exactly ten digits, or one could move between the two and the text stay the same.
    Fixed,
}

impl Window {
    pub(super) fn build(auth: &Section<'_>) -> Result<Option<Self>, SourceError> {
        let forms = [("unix", Form::Unix), ("unix-or-rfc3339", Form::UnixOrRfc3339)];
        let form = auth.word("timestamp_format", &forms)?;
        let unit = auth.word("timestamp_unit", &[("s", ())])?;
        let max_age = auth.seconds("max_age")?;
        let max_future = auth.seconds("max_future")?;
        let Some(header) = auth.text("timestamp_header")? else {
            let orphan = [
                ("timestamp_format", form.is_some()),
                ("timestamp_unit", unit.is_some()),
                ("max_age", max_age.is_some()),
                ("max_future", max_future.is_some()),
            ];
            return match orphan.into_iter().find(|(_, set)| *set) {
                Some((key, _)) => Err(auth.error(key, Problem::Needs("timestamp_header"))),
                None => Ok(None),
            };
        };
        if max_age == Some(0) {
            return Err(auth.error("max_age", Problem::Malformed("longer than nothing")));
        }
        Ok(Some(Self {
            header: header_name(&auth.path("timestamp_header"), header)?,
            form: form.unwrap_or(Form::Unix),
            max_age_seconds: max_age.unwrap_or(MAX_AGE_SECONDS),
            max_future_seconds: max_future.unwrap_or(MAX_FUTURE_SECONDS),
        }))
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Checks a timestamp against the receiver's clock, in whole seconds; both limits belong to the window.
    pub(super) fn check(&self, value: &str, digits: Digits, now: DateTime<Utc>) -> Result<(), Refusal> {
        let sent = self.read(value, digits).ok_or(Refusal::Malformed)?;
        let age = now.timestamp() - sent;
        if age > self.max_age_seconds {
            return Err(Refusal::Stale);
        }
        if -age > self.max_future_seconds {
            return Err(Refusal::Future);
        }
        Ok(())
    }

    /// How far the receiver's clock is ahead of what the sender wrote, in seconds; less where the request was on its way.
    pub(super) fn skew(&self, value: &str, digits: Digits, now: DateTime<Utc>) -> Option<i64> {
        Some(now.timestamp() - self.read(value, digits)?)
    }

    fn read(&self, value: &str, digits: Digits) -> Option<i64> {
        let length = match digits {
            Digits::Any => 1..=DIGITS_MAX,
            Digits::Fixed => DIGITS_FIXED..=DIGITS_FIXED,
        };
        // Not `parse` alone: it takes a plus sign, which isn't a plain count of seconds.
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            return length.contains(&value.len()).then(|| value.parse().ok()).flatten();
        }
        match self.form {
            Form::Unix => None,
            Form::UnixOrRfc3339 => dates::moment(value).map(|moment| moment.timestamp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(toml: &str) -> Window {
        let table: toml::Table = toml::from_str(toml).unwrap();
        Window::build(&Section::new("auth", &table)).unwrap().unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 999_000_000).unwrap()
    }

    #[test]
    fn both_limits_belong_to_the_window_and_the_next_second_does_not() {
        let window = window("timestamp_header = 'x-time'\nmax_age = '5m'\nmax_future = '60s'");
        let check = |now| window.check("1767225600", Digits::Any, at(now));
        assert_eq!(check(1_767_225_600 + 300), Ok(()));
        assert_eq!(check(1_767_225_600 + 301), Err(Refusal::Stale));
        assert_eq!(check(1_767_225_600 - 60), Ok(()));
        assert_eq!(check(1_767_225_600 - 61), Err(Refusal::Future));
    }

    #[test]
    fn a_timestamp_beside_the_body_has_exactly_ten_digits() {
        let window = window("timestamp_header = 'x-time'\nmax_age = '7d'");
        assert_eq!(window.read("176722560", Digits::Fixed), None);
        assert_eq!(window.read("01767225600", Digits::Fixed), None);
        assert_eq!(window.read("01767225600", Digits::Any), Some(1_767_225_600));
        assert_eq!(window.read("1234567890123", Digits::Any), None);
        assert_eq!(window.read("", Digits::Any), None);
    }

    #[test]
    fn rfc_3339_is_read_only_where_the_profile_says_so() {
        let plain = window("timestamp_header = 'x-time'");
        let both = window("timestamp_header = 'x-time'\ntimestamp_format = 'unix-or-rfc3339'");
        assert_eq!(plain.read("2026-01-01T00:00:00Z", Digits::Any), None);
        assert_eq!(both.read("2026-01-01T00:00:00Z", Digits::Fixed), Some(1_767_225_600));
        assert_eq!(both.read("1767225600", Digits::Fixed), Some(1_767_225_600));
    }

    #[test]
    fn a_window_without_a_timestamp_is_refused() {
        let table: toml::Table = toml::from_str("max_age = '5m'").unwrap();
        let refused = Window::build(&Section::new("auth", &table)).unwrap_err();
        assert_eq!(refused.to_string(), "auth.max_age: needs timestamp_header");
    }
}
