//! What a source says that provisions users by SCIM (RFC 7643, RFC 7644) instead of sending webhooks: what a
//! deactivation and a deletion lead to, and whom a user's resource names. The protocol itself is left to the edge.

use axum::http::HeaderMap;
use serde_json::Value;

use super::delivery::Reading;
use super::json::ReadError;
use super::settings::{Problem, Section, SourceError};
use super::source::Source;
use crate::offboarding::{Directive, TerminationEvent};

/// What a user's end at the client leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Nothing.
    Ignore,
    /// A person has to look.
    Hold,
    /// The person leaves now.
    Terminate,
}

impl Ending {
    /// The word in the configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Hold => "hold",
            Self::Terminate => "terminate",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        ENDINGS.iter().find(|(known, _)| *known == word).map(|(_, ending)| *ending)
    }

    /// What its event asks for.
    pub const fn directive(self) -> Directive {
        match self {
            Self::Ignore => Directive::Ignore,
            Self::Hold => Directive::Hold,
            Self::Terminate => Directive::Terminate,
        }
    }
}

const ENDINGS: [(&str, Ending); 3] =
    [("terminate", Ending::Terminate), ("hold", Ending::Hold), ("ignore", Ending::Ignore)];

/// How a client proves who it is, in the words of RFC 7643, 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A bearer token.
    Bearer,
    /// User and password.
    Basic,
    /// A secret in a header of its own.
    Header,
}

/// Only constant credentials: a signature over the body proves neither the method nor the path, and whoever sees a signed
/// request for reading could make one for deleting of it.
const SCHEMES: [(&str, Scheme); 3] =
    [("bearer", Scheme::Bearer), ("basic", Scheme::Basic), ("header", Scheme::Header)];

/// Keys of a webhook's source: there are no deliveries to read, and no dates in them.
const WEBHOOKS_ONLY: [&str; 5] = ["rules", "format", "max_items", "date_zone", "effective_at"];

/// The settings of a source with `protocol = "scim"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scim {
    /// What the change from active to inactive leads to.
    pub inactive: Ending,
    /// What a deletion leads to.
    pub deleted: Ending,
    /// How the client proves who it is.
    pub scheme: Scheme,
}

impl Scim {
    /// Reads `protocol` and `[scim]`; `None` for a source of webhooks.
    pub(super) fn build(source: &Section<'_>) -> Result<Option<Self>, SourceError> {
        if !is_spoken(source)? {
            return match source.has("scim") {
                true => Err(source.error("scim", Problem::Needs("protocol = \"scim\""))),
                false => Ok(None),
            };
        }
        if let Some(key) = WEBHOOKS_ONLY.iter().find(|key| source.has(key)) {
            return Err(source.error(key, Problem::OfWebhooksOnly));
        }
        if let Some(map) = source.section("map")? {
            map.only(&["email", "external_id"])?;
        }
        let (mut inactive, mut deleted) = (None, None);
        if let Some(scim) = source.section("scim")? {
            scim.only(&["inactive", "deleted"])?;
            (inactive, deleted) = (scim.word("inactive", &ENDINGS)?, scim.word("deleted", &ENDINGS)?);
        }
        let scheme = match source.section("auth")? {
            Some(auth) => auth.word("kind", &SCHEMES)?,
            None => None,
        };
        Ok(Some(Self {
            inactive: inactive.unwrap_or(Ending::Terminate),
            deleted: deleted.unwrap_or(Ending::Terminate),
            scheme: scheme.unwrap_or(Scheme::Bearer),
        }))
    }
}

/// Whether the source provisions users instead of sending webhooks.
pub(super) fn is_spoken(source: &Section<'_>) -> Result<bool, SourceError> {
    Ok(source.word("protocol", &[("scim", ())])?.is_some())
}

impl Source {
    /// Reads a user's resource like a delivery: whom it names. What the event asks for and when is left to the caller.
    ///
    /// # Errors
    /// Fails where the resource is nested too deeply to be kept.
    pub fn read_resource(&self, resource: &Value) -> Result<TerminationEvent, ReadError> {
        match self.read(&HeaderMap::new(), resource.to_string().as_bytes()) {
            Reading::Events(events) => events.into_iter().next().ok_or(ReadError::NotAnObject),
            Reading::Unreadable { cause, .. } => Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn build(rest: &str) -> Result<Source, SourceError> {
        let toml = format!("profile = 'scim'\nsecrets = ['a-secret-of-enough-bytes']\n{rest}");
        Source::build("idp", &toml.parse().unwrap())
    }

    #[test]
    fn what_an_end_leads_to_is_configured() {
        let scim = |rest| *build(rest).unwrap().scim().unwrap();
        let defaults =
            Scim { inactive: Ending::Terminate, deleted: Ending::Terminate, scheme: Scheme::Bearer };
        assert_eq!(scim(""), defaults);
        let own = "profile = 'scim'\nsecrets = ['user:and-a-long-password']\nauth.kind = 'basic'\n\
                   scim = { inactive = 'hold', deleted = 'ignore' }";
        let own = *Source::build("idp", &own.parse().unwrap()).unwrap().scim().unwrap();
        assert_eq!((own.inactive, own.deleted, own.scheme), (Ending::Hold, Ending::Ignore, Scheme::Basic));
    }

    #[test]
    fn what_means_nothing_here_is_refused() {
        let cases = [
            ("protocol = 'soap'", "protocol: must be one of scim"),
            ("scim.inactive = 'delete'", "scim.inactive: must be one of terminate, hold, ignore"),
            ("scim.gone = 'hold'", "scim.gone: unknown key"),
            ("date_zone = 'UTC'", "date_zone: means nothing to a source that speaks SCIM"),
            ("rules = []", "rules: means nothing to a source that speaks SCIM"),
            ("map.effective = '/end'", "map.effective: unknown key"),
            ("map.email = '@x-mail'", "map: must be pointers into the resource: /x"),
            ("map.email = '^/userName'", "map: must be pointers into the resource: /x"),
            ("auth.kind = 'hmac'", "auth.kind: must be one of bearer, basic, header"),
        ];
        for (rest, message) in cases {
            let refused = build(rest).unwrap_err().to_string();
            assert_eq!(refused, format!("sources.idp.{message}"), "{rest}");
        }
        let webhooks =
            "profile = 'generic-worker-terminated'\nsecrets = ['a secret of enough bytes']\nscim = {}";
        let refused = Source::build("acme", &webhooks.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(refused, "sources.acme.scim: needs protocol = \"scim\"");
    }

    #[test]
    fn a_resource_names_whom_the_map_points_to_and_nobody_else() {
        let resource = json!({"userName": "jane", "emails": [{"value": "jane@example.com"}]});
        let person = |rest: &str| build(rest).unwrap().read_resource(&resource).unwrap().person;
        assert_eq!(person("").email.as_deref(), Some("jane"));
        assert_eq!(person("map.email = '/emails/0/value'").email.as_deref(), Some("jane@example.com"));
        assert!(person("map.email = '/emails/1/value'").is_empty());
    }
}
