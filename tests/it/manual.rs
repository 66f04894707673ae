//! Completions, manual pages and help: made of one definition, so that none of them knows a command that another doesn't.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory as _;
use leaver::commands::cli::Cli;

use crate::commands::run;
use crate::support::program;
use crate::tools::output;

/// A folder without a configuration.
const NOWHERE: &str = "/nonexistent/leaver.toml";

/// The commands by their definition, `layoff-plan` for a command of a command.
fn defined() -> BTreeSet<String> {
    let root = Cli::command();
    let mut names = BTreeSet::new();
    for command in root.get_subcommands() {
        names.insert(command.get_name().to_owned());
        names.extend(
            command.get_subcommands().map(|sub| format!("{}-{}", command.get_name(), sub.get_name())),
        );
    }
    assert!(names.contains("serve") && names.contains("layoff-approve"), "{names:?}");
    names
}

#[tokio::test]
async fn every_command_has_a_page_that_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man");
    run(Path::new(NOWHERE), &["man", "--out", out.to_str().unwrap()]).await.done();
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // -ww: every warning of the typesetter; it writes them to standard error.
        let shown = Command::new("groff").args(["-man", "-Tutf8", "-P-cbou", "-ww"]).arg(&path).output();
        if let Ok(shown) = shown {
            let told = String::from_utf8_lossy(&shown.stderr).into_owned();
            assert!(shown.status.success() && told.is_empty(), "{name}: {told}");
            assert!(String::from_utf8_lossy(&shown.stdout).contains("NAME"), "{name}");
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        pages.insert(
            name.trim_end_matches(".1").trim_start_matches("leaver").trim_start_matches('-').to_owned(),
        );
    }
    assert!(pages.remove(""), "the first page: {pages:?}");
    assert_eq!(pages, defined());
    let first = run(Path::new(NOWHERE), &["man"]).await;
    assert!(first.done().out.contains(".SH NAME"), "{first:?}");
}

#[tokio::test]
async fn bash_completes_every_command_and_its_options() {
    let script = run(Path::new(NOWHERE), &["completions", "bash"]).await.done().out.clone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leaver.bash");
    std::fs::write(&file, script).unwrap();
    output(Command::new("bash").arg("-n").arg(&file));
    let completed = |words: &[&str]| -> BTreeSet<String> {
        let asked = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                     _leaver leaver \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                     printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        let told = output(bash.args(["-c", asked, "bash"]).arg(&file).args(words));
        told.lines().map(str::to_owned).collect()
    };
    let commands: BTreeSet<_> =
        completed(&["leaver", ""]).into_iter().filter(|word| !word.starts_with('-')).collect();
    let known = defined().into_iter().filter(|name| Cli::command().find_subcommand(name).is_some());
    assert_eq!(commands, known.chain(["help".to_owned()]).collect());
    assert_eq!(completed(&["leaver", "sho"]), BTreeSet::from(["show".to_owned()]));
    assert!(
        completed(&["leaver", "list", "--"]).is_superset(&["--status", "--json"].map(str::to_owned).into())
    );
}

#[tokio::test]
async fn there_are_completions_for_every_shell_and_help_names_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(Path::new(NOWHERE), &["completions", shell]).await;
        for command in ["offboard", "approve", "look-up"] {
            assert!(script.done().out.contains(command), "{shell}: {command}");
        }
    }
    run(Path::new(NOWHERE), &["completions", "sh"]).await.failed(2, &["sh"]);
    let help = output(Command::new(program()).arg("--help"));
    for name in defined().iter().filter(|name| Cli::command().find_subcommand(name).is_some()) {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name}: {help}"
        );
    }
}
