//! Writing the evidence: the audit chain link by link, or the offboardings as an auditor samples them, as JSON lines or CSV, a
//! part at a time.

mod cells;
mod journal;
mod leavers;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::OperateError;
use crate::store::population::Opened;
use crate::store::{Store, StoreError};

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum What {
    /// Every entry of the journal with its link, in the order of the chain.
    #[default]
    Journal,
    /// Every offboarding, in the order in which they were opened.
    Offboardings,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object per line: everything, exactly as it is.
    #[default]
    Jsonl,
    /// A table for spreadsheets.
    Csv,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportQuery {
    what: What,
    format: Format,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl ExportQuery {
    /// Reads the words of a request.
    ///
    /// # Errors
    ///
    /// [`OperateError::Field`] with the name of the one that is not understood.
    pub fn read(
        what: Option<&str>,
        format: Option<&str>,
        since: Option<&str>,
        until: Option<&str>,
    ) -> Result<Self, OperateError> {
        let what = match what {
            None | Some("journal") => What::Journal,
            Some("offboardings") => What::Offboardings,
            Some(_) => return Err(OperateError::field("what", "expected journal or offboardings")),
        };
        let format = match format {
            None | Some("jsonl") => Format::Jsonl,
            Some("csv") => Format::Csv,
            Some(_) => return Err(OperateError::field("format", "expected jsonl or csv")),
        };
        // A day as the end is there to its end.
        let since = since.map(|text| moment("since", text, TimeDelta::zero())).transpose()?;
        let until = until.map(|text| moment("until", text, TimeDelta::days(1))).transpose()?;
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            return Err(OperateError::field("until", "is not after since"));
        }
        Ok(Self { what, format, since, until })
    }

    /// The media type of what is written.
    pub fn content_type(&self) -> &'static str {
        match self.format {
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// A name for a file with it.
    pub fn file_name(&self, now: DateTime<Utc>) -> String {
        let what = match self.what {
            What::Journal => "journal",
            What::Offboardings => "offboardings",
        };
        let ending = match self.format {
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
        };
        format!("leaver-{what}-{}.{ending}", now.format("%Y%m%dT%H%M%SZ"))
    }

    fn holds(&self, at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// An export that is under way. What is written while it goes on is not in it.
#[derive(Debug)]
pub struct Export {
    store: Store,
    query: ExportQuery,
    began_at: DateTime<Utc>,
    place: Place,
    head: Option<String>,
}

#[derive(Debug)]
enum Place {
    Links { after: i64, up_to: i64 },
    Offboardings { after: Option<Uuid> },
    End,
}

impl Export {
    /// Begins an export; nothing has been read of it yet but its end.
    pub async fn begin(store: &Store, query: ExportQuery) -> Result<Self, OperateError> {
        let (place, columns): (_, &[&str]) = match query.what {
            What::Journal => {
                let up_to = store.audit_entries().await?;
                // From before the first number: an export leaves nothing out that is there.
                (Place::Links { after: i64::MIN, up_to }, journal::COLUMNS)
            }
            What::Offboardings => (Place::Offboardings { after: None }, leavers::COLUMNS),
        };
        let head = match query.format {
            Format::Jsonl => None,
            Format::Csv => Some(cells::line(columns.iter().copied())),
        };
        Ok(Self { store: store.clone(), query, began_at: Utc::now(), place, head })
    }

    /// The next lines; nothing at the end.
    pub async fn next_lines(&mut self) -> Result<Option<String>, OperateError> {
        let mut text = self.head.take().unwrap_or_default();
        while text.is_empty() {
            match self.place {
                Place::Links { after, up_to } => text = self.links(after, up_to).await?,
                Place::Offboardings { after } => text = self.offboardings(after).await?,
                Place::End => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    async fn links(&mut self, after: i64, up_to: i64) -> Result<String, OperateError> {
        let links = self.store.audit_part(after, up_to).await?;
        self.place = match links.last() {
            Some(last) => Place::Links { after: last.seq, up_to },
            None => Place::End,
        };
        let mut text = String::new();
        for link in &links {
            let line = journal::Line::of(link).ok_or(OperateError::LinkUnreadable(link.seq))?;
            if self.query.holds(line.moment) {
                match self.query.format {
                    Format::Jsonl => text.push_str(&json_line(&line)),
                    Format::Csv => text.push_str(&cells::line(line.cells().iter().map(String::as_str))),
                }
            }
        }
        Ok(text)
    }

    async fn offboardings(&mut self, after: Option<Uuid>) -> Result<String, StoreError> {
        // What is opened from now on is the next export's.
        let until = self.query.until.map_or(self.began_at, |until| until.min(self.began_at));
        let opened = Opened { since: self.query.since, until: Some(until) };
        let part = self.store.population(after, opened).await?;
        self.place = match part.last() {
            Some(last) => Place::Offboardings { after: Some(last.id) },
            None => Place::End,
        };
        let lines = part.iter().map(|evidence| match self.query.format {
            Format::Jsonl => json_line(evidence),
            Format::Csv => cells::line(leavers::cells(evidence).iter().map(String::as_str)),
        });
        Ok(lines.collect())
    }
}

/// One object on one line: JSON has no line feed inside.
fn json_line(value: &impl Serialize) -> String {
    // Only maps with keys that are no strings can't be written, and there are none.
    format!("{}\n", serde_json::to_string(value).unwrap_or_default())
}

/// Reads RFC 3339, or a date: the day in UTC, moved by `day`.
fn moment(field: &'static str, text: &str, day: TimeDelta) -> Result<DateTime<Utc>, OperateError> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let whole = text.len() == "2026-03-31".len();
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| whole);
    date.and_then(|date| date.and_time(NaiveTime::MIN).and_utc().checked_add_signed(day)).ok_or_else(|| {
        OperateError::field(field, "expected RFC 3339 or a date such as 2026-03-31 (a day in UTC)")
    })
}

/// A moment as all exports write it.
fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_and_what_is_not_understood_is_named() {
        let query = |since, until| ExportQuery::read(None, None, since, until);
        let day = query(Some("2026-03-31"), Some("2026-03-31")).unwrap();
        let holds = |text: &str| day.holds(text.parse().unwrap());
        assert!(holds("2026-03-31T00:00:00Z") && holds("2026-03-31T23:59:59.999999Z"));
        assert!(!holds("2026-03-30T23:59:59.999999Z") && !holds("2026-04-01T00:00:00Z"));
        let refused = |asked: Result<ExportQuery, OperateError>| asked.unwrap_err().to_string();
        for wrong in ["", "yesterday", "2026-3-31", "2026-02-30", "2026-03-31T10:00", "31.03.2026"] {
            assert!(refused(query(Some(wrong), None)).starts_with("since: "), "{wrong}");
            assert!(refused(query(None, Some(wrong))).starts_with("until: "), "{wrong}");
        }
        assert!(refused(query(Some("2026-04-01"), Some("2026-03-31"))).starts_with("until: "));
        assert!(refused(ExportQuery::read(Some("x"), None, None, None)).starts_with("what: "));
        assert!(refused(ExportQuery::read(None, Some("xml"), None, None)).starts_with("format: "));
    }
}
