//! Layoffs that were planned: a list, a window, a count. Who is on an approved one passes the brake. A plan is never
//! changed; another list is another plan, with an approval of its own.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::journal::{self, NewEntry};
use super::views::PAGE_MAX;
use super::{Store, StoreError, Tx, idempotency, in_transaction};
use crate::offboarding::{Action, Actor, OffboardingId};

/// The identity of one layoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct LayoffId(pub Uuid);

impl fmt::Display for LayoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// By address, folded for comparison.
    Email(String),
    /// By the Genesys user's id.
    User(String),
    /// By the id that a source has for the person.
    External {
        /// The source's name.
        source: String,
        /// Its id.
        id: String,
    },
}

/// A layoff to be planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Why, in the requester's words.
    pub why: String,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it is over.
    pub until: DateTime<Utc>,
    /// Who, each once.
    pub people: Vec<Listed>,
    /// The most of them that are let through.
    pub count: u32,
    /// SHA-256 of the list.
    pub digest: [u8; 32],
}

/// A layoff as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Layoff {
    /// Which.
    pub id: LayoffId,
    /// Who planned it.
    pub requested_by: String,
    /// Why, in the requester's words.
    pub reason: String,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it is over.
    pub until: DateTime<Utc>,
    /// How many people are on the list.
    pub people: i32,
    /// The most of them that are let through.
    pub count: i32,
    /// How many have been changed under it.
    pub used: i64,
    /// SHA-256 of the list, in hexadecimal.
    pub digest: String,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// Who approved it.
    #[schema(required)]
    pub approved_by: Option<String>,
    /// When that was.
    #[schema(required)]
    pub approved_at: Option<DateTime<Utc>>,
    /// Who cancelled it.
    #[schema(required)]
    pub cancelled_by: Option<String>,
    /// When that was.
    #[schema(required)]
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// Which layoffs to list.
#[derive(Clone, Copy, Debug)]
pub struct LayoffFilter {
    /// Only this one.
    pub only: Option<LayoffId>,
    /// Only what is older than this one.
    pub after: Option<LayoffId>,
    /// At most so many, up to [`PAGE_MAX`].
    pub limit: u32,
}

impl LayoffFilter {
    /// One layoff.
    pub fn one(id: LayoffId) -> Self {
        Self { only: Some(id), after: None, limit: 1 }
    }

    /// The newest ones.
    pub fn newest() -> Self {
        Self { only: None, after: None, limit: PAGE_MAX }
    }
}

/// What is decided about a layoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoffDecision {
    /// It may pass the brake, where this is the digest of its list.
    Approve([u8; 32]),
    /// It lets nobody through any more.
    Cancel,
}

/// What became of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoffDecided {
    /// It is done.
    Yes,
    /// No layoff has this id.
    Unknown,
    /// Who planned it can't approve it.
    OwnRequest,
    /// The list has another digest.
    OtherList,
    /// It was approved before.
    AlreadyApproved,
    /// It was cancelled before.
    AlreadyCancelled,
    /// Its window is over.
    Over,
}

impl Store {
    /// Stores a layoff, which lets nobody through before it is approved.
    pub async fn plan_layoff(&self, plan: Plan, actor: &Actor) -> Result<LayoffId, StoreError> {
        let (id, actor) = (LayoffId(idempotency::new_id()), actor.clone());
        if idempotency::was_carried_out() {
            return Ok(id);
        }
        in_transaction(&self.operators, move |tx| {
            let (plan, actor) = (plan.clone(), actor.clone());
            Box::pin(async move { insert(tx, id, &plan, &actor).await })
        })
        .await
    }

    /// The layoffs, newest first.
    pub async fn layoffs(&self, filter: LayoffFilter) -> Result<Vec<Layoff>, StoreError> {
        in_transaction(&self.operators, move |tx| Box::pin(list(tx, filter))).await
    }

    /// Carries out a decision about a layoff.
    pub async fn decide_layoff(
        &self,
        id: LayoffId,
        decision: LayoffDecision,
        actor: &Actor,
    ) -> Result<LayoffDecided, StoreError> {
        if idempotency::was_carried_out() {
            return Ok(LayoffDecided::Yes);
        }
        let actor = actor.clone();
        in_transaction(&self.operators, move |tx| {
            let actor = actor.clone();
            Box::pin(async move { decide(tx, id, decision, &actor).await })
        })
        .await
    }
}

/// The approved layoff with room that lets this offboarding's person through now, the one that is over first. The caller
/// holds the brake's lock, so the count is exact.
pub(super) async fn with_room_for(
    tx: Tx<'_>,
    offboarding: OffboardingId,
    user: &str,
) -> Result<Option<LayoffId>, StoreError> {
    let found = sqlx::query_scalar!(
        // with_room_for
        "select l.id from layoffs l join offboardings o on o.id = $1
         where l.approved_at is not null and l.cancelled_at is null
           and l.starts_at <= clock_timestamp() and clock_timestamp() < l.ends_at
           and exists (
             select from layoff_people p
             where p.layoff_id = l.id and (p.email_key = o.email_key or p.genesys_user_id = $2
                 or (p.source = o.source and p.external_id = o.external_id)))
           and (select count(distinct c.genesys_user_id) from changed_people c
                where c.layoff_id = l.id and c.genesys_user_id <> $2) < l.count_max
         order by l.ends_at, l.id limit 1",
        offboarding.0,
        user,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(LayoffId))
}

