//! A source: one sender, its proof and its profile, checked when it is built.
//! How each part works is left to the part's own module.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use toml::Table;

use super::auth::{Authenticator, Refusal, SignError};
use super::identity;
use super::json::{self, ReadError};
use super::keys::{KeyIndex, Keys};
use super::mapping::Mapping;
use super::pointer::{Pointer, Scope};
use super::profile::laid_over_profile;
use super::rules::Rules;
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::{Directive, Effective, PersonRef, TerminationEvent};

/// Items of one delivery where the source says nothing: more people than leave at once, and one transaction.
const ITEMS_DEFAULT: usize = 500;

/// Items that a source may allow; each is a row of the one transaction before the answer.
const ITEMS_MAX: i64 = 10_000;

const KNOWN: [&str; 10] = [
    "profile",
    "secrets",
    "format",
    "max_items",
    "auth_failure_status",
    "date_zone",
    "effective_at",
    "auth",
    "map",
    "rules",
];

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Json,
}

impl Format {
    /// Returns the content type that a sender of this format states.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
        }
    }
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

/// One sender of webhooks, as configured. Its debug output shows no secret.
#[derive(Debug)]
pub struct Source {
    name: String,
    profile: Option<String>,
    format: Format,
    items_max: usize,
    auth_failure_status: u16,
    date_zone: Option<Tz>,
    effective_at: Option<String>,
    authenticator: Authenticator,
    mapping: Mapping,
    rules: Rules,
}

impl Source {
    /// Builds a source from its table `[sources.NAME]`, in which `env:` and `file:` are replaced already.
    ///
    /// # Errors
    /// Names the first key that is unknown, missing or wrong, and every source that anybody could use.
    pub fn build(name: &str, table: &Table) -> Result<Self, SourceError> {
        Self::build_with(name, table, Keys::build)
    }

    pub(super) fn build_with(
        name: &str,
        table: &Table,
        load: impl FnOnce(&Section<'_>, &Section<'_>) -> Result<Keys, SourceError>,
    ) -> Result<Self, SourceError> {
        let path = format!("sources.{name}");
        let merged = laid_over_profile(&Section::new(&path, table), table)?;
        let source = Section::new(&path, &merged);
        source.only(&KNOWN)?;
        let auth = source
            .section("auth")?
            .ok_or_else(|| source.error("auth", Problem::NoAuthentication))?;
        let map = source
            .section("map")?
            .ok_or_else(|| source.error("map", Problem::Missing))?;
        let authenticator = Authenticator::build(&auth, |auth| {
            load(&either(&source, auth, "secrets", "auth.secrets")?, auth)
        })?;
        let mapping = Mapping::build(&map)?;
        let rules = Rules::build(&source, &mapping)?;
        let uncovered = mapping
            .pointers()
            .chain(rules.pointers())
            .find_map(|pointer| match pointer {
                Pointer::Header(name) if !authenticator.covers(name) => Some(name.to_string()),
                Pointer::Header(_) | Pointer::Item(_) | Pointer::Root(_) => None,
            });
        if let Some(name) = uncovered {
            return Err(source.error("map", Problem::UnsignedHeader(name)));
        }
        Ok(Self {
            name: name.to_owned(),
            profile: source.text("profile")?.map(str::to_owned),
            format: source
                .word("format", &[("json", Format::Json)])?
                .unwrap_or(Format::Json),
            items_max: items_max(&source)?,
            auth_failure_status: auth_failure_status(&source)?,
            date_zone: date_zone(&either(&source, &map, "date_zone", "map.date_zone")?)?,
            effective_at: effective_at(&either(&source, &map, "effective_at", "map.effective_at")?)?,
            authenticator,
            mapping,
            rules,
        })
    }

