//! Reading the audit chain, and how far signed checkpoints reach. Links are written by the database itself, at the commit
//! of the entry; what makes them a chain is said by `offboarding::chain`.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Store, StoreError, Tx, in_transaction};
use crate::offboarding::chain::{Entry, Link, Position};

/// Links of one read: small enough for memory and for the limit on a statement, whatever they hold.
const LINKS_MAX: i64 = 1_000;

/// Numbers of entries that are looked for in the chain at a time; these are numbers only.
const NUMBERS_MAX: i64 = 20_000;

/// A link and the journal's own row for it.
#[derive(Clone, Debug)]
pub struct AuditLink {
    /// The link.
    pub link: Link,
    /// The row as it is now; none where it is gone.
    pub journal: Option<Entry>,
}

/// A part of the journal, looked for in the chain.
#[derive(Clone, Copy, Debug)]
pub struct ChainedPart {
    /// The part's last entry; none where the journal ends before it.
    pub last: Option<i64>,
    /// Its first entry without a link.
    pub not_chained: Option<i64>,
}

/// How the chain stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AuditState {
    /// Links.
    pub entries: i64,
    /// The age of the oldest entry that no checkpoint covers; 0 where all are covered.
    pub uncovered_seconds: f64,
    /// Whether nothing was wrong when the last checkpoint was to be signed.
    pub ok: bool,
}

struct Row {
    seq: i64,
    entry: Vec<u8>,
    prev: Vec<u8>,
    hash: Vec<u8>,
    journal_seq: Option<i64>,
    offboarding_id: Option<Uuid>,
    at: Option<DateTime<Utc>>,
    actor: Option<String>,
    action: Option<String>,
    step: Option<String>,
    target: Option<String>,
    result: Option<String>,
    request_id: Option<Uuid>,
    correlation_id: Option<String>,
}

