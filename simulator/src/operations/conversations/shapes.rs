//! A callback as the platform shows it: in analytics, as a conversation, and as a callback conversation.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::organisation::{Callback, CallbackState, Organisation};

/// The best score an agent can have for a conversation.
const SCORE_MAX: u32 = 100;

/// A number nobody has.
const CUSTOMER_NUMBER: &str = "+15555550100";

/// Gives a callback as a query for conversation details does.
pub(super) fn details(organisation: &Organisation, callback: &Callback) -> Value {
    let waiting = json!({
        "mediaType": "callback",
        "direction": "inbound",
        "agentOwned": callback.owner.is_some(),
        "callbackNumbers": [CUSTOMER_NUMBER],
        "callbackScheduledTime": date(callback.scheduled),
        "segments": [waiting_segment(callback)],
    });
    let mut holder = json!({
        "participantId": callback.participant,
        "purpose": purpose(callback),
        "sessions": [waiting],
    });
    if let Some(owner) = &callback.owner {
        holder["userId"] = Value::from(owner.as_str());
    }
    let customer = json!({
        "participantId": callback.customer,
        "purpose": "customer",
        "sessions": [{
            "mediaType": "callback",
            "direction": "inbound",
            "segments": [{"segmentStart": date(callback.started), "segmentType": "interact"}],
        }],
    });
    let mut details = json!({
        "conversationId": callback.conversation,
        "conversationStart": date(callback.started),
        "originatingDirection": "inbound",
        "divisionIds": divisions(organisation, callback),
        "participants": [customer, holder],
    });
    match callback.state {
        CallbackState::Open => {}
        CallbackState::Ended => details["conversationEnd"] = date(callback.scheduled),
    }
    details
}

fn waiting_segment(callback: &Callback) -> Value {
    let mut segment = json!({
        "segmentStart": date(callback.started),
        "segmentType": "scheduled",
        "queueId": callback.queue,
    });
    if let Some(owner) = &callback.owner {
        segment["scoredAgents"] = json!([{"scoredAgentId": owner, "agentScore": SCORE_MAX}]);
        segment["requestedRoutingUserIds"] = json!([owner]);
    }
    if callback.state == CallbackState::Ended {
        segment["segmentEnd"] = date(callback.scheduled);
    }
    segment
}

/// Gives the conversation of a callback.
pub(super) fn conversation(organisation: &Organisation, callback: &Callback) -> Value {
    let id = &callback.conversation;
    let mut holder = json!({
        "id": callback.participant,
        "startTime": date(callback.started),
        "purpose": purpose(callback),
        "queueId": callback.queue,
        "queueName": queue_name(organisation, callback),
        "conversationRoutingData": routing_data(callback),
        "callbacks": [{
            "id": callback.participant,
            "state": state(callback),
            "direction": "inbound",
            "callbackNumbers": [CUSTOMER_NUMBER],
            "callbackScheduledTime": date(callback.scheduled),
        }],
    });
    if let Some(owner) = &callback.owner {
        holder["userId"] = Value::from(owner.as_str());
        holder["userUri"] = Value::from(format!("/api/v2/users/{owner}"));
    }
    let customer =
        json!({"id": callback.customer, "startTime": date(callback.started), "purpose": "customer"});
    let mut conversation = json!({
        "id": id,
        "startTime": date(callback.started),
        "address": CUSTOMER_NUMBER,
        "participants": [customer, holder],
        "divisions": divisions(organisation, callback)
            .iter()
            .map(|division| json!({"division": {"id": division}}))
            .collect::<Vec<_>>(),
        "selfUri": format!("/api/v2/conversations/{id}"),
    });
    match callback.state {
        CallbackState::Open => {}
        CallbackState::Ended => conversation["endTime"] = date(callback.scheduled),
    }
    conversation
}

/// Gives the conversation of a callback in the form that only callbacks have.
pub(super) fn callback_conversation(organisation: &Organisation, callback: &Callback) -> Value {
    let id = &callback.conversation;
    let mut holder = json!({
        "id": callback.participant,
        "startTime": date(callback.started),
        "purpose": purpose(callback),
        // A participant of this form has no state "scheduled".
        "state": match callback.state {
            CallbackState::Open => "none",
            CallbackState::Ended => "terminated",
        },
        "direction": "inbound",
        "queue": {"id": callback.queue, "name": queue_name(organisation, callback)},
        "conversationRoutingData": routing_data(callback),
        "callbackNumbers": [CUSTOMER_NUMBER],
        "callbackScheduledTime": date(callback.scheduled),
    });
    if let Some(owner) = &callback.owner {
        holder["user"] = json!({"id": owner, "selfUri": format!("/api/v2/users/{owner}")});
    }
    let customer =
        json!({"id": callback.customer, "startTime": date(callback.started), "purpose": "customer"});
    json!({
        "id": id,
        "participants": [customer, holder],
        "selfUri": format!("/api/v2/conversations/callbacks/{id}"),
    })
}

fn routing_data(callback: &Callback) -> Value {
    let agents = callback.owner.iter().map(|owner| json!({"agent": {"id": owner}, "score": SCORE_MAX}));
    json!({"queue": {"id": callback.queue}, "scoredAgents": agents.collect::<Vec<_>>()})
}

fn purpose(callback: &Callback) -> &'static str {
    if callback.owner.is_some() { "agent" } else { "acd" }
}

fn state(callback: &Callback) -> &'static str {
    match callback.state {
        CallbackState::Open => "scheduled",
        CallbackState::Ended => "terminated",
    }
}

fn queue_name<'a>(organisation: &'a Organisation, callback: &Callback) -> &'a str {
    organisation.queues.get(&callback.queue).map_or("", |queue| queue.name.as_str())
}

fn divisions(organisation: &Organisation, callback: &Callback) -> Vec<String> {
    organisation.queues.get(&callback.queue).map(|queue| queue.division.clone()).into_iter().collect()
}

fn date(moment: DateTime<Utc>) -> Value {
    Value::from(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}
