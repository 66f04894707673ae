//! What a sender asks before it sends events: a challenge, a ping, a token, or consent. None of it is an event.
//! Whether the one who asks may be answered, and what is kept of it, is left to the edge.

use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::auth::{Refusal, header_name, single};
use super::json;
use super::settings::{Problem, Section, SourceError};

/// Longer bodies are no ping and no token: whoever sends them has proved nothing yet, and is read no further.
const UNSIGNED_BYTES_MAX: usize = 1024;

/// The longest challenge that is echoed.
const CHALLENGE_BYTES_MAX: usize = 512;

/// The lengths that a verification token can have: it becomes a key afterwards.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 8..=256;

/// Where a sender asks for consent, and what it wants to know of the rate (CloudEvents, HTTP webhook, 4.1).
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");

/// Requests per minute where the sender names none that is a number.
const RATE_DEFAULT: u32 = 120;

/// How a source's sender makes sure that somebody is there.
#[derive(Debug)]
pub enum Handshake {
    /// A GET with the source's own credential wants the value of a header back.
    Challenge(Challenge),
    /// An unsigned POST of one of a few bodies wants a 2xx.
    Ping(Ping),
    /// An unsigned POST brings a token that an operator has to confirm at the sender.
    Token(Token),
    /// An OPTIONS asks whether events from an origin are wanted.
    Consent(Consent),
}

/// An echo of one header.
#[derive(Debug)]
pub struct Challenge {
    header: HeaderName,
    answer: String,
}

/// The bodies that ask whether anybody is there.
#[derive(Debug)]
pub struct Ping {
    bodies: Vec<Value>,
}

/// The one member of a body that brings a token.
#[derive(Debug)]
pub struct Token {
    member: String,
}

/// The origins whose events are wanted.
#[derive(Debug)]
pub struct Consent {
    origins: Vec<String>,
}

/// What consent is given to.
#[derive(Debug, PartialEq, Eq)]
pub struct Consented<'a> {
    /// The origin, as it was asked for.
    pub origin: &'a str,
    /// Requests per minute.
    pub rate: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Challenge,
    Ping,
    Token,
    Consent,
}

const KINDS: [(&str, Kind); 4] = [
    ("challenge", Kind::Challenge),
    ("ping", Kind::Ping),
    ("token", Kind::Token),
    ("consent", Kind::Consent),
];

impl Handshake {
    /// Reads `[handshake]` of a source, and `allowed_origins` beside it. An empty `kind` takes a profile's handshake away.
    pub(super) fn build(source: &Section<'_>) -> Result<Option<Self>, SourceError> {
        let origins = source.texts("allowed_origins")?;
        let consent_only = |handshake| match (&origins, handshake) {
            (None, handshake) | (Some(_), handshake @ Some(Self::Consent(_))) => Ok(handshake),
            (Some(_), _) => {
                Err(source.error("allowed_origins", Problem::Needs("handshake.kind = \"consent\"")))
            }
        };
        let Some(table) = source.section("handshake")? else {
            return consent_only(None);
        };
        let Some(kind) = table.word("kind", &KINDS)? else {
            return match table.has("kind") {
                true => consent_only(None),
                false => Err(table.error("kind", Problem::Missing)),
            };
        };
        consent_only(Some(match kind {
            Kind::Challenge => Self::Challenge(Challenge::build(&table)?),
            Kind::Ping => Self::Ping(Ping::build(&table)?),
            Kind::Token => Self::Token(Token::build(&table)?),
            Kind::Consent => {
                Self::Consent(Consent::build(source, &table, origins.as_deref().unwrap_or(&[]))?)
            }
        }))
    }
}

impl Challenge {
    fn build(table: &Section<'_>) -> Result<Self, SourceError> {
        table.only(&["kind", "header", "answer"])?;
        Ok(Self {
            header: header_name(&table.path("header"), table.required_text("header")?)?,
            answer: table.required_text("answer")?.to_owned(),
        })
    }

    /// Returns what the sender wants to read, or why its challenge is none: missing, repeated, too long, or not visible ASCII.
    pub fn answer(&self, headers: &HeaderMap) -> Result<Value, Refusal> {
        let value = single(headers, &self.header)?;
        if value.is_empty() || value.len() > CHALLENGE_BYTES_MAX || !is_visible(value) {
            return Err(Refusal::Malformed);
        }
        Ok(Value::Object([(self.answer.clone(), Value::from(value))].into_iter().collect()))
    }
}

