//! Look-ups as data: what the HRIS is asked about a person, and how its answer reads. The call itself is left to the module
//! `lookup`; what follows from an answer, to the policy.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use secrecy::SecretString;
use toml::{Table, Value};

use super::auth::header_name;
use super::delivery::{Format, Reader, Reading};
use super::keys::SECRET_BYTES_MIN;
use super::pointer::Pointer;
use super::recipe::laid_over_recipe;
use super::settings::{Problem, Section, SourceError};
use super::source::date_zone;
use super::template::{Template, Writing};
use crate::offboarding::{Directive, PersonRef, TerminationEvent, Zone};

const KNOWN: [&str; 15] = [
    "recipe",
    "with",
    "url",
    "method",
    "body",
    "headers",
    "timeout",
    "max_bytes",
    "requests_per_minute",
    "format",
    "max_items",
    "date_zone",
    "auth",
    "map",
    "rules",
];

const AUTH_KNOWN: [&str; 7] =
    ["kind", "secret", "header", "token_url", "client_id", "client_secret", "scope"];

const MAP_KNOWN: [&str; 6] = ["items", "email", "external_id", "status", "effective", "pick"];

/// An HRIS that needs longer is not going to answer; the taken look-up has to outlast it.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<i64> = 1..=30;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// One record is a few kilobytes.
const BYTES_MAX_DEFAULT: usize = 256 * 1024;
const BYTES_MAX: std::ops::RangeInclusive<i64> = 1_024..=4 * 1024 * 1024;

/// The most careful of the known limits allows more.
const PER_MINUTE_DEFAULT: u32 = 60;

/// How the HRIS of a source is asked about a person. Its debug output shows no secret.
#[derive(Debug)]
pub struct LookUp {
    url: Template,
    body: Option<Template>,
    headers: Vec<(HeaderName, HeaderValue)>,
    credential: LookUpCredential,
    timeout: Duration,
    bytes_max: usize,
    per_minute: u32,
    zone: Option<Zone>,
    effective_at: Option<String>,
    reader: Reader,
}

/// What a look-up shows the HRIS.
#[derive(Clone, Debug)]
pub enum LookUpCredential {
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// `Authorization: Basic` of `user:password`.
    Basic(SecretString),
    /// The secret in a header.
    Header(HeaderName, SecretString),
    /// OAuth 2.0 client credentials (RFC 6749, 4.4), which give a bearer token.
    ClientCredentials {
        /// Where the token comes from.
        token_url: Url,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
        /// What is asked for, if anything.
        scope: Option<String>,
    },
}

/// One request to the HRIS.
#[derive(Clone, Debug)]
pub struct LookUpRequest {
    /// The whole address.
    pub url: Url,
    /// The JSON body of a POST; without one it is a GET.
    pub body: Option<String>,
    /// Headers besides the credential.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub enum LookUpAnswer {
    /// The person has left, or leaves at the moment that the event says.
    Left(TerminationEvent),
    /// The person still works; the record may say until when.
    NotYet(TerminationEvent),
    /// The person stays.
    Stays(TerminationEvent),
    /// There is no record in it, or a rule says that it is an error in the form of an answer: ask again.
    NoAnswer,
    /// It can't be acted on; why, without personal data.
    Unclear(&'static str),
}

impl LookUp {
    /// Reads `[sources.NAME.lookup]`; `None` where the source has none. `zone` and `effective_at` are the source's.
    ///
    /// # Errors
    /// Names the first key that is unknown, missing or wrong, and every address that a secret must not be sent to.
    pub(super) fn build(
        source: &Section<'_>,
        zone: Option<&Zone>,
        effective_at: Option<&str>,
    ) -> Result<Option<Self>, SourceError> {
        let Some(written) = source.section("lookup")? else {
            return Ok(None);
        };
        let merged = laid_over_recipe(&written)?;
        let section = Section::new(source.path("lookup"), &merged);
        section.only(&KNOWN)?;
        let map = section.section("map")?.ok_or_else(|| section.error("map", Problem::Missing))?;
        map.only(&MAP_KNOWN)?;
        let readable = with_status_as_event(&merged);
        let zone = date_zone(&section)?.or_else(|| zone.cloned());
        let reader = Reader::build(&Section::new(source.path("lookup"), &readable), zone.clone())?;
        for pointer in reader.mapping.pointers().chain(reader.rules.pointers()) {
            if matches!(pointer, Pointer::Header(_)) {
                return Err(section.error("map", Problem::Malformed("pointers into the answer")));
            }
        }
        if reader.format != Format::Json {
            return Err(section.error("format", Problem::Malformed("json")));
        }
        let url = url(&section)?;
        let body = body(&section)?;
        if !url.names_person() && !body.as_ref().is_some_and(Template::names_person) {
            return Err(section.error("url", Problem::Needs("{external_id} or {email}, here or in body")));
        }
        Ok(Some(Self {
            url,
            body,
            headers: headers(&section)?,
            credential: credential(&section)?,
            timeout: timeout(&section)?,
            bytes_max: bytes_max(&section)?,
            per_minute: per_minute(&section)?,
            zone,
            effective_at: effective_at.map(str::to_owned),
            reader,
        }))
    }

