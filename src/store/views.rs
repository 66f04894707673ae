//! Reading: offboardings as the API and the commands show them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Store, StoreError, Tx, figures, in_transaction, matches_nothing, word};
use crate::offboarding::event::email_key;
use crate::offboarding::{Goal, JournalEntry, OffboardingId, Outcome, Phase, Reason, Status, StepStatus};

/// The most offboardings that one page holds.
pub const PAGE_MAX: u32 = 200;

/// An offboarding as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Offboarding)]
pub struct View {
    /// Which.
    pub id: OffboardingId,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    #[schema(required)]
    pub outcome: Option<Outcome>,
    /// Why it is held, failed or cancelled.
    #[schema(required)]
    pub reason: Option<Reason>,
    /// The phase that it is in, or was in last.
    #[schema(required, value_type = Option<Phase>)]
    pub phase: Option<String>,
    /// What is worked towards.
    pub goal: Goal,
    /// Who.
    pub person: PersonView,
    /// The source that opened it.
    pub source: String,
    /// The events that belong to it, oldest first.
    pub event_ids: Vec<String>,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
    /// When it is taken up next; null under a lease and at an end.
    #[schema(required)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When the present lease runs out; null where nobody works on it.
    #[schema(required)]
    pub lease_until: Option<DateTime<Utc>>,
    /// Consecutive attempts without progress.
    pub attempt: i32,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[schema(required)]
    pub completed_at: Option<DateTime<Utc>>,
    /// When the HRIS took back what had been carried out by then; null otherwise.
    #[schema(required)]
    pub rescinded_at: Option<DateTime<Utc>>,
    /// How far each step is; empty in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepView>>,
    /// What was written down, oldest first; empty in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Vec<JournalEntry>>,
}

/// The person of an offboarding.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// As the source sent it.
    #[schema(required)]
    pub email: Option<String>,
    /// As the source sent it.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The one exact match.
    #[schema(required)]
    pub genesys_user_id: Option<String>,
}

/// One step of an offboarding.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepView {
    /// `PHASE.KIND`.
    pub name: String,
    /// `strip` or `deactivate`.
    #[schema(value_type = Phase)]
    pub phase: String,
    /// `pending`, `done`, `failed` or `skipped`.
    #[schema(value_type = StepStatus)]
    pub status: String,
    /// How many assignments were taken away and not put back.
    pub removed: i64,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only this person: an address, an external id or a Genesys user id.
    pub person: Option<String>,
    /// Only this source.
    pub source: Option<String>,
    /// Only this reason.
    pub reason: Option<Reason>,
    /// Only what is older than this one.
    pub after: Option<OffboardingId>,
    /// At most so many, up to [`PAGE_MAX`].
    pub limit: u32,
}

/// How many offboardings have a status, an outcome and a reason.
#[derive(Clone, Debug)]
pub struct Count {
    /// The status.
    pub status: String,
    /// The outcome, or empty.
    pub outcome: String,
    /// The reason, or empty.
    pub reason: String,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Lists offboardings, newest first.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<View>, StoreError> {
        if matches_nothing([&filter.person, &filter.source]) {
            return Ok(Vec::new());
        }
        let filter = filter.clone();
        in_transaction(&self.operators, move |tx| {
            let filter = filter.clone();
            Box::pin(async move { list(tx, &filter).await })
        })
        .await
    }

    /// One offboarding with its steps and its journal.
    pub async fn show(&self, id: OffboardingId) -> Result<Option<View>, StoreError> {
        in_transaction(&self.operators, move |tx| Box::pin(show(tx, id))).await
    }

    /// Counts by status, outcome and reason, and the age in seconds of the oldest that is due and not finished.
    pub async fn overview(&self) -> Result<(Vec<Count>, f64), StoreError> {
        in_transaction(&self.operators, |tx| Box::pin(figures::overview(tx))).await
    }
}

