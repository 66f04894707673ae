//! What a user is doing: the signs by which a live conversation is known. What they mean is left to others.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    ids::{UserId, segment},
    send::Request,
    users::User,
};

/// What the user is doing for their queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutingStatus {
    /// Not on queue.
    OffQueue,
    /// On queue, without a conversation.
    Idle,
    /// In a conversation of a queue.
    Interacting,
    /// Did not take a conversation.
    NotResponding,
    /// In a conversation that no queue brought.
    Communicating,
    /// A status that is not published; the text is Genesys's.
    Unknown(String),
}

impl From<String> for RoutingStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "OFF_QUEUE" => Self::OffQueue,
            "IDLE" => Self::Idle,
            "INTERACTING" => Self::Interacting,
            "NOT_RESPONDING" => Self::NotResponding,
            "COMMUNICATING" => Self::Communicating,
            _ => Self::Unknown(text),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawRoutingStatus {
    user_id: Option<UserId>,
    status: Option<String>,
}

impl RawRoutingStatus {
    /// Genesys says whose status it is, but need not.
    pub(super) fn may_be_of(&self, user: &UserId) -> bool {
        self.user_id.as_ref().is_none_or(|named| named == user)
    }

    pub(super) fn status(self) -> Option<RoutingStatus> {
        self.status.map(RoutingStatus::from)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPresence {
    presence_definition: Option<RawPresenceDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPresenceDefinition {
    system_presence: Option<String>,
}

impl RawPresence {
    pub(super) fn system_presence(self) -> Option<String> {
        self.presence_definition?.system_presence
    }
}

/// The conversations of one medium.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMedia {
    contact_center: Option<RawCounts>,
    enterprise: Option<RawCounts>,
}

#[derive(Deserialize)]
struct RawCounts {
    active: Option<u32>,
}

/// Adds up the conversations of all media, also of those that are published later.
pub(super) fn active_conversations(
    summary: serde_json::Map<String, Value>,
) -> Result<u32, serde_json::Error> {
    let mut active = 0_u32;
    for media in summary.into_iter().map(|(_, value)| value).filter(Value::is_object) {
        let media: RawMedia = serde_json::from_value(media)?;
        for counts in [media.contact_center, media.enterprise].into_iter().flatten() {
            active = active.saturating_add(counts.active.unwrap_or_default());
        }
    }
    Ok(active)
}

impl Genesys {
    /// The routing status that came with the user, or read alone where it did not: expanded fields are given with best
    /// effort only.
    pub async fn routing_status(&self, user: &User) -> Result<RoutingStatus, Error> {
        match &user.routing_status {
            Some(status) => Ok(status.clone()),
            None => match self.routing_status_of(&user.id).await {
                Err(Error::NotFound { .. }) => Ok(RoutingStatus::OffQueue),
                status => status,
            },
        }
    }

    /// Reads the routing status alone, for when expanding it with the user gave nothing. Genesys answers `OFF_QUEUE`
    /// for a user whom it doesn't know.
    pub async fn routing_status_of(&self, user: &UserId) -> Result<RoutingStatus, Error> {
        let subject = "the routing status of a user";
        let path = format!("/api/v2/users/{}/routingstatus", segment(user.as_str()));
        let (found, trace): (RawRoutingStatus, Trace) = self.read(subject, &Request::get(path)).await?;
        if !found.may_be_of(user) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        found.status().ok_or(Error::Malformed { subject, fault: Fault::WrongShape, trace })
    }
}
