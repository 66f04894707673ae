//! Callbacks that wait for one agent: finding them, and giving them to another agent or back to a queue. Nobody else
//! serves them, so they would be dropped when the agent is gone.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    audit::interval,
    call::{Done, OneCall},
    error::{CallFailed, Error},
    ids::{ConversationId, ParticipantId, QueueId, UserId, segment},
    page::{Entry, Page},
    send::Request,
};

/// The conversations asked for at once, Genesys's default: each carries all its participants, and may be long.
const CONVERSATIONS_PAGE_SIZE: u32 = 25;

/// A callback that is not over and waits for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCallback {
    /// The conversation.
    pub conversation: ConversationId,
    /// The queue that it came through last.
    pub queue: Option<QueueId>,
    /// The part of it that would be replaced: the user's, or else the queue's that holds it for them.
    pub participant: Option<ParticipantId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFound {
    /// May be missing when there are no hits.
    conversations: Option<Vec<RawConversation>>,
    total_hits: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConversation {
    conversation_id: ConversationId,
    conversation_end: Option<DateTime<Utc>>,
    participants: Vec<RawParticipant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawParticipant {
    participant_id: Option<ParticipantId>,
    user_id: Option<UserId>,
    purpose: Option<String>,
    #[serde(default)]
    sessions: Vec<RawSession>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSession {
    media_type: Option<String>,
    #[serde(default)]
    segments: Vec<RawSegment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSegment {
    segment_end: Option<DateTime<Utc>>,
    queue_id: Option<QueueId>,
    #[serde(default)]
    scored_agents: Vec<RawScoredAgent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawScoredAgent {
    scored_agent_id: Option<UserId>,
}

impl From<RawFound> for Page<RawConversation> {
    fn from(raw: RawFound) -> Self {
        Page {
            entities: raw.conversations.unwrap_or_default(),
            page_number: None,
            page_count: None,
            total: Some(raw.total_hits),
            next_uri: None,
        }
    }
}

impl Entry for RawConversation {
    fn key(&self) -> &str {
        self.conversation_id.as_str()
    }
}

impl RawSession {
    fn is_callback(&self) -> bool {
        self.media_type.as_deref().is_none_or(|kind| kind == "callback")
    }
}

impl RawParticipant {
    fn callback_segments(&self) -> impl Iterator<Item = &RawSegment> {
        self.sessions.iter().filter(|session| session.is_callback()).flat_map(|session| &session.segments)
    }

    /// Tells whether the participant is still there: nothing is said of their segments, or one isn't over.
    fn is_present(&self) -> bool {
        let mut segments = self.sessions.iter().flat_map(|session| &session.segments).peekable();
        segments.peek().is_none() || segments.any(|segment| segment.segment_end.is_none())
    }
}

impl RawConversation {
    /// Whose the callback is now: the agent who has it, or else those whom routing holds it for.
    fn owners(&self) -> Vec<&UserId> {
        let present = self.participants.iter().filter(|participant| participant.is_present());
        let holders: Vec<_> = present.filter_map(|participant| participant.user_id.as_ref()).collect();
        if !holders.is_empty() {
            return holders;
        }
        let segments = self.participants.iter().flat_map(RawParticipant::callback_segments);
        let scored = segments.flat_map(|segment| &segment.scored_agents);
        scored.filter_map(|agent| agent.scored_agent_id.as_ref()).collect()
    }

    fn is_callback(&self) -> bool {
        let mut media = self.participants.iter().flat_map(|participant| &participant.sessions).peekable();
        media.peek().is_none() || media.any(RawSession::is_callback)
    }

    fn names_nobody(&self) -> bool {
        self.owners().is_empty() && self.participants.iter().all(|participant| participant.user_id.is_none())
    }

    /// Tells whether the callback is open and the user's. Where it names nobody at all, it is the filter's word that
    /// counts.
    fn waits_for(&self, user: &UserId) -> bool {
        self.conversation_end.is_none()
            && self.is_callback()
            && (self.owners().contains(&user) || self.names_nobody())
    }

    fn into_open_callback(self, user: &UserId) -> OpenCallback {
        let of_user = |participant: &&RawParticipant| participant.user_id.as_ref() == Some(user);
        let of_queue = |participant: &&RawParticipant| participant.purpose.as_deref() == Some("acd");
        let present = || self.participants.iter().rev().filter(|participant| participant.is_present());
        let replaced = present().find(of_user).or_else(|| present().find(of_queue));
        let segments = self.participants.iter().flat_map(RawParticipant::callback_segments);
        OpenCallback {
            queue: segments.filter_map(|segment| segment.queue_id.clone()).last(),
            participant: replaced.and_then(|participant| participant.participant_id.clone()),
            conversation: self.conversation_id,
        }
    }
}

impl Genesys {
    /// Reads the callbacks that wait for the user, of the conversations that began between `since` and `until`: those
    /// that the user has taken, and those that routing holds for them. One that shows another owner by now, or its
    /// end, is left out. The index lags by seconds to minutes.
    pub async fn open_callbacks_of(
        &self,
        user: &UserId,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<OpenCallback>, Error> {
        let by = |dimension: &str| json!({"type": "dimension", "dimension": dimension, "value": user});
        let is_callback = json!({"type": "dimension", "dimension": "mediaType", "value": "callback"});
        let not_over = json!({"type": "dimension", "dimension": "conversationEnd", "operator": "notExists"});
        let page = |number| {
            let body = json!({
                "interval": interval(since, until),
                "order": "asc",
                "orderBy": "conversationStart",
                "conversationFilters": [{"type": "and", "predicates": [not_over]}],
                "segmentFilters": [
                    {"type": "and", "predicates": [is_callback]},
                    {"type": "or", "predicates": [by("userId"), by("scoredAgentId")]},
                ],
                "paging": {"pageSize": CONVERSATIONS_PAGE_SIZE, "pageNumber": number},
            });
            let path = "/api/v2/analytics/conversations/details/query".to_owned();
            Request::with_body(Method::POST, path, body)
        };
        let subject = "the callbacks of a user";
        let found = self.walk_pages::<RawFound, RawConversation>(subject, page, |_| false).await?;
        let theirs = found.entries.into_iter().filter(|conversation| conversation.waits_for(user));
        Ok(theirs.map(|conversation| conversation.into_open_callback(user)).collect())
    }
}

impl OneCall {
    /// Gives the callback to another agent, in another queue where one is named.
    pub async fn reassign_callback(
        self,
        conversation: &ConversationId,
        agent: &UserId,
        queue: Option<&QueueId>,
    ) -> Result<Done, CallFailed> {
        let mut body = json!({"conversationId": conversation, "agentId": agent});
        if let Some(queue) = queue {
            body["queueId"] = queue.as_str().into();
        }
        let path = "/api/v2/conversations/callbacks".to_owned();
        self.apply(Request::with_body(Method::PATCH, path, body)).await
    }

    /// Gives the callback to a queue, in the place of one participant. Genesys does it later (202).
    pub async fn callback_to_queue(
        self,
        conversation: &ConversationId,
        participant: &ParticipantId,
        queue: &QueueId,
    ) -> Result<Done, CallFailed> {
        let (conversation, participant) = (segment(conversation.as_str()), segment(participant.as_str()));
        let path = format!("/api/v2/conversations/{conversation}/participants/{participant}/replace/queue");
        // Attended, the participant would keep the callback until somebody takes it.
        let body = json!({"queueId": queue, "transferType": "Unattended"});
        self.apply(Request::with_body(Method::POST, path, body)).await
    }
}
