//! `[[callbacks]]`: whom Leaver tells about an offboarding's end; leaves templates, signing and sending to `notify`.

use std::collections::BTreeSet;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::address;
use super::error::ConfigError;
use super::section::{Section, Text, check_secret};

pub(super) const KEYS: &[&str] = &[
    "name",
    "url",
    "secret",
    "secrets",
    "events",
    "person",
    "template",
    "method",
    "content_type",
    "headers",
    "body",
    "with",
];

/// Standard Webhooks' mark of a secret that is written in base64.
const SECRET_PREFIX: &str = "whsec_";

/// Old and new, and one more for a rotation that was begun twice: a receiver tries each.
const SECRETS_MAX: usize = 3;

/// It stands in logs, in the journal and on command lines.
const NAME_CHARS_MAX: usize = 64;

/// A message of a chat is a fraction of this.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What is said by the sender itself, and can't be said by the configuration.
const OWN_HEADERS: &[&str] = &["host", "content-length", "content-type", "transfer-encoding", "connection"];
const OWN_HEADERS_PREFIX: &str = "webhook-";

/// Somebody who is told.
#[derive(Clone)]
pub struct Callback {
    /// The path of the section, for example `callbacks[0]`: what `notify` refuses is named by it.
    pub key: String,
    /// What it is called in the outbox, in logs and on command lines; what it has been told is known by it. Unique. Default
    /// the host of `url`; where one before it is called so, with the port (`127.0.0.1:9002`) or, to the same port, with a
    /// number (`127.0.0.1 (2)`).
    pub name: String,
    /// Where it is sent: https, or plain http to loopback; `{external_id}` and other places may stand in its path and in
    /// its query. Required.
    pub url: String,
    /// `secret`, or `secrets` while one is replaced: the keys that sign it as Standard Webhooks, each at least 16 bytes,
    /// also after decoding where it is written as `whsec_` and base64. Required, but where `template` or `body` says
    /// another format.
    pub secrets: Vec<SecretString>,
    /// What is told, each once. Default all three.
    pub events: Vec<CallbackEvent>,
    /// How much is said about the person. Default that of the template, or `ids`.
    pub person: Option<Share>,
    /// A built-in format instead of the usual body.
    pub template: Option<String>,
    /// Default that of the template, or POST.
    pub method: Option<Method>,
    /// Default that of the template, or `application/json`.
    pub content_type: Option<String>,
    /// Sent besides; secret, because that is where credentials stand.
    pub headers: Vec<(HeaderName, SecretString)>,
    /// A format of one's own instead of the usual body.
    pub body: Option<String>,
    /// Values of one's own for places in `body` and in the template; secret, because some formats want keys there.
    pub values: Vec<(String, SecretString)>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        // The path stays out: chats put their token there. So does the body, which may hold one.
        f.debug_struct("Callback")
            .field("name", &self.name)
            .field("host", &Url::parse(&self.url).ok().as_ref().and_then(Url::host_str))
            .field("secrets", &self.secrets)
            .field("events", &self.events)
            .field("person", &self.person)
            .field("template", &self.template)
            .field("method", &self.method)
            .field("content_type", &self.content_type)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// What happened to an offboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackEvent {
    /// It came to its end.
    Done,
    /// A person has to look.
    Held,
    /// It ended without its end being reached.
    Failed,
}

impl CallbackEvent {
    const ALL: &[Self] = &[Self::Done, Self::Held, Self::Failed];

    /// The word in the configuration, which is also the type of what is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "offboarding.done",
            Self::Held => "offboarding.held",
            Self::Failed => "offboarding.failed",
        }
    }
}

/// How much somebody is told about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The address and the ids.
    Full,
    /// The ids alone: an HRIS knows the person by its own, and nobody else by any.
    Ids,
    /// Nothing.
    None,
}

impl Share {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Full, Self::Ids, Self::None];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Ids => "ids",
            Self::None => "none",
        }
    }
}

/// How it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
}

impl Method {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Post, Self::Put];

    /// The word in the configuration, and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Reads all callbacks.
