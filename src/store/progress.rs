//! What a worker writes while it holds a lease: intentions and outcomes of calls, the steps. The claim of a user is in
//! `claims`, the snapshot in `snapshot`. Every write that precedes a change is fenced: it fails where the lease is no longer
//! ours.

use uuid::Uuid;

use super::approvals;
use super::brake::{self, BrakeUse, Passage};
use super::journal::{self, NewEntry};
use super::leases::{Fence, interval};
use super::pause;
use super::{Store, StoreError, Tx, in_transaction};
use crate::offboarding::{Action, OffboardingId, Phase, Reason, StepStatus};

/// One person's share of a changing call that is about to be sent.
#[derive(Clone, Debug)]
pub struct Intention {
    /// Whose.
    pub offboarding: OffboardingId,
    /// The Genesys user who is changed.
    pub user: String,
    /// The step that changes.
    pub step: &'static str,
    /// The step's phase.
    pub phase: Phase,
    /// What is removed, set unjoined or put back.
    pub targets: Vec<String>,
    /// Which of them.
    pub change: Change,
    /// The `X-Request-Id` that the call will carry.
    pub request_id: Uuid,
}

/// What a changing call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// To take away.
    Remove,
    /// To set unjoined what stays, while somebody's work is waited for. The strip has not begun with it.
    Unjoin,
    /// To put back.
    PutBack,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepMark {
    /// Nothing is left that can be taken away.
    Done,
    /// Everything is there again that can be.
    PutBack,
    /// Genesys Cloud refused it for good.
    Failed,
    /// It is left out.
    Skipped,
}

/// What is written down besides calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was done.
    pub action: Action,
    /// The step or report that it belongs to.
    pub step: Option<&'static str>,
    /// What it is about.
    pub target: Option<String>,
    /// More in words.
    pub text: Option<String>,
}

/// Whether a changing call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// The intention is written and the lease renewed: send now.
    Granted,
    /// The lease is somebody else's, or the offboarding was cancelled.
    LeaseLost,
    /// The service is paused: nothing is written.
    Paused,
    /// The person would be one too many within the hour or the day.
    Brake {
        /// Where it is the first one of a trip, how many have been changed: somebody has to be told.
        trip: Option<BrakeUse>,
    },
    /// What the offboarding was released from for a time holds it again.
    ApprovalExpired(Reason),
}

/// The most people that may be changed, over all replicas.
#[derive(Clone, Copy, Debug)]
pub struct BrakeLimits {
    /// In any hour.
    pub per_hour: u32,
    /// In any day.
    pub per_day: u32,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub struct CallResult {
    /// Short and stable: `removed`, `already_gone`, `refused: 403 …`, `unknown: timeout`.
    pub result: String,
    /// Genesys Cloud's `ININ-Correlation-Id`.
    pub correlation_id: Option<String>,
    /// What this says about the assignments.
    pub proves: Proves,
}

/// What a call's answer says about the things that it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proves {
    /// They were there at the moment of the call.
    WereThere,
    /// They were gone at the moment of the call: what a read still shows only lags.
    WereGone,
    /// They are changed now; whether they were before is not said.
    Changed,
    /// Nothing.
    Nothing,
    /// Nothing, because the call never left this process.
    NotSent,
}

impl Store {
    /// Writes the intention of a changing call and renews the lease, in one short transaction that checks that the
    /// lease is still ours and the service is not paused. `brake` is asked at a person's first change only; `None` where it was approved.
    pub async fn begin(
        &self,
        fence: &Fence,
        intention: &Intention,
        brake: Option<BrakeLimits>,
    ) -> Result<Permission, StoreError> {
        let (fence, intention) = (fence.clone(), intention.clone());
        in_transaction(&self.worker, move |tx| {
            let (fence, intention) = (fence.clone(), intention.clone());
            Box::pin(async move { begin(tx, &fence, &intention, brake).await })
        })
        .await
    }

    /// Writes what became of a call. Not fenced: what happened has to be recorded also by a worker that lost its lease.
    pub async fn finish(
        &self,
        fence: &Fence,
        intention: &Intention,
        result: CallResult,
    ) -> Result<(), StoreError> {
        let (fence, intention) = (fence.clone(), intention.clone());
        in_transaction(&self.worker, move |tx| {
            let (fence, intention, result) = (fence.clone(), intention.clone(), result.clone());
            Box::pin(async move { finish(tx, &fence, &intention, &result).await })
        })
        .await
    }

    /// Sets the status of steps and writes entries, in one transaction.
    pub async fn mark(
        &self,
        fence: &Fence,
        id: OffboardingId,
        steps: Vec<(&'static str, Phase, StepMark)>,
        notes: Vec<Note>,
    ) -> Result<(), StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (fence, steps, notes) = (fence.clone(), steps.clone(), notes.clone());
            Box::pin(async move {
                still_ours(tx, &fence, id).await?;
                for (name, phase, mark) in steps {
                    mark_step(tx, id, name, phase, mark).await?;
                }
                write(tx, &fence, id, &notes).await
            })
        })
        .await
    }
}

/// Writes entries that speak of no call.
pub(super) async fn write(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    notes: &[Note],
) -> Result<(), StoreError> {
    for note in notes {
        let entry = NewEntry {
            step: note.step,
            target: note.target.as_deref(),
            ..NewEntry::note(id, &fence.worker, note.action, note.text.as_deref())
        };
        journal::append(tx, entry).await?;
    }
    Ok(())
}

/// Fails where the lease is somebody else's: what this worker saw is no evidence any more.
pub(super) async fn still_ours(tx: Tx<'_>, fence: &Fence, id: OffboardingId) -> Result<(), StoreError> {
    let ours = sqlx::query!(
        // still_ours
        "select id from offboardings where id = $1 and lease_token = $2 for share",
        id.0,
        fence.token,
    )
    .fetch_optional(&mut **tx)
    .await?;
    ours.map(drop).ok_or(StoreError::LeaseLost)
}