impl Ping {
    fn build(table: &Section<'_>) -> Result<Self, SourceError> {
        table.only(&["kind", "bodies"])?;
        let written = table.texts("bodies")?.filter(|bodies| !bodies.is_empty());
        let written = written.ok_or_else(|| table.error("bodies", Problem::Missing))?;
        let mut bodies = Vec::with_capacity(written.len());
        for (index, text) in written.into_iter().enumerate() {
            let body = json::parse(text.as_bytes()).ok().filter(|_| text.len() <= UNSIGNED_BYTES_MAX);
            bodies.push(body.ok_or_else(|| {
                table.error(&format!("bodies[{index}]"), Problem::Malformed("JSON of at most 1024 bytes"))
            })?);
        }
        Ok(Self { bodies })
    }

    /// Says whether this is only the question whether anybody is there.
    pub fn is(&self, body: &[u8]) -> bool {
        unsigned(body).is_some_and(|value| self.bodies.contains(&value))
    }
}

impl Token {
    fn build(table: &Section<'_>) -> Result<Self, SourceError> {
        table.only(&["kind", "member"])?;
        Ok(Self { member: table.required_text("member")?.to_owned() })
    }

    /// Returns the token that a body brings: an object with this one member, a string of 8 to 256 visible ASCII characters.
    pub fn of(&self, body: &[u8]) -> Option<String> {
        let Value::Object(members) = unsigned(body)? else {
            return None;
        };
        let token = members.get(&self.member).filter(|_| members.len() == 1)?.as_str()?;
        (TOKEN_BYTES.contains(&token.len()) && is_visible(token)).then(|| token.to_owned())
    }
}

impl Consent {
    fn build(source: &Section<'_>, table: &Section<'_>, origins: &[&str]) -> Result<Self, SourceError> {
        table.only(&["kind"])?;
        // A star would be consent to everybody.
        let is_name = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'/'))
        };
        match origins.iter().position(|origin| !is_name(origin)) {
            None => Ok(Self { origins: origins.iter().map(|&origin| origin.to_owned()).collect() }),
            Some(index) => {
                let form = Problem::Malformed("the name of an origin such as events.example.com");
                Err(source.error(&format!("allowed_origins[{index}]"), form))
            }
        }
    }

    /// Returns what is consented to, or `None` for an origin that is not on the list, or is named twice.
    pub fn to<'a>(&self, headers: &'a HeaderMap) -> Option<Consented<'a>> {
        let origin = single(headers, &REQUEST_ORIGIN).ok()?;
        if !self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return None;
        }
        let rate = match single(headers, &REQUEST_RATE) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|rate| *rate > 0).unwrap_or(RATE_DEFAULT)
            }
            Ok(_) | Err(_) => RATE_DEFAULT,
        };
        Some(Consented { origin, rate })
    }
}

