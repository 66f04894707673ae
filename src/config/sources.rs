//! `[sources.NAME]`: that every sender has a usable name and has to prove who it is; leaves the profile's language to
//! `hris`, which gets each table as it stands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::error::ConfigError;
use super::load::join;
use super::secret_files::{self, SecretFile};
use super::section::{Section, check_secret, mistyped};

/// The name is one segment of a path and of a DNS label's size.
const NAME_CHARS_MAX: usize = 63;

const WHY: &str = "a source without authentication is refused";

/// The source of operators' own terminations, which nobody signs: its events and ids must not be mixed with a sender's.
const RESERVED: &str = crate::offboarding::policy::OPERATORS_SOURCE;

/// Keys that are no business of the source: under which authority Genesys knows its people, and where bodies of it stand
/// that tell how it is to be read.
const AUTHORITY: &str = "external_id_authority";
const SAMPLES: &str = "samples";

/// What is configured about the senders.
pub(super) struct Sources {
    /// Every source's table, with references followed.
    pub(super) tables: BTreeMap<String, Table>,
    /// The authorities of those that have one of their own; empty where their ids are never looked up.
    pub(super) authorities: BTreeMap<String, String>,
    /// The secrets that stand in files.
    pub(super) secret_files: Vec<SecretFile>,
    /// The files with samples of those that have some of their own, as written.
    pub(super) samples: BTreeMap<String, PathBuf>,
}

/// Reads every source.
pub(super) fn read(root: &mut Section<'_>) -> Result<Sources, ConfigError> {
    let secret_files = secret_files::named_in(root.peek("sources"));
    let mut sources = Sources {
        tables: BTreeMap::new(),
        authorities: BTreeMap::new(),
        secret_files,
        samples: BTreeMap::new(),
    };
    for (name, mut table) in root.free_tables("sources")? {
        check_name(&name)?;
        let path = join("sources", &name);
        check_authentication(&path, &table)?;
        match table.remove(AUTHORITY) {
            Some(Value::String(authority)) => {
                sources.authorities.insert(name.clone(), authority.trim().to_owned());
            }
            Some(other) => return Err(mistyped(join(&path, AUTHORITY), "a string", &other)),
            None => {}
        }
        match table.remove(SAMPLES) {
            Some(Value::String(file)) if !file.is_empty() => {
                sources.samples.insert(name.clone(), PathBuf::from(file));
            }
            Some(Value::String(_)) => {
                return Err(ConfigError::refused(
                    join(&path, SAMPLES),
                    "is empty: expected the name of a file",
                ));
            }
            Some(other) => return Err(mistyped(join(&path, SAMPLES), "a string", &other)),
            None => {}
        }
        sources.tables.insert(name, table);
    }
    Ok(sources)
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let usable = name.len() <= NAME_CHARS_MAX
        && name.bytes().next().is_some_and(letter_or_digit)
        && name.bytes().all(|byte| letter_or_digit(byte) || byte == b'-');
    if name == RESERVED {
        let problem = "is reserved for operators' own terminations: take another name";
        return Err(ConfigError::refused(join("sources", name), problem));
    }
    if usable {
        return Ok(());
    }
    let problem = format!(
        "expected a name of lower-case letters, digits and dashes, at most {NAME_CHARS_MAX}, no dash first"
    );
    Err(ConfigError::refused(join("sources", name), problem))
}

/// Secrets stand beside the profile or, in a source with a profile of its own, in its `auth` table.
fn check_authentication(path: &str, source: &Table) -> Result<(), ConfigError> {
    let auth = source.get("auth").and_then(Value::as_table);
    if auth.and_then(|auth| auth.get("kind")).and_then(Value::as_str) == Some("none") {
        return Err(ConfigError::refused(format!("{path}.auth.kind"), format!("is none ({WHY})")));
    }
    let places = [(path.to_owned(), Some(source)), (format!("{path}.auth"), auth)];
    let mut secrets_found = false;
    for (path, table) in places {
        let Some(secrets) = table.and_then(|table| table.get("secrets")) else {
            continue;
        };
        check_secrets(format!("{path}.secrets"), secrets)?;
        secrets_found = true;
    }
    if secrets_found {
        Ok(())
    } else {
        Err(ConfigError::refused(format!("{path}.secrets"), format!("is missing ({WHY})")))
    }
}

fn check_secrets(key: String, secrets: &Value) -> Result<(), ConfigError> {
    let Value::Array(secrets) = secrets else {
        return Err(mistyped(key, "a list of strings", secrets));
    };
    if secrets.is_empty() {
        return Err(ConfigError::refused(key, format!("is empty ({WHY})")));
    }
    for (index, secret) in secrets.iter().enumerate() {
        let key = format!("{key}[{index}]");
        let Value::String(secret) = secret else {
            return Err(mistyped(key, "a string", secret));
        };
        check_one_secret(&key, secret)?;
    }
    Ok(())
}

/// Refuses a secret that is empty or too short, without showing it.
pub(super) fn check_one_secret(key: &str, secret: &str) -> Result<(), ConfigError> {
    if secret.trim().is_empty() {
        return Err(ConfigError::refused(key, "is empty"));
    }
    check_secret(key, secret.len())
}
