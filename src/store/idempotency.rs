//! Requests under an `Idempotency-Key`: who carries one out, whether it was carried out, and its answer.
//!
//! A request is claimed, carried out, and answered, each in a transaction of its own. The middle one is the action's: whatever
//! writes the record of an action calls [`carried_out`], which finds the claim of the request in whose task it runs. So the
//! database knows for certain whether an action was committed, also where the process died before the answer. The request is
//! then handled once more, under a claim that says so, and the verbs that would refuse a second time ([`was_carried_out`])
//! answer without acting.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::leases::interval;
use super::{Store, StoreError, Tx, in_transaction};

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// After this time without an answer somebody else may carry a request out. No answer takes so long; one that does is
/// refused by the database, so the bound decides nothing but how soon a caller gets on after a crash.
const CLAIM_FOR: Duration = Duration::from_secs(60);

/// Keys that are deleted in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 500;

tokio::task_local! {
    /// The claim under which this task carries a request out.
    static PRESENT: Claim;
}

/// The right to carry one request out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    token: Uuid,
    first: Uuid,
    before: Before,
}

/// What became of the same request under an earlier claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    CarriedOut,
}

/// One request under a key.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    /// The operator's name.
    pub operator: String,
    /// The key.
    pub key: String,
    /// SHA-256 of everything that the request asks for.
    pub digest: [u8; 32],
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status.
    pub status: u16,
    /// The media type, where there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody carries it out: the caller does.
    Mine(Claim),
    /// It was carried out and answered.
    Answered(KeptAnswer),
    /// It is being carried out.
    InUse,
    /// The key was given to another request.
    Reused,
}

impl Store {
    /// Claims a request, or finds what became of it.
    pub async fn claim_key(&self, request: &KeyedRequest) -> Result<Claimed, StoreError> {
        let request = request.clone();
        in_transaction(&self.operators, move |tx| {
            let request = request.clone();
            Box::pin(async move { claim(tx, &request).await })
        })
        .await
    }

