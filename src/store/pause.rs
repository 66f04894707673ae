//! The switch over all replicas. While the service is paused no intention of a changing call is written and nothing is taken
//! up; everything else goes on. What an attempt in the middle does about it is left to the worker.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::journal::{self, NewEntry};
use super::leases::interval;
use super::{Store, StoreError, Tx, WAKE_CHANNEL, idempotency, in_transaction};
use crate::offboarding::{Action, Actor};

/// How long a call may still be under way after its intention, whatever became of its worker: the same time after which a
/// restore counts on it.
const CALL_UNDER_WAY_MAX: Duration = Duration::from_secs(90);

/// The newest entries among which intentions without an outcome are looked for: far more than are written in that time.
const ENTRIES_SEARCHED: i64 = 20_000;

/// Where the switch stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PauseState {
    /// Whether no changing call begins.
    pub paused: bool,
    /// Who moved the switch last, as an actor of the journal; null until somebody does.
    pub by: Option<String>,
    /// Why the service is paused; null while it is not.
    pub reason: Option<String>,
    /// Since when it is as it is; null until somebody moves the switch.
    pub since: Option<DateTime<Utc>>,
}

impl Store {
    /// Pauses the service. When it returns, no intention is written any more, on any replica; calls that were intended before
    /// may be under way. Pausing again for the same reason changes nothing; another reason takes the place of the first,
    /// with its author, and the moment stays that of the first.
    pub async fn pause(&self, reason: &str, actor: &Actor) -> Result<PauseState, StoreError> {
        // A request that is repeated after its commit must not undo what somebody decided since.
        if idempotency::was_carried_out() {
            return self.pause_state().await;
        }
        let (reason, actor) = (reason.to_owned(), actor.clone());
        in_transaction(&self.operators, move |tx| {
            let (reason, actor) = (reason.clone(), actor.clone());
            Box::pin(async move {
                take_alone(tx).await?;
                let moved = sqlx::query!(
                    // pause
                    "update pause set paused = true, since = case when paused then since else clock_timestamp() end,
                         moved_by = $2, reason = $1
                     where not paused or reason <> $1",
                    reason,
                    actor.to_string(),
                )
                .execute(&mut **tx)
                .await?;
                if moved.rows_affected() == 1 {
                    journal::append(tx, NewEntry::of_the_service(&actor, Action::Paused, Some(&reason))).await?;
                }
                state(tx).await
            })
        })
        .await
    }

    /// Lets the work go on, and wakes the workers. Does nothing where the service is not paused.
    pub async fn resume(&self, actor: &Actor) -> Result<PauseState, StoreError> {
        if idempotency::was_carried_out() {
            return self.pause_state().await;
        }
        let actor = actor.clone();
        in_transaction(&self.operators, move |tx| {
            let actor = actor.clone();
            Box::pin(async move {
                take_alone(tx).await?;
                let moved = sqlx::query!(
                    // resume
                    "update pause set paused = false, since = clock_timestamp(), moved_by = $1, reason = null where paused",
                    actor.to_string(),
                )
                .execute(&mut **tx)
                .await?;
                if moved.rows_affected() == 1 {
                    journal::append(tx, NewEntry::of_the_service(&actor, Action::Resumed, None)).await?;
                    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
                }
                state(tx).await
            })
        })
        .await
    }

    /// Where the switch stands.
    pub async fn pause_state(&self) -> Result<PauseState, StoreError> {
        in_transaction(&self.operators, |tx| Box::pin(state(tx))).await
    }

    /// How many changing calls were intended within [`CALL_UNDER_WAY_MAX`] and have no outcome: they may be under way.
    pub async fn calls_under_way(&self) -> Result<u64, StoreError> {
        in_transaction(&self.operators, |tx| {
            Box::pin(async move {
                let calls = sqlx::query_scalar!(
                    // calls_under_way
                    r#"select count(distinct request_id) as "calls!"
                       from (select * from journal order by seq desc limit $1) intended
                       where action = 'call_intended' and at > now() - $2::interval and not exists (
                           select from journal finished
                           where finished.offboarding_id = intended.offboarding_id
                             and finished.action = 'call_finished' and finished.request_id = intended.request_id)"#,
                    ENTRIES_SEARCHED,
                    interval(CALL_UNDER_WAY_MAX),
                )
                .fetch_one(&mut **tx)
                .await?;
                Ok(u64::try_from(calls).unwrap_or_default())
            })
        })
        .await
    }
}

/// Whether an intention may be written in this transaction. The switch can't be moved before it ends.
///
/// Where somebody is just about to move the switch, it may not: waiting here would let a stream of intentions and a pause
/// wait for each other. A lock on the row would be weaker: whoever wants it alone can be overtaken by sharers for ever.
pub(super) async fn may_begin(tx: Tx<'_>) -> Result<bool, StoreError> {
    let shared = sqlx::query_scalar!(
        // may_begin
        r#"select pg_try_advisory_xact_lock_shared(hashtextextended('pause', 2)) as "shared!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    // A statement of its own, which sees everything that was committed before the lock was given.
    Ok(shared && !state(tx).await?.paused)
}

/// Waits until nobody writes an intention and lets nobody begin to. A replica that is stopped in the middle of one loses its
/// session after 10 s at the latest (`prepare_session`); a pause has to outwait it.
async fn take_alone(tx: Tx<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        // take_alone
        r#"select set_config('lock_timeout', '12s', true) as "lock!", set_config('statement_timeout', '15s', true) as "all!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('pause', 2))").execute(&mut **tx).await?;
    Ok(())
}

pub(super) async fn state(tx: Tx<'_>) -> Result<PauseState, StoreError> {
    let state = sqlx::query_as!(
        PauseState,
        // pause_state
        r#"select paused, moved_by as "by", reason, since from pause"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(state)
}
