//! An offboarding as one line of a table: what an auditor compares, and the lists as counts or words. JSON lines have the
//! lists in full.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::written;
use crate::store::population::Evidence;

/// The columns, in the order of the cells.
pub(super) const COLUMNS: &[&str] = &[
    "id",
    "source",
    "status",
    "outcome",
    "reason",
    "goal",
    "termination_type",
    "email",
    "external_id",
    "genesys_user_id",
    "requested_by",
    "received_at",
    "created_at",
    "effective_at",
    "started_at",
    "changes_began_at",
    "stripped_at",
    "deactivated_at",
    "verified_at",
    "completed_at",
    "rescinded_at",
    "seconds_to_deactivation",
    "event_ids",
    "approvals",
    "calls",
    "assignments",
];

/// The cells of a table.
pub(super) fn cells(evidence: &Evidence) -> [String; COLUMNS.len()] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| at.map(written).unwrap_or_default();
    [
        evidence.id.to_string(),
        evidence.source.clone(),
        evidence.status.clone(),
        text(&evidence.outcome),
        text(&evidence.reason),
        evidence.goal.clone(),
        text(&evidence.termination_type),
        text(&evidence.email),
        text(&evidence.external_id),
        text(&evidence.genesys_user_id),
        text(&evidence.requested_by),
        time(evidence.received_at),
        written(evidence.created_at),
        written(evidence.effective_at),
        time(evidence.started_at),
        time(evidence.changes_began_at),
        time(evidence.stripped_at),
        time(evidence.deactivated_at),
        time(evidence.verified_at),
        time(evidence.completed_at),
        time(evidence.rescinded_at),
        seconds_to_deactivation(evidence).map(|seconds| seconds.to_string()).unwrap_or_default(),
        words(&evidence.events, &["event_id"], " "),
        words(&evidence.approvals, &["action", "result", "actor", "at"], "; "),
        count(&evidence.calls),
        count(&evidence.snapshot),
    ]
}

/// From the moment at which access had to end, or was known to have to, until it did. The later of both counts: nobody can
/// act on what has not been said yet.
fn seconds_to_deactivation(evidence: &Evidence) -> Option<i64> {
    let due = evidence.received_at.map_or(evidence.effective_at, |at| at.max(evidence.effective_at));
    evidence.deactivated_at.map(|at| (at - due).num_seconds())
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn count(list: &Value) -> String {
    items(list).len().to_string()
}

/// These members of each item.
fn words(list: &Value, members: &[&str], between: &str) -> String {
    let item = |item: &Value| {
        let words = members.iter().filter_map(|member| item[*member].as_str().map(str::to_owned));
        words.collect::<Vec<_>>().join(" ")
    };
    items(list).iter().map(item).collect::<Vec<_>>().join(between)
}
