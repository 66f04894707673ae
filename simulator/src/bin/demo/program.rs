//! The real `leaver` program: built by the cargo that runs the demo, into the same target directory and profile. Where
//! no cargo runs the demo, it is the `leaver` beside it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::screen::Screen;

/// How often the line that tells about a build is written anew.
const TICK: Duration = Duration::from_millis(200);

/// Builds the program, showing one line meanwhile, and gives its path.
pub(crate) async fn build(screen: &mut Screen) -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("the demo can't find itself")?;
    let folder = own.parent().context("the demo stands in no folder")?;
    let Some(cargo) = env::var_os("CARGO") else {
        return beside(folder);
    };
    let started = Instant::now();
    let building = cargo_build(&cargo, folder);
    tokio::pin!(building);
    if !screen.is_live() {
        screen.line("building the leaver program (cargo build --package leaver --bin leaver) ...")?;
    }
    loop {
        tokio::select! {
            built = &mut building => {
                screen.block(Vec::new())?;
                return built;
            }
            () = tokio::time::sleep(TICK) => {
                let seconds = started.elapsed().as_secs();
                let line = format!("building the leaver program with cargo ... {seconds} s (minutes the first time)");
                screen.block(vec![line])?;
            }
        }
    }
}

fn beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("leaver");
    if !program.is_file() {
        bail!("no `leaver` in {}: run the demo with `cargo demo`, which builds it", folder.display());
    }
    Ok(program)
}

async fn cargo_build(cargo: &OsStr, folder: &Path) -> anyhow::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        // The profile `dev` is the one whose folder has another name.
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "leaver", "--bin", "leaver", "--profile", profile]);
    command.arg("--message-format=json-render-diagnostics").arg("--manifest-path").arg(manifest);
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    // What cargo told the demo about the demo's own package: build scripts that watch these would run again, and with
    // them everything behind them, in this build and in the user's next one.
    let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
    for (name, _) in env::vars().filter(|(name, _)| own.iter().any(|prefix| name.starts_with(prefix))) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.output().await.context("can't run cargo")?;
    if !output.status.success() {
        bail!("the leaver program can't be built:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    executable(&output.stdout).context("cargo did not say where it has put the leaver program")
}

/// Finds the program's path in cargo's messages.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    let messages = String::from_utf8_lossy(messages);
    let mut artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artifacts.find_map(|artifact| {
        (artifact["target"]["name"] == "leaver")
            .then(|| artifact["executable"].as_str().map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages =
            br#"{"reason":"compiler-artifact","target":{"name":"leaver","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other","kind":["bin"]},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"leaver","kind":["bin"]},"executable":"/t/debug/leaver"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/leaver")));
        assert_eq!(executable(b"{}"), None);
    }
}
