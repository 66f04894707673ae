//! The audit trail: who changed which person when, and when queries see it. How it is queried is left to `operations`.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Organisation;
use super::lag::Until;
use super::person::{Id, Joining, PersonState};
use crate::rules::Lag;

/// Records kept; a demo that runs for days forgets its oldest ones rather than fill the memory. No test comes near it.
const RECORDS_MAX: usize = 100_000;

/// Queries kept to be polled; the oldest is forgotten first.
const TRANSACTIONS_MAX: usize = 1_000;

/// Who changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An OAuth client, by its id.
    Client(Id),
    /// A person, by their user id.
    Administrator(Id),
}

/// One property of a person before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyChange {
    /// The name of the property.
    pub property: &'static str,
    /// What is no longer there.
    pub old: Vec<String>,
    /// What is new.
    pub new: Vec<String>,
}

/// One change of one person. Every change is filed under the person, whatever it is about, so that one filter finds all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// The id of the record.
    pub id: Id,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Actor,
    /// The service that logged it, for example `Routing`.
    pub service: String,
    /// What was done, for example `Update`.
    pub action: String,
    /// The user it was done to.
    pub entity: Id,
    /// What changed.
    pub changes: Vec<PropertyChange>,
}

/// A query that is polled for its results.
#[derive(Clone, Debug)]
pub(crate) struct AuditTransaction {
    pub(crate) query: Value,
    pub(crate) begun: DateTime<Utc>,
    pub(crate) polls: usize,
    /// The results, as soon as there are any.
    pub(crate) found: Vec<AuditRecord>,
}

/// The trail, and what the next record says.
#[derive(Debug)]
pub(crate) struct Audits {
    trail: VecDeque<Filed>,
    transactions: VecDeque<(Id, AuditTransaction)>,
    ids_given: u64,
    /// Service and action of the operation that is being carried out.
    current: (&'static str, &'static str),
    pub(super) lag: Lag,
}

impl Default for Audits {
    fn default() -> Self {
        Self {
            trail: VecDeque::new(),
            transactions: VecDeque::new(),
            ids_given: 0,
            current: ("Directory", "Update"),
            lag: Lag::None,
        }
    }
}

#[derive(Debug)]
struct Filed {
    record: AuditRecord,
    hidden: Option<Until>,
}

impl Audits {
    /// Notes which service logs the changes of the operation that follows, and as what.
    pub(crate) fn begin(&mut self, service: &'static str, action: &'static str) {
        self.current = (service, action);
    }

    pub(crate) fn transaction(&mut self, id: &str) -> Option<&mut AuditTransaction> {
        self.transactions.iter_mut().find(|(known, _)| known == id).map(|(_, transaction)| transaction)
    }

    fn next_number(&mut self) -> u64 {
        self.ids_given += 1;
        self.ids_given
    }

    fn file(&mut self, record: AuditRecord, now: Instant) {
        self.trail.push_back(Filed { record, hidden: Until::of(self.lag, now) });
        if self.trail.len() > RECORDS_MAX {
            self.trail.pop_front();
        }
    }

    /// Gives the records that queries see, the oldest first; counts as one read of each.
    pub(crate) fn read(&mut self, now: Instant) -> Vec<AuditRecord> {
        for filed in &mut self.trail {
            if filed.hidden.as_mut().is_some_and(|until| !until.outlives_read(now)) {
                filed.hidden = None;
            }
        }
        self.trail.iter().filter(|filed| filed.hidden.is_none()).map(|filed| filed.record.clone()).collect()
    }
}

impl Organisation {
    /// Changes a person as this administrator would, under their name in the audit trail; visible at once, and the version
    /// rises. Gives nothing when there is no such person.
    pub fn edit_as<R>(
        &mut self,
        administrator: &str,
        id: &str,
        service: &str,
        action: &str,
        edit: impl FnOnce(&mut PersonState) -> R,
    ) -> Option<R> {
        let before = self.person(id)?;
        let result = self.edit(id, edit)?;
        let after = self.person(id)?;
        self.audit(Actor::Administrator(administrator.to_owned()), service, action, &before, &after);
        Some(result)
    }

    /// Gives the whole audit trail, the oldest record first, whether queries see it yet or not.
    #[must_use]
    pub fn audits(&self) -> Vec<AuditRecord> {
        self.audits.trail.iter().map(|filed| filed.record.clone()).collect()
    }

    /// Keeps a query to be polled, and gives its id.
    pub(crate) fn add_audit_transaction(&mut self, transaction: AuditTransaction) -> Id {
        let number = self.audits.next_number();
        let id = self.audit_id(number);
        self.audits.transactions.push_back((id.clone(), transaction));
        if self.audits.transactions.len() > TRANSACTIONS_MAX {
            self.audits.transactions.pop_front();
        }
        id
    }

    /// Files a change under the OAuth client's name.
    pub(super) fn audit_client(&mut self, before: &PersonState, after: &PersonState) {
        let (service, action) = self.audits.current;
        self.audit(Actor::Client(self.client.clone()), service, action, before, after);
    }

    fn audit(
        &mut self,
        actor: Actor,
        service: &str,
        action: &str,
        before: &PersonState,
        after: &PersonState,
    ) {
        if before == after {
            return;
        }
        let number = self.audits.next_number();
        let record = AuditRecord {
            id: self.audit_id(number),
            at: self.clock.wall,
            actor,
            service: service.to_owned(),
            action: action.to_owned(),
            entity: after.id.clone(),
            changes: changes(before, after),
        };
        self.audits.file(record, self.clock.now);
    }
}

/// Names what differs between two states of a person.
fn changes(before: &PersonState, after: &PersonState) -> Vec<PropertyChange> {
    let (old, new) = (properties(before), properties(after));
    let differing = old.into_iter().zip(new).filter_map(|((property, old), (_, new))| {
        let gone: Vec<String> = old.difference(&new).cloned().collect();
        let come: Vec<String> = new.difference(&old).cloned().collect();
        (old != new).then_some(PropertyChange { property, old: gone, new: come })
    });
    differing.collect()
}

fn properties(person: &PersonState) -> Vec<(&'static str, BTreeSet<String>)> {
    let joined = |joining: Joining| match joining {
        Joining::Joined => "joined",
        Joining::Unjoined => "unjoined",
    };
    let queues = person.queues.iter().map(|(id, membership)| format!("{id} {}", joined(membership.joining)));
    let grants = person.grants.iter().map(|grant| format!("{} {}", grant.role, grant.division));
    vec![
        ("state", BTreeSet::from([person.state.as_str().to_owned()])),
        ("queues", queues.collect()),
        ("skills", person.skills.keys().cloned().collect()),
        ("languages", person.languages.keys().cloned().collect()),
        ("grants", grants.collect()),
        ("groups", person.groups.clone()),
        ("associatedStation", person.associated_station.iter().cloned().collect()),
        ("defaultStation", person.default_station.iter().cloned().collect()),
        ("managementUnit", person.management_unit.iter().cloned().collect()),
        ("licenses", person.licences.clone()),
        ("team", person.team.iter().cloned().collect()),
        ("callForwarding", person.call_forwarding.iter().map(ToString::to_string).collect()),
        ("directRoutingBackup", person.direct_routing_backup.iter().map(ToString::to_string).collect()),
    ]
}
