//! The secrets of a source: checked when they are loaded, never shown.
//! How they are used is left to the signature and the credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::settings::{Problem, Section, SourceError};

/// The least length of a secret: 128 bits if it is random.
pub const SECRET_BYTES_MIN: usize = 16;

/// A rotation has two secrets, a late one three; each costs one computation per request.
const SECRETS_MAX: usize = 8;

/// The position of the secret that a request was proved with, in the order of the configuration; the newest is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIndex(pub usize);

/// One or more secrets, decoded.
#[derive(Debug)]
pub(super) struct Keys {
    keys: Vec<SecretSlice<u8>>,
}

/// How a secret is written in the configuration.
#[derive(Clone, Debug)]
pub(super) struct Written {
    encoding: KeyEncoding,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyEncoding {
    Utf8,
    Base64,
}

impl Written {
    /// Reads `key_encoding` and `key_prefix`.
    pub(super) fn build(auth: &Section<'_>) -> Result<Self, SourceError> {
        let words = [("utf8", KeyEncoding::Utf8), ("base64", KeyEncoding::Base64)];
        let encoding = auth.word("key_encoding", &words)?.unwrap_or(KeyEncoding::Utf8);
        Ok(Self { encoding, prefix: auth.text("key_prefix")?.unwrap_or("").to_owned() })
    }

    fn decode(&self, text: &str, bytes_min: usize) -> Result<SecretSlice<u8>, Problem> {
        let plain = text.strip_prefix(self.prefix.as_str()).unwrap_or(text);
        if plain.is_empty() {
            return Err(Problem::EmptySecret);
        }
        let bytes = match self.encoding {
            KeyEncoding::Utf8 => plain.as_bytes().to_vec(),
            KeyEncoding::Base64 => {
                STANDARD.decode(plain).map_err(|_| Problem::Malformed("base64, as key_encoding says"))?
            }
        };
        if bytes.len() < bytes_min {
            return Err(Problem::ShortSecret(bytes_min));
        }
        Ok(SecretSlice::from(bytes))
    }
}

impl Keys {
    /// Reads the secrets from `secrets`, decoded as `auth` says.
    pub(super) fn build(secrets: &Section<'_>, auth: &Section<'_>) -> Result<Self, SourceError> {
        Self::of_length(SECRET_BYTES_MIN, secrets, auth)
    }

    /// Reads secrets of at least `bytes_min` bytes: only the published vectors have shorter ones than `build` takes.
    pub(super) fn of_length(
        bytes_min: usize,
        secrets: &Section<'_>,
        auth: &Section<'_>,
    ) -> Result<Self, SourceError> {
        let form = Written::build(auth)?;
        let written = secrets.array("secrets")?.unwrap_or(&[]);
        if written.is_empty() {
            return Err(secrets.error("secrets", Problem::Missing));
        }
        if written.len() > SECRETS_MAX {
            return Err(secrets.error("secrets", Problem::TooManySecrets(SECRETS_MAX)));
        }
        let mut keys = Vec::with_capacity(written.len());
        for (index, value) in written.iter().enumerate() {
            let wrong = |problem| secrets.error(&format!("secrets[{index}]"), problem);
            let text = value.as_str().ok_or_else(|| wrong(Problem::Malformed("a string")))?;
            keys.push(form.decode(text, bytes_min).map_err(wrong)?);
        }
        Ok(Self { keys })
    }

    /// Reads a secret that is given apart, written as in the configuration.
    pub(super) fn one(secret: &str, written: &Written) -> Result<Self, Problem> {
        Ok(Self { keys: vec![written.decode(secret, SECRET_BYTES_MIN)?] })
    }

    /// Returns the first one, the newest, which outgoing deliveries are signed with.
    pub(super) fn newest(&self) -> &[u8] {
        self.keys.first().map_or(&[], |key| key.expose_secret())
    }

    /// Tries every key, also after one has matched, so that the time taken doesn't tell which.
    pub(super) fn find(&self, mut matches: impl FnMut(&[u8]) -> bool) -> Option<KeyIndex> {
        let mut found = None;
        for (index, key) in self.keys.iter().enumerate() {
            if matches(key.expose_secret()) && found.is_none() {
                found = Some(KeyIndex(index));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(toml: &str) -> Result<Keys, SourceError> {
        let table: toml::Table = toml::from_str(toml).unwrap();
        let section = Section::new("sources.acme", &table);
        Keys::build(&section, &section)
    }

    #[test]
    fn secrets_that_can_be_guessed_or_read_wrongly_are_refused_by_position() {
        let cases = [
            ("", "sources.acme.secrets: missing"),
            ("secrets = []", "sources.acme.secrets: missing"),
            ("secrets = ['']", "sources.acme.secrets[0]: empty secret"),
            (
                "secrets = ['0123456789abcdef', '0123456789abcde']",
                "sources.acme.secrets[1]: a secret must have at least 16 bytes",
            ),
            ("secrets = ['whsec_']\nkey_prefix = 'whsec_'", "sources.acme.secrets[0]: empty secret"),
            (
                "secrets = ['MDEyMzQ1Njc4OWFiY2RlZg']\nkey_encoding = 'base64'",
                "sources.acme.secrets[0]: must be base64, as key_encoding says",
            ),
            (
                "secrets = ['MDEyMzQ1Njc4OWFiY2Q=']\nkey_encoding = 'base64'",
                "sources.acme.secrets[0]: a secret must have at least 16 bytes",
            ),
            (
                "secrets = ['0123456789abcdef']\nkey_encoding = 'hex'",
                "sources.acme.key_encoding: must be one of utf8, base64",
            ),
        ];
        for (toml, message) in cases {
            assert_eq!(build(toml).unwrap_err().to_string(), message);
        }
        assert!(build("secrets = ['0123456789abcdef']").is_ok());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let keys = build("secrets = ['0123456789abcdef']").unwrap();
        let shown = format!("{keys:?}");
        assert!(!shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
    }
}
