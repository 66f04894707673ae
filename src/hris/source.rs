//! A source: one sender, its proof and its profile, checked when it is built.
//! How each part works is left to the part's own module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, Utc};
use toml::Table;

use super::auth::{Authenticator, Refusal, SignError, Signing, single};
use super::delivery::{Format, Reader, Reading};
use super::handshake::Handshake;
use super::keys::{KeyIndex, Keys};
use super::look_up::LookUp;
use super::pointer::Pointer;
use super::profile::{canonical_name, laid_over_profile, samples_of};
use super::scim::Scim;
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::Zone;

const KNOWN: [&str; 18] = [
    "profile",
    "verified",
    "unverified",
    "protocol",
    "scim",
    "secrets",
    "format",
    "max_items",
    "auth_failure_status",
    "stored_status",
    "handshake",
    "allowed_origins",
    "date_zone",
    "effective_at",
    "auth",
    "map",
    "rules",
    "lookup",
];

/// One sender, as configured. Its debug output shows no secret.
#[derive(Debug)]
pub struct Source {
    name: String,
    profile: Option<String>,
    unverified: Option<String>,
    built_in: Option<(&'static str, &'static str)>,
    reads_its_own_way: bool,
    auth_failure_status: u16,
    stored_status: u16,
    effective_at: Option<String>,
    look_up: Option<Arc<LookUp>>,
    handshake: Option<Handshake>,
    /// Swapped as a whole when the secrets change; who holds one goes on with it.
    authenticator: RwLock<Arc<Authenticator>>,
    scim: Option<Scim>,
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
        let scim = Scim::build(&source)?;
        let load = |auth: &Section<'_>| load(&either(&source, auth, "secrets", "auth.secrets")?, auth);
        let authenticator = Authenticator::build(&auth, load)?;
        let date_zone = date_zone(&either(&source, &map, "date_zone", "map.date_zone")?)?;
        let reader = Reader::build(&source, date_zone)?;
        if scim.is_some() && !reader.mapping.pointers().all(|pointer| matches!(pointer, Pointer::Item(_))) {
            return Err(source.error("map", Problem::Malformed("pointers into the resource: /x")));
        }
        check_headers(&source, "map", reader.mapping.pointers(), &authenticator)?;
        check_headers(&source, "rules", reader.rules.pointers(), &authenticator)?;
        let effective_at = effective_at(&either(&source, &map, "effective_at", "map.effective_at")?)?;
        let look_up = LookUp::build(&source, reader.zone.as_ref(), effective_at.as_deref())?;
        Ok(Self {
            name: name.to_owned(),
            profile: source.text("profile")?.map(|name| canonical_name(name).to_owned()),
            unverified: unverified(&source)?,
            built_in: samples_of(&Section::new(&path, table))?,
            reads_its_own_way: reads_its_own_way(table),
            auth_failure_status: auth_failure_status(&source)?,
            look_up: look_up.map(Arc::new),
            stored_status: stored_status(&source)?,
            handshake: Handshake::build(&source)?,
            effective_at,
            authenticator: RwLock::new(Arc::new(authenticator)),
            scim,
            reader,
        })
    }

    /// Takes over the proof of this table, which differs from the one that the source was built from in its secrets only.
    /// A request that is being verified is verified with the keys that it began with.
    ///
    /// # Errors
    /// As [`Source::build`]; the keys are the ones before.
    pub fn adopt_secrets(&self, table: &Table) -> Result<(), SourceError> {
        let fresh = Self::build(&self.name, table)?;
        let fresh = fresh.authenticator.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.authenticator.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn authenticator(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Proves that the request comes from this sender, over the raw bytes, in constant time, with every key.
    ///
    /// # Errors
    /// The cause is for metrics and logs; callers must not learn it.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<KeyIndex, Refusal> {
        self.authenticator().verify(headers, body, now)
    }

    /// How far the receiver's clock is ahead of the request's timestamp, in seconds; nothing where the proof has none.
    pub fn skew_seconds(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<i64> {
        self.authenticator().skew(headers, now)
    }

    /// Reads an authentic body. The headers matter only to profiles that point to one.
    pub fn read(&self, headers: &HeaderMap, body: &[u8]) -> Reading {
        self.reader.read(headers, body)
    }

    /// Returns the names of the headers that the profile reads, each once.
    pub fn header_names(&self) -> BTreeSet<&str> {
        fn name(pointer: &Pointer) -> Option<&str> {
            match pointer {
                Pointer::Header(name) => Some(name.as_str()),
                Pointer::Item(_) | Pointer::Root(_) | Pointer::Picked(..) => None,
            }
        }
        self.reader.mapping.pointers().chain(self.reader.rules.pointers()).filter_map(name).collect()
    }

    /// Returns those of the headers that the profile reads, as they have to be kept to read the body again.
    pub fn headers_read(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let value = |name: &str| single(headers, &HeaderName::try_from(name).ok()?).ok().map(str::to_owned);
        self.header_names().into_iter().filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
    }

    /// Returns the headers with which the sender would send this body at this time, signed with the newest key.
    ///
    /// # Errors
    /// As [`Source::sign_as`].
    pub fn sign(&self, body: &[u8], now: DateTime<Utc>) -> Result<Vec<(String, String)>, SignError> {
        self.sign_as(body, &Signing { secret: None, headers: &[], now })
    }

    /// Returns the headers with which the sender would send this body: what is given, and the proof.
    ///
    /// # Errors
    /// Fails where the signature covers a header that is not given and that only the sender knows, where the source has only
    /// public keys and no secret is given, and where the secret is none of this source's kind.
    pub fn sign_as(&self, body: &[u8], signing: &Signing<'_>) -> Result<Vec<(String, String)>, SignError> {
        self.authenticator().sign(body, signing)
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

    /// How its HRIS is asked what a delivery does not say, where it can be asked.
    pub fn look_up(&self) -> Option<&Arc<LookUp>> {
        self.look_up.as_ref()
    }

    /// Returns why the profile is a guess at what the sender does, in a sentence; `None` where it is none.
    pub fn unverified(&self) -> Option<&str> {
        self.unverified.as_deref()
    }

    /// Returns the name and the samples of the built-in profile underneath, if there is one.
    pub(super) fn built_in(&self) -> Option<(&'static str, &'static str)> {
        self.built_in
    }

    /// Whether the source's own table changes how bodies are read, so that the samples of its profile need not fit.
    pub fn reads_its_own_way(&self) -> bool {
        self.reads_its_own_way
    }

    /// Returns how the body is written.
    pub fn format(&self) -> Format {
        self.reader.format
    }

    /// Returns the settings of a source that provisions users by SCIM; `None` for one that sends webhooks.
    pub fn scim(&self) -> Option<&Scim> {
        self.scim.as_ref()
    }

    /// Returns the status for a request that can't be proved: 401, or 503 for senders to which a 4xx is final.
    pub fn auth_failure_status(&self) -> u16 {
        self.auth_failure_status
    }

    /// Returns the status for a delivery that is stored for the first time: 202, or what the sender insists on.
    pub fn stored_status(&self) -> u16 {
        self.stored_status
    }

    /// Returns what the sender asks before it sends events, or `None` where it asks nothing.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
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

/// Refuses to read a header that is a proof itself, and one that is not proved: anybody on the way could have changed it.
fn check_headers<'a>(
    source: &Section<'_>,
    key: &str,
    pointers: impl Iterator<Item = &'a Pointer>,
    authenticator: &Authenticator,
) -> Result<(), SourceError> {
    for pointer in pointers {
        match pointer {
            Pointer::Header(name) if authenticator.is_proof(name) => {
                return Err(source.error(key, Problem::ProofHeader(name.to_string())));
            }
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

/// The zone and the time of day may stand in the map and don't change what is read, only which moment it means.
fn reads_its_own_way(table: &Table) -> bool {
    let map = table.get("map").and_then(toml::Value::as_table);
    let in_map = map.is_some_and(|map| map.keys().any(|key| key != "date_zone" && key != "effective_at"));
    in_map || ["format", "rules", "max_items"].iter().any(|key| table.contains_key(*key))
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

fn stored_status(source: &Section<'_>) -> Result<u16, SourceError> {
    match source.integer("stored_status")? {
        None | Some(202) => Ok(202),
        Some(200) => Ok(200),
        Some(204) => Ok(204),
        Some(_) => Err(source.error("stored_status", Problem::Malformed("200, 202 or 204"))),
    }
}

pub(super) fn date_zone(section: &Section<'_>) -> Result<Option<Zone>, SourceError> {
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
        assert_eq!((generic("").stored_status(), generic("stored_status = 204").stored_status()), (202, 204));
    }

    #[test]
    fn new_secrets_are_taken_over_whole_or_not_at_all() {
        let source = generic("");
        let table = |secrets: &str| -> Table {
            format!("profile = 'generic-worker-terminated'\nsecrets = [{secrets}]").parse().unwrap()
        };
        let (body, now) = (b"{}", Utc::now());
        let signed_by = |secret: &str| {
            let signer = Source::build("acme", &table(secret)).unwrap();
            let mut headers = HeaderMap::new();
            for (name, value) in signer.sign(body, now).unwrap() {
                let name: axum::http::HeaderName = name.parse().unwrap();
                headers.insert(name, HeaderValue::from_str(&value).unwrap());
            }
            source.verify(&headers, body, now)
        };
        let (old, new) = ("'a secret of enough bytes'", "'another secret of enough bytes'");
        assert_eq!((signed_by(old), signed_by(new)), (Ok(KeyIndex(0)), Err(Refusal::WrongSignature)));
        source.adopt_secrets(&table(&format!("{new}, {old}"))).unwrap();
        assert_eq!((signed_by(new), signed_by(old)), (Ok(KeyIndex(0)), Ok(KeyIndex(1))));
        let refused = source.adopt_secrets(&table(&format!("'short', {old}"))).unwrap_err();
        assert_eq!(refused.key(), "sources.acme.secrets[0]");
        assert_eq!((signed_by(new), signed_by(old)), (Ok(KeyIndex(0)), Ok(KeyIndex(1))));
    }
}
