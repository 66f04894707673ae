//! Programs that read what is not Rust: one environment of Python for all tests, made once and kept under `target`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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

/// The environment's folder of programs.
pub(crate) fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
            let made = tools.join(format!("python-{}", PACKAGES.join("-")));
            if !made.join("complete").exists() {
                let _ = std::fs::remove_dir_all(&made);
                std::fs::create_dir_all(&tools).unwrap();
                output(Command::new("python3").args(["-m", "venv"]).arg(&made));
                output(Command::new(made.join("bin/pip")).args(["install", "--quiet"]).args(PACKAGES));
                std::fs::write(made.join("complete"), "").unwrap();
            }
            made.join("bin")
        })
        .clone()
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
