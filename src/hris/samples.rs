//! Bodies as a sender really sends them, with the readings that are expected of them, and whether a source reads them so.
//! What follows from a difference is left to those who ask.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::delivery::{Reader, Reading};
use super::pointer::{Pointer, Scope};
use super::settings::{Problem, SourceError};
use super::source::Source;
use super::{dates, pick};
use crate::offboarding::{Directive, Effective, TerminationEvent};

/// A few dozen bodies; more is a wrong file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Stands for an id that is made from the event.
const DERIVED: &str = "derived";

/// One body or more, and how each is to be read.
#[derive(Debug)]
pub struct Samples(Vec<Sample>);

/// Why a file holds no samples.
#[derive(Debug, Error)]
pub enum SamplesError {
    /// The file can't be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is no array of samples.
    #[error("expected a JSON array of samples, each with name, headers, body and expect: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The file holds nothing.
    #[error("holds no sample: add a body of this sender and how it is to be read")]
    Empty,
    /// A sample can't be replayed as it is written.
    #[error("{name:?}: {problem}")]
    Sample {
        /// The sample.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What does not fit between a source and its samples.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
    /// A pointer that leads nowhere in all of them: a slip of the hand, which would silently never match.
    #[error("{key}: {pointer} occurs in none of the samples: mend the pointer, or add a body that has it")]
    Pointer {
        /// The key at which the pointer stands, for example `map.email`.
        key: String,
        /// The pointer as it is written.
        pointer: String,
    },
    /// A body that is read differently.
    #[error(
        "{sample:?}: {what}: expected {expected}, read {read}: mend the map or the rules, or what is expected"
    )]
    Reading {
        /// The sample.
        sample: String,
        /// Which of its fields, with the item's number where there are several.
        what: String,
        /// What the sample says.
        expected: String,
        /// What the source reads.
        read: String,
    },
}

#[derive(Debug)]
struct Sample {
    name: String,
    headers: HeaderMap,
    body: String,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Events(Vec<ExpectedEvent>),
    /// The word of the cause.
    Unreadable(String),
}

/// A sample as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
    expect: Value,
    /// For people.
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

/// One item as it is to be read. What is left out has to be absent, but for the id, which is not compared then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedEvent {
    #[serde(rename = "do")]
    directive: Verb,
    email: Option<String>,
    external_id: Option<String>,
    effective: Option<String>,
    event_id: Option<String>,
    occurred_at: Option<String>,
    #[serde(rename = "type")]
    termination_type: Option<String>,
    #[serde(default)]
    date_error: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Terminate,
    Rescind,
    Lookup,
    Hold,
    Ignore,
}

impl Verb {
    const fn of(directive: Directive) -> &'static str {
        match directive {
            Directive::Terminate => "terminate",
            Directive::Rescind => "rescind",
            Directive::Lookup => "lookup",
            Directive::Hold => "hold",
            Directive::Ignore => "ignore",
        }
    }

    const fn directive(self) -> Directive {
        match self {
            Self::Terminate => Directive::Terminate,
            Self::Rescind => Directive::Rescind,
            Self::Lookup => Directive::Lookup,
            Self::Hold => Directive::Hold,
            Self::Ignore => Directive::Ignore,
        }
    }
}

impl Samples {
    /// Reads samples from JSON.
    ///
    /// # Errors
    /// What is not in the form of samples, or could never be replayed.
    pub fn parse(text: &str) -> Result<Self, SamplesError> {
        let written: Vec<Written> = serde_json::from_str(text)?;
        if written.is_empty() {
            return Err(SamplesError::Empty);
        }
        written.into_iter().map(Sample::of).collect::<Result<_, _>>().map(Self)
    }

    /// Reads samples from a file.
    ///
    /// # Errors
    /// As [`Samples::parse`], and where the file can't be read.
    pub fn of_file(path: &Path) -> Result<Self, SamplesError> {
        let mut text = String::new();
        File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Self::parse(&text)
    }

