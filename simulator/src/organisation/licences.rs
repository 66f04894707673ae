//! Licences: which exist, and how they come and go with the roles of a person.

use std::collections::{BTreeMap, BTreeSet};

use super::Group;
use super::person::{Id, PersonState};
use crate::rules::{Kind, LicenceAssignment};

/// The licences of an organisation.
#[derive(Debug, Default)]
pub(crate) struct Licences {
    /// Every licence somebody has or had.
    pub(crate) known: BTreeSet<String>,
    /// What people lost together with their last role; it returns with their next one.
    withdrawn: BTreeMap<Id, BTreeSet<String>>,
}

/// What became of the licences of a person in a change of their roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    Unchanged,
    Changed,
}

impl Following {
    /// Gives the kind of data that changed, if any.
    pub(super) fn kind(self) -> Option<Kind> {
        match self {
            Self::Unchanged => None,
            Self::Changed => Some(Kind::Licences),
        }
    }
}

impl Licences {
    /// Lets the licences of a person follow their roles.
    pub(super) fn follow(
        &mut self,
        before: &PersonState,
        person: &mut PersonState,
        groups: &BTreeMap<Id, Group>,
        assignment: LicenceAssignment,
    ) -> Following {
        match assignment {
            LicenceAssignment::ByHand => return Following::Unchanged,
            LicenceAssignment::Automatic => {}
        }
        match (has_role(before, groups), has_role(person, groups)) {
            (true, false) if !person.licences.is_empty() => {
                self.withdrawn.insert(person.id.clone(), std::mem::take(&mut person.licences));
                Following::Changed
            }
            (false, true) => match self.withdrawn.remove(&person.id) {
                Some(returned) => {
                    person.licences.extend(returned);
                    Following::Changed
                }
                None => Following::Unchanged,
            },
            (true, true | false) | (false, false) => Following::Unchanged,
        }
    }
}

/// Tells whether any grant counts for a person, their own or one of a group.
pub(crate) fn has_role(person: &PersonState, groups: &BTreeMap<Id, Group>) -> bool {
    let inherits = |id: &Id| groups.get(id).is_some_and(|group| !group.grants.is_empty());
    !person.grants.is_empty() || person.groups.iter().any(inherits)
}
