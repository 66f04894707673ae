//! Reading for the console: what is around an offboarding, what somebody may decide about it, and what the days brought.
//! On connections of its own, so that people who look never hold up deliveries or work.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::decisions::{self, Decided, Decision};
use super::views::PersonView;
use super::{Store, StoreError, Tx, figures, in_transaction, word};
use crate::offboarding::{Actor, OffboardingId, Reason, Status};

/// What a page about one offboarding shows beside the offboarding itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The kind of termination, in the HRIS's word.
    pub termination_type: Option<String>,
    /// Who holds the lease.
    pub lease_worker: Option<String>,
    /// Since when the end of somebody's work is waited for.
    pub busy_at: Option<DateTime<Utc>>,
    /// Until when at most, where the shift says so.
    pub busy_until: Option<DateTime<Utc>>,
    /// When nobody matched for the first time.
    pub not_found_at: Option<DateTime<Utc>>,
    /// When the HRIS is asked next.
    pub look_up_at: Option<DateTime<Utc>>,
    /// When the first change was intended.
    pub changes_began_at: Option<DateTime<Utc>>,
    /// When each step's state changed last, by name.
    pub step_times: HashMap<String, DateTime<Utc>>,
    /// What approvers released it from.
    pub approvals: Vec<ApprovalView>,
}

/// An approval as it is shown.
#[derive(Clone, Debug)]
pub struct ApprovalView {
    /// What it releases from.
    pub reason: String,
    /// Who gave it.
    pub approved_by: String,
    /// Until when it counts where nothing was changed by then.
    pub expires_at: DateTime<Utc>,
}

/// What came and what ended on one day, by UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its first moment.
    pub day: DateTime<Utc>,
    /// Events that were received.
    pub events: i64,
    /// Offboardings that ended as done, restores included.
    pub done: i64,
    /// Those that are given up for now, by the day on which that was.
    pub failed: i64,
    /// Those that were cancelled.
    pub cancelled: i64,
}

/// The one that has been due for the longest time and is not finished.
#[derive(Clone, Debug)]
pub struct Oldest {
    /// Which.
    pub id: OffboardingId,
    /// Where it stands.
    pub status: Status,
    /// Why it is held or has failed.
    pub reason: Option<Reason>,
    /// Who.
    pub person: PersonView,
    /// When it took effect.
    pub effective_at: DateTime<Utc>,
}