    /// Replays all of them and names the first thing that does not fit: pointers before readings, because a wrong pointer
    /// is why a reading is wrong.
    pub(super) fn replay(&self, reader: &Reader) -> Result<usize, Misfit> {
        for (key, pointer) in reader.mapping.places().chain(reader.rules.places()) {
            if !self.0.iter().any(|sample| sample.has(reader, pointer)) {
                return Err(Misfit::Pointer { key, pointer: pointer.to_string() });
            }
        }
        for sample in &self.0 {
            sample.replay(reader)?;
        }
        Ok(self.0.len())
    }
}

impl Source {
    /// Replays samples: how many are read as expected.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn replay(&self, samples: &Samples) -> Result<usize, Misfit> {
        samples.replay(&self.reader)
    }

    /// Replays the samples of the built-in profile underneath: its name, and how many are read as expected. `None` where the
    /// source carries a whole profile of its own.
    pub fn replay_built_in(&self) -> Option<(&'static str, Result<usize, Misfit>)> {
        let (name, text) = self.built_in()?;
        // Whether they can be parsed is tested when they are compiled in.
        let samples = Samples::parse(text).ok()?;
        Some((name, self.replay(&samples)))
    }

    /// Replays the samples of a file of the source's own, given as `samples`.
    ///
    /// # Errors
    /// Names the key, the file and what does not fit.
    pub fn replay_file(&self, path: &Path) -> Result<usize, SourceError> {
        let refused = |problem: &dyn Display| {
            let problem = Problem::Samples { file: path.display().to_string(), problem: problem.to_string() };
            SourceError::new(format!("sources.{}.samples", self.name()), problem)
        };
        let samples = Samples::of_file(path).map_err(|error| refused(&error))?;
        self.replay(&samples).map_err(|misfit| refused(&misfit))
    }
}

impl Sample {
    fn of(written: Written) -> Result<Self, SamplesError> {
        let wrong = |problem: String| SamplesError::Sample { name: written.name.clone(), problem };
        let mut headers = HeaderMap::new();
        for (name, value) in &written.headers {
            let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let (key, value) = pair.ok_or_else(|| wrong(format!("{name:?} is not a header")))?;
            headers.append(key, value);
        }
        let expected = match written.expect.clone() {
            Value::String(cause) => Expected::Unreadable(cause),
            Value::Array(events) if !events.is_empty() => {
                let events = events.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
                Expected::Events(events.map_err(|error| wrong(format!("expect: {error}")))?)
            }
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return Err(wrong("expect: an array with one entry for each item, or a word".to_owned()));
            }
        };
        Ok(Self { name: written.name, headers, body: written.body, expected })
    }

    /// Whether there is something at the pointer, be it null, in one item at least.
    fn has(&self, reader: &Reader, pointer: &Pointer) -> bool {
        let Ok(root) = reader.parse(self.body.as_bytes()) else {
            return false;
        };
        let picks = reader.mapping.picks();
        let of_root = picks.of_root(&root);
        let in_one =
            |found: &dyn Fn(&Value) -> bool| reader.items(&root).unwrap_or_default().iter().any(found);
        match pointer {
            Pointer::Root(path) => root.pointer(path).is_some(),
            Pointer::Header(name) => self.headers.contains_key(name),
            Pointer::Item(path) if reader.mapping.items() == Some(pointer) => root.pointer(path).is_some(),
            Pointer::Item(path) => in_one(&|item| item.pointer(path).is_some()),
            Pointer::Picked(name, path) => in_one(&|item| {
                let picked = picks.of_item(item, &of_root);
                let scope = Scope { root: &root, item, headers: &self.headers, picked: &picked };
                pick::find(&scope, name, path).is_some()
            }),
        }
    }

    fn replay(&self, reader: &Reader) -> Result<(), Misfit> {
        let differs = |what: String, expected: String, read: String| {
            Err(Misfit::Reading { sample: self.name.clone(), what, expected, read })
        };
        match (&self.expected, reader.read(&self.headers, self.body.as_bytes())) {
            (Expected::Events(expected), Reading::Events(read)) => {
                if expected.len() != read.len() {
                    return differs("items".to_owned(), expected.len().to_string(), read.len().to_string());
                }
                for (index, (expected, read)) in expected.iter().zip(&read).enumerate() {
                    if let Some(field) = expected.first_difference(read, reader) {
                        let item = if expected_alone(&self.expected) {
                            String::new()
                        } else {
                            format!("item {}, ", index + 1)
                        };
                        return differs(format!("{item}{}", field.name), field.expected, field.read);
                    }
                }
                Ok(())
            }
            (Expected::Unreadable(expected), Reading::Unreadable { cause, .. }) => {
                if expected == cause.as_str() {
                    return Ok(());
                }
                differs("body".to_owned(), expected.clone(), cause.as_str().to_owned())
            }
            (Expected::Events(_), Reading::Unreadable { cause, .. }) => {
                differs("body".to_owned(), "events".to_owned(), cause.as_str().to_owned())
            }
            (Expected::Unreadable(expected), Reading::Events(_)) => {
                differs("body".to_owned(), expected.clone(), "events".to_owned())
            }
        }
    }
}

