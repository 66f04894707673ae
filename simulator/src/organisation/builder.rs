//! A person in the making, for tests and the demo; what a person consists of is left to `person`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::person::{
    AccountState, ExternalId, Grant, Id, Joining, Media, MemberBy, PersonState, QueueMembership,
    RoutingStatus, Shift,
};

/// A person who is about to be added to an organisation.
#[derive(Clone, Debug)]
#[must_use]
pub struct Person(pub(crate) PersonState);

impl Person {
    /// Begins with an active person without any assignment.
    pub fn new(name: &str, email: &str) -> Self {
        Self(PersonState {
            id: Id::new(),
            name: name.to_owned(),
            email: email.to_owned(),
            external_ids: Vec::new(),
            division: Id::new(),
            state: AccountState::Active,
            state_reason: None,
            version: 1,
            queues: BTreeMap::new(),
            skills: BTreeMap::new(),
            languages: BTreeMap::new(),
            utilization: None,
            grants: BTreeSet::new(),
            groups: BTreeSet::new(),
            team: None,
            call_forwarding: None,
            direct_routing_backup: None,
            associated_station: None,
            default_station: None,
            tokens: 0,
            tokens_revoked: 0,
            routing_status: RoutingStatus::OffQueue,
            presence: "Offline".to_owned(),
            conversations: BTreeMap::new(),
            management_unit: None,
            shifts: Vec::new(),
            licences: BTreeSet::new(),
            date_hire: None,
        })
    }

    /// Adds an id in another system.
    pub fn external_id(mut self, authority: &str, key: &str) -> Self {
        self.0.external_ids.push(ExternalId { authority: authority.to_owned(), key: key.to_owned() });
        self
    }

    /// Puts the person into a division other than Home.
    pub fn division(mut self, division: &str) -> Self {
        division.clone_into(&mut self.0.division);
        self
    }

    /// Makes the person a member of a queue, in person, in ring 1.
    pub fn queue(self, queue: &str, joining: Joining) -> Self {
        self.membership(queue, QueueMembership { joining, ring_number: 1, by: MemberBy::User })
    }

    /// Makes the person a joined member of a queue through a group that nothing else is known about.
    pub fn queue_by_group(self, queue: &str) -> Self {
        self.membership(
            queue,
            QueueMembership { joining: Joining::Joined, ring_number: 1, by: MemberBy::Group },
        )
    }

    /// Makes the person a member of a queue, as given.
    pub fn membership(mut self, queue: &str, membership: QueueMembership) -> Self {
        self.0.queues.insert(queue.to_owned(), membership);
        self
    }

    /// Gives the person a skill, with a proficiency of 0 to 5.
    pub fn skill(mut self, skill: &str, proficiency: f64) -> Self {
        self.0.skills.insert(skill.to_owned(), proficiency);
        self
    }

    /// Gives the person a language, with a proficiency of 0 to 5.
    pub fn language(mut self, language: &str, proficiency: f64) -> Self {
        self.0.languages.insert(language.to_owned(), proficiency);
        self
    }

    /// Overrides the organisation's utilization; the value is a published `UtilizationRequest`.
    pub fn utilization(mut self, body: Value) -> Self {
        self.0.utilization = Some(body);
        self
    }

    /// Grants the person a role in a division, directly.
    pub fn grant(mut self, role: &str, division: &str) -> Self {
        self.0.grants.insert(Grant { role: role.to_owned(), division: division.to_owned() });
        self
    }

    /// Puts the person into a work team.
    pub fn team(mut self, team: &str) -> Self {
        self.0.team = Some(team.to_owned());
        self
    }

    /// Sets the call forwarding; the value is the writable part of a published `CallForwarding`.
    pub fn call_forwarding(mut self, body: Value) -> Self {
        self.0.call_forwarding = Some(body);
        self
    }

    /// Sets the direct routing backup; the value is the writable part of published `AgentDirectRoutingBackupSettings`.
    pub fn direct_routing_backup(mut self, body: Value) -> Self {
        self.0.direct_routing_backup = Some(body);
        self
    }

    /// Puts the person into a group, whose grants they inherit and whose queues they join.
    pub fn group(mut self, group: &str) -> Self {
        self.0.groups.insert(group.to_owned());
        self
    }

    /// Logs the person in to a station.
    pub fn associated_station(mut self, station: &str) -> Self {
        self.0.associated_station = Some(station.to_owned());
        self
    }

    /// Gives the person a default station.
    pub fn default_station(mut self, station: &str) -> Self {
        self.0.default_station = Some(station.to_owned());
        self
    }

    /// Gives the person working access tokens.
    pub fn tokens(mut self, count: u32) -> Self {
        self.0.tokens = count;
        self
    }

    /// Sets what routing thinks the person does.
    pub fn routing_status(mut self, status: RoutingStatus) -> Self {
        self.0.routing_status = status;
        self
    }

    /// Sets the presence.
    pub fn presence(mut self, presence: &str) -> Self {
        presence.clone_into(&mut self.0.presence);
        self
    }

    /// Puts the person into active conversations.
    pub fn conversations(mut self, media: Media, count: u32) -> Self {
        self.0.conversations.insert(media, count);
        self
    }

    /// Makes the person an agent of a management unit.
    pub fn management_unit(mut self, unit: &str) -> Self {
        self.0.management_unit = Some(unit.to_owned());
        self
    }

    /// Publishes a shift of the person.
    pub fn shift(mut self, shift: Shift) -> Self {
        self.0.shifts.push(shift);
        self
    }

    /// Assigns a licence to the person.
    pub fn licence(mut self, licence: &str) -> Self {
        self.0.licences.insert(licence.to_owned());
        self
    }

    /// Enters a date of hire.
    pub fn hired(mut self, date: &str) -> Self {
        self.0.date_hire = Some(date.to_owned());
        self
    }

    /// Sets the state of the account.
    pub fn state(mut self, state: AccountState) -> Self {
        self.0.state = state;
        self
    }
}
