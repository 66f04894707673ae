//! The audit log: who changed a thing lately. It is told for the record; nothing is decided by it.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    send::Request,
};

/// The entries that are read: the newest. More than these nobody reads to learn who was there.
pub const AUDIT_ENTRIES_MAX: usize = 100;

/// A change in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it was logged.
    pub at: DateTime<Utc>,
    /// The id of the user who made the change; else of the OAuth client that did.
    pub who: Option<String>,
    /// What was done, such as `Update`.
    pub action: Option<String>,
    /// The service of Genesys that logged it, such as `Directory`.
    pub service: Option<String>,
}

#[derive(Deserialize)]
struct RawLog {
    entities: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    event_date: DateTime<Utc>,
    user: Option<RawNamed>,
    client: Option<RawNamed>,
    action: Option<String>,
    service_name: Option<String>,
    entity: Option<RawNamed>,
}

#[derive(Deserialize)]
struct RawNamed {
    id: Option<String>,
}

impl From<RawEntry> for AuditEntry {
    fn from(raw: RawEntry) -> Self {
        let id = |named: Option<RawNamed>| named?.id;
        let who = id(raw.user).or_else(|| id(raw.client));
        Self { at: raw.event_date, who, action: raw.action, service: raw.service_name }
    }
}

impl Genesys {
    /// Reads the newest changes of the thing with this id, newest first, [`AUDIT_ENTRIES_MAX`] at most. The log lags by
    /// minutes, and this form of it goes back 14 days.
    pub async fn changes_of(
        &self,
        entity: &str,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<AuditEntry>, Error> {
        let subject = "the changes of a thing";
        let body = json!({
            "interval": interval(since, until),
            "filters": [{"property": "EntityId", "value": entity}],
            "sort": [{"name": "Timestamp", "sortOrder": "descending"}],
            "pageNumber": 1,
            "pageSize": AUDIT_ENTRIES_MAX,
        });
        let request = Request::with_body(Method::POST, "/api/v2/audits/query/realtime".to_owned(), body);
        let (log, trace): (RawLog, Trace) = self.read(subject, &request).await?;
        // Genesys says what an entry is about, but need not.
        let is_foreign = |named: &RawNamed| named.id.as_deref().is_some_and(|id| id != entity);
        if log.entities.iter().any(|entry| entry.entity.as_ref().is_some_and(is_foreign)) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        let mut entries: Vec<_> = log.entities.into_iter().map(AuditEntry::from).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(AUDIT_ENTRIES_MAX);
        Ok(entries)
    }
}

/// Writes a time range as Genesys reads it.
pub(super) fn interval(since: DateTime<Utc>, until: DateTime<Utc>) -> Value {
    let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{}/{}", text(since), text(until)).into()
}