    /// The request about a person; `None` where they lack the key that it asks by.
    pub fn request(&self, person: &PersonRef) -> Option<LookUpRequest> {
        let url = self.url.fill(person, Writing::Address)?.parse().ok()?;
        let body = match &self.body {
            Some(body) => Some(body.fill(person, Writing::Json)?),
            None => None,
        };
        Some(LookUpRequest { url, body, headers: self.headers.clone() })
    }

    /// Reads the body of an answer about `asked`.
    pub fn read(&self, asked: &PersonRef, body: &[u8]) -> LookUpAnswer {
        let events = match self.reader.read(&HeaderMap::new(), body) {
            Reading::Events(events) => events,
            Reading::Unreadable { .. } => return LookUpAnswer::Unclear("the answer can't be read"),
        };
        let mut events = events.into_iter();
        let (Some(event), None) = (events.next(), events.next()) else {
            return LookUpAnswer::Unclear("the answer is about several people");
        };
        let others = |asked: &Option<String>, found: &Option<String>| {
            asked.as_ref().zip(found.as_ref()).is_some_and(|(asked, found)| asked != found)
        };
        if others(&asked.external_id, &event.person.external_id) {
            return LookUpAnswer::Unclear("the answer is about somebody with another id");
        }
        let by_id = asked.external_id.is_some() && event.person.external_id.is_some();
        if !by_id && others(&asked.email_key(), &event.person.email_key()) {
            return LookUpAnswer::Unclear("the answer is about somebody with another address");
        }
        match event.directive {
            Directive::Terminate => LookUpAnswer::Left(event),
            Directive::Lookup => LookUpAnswer::NotYet(event),
            Directive::Rescind => LookUpAnswer::Stays(event),
            // Without a record there is nothing that a rule could read.
            Directive::Ignore => LookUpAnswer::NoAnswer,
            Directive::Hold => LookUpAnswer::Unclear("no rule says what the answer means"),
        }
    }

    /// What is shown to the HRIS.
    pub fn credential(&self) -> &LookUpCredential {
        &self.credential
    }

    /// How long one call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The longest answer, in bytes.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The least time between two requests, for all replicas together.
    pub fn gap(&self) -> Duration {
        Duration::from_secs(60) / self.per_minute.max(1)
    }

    /// The zone of the answer's dates, where it differs from the policy's.
    pub fn date_zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// When a date without a time takes effect, where it differs from the policy's.
    pub fn effective_at(&self) -> Option<&str> {
        self.effective_at.as_deref()
    }
}

/// The language of maps calls it `event`; in a record it is a status. What no rule knows, a person looks at.
fn with_status_as_event(look_up: &Table) -> Table {
    let mut table = look_up.clone();
    if let Some(Value::Table(map)) = table.get_mut("map")
        && let Some(status) = map.remove("status")
    {
        map.insert("event".to_owned(), status);
    }
    let mut rules = match table.remove("rules") {
        Some(Value::Array(rules)) => rules,
        Some(other) => {
            table.insert("rules".to_owned(), other);
            return table;
        }
        None => return table,
    };
    let conditions = rules.iter_mut().filter_map(|rule| rule.get_mut("when")?.as_array_mut()).flatten();
    for condition in conditions {
        if let Some(place @ Value::String(_)) = condition.as_array_mut().and_then(|parts| parts.first_mut())
            && place.as_str() == Some("status")
        {
            *place = Value::from("event");
        }
    }
    let otherwise = [("when", Value::Array(Vec::new())), ("do", Value::from("hold"))];
    rules.push(Value::Table(otherwise.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()));
    table.insert("rules".to_owned(), Value::Array(rules));
    table
}

/// An address to which a secret may be sent, with its host before the first place.
fn url(section: &Section<'_>) -> Result<Template, SourceError> {
    let text = section.required_text("url")?;
    let template = Template::parse(text);
    safe_url(&template.sample(Writing::Address)).ok_or_else(|| section.error("url", ADDRESS))?;
    let authority = text.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let host_ends = authority
        .find('/')
        .is_some_and(|end| template.fixed_start().len() > text.len() - authority.len() + end);
    if template.names_person() && !host_ends {
        return Err(section.error("url", Problem::Malformed("an address whose host is fixed")));
    }
    Ok(template)
}

const ADDRESS: Problem = Problem::Malformed(
    "an https:// address without user, password and fragment (plain http:// is for loopback alone)",
);

fn safe_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host == "localhost" || literal.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let protected = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (protected && bare && !text.contains(['{', '}'])).then_some(url)
}