    /// Proves that the request comes from this sender, over the raw bytes, in constant time, with every key.
    ///
    /// # Errors
    /// The cause is for metrics and logs; callers must not learn it.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<KeyIndex, Refusal> {
        self.authenticator.verify(headers, body, now)
    }

    /// Reads an authentic body. The headers matter only to profiles that point to one.
    pub fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        match self.read_events(headers, body) {
            Ok(events) => Reading::Events(events),
            Err(cause) => {
                let (event_id, content_digest) = identity::of_body(body);
                Reading::Unreadable {
                    event_id,
                    content_digest,
                    cause,
                }
            }
        }
    }

    /// Returns the headers with which the sender would send this body at this time, signed with the newest key.
    ///
    /// # Errors
    /// Fails where the signature covers a header whose value only the sender knows.
    pub fn sign(&self, body: &[u8], now: DateTime<Utc>) -> Result<Vec<(String, String)>, SignError> {
        self.authenticator.sign(body, now)
    }

    /// Says whether the stated content type is this source's. None at all is no contradiction: the body is read
    /// strictly anyway, and some senders state nothing.
    pub fn accepts_content_type(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        match (values.next(), values.next()) {
            (None, _) => true,
            (Some(value), None) => value.to_str().is_ok_and(|text| self.format.is_stated_by(text)),
            (Some(_), Some(_)) => false,
        }
    }

    /// Returns the source's name, the last segment of its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the built-in profile, or `None` where the source carries its own.
    pub fn profile_name(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns how the body is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the status for a request that can't be proved: 401, or 503 for senders to which a 4xx is final.
    pub fn auth_failure_status(&self) -> u16 {
        self.auth_failure_status
    }

    /// Returns the zone of the sender's dates, where it differs from the policy's.
    pub fn date_zone(&self) -> Option<Tz> {
        self.date_zone
    }

    /// Returns when a date without a time takes effect, where it differs from the policy's: `start_of_day`,
    /// `end_of_day` or `HH:MM`.
    pub fn effective_at(&self) -> Option<&str> {
        self.effective_at.as_deref()
    }

    fn read_events(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<TerminationEvent>, ReadError> {
        let root = match self.format {
            Format::Json => json::parse(body)?,
        };
        let items = match self.mapping.items() {
            None => std::slice::from_ref(&root),
            Some(pointer) => items(pointer, &root).ok_or(ReadError::ItemsNotArray)?,
        };
        if items.len() > self.items_max {
            return Err(ReadError::TooManyItems(self.items_max));
        }
        if !items.iter().all(Value::is_object) {
            return Err(ReadError::NotAnObject);
        }
        if items.is_empty() {
            return Ok(vec![nothing(body)]);
        }
        let read = |item| {
            self.mapping.read(
                &Scope {
                    root: &root,
                    item,
                    headers,
                },
                &self.rules,
                self.date_zone,
            )
        };
        let mut events: Vec<TerminationEvent> = Vec::with_capacity(items.len());
        for event in items.iter().map(read) {
            // One delivery may say the same thing twice; that is still one event.
            if !events.contains(&event) {
                events.push(event);
            }
        }
        Ok(events)
    }
}

impl Format {
    fn is_stated_by(self, text: &str) -> bool {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let format = match self {
            Self::Json => {
                essence == self.content_type()
                    || essence.starts_with("application/") && essence.ends_with("+json")
            }
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

/// Finds the items; the map allows only pointers into the body here.
fn items<'a>(pointer: &Pointer, root: &'a Value) -> Option<&'a [Value]> {
    match pointer {
        Pointer::Item(path) | Pointer::Root(path) => root.pointer(path)?.as_array().map(Vec::as_slice),
        Pointer::Header(_) => None,
    }
}

/// The event of a delivery without items, so that it is stored and answered like any other.
fn nothing(body: &[u8]) -> TerminationEvent {
    let (event_id, content_digest) = identity::of_body(body);
    TerminationEvent {
        event_id,
        content_digest,
        directive: Directive::Ignore,
        person: PersonRef::default(),
        effective: Effective::Missing,
        occurred_at: None,
        termination_type: None,
    }
}

/// Some keys may stand at the source or in one of its tables, but not in both.
fn either<'a>(
    source: &Section<'a>,
    inner: &Section<'a>,
    key: &str,
    inner_key: &'static str,
) -> Result<Section<'a>, SourceError> {
    match (source.has(key), inner.has(key)) {
        (true, true) => Err(source.error(key, Problem::SetTwice(inner_key))),
        (false, true) => Ok(inner.clone()),
        (true | false, false) => Ok(source.clone()),
    }
}

fn items_max(source: &Section<'_>) -> Result<usize, SourceError> {
    let Some(number) = source.integer("max_items")? else {
        return Ok(ITEMS_DEFAULT);
    };
    let number = (1..=ITEMS_MAX)
        .contains(&number)
        .then(|| usize::try_from(number).ok())
        .flatten();
    number.ok_or_else(|| source.error("max_items", Problem::Malformed("from 1 to 10000")))
}

fn auth_failure_status(source: &Section<'_>) -> Result<u16, SourceError> {
    match source.integer("auth_failure_status")? {
        None | Some(401) => Ok(401),
        Some(503) => Ok(503),
        Some(_) => Err(source.error("auth_failure_status", Problem::Malformed("401 or 503"))),
    }
}

fn date_zone(section: &Section<'_>) -> Result<Option<Tz>, SourceError> {
    let wrong = |_| {
        section.error(
            "date_zone",
            Problem::Malformed("an IANA time zone such as Europe/Berlin"),
        )
    };
    section
        .text("date_zone")?
        .map(|text| text.parse().map_err(wrong))
        .transpose()
}

fn effective_at(section: &Section<'_>) -> Result<Option<String>, SourceError> {
    let Some(text) = section.text("effective_at")? else {
        return Ok(None);
    };
    let is_time = text.len() == 5 && chrono::NaiveTime::parse_from_str(text, "%H:%M").is_ok();
    if !is_time && !matches!(text, "start_of_day" | "end_of_day") {
        let form = Problem::Malformed("start_of_day, end_of_day or a time such as 17:00");
        return Err(section.error("effective_at", form));
    }
    Ok(Some(text.to_owned()))
}
