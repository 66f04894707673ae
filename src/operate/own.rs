//! An operator's own termination: read like a sender's event, judged by the same policy, and accepted like a delivery of the
//! reserved source.

use std::collections::BTreeMap;

use chrono::Utc;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use uuid::Uuid;

use super::{OperateError, show, when};
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::{Actor, Directive, Effective, Heard, PersonRef, TerminationEvent, Zone, policy};
use crate::store::Store;
use crate::store::events::{Accepted, AskedBy, Delivery, Item, Noted};
use crate::store::views::View;

/// The source of operators' own terminations. No configured source has this name.
const SOURCE: &str = policy::OPERATORS_SOURCE;

/// The most characters of a reason, and of a person and a type.
pub(super) const REASON_CHARS_MAX: usize = 500;
pub(super) const PERSON_CHARS_MAX: usize = 254;
pub(super) const TYPE_CHARS_MAX: usize = 100;

/// The most characters of a key that the caller chooses.
const KEY_CHARS_MAX: usize = 255;

/// What an own termination needs of the configuration.
#[derive(Clone, Debug)]
pub struct OwnRules {
    /// The zone of dates and times that name none.
    pub zone: Zone,
    /// When on a date without a time it takes effect.
    pub effective_at: EffectiveAt,
    /// Whether people can be looked up by external id.
    pub external_ids: ExternalIds,
}

/// Whether Genesys Cloud is asked for external ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalIds {
    /// An authority is configured.
    Known,
    /// None is.
    Unknown,
}

fn person() -> Schema {
    when::words_schema(PERSON_CHARS_MAX)
}

/// The schema of a reason.
pub fn reason() -> Schema {
    when::words_schema(REASON_CHARS_MAX)
}

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnTermination {
    /// An e-mail address, an external id or a Genesys user id.
    #[schema(schema_with = person)]
    pub person: String,
    /// Why, in the operator's words. It stands in the journal.
    #[schema(schema_with = reason)]
    pub reason: String,
    /// When: RFC 3339, or a date or a local time in the policy's zone; now where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The kind of termination.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub termination_type: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Taken {
    /// Stored; it opened this offboarding or joined it.
    New(Box<View>),
    /// Asked for before under the same key; the offboarding as it is now.
    Known(Box<View>),
    /// The key is known with other content.
    KeyReused,
}

/// Whom somebody means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    Email(String),
    User(String),
    External(String),
}

/// Takes a person for an address where there is an `@`, for a Genesys user where it is a UUID in its usual form, and else
/// for an external id.
pub(super) fn named(person: &str) -> Named {
    let usual = person.len() == "00000000-0000-0000-0000-000000000000".len();
    match Uuid::try_parse(person) {
        _ if person.contains('@') => Named::Email(person.to_owned()),
        Ok(id) if usual => Named::User(id.hyphenated().to_string()),
        Ok(_) | Err(_) => Named::External(person.to_owned()),
    }
}

/// Stores an operator's own termination. With `key`, asking again with the same key is asking once.
pub async fn offboard(
    store: &Store,
    rules: &OwnRules,
    asked: &OwnTermination,
    key: Option<&str>,
    operator: &Actor,
) -> Result<Taken, OperateError> {
    let delivery = delivery(rules, asked, key, operator)?;
    let (receipt, known) = match store.accept_termination(delivery).await? {
        Accepted::New(receipt) | Accepted::Held(receipt) | Accepted::Ignored(receipt) => (receipt, false),
        Accepted::Duplicate(receipt) => (receipt, true),
        Accepted::Conflict => return Ok(Taken::KeyReused),
    };
    let id = receipt.offboardings.first().map(|brief| brief.id).ok_or(OperateError::Gone)?;
    let view = Box::new(show(store, id).await?.ok_or(OperateError::Gone)?);
    Ok(if known { Taken::Known(view) } else { Taken::New(view) })
}

fn delivery(
    rules: &OwnRules,
    asked: &OwnTermination,
    key: Option<&str>,
    operator: &Actor,
) -> Result<Delivery, OperateError> {
    let person = when::words("person", &asked.person, PERSON_CHARS_MAX)?;
    let why = when::words("reason", &asked.reason, REASON_CHARS_MAX)?;
    let termination_type = asked.termination_type.as_deref();
    let termination_type =
        termination_type.map(|kind| when::words("type", kind, TYPE_CHARS_MAX)).transpose()?;
    let now = Utc::now();
    let effective = asked.at.as_deref().map_or(Ok(Effective::At(now)), |at| when::read("at", at))?;
    // The key is the operator's own: another's same word is about something else.
    let own = |key| checked_key(key).map(|key| format!("{operator}:{key}"));
    let event_id = key.map_or_else(|| Ok(Uuid::now_v7().to_string()), own)?;
    let body = serde_json::to_vec(asked).map_err(|_| OperateError::Gone)?;
    let (person, named, user) = match named(&person) {
        Named::Email(email) => {
            let person = PersonRef { email: Some(email), external_id: None };
            (person.clone(), person, None)
        }
        Named::External(_) if rules.external_ids == ExternalIds::Unknown => {
            return Err(OperateError::NoAuthority);
        }
        Named::External(id) => {
            let person = PersonRef { email: None, external_id: Some(id) };
            (person.clone(), person, None)
        }
        // The policy only asks whether anybody is named; the row names the user itself.
        Named::User(id) => {
            (PersonRef::default(), PersonRef { email: None, external_id: Some(id.clone()) }, Some(id))
        }
    };
    let event = TerminationEvent {
        event_id,
        content_digest: Sha256::digest(&body).into(),
        again_after: None,
        directive: Directive::Terminate,
        person: named,
        effective,
        sequence: None,
        occurred_at: Some(now),
        termination_type,
        heard: Heard::default(),
    };
    let item = Item {
        intake: policy::intake(&event, &rules.zone, rules.effective_at, now),
        noted: Noted { directive: Some(event.directive), ..Noted::default() },
        event_id: event.event_id,
        content_digest: event.content_digest,
        again_after: None,
        person,
        termination_type: event.termination_type,
        sequence: None,
        occurred_at: Some(now),
        look_up: false,
    };
    let asked = AskedBy { operator: operator.clone(), why, genesys_user_id: user };
    Ok(Delivery {
        source: SOURCE.to_owned(),
        key_index: 0,
        body,
        headers: BTreeMap::new(),
        items: vec![item],
        asked: Some(asked),
    })
}

fn checked_key(key: &str) -> Result<String, OperateError> {
    let usable = (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match usable {
        true => Ok(key.to_owned()),
        false => Err(OperateError::field("Idempotency-Key", "expected 1 to 255 visible ASCII characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_address_by_user_or_by_external_id() {
        let id = "4C3C9F7E-9A0B-4D6D-9E0E-0A1B2C3D4E5F";
        assert_eq!(named("a@b.c"), Named::Email("a@b.c".to_owned()));
        assert_eq!(named(id), Named::User(id.to_lowercase()));
        for external in ["W1", "4c3c9f7e9a0b4d6d9e0e0a1b2c3d4e5f", "{4c3c9f7e-9a0b-4d6d-9e0e-0a1b2c3d4e5f}"] {
            assert_eq!(named(external), Named::External(external.to_owned()));
        }
    }
}