impl Store {
    /// What changes whenever something about an offboarding changes; nothing where there is none.
    pub async fn pulse(&self, id: OffboardingId) -> Result<Option<String>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let pulse = sqlx::query_scalar!(
                    // pulse
                    r#"select concat_ws(' ', o.updated_at, o.status, o.available_at, o.lease_token, o.busy_at,
                           (select max(seq) from journal where offboarding_id = o.id),
                           (select max(s.updated_at) from steps s where s.offboarding_id = o.id)) as "pulse!"
                       from offboardings o where o.id = $1"#,
                    id.0,
                )
                .fetch_optional(&mut **tx)
                .await?;
                Ok(pulse)
            })
        })
        .await
    }

    /// What is around one offboarding.
    pub async fn surroundings(&self, id: OffboardingId) -> Result<Option<Surroundings>, StoreError> {
        in_transaction(&self.operators, move |tx| Box::pin(surroundings(tx, id))).await
    }

    /// What somebody may decide about an offboarding now: for each decision `Yes`, or why not.
    pub async fn decisions(
        &self,
        id: OffboardingId,
        actor: &Actor,
    ) -> Result<Vec<(Decision, Decided)>, StoreError> {
        let actor = actor.clone();
        in_transaction(&self.operators, move |tx| {
            let actor = actor.clone();
            Box::pin(async move { possible(tx, id, &actor).await })
        })
        .await
    }

    /// Who asked for each of these offboardings, as it is written in the journal; those that nobody asked for are left out.
    pub async fn asked_by(
        &self,
        ids: Vec<OffboardingId>,
    ) -> Result<HashMap<OffboardingId, Vec<String>>, StoreError> {
        let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
        in_transaction(&self.operators, move |tx| {
            let ids = ids.clone();
            Box::pin(async move {
                let rows = sqlx::query!(
                    // asked_by
                    r#"select o.id as "id!", o.requested_by as "by!" from offboardings o
                           where o.id = any($1) and o.requested_by is not null
                       union
                       select j.offboarding_id, j.actor from journal j
                           where j.offboarding_id = any($1) and j.actor like 'operator:%'
                             and j.action in ('event_accepted', 'facts_given')"#,
                    &ids,
                )
                .fetch_all(&mut **tx)
                .await?;
                let mut asked: HashMap<OffboardingId, Vec<String>> = HashMap::new();
                for row in rows {
                    asked.entry(OffboardingId(row.id)).or_default().push(row.by);
                }
                Ok(asked)
            })
        })
        .await
    }

    /// The last `days` days, today included, oldest first.
    pub async fn days(&self, days: i32) -> Result<Vec<Day>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let days = sqlx::query_as!(
                    Day,
                    // days: each table is read once
                    r#"with days as (
                           select date_trunc('day', now()) - make_interval(days => back) as day
                           from generate_series(0, $1 - 1) as back),
                       came as (
                           select date_trunc('day', received_at) as day, count(*) as events from events
                           where received_at >= (select min(day) from days) group by 1),
                       ended as (
                           select date_trunc('day', coalesce(completed_at, updated_at)) as day,
                               count(*) filter (where status = 'done') as done,
                               count(*) filter (where status = 'failed') as failed,
                               count(*) filter (where status = 'cancelled') as cancelled
                           from offboardings
                           where status in ('done', 'failed', 'cancelled')
                             and updated_at >= (select min(day) from days) group by 1)
                       select day as "day!", coalesce(events, 0) as "events!", coalesce(done, 0) as "done!",
                           coalesce(failed, 0) as "failed!", coalesce(cancelled, 0) as "cancelled!"
                       from days left join came using (day) left join ended using (day) order by day"#,
                    days,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(days)
            })
        })
        .await
    }

    /// The offboarding that has been due for the longest time and is not finished.
    pub async fn oldest_unfinished(&self) -> Result<Option<Oldest>, StoreError> {
        in_transaction(&self.operators, |tx| {
            Box::pin(async move {
                let row = sqlx::query!(
                    // oldest_unfinished
                    "select id, status, reason, email, external_id, genesys_user_id, effective_at from offboardings
                     where status in ('scheduled', 'held', 'failed') and effective_at <= now()
                     order by effective_at, id limit 1"
                )
                .fetch_optional(&mut **tx)
                .await?;
                row.map(|row| {
                    let status = word(&row.status, "offboardings.status")?;
                    let reason = row.reason.map(|reason| word(&reason, "offboardings.reason")).transpose()?;
                    let person = PersonView {
                        email: row.email,
                        external_id: row.external_id,
                        genesys_user_id: row.genesys_user_id,
                    };
                    let (id, effective_at) = (OffboardingId(row.id), row.effective_at);
                    Ok(Oldest { id, status, reason, person, effective_at })
                })
                .transpose()
            })
        })
        .await
    }

    /// When each of these sources delivered last what was authentic and new.
    pub async fn last_deliveries(
        &self,
        sources: Vec<String>,
    ) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            let sources = sources.clone();
            Box::pin(async move { figures::last_deliveries(tx, &sources).await })
        })
        .await
    }
}

async fn surroundings(tx: Tx<'_>, id: OffboardingId) -> Result<Option<Surroundings>, StoreError> {
    let row = sqlx::query!(
        // surroundings
        "select termination_type, lease_worker, busy_at, busy_until, not_found_at, look_up_at, changes_began_at
         from offboardings where id = $1",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let times = sqlx::query!("select name, updated_at from steps where offboarding_id = $1", id.0)
        .fetch_all(&mut **tx)
        .await?;
    let approvals = sqlx::query_as!(
        ApprovalView,
        "select reason, approved_by, expires_at from approvals where offboarding_id = $1 order by approved_at",
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Some(Surroundings {
        termination_type: row.termination_type,
        lease_worker: row.lease_worker,
        busy_at: row.busy_at,
        busy_until: row.busy_until,
        not_found_at: row.not_found_at,
        look_up_at: row.look_up_at,
        changes_began_at: row.changes_began_at,
        step_times: times.into_iter().map(|step| (step.name, step.updated_at)).collect(),
        approvals,
    }))
}

/// As [`Store::decide`] would answer, without locking or changing anything.
async fn possible(
    tx: Tx<'_>,
    id: OffboardingId,
    actor: &Actor,
) -> Result<Vec<(Decision, Decided)>, StoreError> {
    let all = [Decision::Approve, Decision::Retry, Decision::Restore, Decision::Cancel];
    let Some(present) = decisions::look(tx, id).await? else {
        return Ok(all.map(|decision| (decision, Decided::Unknown)).to_vec());
    };
    let other = decisions::another_open(tx, id).await?;
    let answer = |decision| {
        if let Some(refused) = decisions::refusal(&present, decision, actor) {
            return refused;
        }
        match (decision, other) {
            (Decision::Cancel, _) | (_, None) => Decided::Yes,
            (Decision::Approve | Decision::Retry | Decision::Restore, Some(other)) => {
                Decided::AnotherOpen(other)
            }
        }
    };
    Ok(all.map(|decision| (decision, answer(decision))).to_vec())
}

/// Whether an approver can say what an offboarding that is held for this lacks.
pub const fn can_be_completed(reason: Reason) -> bool {
    matches!(reason, Reason::LookupRequired | Reason::Unreadable | Reason::EffectiveDateMissing)
}
