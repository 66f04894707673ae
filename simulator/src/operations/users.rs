//! Finding and reading users by id, by external id and as a list.

use super::paging::Page;
use super::{Call, Operations, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, Organisation};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getUser", get_user),
    ("getUsers", get_users),
    ("getUsersExternalidAuthorityNameExternalKey", get_by_external_id),
    ("getUserRoutingstatus", get_routing_status),
];

/// The published limit of `id` ("Only 100 users can be requested at a time.").
const IDS_MAX: usize = 100;

/// The largest page seen in use with this list.
const USERS_PAGE_MAX: usize = 500;

/// Listing users that aren't active fails beyond this many.
const INACTIVE_LISTED_MAX: usize = 10_000;

fn get_user(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let deleted_wanted = call.parameter("state") == Some("deleted");
    // Without `state=deleted` inactive users are shown too, although the default reads "active".
    let person = organisation
        .read(Kind::Account, call.value("userId"), call.now)
        .filter(|person| (person.state == AccountState::Deleted) == deleted_wanted)
        .ok_or_else(no_such_user)?;
    Ok(Answer::json(user_json::expanded(
        organisation,
        call,
        &person,
        &call.list("expand"),
    )))
}

fn no_such_user() -> Problem {
    Problem::new(
        404,
        "general.resource.not.found",
        "Unable to find a user with that userId",
    )
}

fn get_users(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, USERS_PAGE_MAX)?;
    let ids = call.list("id");
    if ids.len() > IDS_MAX {
        let message = format!("Only {IDS_MAX} users can be requested at a time.");
        return Err(Problem::new(400, "max.user.ids", message));
    }
    let state = call.parameter("state").unwrap_or("active");
    if state != "active" && page.number.saturating_mul(page.size) > INACTIVE_LISTED_MAX {
        return Err(Problem::bad_request("Too many users are requested."));
    }
    if ids.is_empty() {
        organisation.count_read_of_all(Kind::Account, call.now);
    }
    for id in &ids {
        organisation.read(Kind::Account, id, call.now);
    }
    let shown: Vec<_> = organisation
        .views(Kind::Account)
        .filter(|person| state == "any" || person.state.as_str() == state)
        .filter(|person| ids.is_empty() || ids.contains(&person.id))
        .cloned()
        .collect();
    let total = shown.len();
    let expand = call.list("expand");
    let on_page = page.cut(shown);
    let entities = on_page
        .iter()
        .map(|person| user_json::expanded(organisation, call, person, &expand))
        .collect();
    Ok(Answer::json(page.listing(call, entities, total)))
}

fn get_by_external_id(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let (authority, key) = (call.value("authorityName"), call.value("externalKey"));
    let owns = |id: &crate::organisation::ExternalId| id.authority == authority && id.key == key;
    let id = organisation
        .views(Kind::Account)
        .find(|person| person.state != AccountState::Deleted && person.external_ids.iter().any(owns))
        .map(|person| person.id.clone())
        .ok_or_else(Problem::not_found)?;
    let person = call.read(organisation, Kind::Account, &id)?;
    Ok(Answer::json(user_json::expanded(
        organisation,
        call,
        &person,
        &call.list("expand"),
    )))
}

fn get_routing_status(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Account, call.value("userId"))?;
    Ok(Answer::json(user_json::routing_status(call, &person)))
}