fn body(section: &Section<'_>) -> Result<Option<Template>, SourceError> {
    let posts = section.word("method", &[("GET", false), ("POST", true)])?.unwrap_or(false);
    match (posts, section.text("body")?) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(section.error("body", Problem::Needs("method = \"POST\""))),
        (true, None) => Err(section.error("body", Problem::Missing)),
        (true, Some(text)) => {
            let template = Template::parse(text);
            let sample = template.sample(Writing::Json);
            match serde_json::from_str::<serde_json::Value>(&sample) {
                Ok(_) => Ok(Some(template)),
                Err(_) => Err(section.error("body", Problem::Malformed("a JSON document"))),
            }
        }
    }
}

fn headers(section: &Section<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, SourceError> {
    let Some(table) = section.section("headers")? else {
        return Ok(Vec::new());
    };
    let mut headers = Vec::new();
    for name in table.keys() {
        let path = table.path(name);
        let mut value = HeaderValue::try_from(table.required_text(name)?)
            .map_err(|_| SourceError::new(&path, Problem::Malformed("printable ASCII")))?;
        // Some of them are secrets, too.
        value.set_sensitive(true);
        headers.push((header_name(&path, name)?, value));
    }
    Ok(headers)
}

fn credential(section: &Section<'_>) -> Result<LookUpCredential, SourceError> {
    #[derive(Clone, Copy)]
    enum Kind {
        Bearer,
        Basic,
        Header,
        ClientCredentials,
    }
    let auth = section.section("auth")?.ok_or_else(|| section.error("auth", Problem::NoCredential))?;
    auth.only(&AUTH_KNOWN)?;
    let kinds = [
        ("bearer", Kind::Bearer),
        ("basic", Kind::Basic),
        ("header", Kind::Header),
        ("client_credentials", Kind::ClientCredentials),
    ];
    let kind = auth.word("kind", &kinds)?.ok_or_else(|| auth.error("kind", Problem::Missing))?;
    Ok(match kind {
        Kind::Bearer => LookUpCredential::Bearer(secret(&auth, "secret")?),
        Kind::Basic => {
            if !auth.required_text("secret")?.contains(':') {
                return Err(auth.error("secret", Problem::Malformed("of the form user:password")));
            }
            LookUpCredential::Basic(secret(&auth, "secret")?)
        }
        Kind::Header => {
            let name = header_name(&auth.path("header"), auth.required_text("header")?)?;
            LookUpCredential::Header(name, secret(&auth, "secret")?)
        }
        Kind::ClientCredentials => LookUpCredential::ClientCredentials {
            token_url: safe_url(auth.required_text("token_url")?)
                .ok_or_else(|| auth.error("token_url", ADDRESS))?,
            client_id: auth.required_text("client_id")?.to_owned(),
            client_secret: secret(&auth, "client_secret")?,
            scope: auth.text("scope")?.map(str::to_owned),
        },
    })
}

fn secret(auth: &Section<'_>, key: &str) -> Result<SecretString, SourceError> {
    let text = auth.required_text(key)?;
    if text.len() < SECRET_BYTES_MIN {
        return Err(auth.error(key, Problem::ShortSecret(SECRET_BYTES_MIN)));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(auth.error(key, Problem::Malformed("printable ASCII")));
    }
    Ok(text.into())
}

fn timeout(section: &Section<'_>) -> Result<Duration, SourceError> {
    let Some(seconds) = section.seconds("timeout")? else {
        return Ok(TIMEOUT_DEFAULT);
    };
    let usable = TIMEOUT_SECONDS.contains(&seconds).then(|| u64::try_from(seconds).ok()).flatten();
    let wrong = || section.error("timeout", Problem::Malformed("from 1s to 30s"));
    usable.map(Duration::from_secs).ok_or_else(wrong)
}

fn bytes_max(section: &Section<'_>) -> Result<usize, SourceError> {
    let Some(number) = section.integer("max_bytes")? else {
        return Ok(BYTES_MAX_DEFAULT);
    };
    let usable = BYTES_MAX.contains(&number).then(|| usize::try_from(number).ok()).flatten();
    usable.ok_or_else(|| section.error("max_bytes", Problem::Malformed("from 1024 to 4194304")))
}

fn per_minute(section: &Section<'_>) -> Result<u32, SourceError> {
    let Some(number) = section.integer("requests_per_minute")? else {
        return Ok(PER_MINUTE_DEFAULT);
    };
    let usable = (1..=6_000).contains(&number).then(|| u32::try_from(number).ok()).flatten();
    usable.ok_or_else(|| section.error("requests_per_minute", Problem::Malformed("from 1 to 6000")))
}
