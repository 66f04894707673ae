//! The true state of the simulated organisation, and what reads see of it.
//! Tests and the demo build, edit and read it here; how it is spoken about over HTTP is left to `operations`.

mod audits;
mod builder;
mod callbacks;
mod clock;
mod groups;
mod ids;
mod lag;
mod licences;
mod person;
mod reports;
mod teams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

pub(crate) use audits::AuditTransaction;
pub use audits::{Actor, AuditRecord, PropertyChange};
pub use builder::Person;
pub use callbacks::{Callback, CallbackState};
pub(crate) use clock::Clock;
pub use groups::{Group, GroupKind};
pub(crate) use licences::has_role;
pub use person::{
    AccountState, ExternalId, Grant, Id, Joining, Media, MemberBy, PersonState, QueueMembership,
    RoutingStatus, Shift,
};

use crate::journal::Effect;
use crate::rules::{Kind, Lag, Rules, VersionRise};

/// A simulated organisation.
#[derive(Debug)]
pub struct Organisation {
    seed: u64,
    ids_given: u64,
    home: Id,
    stranger: Id,
    pub(crate) divisions: BTreeMap<Id, String>,
    pub(crate) queues: BTreeMap<Id, Queue>,
    pub(crate) skills: BTreeMap<Id, String>,
    pub(crate) languages: BTreeMap<Id, String>,
    pub(crate) roles: BTreeMap<Id, String>,
    pub(crate) stations: BTreeMap<Id, String>,
    pub(crate) groups: BTreeMap<Id, Group>,
    pub(crate) teams: BTreeMap<Id, teams::Team>,
    people: BTreeMap<Id, Arc<PersonState>>,
    order: Vec<Id>,
    views: lag::Views<PersonState>,
    /// The id of the only OAuth client.
    pub(crate) client: String,
    /// Who made the OAuth client, where that is told.
    pub client_made_by: Option<Id>,
    pub(crate) clock: Clock,
    pub(crate) management_units: BTreeMap<Id, String>,
    pub(crate) licences: licences::Licences,
    pub(crate) audits: audits::Audits,
    pub(crate) reports: reports::Reports,
    callbacks: callbacks::Callbacks,
    pub(crate) effect: Effect,
    /// What operations found wrong with a request beyond the published schema.
    pub(crate) remarks: Vec<String>,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) division: Id,
}

impl Organisation {
    /// Begins with the Home division and a stranger with many rights, who is always the first of all users:
    /// whoever takes the first entry of an unfiltered list takes them.
    pub(crate) fn new(seed: u64) -> Self {
        let mut new = Self {
            seed,
            ids_given: 0,
            home: Id::new(),
            stranger: Id::new(),
            divisions: BTreeMap::new(),
            queues: BTreeMap::new(),
            skills: BTreeMap::new(),
            languages: BTreeMap::new(),
            roles: BTreeMap::new(),
            stations: BTreeMap::new(),
            groups: BTreeMap::new(),
            teams: BTreeMap::new(),
            people: BTreeMap::new(),
            order: Vec::new(),
            views: lag::Views::default(),
            client: String::new(),
            client_made_by: None,
            clock: Clock::default(),
            management_units: BTreeMap::new(),
            licences: licences::Licences::default(),
            audits: audits::Audits::default(),
            reports: reports::Reports::default(),
            callbacks: callbacks::Callbacks::default(),
            effect: Effect::None,
            remarks: Vec::new(),
        };
        new.home = new.add_division("Home");
        let home = new.home.clone();
        let queue = new.add_queue("Switchboard", &home);
        let skill = new.add_skill("Escalations");
        let station = new.add_station("Switchboard desk");
        let mut stranger = Person::new("Aaron Aardvark", "aaron.aardvark@stranger.example")
            .external_id("workday", "STRANGER-1")
            .queue(&queue, Joining::Joined)
            .skill(&skill, 5.0)
            .default_station(&station)
            .tokens(3);
        for role in ["Master Admin", "Telephony Admin", "Supervisor"] {
            stranger = stranger.grant(&new.add_role(role), &home);
        }
        new.stranger = new.add_person(stranger);
        new
    }

    /// Gives the id of the Home division.
    #[must_use]
    pub fn home(&self) -> Id {
        self.home.clone()
    }

    /// Gives the id of the stranger who comes first in every list of users.
    #[must_use]
    pub fn stranger(&self) -> Id {
        self.stranger.clone()
    }

