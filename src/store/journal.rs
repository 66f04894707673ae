//! Writing the journal: entries are only ever added, always in the transaction of what they speak of.

use uuid::Uuid;

use super::{StoreError, Tx, idempotency};
use crate::offboarding::{Action, Actor, OffboardingId};

/// An entry to be written; the database adds the time.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry<'a> {
    /// None where it is about the service as a whole.
    pub(crate) offboarding: Option<OffboardingId>,
    pub(crate) actor: &'a Actor,
    pub(crate) action: Action,
    pub(crate) step: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) result: Option<&'a str>,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) correlation_id: Option<&'a str>,
}

impl<'a> NewEntry<'a> {
    /// An entry that speaks of no call.
    pub(crate) fn note(
        offboarding: OffboardingId,
        actor: &'a Actor,
        action: Action,
        result: Option<&'a str>,
    ) -> Self {
        Self { offboarding: Some(offboarding), ..Self::of_the_service(actor, action, result) }
    }

    /// An entry about the service as a whole, which belongs to no offboarding.
    pub(crate) fn of_the_service(actor: &'a Actor, action: Action, result: Option<&'a str>) -> Self {
        Self {
            offboarding: None,
            actor,
            action,
            step: None,
            target: None,
            result,
            request_id: None,
            correlation_id: None,
        }
    }
}

/// Adds one entry. What an operator's request has written here is carried out.
pub(crate) async fn append(tx: Tx<'_>, entry: NewEntry<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        // append
        "insert into journal (offboarding_id, actor, action, step, target, result, request_id, correlation_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        entry.offboarding.map(|id| id.0),
        entry.actor.to_string(),
        entry.action.as_str(),
        entry.step,
        entry.target,
        entry.result,
        entry.request_id,
        entry.correlation_id,
    )
    .execute(&mut **tx)
    .await?;
    idempotency::carried_out(tx).await
}
