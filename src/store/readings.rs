//! What an event says, as its row keeps it: the reading of an item, to be shown and to be compared with a later one.

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::events::Item;
use crate::offboarding::policy::{Intake, Said};
use crate::offboarding::{Directive, PersonRef, Reason};

/// Postgres keeps microseconds.
const SUBSECOND_DIGITS: u16 = 6;

/// What an event can be read as.
pub const DISPOSITIONS: [&str; 3] = ["accepted", "held", "ignored"];

/// The words for it, for the description of the API.
pub fn disposition() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(DISPOSITIONS)).into()
}

/// How an event was read.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventReading {
    /// `accepted`, `held` or `ignored`.
    #[schema(schema_with = disposition)]
    pub disposition: String,
    /// Why the event itself had to be held.
    #[schema(required, value_type = Option<Reason>)]
    pub reason: Option<String>,
    /// The sender's own word for what happened.
    #[serde(rename = "event")]
    #[schema(required)]
    pub word: Option<String>,
    /// What the matching rule of the profile asks for; null where no rule matched or nothing could be read.
    #[schema(required)]
    pub directive: Option<String>,
    /// Why it could not be understood: a word for what is wrong with the body, `names_nobody`, or `effective_unreadable` where
    /// its date has no form that is read.
    #[schema(required)]
    pub unreadable: Option<String>,
    /// `leaves` or `stays`; null where the event says neither.
    #[schema(required)]
    pub said: Option<String>,
    /// When the termination takes effect, or from when on the person stays.
    #[schema(required)]
    pub effective_at: Option<DateTime<Utc>>,
    /// As the source sent it, without the white space around it.
    #[schema(required)]
    pub email: Option<String>,
    /// As the source sent it, without the white space around it.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The kind of termination.
    #[serde(rename = "type")]
    #[schema(required)]
    pub termination_type: Option<String>,
    /// The sender's own count.
    #[schema(required)]
    pub sequence: Option<i64>,
    /// When it happened at the sender.
    #[schema(required)]
    pub occurred_at: Option<DateTime<Utc>>,
}

impl EventReading {
    /// The reading of an item, with as much of a moment as the database keeps.
    pub(super) fn of(item: &Item) -> Self {
        let kept = |at: DateTime<Utc>| at.trunc_subsecs(SUBSECOND_DIGITS);
        let (said, effective_at) = match item.intake.said() {
            Some(Said::Leaves(at)) => (Some("leaves"), at),
            Some(Said::Stays(from)) => (Some("stays"), from),
            None => (None, None),
        };
        let (disposition, reason) = match item.intake {
            Intake::Schedule(_) | Intake::Rescind(_) => ("accepted", None),
            Intake::Hold(reason, _) => ("held", Some(reason)),
            Intake::Ignore => ("ignored", None),
        };
        Self {
            disposition: disposition.to_owned(),
            reason: reason.map(|reason| reason.as_str().to_owned()),
            word: item.noted.word.clone(),
            directive: item.noted.directive.map(|directive: Directive| directive.as_str().to_owned()),
            unreadable: item.noted.unreadable.map(str::to_owned),
            said: said.map(str::to_owned),
            effective_at: effective_at.map(kept),
            email: item.person.email.clone(),
            external_id: item.person.external_id.clone(),
            termination_type: item.termination_type.clone(),
            sequence: item.sequence,
            occurred_at: item.occurred_at.map(kept),
        }
    }

    /// The same without what changes nothing: how the event was recognised, and whether it was old when it was judged.
    pub(super) fn meaning(&self) -> Self {
        let is_old = self.reason.as_deref() == Some(Reason::StaleEvent.as_str());
        let (disposition, reason) = if is_old {
            ("accepted".to_owned(), None)
        } else {
            (self.disposition.clone(), self.reason.clone())
        };
        Self { disposition, reason, word: None, directive: None, unreadable: None, ..self.clone() }
    }

    /// The person.
    pub(super) fn person(&self) -> PersonRef {
        PersonRef { email: self.email.clone(), external_id: self.external_id.clone() }
    }
}
