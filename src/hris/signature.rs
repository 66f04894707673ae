//! A signature over the raw bytes of a request, with the parts, the order and the encoding that a profile describes.
//! How it is computed is left to `algorithm`, the window of the timestamp to `window`, what the bytes mean to the reading.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use chrono::{DateTime, Utc};

use super::algorithm::{Algorithm, public_key};
use super::auth::{Refusal, SignError, header_name, single};
use super::keys::{KeyIndex, Keys};
use super::settings::{Problem, Section, SourceError};
use super::signed_text::{Part, SignedText};
use super::window::{Digits, Window};

/// Signatures of a list that are tried: a sender has a few keys and versions, and each costs a computation.
const CANDIDATES_MAX: usize = 16;

const PADDING_OPTIONAL: GeneralPurposeConfig = PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The URL alphabet, whose senders differ on the padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING_OPTIONAL);

const PUBLIC_KEY: &str = "an ed25519 public key: base64 of 32 bytes that are a point of large order";

/// How a sender signs.
#[derive(Debug)]
pub(super) struct Signature {
    algorithm: Algorithm,
    encoding: Encoding,
    header: HeaderName,
    prefix: String,
    form: Form,
    text: SignedText,
    id_header: Option<HeaderName>,
    window: Option<Window>,
    digits: Digits,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Hex,
    Base64,
    Base64Url,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    One,
    SpaceSeparated,
}

const KNOWN: [&str; 17] = [
    "kind",
    "algorithm",
    "encoding",
    "key_encoding",
    "key_prefix",
    "secrets",
    "signature_header",
    "timestamp_header",
    "timestamp_format",
    "timestamp_unit",
    "id_header",
    "prefix",
    "list",
    "version",
    "signed",
    "max_age",
    "max_future",
];

