//! The vocabulary: who leaves, what they hold, what happened, and the rules about it.
//! No I/O, and nothing of the rest of the crate is used here.

pub mod choices;
pub mod event;
pub mod journal;
pub mod policy;
mod reasons;
pub mod status;
pub mod zone;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use event::{Directive, Effective, Heard, PersonRef, TerminationEvent};
pub use journal::{Action, Actor, JournalEntry};
pub use status::{Goal, Outcome, Reason, Status};
pub use zone::{UnknownZone, Zone};

/// The identity of one offboarding: a UUID of version 7, so that ids sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OffboardingId(pub Uuid);

impl OffboardingId {
    /// Makes a new id from the present time and randomness.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for OffboardingId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for OffboardingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The two phases of an offboarding. It is no two-phase commit: nothing is prepared and nothing votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Everything that is assigned to the person is taken away; the account stays active.
    Strip,
    /// The account is set inactive and its tokens are revoked.
    Deactivate,
}

impl Phase {
    /// The name in the API, the journal and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Deactivate => "deactivate",
        }
    }
}

/// The stable name of a step of the plan, `PHASE.KIND`, for example `strip.queue_memberships`.
pub type StepName = &'static str;

/// One thing that a person holds in Genesys Cloud, as a step found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The Genesys user who holds it.
    pub user: String,
    /// The step that found it and can remove it.
    pub step: StepName,
    /// What tells it apart within the step: a queue's id, a role's and a division's id.
    pub target: String,
    /// Everything a restore needs, as JSON.
    pub detail: serde_json::Value,
}

/// Something that a person holds through somebody else (a group) and that can't be removed from the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// The step that found it.
    pub step: StepName,
    /// What is held.
    pub target: String,
    /// Through what it is held, for example the group's id.
    pub via: String,
}

/// What one step found for one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// What can be removed.
    pub assignments: Vec<Assignment>,
    /// What can't.
    pub inherited: Vec<Inherited>,
}

impl Observation {
    /// One thing that can be removed.
    pub fn one(user: &str, step: StepName, target: &str, detail: serde_json::Value) -> Self {
        let (user, target) = (user.to_owned(), target.to_owned());
        Self { assignments: vec![Assignment { user, step, target, detail }], inherited: Vec::new() }
    }
}
