//! Whether a request really comes from its sender: dispatches between signatures and constant credentials.
//! What is in the request is left to the reading of it; what the caller is told, to the edge.

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::credential::Credential;
use super::keys::{KeyIndex, Keys, Written};
use super::settings::{Problem, Section, SourceError};
use super::signature::Signature;

/// Why a request was not believed. For metrics and logs: callers get the same answer for every cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// A header that the proof needs is not there.
    #[error("a header of the proof is missing")]
    MissingHeader,
    /// A header of the proof is there more than once, and the parties in between differ on which one counts.
    #[error("a header of the proof is repeated")]
    RepeatedHeader,
    /// A header of the proof doesn't have the form that the profile describes.
    #[error("a header of the proof is malformed")]
    Malformed,
    /// The timestamp is older than the window.
    #[error("the timestamp is too old")]
    Stale,
    /// The timestamp is further ahead than the window.
    #[error("the timestamp is in the future")]
    Future,
    /// No key of the source gives this signature, or the credential is another one.
    #[error("the signature or credential is wrong")]
    WrongSignature,
}

impl Refusal {
    /// Returns the word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::RepeatedHeader => "repeated_header",
            Self::Malformed => "malformed",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::WrongSignature => "wrong_signature",
        }
    }
}

/// Why a body can't be signed as the source's sender would.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignError {
    /// The signature covers a header whose value only the sender knows.
    #[error("the signature covers the header {0}, whose value only the sender knows")]
    HeaderUnknown(String),
    /// The source has only what verifies, and that signs nothing.
    #[error("the source has the public keys alone: signing needs the sender's private key")]
    PrivateKeyNeeded,
    /// What was given as a private key is none.
    #[error("a private key must be base64 of the seed of 32 bytes, or of the seed and its public key")]
    BadPrivateKey,
    /// What was given as the secret could not be one of this source.
    #[error("the secret is not usable: {0}")]
    BadSecret(Problem),
}

/// How a body is to be signed.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    /// Written as in the configuration, or for a source of public keys the private key, `whsk_` and base64 of the seed or of
    /// the seed and its public key; `None`: the source's newest.
    pub secret: Option<&'a str>,
    /// Headers that only the sender knows: sent as they are, and signed where the signature covers them.
    pub headers: &'a [(String, String)],
    /// The sender's clock.
    pub now: DateTime<Utc>,
}

/// What a private key begins with (Standard Webhooks, "Signature scheme").
const PRIVATE_KEY_PREFIX: &str = "whsk_";

/// How a source proves who it is, and the secrets for it.
#[derive(Debug)]
pub(super) struct Authenticator {
    proof: Proof,
    keys: Keys,
    written: Written,
}

#[derive(Debug)]
enum Proof {
    Signature(Signature),
    Credential(Credential),
}

#[derive(Clone, Copy)]
enum Kind {
    Hmac,
    Ed25519,
    Header,
    Bearer,
    Basic,
}

const KINDS: [(&str, Kind); 5] = [
    ("hmac", Kind::Hmac),
    ("ed25519", Kind::Ed25519),
    ("header", Kind::Header),
    ("bearer", Kind::Bearer),
    ("basic", Kind::Basic),
];

