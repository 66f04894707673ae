//! Queue memberships from the side of the user.

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Joining, Organisation, QueueMembership};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getUserQueues", get_queues),
    ("patchUserQueues", patch_queues),
    ("patchUserQueue", patch_queue),
];

/// No limit is published for `PATCH /users/{id}/queues`; more than the members of one call of a queue were never seen.
const PATCHED_MAX: usize = 100;

fn get_queues(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    let person = call.read(organisation, Kind::Queues, call.value("userId"))?;
    // Published: `joined` defaults to true, so memberships that aren't joined must be asked for.
    let joining = joining(call.flag("joined").unwrap_or(true));
    let divisions = call.list("divisionId");
    let in_divisions = |queue: &str| {
        let division = organisation.queues.get(queue).map(|queue| &queue.division);
        divisions.is_empty() || division.is_some_and(|division| divisions.contains(division))
    };
    let mut shown: Vec<Value> = person
        .queues
        .iter()
        .filter(|(id, membership)| membership.joining == joining && in_divisions(id))
        .map(|(id, membership)| queue(organisation, id, *membership))
        .collect();
    shown.sort_by(|left, right| text(left, "name").cmp(text(right, "name")));
    let total = shown.len();
    Ok(Answer::json(page.listing(call, page.cut(shown), total)))
}

fn patch_queues(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let items = call.items(PATCHED_MAX)?;
    let entities = join(
        organisation,
        call,
        items.iter().map(|item| (text(item, "id"), item)),
    )?;
    let total = entities.len();
    let page = Page {
        number: 1,
        size: PATCHED_MAX,
    };
    Ok(Answer::json(page.listing(call, entities, total)))
}

fn patch_queue(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let one = std::iter::once((call.value("queueId"), call.body));
    let entity = join(organisation, call, one)?.pop();
    entity.map(Answer::json).ok_or_else(Problem::not_found)
}

/// Joins or leaves queues as told; queues the user is no member of are ignored, and the membership always stays.
fn join<'a>(
    organisation: &mut Organisation,
    call: &Call<'_>,
    wanted: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<Vec<Value>, Problem> {
    let user = call.value("userId");
    let changed = call.change(organisation, user, &[Kind::Queues], |person| {
        let mut changed = Vec::new();
        for (id, item) in wanted {
            let joined = item.get("joined").and_then(Value::as_bool);
            if let (Some(membership), Some(joined)) = (person.queues.get_mut(id), joined) {
                membership.joining = joining(joined);
                changed.push((id.to_owned(), *membership));
            }
        }
        changed
    })?;
    Ok(changed
        .iter()
        .map(|(id, membership)| queue(organisation, id, *membership))
        .collect())
}

fn joining(joined: impl Into<bool>) -> Joining {
    if joined.into() {
        Joining::Joined
    } else {
        Joining::Unjoined
    }
}

fn queue(organisation: &Organisation, id: &str, membership: QueueMembership) -> Value {
    let (name, division) = organisation
        .queues
        .get(id)
        .map_or(("", ""), |queue| (queue.name.as_str(), queue.division.as_str()));
    json!({
        "id": id,
        "name": name,
        "division": user_json::division(organisation, division),
        "joined": membership.joining == Joining::Joined,
        "selfUri": format!("/api/v2/routing/queues/{id}"),
    })
}
