//! What people and programs see of the commands.

use std::io::Write as _;

use serde::Serialize;

use super::check::Finding;
use crate::operate::{Page, Preview};
use crate::store::views::View;

/// Prints a line. A reader that has seen enough and closed the pipe is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

pub(super) fn json(value: &impl Serialize) {
    // Only maps with keys that are no strings can't be written, and there are none.
    say!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(super) fn findings(findings: &[Finding]) {
    for finding in findings {
        say!("{}  {:<28} {}", if finding.ok { "ok  " } else { "FAIL" }, finding.what, finding.detail);
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
    say!("source     {} ({})", view.source, view.event_ids.join(", "));
    say!("effective  {}", view.effective_at.to_rfc3339());
    if let Some(next) = view.next_attempt_at {
        say!("next       {} (attempt {})", next.to_rfc3339(), view.attempt + 1);
    }
    if let Some(until) = view.lease_until {
        say!("at work    until {} at least", until.to_rfc3339());
    }
    say!("\nSTEP                           STATUS    REMOVED");
    for step in view.steps.iter().flatten() {
        say!("{:<30} {:<9} {:>7}", step.name, step.status, step.removed);
    }
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

pub(super) fn preview(preview: &Preview) {
    say!("Genesys user {} is {}\n", preview.genesys_user_id, preview.state);
    let mut total = 0;
    for step in &preview.steps {
        total += step.remove.len();
        say!("  {:<28} {}", step.name, count(step.remove.len(), step.title));
        for item in &step.remove {
            let name =
                item.detail.get("name").or_else(|| item.detail.get("role")).and_then(|name| name.as_str());
            say!("    - {}{}", item.target, name.map(|name| format!("  {name}")).unwrap_or_default());
        }
        for inherited in &step.inherited {
            say!("    ! {inherited}: comes from a group and would hold the offboarding");
        }
    }
    say!("\n{total} to remove. Nothing was changed.");
}

fn count(number: usize, title: &str) -> String {
    if number == 0 { format!("no {title}") } else { format!("{number} {title}") }
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
