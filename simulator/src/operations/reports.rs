//! What names a person and is only reported: flows, phones, numbers, voicemails and recordings.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::Organisation;
use crate::rules::{DependencyTracking, Kind};

pub(super) const OPERATIONS: Operations = &[
    ("getArchitectDependencytrackingConsumingresources", get_consuming_resources),
    ("getArchitectDependencytrackingBuild", get_build),
    ("getTelephonyProvidersEdgesPhones", get_phones),
    ("getTelephonyProvidersEdgesDidpoolsDids", get_dids),
    ("getVoicemailUserMessages", get_voicemails),
    ("getRecordingsRetentionQuery", get_recordings),
];

/// The type of every simulated flow.
const FLOW: &str = "INBOUNDCALLFLOW";

/// The published limit of recordings per page.
const RECORDINGS_MAX: usize = 500;

const RECORDINGS_DEFAULT: usize = 25;

fn get_consuming_resources(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    match call.rules.dependency_tracking {
        DependencyTracking::Operational => {}
        DependencyTracking::Building => {
            let empty = page.listing(call, Vec::new(), 0);
            return Ok(Answer { status: 206, ..Answer::json(empty) });
        }
        DependencyTracking::Gone => {
            let message = "Dependency tracking data is not available.";
            return Err(Problem::new(410, "architect.dependency.tracking.not.available", message));
        }
    }
    let wanted = call.list("resourceType");
    let names_it = call.parameter("objectType") == Some("USER")
        && (wanted.is_empty() || wanted.iter().any(|kind| kind == FLOW));
    let id = call.parameter("id").unwrap_or_default();
    let flows = organisation.reports.flows.iter();
    let flows = flows.filter(|flow| names_it && flow.users.iter().any(|user| user == id));
    let entities: Vec<Value> = flows
        .map(|flow| {
            json!({
                "id": flow.id, "name": flow.name, "version": "1.0", "type": FLOW,
                "deleted": false, "updated": false, "stateUnknown": false,
                "selfUri": format!("/api/v2/flows/{}", flow.id),
            })
        })
        .collect();
    Ok(listing(call, page, entities))
}

fn get_build(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let status = match call.rules.dependency_tracking {
        DependencyTracking::Operational => "OPERATIONAL",
        DependencyTracking::Building => "BUILDINPROGRESS",
        DependencyTracking::Gone => "NOTBUILT",
    };
    Ok(Answer::json(json!({"id": organisation.own_id(), "status": status})))
}

fn get_phones(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    let site = json!({"id": organisation.home(), "name": "Main site"});
    // The list doesn't fill the user of a phone unless it is told to.
    let with_user = call.list("fields").iter().any(|field| field == "webRtcUser");
    let phones = organisation.reports.phones.iter();
    let phones = phones.filter(|phone| call.parameter("webRtcUserId").is_none_or(|user| user == phone.user));
    let entities: Vec<Value> = phones
        .map(|phone| {
            let mut entity = json!({
                "id": phone.id, "name": phone.name, "state": "active", "site": site,
                "phoneBaseSettings": {"id": "webrtc", "name": "WebRTC phone"},
                "lines": [{"id": phone.id, "name": phone.name}],
                "selfUri": format!("/api/v2/telephony/providers/edges/phones/{}", phone.id),
            });
            if with_user {
                entity["webRtcUser"] =
                    json!({"id": phone.user, "selfUri": format!("/api/v2/users/{}", phone.user)});
            }
            entity
        })
        .collect();
    Ok(listing(call, page, entities))
}

fn get_dids(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    let unassigned_only = call.parameter("type") == Some("UNASSIGNED");
    let number = call.parameter("numberMatch").unwrap_or_default();
    let dids = organisation.reports.dids.iter();
    let dids = dids.filter(|did| did.number.contains(number) && !(unassigned_only && did.owner.is_some()));
    let entities: Vec<Value> = dids
        .map(|did| {
            let mut entity = json!({
                "id": did.id, "number": did.number, "assigned": did.owner.is_some(),
                "selfUri": format!("/api/v2/telephony/providers/edges/dids/{}", did.id),
            });
            if let Some(owner) = &did.owner {
                entity["owner"] = json!({"id": owner, "selfUri": format!("/api/v2/users/{owner}")});
                entity["ownerType"] = Value::from("USER");
            }
            entity
        })
        .collect();
    Ok(listing(call, page, entities))
}

fn get_voicemails(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    let user = call.read(organisation, Kind::Account, call.value("userId"))?;
    let messages = organisation.reports.voicemails.iter().filter(|message| message.user == user.id);
    let entities: Vec<Value> = messages
        .map(|message| {
            json!({
                "id": message.id, "read": false, "deleted": false,
                "callerAddress": message.caller, "createdDate": date(message.created),
                "user": user_json::user(organisation, &user),
                "selfUri": format!("/api/v2/voicemail/messages/{}", message.id),
            })
        })
        .collect();
    Ok(listing(call, page, entities))
}

/// Gives recordings older than a threshold; they name a conversation and never a user.
fn get_recordings(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let size = call.parameter("pageSize").map_or(Some(RECORDINGS_DEFAULT), |size| size.parse().ok());
    let size = size.filter(|size| (1..=RECORDINGS_MAX).contains(size));
    let size = size
        .ok_or_else(|| Problem::bad_request(&format!("pageSize must be between 1 and {RECORDINGS_MAX}.")))?;
    let days = call.parameter("retentionThresholdDays").and_then(|days| days.parse().ok());
    let oldest = days.and_then(TimeDelta::try_days).and_then(|days| call.wall_clock.checked_sub_signed(days));
    let oldest = oldest.ok_or_else(|| Problem::bad_request("retentionThresholdDays is not valid."))?;
    let recordings = &organisation.reports.recordings;
    let cursor = call.parameter("cursor");
    let begin = match cursor {
        Some(last) => recordings.iter().position(|recording| recording.id == last).map(|index| index + 1),
        None => Some(0),
    };
    let begin = begin.ok_or_else(|| Problem::bad_request("The cursor is not valid."))?;
    let mut left = recordings.iter().skip(begin).filter(|recording| recording.created < oldest);
    let on_page: Vec<_> = left.by_ref().take(size).collect();
    let entities: Vec<Value> = on_page
        .iter()
        .map(|recording| {
            json!({
                "conversationId": recording.conversation,
                "recordingId": recording.id,
                "creationTime": date(recording.created),
            })
        })
        .collect();
    let uri = |cursor: &str| {
        let days = call.parameter("retentionThresholdDays").unwrap_or_default();
        format!("{}?retentionThresholdDays={days}&pageSize={size}&cursor={cursor}", call.path)
    };
    let mut answer = json!({"entities": entities, "selfUri": uri(cursor.unwrap_or_default())});
    if let (Some(last), true) = (on_page.last(), left.next().is_some()) {
        answer["nextUri"] = Value::from(uri(&last.id));
    }
    Ok(Answer::json(answer))
}

fn listing(call: &Call<'_>, page: Page, entities: Vec<Value>) -> Answer {
    let total = entities.len();
    Answer::json(page.listing(call, page.cut(entities), total))
}

fn date(moment: DateTime<Utc>) -> Value {
    Value::from(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests;
