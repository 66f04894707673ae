//! Audit records and transactions as the platform shows them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::super::Call;
use super::services::ENTITY;
use crate::organisation::{Actor, AuditRecord, AuditTransaction, Organisation};

/// Gives a page of records; the names of users only where they were asked for.
pub(super) fn records(organisation: &Organisation, call: &Call<'_>, records: &[AuditRecord]) -> Vec<Value> {
    let with_names = call.list("expand").iter().any(|name| name == "user");
    let name = |id: &str| organisation.truth(id).filter(|_| with_names).map(|person| person.name.clone());
    records.iter().map(|record| message(organisation, record, name)).collect()
}

fn message(
    organisation: &Organisation,
    record: &AuditRecord,
    name: impl Fn(&str) -> Option<String>,
) -> Value {
    let changes = record
        .changes
        .iter()
        .map(|change| json!({"property": change.property, "oldValues": change.old, "newValues": change.new}));
    let mut message = json!({
        "id": record.id,
        "userHomeOrgId": organisation.own_id(),
        "serviceName": record.service,
        "level": "USER",
        "eventDate": date(record.at),
        "action": record.action,
        "entity": {"id": record.entity, "selfUri": format!("/api/v2/users/{}", record.entity)},
        "entityType": ENTITY,
        "status": "SUCCESS",
        "propertyChanges": changes.collect::<Vec<_>>(),
        "context": {},
    });
    match &record.actor {
        Actor::Client(id) => {
            message["client"] = json!({"id": id, "selfUri": format!("/api/v2/oauth/clients/{id}")});
        }
        Actor::Administrator(id) => {
            message["user"] = json!({"id": id, "selfUri": format!("/api/v2/users/{id}")});
            if let Some(name) = name(id) {
                message["user"]["name"] = Value::from(name);
            }
        }
    }
    message
}

/// Gives a transaction, with the query it answers.
pub(super) fn status(id: &str, transaction: &AuditTransaction, state: &str) -> Value {
    let sent = |name: &str| Some((name.to_owned(), transaction.query.get(name)?.clone()));
    let mut status: Map<String, Value> =
        ["interval", "serviceName", "filters", "sort"].into_iter().filter_map(sent).collect();
    status.insert("id".to_owned(), Value::from(id));
    status.insert("state".to_owned(), Value::from(state));
    status.insert("startDate".to_owned(), date(transaction.begun));
    Value::Object(status)
}

fn date(moment: DateTime<Utc>) -> Value {
    Value::from(moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}
