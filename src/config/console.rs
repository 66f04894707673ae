//! `[console]`: where people reach the console, and how long they stay signed in; leaves the pages and the sessions to `http`.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;

use super::address;
use super::error::ConfigError;
use super::section::Section;

pub(super) const KEYS: &[&str] = &["url", "session_idle", "session_max"];

/// Shorter, and nobody can read a page to its end; longer, and a screen that was left alone is open to the next person.
const SESSION_IDLE: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);

/// A working day is usual; whoever stays signed in for longer than a week is never asked again whether they still may.
const SESSION_MAX: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// The console on the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where people's browsers reach the admin listener, for links in messages and for the way back from a sign-in
    /// elsewhere: https, or plain http to loopback, without a path. Default none: links are left out.
    pub url: Option<Url>,
    /// A session in which nothing was asked for so long ends. Default 30m, 1 minute to a day.
    pub session_idle: Duration,
    /// A session ends after this time in any case. Default 8h, 1 minute to 7 days, not shorter than `session_idle`.
    pub session_max: Duration,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            url: None,
            session_idle: Duration::from_secs(30 * 60),
            session_max: Duration::from_secs(8 * 3600),
        }
    }
}

impl Console {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let url = section.address("url")?;
        if url.as_ref().is_some_and(|url| !address::is_origin(url)) {
            return Err(ConfigError::refused(section.key("url"), "expected an address without a path"));
        }
        let session_idle = section.duration("session_idle", default.session_idle, SESSION_IDLE)?;
        let session_max = section.duration("session_max", default.session_max, SESSION_MAX)?;
        if session_max < session_idle {
            return Err(ConfigError::refused(
                section.key("session_max"),
                "is shorter than console.session_idle",
            ));
        }
        Ok(Self { url, session_idle, session_max })
    }
}
