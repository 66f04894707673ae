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
    let criteria = call.body.get("query").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut remarks = Vec::new();
    check(criteria, NESTING_MAX, &mut remarks);
    if !remarks.is_empty() {
        organisation.remarks.append(&mut remarks);
        return Err(Problem::bad_request("The search is not simulated."));
    }
    organisation.count_read_of_all(Kind::Search, call.now);
    let by_state = criteria.iter().any(|criterion| fields(criterion).any(|field| field == "state"));
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
    let results = on_page.iter().map(|person| user_json::expanded(organisation, call, person, &expand));
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
        criteria.iter().filter(move |criterion| text(criterion, "operator") == operator)
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
    kind == "MATCH_ALL" || fields(criterion).any(|name| has_value(criterion, kind, field(person, name)))
}

/// Compares a field with the values of a criterion; the index is not case-sensitive.
fn has_value(criterion: &Value, kind: &str, field: &str) -> bool {
    let values = criterion.get("values").and_then(Value::as_array).into_iter().flatten();
    let mut values = values.chain(criterion.get("value")).filter_map(Value::as_str);
    values.any(|value| match kind {
        "CONTAINS" => field.to_lowercase().contains(&value.to_lowercase()),
        "STARTS_WITH" => field.to_lowercase().starts_with(&value.to_lowercase()),
        // Everybody is compared, so the usual case must not allocate.
        _ if field.is_ascii() => field.eq_ignore_ascii_case(value),
        _ => field.to_lowercase() == value.to_lowercase(),
    })
}

fn fields(criterion: &Value) -> impl Iterator<Item = &str> {
    criterion.get("fields").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::Person;
    use crate::presets;
    use crate::probe::Probe;
    use crate::rules::Lag;

    async fn find(probe: &Probe, query: Value) -> Vec<String> {
        let reply = probe.send("POST", "/api/v2/users/search", &json!({"query": query})).await;
        let results = reply.body["results"].as_array().unwrap();
        results.iter().map(|user| text(user, "email").to_owned()).collect()
    }

    #[tokio::test]
    async fn an_exact_address_finds_one_whatever_its_case_and_criteria_are_joined_by_and() {
        let probe = Probe::start().await;
        probe.simulator.organisation(presets::demonstration);
        let email = json!({"type": "EXACT", "fields": ["email"], "value": "JANE.DOE@example.com"});
        assert_eq!(find(&probe, json!([email])).await, ["jane.doe@example.com"]);
        let active = json!({"type": "EXACT", "fields": ["state"], "values": ["active"]});
        assert_eq!(find(&probe, json!([email, active])).await.len(), 1);
        let inactive = json!({"type": "EXACT", "fields": ["state"], "values": ["inactive"]});
        assert!(find(&probe, json!([email, inactive])).await.is_empty());
        let several = json!({"type": "EXACT", "fields": ["email"], "values": ["jane.doe@example.com", "omar.haddad@example.com"]});
        assert_eq!(find(&probe, json!([several])).await.len(), 2);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn inactive_users_are_found_and_deleted_ones_only_by_their_state() {
        let probe = Probe::start().await;
        probe.simulator.organisation(|org| {
            org.add_person(Person::new("A", "same@example.com").state(AccountState::Inactive));
            org.add_person(Person::new("B", "same@example.com").state(AccountState::Deleted));
        });
        let email = json!({"type": "EXACT", "fields": ["email"], "value": "same@example.com"});
        assert_eq!(find(&probe, json!([email])).await.len(), 1);
        let deleted = json!({"type": "EXACT", "fields": ["state"], "values": ["deleted"]});
        assert_eq!(find(&probe, json!([email, deleted])).await.len(), 1);
        probe.simulator.rules(|rules| rules.search_scope = SearchScope::ActiveOnly);
        assert!(find(&probe, json!([email])).await.is_empty());
    }

    #[tokio::test]
    async fn the_index_lags_behind_writes_for_as_many_reads_as_told() {
        let probe = Probe::start().await;
        let jane = probe.simulator.organisation(presets::demonstration)[0].clone();
        probe.simulator.set_lag(Kind::Search, Lag::Reads(2));
        probe.deactivate(&jane).await;
        let active = json!([
            {"type": "EXACT", "fields": ["email"], "value": "jane.doe@example.com"},
            {"type": "EXACT", "fields": ["state"], "values": ["active"]}]);
        assert_eq!(find(&probe, active.clone()).await.len(), 1);
        assert_eq!(find(&probe, active.clone()).await.len(), 1);
        assert!(find(&probe, active).await.is_empty());
    }

    #[tokio::test]
    async fn a_search_the_tutorials_print_is_refused_and_a_violation() {
        let probe = Probe::start().await;
        let body = json!({"query": "email:jane.doe@example.com"});
        assert_eq!(probe.send("POST", "/api/v2/users/search", &body).await.status, 400);
        assert!(!probe.simulator.violations().is_empty());
    }
}
