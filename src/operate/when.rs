//! Times and words as operators write them. What a date means is said by the policy.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::OperateError;
use crate::offboarding::Effective;

/// Years outside are slips of the hand.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2200;

/// What is expected of a time.
pub(super) const EXPECTED: &str =
    "expected RFC 3339, a date such as 2026-03-31, or a local time such as 2026-03-31T17:00";

/// Reads a time with an offset, a local time, or a date.
pub(super) fn read(field: &'static str, text: &str) -> Result<Effective, OperateError> {
    let moment = || DateTime::parse_from_rfc3339(text).ok().map(|at| Effective::At(at.with_timezone(&Utc)));
    let local = || {
        let formats = [("2026-03-31T17:00".len(), "%H:%M"), ("2026-03-31T17:00:00".len(), "%H:%M:%S")];
        formats.iter().find_map(|(length, time)| {
            let parse =
                |between: &str| NaiveDateTime::parse_from_str(text, &format!("%Y-%m-%d{between}{time}"));
            (text.len() == *length).then(|| parse("T").or_else(|_| parse(" ")).ok())?
        })
    };
    let date = || {
        let whole = text.len() == "2026-03-31".len();
        whole.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())?
    };
    let effective = moment()
        .or_else(|| local().map(Effective::Local))
        .or_else(|| date().map(Effective::On))
        .filter(|effective| year(effective).is_some_and(|year| YEARS.contains(&year)));
    effective.ok_or_else(|| OperateError::field(field, EXPECTED))
}

fn year(effective: &Effective) -> Option<i32> {
    match effective {
        Effective::At(at) => Some(at.year()),
        Effective::On(date) => Some(date.year()),
        Effective::Local(local) => Some(local.year()),
        Effective::Missing | Effective::Unreadable => None,
    }
}

/// What [`words`] takes, for the description of the API: no control character, and something else than white space. In
/// the syntax that JSON Schema has in common with others.
const WORDS: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\u0000-\u001f\u007f-\u009f]*$",
);

/// Describes a text for [`words`].
pub(super) fn words_schema(chars_max: usize) -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(WORDS));
    text.min_length(Some(1)).max_length(Some(chars_max)).into()
}

/// A text that says something, of at most so many characters, on one line.
pub(super) fn words(field: &'static str, text: &str, chars_max: usize) -> Result<String, OperateError> {
    if text.chars().count() > chars_max {
        return Err(OperateError::field(field, format!("has more than {chars_max} characters")));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(OperateError::field(field, "is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(OperateError::field(field, "has control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_each_of_its_forms_and_never_guessed() {
        let at = |text: &str| read("at", text).ok();
        assert_eq!(
            at("2026-03-31T17:00:00+02:00"),
            Some(Effective::At("2026-03-31T15:00:00Z".parse().unwrap()))
        );
        assert_eq!(at("2026-03-31"), Some(Effective::On("2026-03-31".parse().unwrap())));
        let local = Some(Effective::Local("2026-03-31T17:00:00".parse().unwrap()));
        for text in ["2026-03-31T17:00", "2026-03-31 17:00", "2026-03-31T17:00:00", "2026-03-31 17:00:00"] {
            assert_eq!(at(text), local, "{text}");
        }
        for text in
            ["", "31.03.2026", "2026-3-31", "03/31/2026", "2026-02-30", "0001-01-01", "now", "2026-03-31T"]
        {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn words_are_described_as_they_are_taken() {
        let described = regex::Regex::new(WORDS).unwrap();
        for c in '\0'..='\u{ffff}' {
            for text in [c.to_string(), format!("a{c}b"), format!("{c} ")] {
                assert_eq!(described.is_match(&text), words("reason", &text, 20).is_ok(), "{text:?}");
            }
        }
    }

    #[test]
    fn words_are_on_one_line_and_bounded() {
        assert_eq!(words("reason", " left early ", 20).unwrap(), "left early");
        for text in ["", "  ", "two\nlines", "bell\u{7}", &"x".repeat(21)] {
            let refused = words("reason", text, 20).unwrap_err().to_string();
            assert!(refused.starts_with("reason: ") && !refused.contains("xx"), "{refused}");
        }
    }
}
