//! Programs of others that tests run: each in a Python environment of its own below `target/tools`, made by the first test that
//! needs it and used again by all later runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// One test at a time makes environments.
static MAKING: Mutex<()> = Mutex::new(());

/// The program of a Python package of exactly this version.
pub(crate) fn python_program(package: &str, version: &str, program: &str) -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    let environment = tools.join(format!("{package}-{version}"));
    let whole = environment.join("whole");
    if !whole.exists() {
        // What an interrupted run has left can't be trusted.
        let _ = std::fs::remove_dir_all(&environment);
        std::fs::create_dir_all(&tools).expect("a folder for tools");
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        made.unwrap_or_else(|why| panic!("python3 with its module venv is needed (python3-venv): {why}"));
        let pip = environment.join("bin/pip");
        let wanted = format!("{package}=={version}");
        let installed = run(Command::new(pip).args(["install", "--quiet", "--no-input", &wanted]));
        installed.unwrap_or_else(|why| panic!("{wanted} can't be installed: {why}"));
        std::fs::write(whole, "").expect("a mark that it is whole");
    }
    environment.join("bin").join(program)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(said.lines().last().unwrap_or("it failed").to_owned())
}
