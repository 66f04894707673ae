//! What is written down about an offboarding: one entry for every decision and two for every changing call,
//! the intention before it and the outcome after it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A source's event.
    Hris(String),
    /// A worker process.
    Worker(String),
    /// A person.
    Operator(String),
}

/// What follows the name of somebody who acts at a command line instead of through the API.
const AT_COMMAND_LINE: &str = " (command line)";

impl Actor {
    /// Somebody at a command line, by the name of their account there.
    pub fn at_command_line(name: &str) -> Self {
        Self::Operator(format!("{name}{AT_COMMAND_LINE}"))
    }

    /// Whether `written`, as an actor is written down, is the same person. The same name is, through the API or at a command
    /// line, in any case of letters: operators' names are unique without regard to it.
    pub fn is_the_person(&self, written: &str) -> bool {
        let bare = |written: &str| {
            let mut name = written;
            while let Some(shorter) = name.strip_suffix(AT_COMMAND_LINE) {
                name = shorter;
            }
            name.trim().to_lowercase()
        };
        bare(&self.to_string()) == bare(written)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hris(source) => write!(f, "hris:{source}"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::Operator(name) => write!(f, "operator:{name}"),
        }
    }
}

/// What was done. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An event was stored and attached to the offboarding.
    EventAccepted,
    /// An operator had a stored event read again, which changed what it says; the target is the event.
    EventReplayed,
    /// An operator planned a layoff; the target is the layoff, the result its list's digest, length and largest count.
    LayoffPlanned,
    /// An approver let a planned layoff pass the brake; the target is the layoff, the result its list's digest.
    LayoffApproved,
    /// An operator cancelled a planned layoff; the target is the layoff.
    LayoffCancelled,
    /// A planned layoff lets the person's first change past the brake; the target is the layoff.
    UnderLayoff,
    /// The HRIS was asked; the result says what it answered.
    LookedUp,
    /// The HRIS was asked and did not answer; the result says why.
    LookUpFailed,
    /// A worker took the lease.
    LeaseAcquired,
    /// The person was matched with exactly one Genesys user.
    PersonResolved,
    /// Nobody in Genesys Cloud is the person; the result says how that is known.
    NobodyFound,
    /// Everything the person holds was stored before the first change.
    SnapshotStored,
    /// A changing call is about to be sent.
    CallIntended,
    /// What became of a changing call.
    CallFinished,
    /// What a step would take away; the service runs dry and does not.
    WouldRemove,
    /// What the brake would say to it; the service runs dry.
    WouldBrake,
    /// A step is left out by configuration.
    StepLeftOut,
    /// What a report found, or why it could not be read.
    Reported,
    /// Something stays: it comes through a group, or Genesys Cloud does not take it from an inactive account.
    LeftInPlace,
    /// A complete read found nothing left.
    VerifiedEmpty,
    /// The HRIS took the termination back after it had been carried out; only a person has it put back.
    RescindedLate,
    /// An operator asked for everything to be put back.
    RestoreRequested,
    /// Something can't be put back; the result says why.
    NotRestorable,
    /// An operator asked for another attempt.
    Retried,
    /// The work goes on later; the result says why.
    Postponed,
    /// A person has to look.
    Held,
    /// An approver said what the event had not; the result says what that was.
    FactsGiven,
    /// An operator released a held one.
    Approved,
    /// Given up for now.
    Failed,
    /// Finished.
    Done,
    /// Ended without being carried out.
    Cancelled,
    /// An operator paused the service as a whole; the result says why.
    Paused,
    /// An operator let the service go on.
    Resumed,
    /// Somebody outside was told of the end; the target is who.
    Told,
    /// An operator had somebody outside told once more; the target is who.
    CallbackRepeated,
}

impl Action {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventAccepted => "event_accepted",
            Self::EventReplayed => "event_replayed",
            Self::LayoffPlanned => "layoff_planned",
            Self::LayoffApproved => "layoff_approved",
            Self::LayoffCancelled => "layoff_cancelled",
            Self::UnderLayoff => "under_layoff",
            Self::LookedUp => "looked_up",
            Self::LookUpFailed => "look_up_failed",
            Self::LeaseAcquired => "lease_acquired",
            Self::PersonResolved => "person_resolved",
            Self::NobodyFound => "nobody_found",
            Self::SnapshotStored => "snapshot_stored",
            Self::CallIntended => "call_intended",
            Self::CallFinished => "call_finished",
            Self::WouldRemove => "would_remove",
            Self::WouldBrake => "would_brake",
            Self::StepLeftOut => "step_left_out",
            Self::Reported => "reported",
            Self::LeftInPlace => "left_in_place",
            Self::VerifiedEmpty => "verified_empty",
            Self::RescindedLate => "rescinded_late",
            Self::RestoreRequested => "restore_requested",
            Self::NotRestorable => "not_restorable",
            Self::Retried => "retried",
            Self::Postponed => "postponed",
            Self::Held => "held",
            Self::FactsGiven => "facts_given",
            Self::Approved => "approved",
            Self::Failed => "failed",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Told => "told",
            Self::CallbackRepeated => "callback_repeated",
        }
    }
}

/// One line of the record, as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JournalEntry {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// The step it belongs to.
    #[schema(required)]
    pub step: Option<String>,
    /// The thing that was or is to be changed.
    #[schema(required)]
    pub target: Option<String>,
    /// What became of it; absent on an intention.
    #[schema(required)]
    pub result: Option<String>,
    /// The `X-Request-Id` of the call.
    #[schema(required)]
    pub request_id: Option<Uuid>,
    /// Genesys Cloud's `ININ-Correlation-Id` of the answer.
    #[schema(required)]
    pub correlation_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_person_at_the_command_line_and_through_the_api() {
        let (api, line) = (Actor::Operator("carol".to_owned()), Actor::at_command_line("Carol"));
        assert_eq!(line.to_string(), "operator:Carol (command line)");
        assert!(api.is_the_person(&line.to_string()) && line.is_the_person(&api.to_string()));
        assert!(Actor::at_command_line("carol (command line)").is_the_person("operator:carol"));
        assert!(!api.is_the_person("operator:caro") && !api.is_the_person("hris:carol"));
        assert!(!Actor::Hris("carol".to_owned()).is_the_person("operator:carol"));
    }
}
