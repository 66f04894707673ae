//! Reports: what stays behind of a user, for people to look at. Nothing here is ever taken away.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    ids::{ConsumerId, UserId, segment},
    page::{Completeness, Entry, PAGE_SIZE, Page},
    send::Request,
};

/// A resource that uses a user, such as a flow that transfers to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The resource's id.
    pub id: ConsumerId,
    /// The resource's name.
    pub name: Option<String>,
    /// The resource's kind, such as `INBOUNDCALLFLOW`.
    pub kind: Option<String>,
}

/// The resources that use a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumers {
    /// The resources, each once whatever its versions, sorted by id.
    pub items: Vec<Consumer>,
    /// Whether they are all.
    pub complete: Completeness,
}

#[derive(Deserialize)]
struct RawDependency {
    id: ConsumerId,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    version: Option<String>,
    deleted: Option<bool>,
}

/// A dependency with what it is known by: a flow is listed once for each of its versions.
#[derive(Deserialize)]
#[serde(from = "RawDependency")]
struct Dependency {
    key: String,
    raw: RawDependency,
}

impl From<RawDependency> for Dependency {
    fn from(raw: RawDependency) -> Self {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        Self { key: format!("{} {} {}", raw.id, part(&raw.kind), part(&raw.version)), raw }
    }
}

impl Entry for Dependency {
    fn key(&self) -> &str {
        &self.key
    }
}

#[derive(Deserialize)]
struct RawMessages {
    entities: Vec<serde_json::Map<String, serde_json::Value>>,
    total: u64,
}

impl Genesys {
    /// Reads which resources use the user, by Architect's dependency tracking. While Genesys puts its data together the
    /// answer is partial (206); where there is none at all it fails with status 410.
    pub async fn consumers_of(&self, user: &UserId) -> Result<Consumers, Error> {
        let path = "/api/v2/architect/dependencytracking/consumingresources";
        let query = format!("id={}&objectType=USER&pageSize={PAGE_SIZE}", segment(user.as_str()));
        let page = |number| Request::get(format!("{path}?{query}&pageNumber={number}"));
        let found = self.walk_pages::<Page<Dependency>, _>("what uses a user", page, |_| false).await?;
        let mut items = BTreeMap::new();
        for RawDependency { id, name, kind, deleted, .. } in found.entries.into_iter().map(|entry| entry.raw)
        {
            if deleted != Some(true) {
                items.insert((id.clone(), kind.clone()), Consumer { id, name, kind });
            }
        }
        Ok(Consumers { items: items.into_values().collect(), complete: found.completeness })
    }

    /// Counts the voicemail messages of the user.
    pub async fn voicemail_of(&self, user: &UserId) -> Result<u64, Error> {
        let subject = "the voicemail of a user";
        // The total counts; the messages themselves are nobody's business here.
        let path =
            format!("/api/v2/voicemail/users/{}/messages?pageSize=1&pageNumber=1", segment(user.as_str()));
        let (found, trace): (RawMessages, Trace) = self.read(subject, &Request::get(path)).await?;
        if found.entities.is_empty() != (found.total == 0) {
            return Err(Error::Malformed { subject, fault: Fault::PagesContradict, trace });
        }
        Ok(found.total)
    }
}
