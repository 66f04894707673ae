//! What whoever runs the service can choose about the plan: steps on and off, groups, callbacks, reasons, reports.

use std::collections::BTreeMap;
use std::str::FromStr;

pub use crate::genesys::StateChangeReason;
use crate::genesys::{QueueId, UserId};

/// Whether a step or a report is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is left out.
    Off,
}

impl Switch {
    pub(crate) const ALL: &[Self] = &[Self::On, Self::Off];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// Whether each queue's member is read before the first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingNumbers {
    /// One read per queue: a restore puts the ring back, and members by group are known beforehand.
    Stored,
    /// None: a restore puts everybody into the first ring.
    LeftOut,
}

impl RingNumbers {
    pub(crate) const ALL: &[Self] = &[Self::Stored, Self::LeftOut];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::LeftOut => "left_out",
        }
    }
}

/// What happens to access that comes through a group and can't be taken from the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InheritedAccess {
    /// The offboarding is held until an approver accepts that it stays.
    Hold,
    /// It stays, and the journal says so.
    Pass,
}

impl InheritedAccess {
    pub(crate) const ALL: &[Self] = &[Self::Hold, Self::Pass];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Pass => "pass",
        }
    }
}

/// What happens to open callbacks that the leaver owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackChoice {
    /// They are reported.
    Report,
    /// They are reported, and hold the offboarding before its first change.
    Hold,
    /// They go to a queue, written `queue:ID`.
    ToQueue(QueueId),
    /// They go to somebody else, written `user:ID`.
    ToUser(UserId),
}

impl CallbackChoice {
    pub(crate) const EXPECTED: &str = "report, hold, queue:ID or user:ID";
}

/// The text is no [`CallbackChoice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", CallbackChoice::EXPECTED)]
pub struct UnknownCallbackChoice;

impl FromStr for CallbackChoice {
    type Err = UnknownCallbackChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "report" => Ok(Self::Report),
            None if text == "hold" => Ok(Self::Hold),
            Some(("queue", id)) => id.parse().map(Self::ToQueue).map_err(|_| UnknownCallbackChoice),
            Some(("user", id)) => id.parse().map(Self::ToUser).map_err(|_| UnknownCallbackChoice),
            None | Some(_) => Err(UnknownCallbackChoice),
        }
    }
}

/// What a report's findings do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporting {
    /// It is not read.
    Off,
    /// They are written into the journal.
    Note,
    /// They hold the offboarding before its first change, until an approver has seen them.
    Hold,
}

impl Reporting {
    pub(crate) const ALL: &[Self] = &[Self::Off, Self::Note, Self::Hold];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Hold => "hold",
        }
    }
}

/// Everything that can be chosen about the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Steps by their names that are switched on or off; the others are as they are by default.
    pub steps: BTreeMap<String, Switch>,
    /// Whether ring numbers are stored.
    pub ring_numbers: RingNumbers,
    /// The groups, by id or name, out of which people are taken; `*` for all.
    pub removable_groups: Vec<String>,
    /// What happens to access that can't be taken from the person.
    pub inherited_access: InheritedAccess,
    /// What happens to open callbacks.
    pub callbacks: CallbackChoice,
    /// The reason that Genesys Cloud is told with the state, by the HRIS's termination type; `*` for all others.
    pub state_reasons: BTreeMap<String, StateChangeReason>,
    /// Reports by their names.
    pub reports: BTreeMap<String, Reporting>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            ring_numbers: RingNumbers::Stored,
            removable_groups: Vec::new(),
            inherited_access: InheritedAccess::Hold,
            callbacks: CallbackChoice::Report,
            state_reasons: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }
}

impl Choices {
    /// Whether a step is on; `default` where nothing was chosen.
    pub fn is_on(&self, step: &str, default: Switch) -> bool {
        self.steps.get(step).copied().unwrap_or(default) == Switch::On
    }

    /// The same choices with one step switched.
    #[must_use]
    pub fn switched(mut self, step: &str, switch: Switch) -> Self {
        self.steps.insert(step.to_owned(), switch);
        self
    }

    /// Whether people are taken out of this group.
    pub fn removes_from(&self, id: &str, name: Option<&str>) -> bool {
        self.removable_groups
            .iter()
            .any(|listed| listed == "*" || listed == id || Some(listed.as_str()) == name)
    }

    /// The reason for Genesys Cloud, where one is configured for this termination type.
    pub fn state_reason(&self, termination_type: Option<&str>) -> Option<StateChangeReason> {
        let named = termination_type.and_then(|kind| self.state_reasons.get(kind));
        named.or_else(|| self.state_reasons.get("*")).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_go_where_the_word_says() {
        let id = "2f9a1c3e-5a0b-4c1d-8e2f-0123456789ab";
        assert_eq!("report".parse(), Ok(CallbackChoice::Report));
        assert_eq!(format!("queue:{id}").parse(), Ok(CallbackChoice::ToQueue(id.parse().unwrap())));
        assert_eq!(format!("user:{id}").parse(), Ok(CallbackChoice::ToUser(id.parse().unwrap())));
        for wrong in ["", "queue", "queue:", "group:x", "user:../x", "Report"] {
            assert_eq!(wrong.parse::<CallbackChoice>(), Err(UnknownCallbackChoice), "{wrong}");
        }
    }

    #[test]
    fn a_group_is_listed_by_id_by_name_or_all_at_once() {
        let listed = |group: &str| Choices { removable_groups: vec![group.to_owned()], ..Choices::default() };
        assert!(listed("g1").removes_from("g1", None) && listed("Agents").removes_from("g1", Some("Agents")));
        assert!(listed("*").removes_from("g1", None));
        assert!(
            !listed("g2").removes_from("g1", Some("Agents")) && !Choices::default().removes_from("g1", None)
        );
    }

    #[test]
    fn the_reason_of_the_type_comes_before_the_one_for_all_others() {
        let reasons = [("voluntary", StateChangeReason::Voluntary), ("*", StateChangeReason::Unknown)];
        let state_reasons = reasons.map(|(kind, reason)| (kind.to_owned(), reason)).into();
        let choices = Choices { state_reasons, ..Choices::default() };
        assert_eq!(choices.state_reason(Some("voluntary")), Some(StateChangeReason::Voluntary));
        assert_eq!(choices.state_reason(Some("involuntary")), Some(StateChangeReason::Unknown));
        assert_eq!(Choices::default().state_reason(Some("voluntary")), None);
    }
}