/// Reads a body that nobody has signed.
fn unsigned(body: &[u8]) -> Option<Value> {
    if body.len() > UNSIGNED_BYTES_MAX { None } else { json::parse(body).ok() }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn build(toml: &str) -> Result<Option<Handshake>, SourceError> {
        let table: toml::Table = toml.parse().unwrap();
        Handshake::build(&Section::new("sources.acme", &table))
    }

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_handshake_that_is_not_whole_is_refused_by_its_key() {
        let cases = [
            ("handshake = 'ping'", "handshake: must be a table"),
            ("handshake = {}", "handshake.kind: missing"),
            ("handshake.kind = 'hello'", "handshake.kind: must be one of challenge, ping, token, consent"),
            ("handshake.kind = 'challenge'", "handshake.header: missing"),
            (
                "handshake = { kind = 'challenge', header = 'a b', answer = 'x' }",
                "handshake.header: must be the name of a header",
            ),
            ("handshake = { kind = 'challenge', header = 'x-c' }", "handshake.answer: missing"),
            (
                "handshake = { kind = 'challenge', header = 'x-c', answer = 'x', member = 'y' }",
                "handshake.member: unknown key",
            ),
            ("handshake.kind = 'ping'", "handshake.bodies: missing"),
            ("handshake = { kind = 'ping', bodies = [] }", "handshake.bodies: missing"),
            (
                "handshake = { kind = 'ping', bodies = ['\"a\"', 'Ping test'] }",
                "handshake.bodies[1]: must be JSON of at most 1024 bytes",
            ),
            ("handshake.kind = 'token'", "handshake.member: missing"),
            ("handshake = { kind = 'consent', bodies = ['1'] }", "handshake.bodies: unknown key"),
            (
                "allowed_origins = ['a.example', '*']\nhandshake.kind = 'consent'",
                "allowed_origins[1]: must be the name of an origin such as events.example.com",
            ),
            ("allowed_origins = ['a.example']", "allowed_origins: needs handshake.kind = \"consent\""),
            (
                "allowed_origins = ['a.example']\nhandshake = { kind = 'token', member = 'x' }",
                "allowed_origins: needs handshake.kind = \"consent\"",
            ),
        ];
        for (toml, message) in cases {
            assert_eq!(build(toml).unwrap_err().to_string(), format!("sources.acme.{message}"), "{toml}");
        }
        assert!(build("").unwrap().is_none());
        assert!(build("handshake = { kind = '', bodies = ['1'] }").unwrap().is_none());
    }

    #[test]
    fn a_challenge_is_echoed_once_bounded_and_in_visible_ascii() {
        let toml = "handshake = { kind = 'challenge', header = 'X-Challenge', answer = 'verification' }";
        let Some(Handshake::Challenge(challenge)) = build(toml).unwrap() else { panic!("{toml}") };
        let answer = |pairs: &[(&'static str, &[u8])]| challenge.answer(&headers(pairs));
        let quoted = answer(&[("x-challenge", b"\"<script>")]).unwrap();
        assert_eq!(quoted, serde_json::json!({"verification": "\"<script>"}));
        assert!(answer(&[("x-challenge", &[b'a'; 512])]).is_ok());
        assert_eq!(answer(&[]), Err(Refusal::MissingHeader));
        assert_eq!(answer(&[("x-challenge", b"a"), ("x-challenge", b"a")]), Err(Refusal::RepeatedHeader));
        for wrong in [&b""[..], b"a b", "ä".as_bytes(), &[b'a'; 513]] {
            assert_eq!(answer(&[("x-challenge", wrong)]), Err(Refusal::Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn a_ping_is_equal_as_json_and_nothing_more() {
        let toml = r#"handshake = { kind = "ping", bodies = ['"Ping test"', '{"text":"Ping test"}'] }"#;
        let Some(Handshake::Ping(ping)) = build(toml).unwrap() else { panic!("{toml}") };
        for good in ["\"Ping test\"", " \"Ping\\u0020test\"\n", "{ \"text\" : \"Ping test\" }"] {
            assert!(ping.is(good.as_bytes()), "{good}");
        }
        let padded = format!("{}\"Ping test\"", " ".repeat(1024));
        for other in
            ["Ping test", "\"ping test\"", "{\"text\":\"Ping test\",\"type\":\"employee.left\"}", "", &padded]
        {
            assert!(!ping.is(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_token_is_the_only_member_and_can_be_a_key() {
        let toml = "handshake = { kind = 'token', member = 'verification_token' }";
        let Some(Handshake::Token(token)) = build(toml).unwrap() else { panic!("{toml}") };
        let of = |body: &str| token.of(body.as_bytes());
        assert_eq!(of(r#"{"verification_token":"12345678"}"#).as_deref(), Some("12345678"));
        let long = |length| format!(r#"{{"verification_token":"{}"}}"#, "x".repeat(length));
        assert!(of(&long(256)).is_some());
        for other in [
            r#"{"verification_token":"1234567"}"#,
            r#"{"verification_token":"1234 5678"}"#,
            r#"{"verification_token":"1234\n5678"}"#,
            r#"{"verification_token":12345678}"#,
            r#"{"verification_token":"12345678","event":"x"}"#,
            r#"{"verification_token":"12345678","verification_token":"12345678"}"#,
            r#"{"token":"12345678"}"#,
            r#"["12345678"]"#,
            "",
            &long(257),
            &format!("{}{}", " ".repeat(1024), long(8)),
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn consent_is_given_to_listed_origins_only_and_never_twice() {
        let consent = |list: &str| {
            let toml = format!("{list}\nhandshake.kind = 'consent'");
            let Some(Handshake::Consent(consent)) = build(&toml).unwrap() else { panic!("{toml}") };
            consent
        };
        let listed = consent("allowed_origins = ['events.example.com']");
        let rate = |rate: &[u8]| {
            let headers =
                headers(&[("webhook-request-origin", b"Events.example.com"), ("webhook-request-rate", rate)]);
            listed.to(&headers).map(|given| (given.origin.to_owned(), given.rate))
        };
        let given = |rate| Some(("Events.example.com".to_owned(), rate));
        assert_eq!(rate(b"600"), given(600));
        for odd in [&b"*"[..], b"-1", b"+5", b"0", b"", b"99999999999"] {
            assert_eq!(rate(odd), given(120), "{odd:?}");
        }
        let origin = |origin: &[u8]| headers(&[("webhook-request-origin", origin)]);
        assert_eq!(listed.to(&origin(b"events.example.com")).map(|given| given.rate), Some(120));
        assert_eq!(listed.to(&origin(b"evil.example.net")), None);
        assert_eq!(listed.to(&origin(b"*")), None);
        assert_eq!(listed.to(&headers(&[])), None);
        let twice = [("webhook-request-origin", &b"events.example.com"[..]); 2];
        assert_eq!(listed.to(&headers(&twice)), None);
        assert_eq!(consent("").to(&origin(b"events.example.com")), None);
    }
}
