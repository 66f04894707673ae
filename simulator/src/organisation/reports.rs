//! What only names a person and stays with the organisation when they leave: flows, phones, numbers, voicemails,
//! recordings. Nothing in the simulator changes it; it is there to be reported.

use chrono::{DateTime, TimeDelta, Utc};

use super::Organisation;
use super::person::Id;

/// Everything that can be reported.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) flows: Vec<Flow>,
    pub(crate) phones: Vec<Phone>,
    pub(crate) dids: Vec<Did>,
    pub(crate) voicemails: Vec<Voicemail>,
    pub(crate) recordings: Vec<Recording>,
}

/// An Architect flow that names users.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) users: Vec<Id>,
}

/// A WebRTC phone.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) user: Id,
}

/// A number for direct inward dialling.
#[derive(Debug)]
pub(crate) struct Did {
    pub(crate) id: Id,
    pub(crate) number: String,
    pub(crate) owner: Option<Id>,
}

/// A voicemail message of a user.
#[derive(Debug)]
pub(crate) struct Voicemail {
    pub(crate) id: Id,
    pub(crate) user: Id,
    pub(crate) caller: String,
    pub(crate) created: DateTime<Utc>,
}

/// A recording that is kept.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) id: Id,
    pub(crate) conversation: Id,
    pub(crate) created: DateTime<Utc>,
}

impl Organisation {
    /// Adds an inbound call flow that names these users.
    pub fn add_flow(&mut self, name: &str, users: &[&str]) -> Id {
        let id = self.next_id();
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        self.reports.flows.push(Flow { id: id.clone(), name: name.to_owned(), users });
        id
    }

    /// Adds a WebRTC phone of a user.
    pub fn add_phone(&mut self, name: &str, user: &str) -> Id {
        let id = self.next_id();
        self.reports.phones.push(Phone { id: id.clone(), name: name.to_owned(), user: user.to_owned() });
        id
    }

    /// Adds a number, assigned to a user or free.
    pub fn add_did(&mut self, number: &str, owner: Option<&str>) -> Id {
        let id = self.next_id();
        let owner = owner.map(str::to_owned);
        self.reports.dids.push(Did { id: id.clone(), number: number.to_owned(), owner });
        id
    }

    /// Adds a voicemail message of a user, received now.
    pub fn add_voicemail(&mut self, user: &str, caller: &str) -> Id {
        let (id, created) = (self.next_id(), self.clock.wall);
        let voicemail =
            Voicemail { id: id.clone(), user: user.to_owned(), caller: caller.to_owned(), created };
        self.reports.voicemails.push(voicemail);
        id
    }

    /// Adds a recording of a conversation, made so many days ago and kept since.
    pub fn add_recording(&mut self, conversation: &str, days_ago: u32) -> Id {
        let id = self.next_id();
        let created = self.clock.wall - TimeDelta::days(i64::from(days_ago));
        let recording = Recording { id: id.clone(), conversation: conversation.to_owned(), created };
        self.reports.recordings.push(recording);
        id
    }
}
