//! Reads the secrets that stand in files again when they change, so that a key is replaced without a restart. What a usable
//! secret is, is said by `config` and `hris`; deliveries go on with the keys in memory whatever the files are like.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use toml::Table;

use crate::config::{Config, SecretFile};
use crate::hris::Source;

/// How often the files are looked at. Two looks have to agree, so that a file that is being written is let finish; a change
/// holds within 2 s.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Ends the watching when it is dropped.
pub(super) struct Watching {
    _until: Option<Sender<()>>,
}

/// What a look into a file comes to, without the secret. The content counts and not the file's time: a link that leads
/// elsewhere is a change, and a touched file is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Content([u8; 32]),
    Unreadable(io::ErrorKind),
}

struct Watched {
    file: SecretFile,
    /// What was decided about last.
    judged: Look,
    /// What was seen last.
    seen: Look,
}

/// The sources of a process with the files of their secrets.
struct Watcher {
    sources: BTreeMap<String, Arc<Source>>,
    /// With the secrets that are in use.
    tables: BTreeMap<String, Table>,
    files: Vec<Watched>,
}

/// Watches the files of these sources from a thread of its own: a file system that hangs holds up nothing else, not even
/// the process's end.
pub(super) fn watch(config: &Config, sources: &[Arc<Source>]) -> io::Result<Watching> {
    let mut watcher = Watcher::new(config, sources);
    if watcher.files.is_empty() {
        return Ok(Watching { _until: None });
    }
    let (until, ended) = mpsc::channel::<()>();
    std::thread::Builder::new().name("secret files".to_owned()).spawn(move || {
        while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            watcher.look();
        }
    })?;
    Ok(Watching { _until: Some(until) })
}

impl Watcher {
    fn new(config: &Config, sources: &[Arc<Source>]) -> Self {
        let tables = config.sources.clone();
        let files = config.secret_files.iter().map(|file| {
            show(file, 0.0);
            // What was read at the start, so that a change since then is seen too.
            let read = tables.get(file.source()).and_then(|table| file.of(table)).unwrap_or_default();
            let read = Look::at(read);
            Watched { file: file.clone(), judged: read, seen: read }
        });
        Self {
            files: files.collect(),
            sources: sources.iter().map(|source| (source.name().to_owned(), Arc::clone(source))).collect(),
            tables,
        }
    }

    fn look(&mut self) {
        let Self { sources, tables, files } = self;
        for watched in files {
            let read = watched.file.read();
            let look = match &read {
                Ok(secret) => Look::at(secret.expose_secret()),
                Err(cause) => Look::Unreadable(cause.kind()),
            };
            let settled = look == std::mem::replace(&mut watched.seen, look);
            if !settled || look == watched.judged {
                continue;
            }
            watched.judged = look;
            let (Some(source), Some(table)) =
                (sources.get(watched.file.source()), tables.get_mut(watched.file.source()))
            else {
                continue;
            };
            tell(&watched.file, adopt(&watched.file, source, table, read));
        }
    }
}

impl Look {
    fn at(secret: &str) -> Self {
        Self::Content(Sha256::digest(secret.as_bytes()).into())
    }
}

/// Gives the source the secret, or leaves it the one that it has. Each file is judged alone: one that is away must not keep
/// another's change from counting.
fn adopt(
    file: &SecretFile,
    source: &Source,
    table: &mut Table,
    read: io::Result<SecretString>,
) -> Result<(), String> {
    let secret = read.map_err(|cause| format!("cannot be read: {cause}"))?;
    let changed = file.put(table, &secret).map_err(|refused| refused.to_string())?;
    source.adopt_secrets(&changed).map_err(|refused| refused.to_string())?;
    *table = changed;
    Ok(())
}

fn tell(file: &SecretFile, adopted: Result<(), String>) {
    let (source, key, path) = (file.source(), file.key(), file.path().display());
    match adopted {
        Ok(()) => {
            show(file, 0.0);
            metrics::counter!("leaver_secrets_read_again_total", "source" => source.to_owned()).increment(1);
            tracing::info!(source, key, file = %path, "a secret has changed and is in use");
        }
        Err(problem) => {
            show(file, 1.0);
            tracing::error!(
                source, key, file = %path, problem,
                "a secret can't be read again: the one before stays in use"
            );
        }
    }
}

fn show(file: &SecretFile, failing: f64) {
    let (source, key) = (file.source().to_owned(), file.key().to_owned());
    metrics::gauge!("leaver_secret_file_failing", "source" => source, "key" => key).set(failing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::serve;

    const OLD: &str = "the-old-secret-of-acme-0123456789";
    const NEW: &str = "the-new-secret-of-acme-0123456789";

    #[test]
    fn a_file_that_is_being_written_is_let_finish() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, OLD).unwrap();
        let text = format!(
            "[database]\nurl = 'postgres://leaver@localhost/leaver'\n[genesys]\nregion = 'mypurecloud.com'\n\
             client_id = 'client'\nclient_secret = 'a secret of enough bytes'\n[sources.acme]\n\
             profile = 'generic-worker-terminated'\nsecrets = ['file:{}']",
            file.display()
        );
        let nothing: [(&str, &str); 0] = [];
        let config = Config::from_toml(&text, &Environment::from_iter(nothing)).unwrap();
        let sources: Vec<_> = serve::sources(&config).unwrap().into_iter().map(Arc::new).collect();
        let mut watcher = Watcher::new(&config, &sources);
        let mut after = |written: &str| {
            std::fs::write(&file, written).unwrap();
            watcher.look();
            (watcher.files[0].judged, watcher.files[0].file.of(&watcher.tables["acme"]).unwrap().to_owned())
        };
        let (old, new) = (Look::at(OLD), Look::at(NEW));
        // Emptied, half written, whole: none of it stays for two looks until it is whole.
        for half in [OLD, "", &NEW[..20], NEW] {
            assert_eq!(after(half), (old, OLD.to_owned()), "{half:?}");
        }
        assert_eq!(after(NEW), (new, NEW.to_owned()));
        assert_eq!(after(""), (new, NEW.to_owned()));
        assert_eq!(after(""), (Look::at(""), NEW.to_owned()), "judged, and not taken over");
    }
}
