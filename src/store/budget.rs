//! The budget of calls to Genesys Cloud, shared by all replicas: never more than the limit in any minute, and nothing
//! while Genesys Cloud asks to wait.

use std::time::Duration;

use super::leases::interval;
use super::{Store, StoreError, Tx, in_transaction};

/// Calls that may begin, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// How many; fewer than asked for where the whole budget is smaller.
    pub calls: u32,
    /// How long to wait before the first of them.
    pub starts_in: Duration,
}

impl Store {
    /// Reserves `calls` calls together, at the earliest moment after all earlier reservations at which they fit. They may
    /// begin within `slack` of that moment and count until a minute after it, so that no minute ever sees more than the
    /// limit, however late a call leaves.
    ///
    /// Reservations queue instead of asking again and again: a large one, for a whole verification, would else never
    /// find room beside many small ones.
    pub async fn reserve_calls(
        &self,
        calls: u32,
        limit_per_minute: u32,
        slack: Duration,
    ) -> Result<Reservation, StoreError> {
        in_transaction(&self.worker, move |tx| Box::pin(reserve(tx, calls, limit_per_minute, slack))).await
    }

    /// How long Genesys Cloud still wants no calls.
    pub async fn calls_blocked_for(&self) -> Result<Duration, StoreError> {
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                let seconds = sqlx::query_scalar!(
                    // calls_blocked_for
                    r#"select coalesce(extract(epoch from blocked_until - clock_timestamp()), 0)::float8 as "seconds!"
                       from genesys_limits"#
                )
                .fetch_one(&mut **tx)
                .await?;
                Ok(Duration::from_secs_f64(seconds.max(0.0)))
            })
        })
        .await
    }

    /// Stores a limit that Genesys Cloud announced; the lower of it and the configured one holds.
    pub async fn announce_limit(&self, allowed_per_minute: u32) -> Result<(), StoreError> {
        let allowed = i32::try_from(allowed_per_minute).unwrap_or(i32::MAX);
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!("update genesys_limits set allowed_per_minute = $1", allowed)
                    .execute(&mut **tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps all replicas from calling for this time.
    pub async fn block_calls(&self, wait: Duration) -> Result<(), StoreError> {
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // block_calls
                    "update genesys_limits
                     set blocked_until = greatest(blocked_until, clock_timestamp() + $1::interval)",
                    interval(wait),
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn reserve(tx: Tx<'_>, calls: u32, limit: u32, slack: Duration) -> Result<Reservation, StoreError> {
    let announced = sqlx::query_scalar!("select allowed_per_minute from genesys_limits for update")
        .fetch_one(&mut **tx)
        .await?;
    let announced = announced.and_then(|allowed| u32::try_from(allowed).ok());
    let limit = announced.map_or(limit, |allowed| allowed.min(limit)).max(1);
    // A reservation that is larger than the whole budget could never begin.
    let calls = calls.clamp(1, limit);
    sqlx::query!("delete from genesys_calls where stamp < clock_timestamp() - interval '1 minute'")
        .execute(&mut **tx)
        .await?;
    let seconds = sqlx::query_scalar!(
        // reserve: with the so-many newest calls in one minute the new ones would be too many; it has to be over.
        r#"with start as (
               select greatest(
                   clock_timestamp(),
                   (select blocked_until from genesys_limits),
                   (select max(stamp) - $3::interval from genesys_calls),
                   (select stamp + interval '1 minute' from genesys_calls order by stamp desc offset $1 limit 1)
               ) as at
           ), reserved as (
               insert into genesys_calls (stamp)
               select start.at + $3::interval from start, generate_series(1, $2::int)
           )
           select extract(epoch from at - clock_timestamp())::float8 as "seconds!" from start"#,
        i64::from(limit - calls),
        i32::try_from(calls).unwrap_or(i32::MAX),
        interval(slack),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Reservation { calls, starts_in: Duration::from_secs_f64(seconds.max(0.0)) })
}
