//! Where values come from: the file, the environment, and the files that `file:` names; leaves their meaning to the
//! sections, and `LEAVER__…` to `overrides`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ConfigError;
use super::overrides::Overrides;

/// A configuration is a few kilobytes; more is a wrong file, a device or an accident.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A secret, a token or a connection string is far below this, and certificates aren't configured here.
const REFERENCED_BYTES_MAX: u64 = 64 * 1024;

/// The environment variables that a configuration may name or be overridden by.
///
/// It is a value, so that a test needs no process of its own. It has no `Debug`, because it holds secrets.
pub struct Environment {
    /// `None`: set, but not Unicode.
    variables: BTreeMap<String, Option<String>>,
}

impl Environment {
    /// Takes a copy of this process's variables.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok())))
            .collect();
        Self { variables }
    }

    /// Follows `env:NAME` and `file:/path` once; any other string is itself. What a reference leads to isn't followed
    /// again, so that a secret may begin with `env:`.
    ///
    /// # Errors
    ///
    /// What is not there or can't be read, in one line that begins with the key.
    pub fn resolve(&self, key: &str, raw: String) -> Result<String, ConfigError> {
        if let Some(variable) = raw.strip_prefix("env:") {
            return match self.variables.get(variable) {
                Some(Some(value)) => Ok(value.clone()),
                Some(None) => {
                    Err(ConfigError::refused(key, format!("environment variable {variable} is not UTF-8")))
                }
                None if variable.is_empty() => {
                    Err(ConfigError::refused(key, "env: names no environment variable"))
                }
                None => Err(ConfigError::MissingVariable {
                    key: key.to_owned(),
                    variable: variable.escape_debug().to_string(),
                }),
            };
        }
        let Some(path) = path_of_file(&raw) else {
            return Ok(raw);
        };
        // Relative to what would depend on where the service was started from.
        if !path.starts_with('/') {
            return Err(ConfigError::refused(key, "expected file:/path with an absolute path"));
        }
        let path = PathBuf::from(path);
        read_referenced(&path).map_err(|cause| ConfigError::UnreadableFile {
            key: key.to_owned(),
            path,
            cause,
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect();
        Self { variables }
    }
}

/// What the sections need beside their own tables: where references lead, and what was overridden.
pub(super) struct Context<'a> {
    pub(super) environment: &'a Environment,
    pub(super) overrides: Overrides,
}

impl Context<'_> {
    /// Follows a reference, as [`Environment::resolve`] does.
    pub(super) fn resolve(&self, key: &str, raw: String) -> Result<String, ConfigError> {
        self.environment.resolve(key, raw)
    }

    /// Follows every reference in a table, in arrays and in tables below it too.
    pub(super) fn resolve_table(&self, path: &str, table: Table) -> Result<Table, ConfigError> {
        table
            .into_iter()
            .map(|(name, value)| Ok((name.clone(), self.resolve_value(&join(path, &name), value)?)))
            .collect()
    }

    fn resolve_value(&self, key: &str, value: Value) -> Result<Value, ConfigError> {
        Ok(match value {
            Value::String(raw) => Value::String(self.resolve(key, raw)?),
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.resolve_value(&format!("{key}[{index}]"), item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Table(table) => Value::Table(self.resolve_table(key, table)?),
            scalar @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => scalar,
        })
    }
}

/// Whether the string stands for a value that is somewhere else.
pub(super) fn is_reference(raw: &str) -> bool {
    raw.starts_with("env:") || raw.starts_with("file:")
}

/// The path in `file:/path`; nothing for any other string.
pub(super) fn path_of_file(raw: &str) -> Option<&str> {
    raw.strip_prefix("file:")
}

/// Reads the value that stands in a file.
pub(super) fn read_referenced(path: &Path) -> io::Result<String> {
    read_bounded(path, REFERENCED_BYTES_MAX).map(without_newline)
}

/// Reads the configuration file as text.
pub(super) fn read_config(path: &Path) -> Result<String, ConfigError> {
    read_bounded(path, CONFIG_BYTES_MAX)
        .map_err(|cause| ConfigError::UnreadableConfig { path: path.to_owned(), cause })
}

/// Parses TOML without ever quoting it: the parser's own message shows the line, which may hold a secret.
pub(super) fn parse_toml(text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        ConfigError::Syntax { line, problem: error.message().lines().collect::<Vec<_>>().join("; ") }
    })
}

/// Appends a name to a path as TOML would write it; a name that isn't bare is quoted, so that it stays on the line.
pub(super) fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed tells "full" from "too long" without reading a device to its end.
    File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= bytes_max) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {bytes_max} bytes")))
    }
}

/// Editors and `echo` end a file with one newline that is no part of the secret.
fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