impl Authenticator {
    /// Builds the proof that `auth` describes; `load` reads the secrets, once the rest is known to be in order.
    pub(super) fn build(
        auth: &Section<'_>,
        load: impl FnOnce(&Section<'_>) -> Result<Keys, SourceError>,
    ) -> Result<Self, SourceError> {
        if auth.text("kind")? == Some("none") {
            return Err(auth.error("kind", Problem::NoAuthentication));
        }
        let kind = auth.word("kind", &KINDS)?.ok_or_else(|| auth.error("kind", Problem::Missing))?;
        let proof = match kind {
            Kind::Hmac => Proof::Signature(Signature::hmac(auth)?),
            Kind::Ed25519 => Proof::Signature(Signature::ed25519(auth)?),
            Kind::Header => Proof::Credential(Credential::header(auth)?),
            Kind::Bearer => Proof::Credential(Credential::bearer(auth)?),
            Kind::Basic => Proof::Credential(Credential::basic(auth)?),
        };
        let keys = load(auth)?;
        proof.check_keys(&auth.path("secrets"), &keys)?;
        Ok(Self { proof, keys, written: Written::build(auth)? })
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<KeyIndex, Refusal> {
        match &self.proof {
            Proof::Signature(signature) => signature.verify(headers, body, now, &self.keys),
            Proof::Credential(credential) => credential.verify(headers, &self.keys),
        }
    }

    /// How far the receiver's clock is ahead of the request's timestamp, in seconds, where there is one.
    pub(super) fn skew(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<i64> {
        match &self.proof {
            Proof::Signature(signature) => signature.skew(headers, now),
            Proof::Credential(_) => None,
        }
    }

    pub(super) fn sign(
        &self,
        body: &[u8],
        signing: &Signing<'_>,
    ) -> Result<Vec<(String, String)>, SignError> {
        let needs_private_key =
            matches!(&self.proof, Proof::Signature(signature) if signature.needs_private_key());
        match (signing.secret, needs_private_key) {
            (None, true) => Err(SignError::PrivateKeyNeeded),
            (None, false) => self.proof.sign(body, signing, self.keys.newest()),
            (Some(secret), true) => {
                let text = secret.strip_prefix(PRIVATE_KEY_PREFIX).unwrap_or(secret);
                let key = STANDARD.decode(text).map_err(|_| SignError::BadPrivateKey)?;
                self.proof.sign(body, signing, &key)
            }
            (Some(secret), false) => {
                let keys = Keys::one(secret, &self.written).map_err(SignError::BadSecret)?;
                let checked = self.proof.check_keys("", &keys);
                checked.map_err(|refused| SignError::BadSecret(refused.problem().clone()))?;
                self.proof.sign(body, signing, keys.newest())
            }
        }
    }

    /// Whether the header proves who the sender is: nothing is read from it, and it is never kept.
    pub(super) fn is_proof(&self, name: &HeaderName) -> bool {
        let own = match &self.proof {
            Proof::Signature(signature) => signature.header(),
            Proof::Credential(credential) => credential.header_name(),
        };
        own == name || [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(name)
    }

    /// Whether an event may be read from this header: where there is a signature, only if it covers the header.
    pub(super) fn covers(&self, header: &HeaderName) -> bool {
        match &self.proof {
            Proof::Signature(signature) => signature.covers(header),
            Proof::Credential(_) => true,
        }
    }
}

impl Proof {
    fn check_keys(&self, path: &str, keys: &Keys) -> Result<(), SourceError> {
        match self {
            Self::Signature(signature) => signature.check_keys(path, keys),
            Self::Credential(credential) => credential.check_keys(path, keys),
        }
    }

    fn sign(
        &self,
        body: &[u8],
        signing: &Signing<'_>,
        key: &[u8],
    ) -> Result<Vec<(String, String)>, SignError> {
        let given = signing.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
        let mut headers: Vec<_> = given.collect();
        match self {
            Self::Signature(signature) => signature.sign(body, signing.now, key, &mut headers)?,
            Self::Credential(credential) => headers.push(credential.present(key)),
        }
        Ok(headers)
    }
}

/// Reads a header that must be there exactly once, in visible ASCII.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::MissingHeader)?;
    if values.next().is_some() {
        return Err(Refusal::RepeatedHeader);
    }
    value.to_str().map_err(|_| Refusal::Malformed)
}

/// Reads the name of a header from the configuration.
pub(super) fn header_name(path: &str, text: &str) -> Result<HeaderName, SourceError> {
    HeaderName::try_from(text).map_err(|_| SourceError::new(path, Problem::Malformed("the name of a header")))
}
