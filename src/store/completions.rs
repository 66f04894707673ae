//! An approver says what an event did not: whom it is about, and when. The approval itself is left to `approvals`.

use chrono::{DateTime, Utc};

use super::decisions::{self, Decided, Decision};
use super::events::{email_lock, lock_keys};
use super::journal::{self, NewEntry};
use super::{Store, StoreError, Tx, approvals, idempotency, in_transaction};
use crate::offboarding::event::email_key;
use crate::offboarding::{Action, Actor, OffboardingId, Reason};

/// What an approver adds to a held offboarding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The address of the person.
    pub email: Option<String>,
    /// When it takes effect.
    pub at: Option<DateTime<Utc>>,
}

impl Facts {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In words for the journal, without personal data.
    fn words(&self) -> String {
        let email = self.email.as_ref().map(|_| "the address".to_owned());
        let at = self.at.map(|at| format!("the moment {}", at.to_rfc3339()));
        email.into_iter().chain(at).collect::<Vec<_>>().join(" and ")
    }
}

impl Store {
    /// Adds the facts to an offboarding that is held for want of them, and releases it, in one transaction.
    pub async fn complete(
        &self,
        id: OffboardingId,
        facts: &Facts,
        actor: &Actor,
    ) -> Result<Decided, StoreError> {
        if idempotency::was_carried_out() {
            return Ok(Decided::Yes);
        }
        let (facts, actor, valid) = (facts.clone(), actor.clone(), self.approval_valid);
        in_transaction(&self.operators, move |tx| {
            let (mut facts, actor) = (facts.clone(), actor.clone());
            Box::pin(async move {
                let held_for = match add(tx, id, &mut facts, &actor).await? {
                    Ok(held_for) => held_for,
                    Err(refused) => return Ok(refused),
                };
                let decided = approvals::approve_one(tx, id, Some(held_for), &actor, valid).await?;
                // After the approval: from now on it is theirs too, and what it is held for next is somebody else's to release.
                if !facts.is_empty() {
                    let words = facts.words();
                    journal::append(tx, NewEntry::note(id, &actor, Action::FactsGiven, Some(&words))).await?;
                }
                Ok(decided)
            })
        })
        .await
    }
}

/// Adds the facts and returns what it is held for, or why not. The address that the event has is no fact more.
async fn add(
    tx: Tx<'_>,
    id: OffboardingId,
    facts: &mut Facts,
    actor: &Actor,
) -> Result<Result<Reason, Decided>, StoreError> {
    let mut key = facts.email.as_deref().and_then(email_key);
    // Before the row, like every delivery that names this person.
    lock_keys(tx, key.iter().map(|key| email_lock(key)).collect()).await?;
    let Some(mut present) = decisions::present(tx, id).await? else {
        return Ok(Err(Decided::Unknown));
    };
    present.completed = facts.at.is_some() || !present.named;
    present.named |= key.is_some();
    if let Some(refused) = decisions::refusal(&present, Decision::Approve, actor) {
        return Ok(Err(refused));
    }
    if key.is_some()
        && let Some(known) = address_key(tx, id).await?
    {
        // Whom the event named is not changed into somebody else.
        if key != Some(known) {
            return Ok(Err(Decided::NamedAlready));
        }
        (key, facts.email) = (None, None);
    }
    if let Some(other) = decisions::another_open(tx, id).await? {
        return Ok(Err(Decided::AnotherOpen(other)));
    }
    let held_for = match present.reason {
        Some(reason @ (Reason::LookupRequired | Reason::Unreadable | Reason::EffectiveDateMissing)) => reason,
        Some(reason) => return Ok(Err(Decided::HeldFor(reason))),
        None => return Ok(Err(Decided::NotFrom(present.status))),
    };
    let other = sqlx::query_scalar!(
        // open_by_email
        "select id from offboardings where email_key = $1 and id <> $2 and status in ('scheduled', 'held')",
        key,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(other) = other {
        return Ok(Err(Decided::AnotherOpen(OffboardingId(other))));
    }
    sqlx::query!(
        // add_facts
        "update offboardings
         set email = coalesce($2, email), email_key = case when $2::text is null then email_key else $3 end,
             effective_at = coalesce($4, effective_at), updated_at = now(),
             -- Whoever was matched without the address is found anew.
             genesys_user_id = case when $2::text is null then genesys_user_id end,
             found_inactive = case when $2::text is null then found_inactive end, not_found_at = null,
             -- What could not be understood has been said; that the person leaves is what is approved now.
             reason = case when reason = 'unreadable' then 'lookup_required' else reason end
         where id = $1",
        id.0,
        facts.email,
        key,
        facts.at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(Ok(held_for))
}

/// The event's own address, as addresses are compared.
async fn address_key(tx: Tx<'_>, id: OffboardingId) -> Result<Option<String>, StoreError> {
    let key = sqlx::query_scalar!(
        // address_key
        "select email_key from offboardings where id = $1",
        id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(key)
}
