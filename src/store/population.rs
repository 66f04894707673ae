//! Reading: offboardings as an auditor samples them, each with the times that are compared, its events, approvals, calls and
//! what the person held.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Store, StoreError, in_transaction};

/// Offboardings of one read: each brings a few hundred calls.
const PART_MAX: i64 = 50;

/// Which offboardings, by when they were opened.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// One offboarding with its evidence.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Which.
    pub id: Uuid,
    /// The source that opened it.
    pub source: String,
    /// Where it stands.
    pub status: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it is held, failed or cancelled.
    pub reason: Option<String>,
    /// What is worked towards.
    pub goal: String,
    /// The HRIS's word for why the person leaves.
    pub termination_type: Option<String>,
    /// As the source sent it.
    pub email: Option<String>,
    /// As the source sent it.
    pub external_id: Option<String>,
    /// The one exact match.
    pub genesys_user_id: Option<String>,
    /// The operator who asked for it, where one did.
    pub requested_by: Option<String>,
    /// When the first event about it came.
    pub received_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// When a worker took it first.
    pub started_at: Option<DateTime<Utc>>,
    /// When the first change was intended.
    pub changes_began_at: Option<DateTime<Utc>>,
    /// When the last assignment was taken away.
    pub stripped_at: Option<DateTime<Utc>>,
    /// When the account was made inactive; none where it was before.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// When a complete read found nothing left, for the last time.
    pub verified_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When the HRIS took back what had been carried out by then.
    pub rescinded_at: Option<DateTime<Utc>>,
    /// What came: ids, times, which key verified it, SHA-256 of the body.
    pub events: Value,
    /// Who released it, when and from what.
    pub approvals: Value,
    /// The outcome of each changing call.
    pub calls: Value,
    /// What the person held at first sight, and what became of it.
    pub snapshot: Value,
}

impl Store {
    /// The next offboardings after this one, by id, that were opened within these bounds.
    pub async fn population(&self, after: Option<Uuid>, opened: Opened) -> Result<Vec<Evidence>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let part = sqlx::query_as!(
                    Evidence,
                    // population
                    r#"select o.id, o.source, o.status, o.outcome, o.reason, o.goal, o.termination_type, o.email, o.external_id,
                           o.genesys_user_id, o.requested_by, e.received_at as "received_at?", o.created_at, o.effective_at,
                           j.started_at as "started_at?", o.changes_began_at, j.stripped_at as "stripped_at?",
                           j.deactivated_at as "deactivated_at?", j.verified_at as "verified_at?", o.completed_at,
                           o.rescinded_at, e.events as "events!", j.approvals as "approvals!", j.calls as "calls!",
                           a.snapshot as "snapshot!"
                       from (select * from offboardings
                             where ($1::uuid is null or id > $1) and ($2::timestamptz is null or created_at >= $2)
                               and ($3::timestamptz is null or created_at < $3)
                             order by id limit $4) o
                       cross join lateral (
                         select min(received_at) as received_at, coalesce(jsonb_agg(jsonb_build_object(
                                    'id', id, 'source', source, 'event_id', event_id, 'received_at', received_at,
                                    'key_index', key_index, 'disposition', disposition,
                                    'sha256', encode(sha256(body), 'hex')) order by received_at, id), '[]') as events
                         from events where offboarding_id = o.id) e
                       cross join lateral (
                         select min(at) filter (where action = 'lease_acquired') as started_at,
                                max(at) filter (where action = 'call_finished' and step like 'strip.%'
                                                  and result in ('removed', 'already_gone')) as stripped_at,
                                max(at) filter (where action = 'call_finished' and step = 'deactivate.account_state'
                                                  and result in ('removed', 'already_gone')) as deactivated_at,
                                max(at) filter (where action = 'verified_empty') as verified_at,
                                coalesce(jsonb_agg(jsonb_build_object('at', at, 'actor', actor, 'action', action,
                                                                      'result', result) order by seq)
                                    filter (where action in ('approved', 'facts_given')), '[]') as approvals,
                                coalesce(jsonb_agg(jsonb_build_object('at', at, 'actor', actor, 'step', step, 'target', target,
                                    'result', result, 'request_id', request_id, 'correlation_id', correlation_id) order by seq)
                                    filter (where action = 'call_finished'), '[]') as calls
                         from journal where offboarding_id = o.id) j
                       cross join lateral (
                         select coalesce(jsonb_agg(jsonb_build_object('step', step, 'target', target, 'detail', detail,
                                    'first_seen_at', first_seen_at, 'removed_at', removed_at, 'restored_at', restored_at)
                                    order by step, target), '[]') as snapshot
                         from assignments where offboarding_id = o.id) a
                       order by o.id"#,
                    after,
                    opened.since,
                    opened.until,
                    PART_MAX,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(part)
            })
        })
        .await
    }
}
