//! Scheduled callbacks: finding them by analytics, reading their conversations, handing them on.

mod filters;
mod shapes;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::interval::{self, Interval};
use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, Callback, CallbackState, Id, Organisation};

pub(super) const OPERATIONS: Operations = &[
    ("postAnalyticsConversationsDetailsQuery", query_details),
    ("getConversation", get_conversation),
    ("getConversationsCallback", get_callback),
    ("patchConversationsCallbacks", patch_callback),
    ("postConversationParticipantReplaceQueue", replace_with_queue),
];

/// Parts of a query that would narrow it further and that the simulator knows nothing about.
const NOT_SIMULATED: &[&str] = &["evaluationFilters", "surveyFilters", "resolutionFilters", "aggregations"];

fn query_details(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let interval = Interval::of(call, call.rules.details_interval_days_max)?;
    let page = page(call)?;
    refuse_what_is_not_simulated(organisation, call)?;
    let mut shown: Vec<Arc<Callback>> = organisation
        .read_callbacks(call.now)
        .into_iter()
        .filter(|callback| interval.touches_day_of(callback.started))
        .filter(|callback| filters::admit(call.body, callback))
        .collect();
    sort(&mut shown, text(call.body, "order"), text(call.body, "orderBy"));
    let total = shown.len();
    let conversations: Vec<Value> =
        page.cut(shown).iter().map(|callback| shapes::details(organisation, callback)).collect();
    let mut answer = json!({"totalHits": total});
    // Where nothing was found the platform leaves the list out.
    if !conversations.is_empty() {
        answer["conversations"] = Value::from(conversations);
    }
    Ok(Answer::json(answer))
}

fn page(call: &Call<'_>) -> Result<Page, Problem> {
    let number = |name: &str, default: usize| match call.body.pointer(&format!("/paging/{name}")) {
        Some(value) => value.as_u64().and_then(|value| usize::try_from(value).ok()),
        None => Some(default),
    };
    let page = number("pageNumber", 1).zip(number("pageSize", SIZE_MAX));
    let page = page.map(|(number, size)| Page { number, size });
    page.filter(|page| page.number >= 1 && (1..=SIZE_MAX).contains(&page.size))
        .ok_or_else(|| Problem::bad_request(&format!("paging.pageSize must be between 1 and {SIZE_MAX}.")))
}

/// A query that is answered as if a condition had not been there would give a client more than it asked for.
fn refuse_what_is_not_simulated(organisation: &mut Organisation, call: &Call<'_>) -> Result<(), Problem> {
    let filled =
        |name: &&&str| call.body.get(**name).and_then(Value::as_array).is_some_and(|l| !l.is_empty());
    let unknown = NOT_SIMULATED.iter().find(filled).map(|name| (*name).to_owned());
    let Some(unknown) = unknown.or_else(|| filters::unknown_predicate(call.body)) else {
        return Ok(());
    };
    let message = format!("{unknown} of a conversation query is not simulated");
    organisation.remarks.push(message.clone());
    Err(Problem::new(501, "simulator.not.simulated", message))
}

fn sort(shown: &mut [Arc<Callback>], order: &str, by: &str) {
    if by == "conversationEnd" || by == "segmentEnd" {
        // What has not ended comes last; callbacks keep no date of their end.
        shown.sort_by_key(|callback| (callback.state == CallbackState::Open, callback.started));
    } else {
        shown.sort_by_key(|callback| callback.started);
    }
    if order == "desc" {
        shown.reverse();
    }
}

fn get_conversation(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let callback = existing(organisation, call.value("conversationId"))?;
    Ok(Answer::json(shapes::conversation(organisation, &callback)))
}

fn get_callback(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let callback = existing(organisation, call.value("conversationId"))?;
    Ok(Answer::json(shapes::callback_conversation(organisation, &callback)))
}

fn patch_callback(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let callback = existing(organisation, text(call.body, "conversationId"))?;
    if callback.state == CallbackState::Ended {
        let message = "The callback has been disconnected and can't be changed any more.";
        return Err(Problem::new(412, "precondition.failed", message));
    }
    let agent = text(call.body, "agentId");
    if organisation.truth(agent).is_none_or(|person| person.state == AccountState::Deleted) {
        return Err(Problem::not_found());
    }
    let mut after = Callback::clone(&callback);
    after.owner = Some(agent.to_owned());
    if call.body.get("queueId").is_some_and(Value::is_string) {
        after.queue = queue(organisation, text(call.body, "queueId"))?;
    }
    let scheduled: Option<DateTime<Utc>> = interval::date(call.body, "callbackScheduledTime")?;
    after.scheduled = scheduled.unwrap_or(after.scheduled);
    organisation.hand_on_callback(&callback, after, call.rules, call.now);
    let callback = existing(organisation, &callback.conversation)?;
    let id = &callback.conversation;
    Ok(Answer::json(json!({
        "conversation": {"id": id, "selfUri": format!("/api/v2/conversations/callbacks/{id}")},
        "callbackIdentifiers": [{"type": "ACD", "id": callback.participant}],
    })))
}

fn replace_with_queue(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let callback = existing(organisation, call.value("conversationId"))?;
    if callback.participant != call.value("participantId") {
        return Err(Problem::not_found());
    }
    if callback.state == CallbackState::Ended {
        return Err(Problem::bad_request("The conversation is not active."));
    }
    let mut after = Callback::clone(&callback);
    after.queue = target_queue(organisation, call)?;
    after.owner = None;
    organisation.hand_on_callback(&callback, after, call.rules, call.now);
    Ok(Answer::empty(202))
}

fn target_queue(organisation: &Organisation, call: &Call<'_>) -> Result<Id, Problem> {
    let (id, name) = (text(call.body, "queueId"), text(call.body, "queueName"));
    if id.is_empty() && name.is_empty() {
        return Err(Problem::bad_request("queueId or queueName is required"));
    }
    if !id.is_empty() {
        return queue(organisation, id);
    }
    let named = organisation.queues.iter().find(|(_, queue)| queue.name == name);
    named.map(|(id, _)| id.clone()).ok_or_else(Problem::not_found)
}

fn queue(organisation: &Organisation, id: &str) -> Result<Id, Problem> {
    organisation.queues.contains_key(id).then(|| id.to_owned()).ok_or_else(Problem::not_found)
}

fn existing(organisation: &Organisation, conversation: &str) -> Result<Arc<Callback>, Problem> {
    organisation.callback(conversation).ok_or_else(Problem::not_found)
}

#[cfg(test)]
mod tests;
