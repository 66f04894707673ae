//! Whose a Genesys user is: only one open offboarding at a time is about a user.

use super::asked::lock_user;
use super::journal::{self, NewEntry};
use super::leases::Fence;
use super::{Store, StoreError, Tx, in_transaction};
use crate::offboarding::{Action, OffboardingId};

/// Whose a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This offboarding's.
    Ours,
    /// Another open offboarding's.
    Others,
    /// The lease is no longer ours.
    LeaseLost,
}

impl Store {
    /// Claims the one exact match: only one open offboarding at a time is about a user. It is stored
    /// with `found_inactive`, which says whether the account was inactive before the first change. The first claim is
    /// journalled, with the note.
    pub async fn resolved(
        &self,
        fence: &Fence,
        id: OffboardingId,
        user: &str,
        found_inactive: Option<bool>,
        note: Option<&'static str>,
    ) -> Result<Claim, StoreError> {
        let (fence, user) = (fence.clone(), user.to_owned());
        in_transaction(&self.worker, move |tx| {
            let (fence, user) = (fence.clone(), user.clone());
            Box::pin(async move { claim(tx, &fence, id, &user, found_inactive, note).await })
        })
        .await
    }

    /// Whether the same termination of this user, or a later one, has been carried out before by another offboarding.
    pub async fn carried_out_before(&self, id: OffboardingId, user: &str) -> Result<bool, StoreError> {
        let user = user.to_owned();
        in_transaction(&self.worker, move |tx| {
            let user = user.clone();
            Box::pin(async move {
                let before = sqlx::query_scalar!(
                    // carried_out_before
                    r#"select exists (select from offboardings earlier
                           join offboardings this on this.id = $1 and earlier.id <> this.id
                           where earlier.genesys_user_id = $2 and earlier.status = 'done'
                             and earlier.outcome <> 'not_in_genesys'
                             and earlier.effective_at >= this.effective_at) as "before!""#,
                    id.0,
                    user,
                )
                .fetch_one(&mut **tx)
                .await?;
                Ok(before)
            })
        })
        .await
    }
}

async fn claim(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    user: &str,
    found_inactive: Option<bool>,
    note: Option<&str>,
) -> Result<Claim, StoreError> {
    lock_user(tx, user).await?;
    let seen = sqlx::query!(
        // claim
        r#"select exists (select from offboardings
           where genesys_user_id = $1 and id <> $2 and status in ('scheduled', 'held')) as "others!",
           exists (select from offboardings where id = $2 and genesys_user_id is null) as "first!""#,
        user,
        id.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    if seen.others {
        return Ok(Claim::Others);
    }
    let updated = sqlx::query!(
        "update offboardings set genesys_user_id = $3, found_inactive = coalesce($4, found_inactive), not_found_at = null,
             updated_at = now()
         where id = $1 and lease_token = $2 and (genesys_user_id is null or genesys_user_id = $3)",
        id.0,
        fence.token,
        user,
        found_inactive,
    )
    .execute(&mut **tx)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Claim::LeaseLost);
    }
    if seen.first {
        let note = NewEntry::note(id, &fence.worker, Action::PersonResolved, note);
        journal::append(tx, NewEntry { target: Some(user), ..note }).await?;
    }
    Ok(Claim::Ours)
}
