//! `[[callbacks]]`: whom Leaver tells about an offboarding's end; leaves signing and sending to `notify`.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::section::{Section, check_secret};

pub(super) const KEYS: &[&str] = &["url", "secret", "events"];

/// Standard Webhooks' mark of a secret that is written in base64.
const SECRET_PREFIX: &str = "whsec_";

/// Somebody who is told.
#[derive(Clone)]
pub struct Callback {
    /// Where it is posted: https, or plain http to loopback. Required.
    pub url: Url,
    /// The key that signs it as Standard Webhooks. Required, at least 16 bytes, also after decoding where it is
    /// written as `whsec_` and base64.
    pub secret: SecretString,
    /// What is told, each once. Default all three.
    pub events: Vec<CallbackEvent>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path stays out: chats put their token there.
        f.debug_struct("Callback")
            .field("host", &self.url.host_str())
            .field("secret", &self.secret)
            .field("events", &self.events)
            .finish()
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

    /// The word in the configuration, which is also the type of what is posted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "offboarding.done",
            Self::Held => "offboarding.held",
            Self::Failed => "offboarding.failed",
        }
    }
}

/// Reads all callbacks.
pub(super) fn read(sections: Vec<Section<'_>>) -> Result<Vec<Callback>, ConfigError> {
    sections.into_iter().map(read_one).collect()
}

fn read_one(mut section: Section<'_>) -> Result<Callback, ConfigError> {
    let url = section.address("url")?.ok_or_else(|| ConfigError::MissingKey { key: section.key("url") })?;
    let secret = section.secret("secret")?;
    if let Some(encoded) = secret.expose_secret().strip_prefix(SECRET_PREFIX) {
        let key = section.key("secret");
        match BASE64_STANDARD.decode(encoded) {
            Ok(decoded) => check_secret(&key, decoded.len())?,
            Err(_) => {
                return Err(ConfigError::refused(key, format!("expected base64 after {SECRET_PREFIX}")));
            }
        }
    }
    let events_key = section.key("events");
    let Some(words) = section.list("events")? else {
        return Ok(Callback { url, secret, events: CallbackEvent::ALL.to_vec() });
    };
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
    Ok(Callback { url, secret, events })
}