    /// Adds a division.
    pub fn add_division(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.divisions.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a queue in a division.
    pub fn add_queue(&mut self, name: &str, division: &str) -> Id {
        let id = self.next_id();
        self.queues.insert(id.clone(), Queue { name: name.to_owned(), division: division.to_owned() });
        id
    }

    /// Adds a routing skill.
    pub fn add_skill(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.skills.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a routing language.
    pub fn add_language(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.languages.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a role.
    pub fn add_role(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.roles.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a station.
    pub fn add_station(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.stations.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a management unit of workforce management.
    pub fn add_management_unit(&mut self, name: &str) -> Id {
        let id = self.next_id();
        self.management_units.insert(id.clone(), name.to_owned());
        id
    }

    /// Adds a person; every read sees them at once.
    pub fn add_person(&mut self, person: Person) -> Id {
        let id = self.next_id();
        let mut state = person.0;
        state.id.clone_from(&id);
        if state.division.is_empty() {
            state.division.clone_from(&self.home);
        }
        groups::follow(&mut self.groups, &BTreeSet::new(), &mut state);
        self.licences.known.extend(state.licences.iter().cloned());
        self.people.insert(id.clone(), Arc::new(state));
        self.order.push(id.clone());
        id
    }

    /// Removes a role from the organisation, and with it every grant of it.
    pub fn remove_role(&mut self, role: &str) {
        self.roles.remove(role);
        for person in self.people.values_mut().filter(|person| person.grants.iter().any(|g| g.role == role)) {
            Arc::make_mut(person).grants.retain(|grant| grant.role != role);
        }
        for group in self.groups.values_mut() {
            group.grants.retain(|grant| grant.role != role);
        }
    }

    /// Removes a queue from the organisation, and with it every membership in it.
    pub fn remove_queue(&mut self, queue: &str) {
        self.queues.remove(queue);
        for group in self.groups.values_mut() {
            group.queues.remove(queue);
        }
        for person in self.people.values_mut().filter(|person| person.queues.contains_key(queue)) {
            Arc::make_mut(person).queues.remove(queue);
        }
    }

    /// Removes a routing skill from the organisation, and with it every assignment of it.
    pub fn remove_skill(&mut self, skill: &str) {
        self.skills.remove(skill);
        for person in self.people.values_mut().filter(|person| person.skills.contains_key(skill)) {
            Arc::make_mut(person).skills.remove(skill);
        }
    }

    /// Gives everything true about a person.
    #[must_use]
    pub fn person(&self, id: &str) -> Option<PersonState> {
        self.people.get(id).map(|person| PersonState::clone(person))
    }

    /// Finds the first person with this address, whatever their state.
    #[must_use]
    pub fn find(&self, email: &str) -> Option<Id> {
        let mut people = self.order.iter().filter_map(|id| self.people.get(id));
        people.find(|person| person.email.eq_ignore_ascii_case(email)).map(|person| person.id.clone())
    }

    /// Gives the ids of all people, in the order in which lists show them.
    #[must_use]
    pub fn people(&self) -> Vec<Id> {
        self.order.clone()
    }

    /// Changes a person behind the client's back, as an administrator would; visible at once, and the version rises.
    /// Leaves no trace in the audit trail, unlike [`Organisation::edit_as`]. Gives nothing when there is no such person.
    pub fn edit<R>(&mut self, id: &str, edit: impl FnOnce(&mut PersonState) -> R) -> Option<R> {
        let person = Arc::make_mut(self.people.get_mut(id)?);
        let before = person.clone();
        let result = edit(person);
        groups::follow(&mut self.groups, &before.groups, person);
        if *person != before {
            person.version += 1;
        }
        Some(result)
    }

    /// Gives the true state of a person without copying it.
    pub(crate) fn truth(&self, id: &str) -> Option<&PersonState> {
        self.people.get(id).map(Arc::as_ref)
    }

    /// Changes a person on behalf of a call, notes the effect and keeps the old view for the lagging kinds.
    pub(crate) fn change<R>(
        &mut self,
        id: &str,
        kinds: &[Kind],
        rules: &Rules,
        now: Instant,
        change: impl FnOnce(&mut PersonState) -> R,
    ) -> Option<R> {
        let slot = self.people.get_mut(id)?;
        let before = Arc::clone(slot);
        let person = Arc::make_mut(slot);
        let result = change(person);
        groups::follow(&mut self.groups, &before.groups, person);
        let following = self.licences.follow(&before, person, &self.groups, rules.licence_assignment);
        if *person == *before {
            return Some(result);
        }
        let rises = match rules.version_rise {
            // What belongs to no kind, like access tokens, is no part of the user.
            VersionRise::EveryChange => !kinds.is_empty(),
            VersionRise::AccountOnly => kinds.contains(&Kind::Account),
        };
        if rises {
            person.version += 1;
        }
        let after = Arc::clone(slot);
        self.effect = Effect::Changed;
        self.audit_client(&before, &after);
        for kind in kinds.iter().copied().chain(following.kind()) {
            let lag = rules.lags.get(&kind).copied().unwrap_or(Lag::None);
            self.views.hide(kind, id, &before, lag, now);
        }
        Some(result)
    }

    /// Reads a person as this kind of read sees them; counts as one read.
    pub(crate) fn read(&mut self, kind: Kind, id: &str, now: Instant) -> Option<Arc<PersonState>> {
        self.views.age(kind, id, now);
        self.view(kind, id).cloned()
    }

    /// Counts one read of this kind for everybody; for reads that go over all people.
    pub(crate) fn count_read_of_all(&mut self, kind: Kind, now: Instant) {
        self.views.age_all(kind, now);
    }

    /// Gives a person as this kind of read sees them, without counting.
    pub(crate) fn view(&self, kind: Kind, id: &str) -> Option<&Arc<PersonState>> {
        self.views.get(kind, id).or_else(|| self.people.get(id))
    }

    /// Gives everybody as this kind of read sees them, in the order of lists, without counting.
    pub(crate) fn views(&self, kind: Kind) -> impl Iterator<Item = &Arc<PersonState>> {
        self.order.iter().filter_map(move |id| self.view(kind, id))
    }

    /// Takes over the time and the audit lag that hold for what happens next.
    pub(crate) fn tick(&mut self, clock: Clock, rules: &Rules) {
        self.clock = clock;
        self.audits.lag = rules.lags.get(&Kind::Audits).copied().unwrap_or(Lag::None);
    }
}

#[cfg(test)]
mod tests;
