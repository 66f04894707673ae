//! What others are to be told, and how far that is: the outbox. The rows are written by the database itself, in the
//! transaction of each change (see the migration `callback_outbox`); sending is left to `notify`. No transaction is open
//! during a call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::journal::{self, NewEntry};
use super::leases::interval;
use super::{Store, StoreError, Tx, idempotency, in_transaction};
use crate::offboarding::{Action, Actor, OffboardingId, Status};

mod views;

pub(super) use views::outbox_use;
pub use views::{CallbackFilter, CallbackPages, CallbackStatus, CallbackView, OutboxUse};

/// How long whoever has taken a callback may need for it: longer than the longest call and its outcome.
const TAKEN_FOR: Duration = Duration::from_secs(60);

/// How long delivered ones are kept for whoever asks, and those that were given up for whoever repeats them.
const DELIVERED_KEPT: Duration = Duration::from_secs(30 * 86_400);
const GIVEN_UP_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Rows that one sweep deletes or gives up: a statement must stay far below the session's time limit.
const SWEPT_MAX: i64 = 1_000;

/// What is written about whom nobody sends to any more.
const REMOVED: &str = "its target is not configured any more";

/// A callback that is ours to send for now.
#[derive(Clone, Debug)]
pub struct DueCallback {
    /// Its id, which is the `webhook-id` too.
    pub id: Uuid,
    /// Larger than that of everything that happened to the offboarding before.
    pub sequence: i64,
    /// The target's name.
    pub target: String,
    /// What it is about.
    pub offboarding: OffboardingId,
    /// For example `offboarding.done`.
    pub event: String,
    /// The status that is told. Words as they stand: one that a newer version wrote is told as well.
    pub status: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it is held or failed.
    pub reason: Option<String>,
    /// What was worked towards.
    pub goal: String,
    /// The source that opened it.
    pub source: String,
    /// As the source sent it.
    pub email: Option<String>,
    /// As the source sent it.
    pub external_id: Option<String>,
    /// The one exact match, as far as it was known then.
    pub genesys_user_id: Option<String>,
    /// The events that belonged to it, oldest first.
    pub event_ids: Vec<String>,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When this happened.
    pub occurred_at: DateTime<Utc>,
    /// Tries, this one included.
    pub attempt: u32,
    /// For how long it has failed.
    pub failing_for: Option<Duration>,
    /// Calls in a row that failed because of the target.
    pub target_failures: u32,
    /// Until when it is ours.
    pub until: DateTime<Utc>,
}

/// What came of a try.
#[derive(Clone, Debug)]
pub struct Tried {
    /// In words, without anything that the receiver has said.
    pub words: String,
    /// What follows for the callback.
    pub next: Next,
    /// What it says about the target.
    pub target: Health,
}

/// What follows for a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It has arrived.
    Delivered,
    /// Another try after this time.
    Again(Duration),
    /// No more tries, unless somebody repeats it.
    GiveUp,
}

/// What a try says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Answers,
    /// It is away or overloaded: nobody calls it before this time is over.
    Away(Duration),
}

/// What came of asking for another delivery.
#[derive(Clone, Debug)]
pub enum Repeated {
    /// It is sent again now.
    Yes(Box<CallbackView>),
    /// No callback has this id.
    Unknown,
    /// Its target is not configured any more.
    NoTarget,
}

impl Store {
    /// Announces these targets, with the events that each wants: what happens from now on is written down for them, and for
    /// those that another worker has announced within [`ANNOUNCEMENT_LASTS`]. What waited for others is given up.
    pub async fn set_callback_targets(&self, targets: &[(String, Vec<String>)]) -> Result<(), StoreError> {
        let targets = targets.to_vec();
        in_transaction(&self.worker, move |tx| {
            let targets = targets.clone();
            Box::pin(async move { set_targets(tx, &targets).await })
        })
        .await
    }

    /// Takes one callback of these targets that is due. A target that has failed is tried with one at a time.
    pub async fn take_callback(&self, targets: &[String]) -> Result<Option<DueCallback>, StoreError> {
        let targets = targets.to_vec();
        in_transaction(&self.worker, move |tx| {
            let targets = targets.clone();
            Box::pin(async move { take(tx, &targets).await })
        })
        .await
    }

    /// Writes down what came of a try. A delivery counts in any case; a failure only while the callback is still ours.
    pub async fn callback_tried(
        &self,
        due: &DueCallback,
        worker: &Actor,
        tried: &Tried,
    ) -> Result<(), StoreError> {
        let (due, worker, tried) = (due.clone(), worker.clone(), tried.clone());
        in_transaction(&self.worker, move |tx| {
            let (due, worker, tried) = (due.clone(), worker.clone(), tried.clone());
            Box::pin(async move { record(tx, &due, &worker, &tried).await })
        })
        .await
    }

