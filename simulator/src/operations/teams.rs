//! Work teams: nobody is in two, so adding somebody to a team takes them out of their former one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Id, Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getTeamMembers", get_members),
    ("postTeamMembers", post_members),
    ("deleteTeamMembers", delete_members),
];

const TOUCHED: &[Kind] = &[Kind::Team];

/// Where a page of members begins or ends. A cursor is the id of the member beside it, which clients needn't know.
enum Cursor {
    Start,
    After(Id),
    Before(Id),
}

fn get_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let team = existing(organisation, call)?;
    let size = Page::of(call, SIZE_MAX)?.size;
    let cursor = Cursor::of(call)?;
    let mut members = call.read_where(organisation, Kind::Team, |person| person.team.as_ref() == Some(&team));
    members.sort_by(|left, right| left.id.cmp(&right.id));
    let total = members.len();
    let (first, end) = match cursor {
        Cursor::Start => (0, size.min(total)),
        Cursor::After(id) => {
            let first = members.partition_point(|member| member.id <= id);
            (first, (first + size).min(total))
        }
        Cursor::Before(id) => {
            let end = members.partition_point(|member| member.id < id);
            (end.saturating_sub(size), end)
        }
    };
    let shown = members.get(first..end).unwrap_or_default();
    let expand = call.parameter("expand").map(|expand| format!("&expand={expand}")).unwrap_or_default();
    let uri = |cursor: String| format!("{}?pageSize={size}{cursor}{expand}", call.path);
    let mut listing = json!({
        "entities": shown.iter().map(|person| reference(call, person)).collect::<Vec<_>>(),
        "selfUri": uri(Cursor::sent(call)),
    });
    if let Some(last) = shown.last().filter(|_| end < total) {
        listing["nextUri"] = Value::from(uri(format!("&after={}", last.id)));
    }
    if let Some(top) = shown.first().filter(|_| first > 0) {
        listing["previousUri"] = Value::from(uri(format!("&before={}", top.id)));
    }
    Ok(Answer::json(listing))
}

impl Cursor {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let cursor = match (call.parameter("after"), call.parameter("before")) {
            (None, None) => return Ok(Self::Start),
            (Some(after), _) => Self::After(after.to_owned()),
            (None, Some(before)) => Self::Before(before.to_owned()),
        };
        match &cursor {
            Self::After(id) | Self::Before(id) if uuid::Uuid::parse_str(id).is_err() => {
                Err(Problem::bad_request("The cursor is not valid."))
            }
            Self::Start | Self::After(_) | Self::Before(_) => Ok(cursor),
        }
    }

    /// Gives the cursor as it was sent, for the page's own address.
    fn sent(call: &Call<'_>) -> String {
        let sent = call.query.iter().filter(|(name, _)| name == "after" || name == "before");
        sent.map(|(name, value)| format!("&{name}={value}")).collect()
    }
}

/// Gives a member; the name only on request.
fn reference(call: &Call<'_>, person: &Arc<PersonState>) -> Value {
    let mut reference = json!({"id": person.id, "selfUri": format!("/api/v2/users/{}", person.id)});
    if call.parameter("expand") == Some("entities") {
        reference["name"] = Value::from(person.name.as_str());
    }
    reference
}

fn post_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let team = existing(organisation, call)?;
    let (mut entities, mut failures) = (Vec::new(), Vec::new());
    let members = call.body.get("memberIds").and_then(Value::as_array).into_iter().flatten();
    for id in members.filter_map(Value::as_str) {
        match call.change(organisation, id, TOUCHED, |person| person.team = Some(team.clone())) {
            Ok(()) => entities.push(json!({"id": id, "selfUri": format!("/api/v2/users/{id}")})),
            Err(_) => failures.push(json!({"id": id, "reason": "UserNotFound"})),
        }
    }
    Ok(Answer::json(json!({"entities": entities, "failures": failures})))
}

fn delete_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let team = existing(organisation, call)?;
    for id in call.list("id") {
        // Those who don't exist or are in another team are passed over.
        let _passed_over = call.change(organisation, &id, TOUCHED, |person| {
            person.team.take_if(|current| *current == team);
        });
    }
    Ok(Answer::empty(204))
}

fn existing(organisation: &Organisation, call: &Call<'_>) -> Result<Id, Problem> {
    let id = call.value("teamId");
    organisation.teams.contains_key(id).then(|| id.to_owned()).ok_or_else(Problem::not_found)
}

/// Gives the team of a person, if they have one.
pub(super) fn of(organisation: &Organisation, call: &Call<'_>, person: &PersonState) -> Option<Value> {
    let (id, team) = organisation.teams.get_key_value(person.team.as_ref()?)?;
    let members = organisation.views(Kind::Team).filter(|member| member.team.as_ref() == Some(id));
    Some(json!({
        "id": id,
        "name": team.name,
        "division": user_json::division(organisation, &team.division),
        "description": "",
        "dateModified": call.date(),
        "memberCount": members.count(),
        "selfUri": format!("/api/v2/teams/{id}"),
    }))
}

#[cfg(test)]
mod tests;
