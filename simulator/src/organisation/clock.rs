//! The time as the simulator has it, for what happens outside of a request as well.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// The simulator's time: ahead of the machine's by what a test moved it on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
    pub(crate) wall: DateTime<Utc>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now: Instant::now(), wall: Utc::now() }
    }
}
