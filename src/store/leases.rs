//! Leases: who works on an offboarding, for how long, and how the work is given back. By the database's clock only.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::approvals;
use super::journal::{self, NewEntry};
use super::{Store, StoreError, Tx, in_transaction, word};
use crate::offboarding::{Action, Actor, Goal, OffboardingId, Outcome, PersonRef, Reason};

/// The right to work on the offboardings that were taken together, until it runs out. Every write of a worker names it, and all but
/// the outcome of a call that was made fail where it is no longer held.
#[derive(Clone, Debug)]
pub struct Fence {
    /// Known to nobody but the holder.
    pub token: Uuid,
    /// How long each renewal lasts.
    pub lease: Duration,
    /// The worker, for the journal.
    pub worker: Actor,
}

/// An offboarding that is ours for now, as it was when the lease was taken.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which.
    pub id: OffboardingId,
    /// The source that opened it; the external id is one of this source.
    pub source: String,
    /// Who leaves.
    pub person: PersonRef,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// The matched Genesys user, once known.
    pub genesys_user_id: Option<String>,
    /// The kind of termination.
    pub termination_type: Option<String>,
    /// Consecutive attempts without progress so far.
    pub attempt: u32,
    /// When nobody matched for the first time.
    pub not_found_at: Option<DateTime<Utc>>,
    /// Whether the account was inactive before our first change; unknown before the first look.
    pub found_inactive: Option<bool>,
    /// Whether the first call was intended that takes something away.
    pub strip_began: bool,
    /// Whether somebody's work is being waited for.
    pub waiting: bool,
    /// Whether they need not be taken off queue any more.
    pub off_queue: bool,
    /// What approvers have released it from.
    pub approved: Vec<Reason>,
    /// What is worked towards.
    pub goal: Goal,
    /// Whether the reports have been written.
    pub reported: bool,
    /// Whether the lease before this one ran out instead of being given back.
    pub abandoned: bool,
}

/// How an attempt that did not succeed changes the count of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptCount {
    /// Waiting is no failure.
    Keep,
    /// One more without progress.
    Increase,
    /// There was progress: the next failure is the first again.
    Restart,
}

/// How a lease is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// Goes on later.
    Postponed {
        /// From now.
        delay: Duration,
        /// Why, in a few stable words.
        why: String,
        /// What it does to the count.
        count: AttemptCount,
    },
    /// A person has to look.
    Held(Reason, Option<String>),
    /// Given up for now, and whether this was an attempt as well.
    Failed(Reason, Option<String>, AttemptCount),
    /// Finished.
    Done(Outcome),
}

impl Store {
    /// Takes up to `limit` due offboardings under one fence, the longest due first, and none before it takes effect,
    /// whatever its `available_at` says, and none while the service is paused. Rows that others hold are skipped,
    /// never waited for. Intentions that a dead worker left open get the outcome `unknown`.
    pub async fn acquire(&self, fence: &Fence, limit: u32) -> Result<Vec<Lease>, StoreError> {
        let (fence, asked) = (fence.clone(), Arc::clone(&self.asked_sources));
        in_transaction(&self.worker, move |tx| {
            let (fence, asked) = (fence.clone(), Arc::clone(&asked));
            Box::pin(async move { acquire(tx, &fence, limit, &asked).await })
        })
        .await
    }

    /// How many offboardings are due and not under a lease.
    pub async fn due(&self) -> Result<u64, StoreError> {
        let asked = Arc::clone(&self.asked_sources);
        in_transaction(&self.worker, move |tx| {
            let asked = Arc::clone(&asked);
            Box::pin(async move {
                let due = sqlx::query_scalar!(
                    // due
                    r#"select count(*) as "due!" from offboardings o where status = 'scheduled'
                       and available_at <= now() and (goal = 'restored' or effective_at <= now())
                       and not wants_look_up(o, $1)"#,
                    &*asked,
                )
                .fetch_one(&mut **tx)
                .await?;
                Ok(u64::try_from(due).unwrap_or_default())
            })
        })
        .await
    }

    /// Prolongs every lease of the fence that is still held; returns how many that are.
    pub async fn renew(&self, fence: &Fence) -> Result<u64, StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (token, lease) = (fence.token, interval(fence.lease));
            Box::pin(async move {
                let renewed = sqlx::query!(
                    // renew
                    "update offboardings set available_at = now() + $2 where lease_token = $1 and available_at > now()",
                    token,
                    lease,
                )
                .execute(&mut **tx)
                .await?;
                Ok(renewed.rows_affected())
            })
        })
        .await
    }

    /// Gives a lease back with what became of the work. Does nothing where the lease is no longer ours.
    pub async fn release(
        &self,
        fence: &Fence,
        id: OffboardingId,
        release: Release,
    ) -> Result<(), StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (fence, release) = (fence.clone(), release.clone());
            Box::pin(async move { give_back(tx, &fence, id, &release).await })
        })
        .await
    }
}

/// Postgres's interval for a duration; leases and waits are far below its limits.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

