//! Where an offboarding stands: status, outcome, reason, and the one table of allowed changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Declares an enum whose variants are stable words in the API, the journal and the database.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = ObjectBuilder::new().schema_type(Type::String).description(Some(concat!($($about),+).trim()));
                words.enum_values(Some(Self::ALL.iter().map(|one| one.as_str()))).into()
            }
        }

        impl ToSchema for $name {}

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word).ok_or_else(|| UnknownWord(word.to_owned()))
            }
        }
    };
}

/// A word that is none of the documented ones.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown word {0:?}")]
pub struct UnknownWord(pub String);

words! {
    /// The status of an offboarding. There is none for "running": whoever works on one holds a lease on it.
    Status {
        /// Due at `effective_at` or at the next attempt.
        Scheduled = "scheduled",
        /// Waits for a person; the reason says why.
        Held = "held",
        /// Finished; the outcome says how.
        Done = "done",
        /// Given up for now; the reason says why, and an operator can retry.
        Failed = "failed",
        /// Ended without being carried out.
        Cancelled = "cancelled",
    }
}

words! {
    /// How a finished offboarding ended.
    Outcome {
        /// Stripped, deactivated, tokens revoked, and read back.
        Offboarded = "offboarded",
        /// The account was inactive before; what was left has been stripped and the tokens are revoked.
        AlreadyInactive = "already_inactive",
        /// Nobody in Genesys Cloud is this person, also at the second look.
        NotInGenesys = "not_in_genesys",
        /// The snapshot was put back.
        Restored = "restored",
    }
}

words! {
    /// What is worked towards.
    Goal {
        /// The person is out of Genesys Cloud.
        Offboarded = "offboarded",
        /// What was taken away is back.
        Restored = "restored",
    }
}

words! {
    /// How far a step of an offboarding is.
    StepStatus {
        /// Something may be left.
        Pending = "pending",
        /// Nothing is left to take away, or, of a restore, to put back.
        Done = "done",
        /// Genesys Cloud refused it for good.
        Failed = "failed",
        /// It is left out.
        Skipped = "skipped",
    }
}

words! {
    /// Why an offboarding is held, failed or cancelled.
    Reason {
        /// More than one Genesys user matches.
        AmbiguousPerson = "ambiguous_person",
        /// Nobody matches, and the policy wants a person to look.
        PersonNotFound = "person_not_found",
        /// The person is on the protected list.
        Protected = "protected",
        /// Too many people changed within the hour or the day.
        Brake = "brake",
        /// In an interaction, and the policy asks a person.
        Busy = "busy",
        /// Dated more than 30 days back.
        StaleEvent = "stale_event",
        /// The HRIS said two things of which none is the later one.
        ContradictoryEvents = "contradictory_events",
        /// The termination was carried out before, and the person is active again.
        Reactivated = "reactivated",
        /// Hired after the termination took effect, as Genesys Cloud has it.
        Rehired = "rehired",
        /// The whole service runs dry: what would be done is in the journal.
        DryRun = "dry_run",
        /// Authentic, but it could not be understood.
        Unreadable = "unreadable",
        /// The event says that something changed, but not what.
        LookupRequired = "lookup_required",
        /// The event has no effective date.
        EffectiveDateMissing = "effective_date_missing",
        /// Rights or memberships come through a group.
        InheritedAccess = "inherited_access",
        /// Somebody assigns faster than we remove.
        KeepsReturning = "keeps_returning",
        /// A report found something that somebody has to look at first.
        ReportFound = "report_found",
        /// Genesys refuses a call for lack of a permission.
        PermissionMissing = "permission_missing",
        /// Genesys refuses a call for a reason that a repetition does not mend.
        RefusedByGenesys = "refused_by_genesys",
        /// Tried as often as the policy allows.
        AttemptsExhausted = "attempts_exhausted",
        /// The HRIS took the termination back.
        Rescinded = "rescinded",
        /// What it was held for could be read at last: other offboardings stand for its event.
        Replayed = "replayed",
        /// An operator cancelled it.
        CancelledByOperator = "cancelled_by_operator",
        /// The database was restored or failed over; a person confirms first.
        Recovery = "recovery",
    }
}

impl Status {
    /// Whether work or a decision is still to come.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Scheduled | Self::Held => true,
            Self::Done | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Whether an operator may have put back what was taken away. A scheduled one is cancelled first: nobody takes away
    /// and gives back at once.
    pub const fn may_be_restored(self) -> bool {
        match self {
            Self::Held | Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Scheduled => false,
        }
    }

    /// Whether the status may change to `next`. What an operator decides is refused by this table; a worker changes only
    /// scheduled ones, which its lease proves, and an HRIS event only what its query selects. A restore is another goal, with a rule of its own.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Scheduled, Self::Scheduled | Self::Held | Self::Done | Self::Failed | Self::Cancelled)
            | (Self::Held, Self::Scheduled | Self::Cancelled)
            | (Self::Failed, Self::Scheduled | Self::Cancelled) => true,
            (Self::Held, Self::Held | Self::Done | Self::Failed)
            | (Self::Failed, Self::Held | Self::Done | Self::Failed)
            | (
                Self::Done | Self::Cancelled,
                Self::Scheduled | Self::Held | Self::Done | Self::Failed | Self::Cancelled,
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_offboarding_never_comes_back_to_life() {
        for ended in [Status::Done, Status::Cancelled] {
            for next in Status::ALL {
                assert!(!ended.may_become(*next), "{ended} -> {next}");
            }
        }
    }

    #[test]
    fn nothing_held_or_failed_is_finished_without_being_scheduled_again() {
        for waiting in [Status::Held, Status::Failed] {
            assert!(waiting.may_become(Status::Scheduled) && waiting.may_become(Status::Cancelled));
            assert!(!waiting.may_become(Status::Done));
        }
    }

    #[test]
    fn every_word_reads_back() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert!("running".parse::<Status>().is_err());
    }
}