    /// Deletes what has been kept long enough, and gives up what a target that has been away for `patience` was not told
    /// for as long. Returns how many were given up, by target.
    pub async fn sweep_callbacks(&self, patience: Duration) -> Result<Vec<(String, i64)>, StoreError> {
        in_transaction(&self.worker, move |tx| Box::pin(sweep(tx, patience))).await
    }

    /// Has a callback sent once more, under the same id.
    pub async fn repeat_callback(&self, id: Uuid, actor: &Actor) -> Result<Repeated, StoreError> {
        let actor = actor.clone();
        // A request that is repeated after its commit must not send once more what was delivered since.
        let again = idempotency::was_carried_out();
        in_transaction(&self.operators, move |tx| {
            let actor = actor.clone();
            Box::pin(async move { if again { present(tx, id).await } else { repeat(tx, id, &actor).await } })
        })
        .await
    }
}

/// How long a worker's word holds that a target is configured. Each says so once a minute.
const ANNOUNCEMENT_LASTS: Duration = Duration::from_secs(300);

async fn set_targets(tx: Tx<'_>, targets: &[(String, Vec<String>)]) -> Result<(), StoreError> {
    for (name, events) in targets {
        sqlx::query!(
            // set_callback_target
            "insert into callback_targets (name, events) values ($1, $2)
             on conflict (name) do update
             set announced_at = now(), events = excluded.events, removed_at = null,
                 failures = case when callback_targets.removed_at is null then callback_targets.failures else 0 end,
                 failing_since = case when callback_targets.removed_at is null then callback_targets.failing_since end,
                 paused_until = case when callback_targets.removed_at is null then callback_targets.paused_until end",
            name,
            events,
        )
        .execute(&mut **tx)
        .await?;
    }
    let names: Vec<_> = targets.iter().map(|(name, _)| name.clone()).collect();
    sqlx::query!(
        // remove_callback_targets
        "update callback_targets set removed_at = now()
         where removed_at is null and name <> all($1) and announced_at < now() - $2::interval",
        &names,
        interval(ANNOUNCEMENT_LASTS),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn take(tx: Tx<'_>, targets: &[String]) -> Result<Option<DueCallback>, StoreError> {
    let row = sqlx::query!(
        // take_callback
        r#"with due as (
             select c.id, t.failures from callback_targets t
             cross join lateral (
                 select id, next_attempt_at from callbacks
                 where target = t.name and status = 'waiting' and next_attempt_at <= now()
                 order by next_attempt_at limit 1 for update skip locked) c
             where t.name = any($1) and t.removed_at is null and (t.paused_until is null or t.paused_until <= now())
             order by c.next_attempt_at limit 1)
           update callbacks c set next_attempt_at = now() + $2, attempts = c.attempts + 1
           from due, offboardings o where c.id = due.id and o.id = c.offboarding_id
           returning c.id, c.sequence, c.target, c.offboarding_id, c.event, c.offboarding_status, c.outcome, c.reason,
               c.goal, o.source, o.email, o.external_id, c.genesys_user_id, c.effective_at, c.completed_at,
               c.occurred_at, c.attempts, c.next_attempt_at, due.failures as "failures!",
               extract(epoch from now() - c.failing_since)::float8 as failing_for,
               array(select event_id from events e where e.offboarding_id = o.id and e.received_at <= c.occurred_at
                     order by e.received_at, e.event_id) as "event_ids!: Vec<String>""#,
        targets,
        interval(TAKEN_FOR),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.failures > 0 {
        sqlx::query!(
            // callback_probe
            "update callback_targets set paused_until = now() + $2 where name = $1 and failures > 0",
            row.target,
            interval(TAKEN_FOR),
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(Some(DueCallback {
        id: row.id,
        sequence: row.sequence,
        target: row.target,
        offboarding: OffboardingId(row.offboarding_id),
        event: row.event,
        status: row.offboarding_status,
        outcome: row.outcome,
        reason: row.reason,
        goal: row.goal,
        source: row.source,
        email: row.email,
        external_id: row.external_id,
        genesys_user_id: row.genesys_user_id,
        event_ids: row.event_ids,
        effective_at: row.effective_at,
        completed_at: row.completed_at,
        occurred_at: row.occurred_at,
        attempt: u32::try_from(row.attempts).unwrap_or_default(),
        failing_for: row.failing_for.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
        target_failures: u32::try_from(row.failures).unwrap_or_default(),
        until: row.next_attempt_at,
    }))
}

async fn record(tx: Tx<'_>, due: &DueCallback, worker: &Actor, tried: &Tried) -> Result<(), StoreError> {
    match tried.next {
        Next::Delivered => delivered(tx, due, worker, &tried.words).await?,
        Next::Again(delay) => {
            sqlx::query!(
                // callback_again
                "update callbacks
                 set last_result = $3, next_attempt_at = now() + $4, failing_since = coalesce(failing_since, now())
                 where id = $1 and status = 'waiting' and next_attempt_at = $2",
                due.id,
                due.until,
                tried.words,
                interval(delay),
            )
            .execute(&mut **tx)
            .await?;
        }
        Next::GiveUp => {
            sqlx::query!(
                // callback_given_up
                "update callbacks
                 set status = 'gave_up', last_result = $3, ended_at = now(),
                     failing_since = coalesce(failing_since, now())
                 where id = $1 and status = 'waiting' and next_attempt_at = $2",
                due.id,
                due.until,
                tried.words,
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    match tried.target {
        Health::Answers => {
            sqlx::query!(
                // callback_target_answers
                "update callback_targets set failures = 0, failing_since = null, paused_until = null
                 where name = $1 and failures > 0",
                due.target,
            )
            .execute(&mut **tx)
            .await?;
        }
        Health::Away(pause) => {
            sqlx::query!(
                // callback_target_away
                "update callback_targets
                 set failures = failures + 1, failing_since = coalesce(failing_since, now()), paused_until = now() + $2
                 where name = $1",
                due.target,
                interval(pause),
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

/// That the HRIS was told of the end is part of the evidence; everything else stands in the outbox for as long as it matters.
async fn delivered(tx: Tx<'_>, due: &DueCallback, worker: &Actor, words: &str) -> Result<(), StoreError> {
    let first = sqlx::query_scalar!(
        // callback_delivered
        r#"update callbacks
           set status = 'delivered', last_result = $2, delivered_at = now(), ended_at = now(), failing_since = null
           where id = $1 and status <> 'delivered' returning true as "first!""#,
        due.id,
        words,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if first.is_some() && due.status == Status::Done.as_str() {
        let entry = NewEntry::note(due.offboarding, worker, Action::Told, Some(&due.event));
        journal::append(tx, NewEntry { target: Some(&due.target), ..entry }).await?;
    }
    Ok(())
}

async fn sweep(tx: Tx<'_>, patience: Duration) -> Result<Vec<(String, i64)>, StoreError> {
    sqlx::query!(
        // delete_old_callbacks
        "delete from callbacks where id in (
             select id from callbacks
             where (status = 'delivered' and ended_at < now() - $1::interval) or (status = 'gave_up' and ended_at < now() - $2::interval)
             order by ended_at limit $3 for update skip locked)",
        interval(DELIVERED_KEPT),
        interval(GIVEN_UP_KEPT),
        SWEPT_MAX,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        // give_up_removed_callbacks
        "update callbacks set status = 'gave_up', last_result = $1, ended_at = now()
         where id in (
             select c.id from callbacks c join callback_targets t on t.name = c.target
             where c.status = 'waiting' and t.removed_at is not null limit $2 for update of c skip locked)",
        REMOVED,
        SWEPT_MAX,
    )
    .execute(&mut **tx)
    .await?;
    let given_up = sqlx::query!(
        // give_up_old_callbacks
        r#"with old as (
             select c.id from callbacks c join callback_targets t on t.name = c.target
             where c.status = 'waiting' and t.removed_at is null
               and greatest(t.failing_since, c.occurred_at) < now() - $1::interval and t.failing_since is not null
               and c.next_attempt_at <= now()
             limit $2 for update of c skip locked),
           given_up as (
             update callbacks set status = 'gave_up', ended_at = now(),
                 last_result = coalesce(last_result, 'its target was away all the time')
             where id in (select id from old) returning target)
           select target as "target!", count(*) as "count!" from given_up group by target"#,
        interval(patience),
        SWEPT_MAX,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(given_up.into_iter().map(|row| (row.target, row.count)).collect())
}

async fn repeat(tx: Tx<'_>, id: Uuid, actor: &Actor) -> Result<Repeated, StoreError> {
    let row = sqlx::query!(
        // callback_to_repeat
        r#"select c.target, c.offboarding_id, c.event, coalesce(t.removed_at is null, false) as "configured!"
           from callbacks c left join callback_targets t on t.name = c.target
           where c.id = $1 for update of c"#,
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(Repeated::Unknown) };
    if !row.configured {
        return Ok(Repeated::NoTarget);
    }
    sqlx::query!(
        // repeat_callback
        "update callbacks
         set status = 'waiting', next_attempt_at = now(), attempts = 0, failing_since = null, delivered_at = null,
             ended_at = null
         where id = $1",
        id,
    )
    .execute(&mut **tx)
    .await?;
    // Whoever asks for it has mended something: the target is tried at once.
    sqlx::query!(
        // callback_target_at_once
        "update callback_targets set paused_until = null where name = $1 and paused_until is not null",
        row.target,
    )
    .execute(&mut **tx)
    .await?;
    let entry =
        NewEntry::note(OffboardingId(row.offboarding_id), actor, Action::CallbackRepeated, Some(&row.event));
    journal::append(tx, NewEntry { target: Some(&row.target), ..entry }).await?;
    present(tx, id).await
}

async fn present(tx: Tx<'_>, id: Uuid) -> Result<Repeated, StoreError> {
    let view = views::one(tx, id).await?;
    Ok(view.map_or(Repeated::Unknown, |view| Repeated::Yes(Box::new(view))))
}