pub(super) fn read(sections: Vec<Section<'_>>) -> Result<Vec<Callback>, ConfigError> {
    let mut names = BTreeSet::new();
    let mut callbacks = Vec::with_capacity(sections.len());
    for section in sections {
        let (callback, host) = read_one(section)?;
        if !callback.name.is_empty() && !names.insert(callback.name.clone()) {
            let problem = format!("{:?} is another one's name already: give each its own", callback.name);
            return Err(ConfigError::refused(format!("{}.name", callback.key), problem));
        }
        callbacks.push((callback, host));
    }
    // In the order of the file: one that is added at its end changes nobody's name.
    let mut hosts = BTreeSet::new();
    for (callback, host) in &mut callbacks {
        if callback.name.is_empty() {
            let known = !hosts.insert(host.clone());
            callback.name = default_name(host, known, &names);
            names.insert(callback.name.clone());
        }
    }
    Ok(callbacks.into_iter().map(|(callback, _)| callback).collect())
}

/// A name that nobody has: the host, the host with its port, or, where one before goes to the same, with a number.
fn default_name((host, port): &(String, u16), known: bool, names: &BTreeSet<String>) -> String {
    let with = |more: String| {
        let room = NAME_CHARS_MAX.saturating_sub(more.len());
        host.chars().take(room).chain(more.chars()).collect::<String>()
    };
    let at_port = (!known).then(|| with(format!(":{port}")));
    let numbered = (2_u32..).map(|number| with(format!(" ({number})")));
    let mut candidates = [with(String::new())].into_iter().chain(at_port).chain(numbered);
    candidates.find(|name| !names.contains(name)).unwrap_or_default()
}

/// A callback, whose name is empty where none is given, and where it is sent.
fn read_one(mut section: Section<'_>) -> Result<(Callback, (String, u16)), ConfigError> {
    let (url, host) = read_url(section.required("url")?)?;
    let name = section.text("name", "a name")?.map(read_name).transpose()?.unwrap_or_default();
    let key = section.key("name").trim_end_matches(".name").to_owned();
    let template = section.text("template", "the name of a template")?.map(|text| text.value);
    let body = section.text("body", "a text")?;
    if let Some(body) = &body {
        if template.is_some() {
            return Err(ConfigError::refused(&body.key, "give either template or body"));
        }
        if body.value.len() > BODY_BYTES_MAX {
            return Err(ConfigError::refused(&body.key, format!("is longer than {BODY_BYTES_MAX} bytes")));
        }
    }
    let own_format = template.is_some() || body.is_some();
    let secrets = read_secrets(&mut section, own_format)?;
    let share = |text: Text| text.choice(Share::ALL, Share::as_str);
    let person = section.text("person", "full, ids or none")?.map(share).transpose()?;
    let method = |text: Text| text.choice(Method::ALL, Method::as_str);
    let method = section.text("method", "POST or PUT")?.map(method).transpose()?;
    let content_type = section.text("content_type", "a media type")?;
    if let Some(text) = content_type.as_ref().filter(|_| body.is_none()) {
        return Err(ConfigError::refused(&text.key, "is for a body of your own: give body too"));
    }
    let headers = section.free_texts("headers")?.into_iter().map(|(name, text)| header(&name, text));
    let headers = headers.collect::<Result<Vec<_>, _>>()?;
    let values: Vec<_> = section
        .free_texts("with")?
        .into_iter()
        .map(|(name, text)| (name, SecretString::from(text.value)))
        .collect();
    if !values.is_empty() && !own_format {
        return Err(ConfigError::refused(section.key("with"), "is for a template or a body of your own"));
    }
    let events = read_events(&mut section)?;
    let (body, content_type) = (body.map(|text| text.value), content_type.map(|text| text.value));
    let callback = Callback {
        key,
        name,
        url,
        secrets,
        events,
        person,
        template,
        method,
        content_type,
        headers,
        body,
        values,
    };
    Ok((callback, host))
}