impl Row {
    fn link(self) -> AuditLink {
        let journal = self.journal_seq.map(|seq| {
            Entry([
                Some(seq.to_string()),
                self.offboarding_id.map(|id| id.to_string()),
                self.at.map(|at| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
                self.actor,
                self.action,
                self.step,
                self.target,
                self.result,
                self.request_id.map(|id| id.to_string()),
                self.correlation_id,
            ])
        });
        let link = Link { seq: self.seq, entry: self.entry, prev: self.prev, hash: self.hash };
        AuditLink { link, journal }
    }
}

impl Store {
    /// The number of the last link; 0 where there is none.
    pub async fn audit_entries(&self) -> Result<i64, StoreError> {
        in_transaction(&self.operators, |tx| {
            Box::pin(async move {
                // audit_entries
                let entries = sqlx::query_scalar!(r#"select coalesce(max(seq), 0) as "n!" from audit_chain"#);
                Ok(entries.fetch_one(&mut **tx).await?)
            })
        })
        .await
    }

    /// The next links after this number, each with the journal's row. What can't be null in the schema may be: whoever
    /// changes rows changes constraints too.
    pub async fn audit_links(&self, after: i64) -> Result<Vec<AuditLink>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let rows = sqlx::query_as!(
                    Row,
                    // audit_links
                    r#"select c.seq, coalesce(c.entry, '') as "entry!", coalesce(c.prev, '') as "prev!",
                           coalesce(c.hash, '') as "hash!", j.seq as "journal_seq?",
                           j.offboarding_id as "offboarding_id?",
                           case when j.at between timestamptz '0001-01-01 00:00:00Z' and timestamptz '9999-12-31 00:00:00Z'
                                then j.at end as "at?",
                           j.actor as "actor?", j.action as "action?", j.step as "step?", j.target as "target?",
                           j.result as "result?", j.request_id as "request_id?", j.correlation_id as "correlation_id?"
                       from audit_chain c left join journal j on j.seq = c.journal_seq
                       where c.seq > $1 order by c.seq limit $2"#,
                    after,
                    LINKS_MAX,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(rows.into_iter().map(Row::link).collect())
            })
        })
        .await
    }

    /// Looks for the entries after this one in the chain, a bounded part at a time.
    pub async fn audit_chained(&self, after: i64) -> Result<ChainedPart, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let part = sqlx::query_as!(
                    ChainedPart,
                    // audit_chained
                    r#"select max(part.seq) as last, min(part.seq) filter (where c.seq is null) as not_chained
                       from (select seq from journal where seq > $1 order by seq limit $2) part
                       left join audit_chain c on c.journal_seq = part.seq"#,
                    after,
                    NUMBERS_MAX,
                )
                .fetch_one(&mut **tx)
                .await?;
                Ok(part)
            })
        })
        .await
    }

    /// The hashes of these links, as far as they are there.
    pub async fn audit_hashes(&self, seqs: &[i64]) -> Result<HashMap<i64, Vec<u8>>, StoreError> {
        let seqs = seqs.to_vec();
        in_transaction(&self.operators, move |tx| {
            let seqs = seqs.clone();
            Box::pin(async move {
                let rows = sqlx::query!(
                    // audit_hashes
                    r#"select seq, coalesce(hash, '') as "hash!" from audit_chain where seq = any($1)"#,
                    &seqs,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(rows.into_iter().map(|row| (row.seq, row.hash)).collect())
            })
        })
        .await
    }

    /// The links after one number and up to another, a bounded part at a time.
    pub async fn audit_part(&self, after: i64, up_to: i64) -> Result<Vec<Link>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let links = sqlx::query_as!(
                    Link,
                    // audit_part
                    "select seq, entry, prev, hash from audit_chain where seq > $1 and seq <= $2 order by seq limit $3",
                    after,
                    up_to,
                    LINKS_MAX,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(links)
            })
        })
        .await
    }

    /// Takes the turn to write a checkpoint, where the chain has moved since the last one and no process has taken it for
    /// this long; gives what the last one covers.
    pub async fn audit_claim(&self, every: Duration) -> Result<Option<Position>, StoreError> {
        let claimed = in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                let claimed = sqlx::query!(
                    // audit_claim
                    "update audit_checkpoint p set claimed_at = clock_timestamp()
                     where claimed_at <= clock_timestamp() - make_interval(secs => $1)
                       and (p.seq > 0 or exists (select from audit_chain))
                       and not exists (
                         select from (select seq, hash from audit_chain order by seq desc limit 1) head
                         where head.seq = p.seq and head.hash = p.hash)
                     returning p.seq, p.hash",
                    every.as_secs_f64(),
                )
                .fetch_optional(&mut **tx)
                .await?;
                Ok(claimed.map(|row| (row.seq, row.hash)))
            })
        })
        .await?;
        let Some((seq, hash)) = claimed else { return Ok(None) };
        let unknown = |_| StoreError::UnknownValue { column: "audit_checkpoint.hash" };
        Ok(Some(Position { seq, hash: hash.try_into().map_err(unknown)? }))
    }

    /// Notes that a checkpoint was written which covers the chain up to here, unless another process was faster and got further.
    pub async fn audit_covered(&self, position: Position) -> Result<(), StoreError> {
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // audit_covered
                    "update audit_checkpoint set seq = $1, hash = $2, written_at = clock_timestamp(), problem = null
                     where seq <= $1",
                    position.seq,
                    &position.hash[..],
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Notes why the chain can't be signed.
    pub async fn audit_problem(&self, problem: &str) -> Result<(), StoreError> {
        let problem = problem.to_owned();
        in_transaction(&self.worker, move |tx| {
            let problem = problem.clone();
            Box::pin(async move {
                // audit_problem
                sqlx::query!("update audit_checkpoint set problem = $1", problem).execute(&mut **tx).await?;
                Ok(())
            })
        })
        .await
    }
}

/// How the chain stands, for the metrics.
pub(super) async fn state(tx: Tx<'_>) -> Result<AuditState, StoreError> {
    let state = sqlx::query_as!(
        AuditState,
        // audit_state
        r#"select coalesce((select max(seq) from audit_chain), 0) as "entries!", p.problem is null as "ok!",
               coalesce((select greatest(extract(epoch from clock_timestamp() - j.at), 0)
                         from audit_chain c join journal j on j.seq = c.journal_seq
                         where c.seq = p.seq + 1), 0)::float8 as "uncovered_seconds!"
           from audit_checkpoint p"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(state)
}
