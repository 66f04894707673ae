//! Programs that read what is not Rust: environments of Python, each made once and kept under `target`. `python3` with its module `venv`
//! has to be there (Debian's `python3-venv`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// What the environment holds, by exact version; another list is another folder.
const PACKAGES: [&str; 3] = ["PyYAML==6.0.3", "kubernetes-validate==1.37.0", "python-hcl2==8.1.4"];

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a command to its end and gives what it printed; one that fails ends the test with all it said.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{command:?}: {}{}", text(&ended.stdout), text(&ended.stderr));
    text(&ended.stdout)
}

/// The folder of programs of an environment with these packages, made by the first test that needs it and used again by all
/// later runs.
fn environment(name: &str, packages: &[&str]) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    let made = tools.join(format!("{name}-{}", packages.join("-")));
    if !made.join("complete").exists() {
        // What an interrupted run has left can't be trusted.
        let _ = std::fs::remove_dir_all(&made);
        std::fs::create_dir_all(&tools).unwrap();
        output(Command::new("python3").args(["-m", "venv"]).arg(&made));
        output(Command::new(made.join("bin/pip")).args(["install", "--quiet", "--no-input"]).args(packages));
        std::fs::write(made.join("complete"), "").unwrap();
    }
    made.join("bin")
}

/// The program of a Python package of exactly this version.
pub(crate) fn python_program(package: &str, version: &str, program: &str) -> PathBuf {
    environment(package, &[&format!("{package}=={version}")]).join(program)
}

/// The programs of the environment that reads YAML and Terraform.
pub(crate) fn python() -> PathBuf {
    environment("python", &PACKAGES)
}

/// All documents of a YAML file.
pub(crate) fn yaml(path: &str) -> Vec<Value> {
    let program = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    read(program, path)
}

/// A file of Terraform as its parser gives it, strings in their quotes.
pub(crate) fn hcl(path: &str) -> Value {
    read("import hcl2, json, sys; print(json.dumps(hcl2.load(open(sys.argv[1]))))", path)
}

fn read<T: serde::de::DeserializeOwned>(program: &str, path: &str) -> T {
    let path = repository().join(path);
    let text = output(Command::new(python().join("python")).args(["-c", program]).arg(&path));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
