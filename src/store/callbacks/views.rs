//! Reading the outbox: callbacks as the API, the console and the commands show them, and how full it is.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::views::PAGE_MAX;
use super::super::{Store, StoreError, Tx, in_transaction, word};
use crate::offboarding::status::UnknownWord;

/// How far a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackStatus {
    /// It is still to be sent, for the first time or again.
    Waiting,
    /// The target has acknowledged it.
    Delivered,
    /// It is not sent any more, unless somebody repeats it.
    GaveUp,
}

impl CallbackStatus {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Waiting, Self::Delivered, Self::GaveUp];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GaveUp => "gave_up",
        }
    }
}

impl fmt::Display for CallbackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CallbackStatus {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.iter().copied().find(|status| status.as_str() == word);
        found.ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

/// A callback as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallbackView {
    /// Which; also the `webhook-id` under which it is sent.
    pub id: Uuid,
    /// Within one offboarding in the order of what happened.
    pub sequence: i64,
    /// The offboarding that it is about.
    pub offboarding: Uuid,
    /// What happened, for example `offboarding.done`.
    pub event: String,
    /// The outcome or the reason that is told.
    pub told: Option<String>,
    /// The target's name.
    pub target: String,
    /// `waiting`, `delivered` or `gave_up`.
    pub status: CallbackStatus,
    /// How often it was sent.
    pub attempts: i32,
    /// What came of the last try, in words.
    pub last_result: Option<String>,
    /// When it is sent next; null where it is not.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// When the target acknowledged it.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct CallbackFilter {
    /// Only this status.
    pub status: Option<CallbackStatus>,
    /// Only those about this offboarding.
    pub offboarding: Option<Uuid>,
    /// Only what was written before this one, by its number in the sequence.
    pub after: Option<i64>,
    /// At most so many, up to [`PAGE_MAX`].
    pub limit: u32,
}

/// A page of callbacks.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallbackPages {
    /// Newest first.
    pub items: Vec<CallbackView>,
    /// Where the next page begins, or nothing at the end.
    pub next: Option<String>,
}

/// How full the outbox is.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutboxUse {
    /// Callbacks that wait.
    pub waiting: i64,
    /// Callbacks that were given up and not repeated.
    pub gave_up: i64,
    /// The age of the oldest that waits.
    pub oldest_seconds: f64,
}

impl Store {
    /// Lists callbacks, newest first.
    pub async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackView>, StoreError> {
        let filter = filter.clone();
        in_transaction(&self.operators, move |tx| {
            let filter = filter.clone();
            Box::pin(async move { list(tx, &filter).await })
        })
        .await
    }
}

impl Store {
    /// Counts what waits and what was given up.
    pub async fn outbox_use(&self) -> Result<OutboxUse, StoreError> {
        in_transaction(&self.operators, |tx| Box::pin(outbox_use(tx))).await
    }
}

pub(in crate::store) async fn outbox_use(tx: Tx<'_>) -> Result<OutboxUse, StoreError> {
    let row = sqlx::query!(
        // outbox_use
        r#"select count(*) filter (where status = 'waiting') as "waiting!",
               count(*) filter (where status = 'gave_up') as "gave_up!",
               coalesce(extract(epoch from now() - min(occurred_at) filter (where status = 'waiting')), 0)::float8
                   as "oldest_seconds!"
           from callbacks where status in ('waiting', 'gave_up')"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(OutboxUse { waiting: row.waiting, gave_up: row.gave_up, oldest_seconds: row.oldest_seconds.max(0.0) })
}

struct Row {
    id: Uuid,
    sequence: i64,
    offboarding_id: Uuid,
    event: String,
    told: Option<String>,
    target: String,
    status: String,
    attempts: i32,
    last_result: Option<String>,
    next_attempt_at: DateTime<Utc>,
    occurred_at: DateTime<Utc>,
    delivered_at: Option<DateTime<Utc>>,
}

impl Row {
    fn view(self) -> Result<CallbackView, StoreError> {
        let status: CallbackStatus = word(&self.status, "callbacks.status")?;
        Ok(CallbackView {
            id: self.id,
            sequence: self.sequence,
            offboarding: self.offboarding_id,
            event: self.event,
            told: self.told,
            target: self.target,
            status,
            attempts: self.attempts,
            last_result: self.last_result,
            next_attempt_at: (status == CallbackStatus::Waiting).then_some(self.next_attempt_at),
            created_at: self.occurred_at,
            delivered_at: self.delivered_at,
        })
    }
}

async fn list(tx: Tx<'_>, filter: &CallbackFilter) -> Result<Vec<CallbackView>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        // list_callbacks
        "select id, sequence, offboarding_id, event, coalesce(outcome, reason) as told, target, status, attempts,
             last_result, next_attempt_at, occurred_at, delivered_at
         from callbacks
         where ($1::text is null or status = $1) and ($2::uuid is null or offboarding_id = $2)
           and ($3::bigint is null or sequence < $3)
         order by sequence desc limit $4",
        filter.status.map(CallbackStatus::as_str),
        filter.offboarding,
        filter.after,
        // One more than a page holds tells whether there is a next one.
        i64::from(filter.limit.clamp(1, PAGE_MAX + 1)),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::view).collect()
}

pub(super) async fn one(tx: Tx<'_>, id: Uuid) -> Result<Option<CallbackView>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        // show_callback
        "select id, sequence, offboarding_id, event, coalesce(outcome, reason) as told, target, status, attempts,
             last_result, next_attempt_at, occurred_at, delivered_at
         from callbacks where id = $1",
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Row::view).transpose()
}
