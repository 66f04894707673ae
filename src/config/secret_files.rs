//! Secrets of sources that stand in files: which ones, and how one of them is read again while the service runs. When that
//! is done is left to `serve`.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use super::error::ConfigError;
use super::load::{join, path_of_file, read_referenced};
use super::sources::check_one_secret;

/// One `file:/path` among the secrets of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    source: String,
    key: String,
    path: PathBuf,
    /// Whether the list stands in the source's `auth` table, or beside it.
    in_auth: bool,
    index: usize,
}

/// Finds the files that the sources' tables name, before references are followed.
pub(super) fn named_in(sources: Option<&Value>) -> Vec<SecretFile> {
    let mut files = Vec::new();
    for (source, table) in sources.and_then(Value::as_table).into_iter().flatten() {
        for in_auth in [false, true] {
            let holder = if in_auth { table.get("auth") } else { Some(table) };
            let secrets = holder.and_then(|holder| holder.get("secrets")).and_then(Value::as_array);
            for (index, secret) in secrets.into_iter().flatten().enumerate() {
                let Some(path) = secret.as_str().and_then(path_of_file) else { continue };
                let place = if in_auth { "auth.secrets" } else { "secrets" };
                let key = format!("{}.{place}[{index}]", join("sources", source));
                files.push(SecretFile { source: source.clone(), key, path: path.into(), in_auth, index });
            }
        }
    }
    files
}

impl SecretFile {
    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The whole path of the key, for example `sources.acme.secrets[0]`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file as it is now, without one newline at its end.
    ///
    /// # Errors
    ///
    /// What the operating system says; a file of more than 64 KiB is refused.
    pub fn read(&self) -> io::Result<SecretString> {
        read_referenced(&self.path).map(SecretString::from)
    }

    /// The secret that the source's table has in this place.
    pub fn of<'t>(&self, table: &'t Table) -> Option<&'t str> {
        let holder = if self.in_auth { table.get("auth")?.as_table()? } else { table };
        holder.get("secrets")?.get(self.index)?.as_str()
    }

    /// The source's table with another secret in this place.
    ///
    /// # Errors
    ///
    /// Refuses a secret that is empty or too short, without showing it.
    pub fn put(&self, table: &Table, secret: &SecretString) -> Result<Table, ConfigError> {
        check_one_secret(&self.key, secret.expose_secret())?;
        let mut table = table.clone();
        let holder = if self.in_auth { table.get_mut("auth") } else { None };
        let secrets = match holder {
            Some(auth) => auth.get_mut("secrets"),
            None => table.get_mut("secrets"),
        };
        match secrets.and_then(|secrets| secrets.get_mut(self.index)) {
            Some(place) => *place = Value::String(secret.expose_secret().to_owned()),
            None => return Err(ConfigError::MissingKey { key: self.key.clone() }),
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_stands_in_a_file_is_found_wherever_the_list_stands() {
        let table: Table = "[acme]\nsecrets = ['env:A', 'file:/run/a', 'a plain secret, long']\n\
                            [beta.auth]\nsecrets = ['file:/run/b']\n[gamma]\nsecrets = 'file:/run/c'"
            .parse()
            .unwrap();
        let files = named_in(Some(&Value::Table(table.clone())));
        let named: Vec<_> = files.iter().map(|file| (file.key(), file.path().to_str().unwrap())).collect();
        assert_eq!(
            named,
            [("sources.acme.secrets[1]", "/run/a"), ("sources.beta.auth.secrets[0]", "/run/b")]
        );
        for file in files {
            let source = table[file.source()].as_table().unwrap();
            let changed = file.put(source, &"another secret, long".into()).unwrap();
            assert_eq!(file.of(&changed), Some("another secret, long"));
            assert_eq!(file.of(source), Some(format!("file:{}", file.path().display()).as_str()));
            for (short, problem) in [("", "is empty"), (" \t ", "is empty"), ("x", "has 1 bytes")] {
                let refused = file.put(source, &short.into()).unwrap_err().to_string();
                assert!(refused.starts_with(&format!("{}: {problem}", file.key())), "{refused}");
            }
        }
    }
}
