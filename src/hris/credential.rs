//! Constant credentials: a secret in a header, as a bearer token or as Basic user and password.
//! They prove who sent a request, not what is in it; that is left to TLS.

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::auth::{Refusal, header_name, single};
use super::keys::{KeyIndex, Keys};
use super::settings::{Problem, Section, SourceError};

/// Where the secret stands and in which form.
#[derive(Debug)]
pub(super) struct Credential {
    header: HeaderName,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Bearer,
    Basic,
}

const KNOWN: [&str; 4] = ["kind", "secrets", "signature_header", "key_encoding"];

impl Credential {
    pub(super) fn header(auth: &Section<'_>) -> Result<Self, SourceError> {
        auth.only(&KNOWN)?;
        auth.required_text("signature_header")?;
        Self::build(auth, Form::Plain)
    }

    pub(super) fn bearer(auth: &Section<'_>) -> Result<Self, SourceError> {
        Self::build(auth, Form::Bearer)
    }

    pub(super) fn basic(auth: &Section<'_>) -> Result<Self, SourceError> {
        Self::build(auth, Form::Basic)
    }

    fn build(auth: &Section<'_>, form: Form) -> Result<Self, SourceError> {
        auth.only(&KNOWN)?;
        auth.word("key_encoding", &[("utf8", ())])?;
        let header = match auth.text("signature_header")? {
            Some(name) => header_name(&auth.path("signature_header"), name)?,
            None => header::AUTHORIZATION,
        };
        Ok(Self { header, form })
    }

    /// Where the credential stands.
    pub(super) fn header_name(&self) -> &HeaderName {
        &self.header
    }

    /// Refuses secrets that no request could ever carry.
    pub(super) fn check_keys(&self, path: &str, keys: &Keys) -> Result<(), SourceError> {
        let (sendable, form): (fn(&[u8]) -> bool, _) = match self.form {
            Form::Plain => (|key| key.iter().all(|b| b.is_ascii_graphic() || *b == b' '), "printable ASCII"),
            Form::Bearer => (|key| key.iter().all(u8::is_ascii_graphic), "printable ASCII without spaces"),
            Form::Basic => (|key| key.contains(&b':'), "of the form user:password"),
        };
        match keys.find(|key| !sendable(key)) {
            Some(_) => Err(SourceError::new(path, Problem::Malformed(form))),
            None => Ok(()),
        }
    }

    pub(super) fn verify(&self, headers: &HeaderMap, keys: &Keys) -> Result<KeyIndex, Refusal> {
        let value = single(headers, &self.header)?;
        let shown = match self.form {
            Form::Plain => value.as_bytes().to_vec(),
            Form::Bearer => after_scheme(value, "bearer")?.as_bytes().to_vec(),
            Form::Basic => STANDARD.decode(after_scheme(value, "basic")?).map_err(|_| Refusal::Malformed)?,
        };
        keys.find(|key| equal(&shown, key)).ok_or(Refusal::WrongSignature)
    }

    /// Returns the header that a sender with this secret would send.
    pub(super) fn present(&self, key: &[u8]) -> (String, String) {
        let plain = String::from_utf8_lossy(key);
        let value = match self.form {
            Form::Plain => plain.into_owned(),
            Form::Bearer => format!("Bearer {plain}"),
            Form::Basic => format!("Basic {}", STANDARD.encode(key)),
        };
        (self.header.to_string(), value)
    }
}

/// Compares in constant time; the digests are equally long, so the secret's length isn't told either.
fn equal(shown: &[u8], key: &[u8]) -> bool {
    Sha256::digest(shown).ct_eq(&Sha256::digest(key)).into()
}

/// Takes away the scheme's word, whose case doesn't matter (RFC 9110, 11.1).
fn after_scheme<'a>(value: &'a str, scheme: &str) -> Result<&'a str, Refusal> {
    let (word, rest) = value.split_once(' ').ok_or(Refusal::Malformed)?;
    if !word.eq_ignore_ascii_case(scheme) {
        return Err(Refusal::Malformed);
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_of_the_secret_is_not_the_secret() {
        assert!(equal(b"0123456789abcdef", b"0123456789abcdef"));
        assert!(!equal(b"0123456789abcde", b"0123456789abcdef"));
        assert!(!equal(b"0123456789abcdef0", b"0123456789abcdef"));
        assert!(!equal(b"", b"0123456789abcdef"));
    }

    #[test]
    fn a_plain_header_has_no_default_name() {
        let table: toml::Table = toml::from_str("kind = 'header'").unwrap();
        let refused = Credential::header(&Section::new("auth", &table)).unwrap_err();
        assert_eq!(refused.to_string(), "auth.signature_header: missing");
    }
}
