//! A simulated person and everything that can be assigned to one; how people are stored and seen is left to `organisation`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

/// An id as Genesys gives them: a UUID in text form.
pub type Id = String;

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// May log in.
    Active,
    /// May not log in.
    Inactive,
    /// Soft-deleted.
    Deleted,
}

impl AccountState {
    /// Gives the word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

/// Whether a queue member currently takes conversations of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// Takes them.
    Joined,
    /// Is a member, but takes none.
    Unjoined,
}

impl From<bool> for Joining {
    /// Reads the published field `joined`.
    fn from(joined: bool) -> Self {
        if joined { Self::Joined } else { Self::Unjoined }
    }
}

/// Why somebody is a member of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberBy {
    /// Was added in person.
    User,
    /// Through a group; leaves only by leaving the group.
    Group,
}

/// One person's membership in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueMembership {
    /// Joined or not.
    pub joining: Joining,
    /// The bullseye ring, 1 to 6.
    pub ring_number: u8,
    /// In person or through a group.
    pub by: MemberBy,
}

/// A role in a division.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The id of the role.
    pub role: Id,
    /// The id of the division.
    pub division: Id,
}

/// An id that another system gave the person; the key is case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalId {
    /// The system, for example `workday`.
    pub authority: String,
    /// The id there.
    pub key: String,
}

/// What the routing of Genesys thinks a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingStatus {
    /// Not on queue.
    OffQueue,
    /// On queue, waiting.
    Idle,
    /// In a conversation of a queue.
    Interacting,
    /// Did not answer.
    NotResponding,
    /// In a conversation outside of queues.
    Communicating,
}

impl RoutingStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OffQueue => "OFF_QUEUE",
            Self::Idle => "IDLE",
            Self::Interacting => "INTERACTING",
            Self::NotResponding => "NOT_RESPONDING",
            Self::Communicating => "COMMUNICATING",
        }
    }
}

/// A kind of conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Media {
    /// A call.
    Call,
    /// A callback.
    Callback,
    /// An e-mail.
    Email,
    /// A message.
    Message,
    /// A chat.
    Chat,
}

impl Media {
    pub(crate) const ALL: [Self; 5] = [Self::Call, Self::Callback, Self::Email, Self::Message, Self::Chat];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Callback => "callback",
            Self::Email => "email",
            Self::Message => "message",
            Self::Chat => "chat",
        }
    }
}

/// A shift of a published schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// When it begins.
    pub start: DateTime<Utc>,
    /// How long it is.
    pub minutes: u32,
}

/// Everything true about one person; equal before and after means that nothing touched them.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonState {
    /// The user id.
    pub id: Id,
    /// The full name.
    pub name: String,
    /// The address, also the user name.
    pub email: String,
    /// Ids in other systems.
    pub external_ids: Vec<ExternalId>,
    /// The division the user belongs to.
    pub division: Id,
    /// Active, inactive or deleted.
    pub state: AccountState,
    /// The reason sent with the last change of state through `PUT /users/{id}/state`.
    pub state_reason: Option<String>,
    /// Rises with each change.
    pub version: u64,
    /// Memberships by queue id.
    pub queues: BTreeMap<Id, QueueMembership>,
    /// Proficiency (0 to 5) by skill id.
    pub skills: BTreeMap<Id, f64>,
    /// Proficiency (0 to 5) by language id.
    pub languages: BTreeMap<Id, f64>,
    /// The body of the utilization override, if the person has one.
    pub utilization: Option<Value>,
    /// Grants given to the person directly; those of groups are not among them.
    pub grants: BTreeSet<Grant>,
    /// Groups the person is in; whoever joins one becomes a member of the queues that it serves.
    pub groups: BTreeSet<Id>,
    /// The work team the person is in.
    pub team: Option<Id>,
    /// The writable part of the call forwarding, if it was ever set: a published `CallForwarding`.
    pub call_forwarding: Option<Value>,
    /// The writable part of the direct routing backup, if there is one: published `AgentDirectRoutingBackupSettings`.
    pub direct_routing_backup: Option<Value>,
    /// The station the person is logged in to.
    pub associated_station: Option<Id>,
    /// The station the person has by default.
    pub default_station: Option<Id>,
    /// Access tokens that still work.
    pub tokens: u32,
    /// Access tokens revoked so far.
    pub tokens_revoked: u32,
    /// What routing thinks the person does.
    pub routing_status: RoutingStatus,
    /// The presence, for example `Available`, `On Queue` or `Offline`.
    pub presence: String,
    /// Active conversations by kind.
    pub conversations: BTreeMap<Media, u32>,
    /// The management unit of workforce management the person is an agent of.
    pub management_unit: Option<Id>,
    /// The shifts that are published for the person in their management unit.
    pub shifts: Vec<Shift>,
    /// The licences assigned to the person, for example `engage1`.
    pub licences: BTreeSet<String>,
    /// The date of hire among the facts about the employer, as text.
    pub date_hire: Option<String>,
}