async fn begin(
    tx: Tx<'_>,
    fence: &Fence,
    intention: &Intention,
    brake: Option<BrakeLimits>,
) -> Result<Permission, StoreError> {
    if !pause::may_begin(tx).await? {
        return Ok(Permission::Paused);
    }
    let id = intention.offboarding;
    let renewed = sqlx::query!(
        // begin
        "update offboardings set available_at = now() + $3, phase = coalesce($4, phase), updated_at = now()
         where id = $1 and lease_token = $2 and available_at > now()
         returning changes_began_at",
        id.0,
        fence.token,
        interval(fence.lease),
        (intention.change != Change::Unjoin).then_some(intention.phase.as_str()),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = renewed else {
        return Ok(Permission::LeaseLost);
    };
    if row.changes_began_at.is_none() {
        if let Some(reason) = approvals::expired(tx, id).await? {
            return Ok(Permission::ApprovalExpired(reason));
        }
        match brake::pass(tx, fence, intention, brake).await? {
            Passage::Through => {}
            Passage::Full { trip } => return Ok(Permission::Brake { trip }),
        }
    }
    note_change(tx, intention).await?;
    let targets = intention.targets.join(", ");
    let entry = NewEntry {
        step: Some(intention.step),
        target: Some(&targets),
        request_id: Some(intention.request_id),
        ..NewEntry::note(id, &fence.worker, Action::CallIntended, None)
    };
    journal::append(tx, entry).await?;
    Ok(Permission::Granted)
}

/// Notes before the call what it may do: whether it takes effect may never be known.
async fn note_change(tx: Tx<'_>, intention: &Intention) -> Result<(), StoreError> {
    match intention.change {
        Change::PutBack => {}
        Change::Remove => {
            sqlx::query!(
                // note_change
                "update offboardings set strip_began_at = now() where id = $1 and strip_began_at is null",
                intention.offboarding.0,
            )
            .execute(&mut **tx)
            .await?;
        }
        Change::Unjoin => {
            sqlx::query!(
                "update assignments set altered_at = coalesce(altered_at, now())
                 where offboarding_id = $1 and step = $2 and target = any($3)",
                intention.offboarding.0,
                intention.step,
                &intention.targets,
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

async fn finish(
    tx: Tx<'_>,
    fence: &Fence,
    intention: &Intention,
    call: &CallResult,
) -> Result<(), StoreError> {
    let id = intention.offboarding;
    let targets = intention.targets.join(", ");
    let entry = NewEntry {
        step: Some(intention.step),
        target: Some(&targets),
        result: Some(&call.result),
        request_id: Some(intention.request_id),
        correlation_id: call.correlation_id.as_deref(),
        ..NewEntry::note(id, &fence.worker, Action::CallFinished, None)
    };
    journal::append(tx, entry).await?;
    match (call.proves, intention.change) {
        (Proves::Nothing, Change::Remove | Change::Unjoin | Change::PutBack)
        | (Proves::NotSent, Change::PutBack)
        | (Proves::WereThere | Proves::WereGone | Proves::Changed, Change::Unjoin) => Ok(()),
        (Proves::NotSent, Change::Remove | Change::Unjoin) => brake::give_back(tx, id).await,
        (proves @ (Proves::WereThere | Proves::WereGone | Proves::Changed), Change::Remove) => {
            removed(tx, intention, proves).await
        }
        (Proves::WereThere | Proves::WereGone | Proves::Changed, Change::PutBack) => {
            put_back(tx, intention).await
        }
    }
}

/// What a second removal finds there has been assigned again meanwhile; what it finds gone has not. What is said to be gone
/// and is shown again for ever is counted as well, so that it ends.
async fn removed(tx: Tx<'_>, intention: &Intention, proves: Proves) -> Result<(), StoreError> {
    sqlx::query!(
        // removed
        "update assignments
         set removed_at = now(), gone_at = null, returned = not $5 and (returned or (removals > 0 and $4)),
             removals = removals + 1
         where offboarding_id = $1 and step = $2 and target = any($3)",
        intention.offboarding.0,
        intention.step,
        &intention.targets,
        proves == Proves::WereThere,
        proves == Proves::WereGone,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn put_back(tx: Tx<'_>, intention: &Intention) -> Result<(), StoreError> {
    sqlx::query!(
        // put_back
        "update assignments set restored_at = now(), restores = restores + 1
         where offboarding_id = $1 and step = $2 and target = any($3)",
        intention.offboarding.0,
        intention.step,
        &intention.targets,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn mark_step(
    tx: Tx<'_>,
    id: OffboardingId,
    name: &str,
    phase: Phase,
    mark: StepMark,
) -> Result<(), StoreError> {
    let status = match mark {
        StepMark::Done | StepMark::PutBack => StepStatus::Done,
        StepMark::Failed => StepStatus::Failed,
        StepMark::Skipped => StepStatus::Skipped,
    };
    sqlx::query!(
        // mark_step
        "insert into steps (offboarding_id, name, phase, status) values ($1, $2, $3, $4)
         on conflict (offboarding_id, name) do update set status = excluded.status, updated_at = now()
         where steps.status <> excluded.status",
        id.0,
        name,
        phase.as_str(),
        status.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    match mark {
        StepMark::Done | StepMark::Failed | StepMark::Skipped => {}
        StepMark::PutBack => {
            sqlx::query!(
                "update assignments set restored_at = coalesce(restored_at, now())
                 where offboarding_id = $1 and step = $2 and removed_at is not null and lost is null",
                id.0,
                name,
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}
