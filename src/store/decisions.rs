//! What operators decide: retry, approve, cancel, restore. Each asks the transition table, and each is journalled.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::approvals;
use super::journal::{self, NewEntry};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, idempotency, in_transaction, word};
use crate::offboarding::{Action, Actor, Goal, OffboardingId, Reason, Status};

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt now, of a failed one or of a held one whose cause is mended.
    Retry,
    /// Release of a held one from its reason.
    Approve,
    /// An end without being carried out.
    Cancel,
    /// Everything that was taken away is put back.
    Restore,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is done.
    Yes,
    /// No offboarding has this id.
    Unknown,
    /// The status does not allow it.
    NotFrom(Status),
    /// A worker holds a lease on it.
    UnderLease,
    /// Another offboarding of the same person is open, and two at once would be two writers.
    AnotherOpen(OffboardingId),
    /// The reason is one that only an approver releases it from.
    ApprovalNeeded(Reason),
    /// Approval needs somebody else than who asked for the offboarding.
    OwnRequest,
    /// The offboarding is held for a fact that it lacks, and that an approval alone does not supply.
    FactsMissing(Reason, Fact),
    /// Nothing was changed, or everything has been put back before.
    NothingToRestore,
    /// The event names the person by an address already, and another one would be another person.
    NamedAlready,
    /// It is held, but for this reason and not for the one that was to be approved.
    HeldFor(Reason),
}

/// What a held offboarding can lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Whom it is about.
    Person,
    /// Which of several users that is: nothing that an approver could say.
    User,
    /// When it takes effect.
    Moment,
}

impl Store {
    /// Carries out a decision.
    pub async fn decide(
        &self,
        id: OffboardingId,
        decision: Decision,
        actor: &Actor,
    ) -> Result<Decided, StoreError> {
        if idempotency::was_carried_out() {
            return Ok(Decided::Yes);
        }
        let (actor, valid) = (actor.clone(), self.approval_valid);
        in_transaction(&self.operators, move |tx| {
            let actor = actor.clone();
            Box::pin(async move { decide(tx, id, decision, &actor, valid).await })
        })
        .await
    }
}

/// An offboarding as it is when something is decided about it, locked.
pub(super) struct Present {
    pub(super) status: Status,
    pub(super) reason: Option<Reason>,
    /// Every operator who asked for it.
    pub(super) asked_by: Vec<String>,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) lease_token: Option<Uuid>,
    pub(super) goal: Goal,
    pub(super) changed: bool,
    /// Whether it says whom it is about.
    pub(super) named: bool,
    /// Whether the approver says what the event did not.
    pub(super) completed: bool,
}

async fn decide(
    tx: Tx<'_>,
    id: OffboardingId,
    decision: Decision,
    actor: &Actor,
    valid: Duration,
) -> Result<Decided, StoreError> {
    let Some(present) = present(tx, id).await? else {
        return Ok(Decided::Unknown);
    };
    if let Some(refused) = refusal(&present, decision, actor) {
        return Ok(refused);
    }
    if decision != Decision::Cancel
        && let Some(other) = another_open(tx, id).await?
    {
        return Ok(Decided::AnotherOpen(other));
    }
    let (status, reason, action) = match decision {
        Decision::Retry => (Status::Scheduled, None, Action::Retried),
        Decision::Approve => return approvals::approve_one(tx, id, None, actor, valid).await,
        Decision::Restore => {
            begin_restore(tx, id, actor).await?;
            return Ok(Decided::Yes);
        }
        Decision::Cancel => (Status::Cancelled, Some(Reason::CancelledByOperator), Action::Cancelled),
    };
    sqlx::query!(
        // decide
        "update offboardings
         set status = $2, reason = $3, attempt = 0, updated_at = now(), lease_token = null, lease_worker = null,
             available_at = greatest(effective_at, now()), not_found_at = null, busy_at = null,
             busy_until = null, shift_read_at = null,
             completed_at = case when $2 = 'cancelled' then now() end
         where id = $1",
        id.0,
        status.as_str(),
        reason.map(Reason::as_str),
    )
    .execute(&mut **tx)
    .await?;
    // Somebody has looked at what kept returning, or didn't stay: it is counted from the beginning. The journal keeps the
    // history.
    sqlx::query!(
        "update assignments set removals = 0, restores = 0, returned = false where offboarding_id = $1",
        id.0
    )
    .execute(&mut **tx)
    .await?;
    journal::append(tx, NewEntry::note(id, actor, action, None)).await?;
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    Ok(Decided::Yes)
}

