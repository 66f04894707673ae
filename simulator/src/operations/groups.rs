//! Groups and their members. What membership brings along is left to the organisation.

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Group, GroupKind, Id, Organisation, PersonState};
use crate::rules::{AcceptedGroupWrites, GroupWrites, Kind};

pub(super) const OPERATIONS: Operations = &[
    ("getGroup", get_group),
    ("getGroupMembers", get_members),
    ("postGroupMembers", post_members),
    ("deleteGroupMembers", delete_members),
];

/// The published limit of members per call.
const MEMBERS_MAX: usize = 50;

/// Everything that membership in a group brings along or takes away, and therefore everything that may lag behind it.
const TOUCHED: &[Kind] = &[Kind::Groups, Kind::Queues, Kind::Grants];

/// What becomes of a write.
enum Fate {
    CarriedOut,
    Ignored,
}

fn get_group(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (id, group) = existing(organisation, call)?;
    Ok(Answer::json(json(call, &id, &group)))
}

fn get_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (id, _) = existing(organisation, call)?;
    let page = Page::of(call, SIZE_MAX)?;
    let mut members = call.read_where(organisation, Kind::Groups, |person| person.groups.contains(&id));
    members.sort_by(|left, right| left.name.cmp(&right.name).then_with(|| left.id.cmp(&right.id)));
    if call.parameter("sortOrder") == Some("descending") {
        members.reverse();
    }
    let total = members.len();
    let expand = call.list("expand");
    let members = page.cut(members);
    let entities = members.iter().map(|person| user_json::expanded(organisation, call, person, &expand));
    let entities = entities.collect();
    Ok(Answer::json(page.listing(call, entities, total)))
}

fn post_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (id, group) = existing(organisation, call)?;
    let members = call.body.get("memberIds").and_then(Value::as_array).into_iter().flatten();
    let members: Vec<Id> = members.filter_map(Value::as_str).map(str::to_owned).collect();
    let version = call.body.get("version").and_then(Value::as_u64);
    check_count(&members)?;
    if version.is_some_and(|version| version != group.version) {
        // The published text says "user" here too.
        let message = "The version supplied does not match the current version of the user";
        return Err(Problem::new(409, "general.conflict", message));
    }
    let fate = fate(call, &group)?;
    write(organisation, call, &fate, &members, |person| person.groups.insert(id.clone()));
    Ok(accepted())
}

fn delete_members(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (id, group) = existing(organisation, call)?;
    let members = call.list("ids");
    check_count(&members)?;
    let fate = fate(call, &group)?;
    write(organisation, call, &fate, &members, |person| person.groups.remove(&id));
    Ok(accepted())
}

fn write(
    organisation: &mut Organisation,
    call: &Call<'_>,
    fate: &Fate,
    members: &[Id],
    change: impl Fn(&mut PersonState) -> bool,
) {
    match fate {
        Fate::Ignored => {}
        Fate::CarriedOut => {
            for member in members {
                // Users who don't exist are passed over, as the 202 was given before anybody looked.
                let _passed_over = call.change(organisation, member, TOUCHED, &change);
            }
        }
    }
}

fn fate(call: &Call<'_>, group: &Group) -> Result<Fate, Problem> {
    match (group.kind, call.rules.group_writes, call.rules.accepted_group_writes) {
        (GroupKind::Dynamic | GroupKind::DirectoryOwned, GroupWrites::Refused, _) => {
            Err(Problem::bad_request("The members of this group can't be changed."))
        }
        (GroupKind::Dynamic | GroupKind::DirectoryOwned, GroupWrites::SilentlyIgnored, _)
        | (GroupKind::Ordinary, _, AcceptedGroupWrites::FailLater) => Ok(Fate::Ignored),
        (GroupKind::Ordinary, _, AcceptedGroupWrites::CarriedOut) => Ok(Fate::CarriedOut),
    }
}

fn check_count(members: &[Id]) -> Result<(), Problem> {
    if members.len() > MEMBERS_MAX {
        let message = format!("A maximum of {MEMBERS_MAX} members are allowed per request.");
        return Err(Problem::bad_request(&message));
    }
    Ok(())
}

fn accepted() -> Answer {
    Answer { status: 202, ..Answer::json(json!({})) }
}

fn existing(organisation: &Organisation, call: &Call<'_>) -> Result<(Id, Group), Problem> {
    let id = call.value("groupId");
    let group = organisation.group(id).map(|group| (id.to_owned(), group));
    let message = "Unable to find a group with that groupId";
    group.ok_or_else(|| Problem::new(404, "general.resource.not.found", message))
}

/// Gives the groups of a person.
pub(super) fn of(organisation: &Organisation, call: &Call<'_>, person: &PersonState) -> Vec<Value> {
    let known = person.groups.iter().filter_map(|id| organisation.groups.get_key_value(id));
    known.map(|(id, group)| json(call, id, group)).collect()
}

/// Gives the groups that serve a queue in their short form, sorted by name.
pub(super) fn serving(organisation: &Organisation, queue: &str) -> Vec<Value> {
    let serving = organisation.groups.iter().filter(|(_, group)| group.queues.contains(queue));
    let short = serving.map(|(id, group)| {
        json!({"id": id, "name": group.name, "type": "GROUP", "selfUri": format!("/api/v2/groups/{id}")})
    });
    let mut short: Vec<Value> = short.collect();
    short.sort_by(|left, right| text(left, "name").cmp(text(right, "name")));
    short
}

fn json(call: &Call<'_>, id: &str, group: &Group) -> Value {
    json!({
        "id": id,
        "name": group.name,
        "description": "",
        "dateModified": call.date(),
        "memberCount": group.member_count,
        "state": "active",
        "version": group.version,
        "type": "official",
        "images": [],
        "addresses": [],
        "rulesVisible": true,
        "visibility": "public",
        "rolesEnabled": !group.grants.is_empty(),
        "includeOwners": false,
        "callsEnabled": false,
        "owners": [],
        "selfUri": format!("/api/v2/groups/{id}"),
    })
}

#[cfg(test)]
mod tests;
