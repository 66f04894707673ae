//! Queries of the audit trail: at once, or as a transaction that is polled. What is in the trail is left to `organisation`.

mod services;
mod shapes;

use serde_json::{Value, json};

use super::interval::Interval;
use super::paging::Page;
use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{Actor, AuditRecord, AuditTransaction, Organisation};

pub(super) const OPERATIONS: Operations = &[
    ("postAuditsQueryRealtime", query_realtime),
    ("postAuditsQuery", begin_query),
    ("getAuditsQueryTransactionId", poll_query),
    ("getAuditsQueryTransactionIdResults", get_results),
    ("getAuditsQueryServicemapping", get_services),
    ("getAuditsQueryRealtimeServicemapping", get_services),
];

/// How far a query in real time reaches, in days.
const REALTIME_DAYS_MAX: u32 = 14;

/// The largest page of audit records.
const RECORDS_MAX: usize = 500;

/// The smallest page of the results of a transaction.
const RESULTS_MIN: usize = 25;

/// The states of a transaction; each poll moves it on by one.
const STATES: [&str; 3] = ["Queued", "Running", "Succeeded"];

/// Tells the trail as what the changes of a call are to be filed.
pub(super) fn begin(organisation: &mut Organisation, call: &Call<'_>) {
    let action = if call.operation.id == "deleteUser" { "Delete" } else { "Update" };
    organisation.audits.begin(services::service(&call.operation.path), action);
}

fn query_realtime(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let interval = Interval::of(call, Some(REALTIME_DAYS_MAX))?;
    check_service(call)?;
    let page = Page::of_body(call, RECORDS_MAX)?;
    let trail = organisation.audits.read(call.now);
    let found = select(&trail, interval, call.body);
    let total = found.len();
    let entities = shapes::records(organisation, call, &page.cut(found));
    Ok(Answer::json(json!({
        "entities": entities,
        "pageSize": page.size,
        "pageNumber": page.number,
        "total": total,
        "pageCount": page.count(total),
    })))
}

fn begin_query(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    Interval::of(call, None)?;
    check_service(call)?;
    let transaction =
        AuditTransaction { query: call.body.clone(), begun: call.wall_clock, polls: 0, found: Vec::new() };
    let id = organisation.add_audit_transaction(transaction.clone());
    Ok(Answer { status: 202, ..Answer::json(shapes::status(&id, &transaction, state(&transaction))) })
}

/// Answers 202 while the transaction runs.
fn poll_query(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("transactionId");
    let mut transaction = organisation.audits.transaction(id).cloned().ok_or_else(Problem::not_found)?;
    if !is_done(&transaction) {
        transaction.polls += 1;
        if is_done(&transaction) {
            // What is visible at this moment is the result; later records need another query.
            let interval = Interval::in_body(&transaction.query)?;
            let trail = organisation.audits.read(call.now);
            transaction.found = select(&trail, interval, &transaction.query);
        }
        if let Some(kept) = organisation.audits.transaction(id) {
            kept.clone_from(&transaction);
        }
    }
    let status = if is_done(&transaction) { 200 } else { 202 };
    Ok(Answer { status, ..Answer::json(shapes::status(id, &transaction, state(&transaction))) })
}

fn get_results(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("transactionId");
    let transaction = organisation.audits.transaction(id).cloned().ok_or_else(Problem::not_found)?;
    if !is_done(&transaction) {
        return Err(Problem::bad_request("The query has not succeeded yet."));
    }
    let size = call.parameter("pageSize").map_or(Some(RESULTS_MIN), |size| size.parse().ok());
    let size = size.filter(|size| (RESULTS_MIN..=RECORDS_MAX).contains(size)).ok_or_else(|| {
        Problem::bad_request(&format!("pageSize must be between {RESULTS_MIN} and {RECORDS_MAX}."))
    })?;
    let begin = cursor(call)?;
    let on_page: Vec<AuditRecord> = transaction.found.iter().skip(begin).take(size).cloned().collect();
    let next = begin + on_page.len();
    let entities = shapes::records(organisation, call, &on_page);
    let mut answer = json!({"id": id, "pageSize": size, "entities": entities});
    if next < transaction.found.len() {
        answer["cursor"] = Value::from(format!("{CURSOR}{next}"));
    }
    Ok(Answer::json(answer))
}

/// What cursors begin with, so that no client mistakes them for numbers.
const CURSOR: &str = "after-";

fn cursor(call: &Call<'_>) -> Result<usize, Problem> {
    let Some(cursor) = call.parameter("cursor") else {
        return Ok(0);
    };
    let begin = cursor.strip_prefix(CURSOR).and_then(|begin| begin.parse().ok());
    begin.ok_or_else(|| Problem::bad_request("The cursor is not valid."))
}

fn get_services(_: &mut Organisation, _: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Answer::json(services::mapping()))
}

fn check_service(call: &Call<'_>) -> Result<(), Problem> {
    let name = text(call.body, "serviceName");
    if name.is_empty() || services::is_known(name) {
        return Ok(());
    }
    Err(Problem::bad_request(&format!("Service [{name}] is not known; see the service mapping.")))
}

/// Gives the records that a query asks for, the newest first unless it sorts them the other way.
fn select(trail: &[AuditRecord], interval: Interval, query: &Value) -> Vec<AuditRecord> {
    let service = text(query, "serviceName");
    let filters = query.get("filters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut found: Vec<AuditRecord> = trail
        .iter()
        .filter(|record| interval.contains(record.at))
        .filter(|record| service.is_empty() || record.service == service)
        .filter(|record| filters.iter().all(|filter| satisfies(record, filter)))
        .cloned()
        .collect();
    if query.pointer("/sort/0/sortOrder").and_then(Value::as_str) != Some("ascending") {
        found.reverse();
    }
    found
}

fn satisfies(record: &AuditRecord, filter: &Value) -> bool {
    let value = text(filter, "value");
    match text(filter, "property") {
        "EntityId" => record.entity == value,
        "EntityType" => services::ENTITY.eq_ignore_ascii_case(value),
        "Action" => record.action == value,
        "UserId" => matches!(&record.actor, Actor::Administrator(id) if id == value),
        "ClientId" => matches!(&record.actor, Actor::Client(id) if id == value),
        // There is no trustee organization.
        _ => false,
    }
}

fn state(transaction: &AuditTransaction) -> &'static str {
    STATES.get(transaction.polls).copied().unwrap_or_default()
}

fn is_done(transaction: &AuditTransaction) -> bool {
    transaction.polls + 1 == STATES.len()
}

#[cfg(test)]
mod tests;
