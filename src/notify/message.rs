//! What is told: the facts of one callback, as the usual body and as values for places.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::Share;
use crate::offboarding::{OffboardingId, Reason};
use crate::store::callbacks::DueCallback;

/// The places that there are, in the order of the documentation.
pub(super) const PLACES: &[&str] = &[
    "id",
    "type",
    "timestamp",
    "sequence",
    "offboarding",
    "status",
    "outcome",
    "reason",
    "result",
    "goal",
    "source",
    "email",
    "external_id",
    "genesys_user_id",
    "event_ids",
    "effective_at",
    "completed_at",
    "evidence",
    "next_action",
];

/// What a test is sent as.
pub(super) const TEST: &str = "leaver.test";

/// The facts of one callback, as far as its target is told them.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: Uuid,
    kind: String,
    occurred_at: DateTime<Utc>,
    data: Value,
}

impl Message {
    /// Takes the facts; `console` is where people look at them.
    pub(super) fn new(due: &DueCallback, share: Share, console: Option<&Url>) -> Self {
        let person = match share {
            Share::Full => json!({ "email": due.email, "external_id": due.external_id,
                                   "genesys_user_id": due.genesys_user_id }),
            Share::Ids => json!({ "external_id": due.external_id, "genesys_user_id": due.genesys_user_id }),
            Share::None => Value::Null,
        };
        let reason: Option<Reason> = due.reason.as_deref().and_then(|reason| reason.parse().ok());
        let next_action = reason.map(|reason| sentence(reason.next_action()));
        let mut data = json!({
            "id": due.offboarding,
            "sequence": due.sequence,
            "status": due.status,
            "outcome": due.outcome,
            "reason": due.reason,
            "goal": due.goal,
            "source": due.source,
            "event_ids": due.event_ids,
            "effective_at": time(due.effective_at),
            "completed_at": due.completed_at.map(time),
            "next_action": next_action,
        });
        if let Value::Object(fields) = &mut data {
            if !person.is_null() {
                fields.insert("person".to_owned(), person);
            }
            if let Some(link) = evidence(console, due.offboarding) {
                fields.insert("evidence".to_owned(), link.into());
            }
        }
        Self { id: due.id, kind: due.event.clone(), occurred_at: due.occurred_at, data }
    }

    /// One about nobody, to try a target with.
    pub(super) fn test(now: DateTime<Utc>) -> Self {
        let words = "Nothing: somebody tries whether this arrives.";
        Self {
            id: Uuid::new_v4(),
            kind: TEST.to_owned(),
            occurred_at: now,
            data: json!({ "next_action": words }),
        }
    }

    /// The usual body, as Standard Webhooks has it.
    pub(super) fn body(&self) -> String {
        let timestamp = time(self.occurred_at);
        json!({ "type": self.kind, "timestamp": timestamp, "data": self.data }).to_string()
    }

    /// The value for a place; none where it is not known or not to be told.
    pub(super) fn value(&self, place: &str) -> Option<String> {
        let of = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(items) => {
                Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
            }
            Value::Null | Value::Bool(_) | Value::Object(_) => None,
        };
        match place {
            "id" => Some(self.id.to_string()),
            "type" => Some(self.kind.clone()),
            "timestamp" => Some(time(self.occurred_at)),
            "offboarding" => of(&self.data["id"]),
            "result" => of(&self.data["outcome"]).or_else(|| of(&self.data["reason"])),
            "email" | "external_id" | "genesys_user_id" => of(&self.data["person"][place]),
            other => of(&self.data[other]),
        }
    }
}

fn evidence(console: Option<&Url>, offboarding: OffboardingId) -> Option<String> {
    console?.join(&format!("/offboardings/{offboarding}")).ok().map(String::from)
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Words that go on after others, as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