    /// Keeps the answer of a request, unless somebody else carries it out by now.
    pub async fn keep_answer(&self, claim: Claim, answer: KeptAnswer) -> Result<(), StoreError> {
        in_transaction(&self.operators, move |tx| {
            let answer = answer.clone();
            Box::pin(async move {
                sqlx::query!(
                    // keep_answer
                    "update idempotency_keys set status = $2, content_type = $3, body = $4, claimed_until = now()
                     where claim = $1",
                    claim.token,
                    i16::try_from(answer.status).unwrap_or(i16::MAX),
                    answer.content_type,
                    answer.body,
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Gives a claim back: the key is free again, or, where the action was committed, its answer can be asked for.
    pub async fn release_key(&self, claim: Claim) -> Result<(), StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // release_key
                    "delete from idempotency_keys where claim = $1 and carried_out_at is null",
                    claim.token
                )
                .execute(&mut **tx)
                .await?;
                sqlx::query!(
                    "update idempotency_keys set claimed_until = now() where claim = $1",
                    claim.token
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Deletes keys that are older than a day, with their answers; whether there may be more of them.
    pub async fn forget_keys(&self) -> Result<bool, StoreError> {
        let forgotten = in_transaction(&self.operators, |tx| Box::pin(forget(tx))).await?;
        Ok(i64::try_from(forgotten).unwrap_or(i64::MAX) >= FORGOTTEN_AT_ONCE)
    }
}

/// Runs something under a claim. Tasks that it spawns don't have it, except for transactions.
pub async fn under<F: Future>(claim: Claim, work: F) -> F::Output {
    PRESENT.scope(claim, work).await
}

/// Whether the request of this task was carried out before and lost its answer.
pub fn was_carried_out() -> bool {
    present().is_some_and(|claim| claim.before == Before::CarriedOut)
}

/// The id of what the request of this task creates: the same each time it is carried out.
pub(super) fn new_id() -> Uuid {
    present().map_or_else(Uuid::now_v7, |claim| claim.first)
}

/// The claim of this task.
pub(super) fn present() -> Option<Claim> {
    PRESENT.try_with(|claim| *claim).ok()
}

/// Runs something with the claim of the task that asked for it.
pub(super) async fn with<F: Future>(claim: Option<Claim>, work: F) -> F::Output {
    match claim {
        Some(claim) => PRESENT.scope(claim, work).await,
        None => work.await,
    }
}

/// Notes in the action's own transaction that the request of this task is carried out. Fails, and takes the action with it,
/// where somebody else has taken the request over.
pub(super) async fn carried_out(tx: Tx<'_>) -> Result<(), StoreError> {
    let Some(claim) = present() else { return Ok(()) };
    let noted = sqlx::query!(
        // carried_out
        "update idempotency_keys set carried_out_at = coalesce(carried_out_at, now()) where claim = $1",
        claim.token
    )
    .execute(&mut **tx)
    .await?;
    if noted.rows_affected() == 0 { Err(StoreError::ClaimLost) } else { Ok(()) }
}

async fn claim(tx: Tx<'_>, request: &KeyedRequest) -> Result<Claimed, StoreError> {
    forget(tx).await?;
    sqlx::query!(
        // forget_key: the one that is asked for, however many older ones there are
        "delete from idempotency_keys where operator = $1 and key = $2 and created_at <= now() - $3::interval",
        request.operator,
        request.key,
        interval(KEPT_FOR),
    )
    .execute(&mut **tx)
    .await?;
    let token = Uuid::now_v7();
    let inserted = sqlx::query!(
        // claim_key
        "insert into idempotency_keys (operator, key, request_digest, claim, first_claim, claimed_until)
         values ($1, $2, $3, $4, $4, now() + $5) on conflict do nothing",
        request.operator,
        request.key,
        request.digest.as_slice(),
        token,
        interval(CLAIM_FOR),
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Claimed::Mine(Claim { token, first: token, before: Before::Nothing }));
    }
    follow(tx, request, token).await
}

/// What to do about a key that is known.
async fn follow(tx: Tx<'_>, request: &KeyedRequest, token: Uuid) -> Result<Claimed, StoreError> {
    let known = sqlx::query!(
        // known_key: whoever holds the row is committing the action
        r#"select request_digest, first_claim, claimed_until > now() as "in_use!", carried_out_at as "carried_out_at: DateTime<Utc>",
               status, content_type, body
           from idempotency_keys where operator = $1 and key = $2 for update skip locked"#,
        request.operator,
        request.key,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(known) = known else { return Ok(Claimed::InUse) };
    if known.request_digest != request.digest {
        return Ok(Claimed::Reused);
    }
    if let (Some(status), Some(body)) = (known.status, known.body) {
        let status = u16::try_from(status).unwrap_or_default();
        return Ok(Claimed::Answered(KeptAnswer { status, content_type: known.content_type, body }));
    }
    if known.in_use {
        return Ok(Claimed::InUse);
    }
    sqlx::query!(
        // take_key_over
        "update idempotency_keys set claim = $3, claimed_until = now() + $4 where operator = $1 and key = $2",
        request.operator,
        request.key,
        token,
        interval(CLAIM_FOR),
    )
    .execute(&mut **tx)
    .await?;
    let before = if known.carried_out_at.is_some() { Before::CarriedOut } else { Before::Nothing };
    Ok(Claimed::Mine(Claim { token, first: known.first_claim, before }))
}

async fn forget(tx: Tx<'_>) -> Result<u64, StoreError> {
    let forgotten = sqlx::query!(
        // forget_keys: what somebody else deletes or carries out is left to them
        "delete from idempotency_keys where (operator, key) in (
             select operator, key from idempotency_keys where created_at <= now() - $1::interval
             order by created_at limit $2 for update skip locked)",
        interval(KEPT_FOR),
        FORGOTTEN_AT_ONCE,
    )
    .execute(&mut **tx)
    .await?;
    Ok(forgotten.rows_affected())
}
