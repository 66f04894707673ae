//! `POST /users/search`: criteria over the search index, which lags behind everything else.

use serde_json::{Value, json};

use super::paging::Page;
use super::{Call, Operations, text, user_json};
use crate::answer::{Answer, Problem};
use crate::organisation::{AccountState, Organisation, PersonState};
use crate::rules::{Kind, SearchScope};

pub(super) const OPERATIONS: Operations = &[("postUsersSearch", search)];

/// The largest page accepted; no limit is published, Terraform stays below.
const SEARCH_PAGE_MAX: usize = 500;

/// Groups within groups that are followed.
const NESTING_MAX: u32 = 5;

fn search(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of_body(call, SEARCH_PAGE_MAX)?;
    let criteria = call
        .body
        .get("query")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut remarks = Vec::new();
    check(criteria, NESTING_MAX, &mut remarks);
    if !remarks.is_empty() {
        organisation.remarks.append(&mut remarks);
        return Err(Problem::bad_request("The search is not simulated."));
    }
    organisation.count_read_of_all(Kind::Search, call.now);
    let by_state = criteria
        .iter()
        .any(|criterion| fields(criterion).any(|field| field == "state"));
    let found: Vec<_> = organisation
        .views(Kind::Search)
        .filter(|person| by_state || in_scope(call.rules.search_scope, person))
        .filter(|person| fits_all(criteria, person))
        .cloned()
        .collect();
    let total = found.len();
    let expand = call.body.get("expand").and_then(Value::as_array);
    let expand = expand.into_iter().flatten().filter_map(Value::as_str);
    let expand: Vec<String> = expand.map(str::to_owned).collect();
    let on_page = page.cut(found);
    let results = on_page
        .iter()
        .map(|person| user_json::expanded(organisation, call, person, &expand));
    let results: Vec<Value> = results.collect();
    Ok(Answer::json(json!({
        "total": total,
        "pageCount": page.count(total),
        "pageSize": page.size,
        "pageNumber": page.number,
        "types": ["users"],
        "results": results,
    })))
}

fn in_scope(scope: SearchScope, person: &PersonState) -> bool {
    match scope {
        SearchScope::Everybody => true,
        SearchScope::ActiveAndInactive => person.state != AccountState::Deleted,
        SearchScope::ActiveOnly => person.state == AccountState::Active,
    }
}

/// Collects what the simulator can't search for, rather than find nobody and look right.
fn check(criteria: &[Value], nesting_left: u32, remarks: &mut Vec<String>) {
    for criterion in criteria {
        let kind = text(criterion, "type");
        if !["EXACT", "TERM", "TERMS", "CONTAINS", "STARTS_WITH", "MATCH_ALL"].contains(&kind) {
            remarks.push(format!("search type {kind} is not simulated"));
        }
        for field in fields(criterion).filter(|field| !FIELDS.contains(field)) {
            remarks.push(format!("search field {field} is not simulated"));
        }
        if let Some(group) = criterion.get("group").and_then(Value::as_array) {
            match nesting_left.checked_sub(1) {
                Some(left) => check(group, left, remarks),
                None => remarks.push("search groups are nested too deeply".to_owned()),
            }
        }
    }
}

const FIELDS: &[&str] = &["id", "name", "email", "username", "state", "divisionId"];

fn field<'a>(person: &'a PersonState, name: &str) -> &'a str {
    match name {
        "id" => &person.id,
        "name" => &person.name,
        "email" | "username" => &person.email,
        "state" => person.state.as_str(),
        "divisionId" => &person.division,
        _ => "",
    }
}

/// AND and no operator must hold, NOT must not, and of those with OR at least one must.
fn fits_all(criteria: &[Value], person: &PersonState) -> bool {
    let of = |operator: &'static str| {
        criteria
            .iter()
            .filter(move |criterion| text(criterion, "operator") == operator)
    };
    let required = of("AND").chain(of("")).all(|criterion| fits(criterion, person));
    let excluded = of("NOT").any(|criterion| fits(criterion, person));
    let optional = of("OR").next().is_none() || of("OR").any(|criterion| fits(criterion, person));
    required && optional && !excluded
}

fn fits(criterion: &Value, person: &PersonState) -> bool {
    if let Some(group) = criterion.get("group").and_then(Value::as_array) {
        return fits_all(group, person);
    }
    let kind = text(criterion, "type");
    let values = criterion
        .get("values")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let values = values
        .chain(criterion.get("value"))
        .filter_map(Value::as_str)
        .map(str::to_lowercase);
    let values: Vec<String> = values.collect();
    // The index is not case-sensitive.
    let matches = |field: &str| {
        let field = field.to_lowercase();
        values.iter().any(|value| match kind {
            "CONTAINS" => field.contains(value),
            "STARTS_WITH" => field.starts_with(value),
            _ => field == *value,
        })
    };
    kind == "MATCH_ALL" || fields(criterion).any(|name| matches(field(person, name)))
}

fn fields(criterion: &Value) -> impl Iterator<Item = &str> {
    criterion
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
