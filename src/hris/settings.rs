//! Reads the tables of a source key by key and names the key of everything that is wrong.
//! What the keys mean is left to the modules that ask for them.

use thiserror::Error;
use toml::{Table, Value};

/// What is wrong with the configuration of a source, in one line that begins with the key's path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct SourceError {
    key: String,
    problem: Problem,
}

impl SourceError {
    pub(super) fn new(key: impl Into<String>, problem: Problem) -> Self {
        Self { key: key.into(), problem }
    }

    /// Returns the path of the key, for example `sources.acme.auth.signature_header`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns what is wrong with the key's value.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// The ways in which a key of a source can be wrong. None of them repeats a value, which could be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The language of profiles has no such key here.
    #[error("unknown key")]
    UnknownKey,
    /// A key without which the source can't work is not there, or is empty.
    #[error("missing")]
    Missing,
    /// The value has another type or form.
    #[error("must be {0}")]
    Malformed(&'static str),
    /// The value is not among the words for this key.
    #[error("must be one of {0}")]
    UnknownWord(String),
    /// Anybody could send terminations to this source.
    #[error("a source without authentication is refused")]
    NoAuthentication,
    /// The HRIS would be asked without saying who asks.
    #[error("a look-up without a credential is refused")]
    NoCredential,
    /// A secret is the empty string, which is what an unset variable leaves behind.
    #[error("empty secret")]
    EmptySecret,
    /// A secret can be guessed.
    #[error("a secret must have at least {0} bytes")]
    ShortSecret(usize),
    /// More secrets than a rotation needs.
    #[error("at most {0} secrets")]
    TooManySecrets(usize),
    /// The key means something only together with another one.
    #[error("needs {0}")]
    Needs(&'static str),
    /// The same setting is made in two places.
    #[error("is set twice, here and as {0}")]
    SetTwice(&'static str),
    /// A header decides something about the event, and the signature doesn't cover it.
    #[error("the header {0} is not among the signed parts")]
    UnsignedHeader(String),
    /// Nothing is read from a header that proves who the sender is: it would be stored with the event.
    #[error("the header {0} proves who the sender is, and nothing is read from it")]
    ProofHeader(String),
    /// Every item of a delivery would get the same event id.
    #[error("must differ from item to item: a pointer without ^ or @")]
    SharedByItems,
    /// A rule or a derivation names a field that the map doesn't have.
    #[error("names the field {0}, which the map does not have")]
    UnmappedField(String),
    /// A pointer reads from a pick that the map doesn't have.
    #[error("names the pick {0}, which the map does not have")]
    UnknownPick(String),
    /// Profiles lie underneath each other in a circle.
    #[error("the built-in profiles extend each other in a circle")]
    Circle,
    /// The key describes deliveries, and a source that provisions users sends none.
    #[error("means nothing to a source that speaks SCIM")]
    OfWebhooksOnly,
    /// Samples can't be replayed, or something does not fit.
    #[error("{file}: {problem}")]
    Samples {
        /// The file.
        file: String,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// A built-in profile is no TOML.
    #[error("the built-in profile can't be read: {0}")]
    BrokenProfile(String),
}

/// A table of the configuration and where it stands.
#[derive(Clone)]
pub(super) struct Section<'a> {
    path: String,
    table: &'a Table,
}

impl<'a> Section<'a> {
    pub(super) fn new(path: impl Into<String>, table: &'a Table) -> Self {
        Self { path: path.into(), table }
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn error(&self, key: &str, problem: Problem) -> SourceError {
        SourceError::new(self.path(key), problem)
    }

    /// Refuses every key that is not in the list.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), SourceError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.error(key, Problem::UnknownKey)),
            None => Ok(()),
        }
    }

    pub(super) fn table(&self) -> &'a Table {
        self.table
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table.keys().map(String::as_str)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reads a string. The empty one counts as absent, so that an override can take a profile's key away.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, SourceError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.error(key, Problem::Malformed("a string"))),
        }
    }

    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, SourceError> {
        self.text(key)?.ok_or_else(|| self.error(key, Problem::Missing))
    }

    pub(super) fn array(&self, key: &str) -> Result<Option<&'a [Value]>, SourceError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(self.error(key, Problem::Malformed("an array"))),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, SourceError> {
        self.array(key)?.map(|values| texts(&self.path(key), values)).transpose()
    }

    pub(super) fn section(&self, key: &str) -> Result<Option<Section<'a>>, SourceError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Self::new(self.path(key), table))),
            Some(_) => Err(self.error(key, Problem::Malformed("a table"))),
        }
    }

    /// Reads a table or an array of tables.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Section<'a>>, SourceError> {
        let Some(Value::Array(values)) = self.table.get(key) else {
            return Ok(self.section(key)?.into_iter().collect());
        };
        let sections = values.iter().enumerate().map(|(index, value)| {
            let path = self.path(&format!("{key}[{index}]"));
            match value.as_table() {
                Some(table) => Ok(Self::new(path, table)),
                None => Err(SourceError::new(path, Problem::Malformed("a table"))),
            }
        });
        sections.collect()
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, SourceError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.error(key, Problem::Malformed("true or false"))),
        }
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, SourceError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number)),
            Some(_) => Err(self.error(key, Problem::Malformed("a whole number"))),
        }
    }

    /// Reads one of a few words and returns what it stands for.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, SourceError> {
        self.text(key)?.map(|text| word(&self.path(key), text, words)).transpose()
    }

    /// Reads a duration such as `30s`, `5m`, `3h30m`, in seconds.
    pub(super) fn seconds(&self, key: &str) -> Result<Option<i64>, SourceError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let seconds = seconds(text).filter(|seconds| *seconds <= DURATION_SECONDS_MAX);
        seconds.map(Some).ok_or_else(|| {
            self.error(key, Problem::Malformed("a duration such as 30s, 5m or 3h30m, at most 3650d"))
        })
    }
}

/// No sender repeats a delivery for longer than days, and a window that long protects from nothing any more.
const DURATION_SECONDS_MAX: i64 = 3_650 * 86_400;

/// Reads an array of strings that are not empty.
pub(super) fn texts<'a>(path: &str, values: &'a [Value]) -> Result<Vec<&'a str>, SourceError> {
    let text = |value: &'a Value| value.as_str().filter(|text| !text.is_empty());
    let texts: Option<Vec<_>> = values.iter().map(text).collect();
    texts.ok_or_else(|| SourceError::new(path, Problem::Malformed("an array of strings that are not empty")))
}

/// Returns what a word stands for.
pub(super) fn word<T: Copy>(path: &str, text: &str, words: &[(&str, T)]) -> Result<T, SourceError> {
    let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| SourceError::new(path, Problem::UnknownWord(known())))
}

/// Numbers with the units d, h, m, s, each at most once and the largest first.
fn seconds(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    for (unit, length) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        total = number.parse::<i64>().ok()?.checked_mul(length)?.checked_add(total)?;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_no_sign() {
        assert_eq!(seconds("3h30m"), Some(12_600));
        assert_eq!(seconds("60s"), Some(60));
        assert_eq!(seconds("0s"), Some(0));
        for wrong in
            ["", "5", "m", "-5m", "+5m", "5m3h", "5m5m", "1.5h", "5 m", "5M", "99999999999999999999s"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_path() {
        let table: Table = toml::from_str("signatur_header = 'x'").unwrap();
        let refused = Section::new("sources.acme.auth", &table).only(&["signature_header"]).unwrap_err();
        assert_eq!(refused.to_string(), "sources.acme.auth.signatur_header: unknown key");
    }
}
