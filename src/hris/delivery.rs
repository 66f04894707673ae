//! One authentic delivery: from its bytes to one event for each item, or to the reason why it can't be read.
//! How a single item becomes an event is left to the map and the rules.

use std::collections::HashSet;

use axum::http::HeaderMap;
use serde_json::Value;

use super::json::{self, ReadError};
use super::mapping::Mapping;
use super::pick::elements;
use super::pointer::{Pointer, Scope};
use super::rules::Rules;
use super::scim;
use super::settings::{Problem, Section, SourceError};
use super::{form, identity, xml};
use crate::offboarding::{Directive, Effective, Heard, PersonRef, TerminationEvent, Zone};

/// Items of one delivery where the source says nothing: more people than leave at once, and one transaction.
const ITEMS_DEFAULT: usize = 500;

/// Items that a source may allow; each is a row of the one transaction before the answer.
const ITEMS_MAX: i64 = 10_000;

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Json,
    /// Names and values, as a browser sends them.
    Form,
    /// One XML document.
    Xml,
}

/// What an authentic body says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// One event for each item, never none: a delivery without items is one event that asks for nothing.
    Events(Vec<TerminationEvent>),
    /// It can't be understood, and a person has to look.
    Unreadable {
        /// `body:` and the SHA-256 of the raw bytes in hexadecimal digits.
        event_id: String,
        /// SHA-256 of the raw bytes.
        content_digest: [u8; 32],
        /// Why it can't be understood.
        cause: ReadError,
    },
}

impl Format {
    /// Returns the content type that a sender of this format states.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Xml => "application/xml",
        }
    }

    /// Whether one repeated element alone can't be told from an element that is never repeated.
    fn has_lone_elements(self) -> bool {
        match self {
            Self::Json | Self::Form => false,
            Self::Xml => true,
        }
    }

    /// Says whether a stated content type is this format, in UTF-8.
    pub(super) fn is_stated_by(self, text: &str) -> bool {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let structured = |suffix| essence.starts_with("application/") && essence.ends_with(suffix);
        let own = essence == self.content_type();
        let format = match self {
            Self::Json => own || structured("+json"),
            Self::Form => own,
            Self::Xml => own || essence == "text/xml" || structured("+xml"),
        };
        let utf8 = |parameter: &str| match parameter.trim().split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) | None => true,
        };
        format && parameters.split(';').all(utf8)
    }
}

/// What a source needs to know to read its deliveries.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) format: Format,
    pub(super) zone: Option<Zone>,
    pub(super) mapping: Mapping,
    pub(super) rules: Rules,
    items_max: usize,
}

impl Reader {
    pub(super) fn build(source: &Section<'_>, zone: Option<Zone>) -> Result<Self, SourceError> {
        let formats = [("json", Format::Json), ("form", Format::Form), ("xml", Format::Xml)];
        let format = source.word("format", &formats)?.unwrap_or(Format::Json);
        let map = source.section("map")?.ok_or_else(|| source.error("map", Problem::Missing))?;
        let mapping = Mapping::build(&map, format.has_lone_elements())?;
        let rules = if scim::is_spoken(source)? { Rules::none() } else { Rules::build(source, &mapping)? };
        Ok(Self { format, zone, mapping, rules, items_max: items_max(source)? })
    }

    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        match self.events(headers, body) {
            Ok(events) => Reading::Events(events),
            Err(cause) => {
                let (event_id, content_digest) = identity::of_body(body);
                Reading::Unreadable { event_id, content_digest, cause }
            }
        }
    }

    fn events(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<TerminationEvent>, ReadError> {
        let root = self.parse(body)?;
        let items = self.items(&root).ok_or(ReadError::ItemsNotArray)?;
        if items.len() > self.items_max {
            return Err(ReadError::TooManyItems(self.items_max));
        }
        if !items.iter().all(Value::is_object) {
            return Err(ReadError::NotAnObject);
        }
        if items.is_empty() {
            return Ok(vec![nothing(body)]);
        }
        let mut seen = HashSet::with_capacity(items.len());
        let mut events = Vec::with_capacity(items.len());
        let of_root = self.mapping.picks().of_root(&root);
        for item in items {
            let picked = self.mapping.picks().of_item(item, &of_root);
            let scope = Scope { root: &root, item, headers, picked: &picked };
            let event = self.mapping.read(&scope, &self.rules, self.zone.as_ref());
            // One delivery may say the same thing twice; that is still one event.
            if seen.insert((event.event_id.clone(), event.content_digest)) {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Reads the document that a body must be.
    pub(super) fn parse(&self, body: &[u8]) -> Result<Value, ReadError> {
        match self.format {
            Format::Json => json::parse(body),
            Format::Form => form::parse(body),
            Format::Xml => xml::parse(body),
        }
    }

    /// Returns the items of a document, which is its own only item where the map has none.
    pub(super) fn items<'a>(&self, root: &'a Value) -> Option<&'a [Value]> {
        match self.mapping.items() {
            None => Some(std::slice::from_ref(root)),
            Some(Pointer::Item(path) | Pointer::Root(path)) => {
                elements(root.pointer(path)?, self.format.has_lone_elements())
            }
            // The map refuses it when the source is built.
            Some(Pointer::Header(_) | Pointer::Picked(..)) => None,
        }
    }
}

/// The event of a delivery without items, so that it is stored and answered like any other.
fn nothing(body: &[u8]) -> TerminationEvent {
    let (event_id, content_digest) = identity::of_body(body);
    TerminationEvent {
        event_id,
        content_digest,
        again_after: None,
        directive: Directive::Ignore,
        person: PersonRef::default(),
        effective: Effective::Missing,
        sequence: None,
        occurred_at: None,
        termination_type: None,
        heard: Heard::default(),
    }
}

fn items_max(source: &Section<'_>) -> Result<usize, SourceError> {
    let Some(number) = source.integer("max_items")? else {
        return Ok(ITEMS_DEFAULT);
    };
    let number = (1..=ITEMS_MAX).contains(&number).then(|| usize::try_from(number).ok()).flatten();
    number.ok_or_else(|| source.error("max_items", Problem::Malformed("from 1 to 10000")))
}
