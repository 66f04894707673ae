//! What people and programs see of the commands. The dry run has a file of its own.

use std::io::Write as _;

use secrecy::ExposeSecret;
use serde::Serialize;

use super::check::Finding;
use crate::offboarding::choices::Mode;
use crate::offboarding::{Action, Goal, Reason, Status};
use crate::operate::Page;
use crate::plan::{PLAN, Return};
use crate::store::tokens::WaitingToken;
use crate::store::views::View;

/// Prints a line. A reader that has seen enough and closed the pipe is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod callbacks;
mod events;
mod layoffs;
mod preview;

pub(super) use callbacks::callbacks;
pub(super) use events::{event, events, replay};
pub(super) use layoffs::layoffs;
pub(super) use preview::preview;

/// The widest line, in characters.
const WIDTH: usize = 110;

pub(super) fn json(value: &impl Serialize) {
    // Only maps with keys that are no strings can't be written, and there are none.
    say!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(super) fn line(text: &str) {
    say!("{text}");
}

/// Says above everything else that nothing is changed, where that is so.
pub(super) fn mode(mode: Mode) {
    match mode {
        Mode::Live => {}
        Mode::DryRun => say!("DRY RUN (policy.mode): the service changes nothing in Genesys Cloud\n"),
    }
}

pub(super) fn findings(findings: &[Finding]) {
    for finding in findings {
        let head = format!("{:<4}  {:<28} ", finding.level.as_str(), finding.what);
        for line in wrapped(&head, &finding.detail) {
            say!("{line}");
        }
    }
}

pub(super) fn tokens(waiting: &[WaitingToken], advice: &str) {
    if waiting.is_empty() {
        say!("no token waits: none has come within a day, or the source has delivered");
        return;
    }
    for one in waiting {
        let from = one.remote_address.as_deref().unwrap_or("unknown");
        let at = one.received_at.format("%Y-%m-%dT%H:%M:%SZ");
        say!("{at}  from {from:<15}  {}", one.token.expose_secret());
    }
    for line in wrapped("", advice) {
        say!("{line}");
    }
}

pub(super) fn list(page: &Page) {
    if page.items.is_empty() {
        say!("no offboardings");
        return;
    }
    say!(
        "{:<36}  {:<9}  {:<22}  {:<20}  {:<16}  PERSON",
        "ID",
        "STATUS",
        "OUTCOME / REASON",
        "EFFECTIVE",
        "SOURCE"
    );
    for view in &page.items {
        say!(
            "{:<36}  {:<9}  {:<22}  {:<20}  {:<16}  {}",
            view.id,
            view.status,
            ending(view),
            view.effective_at.format("%Y-%m-%d %H:%M UTC"),
            view.source,
            person(view),
        );
    }
    if page.next.is_some() {
        say!("there are more: --limit, or narrow it with --status, --person, --source");
    }
}

pub(super) fn offboarding(view: &View) {
    say!("{}  {}  {}", view.id, view.status, ending(view));
    say!("person     {}", person(view));
    say!("goal       {}", view.goal);
    say!("source     {} ({})", view.source, view.event_ids.join(", "));
    say!("effective  {}", view.effective_at.to_rfc3339());
    if let Some(next) = view.next_attempt_at {
        say!("next       {} (attempt {})", next.to_rfc3339(), view.attempt + 1);
    }
    if let Some(until) = view.lease_until {
        say!("at work    until {} at least", until.to_rfc3339());
    }
    if let Some(offer) = offered(view) {
        for line in wrapped("offered    ", &offer) {
            say!("{line}");
        }
    }
    say!("\nSTEP                           STATUS    REMOVED  COMES BACK");
    for step in view.steps.iter().flatten() {
        let back = comes_back(&step.name);
        say!("{:<30} {:<9} {:>7}  {back}", step.name, step.status, step.removed);
    }
    lost(view);
    say!("\nJOURNAL");
    for entry in view.journal.iter().flatten() {
        let call = entry.request_id.map(|id| format!("  [{id}]")).unwrap_or_default();
        say!(
            "{}  {:<22} {:<18} {}{call}",
            entry.at.format("%Y-%m-%d %H:%M:%S%.3f"),
            entry.actor,
            entry.action,
            [&entry.step, &entry.target, &entry.result]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join("  "),
        );
    }
}

pub(super) fn approved(size: usize, digest: &str) {
    say!("approved {size} offboardings, set sha256:{digest}");
}

/// What whoever took a termination back too late for all of it can have instead: nothing comes back by itself.
fn offered(view: &View) -> Option<String> {
    let id = view.id;
    let restore = format!("leaver restore {id} puts back what is counted below under REMOVED");
    match (view.status, view.reason, view.rescinded_at) {
        (Status::Held, Some(Reason::Rescinded), _) => {
            Some(format!("{restore}; leaver approve {id} carries the termination out all the same"))
        }
        (Status::Done, _, Some(at)) if view.goal == Goal::Offboarded => {
            Some(format!("taken back at {} after the end: {restore}", at.to_rfc3339()))
        }
        (Status::Scheduled | Status::Held | Status::Done | Status::Failed | Status::Cancelled, _, _) => None,
    }
}

/// What was given up on the way back, and why.
fn lost(view: &View) {
    let lost = view.journal.iter().flatten().filter(|entry| entry.action == Action::NotRestorable.as_str());
    let lost: Vec<_> = lost.collect();
    if lost.is_empty() {
        return;
    }
    say!("\nDID NOT COME BACK");
    for entry in lost {
        let [step, why] = [&entry.step, &entry.result].map(|text| text.as_deref().unwrap_or("-"));
        // What is missing of a whole step names no target.
        let target = entry.target.as_ref().map(|target| format!("{target}: ")).unwrap_or_default();
        for line in wrapped(&format!("{step:<30} "), &format!("{target}{why}")) {
            say!("{line}");
        }
    }
}

fn comes_back(step: &str) -> String {
    match PLAN.iter().find(|known| known.name() == step).map(|known| known.comes_back()) {
        Some(Return::Whole) => "whole".to_owned(),
        Some(Return::Except(what)) => format!("except {what}"),
        Some(Return::Never(why)) => format!("never: {why}"),
        None => "-".to_owned(),
    }
}

/// A text behind a head, in lines of at most [`WIDTH`] where its words allow it; each further one is indented like the
/// first.
fn wrapped(head: &str, text: &str) -> Vec<String> {
    let indent = head.chars().count();
    let mut lines = vec![head.to_owned()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count();
        if length > indent && length + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            line.push_str(if length > indent { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}

fn ending(view: &View) -> String {
    match (view.outcome, view.reason) {
        (Some(outcome), _) => outcome.to_string(),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn person(view: &View) -> String {
    let who = &view.person;
    let named = [&who.email, &who.external_id, &who.genesys_user_id].into_iter().flatten().cloned();
    let named: Vec<_> = named.collect();
    if named.is_empty() { "nobody named".to_owned() } else { named.join(" · ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_wrapped_behind_its_head_and_a_long_word_stays_whole() {
        let words = ["word"; 40].join(" ");
        let lines = wrapped("ok    what ", &words);
        assert!(lines.len() == 2 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert!(
            lines[1].starts_with("           word") && lines[0].starts_with("ok    what word"),
            "{lines:?}"
        );
        assert_eq!(wrapped("- ", &"x".repeat(200)), [format!("- {}", "x".repeat(200))]);
    }
}
