//! The map of a profile: where the fields of a termination event stand, and how an item becomes one.
//! What makes an event the same event is left to `identity`, what it asks for to `rules`.

use serde_json::Value;

use super::dates;
use super::identity::{EventId, Identity};
use super::pick::Picks;
use super::pointer::{Pointer, Scope};
use super::rules::Rules;
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::{Directive, Heard, PersonRef, TerminationEvent, Zone};

/// RFC 5321's longest local part and domain and the sign between: 64 and 1 and 255.
const EMAIL_CHARS_MAX: usize = 320;

/// Longer than any HRIS's id, and what an index can hold.
const EXTERNAL_ID_CHARS_MAX: usize = 256;

/// Longer than any word for a kind of termination.
const TYPE_CHARS_MAX: usize = 256;

/// Enough of a sender's word to tell it from others; the longest known has 60.
const WORD_CHARS_MAX: usize = 100;

const KNOWN: [&str; 12] = [
    "items",
    "pick",
    "event",
    "email",
    "external_id",
    "effective",
    "occurred_at",
    "sequence",
    "type",
    "event_id",
    "date_zone",
    "effective_at",
];

/// Where the fields stand. Each may be absent; `effective` may stand in several places, the first one counts.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    items: Option<Pointer>,
    picks: Picks,
    event: Vec<Pointer>,
    email: Vec<Pointer>,
    external_id: Vec<Pointer>,
    effective: Vec<Pointer>,
    occurred_at: Vec<Pointer>,
    sequence: Vec<Pointer>,
    termination_type: Vec<Pointer>,
    event_id: EventId,
}

impl Mapping {
    /// Reads `map`. `lone` says that an object where an array is expected is its only element.
    pub(super) fn build(map: &Section<'_>, lone: bool) -> Result<Self, SourceError> {
        map.only(&KNOWN)?;
        let mut mapping = Self {
            items: one(map, "items")?.pop(),
            picks: Picks::build(map, lone)?,
            event: one(map, "event")?,
            email: one(map, "email")?,
            external_id: one(map, "external_id")?,
            effective: if map.has("effective") { some(map, "effective")? } else { Vec::new() },
            occurred_at: one(map, "occurred_at")?,
            sequence: one(map, "sequence")?,
            termination_type: one(map, "type")?,
            event_id: EventId::default(),
        };
        if matches!(mapping.items, Some(Pointer::Header(_) | Pointer::Picked(..))) {
            return Err(map.error("items", Problem::Malformed("a pointer into the body")));
        }
        for (key, pointers) in mapping.fields() {
            for pointer in pointers {
                mapping.picks.check(&map.path(key), pointer)?;
            }
        }
        mapping.event_id = EventId::build(map, &mapping)?;
        Ok(mapping)
    }

    pub(super) fn picks(&self) -> &Picks {
        &self.picks
    }

    fn fields(&self) -> [(&'static str, &Vec<Pointer>); 7] {
        [
            ("event", &self.event),
            ("email", &self.email),
            ("external_id", &self.external_id),
            ("effective", &self.effective),
            ("occurred_at", &self.occurred_at),
            ("sequence", &self.sequence),
            ("type", &self.termination_type),
        ]
    }

    pub(super) fn items(&self) -> Option<&Pointer> {
        self.items.as_ref()
    }

    /// Reads a pointer, or the name of a field, which stands for wherever the field is mapped to; nowhere is empty.
    pub(super) fn place(&self, path: &str, text: &str) -> Result<Vec<Pointer>, SourceError> {
        if let Some((_, field)) = self.fields().into_iter().find(|(name, _)| *name == text) {
            return Ok(field.clone());
        }
        let pointer = Pointer::parse(text).ok_or_else(|| SourceError::new(path, MALFORMED))?;
        self.picks.check(path, &pointer)?;
        Ok(vec![pointer])
    }

    /// Returns every pointer of the map with its key, for example `map.email`.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, &Pointer)> {
        let items = self.items.iter().map(|pointer| ("map.items".to_owned(), pointer));
        let fields = self.fields().into_iter();
        let fields =
            fields.flat_map(|(key, field)| field.iter().map(move |pointer| (format!("map.{key}"), pointer)));
        items.chain(self.picks.places()).chain(fields).chain(self.event_id.places())
    }

    /// Returns every pointer of the map.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.fields().into_iter().flat_map(|(_, field)| field).chain(self.event_id.pointers())
    }

    /// Reads one item.
    pub(super) fn read(&self, scope: &Scope<'_>, rules: &Rules, zone: Option<&Zone>) -> TerminationEvent {
        let find = |pointers: &[Pointer]| Pointer::first(pointers, scope);
        let text = |pointers, chars_max| find(pointers).and_then(|value| text(&value, chars_max));
        let person = PersonRef {
            email: text(&self.email, EMAIL_CHARS_MAX),
            external_id: find(&self.external_id).and_then(|value| external_id(&value)),
        };
        let Identity { event_id, content_digest, again_after } = self.event_id.of(scope, &person);
        let rule = rules.directive(scope);
        TerminationEvent {
            event_id,
            content_digest,
            again_after,
            // Without a rule there is nothing to act on.
            directive: rule.unwrap_or(Directive::Ignore),
            person,
            effective: dates::effective(find(&self.effective).as_deref(), zone),
            sequence: find(&self.sequence).and_then(|value| sequence(&value)),
            occurred_at: find(&self.occurred_at).and_then(|value| dates::occurred_at(&value, zone)),
            termination_type: text(&self.termination_type, TYPE_CHARS_MAX),
            heard: Heard { word: find(&self.event).and_then(|value| word(&value)), rule },
        }
    }
}

const MALFORMED: Problem = Problem::Malformed("a pointer: /x, ^/x, @header or #pick/x");

fn one(map: &Section<'_>, key: &str) -> Result<Vec<Pointer>, SourceError> {
    match map.text(key)? {
        None => Ok(Vec::new()),
        Some(text) => {
            Pointer::parse(text).map(|pointer| vec![pointer]).ok_or_else(|| map.error(key, MALFORMED))
        }
    }
}

/// One pointer or an array of them.
fn some(map: &Section<'_>, key: &str) -> Result<Vec<Pointer>, SourceError> {
    let Ok(Some(texts)) = map.texts(key) else {
        return one(map, key);
    };
    let pointers: Option<Vec<_>> = texts.into_iter().map(Pointer::parse).collect();
    pointers.ok_or_else(|| map.error(key, MALFORMED))
}

/// A string as it was sent, without the white space around it, which names nobody. One of another type or length is absent:
/// what is cut off or picked from a list could be somebody else's.
fn text(value: &Value, chars_max: usize) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && text.chars().count() <= chars_max).then(|| text.to_owned())
}

/// The sender's word as it can be shown in a line; what is no single value is none.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let word: String = text.chars().filter(|char| !char.is_control()).take(WORD_CHARS_MAX).collect();
    Some(word).filter(|word| !word.is_empty())
}

/// A whole number, or its digits: what is cut off would put events into a wrong order.
fn sequence(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let text = value.as_str()?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    })
}

/// Ids are strings or whole numbers; a fraction, or a number too large to be exact, is none.
fn external_id(value: &Value) -> Option<String> {
    if value.is_i64() || value.is_u64() {
        return Some(value.to_string());
    }
    text(value, EXTERNAL_ID_CHARS_MAX)
}
