//! The append-only list of every request and its answer; what answers mean is left to the operations.

use std::collections::VecDeque;
use std::time::Instant;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Entries kept; a demo that runs for days forgets its oldest ones rather than fill the memory. No test comes near it.
const ENTRIES_MAX: usize = 500_000;

/// Whether a request is meant to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It reads, also with POST (searches, tokens of the client).
    Reads,
    /// It changes something.
    Changes,
}

/// Whether a request changed true state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Everything is as before.
    None,
    /// Something changed.
    Changed,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Its number, from 1.
    pub sequence: u64,
    /// When it arrived, monotonic.
    pub arrived: Instant,
    /// When it arrived, by the wall clock.
    pub arrived_at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query, not decoded.
    pub path: String,
    /// The query, not decoded; empty without one.
    pub query: String,
    /// The body as sent.
    pub body: Bytes,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// The header `X-Request-Id`.
    pub request_id: Option<String>,
    /// The published operation id, if the request is one.
    pub operation: Option<&'static str>,
    /// Whether it is meant to change something.
    pub intent: Intent,
}

impl RequestInfo {
    /// Gives the body as JSON, if it is.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// When, monotonic.
    pub instant: Instant,
    /// When, by the wall clock.
    pub at: DateTime<Utc>,
    /// With which HTTP status.
    pub status: u16,
}

/// One line of the journal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request.
    pub request: RequestInfo,
    /// Whether it changed true state, also when the answer was lost.
    pub effect: Effect,
    /// The correlation id of the answer.
    pub correlation_id: String,
    /// The number of the access token it came with, as `token-1`.
    pub token_id: Option<String>,
    /// The answer; nothing while it is pending, hangs, or after the connection was dropped.
    pub answered: Option<Answered>,
}

/// The journal itself.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    recorded: u64,
}

impl Journal {
    pub(crate) fn next_sequence(&self) -> u64 {
        self.recorded + 1
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.recorded += 1;
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
    }

    pub(crate) fn get_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        let forgotten = self.recorded - u64::try_from(self.entries.len()).ok()?;
        let index = sequence.checked_sub(forgotten + 1)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}