/// Turns the goal round. What was stored before the first change stays as it was.
async fn begin_restore(tx: Tx<'_>, id: OffboardingId, actor: &Actor) -> Result<(), StoreError> {
    sqlx::query!(
        // begin_restore
        "update offboardings
         set goal = 'restored', status = 'scheduled', reason = null, outcome = null, phase = null, attempt = 0,
             -- A worker that was cut off in the middle of a call may still be sending it; nobody gives back meanwhile.
             available_at = now() + case when exists (
                 select from journal intended
                 where intended.offboarding_id = $1 and intended.action = 'call_intended'
                   and intended.at > now() - interval '90 seconds' and not exists (
                     select from journal finished
                     where finished.offboarding_id = $1 and finished.action = 'call_finished'
                       and finished.request_id = intended.request_id))
                 then interval '90 seconds' else interval '0 seconds' end,
             updated_at = now(), completed_at = null, lease_token = null, lease_worker = null, look_up_at = null
         where id = $1",
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("delete from steps where offboarding_id = $1", id.0).execute(&mut **tx).await?;
    sqlx::query!("update assignments set restores = 0 where offboarding_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    journal::append(tx, NewEntry::note(id, actor, Action::RestoreRequested, None)).await?;
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    Ok(())
}

pub(super) async fn another_open(tx: Tx<'_>, id: OffboardingId) -> Result<Option<OffboardingId>, StoreError> {
    let other = sqlx::query_scalar!(
        // another_open
        "select other.id from offboardings other join offboardings this on this.id = $1 and other.id <> this.id
         where other.status in ('scheduled', 'held') and (other.email_key = this.email_key
             or (other.source = this.source and other.external_id = this.external_id)
             or other.genesys_user_id = this.genesys_user_id)
         limit 1",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(other.map(OffboardingId))
}

/// The offboarding as it is now, which nobody changes until the transaction ends.
pub(super) async fn present(tx: Tx<'_>, id: OffboardingId) -> Result<Option<Present>, StoreError> {
    sqlx::query!(
        // present
        "select id from offboardings where id = $1 for update",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    look(tx, id).await
}

/// The same without the lock: for whoever only shows what could be decided.
pub(super) async fn look(tx: Tx<'_>, id: OffboardingId) -> Result<Option<Present>, StoreError> {
    let row = sqlx::query!(
        // look
        r#"select status, reason, effective_at, lease_token, goal, changes_began_at is not null as "changed!",
               (email_key is not null or external_id is not null) as "named!",
               array_remove(array_append(array(
                   select actor from journal where journal.offboarding_id = offboardings.id
                     and action in ('event_accepted', 'facts_given') and actor like 'operator:%'), requested_by), null)
                   as "asked_by!: Vec<String>"
           from offboardings where id = $1"#,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Present {
        status: word(&row.status, "offboardings.status")?,
        reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
        asked_by: row.asked_by,
        effective_at: row.effective_at,
        lease_token: row.lease_token,
        goal: word(&row.goal, "offboardings.goal")?,
        changed: row.changed,
        named: row.named,
        completed: false,
    }))
}

/// Why the decision is not possible, or nothing.
pub(super) fn refusal(present: &Present, decision: Decision, actor: &Actor) -> Option<Decided> {
    let next = match decision {
        Decision::Restore => return restore_refusal(present),
        Decision::Retry | Decision::Approve => Status::Scheduled,
        Decision::Cancel => Status::Cancelled,
    };
    // A scheduled one that waits for its next attempt may be retried now; one under a lease is being worked on.
    let idle = present.effective_at <= Utc::now();
    match decision {
        _ if !present.status.may_become(next) => Some(Decided::NotFrom(present.status)),
        Decision::Retry if present.status == Status::Scheduled && present.lease_token.is_some() => {
            Some(Decided::UnderLease)
        }
        Decision::Retry if present.status == Status::Scheduled && !idle => {
            Some(Decided::NotFrom(present.status))
        }
        Decision::Approve if present.status != Status::Held => Some(Decided::NotFrom(present.status)),
        // Who is meant can't be approved: it is mended where the people are kept, or the offboarding is cancelled.
        Decision::Approve if present.reason == Some(Reason::AmbiguousPerson) => {
            Some(Decided::FactsMissing(Reason::AmbiguousPerson, Fact::User))
        }
        Decision::Approve if present.asked_by.iter().any(|by| actor.is_the_person(by)) => {
            Some(Decided::OwnRequest)
        }
        Decision::Retry | Decision::Approve => match (present.status, present.reason) {
            (Status::Held, Some(reason)) => match lacking(reason, present) {
                Some(fact) => Some(Decided::FactsMissing(reason, fact)),
                None if decision == Decision::Retry && wants_approval(reason) => {
                    Some(Decided::ApprovalNeeded(reason))
                }
                None => None,
            },
            (
                Status::Scheduled | Status::Held | Status::Done | Status::Failed | Status::Cancelled,
                Some(_) | None,
            ) => None,
        },
        Decision::Cancel | Decision::Restore => None,
    }
}

fn restore_refusal(present: &Present) -> Option<Decided> {
    let over = present.goal == Goal::Restored && present.status == Status::Done;
    if !present.status.may_be_restored() {
        Some(Decided::NotFrom(present.status))
    } else if !present.changed || over {
        Some(Decided::NothingToRestore)
    } else {
        None
    }
}

/// Reasons that a retry must not step over: somebody with the approver's role decides.
fn wants_approval(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Protected
            | Reason::Brake
            | Reason::Busy
            | Reason::StaleEvent
            | Reason::ContradictoryEvents
            | Reason::Reactivated
            | Reason::Rehired
            | Reason::EffectiveDateMissing
            | Reason::Rescinded
            | Reason::Recovery
            | Reason::ReportFound
            | Reason::LookupRequired
            | Reason::Unreadable
    )
}

/// What has to be said first: whom an event is about that names nobody; and of somebody who is named when, where the event could
/// not be understood. That somebody who is named leaves at all, an approver may say without more.
fn lacking(reason: Reason, present: &Present) -> Option<Fact> {
    if !present.named && matches!(reason, Reason::LookupRequired | Reason::Unreadable) {
        return Some(Fact::Person);
    }
    (reason == Reason::Unreadable && !present.completed).then_some(Fact::Moment)
}