/// The address as it was written, and its host and port. Places may stand behind the host only: nothing that a person's record holds
/// decides where something is sent.
fn read_url(text: Text) -> Result<(String, (String, u16)), ConfigError> {
    let refused = || ConfigError::refused(&text.key, format!("expected {}", address::EXPECTED));
    if let Some(place) = text.value.find('{') {
        let host_ends = text.value.split_once("://").is_some_and(|(scheme, rest)| {
            rest.find(['/', '?']).is_some_and(|end| scheme.len() + 3 + end < place)
        });
        if !host_ends {
            return Err(ConfigError::refused(&text.key, "a place may stand behind the host only"));
        }
    }
    let url = address::parse_address(&text.value.replace(['{', '}'], "")).ok_or_else(refused)?;
    let host = url.host_str().ok_or_else(refused)?.to_owned();
    // As the URL's own writing, where nothing is to be filled in.
    let written = if text.value.contains('{') { text.value } else { url.to_string() };
    Ok((written, (host, url.port_or_known_default().unwrap_or_default())))
}

fn read_name(text: Text) -> Result<String, ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.value.is_empty() || text.value.len() > NAME_CHARS_MAX || !text.value.chars().all(plain) {
        let problem =
            format!("expected at most {NAME_CHARS_MAX} letters, digits, dots, dashes and underscores");
        return Err(ConfigError::refused(text.key, problem));
    }
    Ok(text.value)
}

fn read_secrets(section: &mut Section<'_>, own_format: bool) -> Result<Vec<SecretString>, ConfigError> {
    let (one_key, several_key) = (section.key("secret"), section.key("secrets"));
    let several = section.list("secrets")?;
    let texts = match (section.peek("secret").is_some(), several) {
        (true, Some(_)) => return Err(ConfigError::refused(several_key, "give either secret or secrets")),
        (true, None) => vec![section.required("secret")?],
        (false, Some(texts)) => texts,
        (false, None) if own_format => return Ok(Vec::new()),
        (false, None) => return Err(ConfigError::MissingKey { key: one_key }),
    };
    if texts.is_empty() {
        return Err(ConfigError::refused(several_key, "is empty"));
    }
    if texts.len() > SECRETS_MAX {
        return Err(ConfigError::refused(several_key, format!("has more than {SECRETS_MAX} secrets")));
    }
    texts.into_iter().map(read_secret).collect()
}

fn read_secret(text: Text) -> Result<SecretString, ConfigError> {
    check_secret(&text.key, text.value.len())?;
    if let Some(encoded) = text.value.strip_prefix(SECRET_PREFIX) {
        match BASE64_STANDARD.decode(encoded) {
            Ok(decoded) => check_secret(&text.key, decoded.len())?,
            Err(_) => {
                let problem = format!("expected base64 after {SECRET_PREFIX}");
                return Err(ConfigError::refused(text.key, problem));
            }
        }
    }
    Ok(text.value.into())
}

fn header(name: &str, text: Text) -> Result<(HeaderName, SecretString), ConfigError> {
    let Ok(parsed) = HeaderName::try_from(name) else {
        return Err(ConfigError::refused(text.key, "is no name of a header"));
    };
    if OWN_HEADERS.contains(&parsed.as_str()) || parsed.as_str().starts_with(OWN_HEADERS_PREFIX) {
        return Err(ConfigError::refused(text.key, "is set by Leaver itself"));
    }
    if HeaderValue::try_from(&text.value).is_err() {
        return Err(ConfigError::refused(text.key, "expected visible ASCII characters"));
    }
    Ok((parsed, text.value.into()))
}

fn read_events(section: &mut Section<'_>) -> Result<Vec<CallbackEvent>, ConfigError> {
    let events_key = section.key("events");
    let Some(words) = section.list("events")? else { return Ok(CallbackEvent::ALL.to_vec()) };
    let mut events = Vec::with_capacity(words.len());
    for word in words {
        let event = word.choice(CallbackEvent::ALL, CallbackEvent::as_str)?;
        if events.contains(&event) {
            return Err(ConfigError::refused(word.key, format!("{} is in the list twice", event.as_str())));
        }
        events.push(event);
    }
    if events.is_empty() {
        return Err(ConfigError::refused(events_key, "is empty, so nobody would be told"));
    }
    Ok(events)
}

/// The bytes that a secret signs with: what `whsec_` stands before is base64, everything else is itself.
pub fn signing_key(secret: &SecretString) -> Vec<u8> {
    let text = secret.expose_secret();
    let decoded = text.strip_prefix(SECRET_PREFIX).map(|encoded| BASE64_STANDARD.decode(encoded));
    match decoded {
        Some(Ok(key)) => key,
        Some(Err(_)) | None => text.as_bytes().to_vec(),
    }
}