struct Row {
    id: Uuid,
    status: String,
    outcome: Option<String>,
    reason: Option<String>,
    phase: Option<String>,
    goal: String,
    source: String,
    email: Option<String>,
    external_id: Option<String>,
    genesys_user_id: Option<String>,
    effective_at: DateTime<Utc>,
    available_at: DateTime<Utc>,
    lease_token: Option<Uuid>,
    attempt: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    rescinded_at: Option<DateTime<Utc>>,
    event_ids: Vec<String>,
}

impl Row {
    fn view(self) -> Result<View, StoreError> {
        let status: Status = word(&self.status, "offboardings.status")?;
        let leased = self.lease_token.is_some();
        Ok(View {
            id: OffboardingId(self.id),
            status,
            outcome: self.outcome.map(|o| word(&o, "offboardings.outcome")).transpose()?,
            reason: self.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
            phase: self.phase,
            goal: word(&self.goal, "offboardings.goal")?,
            person: PersonView {
                email: self.email,
                external_id: self.external_id,
                genesys_user_id: self.genesys_user_id,
            },
            source: self.source,
            event_ids: self.event_ids,
            effective_at: self.effective_at,
            next_attempt_at: (status == Status::Scheduled && !leased).then_some(self.available_at),
            lease_until: leased.then_some(self.available_at),
            attempt: self.attempt,
            created_at: self.created_at,
            updated_at: self.updated_at,
            completed_at: self.completed_at,
            rescinded_at: self.rescinded_at,
            steps: None,
            journal: None,
        })
    }
}

async fn list(tx: Tx<'_>, filter: &Filter) -> Result<Vec<View>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        // list
        r#"select id, status, outcome, reason, phase, goal, source, email, external_id, genesys_user_id, effective_at,
               available_at, lease_token, attempt, created_at, updated_at, completed_at, rescinded_at,
               array(select event_id from events where events.offboarding_id = o.id order by received_at)
                   as "event_ids!: Vec<String>"
           from offboardings o
           where ($1::text is null or status = $1)
             and ($2::text is null or source = $2)
             and ($3::text is null or email_key = $6 or external_id = $3 or genesys_user_id in ($3, lower($3)))
             and ($4::uuid is null or id < $4)
             and ($7::text is null or reason = $7)
           order by id desc limit $5"#,
        filter.status.map(Status::as_str),
        filter.source,
        filter.person,
        filter.after.map(|id| id.0),
        // One more than a page holds tells whether there is a next one.
        i64::from(filter.limit.clamp(1, PAGE_MAX + 1)),
        filter.person.as_deref().and_then(email_key),
        filter.reason.map(Reason::as_str),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::view).collect()
}

async fn show(tx: Tx<'_>, id: OffboardingId) -> Result<Option<View>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        // show
        r#"select id, status, outcome, reason, phase, goal, source, email, external_id, genesys_user_id, effective_at,
               available_at, lease_token, attempt, created_at, updated_at, completed_at, rescinded_at,
               array(select event_id from events where events.offboarding_id = o.id order by received_at)
                   as "event_ids!: Vec<String>"
           from offboardings o where id = $1"#,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut view = row.view()?;
    view.steps = Some(
        sqlx::query_as!(
            StepView,
            r#"select coalesce(s.name, a.step) as "name!", split_part(coalesce(s.name, a.step), '.', 1) as "phase!",
                   coalesce(s.status, 'pending') as "status!", coalesce(a.removed, 0) as "removed!"
               from (select name, status from steps where offboarding_id = $1) s
               full join (select step, count(*) filter (where removed_at is not null and restored_at is null) as removed
                          from assignments where offboarding_id = $1 group by step) a on a.step = s.name"#,
            id.0,
        )
        .fetch_all(&mut **tx)
        .await?,
    );
    view.journal = Some(
        sqlx::query_as!(
            JournalEntry,
            "select at, actor, action, step, target, result, request_id, correlation_id
             from journal where offboarding_id = $1 order by seq",
            id.0,
        )
        .fetch_all(&mut **tx)
        .await?,
    );
    Ok(Some(view))
}