fn expected_alone(expected: &Expected) -> bool {
    matches!(expected, Expected::Events(events) if events.len() == 1)
}

/// A field that is read differently.
struct Difference {
    name: &'static str,
    expected: String,
    read: String,
}

impl ExpectedEvent {
    fn first_difference(&self, read: &TerminationEvent, reader: &Reader) -> Option<Difference> {
        let shown =
            |text: Option<&str>| text.map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"));
        let text = |name, expected: Option<&str>, read: Option<&str>| {
            (expected != read).then(|| Difference { name, expected: shown(expected), read: shown(read) })
        };
        let directive = Verb::of(self.directive.directive());
        text("do", Some(directive), Some(Verb::of(read.directive)))
            .or_else(|| text("email", self.email.as_deref(), read.person.email.as_deref()))
            .or_else(|| text("external_id", self.external_id.as_deref(), read.person.external_id.as_deref()))
            .or_else(|| text("type", self.termination_type.as_deref(), read.termination_type.as_deref()))
            .or_else(|| self.other_date(read, reader))
            .or_else(|| self.other_time(read, reader))
            .or_else(|| {
                let expected = self.event_id.as_deref()?;
                let derived = read.event_id.starts_with("derived:");
                text("event_id", Some(expected), Some(if derived { DERIVED } else { &read.event_id }))
            })
    }

    /// Dates are compared as what they mean in the source's zone, so that they can be written in any form.
    fn other_date(&self, read: &TerminationEvent, reader: &Reader) -> Option<Difference> {
        let expected = match (&self.effective, self.date_error) {
            (_, true) => Effective::Unreadable,
            (text, false) => {
                dates::effective(text.as_deref().map(Value::from).as_ref(), reader.zone.as_ref())
            }
        };
        let shown = |effective: &Effective| match effective {
            Effective::At(moment) => moment.to_rfc3339(),
            Effective::On(date) => date.to_string(),
            Effective::Local(local) => local.to_string(),
            Effective::Missing => "nothing".to_owned(),
            Effective::Unreadable => "a date that can't be read".to_owned(),
        };
        (expected != read.effective).then(|| Difference {
            name: "effective",
            expected: shown(&expected),
            read: shown(&read.effective),
        })
    }

    /// To the second: fractions order events and are no concern of whoever writes a sample.
    fn other_time(&self, read: &TerminationEvent, reader: &Reader) -> Option<Difference> {
        let written = self.occurred_at.as_deref();
        let expected = written.and_then(|text| dates::occurred_at(&Value::from(text), reader.zone.as_ref()));
        let seconds = |moment: Option<chrono::DateTime<chrono::Utc>>| moment.map(|moment| moment.timestamp());
        let read = read.occurred_at;
        let same = seconds(expected) == seconds(read) && written.is_some() == expected.is_some();
        (!same).then(|| Difference {
            name: "occurred_at",
            expected: written.map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}")),
            read: read.map_or_else(|| "nothing".to_owned(), |moment| moment.to_rfc3339()),
        })
    }
}
