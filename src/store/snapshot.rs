//! The snapshot: what a person held at first sight, with everything that a restore needs, what became of it since, and what
//! has been put back.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::journal::{self, NewEntry};
use super::leases::Fence;
use super::progress::{Note, still_ours, write};
use super::{Store, StoreError, Tx, in_transaction};
use crate::offboarding::{Action, Assignment, OffboardingId, Phase, StepName};

/// What is known about an assignment from earlier passes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was last taken away, and the database's clock now.
    pub removed: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How often it was taken away.
    pub removals: u32,
    /// It was there again after a removal, and not only still shown.
    pub returned: bool,
    /// The details as they were stored.
    pub detail: Value,
}

/// What is known, by step and target.
pub type Known = HashMap<(String, String), Seen>;

/// One thing of a snapshot that may have to be put back.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The step that took it away.
    pub step: String,
    /// What tells it apart within the step.
    pub target: String,
    /// As it was at first sight.
    pub detail: Value,
    /// Whether it is known to have been taken away; a call whose answer was lost may have done so all the same.
    pub removed: bool,
    /// Whether it was, or may have been, changed without being taken away.
    pub altered: bool,
    /// When it was last put back, and the database's clock now.
    pub restored: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How often it was put back.
    pub restores: u32,
    /// Why it can't be put back.
    pub lost: Option<String>,
}

/// Whether what was reported needs nobody's decision any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It doesn't.
    Yes,
    /// A person has to look first; until then the reports are read again at each attempt.
    NotYet,
}

impl Store {
    /// What is known about a person's assignments.
    pub async fn known(&self, id: OffboardingId) -> Result<Known, StoreError> {
        in_transaction(&self.worker, move |tx| Box::pin(known(tx, id))).await
    }

    /// Takes note of a complete read of these steps: stores what is seen for the first time, notes what no longer shows
    /// and what shows again. Gives what is known now.
    pub async fn remember(
        &self,
        fence: &Fence,
        id: OffboardingId,
        steps: Vec<StepName>,
        seen: Vec<Assignment>,
    ) -> Result<Known, StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (fence, steps, seen) = (fence.clone(), steps.clone(), seen.clone());
            Box::pin(async move { remember(tx, &fence, id, &steps, &seen).await })
        })
        .await
    }

    /// Writes down, before the first change, what was reported and which steps are left out. Once settled, it is not asked
    /// for again.
    pub async fn report(
        &self,
        fence: &Fence,
        id: OffboardingId,
        left_out: Vec<(StepName, Phase)>,
        notes: Vec<Note>,
        settled: Settled,
    ) -> Result<(), StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (fence, left_out, notes) = (fence.clone(), left_out.clone(), notes.clone());
            Box::pin(async move { report(tx, &fence, id, &left_out, &notes, settled).await })
        })
        .await
    }

    /// What the person held, and what of it was taken away.
    pub async fn stored(&self, id: OffboardingId) -> Result<Vec<Stored>, StoreError> {
        in_transaction(&self.worker, move |tx| Box::pin(stored(tx, id))).await
    }

    /// Notes that something can't be put back.
    pub async fn lost(
        &self,
        fence: &Fence,
        id: OffboardingId,
        step: StepName,
        targets: Vec<String>,
        why: &str,
    ) -> Result<(), StoreError> {
        let (fence, why) = (fence.clone(), why.to_owned());
        in_transaction(&self.worker, move |tx| {
            let (fence, targets, why) = (fence.clone(), targets.clone(), why.clone());
            Box::pin(async move { lost(tx, &fence, id, step, &targets, &why).await })
        })
        .await
    }
}

