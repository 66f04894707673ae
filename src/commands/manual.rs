//! `leaver completions` and `leaver man`: what a shell and a reader know of the commands, made of their one definition.

use std::io::{Write as _, stdout};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Failure;
use super::cli::Cli;

/// Writes the shell's completions.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "leaver", &mut script);
    stdout().write_all(&script).map_err(Failure::other)
}

/// Writes the first page, or one page for each command into a folder, which is made where it is missing.
pub fn manual(out: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::other)?;
        return stdout().write_all(&page).map_err(Failure::other);
    };
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| Failure::Failed(format!("--out: {}: {error}", folder.display())))
}