/// What is decided about a layoff belongs to no offboarding.
async fn note(
    tx: Tx<'_>,
    id: LayoffId,
    actor: &Actor,
    action: Action,
    result: &str,
) -> Result<(), StoreError> {
    let (target, result) = (id.to_string(), (!result.is_empty()).then_some(result));
    let entry = NewEntry::of_the_service(actor, action, result);
    journal::append(tx, NewEntry { target: Some(&target), ..entry }).await
}

async fn insert(tx: Tx<'_>, id: LayoffId, plan: &Plan, actor: &Actor) -> Result<LayoffId, StoreError> {
    sqlx::query!(
        // plan_layoff
        "insert into layoffs (id, requested_by, why, starts_at, ends_at, count_max, list_digest, list_size)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        actor.to_string(),
        plan.why,
        plan.from,
        plan.until,
        i32::try_from(plan.count).unwrap_or(i32::MAX),
        plan.digest.as_slice(),
        i32::try_from(plan.people.len()).unwrap_or(i32::MAX),
    )
    .execute(&mut **tx)
    .await?;
    let (mut emails, mut users, mut sources, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for listed in &plan.people {
        match listed {
            Listed::Email(email) => emails.push(email.clone()),
            Listed::User(user) => users.push(user.clone()),
            Listed::External { source, id } => {
                sources.push(source.clone());
                ids.push(id.clone());
            }
        }
    }
    sqlx::query!(
        "insert into layoff_people (layoff_id, email_key, genesys_user_id, source, external_id)
         select $1::uuid, email, null, null, null from unnest($2::text[]) as given (email)
         union all select $1::uuid, null, person, null, null from unnest($3::text[]) as given (person)
         union all select $1::uuid, null, null, source, id from unnest($4::text[], $5::text[]) as given (source, id)",
        id.0,
        &emails,
        &users,
        &sources,
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    let Plan { people, count, digest, from, until, .. } = plan;
    let (digest, listed) = (hex::encode(digest), people.len());
    let (from, until) = (from.to_rfc3339(), until.to_rfc3339());
    let words = format!("list {digest} of {listed}, at most {count}, from {from} until {until}");
    note(tx, id, actor, Action::LayoffPlanned, &words).await?;
    Ok(id)
}

async fn list(tx: Tx<'_>, filter: LayoffFilter) -> Result<Vec<Layoff>, StoreError> {
    let rows = sqlx::query!(
        // layoffs
        r#"select l.*, (select count(distinct c.genesys_user_id) from changed_people c where c.layoff_id = l.id) as "used!"
           from layoffs l where ($1::uuid is null or l.id = $1) and ($2::uuid is null or l.id < $2)
           order by l.id desc limit $3"#,
        filter.only.map(|id| id.0),
        filter.after.map(|id| id.0),
        // One more than a page holds tells whether there is a next one.
        i64::from(filter.limit.clamp(1, PAGE_MAX + 1)),
    )
    .fetch_all(&mut **tx)
    .await?;
    let layoffs = rows.into_iter().map(|row| Layoff {
        id: LayoffId(row.id),
        requested_by: row.requested_by,
        reason: row.why,
        from: row.starts_at,
        until: row.ends_at,
        people: row.list_size,
        count: row.count_max,
        used: row.used,
        digest: hex::encode(row.list_digest),
        created_at: row.created_at,
        approved_by: row.approved_by,
        approved_at: row.approved_at,
        cancelled_by: row.cancelled_by,
        cancelled_at: row.cancelled_at,
    });
    Ok(layoffs.collect())
}

async fn decide(
    tx: Tx<'_>,
    id: LayoffId,
    decision: LayoffDecision,
    actor: &Actor,
) -> Result<LayoffDecided, StoreError> {
    let row = sqlx::query!(
        // decide_layoff
        r#"select requested_by, list_digest, approved_at, cancelled_at, ends_at <= now() as "over!"
           from layoffs where id = $1 for update"#,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(LayoffDecided::Unknown) };
    if row.cancelled_at.is_some() {
        return Ok(LayoffDecided::AlreadyCancelled);
    }
    let by = actor.to_string();
    match decision {
        LayoffDecision::Approve(_) if actor.is_the_person(&row.requested_by) => {
            return Ok(LayoffDecided::OwnRequest);
        }
        LayoffDecision::Approve(digest) if row.list_digest != digest => return Ok(LayoffDecided::OtherList),
        LayoffDecision::Approve(_) if row.approved_at.is_some() => return Ok(LayoffDecided::AlreadyApproved),
        LayoffDecision::Approve(_) if row.over => return Ok(LayoffDecided::Over),
        LayoffDecision::Approve(_) => {
            sqlx::query!("update layoffs set approved_by = $2, approved_at = now() where id = $1", id.0, by)
                .execute(&mut **tx)
                .await?;
            let list = format!("list {}", hex::encode(row.list_digest));
            note(tx, id, actor, Action::LayoffApproved, &list).await?;
        }
        LayoffDecision::Cancel => {
            sqlx::query!(
                "update layoffs set cancelled_by = $2, cancelled_at = now() where id = $1",
                id.0,
                by
            )
            .execute(&mut **tx)
            .await?;
            note(tx, id, actor, Action::LayoffCancelled, "").await?;
        }
    }
    Ok(LayoffDecided::Yes)
}