async fn known(tx: Tx<'_>, id: OffboardingId) -> Result<Known, StoreError> {
    let rows = sqlx::query!(
        // known
        r#"select step, target, detail, removed_at, removals, returned, now() as "now!"
           from assignments where offboarding_id = $1"#,
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = rows.into_iter().map(|row| {
        let seen = Seen {
            removed: row.removed_at.map(|at| (at, row.now)),
            removals: u32::try_from(row.removals).unwrap_or_default(),
            returned: row.returned,
            detail: row.detail,
        };
        ((row.step, row.target), seen)
    });
    Ok(known.collect())
}

async fn remember(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    steps: &[StepName],
    seen: &[Assignment],
) -> Result<Known, StoreError> {
    still_ours(tx, fence, id).await?;
    let mut added: u64 = 0;
    for assignment in seen {
        let inserted = sqlx::query!(
            // remember
            "insert into assignments (offboarding_id, step, target, detail) values ($1, $2, $3, $4)
             on conflict do nothing",
            id.0,
            assignment.step,
            assignment.target,
            assignment.detail,
        )
        .execute(&mut **tx)
        .await?;
        added += inserted.rows_affected();
    }
    if added > 0 {
        let text = format!("{added} assignments");
        journal::append(tx, NewEntry::note(id, &fence.worker, Action::SnapshotStored, Some(&text))).await?;
    }
    note_what_went_and_came(tx, id, steps, seen).await?;
    known(tx, id).await
}

async fn note_what_went_and_came(
    tx: Tx<'_>,
    id: OffboardingId,
    steps: &[StepName],
    seen: &[Assignment],
) -> Result<(), StoreError> {
    let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
    let (shown_steps, shown_targets): (Vec<String>, Vec<String>) =
        seen.iter().map(|one| (one.step.to_owned(), one.target.clone())).unzip();
    sqlx::query!(
        // note_what_went_and_came
        "update assignments a
         set returned = a.returned or (shown.target is not null and a.gone_at is not null),
             gone_at = case when shown.target is null then coalesce(a.gone_at, now()) end
         from assignments b left join unnest($3::text[], $4::text[]) as shown (step, target)
             on shown.step = b.step and shown.target = b.target
         where b.offboarding_id = $1 and b.step = any($2) and b.removed_at is not null
           and (shown.target is null) = (b.gone_at is null)
           and a.offboarding_id = b.offboarding_id and a.step = b.step and a.target = b.target",
        id.0,
        &steps,
        &shown_steps,
        &shown_targets,
    )
    .execute(&mut **tx)
    .await?;
    // Before the first change it is somebody else who took it away, and no restore is to bring it back.
    sqlx::query!(
        // forget_what_others_took
        "delete from assignments a using offboardings o
         where o.id = $1 and o.changes_began_at is null and a.offboarding_id = o.id and a.step = any($2)
           and a.removed_at is null and (a.step, a.target) not in (select * from unnest($3::text[], $4::text[]))",
        id.0,
        &steps,
        &shown_steps,
        &shown_targets,
    )
    .execute(&mut **tx)
    .await?;
    // What a read no longer shows was taken away, also by a call whose answer was lost.
    sqlx::query!(
        "update assignments set removed_at = now(), gone_at = now()
         where offboarding_id = $1 and step = any($2) and removed_at is null
           and (step, target) not in (select * from unnest($3::text[], $4::text[]))",
        id.0,
        &steps,
        &shown_steps,
        &shown_targets,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn report(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    left_out: &[(StepName, Phase)],
    notes: &[Note],
    settled: Settled,
) -> Result<(), StoreError> {
    still_ours(tx, fence, id).await?;
    for (name, phase) in left_out {
        sqlx::query!(
            // report
            "insert into steps (offboarding_id, name, phase, status) values ($1, $2, $3, 'skipped')
             on conflict (offboarding_id, name) do update set status = excluded.status, updated_at = now()",
            id.0,
            name,
            phase.as_str(),
        )
        .execute(&mut **tx)
        .await?;
    }
    write(tx, fence, id, notes).await?;
    if settled == Settled::Yes {
        sqlx::query!("update offboardings set reported_at = now() where id = $1", id.0)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn stored(tx: Tx<'_>, id: OffboardingId) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query!(
        // stored
        r#"select step, target, detail, removed_at is not null as "removed!",
               altered_at is not null as "altered!", restored_at, restores, lost, now() as "now!"
           from assignments where offboarding_id = $1 order by step, target"#,
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let stored = rows.into_iter().map(|row| Stored {
        step: row.step,
        target: row.target,
        detail: row.detail,
        removed: row.removed,
        altered: row.altered,
        restored: row.restored_at.map(|at| (at, row.now)),
        restores: u32::try_from(row.restores).unwrap_or_default(),
        lost: row.lost,
    });
    Ok(stored.collect())
}

async fn lost(
    tx: Tx<'_>,
    fence: &Fence,
    id: OffboardingId,
    step: StepName,
    targets: &[String],
    why: &str,
) -> Result<(), StoreError> {
    still_ours(tx, fence, id).await?;
    sqlx::query!(
        // lost
        "update assignments set lost = $4 where offboarding_id = $1 and step = $2 and target = any($3)",
        id.0,
        step,
        targets,
        why,
    )
    .execute(&mut **tx)
    .await?;
    let note = Note {
        action: Action::NotRestorable,
        step: Some(step),
        target: Some(targets.join(", ")),
        text: Some(why.to_owned()),
    };
    write(tx, fence, id, &[note]).await
}