impl Signature {
    pub(super) fn hmac(auth: &Section<'_>) -> Result<Self, SourceError> {
        auth.only(&KNOWN)?;
        let algorithms = [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
        let algorithm = auth.word("algorithm", &algorithms)?;
        Self::build(auth, algorithm.ok_or_else(|| auth.error("algorithm", Problem::Missing))?)
    }

    pub(super) fn ed25519(auth: &Section<'_>) -> Result<Self, SourceError> {
        let known = KNOWN.iter().filter(|key| **key != "algorithm");
        auth.only(&known.copied().collect::<Vec<_>>())?;
        if auth.text("key_encoding")? != Some("base64") {
            return Err(auth.error("key_encoding", Problem::Malformed("base64, the form of public keys")));
        }
        Self::build(auth, Algorithm::Ed25519)
    }

    fn build(auth: &Section<'_>, algorithm: Algorithm) -> Result<Self, SourceError> {
        let encodings =
            [("hex", Encoding::Hex), ("base64", Encoding::Base64), ("base64url", Encoding::Base64Url)];
        let missing = |key| auth.error(key, Problem::Missing);
        let encoding = auth.word("encoding", &encodings)?.ok_or_else(|| missing("encoding"))?;
        let header = header_name(&auth.path("signature_header"), auth.required_text("signature_header")?)?;
        let (form, prefix) = form(auth)?;
        let text = SignedText::build(auth, &header)?;
        let window = Window::build(auth)?;
        let id_header = match auth.text("id_header")? {
            Some(name) => Some(header_name(&auth.path("id_header"), name)?),
            None => None,
        };
        for (key, name) in
            [("timestamp_header", window.as_ref().map(Window::header)), ("id_header", id_header.as_ref())]
        {
            if let Some(name) = name.filter(|name| !text.covers(name)) {
                return Err(auth.error(key, Problem::UnsignedHeader(name.to_string())));
            }
        }
        let digits = window.as_ref().map_or(Digits::Any, |window| text.digits(window.header()));
        Ok(Self { algorithm, encoding, header, prefix, form, text, id_header, window, digits })
    }

    /// Refuses keys that can't be public keys, and those under which anything is signed.
    pub(super) fn check_keys(&self, path: &str, keys: &Keys) -> Result<(), SourceError> {
        match self.algorithm {
            Algorithm::Sha256 | Algorithm::Sha512 => Ok(()),
            Algorithm::Ed25519 => match keys.find(|key| public_key(key).is_none()) {
                Some(KeyIndex(index)) => {
                    Err(SourceError::new(format!("{path}[{index}]"), Problem::Malformed(PUBLIC_KEY)))
                }
                None => Ok(()),
            },
        }
    }

    /// Whether what verifies does not sign.
    pub(super) fn needs_private_key(&self) -> bool {
        self.algorithm == Algorithm::Ed25519
    }

    /// Where the signature stands.
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(super) fn covers(&self, header: &HeaderName) -> bool {
        self.text.covers(header)
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: DateTime<Utc>,
        keys: &Keys,
    ) -> Result<KeyIndex, Refusal> {
        let sent = single(headers, &self.header)?;
        let text = self.text.collect(headers, body)?;
        if let Some(window) = &self.window {
            window.check(single(headers, window.header())?, self.digits, now)?;
        }
        let candidates = self.candidates(sent)?;
        let found = keys.find(|key| self.algorithm.proves(key, &text, &candidates));
        found.ok_or(Refusal::WrongSignature)
    }

    /// How far the receiver's clock is ahead of the request's timestamp, in seconds, where there is one.
    pub(super) fn skew(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<i64> {
        let window = self.window.as_ref()?;
        window.skew(single(headers, window.header()).ok()?, self.digits, now)
    }

    /// Adds the headers of the proof to those that are known already, with names in lower case.
    pub(super) fn sign(
        &self,
        body: &[u8],
        now: DateTime<Utc>,
        key: &[u8],
        headers: &mut Vec<(String, String)>,
    ) -> Result<(), SignError> {
        let mut text = Vec::new();
        for part in self.text.parts() {
            match part {
                Part::Body => text.extend_from_slice(body),
                Part::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
                Part::Header(name) => {
                    let known = headers.iter().find(|(known, _)| known == name.as_str());
                    let known = known.map(|(_, value)| value.clone());
                    let value = match known {
                        Some(value) => value,
                        None => {
                            let value = self.header_value(name, now)?;
                            headers.push((name.to_string(), value.clone()));
                            value
                        }
                    };
                    text.extend_from_slice(value.as_bytes());
                }
            }
        }
        let tag = self.algorithm.make(key, &text)?;
        headers.push((self.header.to_string(), format!("{}{}", self.prefix, self.encoding.encode(&tag))));
        Ok(())
    }

    fn header_value(&self, name: &HeaderName, now: DateTime<Utc>) -> Result<String, SignError> {
        if self.window.as_ref().is_some_and(|window| window.header() == name) {
            Ok(now.timestamp().to_string())
        } else if self.id_header.as_ref() == Some(name) {
            Ok(format!("msg_{}", uuid::Uuid::now_v7().simple()))
        } else {
            Err(SignError::HeaderUnknown(name.to_string()))
        }
    }

    /// Decodes what was sent to bytes, so that two spellings of one signature are compared as what they are.
    fn candidates(&self, sent: &str) -> Result<Vec<Vec<u8>>, Refusal> {
        let decode =
            |one: &str| one.strip_prefix(self.prefix.as_str()).and_then(|text| self.encoding.decode(text));
        match self.form {
            Form::One => Ok(vec![decode(sent).ok_or(Refusal::Malformed)?]),
            Form::SpaceSeparated => {
                if sent.split(' ').nth(CANDIDATES_MAX).is_some() {
                    return Err(Refusal::Malformed);
                }
                // Other versions and other algorithms beside ours are none of our business.
                Ok(sent.split(' ').filter_map(decode).collect())
            }
        }
    }
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => BASE64URL.decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => BASE64URL.encode(bytes),
        }
    }
}

/// In a list each signature carries its version, `v1,SIGNATURE`; alone it carries the prefix, if any.
fn form(auth: &Section<'_>) -> Result<(Form, String), SourceError> {
    let prefix = auth.text("prefix")?;
    let version = auth.text("version")?;
    match auth.word("list", &[("space", ())])? {
        None if version.is_some() => Err(auth.error("version", Problem::Needs("list"))),
        None => Ok((Form::One, prefix.unwrap_or("").to_owned())),
        Some(()) => {
            let version = version.ok_or_else(|| auth.error("list", Problem::Needs("version")))?;
            let expected = format!("{version},");
            if prefix.is_some_and(|prefix| prefix != expected) {
                return Err(
                    auth.error("prefix", Problem::Malformed("the version and a comma, as list is set"))
                );
            }
            Ok((Form::SpaceSeparated, expected))
        }
    }
}
