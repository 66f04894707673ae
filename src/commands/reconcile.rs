//! `leaver reconcile`: who has left by the HRIS's list and is still there.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Failure, Output, actor, print, progress};
use crate::config::Config;
use crate::operate::{self, BYTES_MAX, Finding, Gaps, InMode, Reconciler, Reconciliation};
use crate::serve::{self, Parts};

/// What is done about the gaps that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// They are shown.
    Nothing,
    /// For each an offboarding is opened.
    Gaps,
}

/// What becomes of the command where something is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It says so, and has done what it was to do.
    IsSaid,
    /// It fails by it, for whoever only looks at the exit code.
    Fails,
}

/// The most characters of a file's name in the journal.
const NAME_CHARS_MAX: usize = 100;

/// Prints what is found. Fails where somebody could not be read, and where `open` says so also where anything is left to do.
pub async fn reconcile(
    config: &Config,
    csv: &Path,
    apply: Apply,
    open: Open,
    output: Output,
) -> Result<(), Failure> {
    let parts = Parts::new(config)?;
    let (rules, own_rules) = (serve::preview_rules(config), serve::own_rules(config));
    let sources = config.sources.keys().cloned().collect();
    let list = operate::read_leavers(&read(csv)?, &rules, &own_rules, &sources)?;
    if apply == Apply::Gaps {
        list.may_be_applied()?;
    }
    let gaps = match apply {
        Apply::Nothing => Gaps::Shown,
        Apply::Gaps => Gaps::Closed { by: actor(), list: name_of(csv, list.digest) },
    };
    // An offboarding is carried out by the workers: this process reads, and no mistake in it can change anything.
    let genesys = parts.genesys.clone().reading_only();
    let over = AtomicUsize::new(0);
    let reconciler = Reconciler {
        store: &parts.store,
        genesys: &genesys,
        rules: &rules,
        own_rules: &own_rules,
        progress: &|turns| over.store(turns, Ordering::Relaxed),
    };
    let turns = operate::turns(&list).max(1);
    let percent = || format!("asking Genesys Cloud, {} %", over.load(Ordering::Relaxed) * 100 / turns);
    let found = progress::told(percent, reconciler.reconcile(&list, &gaps)).await?;
    let switch = operate::pause_state(&parts.store).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &found).under(switch)),
        Output::Text => {
            print::mode(config.policy.mode);
            print::paused(&switch);
            print::reconciliation(&found);
        }
    }
    if found.is_settled() {
        return Ok(());
    }
    match (open, unread(&found), output) {
        (Open::Fails, _, _) | (Open::IsSaid, 1.., _) => Err(Failure::Failed(left_to_do(&found))),
        (Open::IsSaid, 0, Output::Text) => {
            print::line(&left_to_do(&found));
            Ok(())
        }
        (Open::IsSaid, 0, Output::Json) => Ok(()),
    }
}

/// How many people could not be looked at.
fn unread(found: &Reconciliation) -> usize {
    found.totals.by_finding.get(Finding::Unread.as_str()).copied().unwrap_or_default()
}

/// Reads the file, and of one that is too long no more than shows that it is.
fn read(csv: &Path) -> Result<Vec<u8>, Failure> {
    let refused =
        |error: std::io::Error| Failure::Usage(format!("--csv: {} can't be read: {error}", csv.display()));
    let mut bytes = Vec::new();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(csv).map_err(refused)?.take(limit).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

/// What the list is called in the journal: its name, and its digest, because a name says nothing about what was in it.
fn name_of(csv: &Path, digest: [u8; 32]) -> String {
    let name = csv.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    format!("{name} (sha256 {})", hex::encode(digest))
}

fn left_to_do(found: &Reconciliation) -> String {
    let totals = &found.totals;
    let open = totals.gaps - totals.opened;
    let line = match (open, totals.for_a_person) {
        (open, 0) => {
            format!("people who have left and are still there: {open}; --apply opens an offboarding for each")
        }
        (0, people) => format!("people about whom somebody has to decide: {people}"),
        (open, people) => format!(
            "people who have left and are still there: {open}; about whom somebody has to decide: {people}"
        ),
    };
    match unread(found) {
        0 => line,
        unread => format!("{line}, of whom could not be read: {unread}"),
    }
}
