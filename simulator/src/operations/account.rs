//! The account itself: its state, its version, and what changing the state takes along.

use serde_json::{Value, json};

use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, MemberBy, Organisation, PersonState};
use crate::rules::{
    Deactivation, Kind, PutStateVersion, QueuesOnInactive, Rules, StaleVersion, StateCompany,
};

pub(super) const OPERATIONS: Operations = &[
    ("patchUser", patch_user),
    ("putUserState", put_state),
    ("getUserState", get_state),
    ("deleteUser", delete_user),
    ("deleteAppsUserLogout", log_out),
];

/// Everything a change of state may touch, and therefore everything that may lag behind it.
const TOUCHED: &[Kind] = &[Kind::Account, Kind::Search, Kind::Grants, Kind::Queues];

/// Fields that may accompany `state`: they identify the user or are ignored by definition.
const HARMLESS_COMPANY: &[&str] = &["state", "version", "id", "selfUri", "username"];

fn patch_user(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    let state = AccountState::parse(text(call.body, "state"));
    // A deleted user can be restored, and nothing else.
    if person.state == AccountState::Deleted && state.is_none() {
        return Err(Problem::not_found());
    }
    check_version(call, &person)?;
    match state {
        Some(state) => {
            let fields = call.body.as_object().into_iter().flat_map(|fields| fields.keys());
            let company: Vec<&String> =
                fields.filter(|name| !HARMLESS_COMPANY.contains(&name.as_str())).collect();
            if call.rules.state_company == StateCompany::Refused && !company.is_empty() {
                return Err(Problem::bad_request("If state is specified, it is the only modifiable field."));
            }
            if state == AccountState::Deleted {
                organisation.remarks.push("must not be called: state deleted is a soft delete".to_owned());
            }
            set_state(organisation, call, &person, state, None)?;
        }
        None => set_fields(organisation, call),
    }
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(user_json::user(organisation, &person)))
}

fn put_state(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    let has_version = call.body.get("version").is_some_and(Value::is_number);
    match call.rules.put_state_version {
        PutStateVersion::CheckedWhenSent if has_version => check_version(call, &person)?,
        PutStateVersion::Required if has_version => check_version(call, &person)?,
        PutStateVersion::Required => return Err(Problem::bad_request("version is required")),
        PutStateVersion::CheckedWhenSent | PutStateVersion::Ignored => {}
    }
    let state = AccountState::parse(text(call.body, "state"));
    let state = state.ok_or_else(|| Problem::bad_request("state is required"))?;
    let reason = Some(text(call.body, "stateChangeReason")).filter(|reason| !reason.is_empty());
    set_state(organisation, call, &person, state, reason)?;
    get_state(organisation, call)
}

fn get_state(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    // The state is read where it is written, so this read never lags.
    let person = organisation.person(call.value("userId")).ok_or_else(Problem::not_found)?;
    let mut body = json!({"state": person.state.as_str(), "version": person.version});
    if let Some(reason) = person.state_reason {
        body["stateChangeReason"] = Value::from(reason);
        body["stateChangeDate"] = call.date();
    }
    Ok(Answer::json(body))
}

fn delete_user(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    let home = organisation.home();
    call.change(organisation, id, TOUCHED, |person| {
        person.state = AccountState::Deleted;
        person.grants.clear();
        person.default_station = None;
        person.division = home;
    })?;
    Ok(Answer::json(json!({})))
}

/// The undocumented logout: answers as if something had happened.
fn log_out(_: &mut Organisation, _: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Answer::empty(204))
}

fn check_version(call: &Call<'_>, person: &PersonState) -> Result<(), Problem> {
    if call.body.get("version").and_then(Value::as_u64) == Some(person.version) {
        return Ok(());
    }
    let message = "The version supplied does not match the current version of the user";
    Err(match call.rules.stale_version {
        StaleVersion::Conflict => Problem::new(409, "general.conflict", message),
        StaleVersion::BadRequest => Problem::bad_request(message),
    })
}

fn set_state(
    organisation: &mut Organisation,
    call: &Call<'_>,
    person: &PersonState,
    state: AccountState,
    reason: Option<&str>,
) -> Result<(), Problem> {
    let needs_empty_routing = call.rules.deactivation == Deactivation::NeedsEmptyRouting;
    if state == AccountState::Inactive && needs_empty_routing && !person.queues.is_empty() {
        return Err(Problem::bad_request("The user is still a member of queues."));
    }
    organisation.change(&person.id, TOUCHED, call.rules, call.now, |person| {
        let from = std::mem::replace(&mut person.state, state);
        if reason.is_some() {
            person.state_reason = reason.map(str::to_owned);
        }
        // Only the change itself strips: grants given to a user who is inactive already stay.
        if from == AccountState::Active && state != AccountState::Active {
            strip(person, call.rules);
        }
    });
    Ok(())
}

/// What the platform takes away with the state: all direct grants. Grants of groups are not the person's own.
fn strip(person: &mut PersonState, rules: &Rules) {
    person.grants.clear();
    match rules.queues_on_inactive {
        QueuesOnInactive::Kept => {}
        QueuesOnInactive::Removed => person.queues.retain(|_, membership| membership.by == MemberBy::Group),
    }
}

fn set_fields(organisation: &mut Organisation, call: &Call<'_>) {
    let name = call.body.get("name").and_then(Value::as_str);
    let email = call.body.get("email").and_then(Value::as_str);
    let kinds = &[Kind::Account, Kind::Search];
    organisation.change(call.value("userId"), kinds, call.rules, call.now, |person| {
        if let Some(name) = name {
            name.clone_into(&mut person.name);
        }
        if let Some(email) = email {
            email.clone_into(&mut person.email);
        }
    });
}

#[cfg(test)]
mod tests;
