//! Role grants: direct ones, which calls change, and those of groups, which they don't.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::paging::{Page, SIZE_MAX};
use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{Grant, Id, Organisation, PersonState};
use crate::rules::{EmptyBulkreplace, Kind};

pub(super) const OPERATIONS: Operations = &[
    ("getAuthorizationSubject", get_subject),
    ("postAuthorizationSubjectBulkadd", bulk_add),
    ("postAuthorizationSubjectBulkremove", bulk_remove),
    ("postAuthorizationSubjectBulkreplace", bulk_replace),
    ("postAuthorizationSubjectDivisionRole", add_one),
    ("deleteAuthorizationSubjectDivisionRole", remove_one),
    ("getUserRoles", get_roles),
    ("getAuthorizationRoleUsers", get_role_users),
];

const TOUCHED: &[Kind] = &[Kind::Grants];

fn get_subject(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    if call.value("subjectId") == organisation.client {
        return super::client::subject(organisation, call);
    }
    let person = call.read(organisation, Kind::Grants, call.value("subjectId"))?;
    let mut shown: Vec<(Id, Grant)> = all(organisation, &person);
    if call.flag("includeDuplicates") != Some(true) {
        // One entry per role and division. Which subject it names is not published; naming the group hides the direct
        // grant, which is the case a client must be ready for.
        let mut seen = BTreeSet::new();
        shown.retain(|(_, grant)| seen.insert(grant.clone()));
    }
    let grants = shown.iter().map(|(subject, grant)| grant_json(organisation, call, subject, grant));
    let grants: Vec<Value> = grants.collect();
    let id = &person.id;
    let self_uri = format!("/api/v2/authorization/subjects/{id}");
    Ok(Answer::json(json!({
        "id": id, "name": person.name, "grants": grants, "version": person.version, "selfUri": self_uri,
    })))
}

/// Gives every grant that counts for a person with the subject that has it: those of groups first, then their own.
fn all(organisation: &Organisation, person: &PersonState) -> Vec<(Id, Grant)> {
    let groups = person.groups.iter().filter_map(|id| organisation.groups.get_key_value(id));
    let inherited =
        groups.flat_map(|(id, group)| group.grants.iter().map(|grant| (id.clone(), grant.clone())));
    let direct = person.grants.iter().map(|grant| (person.id.clone(), grant.clone()));
    inherited.chain(direct).collect()
}

fn grant_json(organisation: &Organisation, call: &Call<'_>, subject: &str, grant: &Grant) -> Value {
    let mut division = user_json::division(organisation, &grant.division);
    division["description"] = Value::from("");
    division["homeDivision"] = Value::from(grant.division == organisation.home());
    let role = organisation.roles.get(&grant.role).map_or("", String::as_str);
    json!({
        "subjectId": subject,
        "division": division,
        "role": {
            "id": grant.role,
            "name": role,
            "description": "",
            "policies": [],
            "default": false,
            "selfUri": format!("/api/v2/authorization/roles/{}", grant.role),
        },
        "grantMadeAt": call.date(),
    })
}

fn bulk_add(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = wanted(organisation, call)?;
    call.change(organisation, call.value("subjectId"), TOUCHED, |person| person.grants.extend(wanted))?;
    Ok(Answer::empty(204))
}

fn bulk_replace(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = wanted(organisation, call)?;
    if wanted.is_empty() && call.rules.empty_bulkreplace == EmptyBulkreplace::Refused {
        return Err(Problem::bad_request("grants must not be empty"));
    }
    call.change(organisation, call.value("subjectId"), TOUCHED, |person| person.grants = wanted)?;
    Ok(Answer::empty(204))
}

/// Removes all pairs or none: one that is gone fails the whole call.
fn bulk_remove(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let wanted = wanted(organisation, call)?;
    let id = call.value("subjectId");
    let removed = call.change(organisation, id, TOUCHED, |person| {
        let all_there = wanted.is_subset(&person.grants);
        if all_there {
            person.grants.retain(|grant| !wanted.contains(grant));
        }
        all_there
    })?;
    if removed { Ok(Answer::empty(204)) } else { Err(Problem::not_found()) }
}

fn add_one(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let grant = one(call);
    check(organisation, &grant)?;
    call.change(organisation, call.value("subjectId"), TOUCHED, |person| person.grants.insert(grant))?;
    Ok(Answer::empty(204))
}

fn remove_one(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let grant = one(call);
    let id = call.value("subjectId");
    let removed = call.change(organisation, id, TOUCHED, |person| person.grants.remove(&grant))?;
    if removed { Ok(Answer::empty(204)) } else { Err(Problem::not_found()) }
}

fn get_roles(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("subjectId");
    let person = call.read(organisation, Kind::Grants, id)?;
    if all(organisation, &person).is_empty() {
        // Seen on the real platform: without a role the user seems not to exist.
        return Err(Problem::no_such_user(id));
    }
    Ok(Answer::json(authorization(organisation, &person)))
}

/// Gives who has the role in person, in whatever state; whether those who have it through a group are listed is not
/// published, and leaving them out is the case a client must be ready for.
fn get_role_users(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let role = call.value("roleId");
    if !organisation.roles.contains_key(role) {
        return Err(Problem::not_found());
    }
    let page = Page::of(call, SIZE_MAX)?;
    let holders = call.read_where(organisation, Kind::Grants, |person| {
        person.grants.iter().any(|grant| grant.role == role)
    });
    let total = holders.len();
    let on_page = page.cut(holders);
    let entities = on_page
        .iter()
        .map(|person| json!({"id": person.id, "selfUri": format!("/api/v2/users/{}", person.id)}));
    // This listing is published without addresses of its pages.
    Ok(Answer::json(json!({
        "entities": entities.collect::<Vec<_>>(), "total": total, "pageCount": page.count(total),
        "pageSize": page.size, "pageNumber": page.number,
    })))
}

/// Gives the roles of a person without their divisions.
pub(super) fn authorization(organisation: &Organisation, person: &PersonState) -> Value {
    let roles: BTreeSet<Id> = all(organisation, person).into_iter().map(|(_, grant)| grant.role).collect();
    let name = |id: &Id| organisation.roles.get(id).cloned().unwrap_or_default();
    let roles: Vec<Value> = roles.iter().map(|id| json!({"id": id, "name": name(id)})).collect();
    json!({"roles": roles, "unusedRoles": [], "permissions": [], "permissionPolicies": []})
}

fn one(call: &Call<'_>) -> Grant {
    Grant { role: call.value("roleId").to_owned(), division: call.value("divisionId").to_owned() }
}

fn wanted(organisation: &Organisation, call: &Call<'_>) -> Result<BTreeSet<Grant>, Problem> {
    let mut wanted = BTreeSet::new();
    for pair in call.body.get("grants").and_then(Value::as_array).into_iter().flatten() {
        let grant =
            Grant { role: text(pair, "roleId").to_owned(), division: text(pair, "divisionId").to_owned() };
        check(organisation, &grant)?;
        wanted.insert(grant);
    }
    Ok(wanted)
}

fn check(organisation: &Organisation, grant: &Grant) -> Result<(), Problem> {
    if organisation.roles.contains_key(&grant.role) && organisation.divisions.contains_key(&grant.division) {
        return Ok(());
    }
    let message = format!("Role [{}] or division [{}] does not exist.", grant.role, grant.division);
    Err(Problem::bad_request(&message))
}

#[cfg(test)]
mod tests;
