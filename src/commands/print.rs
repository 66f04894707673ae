//! What people and programs see of the commands.

use serde::Serialize;

use super::check::Finding;
use crate::operate::{Page, Preview};
use crate::store::views::View;

pub(super) fn json(value: &impl Serialize) {
    // Only maps with keys that are no strings can't be written, and there are none.
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(super) fn findings(findings: &[Finding]) {
    for finding in findings {
        println!("{}  {:<28} {}", if finding.ok { "ok  " } else { "FAIL" }, finding.what, finding.detail);
    }
}

pub(super) fn list(page: &Page) {
    if page.items.is_empty() {
        println!("no offboardings");
        return;
    }
    println!(
        "{:<36}  {:<9}  {:<22}  {:<20}  {:<16}  PERSON",
        "ID", "STATUS", "OUTCOME / REASON", "EFFECTIVE", "SOURCE"
    );
    for view in &page.items {
        println!(
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
        println!("there are more: --limit, or narrow it with --status, --person, --source");
    }
}

pub(super) fn offboarding(view: &View) {
    println!("{}  {}  {}", view.id, view.status, ending(view));
    println!("person     {}", person(view));
    println!("source     {} ({})", view.source, view.event_ids.join(", "));
    println!("effective  {}", view.effective_at.to_rfc3339());
    if let Some(next) = view.next_attempt_at {
        println!("next       {} (attempt {})", next.to_rfc3339(), view.attempt + 1);
    }
    if let Some(until) = view.lease_until {
        println!("at work    until {} at least", until.to_rfc3339());
    }
    println!("\nSTEP                           STATUS    REMOVED");
    for step in view.steps.iter().flatten() {
        println!("{:<30} {:<9} {:>7}", step.name, step.status, step.removed);
    }
    println!("\nJOURNAL");
    for entry in view.journal.iter().flatten() {
        let call = entry.request_id.map(|id| format!("  [{id}]")).unwrap_or_default();
        println!(
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
    println!("Genesys user {} is {}\n", preview.genesys_user_id, preview.state);
    let mut total = 0;
    for step in &preview.steps {
        total += step.remove.len();
        println!("  {:<28} {}", step.name, count(step.remove.len(), step.title));
        for item in &step.remove {
            let name =
                item.detail.get("name").or_else(|| item.detail.get("role")).and_then(|name| name.as_str());
            println!("    - {}{}", item.target, name.map(|name| format!("  {name}")).unwrap_or_default());
        }
        for inherited in &step.inherited {
            println!("    ! {inherited}: comes from a group and would hold the offboarding");
        }
    }
    println!("\n{total} to remove. Nothing was changed.");
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
