//! A source: one sender, its proof and its profile, checked when it is built.
//! How each part works is left to the part's own module.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use toml::Table;

use super::auth::{Authenticator, Refusal, SignError};
use super::delivery::{Format, Reader, Reading};
use super::keys::{KeyIndex, Keys};
use super::pointer::Pointer;
use super::profile::{canonical_name, laid_over_profile};
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::Zone;

const KNOWN: [&str; 12] = [
    "profile",
    "verified",
    "unverified",
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

/// One sender of webhooks, as configured. Its debug output shows no secret.
#[derive(Debug)]
pub struct Source {
    name: String,
    profile: Option<String>,
    unverified: Option<String>,
    auth_failure_status: u16,
    effective_at: Option<String>,
    authenticator: Authenticator,
    pub(super) reader: Reader,
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
        let auth = source.section("auth")?.ok_or_else(|| source.error("auth", Problem::NoAuthentication))?;
        let map = source.section("map")?.ok_or_else(|| source.error("map", Problem::Missing))?;
        let load = |auth: &Section<'_>| load(&either(&source, auth, "secrets", "auth.secrets")?, auth);
        let authenticator = Authenticator::build(&auth, load)?;
        let date_zone = date_zone(&either(&source, &map, "date_zone", "map.date_zone")?)?;
        let reader = Reader::build(&source, date_zone)?;
        check_headers(&source, "map", reader.mapping.pointers(), &authenticator)?;
        check_headers(&source, "rules", reader.rules.pointers(), &authenticator)?;
        Ok(Self {
            name: name.to_owned(),
            profile: source.text("profile")?.map(|name| canonical_name(name).to_owned()),
            unverified: unverified(&source)?,
            auth_failure_status: auth_failure_status(&source)?,
            effective_at: effective_at(&either(&source, &map, "effective_at", "map.effective_at")?)?,
            authenticator,
            reader,
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
        self.reader.read(headers, body)
    }

    /// Returns the headers with which the sender would send this body at this time, signed with the newest key.
    ///
    /// # Errors
    /// Fails where the signature covers a header whose value only the sender knows, and where the source has only
    /// public keys.
    pub fn sign(&self, body: &[u8], now: DateTime<Utc>) -> Result<Vec<(String, String)>, SignError> {
        self.authenticator.sign(body, now)
    }

    /// Signs like [`Self::sign`] with a secret that is given: one written as in the configuration, or for a source of
    /// public keys the private key, `whsk_` and base64 of the seed or of the seed and its public key.
    ///
    /// # Errors
    /// Fails where the secret is none of this source's kind, and where the signature covers a header whose value only
    /// the sender knows.
    pub fn sign_with(
        &self,
        secret: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, String)>, SignError> {
        self.authenticator.sign_with(secret, body, now)
    }

    /// Says whether the stated content type is this source's. None at all is no contradiction: the body is read
    /// strictly anyway, and some senders state nothing.
    pub fn accepts_content_type(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        match (values.next(), values.next()) {
            (None, _) => true,
            (Some(value), None) => value.to_str().is_ok_and(|text| self.reader.format.is_stated_by(text)),
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

    /// Returns why the profile is a guess at what the sender does, in a sentence; `None` where it is none.
    pub fn unverified(&self) -> Option<&str> {
        self.unverified.as_deref()
    }

    /// Returns how the body is written.
    pub fn format(&self) -> Format {
        self.reader.format
    }

    /// Returns the status for a request that can't be proved: 401, or 503 for senders to which a 4xx is final.
    pub fn auth_failure_status(&self) -> u16 {
        self.auth_failure_status
    }

    /// Returns the zone of the sender's dates, where it differs from the policy's.
    pub fn date_zone(&self) -> Option<&Zone> {
        self.reader.zone.as_ref()
    }

    /// Returns when a date without a time takes effect, where it differs from the policy's: `start_of_day`,
    /// `end_of_day` or `HH:MM`.
    pub fn effective_at(&self) -> Option<&str> {
        self.effective_at.as_deref()
    }
}

/// Refuses to read a header that is not proved: anybody on the way could have changed it.
fn check_headers<'a>(
    source: &Section<'_>,
    key: &str,
    pointers: impl Iterator<Item = &'a Pointer>,
    authenticator: &Authenticator,
) -> Result<(), SourceError> {
    for pointer in pointers {
        match pointer {
            Pointer::Header(name) if !authenticator.covers(name) => {
                return Err(source.error(key, Problem::UnsignedHeader(name.to_string())));
            }
            Pointer::Header(_) | Pointer::Item(_) | Pointer::Root(_) | Pointer::Picked(..) => {}
        }
    }
    Ok(())
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

fn unverified(source: &Section<'_>) -> Result<Option<String>, SourceError> {
    let why = source.text("unverified")?;
    match (source.boolean("verified")?.unwrap_or(true), why) {
        (true, None) => Ok(None),
        (false, Some(why)) => Ok(Some(why.to_owned())),
        (true, Some(_)) => Err(source.error("unverified", Problem::Needs("verified = false"))),
        (false, None) => Err(source.error("verified", Problem::Needs("unverified, one sentence why"))),
    }
}

fn auth_failure_status(source: &Section<'_>) -> Result<u16, SourceError> {
    match source.integer("auth_failure_status")? {
        None | Some(401) => Ok(401),
        Some(503) => Ok(503),
        Some(_) => Err(source.error("auth_failure_status", Problem::Malformed("401 or 503"))),
    }
}

fn date_zone(section: &Section<'_>) -> Result<Option<Zone>, SourceError> {
    let wrong = |_| section.error("date_zone", Problem::Malformed("an IANA time zone such as Europe/Berlin"));
    section.text("date_zone")?.map(|text| text.parse().map_err(wrong)).transpose()
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn generic(rest: &str) -> Source {
        let toml =
            format!("profile = 'generic-worker-terminated'\nsecrets = ['a secret of enough bytes']\n{rest}");
        Source::build("acme", &toml.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_content_type_is_json_in_utf_8_once_or_unsaid() {
        let accepts = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-type", HeaderValue::from_str(value).unwrap());
            }
            generic("").accepts_content_type(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/cloudevents+json; charset=\"utf-8\"",
        ] {
            assert!(accepts(&[good]), "{good}");
        }
        assert!(accepts(&[]));
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "application/json; charset=utf-16",
            "",
        ] {
            assert!(!accepts(&[bad]), "{bad}");
        }
        assert!(!accepts(&["application/json", "application/json"]));
    }

    #[test]
    fn the_settings_for_others_are_handed_on() {
        let source =
            generic("auth_failure_status = 503\n[map]\ndate_zone = 'Europe/Berlin'\neffective_at = '17:00'");
        assert_eq!(source.auth_failure_status(), 503);
        assert_eq!(source.date_zone(), Some(&"Europe/Berlin".parse().unwrap()));
        assert_eq!(source.effective_at(), Some("17:00"));
        assert_eq!((source.name(), source.profile_name()), ("acme", Some("generic-worker-terminated")));
        assert_eq!(generic("").auth_failure_status(), 401);
        let short: toml::Table =
            "profile = 'bamboohr'\nsecrets = ['a secret of enough bytes']".parse().unwrap();
        assert_eq!(Source::build("acme", &short).unwrap().profile_name(), Some("bamboohr-event-based"));
    }
}
