//! Queue memberships from the side of the queue.

use std::sync::Arc;

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Id, Joining, MemberBy, Organisation, PersonState, QueueMembership};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getRoutingQueueMembers", get_members),
    ("postRoutingQueueMembers", post_members),
    ("patchRoutingQueueMembers", patch_members),
    ("patchRoutingQueueMember", patch_member),
    ("deleteRoutingQueueMember", delete_member),
];

/// The published limit of members per call.
const MEMBERS_MAX: usize = 100;

fn get_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = existing_queue(organisation, call)?;
    let page = Page::of(call, SIZE_MAX)?;
    let members =
        call.read_where(organisation, Kind::Queues, |person| person.queues.contains_key(&queue)).into_iter();
    let mut shown: Vec<(Arc<PersonState>, QueueMembership)> = members
        .filter_map(|person| person.queues.get(&queue).copied().map(|membership| (person, membership)))
        .filter(|(person, membership)| is_asked_for(call, person, *membership))
        .collect();
    shown.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name).then_with(|| left.id.cmp(&right.id)));
    if call.parameter("sortOrder") == Some("desc") {
        shown.reverse();
    }
    let total = shown.len();
    let entities = page.cut(shown);
    let entities =
        entities.iter().map(|(person, membership)| member(organisation, call, &queue, person, *membership));
    let entities = entities.collect();
    Ok(Answer::json(page.listing_without_total(call, entities, total)))
}

fn is_asked_for(call: &Call<'_>, person: &PersonState, membership: QueueMembership) -> bool {
    let joined = call.flag("joined").is_none_or(|joined| joined == (membership.joining == Joining::Joined));
    let by = call.parameter("memberBy").is_none_or(|by| by == member_by(membership));
    let name = call.parameter("name").map(str::to_lowercase);
    joined && by && name.is_none_or(|name| person.name.to_lowercase().contains(&name))
}

fn post_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = existing_queue(organisation, call)?;
    let items = call.body.as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() || items.len() > MEMBERS_MAX {
        let message = "Invalid request data.  Make sure you submit a valid number of queue members.";
        return Err(Problem::bad_request(message));
    }
    let ids: Vec<&str> = items.iter().map(|item| text(item, "id")).collect();
    if ids.iter().any(|id| uuid::Uuid::parse_str(id).is_err()) {
        return Err(Problem::new(400, "invalid.id", "A non-UUID value was specified for an ID field."));
    }
    let removes = call.flag("delete") == Some(true);
    for id in ids {
        // Users who don't exist, and members through a group, are passed over; a re-read shows it.
        let _passed_over = call.change(organisation, id, &[Kind::Queues], |person| {
            if removes {
                person.queues.retain(|of, membership| *of != queue || membership.by == MemberBy::Group);
            } else {
                let new = QueueMembership { joining: Joining::Joined, ring_number: 1, by: MemberBy::User };
                person.queues.entry(queue.clone()).or_insert(new);
            }
        });
    }
    Ok(Answer::empty(200))
}

fn patch_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = existing_queue(organisation, call)?;
    let mut entities = Vec::new();
    for item in call.items(MEMBERS_MAX)? {
        let id = text(item, "id");
        // Those who aren't members are ignored.
        if let Some(membership) = update(organisation, call, &queue, id, item)
            && let Some(person) = organisation.person(id)
        {
            entities.push(member(organisation, call, &queue, &person, membership));
        }
    }
    let page = Page { number: 1, size: MEMBERS_MAX };
    let total = entities.len();
    Ok(Answer::json(page.listing_without_total(call, entities, total)))
}

fn patch_member(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = existing_queue(organisation, call)?;
    let member = call.value("memberId");
    update(organisation, call, &queue, member, call.body).ok_or_else(Problem::not_found)?;
    Ok(Answer::empty(202))
}

fn delete_member(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let queue = existing_queue(organisation, call)?;
    let id = call.value("memberId");
    let membership = organisation.truth(id).and_then(|person| person.queues.get(&queue).copied());
    match membership.map(|membership| membership.by) {
        Some(MemberBy::User) => {
            call.change(organisation, id, &[Kind::Queues], |person| person.queues.remove(&queue))?;
            Ok(Answer::empty(204))
        }
        Some(MemberBy::Group) => {
            Err(Problem::bad_request("A member by group can only be removed by leaving the group."))
        }
        None => Err(Problem::new(404, "resource.not.found", "The resource could not be found.")),
    }
}

fn update(
    organisation: &mut Organisation,
    call: &Call<'_>,
    queue: &str,
    user: &str,
    wanted: &Value,
) -> Option<QueueMembership> {
    let joined = wanted.get("joined").and_then(Value::as_bool);
    let ring_number = wanted.get("ringNumber").and_then(Value::as_u64).and_then(|ring| ring.try_into().ok());
    let updated = call.change(organisation, user, &[Kind::Queues], |person| {
        let membership = person.queues.get_mut(queue)?;
        membership.ring_number = ring_number.unwrap_or(membership.ring_number);
        membership.joining = joined.map_or(membership.joining, Joining::from);
        Some(*membership)
    });
    updated.ok().flatten()
}

fn existing_queue(organisation: &Organisation, call: &Call<'_>) -> Result<Id, Problem> {
    let id = call.value("queueId");
    if organisation.queues.contains_key(id) {
        return Ok(id.to_owned());
    }
    Err(Problem::new(404, "resource.not.found", "Unable to find a queue with that id"))
}

fn member_by(membership: QueueMembership) -> &'static str {
    match membership.by {
        MemberBy::User => "user",
        MemberBy::Group => "group",
    }
}

fn member(
    organisation: &Organisation,
    call: &Call<'_>,
    queue: &str,
    person: &PersonState,
    membership: QueueMembership,
) -> Value {
    json!({
        "id": person.id,
        "name": person.name,
        "user": user_json::user(organisation, person),
        "ringNumber": membership.ring_number,
        "joined": membership.joining == Joining::Joined,
        "memberBy": member_by(membership),
        "routingStatus": user_json::routing_status(call, person),
        "selfUri": format!("/api/v2/routing/queues/{queue}/members/{}", person.id),
    })
}

#[cfg(test)]
mod tests;
