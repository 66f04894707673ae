//! What a reconciliation found, for people.

use super::wrapped;
use crate::operate::{Found, Reconciliation};

pub(in crate::commands) fn reconciliation(reconciliation: &Reconciliation) {
    for note in &reconciliation.notes {
        say!("note: {note}");
    }
    if !reconciliation.notes.is_empty() {
        say!("");
    }
    say!("{:>5}  {:<12}  {:<8}  {:>5}  PERSON", "LINE", "FINDING", "ACCOUNT", "HOLDS");
    for found in &reconciliation.items {
        let holds = found.holds.map(|holds| holds.to_string());
        say!(
            "{:>5}  {:<12}  {:<8}  {:>5}  {}",
            found.leaver.line,
            found.finding.as_str(),
            found.state.unwrap_or("-"),
            holds.as_deref().unwrap_or("-"),
            person(found),
        );
        if let Some(detail) = &found.detail {
            for line in wrapped("       ", detail) {
                say!("{line}");
            }
        }
    }
    let totals = &reconciliation.totals;
    let by_finding = totals.by_finding.iter().map(|(finding, count)| format!("{count} {finding}"));
    let by_finding: Vec<_> = by_finding.collect();
    say!("");
    for line in wrapped("", &format!("{} on the list: {}", totals.people, by_finding.join(", "))) {
        say!("{line}");
    }
    say!("gaps {}, opened now {}, for a person {}", totals.gaps, totals.opened, totals.for_a_person);
}

fn person(found: &Found) -> String {
    let leaver = &found.leaver;
    let named = [&leaver.email, &leaver.external_id, &found.user].into_iter().flatten().cloned();
    named.collect::<Vec<_>>().join(" · ")
}
