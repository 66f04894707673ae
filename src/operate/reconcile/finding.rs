//! What a reconciliation can find of a person, what that asks for, and how it is told.

use std::collections::BTreeMap;

use serde::Serialize;

use super::leavers::{Leaver, Leavers};
use crate::offboarding::{OffboardingId, Status};

/// What was found of one person. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The account is inactive, and nothing is left that would be stripped.
    Gone,
    /// The account is active.
    StillActive,
    /// The account is inactive, and holds something that would be stripped.
    StillHolds,
    /// Still there, and protected: an approver has to release it.
    Protected,
    /// Still there, and left so long ago that an approver has to release it.
    Stale,
    /// An offboarding is on its way.
    InHand,
    /// An offboarding is held.
    Held,
    /// An offboarding failed.
    Failed,
    /// An operator had them put back, or has them put back now.
    Restored,
    /// An offboarding was cancelled or taken back, and they are still there.
    Cancelled,
    /// Nobody in Genesys Cloud is this person.
    NotFound,
    /// Several users match, or what is known of the person does not agree.
    Ambiguous,
    /// They leave later.
    NotDue,
    /// Another line is about the same person.
    Duplicate,
    /// Genesys Cloud did not answer, or something could not be read.
    Unread,
}

/// What a finding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing is left to do.
    Nothing,
    /// Nobody has asked for an offboarding.
    Gap,
    /// A person has to look.
    ForAPerson,
}

impl Finding {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::StillActive => "still_active",
            Self::StillHolds => "still_holds",
            Self::Protected => "protected",
            Self::Stale => "stale",
            Self::InHand => "in_hand",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Restored => "restored",
            Self::Cancelled => "cancelled",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::NotDue => "not_due",
            Self::Duplicate => "duplicate",
            Self::Unread => "unread",
        }
    }

    /// What it asks for.
    pub const fn weight(self) -> Weight {
        match self {
            Self::Gone | Self::InHand | Self::NotFound | Self::NotDue | Self::Duplicate => Weight::Nothing,
            Self::StillActive | Self::StillHolds | Self::Protected | Self::Stale => Weight::Gap,
            Self::Held | Self::Failed | Self::Restored | Self::Cancelled | Self::Ambiguous | Self::Unread => {
                Weight::ForAPerson
            }
        }
    }
}

/// What was found of everybody on a list.
#[derive(Debug, Serialize)]
pub struct Reconciliation {
    /// One for each person, in the order of the list.
    pub items: Vec<Found>,
    /// All of them together.
    pub totals: Totals,
    /// What of the list was not read.
    pub notes: Vec<String>,
    /// SHA-256 of the list, in hexadecimal.
    pub digest: String,
}

/// How many there are of what.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    /// On the list.
    pub people: usize,
    /// Who has left and is still there, and has no offboarding.
    pub gaps: usize,
    /// Of these: for whom an offboarding was opened now.
    pub opened: usize,
    /// For whom a person has to do something.
    pub for_a_person: usize,
    /// By finding.
    pub by_finding: BTreeMap<&'static str, usize>,
}

/// What was found of one person.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The person, as the list has them.
    #[serde(flatten)]
    pub leaver: Leaver,
    /// In one word.
    pub finding: Finding,
    /// Whether it is a gap, somebody has to do something about it, or nothing is left to do.
    pub weight: Weight,
    /// The one user who matches.
    pub user: Option<String>,
    /// `active` or `inactive`.
    pub state: Option<&'static str>,
    /// How many things an offboarding would strip.
    pub holds: Option<usize>,
    /// The offboarding of this person.
    pub offboarding: Option<OffboardingId>,
    /// Where it stands.
    pub offboarding_status: Option<Status>,
    /// Whether it was opened just now.
    pub opened: bool,
    /// The same in words.
    pub detail: Option<String>,
}

impl Found {
    pub(super) fn new(leaver: &Leaver, finding: Finding, detail: impl Into<Option<String>>) -> Self {
        Self {
            leaver: leaver.clone(),
            finding,
            weight: finding.weight(),
            user: None,
            state: None,
            holds: None,
            offboarding: None,
            offboarding_status: None,
            opened: false,
            detail: detail.into(),
        }
    }

    pub(super) fn is_now(&mut self, finding: Finding) {
        (self.finding, self.weight) = (finding, finding.weight());
    }

    pub(super) fn says(&mut self, words: impl Into<String>) {
        let words = words.into();
        self.detail = Some(match self.detail.take() {
            Some(before) => format!("{before}; {words}"),
            None => words,
        });
    }
}

impl Reconciliation {
    /// Whether nothing is left to do: no gap without an offboarding that goes its way, and nothing for a person.
    pub fn is_settled(&self) -> bool {
        self.totals.gaps == self.totals.opened && self.totals.for_a_person == 0
    }

    pub(super) fn of(items: Vec<Found>, list: &Leavers) -> Self {
        let mut totals = Totals { people: items.len(), ..Totals::default() };
        for found in &items {
            *totals.by_finding.entry(found.finding.as_str()).or_default() += 1;
            // What was opened and is held at once waits for a person like any other that is held.
            let held = found.opened && found.offboarding_status != Some(Status::Scheduled);
            totals.gaps += usize::from(found.weight == Weight::Gap);
            totals.opened += usize::from(found.opened);
            totals.for_a_person += usize::from(held || found.weight == Weight::ForAPerson);
        }
        Self { items, totals, notes: list.notes.clone(), digest: hex::encode(list.digest) }
    }
}
