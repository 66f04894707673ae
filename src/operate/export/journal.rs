//! A link of the audit chain as one line: the fields that its hash covers, and the hash. Read from the link itself, so that
//! whoever has the lines can compute the chain anew.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::offboarding::chain::{Entry, Link};

/// The columns, in the order of the cells.
pub(super) const COLUMNS: &[&str] = &[
    "seq",
    "journal_seq",
    "at",
    "offboarding_id",
    "actor",
    "action",
    "step",
    "target",
    "result",
    "request_id",
    "correlation_id",
    "prev",
    "hash",
];

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    seq: i64,
    journal_seq: i64,
    at: String,
    offboarding_id: Option<String>,
    actor: String,
    action: String,
    step: Option<String>,
    target: Option<String>,
    result: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    prev: String,
    hash: String,
    /// `at`, to be compared.
    #[serde(skip)]
    pub(super) moment: DateTime<Utc>,
}

impl Line {
    /// Reads a link; nothing where it holds no entry.
    pub(super) fn of(link: &Link) -> Option<Self> {
        let Entry(fields) = Entry::read(&link.entry)?;
        let [
            journal_seq,
            offboarding_id,
            at,
            actor,
            action,
            step,
            target,
            result,
            request_id,
            correlation_id,
        ] = fields;
        let at = at?;
        Some(Self {
            seq: link.seq,
            journal_seq: journal_seq?.parse().ok()?,
            moment: DateTime::parse_from_rfc3339(&at).ok()?.with_timezone(&Utc),
            at,
            offboarding_id,
            actor: actor?,
            action: action?,
            step,
            target,
            result,
            request_id,
            correlation_id,
            prev: hex::encode(&link.prev),
            hash: hex::encode(&link.hash),
        })
    }

    /// The cells of a table.
    pub(super) fn cells(self) -> [String; COLUMNS.len()] {
        [
            self.seq.to_string(),
            self.journal_seq.to_string(),
            self.at,
            self.offboarding_id.unwrap_or_default(),
            self.actor,
            self.action,
            self.step.unwrap_or_default(),
            self.target.unwrap_or_default(),
            self.result.unwrap_or_default(),
            self.request_id.unwrap_or_default(),
            self.correlation_id.unwrap_or_default(),
            self.prev,
            self.hash,
        ]
    }
}
