//! What an operator's own termination brings besides an event: who asks and why, and perhaps the very user. It is accepted
//! by `events` like any other delivery.

use super::events::Delivery;
use super::{StoreError, Tx};
use crate::offboarding::{Actor, OffboardingId};

/// An operator's own termination: what it says besides an event.
#[derive(Clone, Debug)]
pub struct AskedBy {
    /// Who asks.
    pub operator: Actor,
    /// Why, in the operator's words. They stand in the journal and are never logged.
    pub why: String,
    /// The Genesys user, where the operator named one by id.
    pub genesys_user_id: Option<String>,
}

impl Delivery {
    /// Who is written down as the one who brought it.
    pub(super) fn actor(&self) -> Actor {
        self.asked.as_ref().map_or_else(|| Actor::Hris(self.source.clone()), |asked| asked.operator.clone())
    }

    /// The Genesys user that it is about, where it says so.
    pub(super) fn user(&self) -> Option<&str> {
        self.asked.as_ref()?.genesys_user_id.as_deref()
    }
}

/// Serialises whoever makes an offboarding one about this user: `claim`, and an operator who names the user.
pub(super) async fn lock_user(tx: Tx<'_>, user: &str) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 1))", user).execute(&mut **tx).await?;
    Ok(())
}

/// Whoever asked first can't approve it, whatever it is held for later.
pub(super) async fn note_requester(
    tx: Tx<'_>,
    id: OffboardingId,
    operator: &Actor,
) -> Result<(), StoreError> {
    sqlx::query!(
        // note_requester
        "update offboardings set requested_by = $2 where id = $1 and requested_by is null",
        id.0,
        operator.to_string(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