async fn acquire(tx: Tx<'_>, fence: &Fence, limit: u32, asked: &[String]) -> Result<Vec<Lease>, StoreError> {
    approvals::hold_expired(tx, fence).await?;
    let rows = sqlx::query!(
        // acquire
        r#"with due as (
             select id, lease_token is not null as abandoned from offboardings o
             where status = 'scheduled' and available_at <= now() and (goal = 'restored' or effective_at <= now())
               and not wants_look_up(o, $5) and not (select paused from pause)
             order by available_at limit $1 for update skip locked)
         update offboardings o
         set lease_token = $2, lease_worker = $3, available_at = now() + $4, updated_at = now(),
             attempt = o.attempt + due.abandoned::int
         from due where o.id = due.id
         returning o.id, o.source, o.email, o.external_id, o.effective_at, o.genesys_user_id, o.termination_type, o.attempt,
             o.not_found_at, o.found_inactive, o.goal,
             -- What was valid at the first change stays so.
             array(select a.reason from approvals a where a.offboarding_id = o.id
                   and a.expires_at > coalesce(o.changes_began_at, now())) as "approved!: Vec<String>",
             o.reported_at is not null as "reported!", due.abandoned as "abandoned!",
             -- A replica of the version before begins it without saying so here.
             (o.strip_began_at is not null or (o.changes_began_at is not null and not exists (
                 select from assignments a where a.offboarding_id = o.id and a.altered_at is not null))) as "strip_began!", o.busy_at is not null as "waiting!",
             o.off_queue_at is not null as "off_queue!""#,
        i64::from(limit),
        fence.token,
        fence.worker.to_string(),
        interval(fence.lease),
        asked,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut leases = Vec::with_capacity(rows.len());
    for row in rows {
        let id = OffboardingId(row.id);
        let note = row.abandoned.then_some("the lease before it ran out");
        journal::append(tx, NewEntry::note(id, &fence.worker, Action::LeaseAcquired, note)).await?;
        close_open_intentions(tx, fence, id).await?;
        // An approval that this version does not know is none; the row must not stop all the others.
        let approved = row.approved.iter().filter_map(|reason| reason.parse().ok());
        leases.push(Lease {
            id,
            source: row.source,
            person: PersonRef { email: row.email, external_id: row.external_id },
            effective_at: row.effective_at,
            genesys_user_id: row.genesys_user_id,
            termination_type: row.termination_type,
            attempt: u32::try_from(row.attempt).unwrap_or_default(),
            not_found_at: row.not_found_at,
            found_inactive: row.found_inactive,
            strip_began: row.strip_began,
            waiting: row.waiting,
            off_queue: row.off_queue,
            approved: approved.collect(),
            goal: word(&row.goal, "offboardings.goal")?,
            reported: row.reported,
            abandoned: row.abandoned,
        });
    }
    Ok(leases)
}

/// A crash between intention and outcome leaves a call of which nobody knows what became of it. It is said so; the
/// reads that follow find out.
async fn close_open_intentions(tx: Tx<'_>, fence: &Fence, id: OffboardingId) -> Result<(), StoreError> {
    sqlx::query!(
        // close_open_intentions
        "insert into journal (offboarding_id, actor, action, step, target, result, request_id)
         select offboarding_id, $2, 'call_finished', step, target, 'unknown: the worker ended', request_id
         from journal intended
         where offboarding_id = $1 and action = 'call_intended' and not exists (
             select from journal finished
             where finished.offboarding_id = $1 and finished.action = 'call_finished'
               and finished.request_id = intended.request_id)
         order by seq",
        id.0,
        fence.worker.to_string(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a release writes into the row, as columns.
struct Columns<'a> {
    status: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    action: Action,
    note: Option<&'a str>,
    delay: Duration,
}

fn columns(release: &Release) -> Columns<'_> {
    let ended = Columns {
        status: "done",
        outcome: None,
        reason: None,
        action: Action::Done,
        note: None,
        delay: Duration::ZERO,
    };
    match release {
        Release::Postponed { delay, why, .. } => Columns {
            status: "scheduled",
            action: Action::Postponed,
            note: Some(why),
            delay: *delay,
            ..ended
        },
        Release::Held(reason, detail) => Columns {
            status: "held",
            reason: Some(reason.as_str()),
            action: Action::Held,
            note: Some(detail.as_deref().unwrap_or(reason.as_str())),
            ..ended
        },
        Release::Failed(reason, detail, _) => Columns {
            status: "failed",
            reason: Some(reason.as_str()),
            action: Action::Failed,
            note: Some(detail.as_deref().unwrap_or(reason.as_str())),
            ..ended
        },
        Release::Done(outcome) => {
            Columns { outcome: Some(outcome.as_str()), note: Some(outcome.as_str()), ..ended }
        }
    }
}

async fn give_back(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    release: &Release,
) -> Result<(), StoreError> {
    let columns = columns(release);
    let count = match release {
        Release::Postponed { count, .. } | Release::Failed(_, _, count) => *count,
        Release::Held(..) | Release::Done(_) => AttemptCount::Keep,
    };
    let attempts = match count {
        AttemptCount::Increase => "increase",
        AttemptCount::Restart => "restart",
        AttemptCount::Keep => "keep",
    };
    let released = sqlx::query!(
        // give_back
        "update offboardings
         set status = $3, outcome = $4, reason = $5, lease_token = null, lease_worker = null, updated_at = now(),
             available_at = now() + $6,
             completed_at = case when $3 in ('done', 'failed') then now() end,
             attempt = case $7 when 'increase' then attempt + 1 when 'restart' then 1 else attempt end
         where id = $1 and lease_token = $2",
        id.0,
        fence.token,
        columns.status,
        columns.outcome,
        columns.reason,
        interval(columns.delay),
        attempts,
    )
    .execute(&mut **tx)
    .await?;
    if released.rows_affected() == 1 {
        journal::append(tx, NewEntry::note(id, &fence.worker, columns.action, columns.note)).await?;
    }
    Ok(())
}
