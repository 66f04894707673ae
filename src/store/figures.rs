//! Reading: the figures of the whole service that the metrics show, in one short transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::audit::{self, AuditState};
use super::brake::{self, BrakeUse};
use super::callbacks::{self, OutboxUse};
use super::views::Count;
use super::{Store, StoreError, Tx, in_transaction, pause};

/// What all replicas together have to show.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Offboardings by status, outcome and reason.
    pub offboardings: Vec<Count>,
    /// The age of the oldest that is due and not finished; 0 where there is none.
    pub oldest_unfinished_seconds: f64,
    /// Leases that hold.
    pub leases_held: i64,
    /// Leases that ran out and were not taken over yet.
    pub leases_expired: i64,
    /// How many people count against the brake.
    pub brake: BrakeUse,
    /// Calls of Genesys Cloud that were reserved within the last minute.
    pub calls_reserved: i64,
    /// The limit that Genesys Cloud announced, if it did.
    pub calls_announced: Option<u32>,
    /// For how long Genesys Cloud still wants no calls.
    pub calls_blocked_seconds: f64,
    /// When each source delivered last what was authentic and new; without the sources that never did.
    pub last_deliveries: HashMap<String, DateTime<Utc>>,
    /// How much others have still to be told.
    pub outbox: OutboxUse,
    /// Whether no changing call begins.
    pub paused: bool,
    /// How the audit chain stands.
    pub audit: AuditState,
}

/// The connections of one pool.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Which.
    pub name: &'static str,
    /// In use.
    pub busy: u32,
    /// Open and not in use.
    pub idle: u32,
}

impl Store {
    /// Reads all figures; `sources` are those of which the last delivery is told. A statement that takes longer than a
    /// second is given up: nobody waits for it any more.
    pub async fn figures(&self, sources: Vec<String>) -> Result<Figures, StoreError> {
        in_transaction(&self.operators, move |tx| {
            let sources = sources.clone();
            Box::pin(async move { figures(tx, &sources).await })
        })
        .await
    }

    /// The connections of each pool.
    pub fn connections(&self) -> [Connections; 4] {
        [
            ("ingest", &self.ingest),
            ("worker", &self.worker),
            ("probe", &self.probe),
            ("operators", &self.operators),
        ]
        .map(connections)
    }
}

fn connections((name, pool): (&'static str, &PgPool)) -> Connections {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    Connections { name, busy: pool.size().saturating_sub(idle), idle }
}

async fn figures(tx: Tx<'_>, sources: &[String]) -> Result<Figures, StoreError> {
    sqlx::query!("set local statement_timeout = '1s'").execute(&mut **tx).await?;
    let (offboardings, oldest_unfinished_seconds) = overview(tx).await?;
    let leases = sqlx::query!(
        // figures_of_leases
        r#"select count(*) filter (where available_at > now()) as "held!",
                  count(*) filter (where available_at <= now()) as "expired!"
           from offboardings where status = 'scheduled' and lease_token is not null"#
    )
    .fetch_one(&mut **tx)
    .await?;
    let calls = sqlx::query!(
        // figures_of_calls
        r#"select (select count(*) from genesys_calls where stamp > clock_timestamp() - interval '1 minute') as "reserved!",
                  allowed_per_minute,
                  greatest(coalesce(extract(epoch from blocked_until - clock_timestamp()), 0), 0)::float8 as "blocked!"
           from genesys_limits"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Figures {
        offboardings,
        oldest_unfinished_seconds,
        leases_held: leases.held,
        leases_expired: leases.expired,
        brake: brake::changed_besides(tx, "").await?,
        calls_reserved: calls.reserved,
        calls_announced: calls.allowed_per_minute.and_then(|allowed| u32::try_from(allowed).ok()),
        calls_blocked_seconds: calls.blocked,
        last_deliveries: last_deliveries(tx, sources).await?,
        outbox: callbacks::outbox_use(tx).await?,
        paused: pause::state(tx).await?.paused,
        audit: audit::state(tx).await?,
    })
}

/// When each of these sources delivered last what was authentic and new. What it answered when it was asked is no delivery:
/// a webhook that was switched off must not look alive by it.
pub(super) async fn last_deliveries(
    tx: Tx<'_>,
    sources: &[String],
) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
    let rows = sqlx::query!(
        // last_deliveries: source by source and key by key, so that each is one look into events_delivered_by_key
        r#"select source as "source!", max(last) as "last!"
           from unnest($1::text[]) as source cross join generate_series(0, 7) as key
               cross join lateral (select max(received_at) as last from events
                                   where events.source = source.source and key_index = key
                                     and not starts_with(event_id, 'look-up:')) as used
           where last is not null group by source"#,
        sources,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source, row.last)).collect())
}

/// Counts by status, outcome and reason, and the age in seconds of the oldest that is due and not finished.
pub(super) async fn overview(tx: Tx<'_>) -> Result<(Vec<Count>, f64), StoreError> {
    let counts = sqlx::query_as!(
        Count,
        // overview
        r#"select status, coalesce(outcome, '') as "outcome!", coalesce(reason, '') as "reason!",
                  count(*) as "count!"
           from offboardings group by 1, 2, 3"#
    )
    .fetch_all(&mut **tx)
    .await?;
    let oldest = sqlx::query_scalar!(
        r#"select coalesce(extract(epoch from now() - min(effective_at)), 0)::float8 as "seconds!"
           from offboardings where status in ('scheduled', 'held', 'failed') and effective_at <= now()"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((counts, oldest))
}
