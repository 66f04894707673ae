//! Finds Postgres' programs and the user to run them as. Fetching them where there are none is left to
//! `fetch`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PostgresError, fetch};

/// What the launcher runs; `psql` is not among them, because a server needs no client.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where packages put one folder per version: everything before the version, and everything after it.
const BY_VERSION: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // Red Hat, from postgresql.org
    ("/usr/libexec", "postgresql", ""),          // Alpine
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew, Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew, Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A folder with Postgres' programs, and the folders of shared libraries that they need besides the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) libraries: Vec<PathBuf>,
}

impl Programs {
    /// Accepts `folder` where it holds all that the launcher runs.
    pub(super) fn in_folder(folder: &Path) -> Option<Self> {
        NEEDED
            .iter()
            .all(|name| folder.join(name).is_file())
            .then(|| Self { folder: folder.to_path_buf(), libraries: Vec::new() })
    }
}

/// The user that Postgres runs as where this program runs as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Finds the programs on this machine, and fetches them where there are none.
pub(super) async fn find_or_fetch() -> Result<Programs, PostgresError> {
    if let Some(folder) = env::var_os("LEAVER_PG_BIN").filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(folder);
        return Programs::in_folder(&folder).ok_or(PostgresError::ProgramsNotThere(folder));
    }
    match installed() {
        Some(programs) => Ok(programs),
        None => fetch::fetch().await,
    }
}

/// Tells which user to run Postgres as: none where we are an ordinary user, who runs it as himself.
pub(super) fn user_to_run_as() -> Result<Option<User>, PostgresError> {
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some(User { uid: id(&["-u", name])?, gid: id(&["-g", name])? }))
        .map(Some)
        .ok_or(PostgresError::NoUser)
}

/// The newest version's programs under `parent`, whose entries are called `prefix` and a version.
pub(super) fn newest(parent: &Path, prefix: &str, suffix: &str) -> Option<Programs> {
    let mut versions: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(parent)
        .ok()?
        .flatten()
        .filter_map(|entry| Some((version(entry.file_name().to_str()?.strip_prefix(prefix)?)?, entry.path())))
        .collect();
    versions.sort();
    versions.iter().rev().find_map(|(_, folder)| Programs::in_folder(&folder.join(suffix)))
}

fn installed() -> Option<Programs> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).find_map(|folder| Programs::in_folder(&folder)).or_else(|| {
        BY_VERSION.iter().find_map(|(parent, prefix, suffix)| newest(Path::new(parent), prefix, suffix))
    })
}

/// Reads "16" and "9.6"; as numbers, because as text 9.6 would be newer than 16.
fn version(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

/// Asks `id`, which knows users from every source that the system is set up with, and needs no unsafe call.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()?.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_complete_version_is_taken_and_versions_are_compared_as_numbers() {
        let parent = env::temp_dir().join(format!("leaver-programs-{}", uuid::Uuid::new_v4().simple()));
        for (folder, names) in
            [("9.6", &NEEDED[..]), ("15", &NEEDED[..]), ("17", &NEEDED[..2]), ("common", &NEEDED[..])]
        {
            let bin = parent.join(folder).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            for name in names {
                std::fs::write(bin.join(name), "").unwrap();
            }
        }
        let found = newest(&parent, "", "bin");
        std::fs::remove_dir_all(&parent).unwrap();
        assert_eq!(found.unwrap().folder, parent.join("15/bin"));
    }
}
