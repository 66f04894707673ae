//! Queue memberships from the side of the user.

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, groups, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Joining, Organisation, QueueMembership};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations =
    &[("getUserQueues", get_queues), ("patchUserQueues", patch_queues), ("patchUserQueue", patch_queue)];

/// No limit is published for `PATCH /users/{id}/queues`; more than the members of one call of a queue were never seen.
const PATCHED_MAX: usize = 100;

fn get_queues(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, SIZE_MAX)?;
    let person = call.read(organisation, Kind::Queues, call.value("userId"))?;
    // Published: `joined` defaults to true, so memberships that aren't joined must be asked for.
    let joining = Joining::from(call.flag("joined").unwrap_or(true));
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
    let entities = join(organisation, call, items.iter().map(|item| (text(item, "id"), item)))?;
    let total = entities.len();
    let page = Page { number: 1, size: PATCHED_MAX };
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
                membership.joining = Joining::from(joined);
                changed.push((id.to_owned(), *membership));
            }
        }
        changed
    })?;
    Ok(changed.iter().map(|(id, membership)| queue(organisation, id, *membership)).collect())
}

fn queue(organisation: &Organisation, id: &str, membership: QueueMembership) -> Value {
    let (name, division) =
        organisation.queues.get(id).map_or(("", ""), |queue| (queue.name.as_str(), queue.division.as_str()));
    let mut json = json!({
        "id": id,
        "name": name,
        "division": user_json::division(organisation, division),
        "joined": membership.joining == Joining::Joined,
        "selfUri": format!("/api/v2/routing/queues/{id}"),
    });
    let groups = groups::serving(organisation, id);
    if !groups.is_empty() {
        json["memberGroups"] = Value::from(groups);
    }
    json
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::presets;
    use crate::probe::Probe;
    use crate::rules::Lag;

    #[tokio::test]
    async fn joined_is_true_unless_asked_otherwise_and_pages_hold_25() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::agent_with_pages_of_queues(org, "Jane", "jane@example.com", "E1"));
        let path = format!("/api/v2/users/{agent}/queues");
        let first = probe.get(&path).await;
        assert_eq!(
            (first.ids().len(), &first.body["total"], &first.body["pageCount"]),
            (25, &json!(30), &json!(2))
        );
        assert!(first.body["entities"].as_array().unwrap().iter().all(|queue| queue["joined"] == true));
        let second = probe.get(first.body["nextUri"].as_str().unwrap()).await;
        assert_eq!((second.ids().len(), second.body.get("nextUri")), (5, None));
        let unjoined = probe.get(&format!("{path}?joined=false&pageSize=100")).await;
        assert!(unjoined.body["entities"].as_array().unwrap().iter().all(|queue| queue["joined"] == false));
        assert_eq!(unjoined.ids().len(), 30);
        assert_eq!(probe.get(&format!("{path}?pageSize=101")).await.status, 400);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn unjoining_many_keeps_the_memberships_and_ignores_foreign_queues() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        let ids = probe.simulator.person(&agent).unwrap().queues.into_keys();
        let mut body: Vec<Value> = ids.map(|id| json!({"id": id, "joined": false})).collect();
        body.push(json!({"id": "9e0a2d76-0f5c-4d1e-8a55-3b6f5f0b3c11", "joined": false}));
        let answer = probe.send("PATCH", &format!("/api/v2/users/{agent}/queues"), &Value::from(body)).await;
        assert_eq!((answer.status, answer.ids().len()), (200, 5));
        let queues = probe.simulator.person(&agent).unwrap().queues;
        assert!(
            queues.len() == 5 && queues.values().all(|membership| membership.joining == Joining::Unjoined)
        );
    }

    #[tokio::test]
    async fn a_lag_by_duration_ends_with_the_simulators_clock() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        probe.simulator.set_lag(Kind::Queues, Lag::For(Duration::from_secs(10)));
        let path = format!("/api/v2/users/{agent}/queues");
        let queue = probe.get(&path).await.ids()[0].clone();
        let removed = probe.delete(&format!("/api/v2/routing/queues/{queue}/members/{agent}")).await;
        assert_eq!(removed.status, 204);
        assert!(probe.get(&path).await.ids().contains(&queue));
        probe.simulator.advance(Duration::from_secs(10));
        assert!(!probe.get(&path).await.ids().contains(&queue));
    }
}
