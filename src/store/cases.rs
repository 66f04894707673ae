//! The offboardings of a person, as events open, move, hold and end them. Which of these is done is decided by the policy.

use chrono::{DateTime, Utc};

use super::events::{Delivery, Item};
use super::journal::{self, NewEntry};
use super::{StoreError, Tx, word};
use super::{approvals, decisions};
use crate::offboarding::policy::{self, Act, Intake, Progress};
use crate::offboarding::{Action, Actor, OffboardingId, PersonRef, Reason, Status};

/// An open offboarding and the keys by which it is found.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: OffboardingId,
    pub(super) source: String,
    pub(super) email_key: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) present: policy::Case,
}

/// Every open offboarding of this person, locked, the oldest first. There are two where one event named the person by
/// address alone and another by id alone.
pub(super) async fn find_open(tx: Tx<'_>, delivery: &Delivery, item: &Item) -> Result<Vec<Case>, StoreError> {
    let by_address = PersonRef { external_id: None, ..item.person.clone() };
    let by_id = PersonRef { email: None, ..item.person.clone() };
    let mut found: Vec<Case> = Vec::new();
    for key in [by_address, by_id] {
        if let Some(open) = find_open_by(tx, delivery, &key).await?
            && found.iter().all(|known| known.id != open.id)
        {
            found.push(open);
        }
    }
    found.sort_by_key(|open| open.id);
    Ok(found)
}

/// The open offboarding that has this address or this id or is about this user, locked.
async fn find_open_by(
    tx: Tx<'_>,
    delivery: &Delivery,
    person: &PersonRef,
) -> Result<Option<Case>, StoreError> {
    let row = sqlx::query!(
        // find_open
        "select id, status, reason, changes_began_at, effective_at, source, email_key, external_id from offboardings
         where goal = 'offboarded' and status in ('scheduled', 'held')
           and (email_key = $1 or (source = $2 and external_id = $3) or genesys_user_id = $4)
         order by created_at limit 1 for update",
        person.email_key(),
        delivery.source,
        person.external_id,
        delivery.user(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let present = policy::Case {
        status: word(&row.status, "offboardings.status")?,
        reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
        progress: if row.changes_began_at.is_none() { Progress::Untouched } else { Progress::Begun },
        effective_at: row.effective_at,
    };
    Ok(Some(Case {
        id: OffboardingId(row.id),
        source: row.source,
        email_key: row.email_key,
        external_id: row.external_id,
        present,
    }))
}

/// Carries out what an event means for an open offboarding. `facts` are what it may learn about the person.
pub(super) async fn carry_out(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    facts: &PersonRef,
    id: OffboardingId,
    act: Act,
) -> Result<(), StoreError> {
    let actor = delivery.actor();
    match act {
        Act::Move => move_to(tx, delivery, item, facts, id).await,
        Act::Learn => learn(tx, delivery, item, facts, id).await,
        Act::Resume => resume(tx, id, start(&item.intake).unwrap_or_else(Utc::now)).await,
        Act::Doubt(at) => {
            hold(tx, id, Reason::ContradictoryEvents, at).await?;
            let word = Some(Reason::ContradictoryEvents.as_str());
            journal::append(tx, NewEntry::note(id, &actor, Action::Held, word)).await
        }
        Act::Stop => {
            hold(tx, id, Reason::Rescinded, None).await?;
            journal::append(tx, NewEntry::note(id, &actor, Action::Held, Some(Reason::Rescinded.as_str())))
                .await
        }
        Act::Withdraw => withdraw(tx, id, &actor).await,
        // These open one, where there is none.
        Act::Open | Act::OpenInDoubt(_) | Act::OpenWithdrawn | Act::Keep => Ok(()),
    }
}

/// Opens an offboarding where an event means that.
pub(super) async fn open(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    act: Act,
) -> Result<Option<OffboardingId>, StoreError> {
    let at = start(&item.intake);
    let (status, reason, at) = match act {
        Act::Open => match item.intake {
            Intake::Hold(reason, at) => (Status::Held, Some(reason), at),
            Intake::Schedule(at) => (Status::Scheduled, None, at),
            Intake::Rescind(_) | Intake::Ignore => return Ok(None),
        },
        Act::OpenInDoubt(latest) => {
            (Status::Held, Some(Reason::ContradictoryEvents), latest.or(at).unwrap_or_else(Utc::now))
        }
        Act::OpenWithdrawn => (Status::Cancelled, Some(Reason::Rescinded), at.unwrap_or_else(Utc::now)),
        Act::Move | Act::Learn | Act::Resume | Act::Doubt(_) | Act::Withdraw | Act::Stop | Act::Keep => {
            return Ok(None);
        }
    };
    let id = OffboardingId::new();
    sqlx::query!(
        // open_offboarding
        "insert into offboardings
             (id, status, reason, source, email, email_key, external_id, termination_type, effective_at, available_at,
              completed_at, genesys_user_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, case when $2 = 'cancelled' then now() end, $10)",
        id.0,
        status.as_str(),
        reason.map(Reason::as_str),
        delivery.source,
        item.person.email,
        item.person.email_key(),
        item.person.external_id,
        item.termination_type,
        at,
        delivery.user(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some(id))
}

/// When the event wants the offboarding to start.
fn start(intake: &Intake) -> Option<DateTime<Utc>> {
    match intake {
        Intake::Schedule(at) | Intake::Hold(_, at) => Some(*at),
        Intake::Rescind(_) | Intake::Ignore => None,
    }
}

/// A later event about an open offboarding that nothing has been done for yet: its date and facts win.
async fn move_to(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    facts: &PersonRef,
    id: OffboardingId,
) -> Result<(), StoreError> {
    let (status, reason, at) = match item.intake {
        Intake::Schedule(at) => (Status::Scheduled, None, at),
        Intake::Hold(reason, at) => (Status::Held, Some(reason), at),
        Intake::Rescind(_) | Intake::Ignore => return Ok(()),
    };
    if delivery.user().is_none() && said_again(tx, delivery, item, facts, id, (status, reason, at)).await? {
        return Ok(());
    }
    sqlx::query!(
        // move_to
        "update offboardings
         set status = $8, reason = $9, effective_at = $2, available_at = $2, updated_at = now(),
             lease_token = null, lease_worker = null, termination_type = coalesce($3, termination_type),
             email = coalesce($4, email), email_key = case when $4::text is null then email_key else $5 end,
             external_id = case when source = $7 then coalesce(external_id, $6) else external_id end,
             -- Whoever was matched by the facts before is found anew.
             genesys_user_id = $10, found_inactive = null, not_found_at = null, busy_at = null,
             -- The HRIS has confirmed what was known before.
             looked_up_at = null, look_up_at = null, look_up_attempt = 0, stays_at = null,
             busy_until = null, shift_read_at = null, attempt = 0,
             -- Replicas of the version before read it.
             approved_reasons = '{}', reported_at = null
         where id = $1",
        id.0,
        at,
        item.termination_type,
        facts.email,
        facts.email_key(),
        facts.external_id,
        delivery.source,
        status.as_str(),
        reason.map(Reason::as_str),
        delivery.user(),
    )
    .execute(&mut **tx)
    .await?;
    // What was seen of them, too: it may be somebody else's.
    sqlx::query!("delete from assignments where offboarding_id = $1", id.0).execute(&mut **tx).await?;
    sqlx::query!("delete from steps where offboarding_id = $1", id.0).execute(&mut **tx).await?;
    approvals::clear(tx, id).await
}

/// The date and the facts are those that it has: nothing is looked for anew, and what was approved stays so. False where
/// there is something new.
async fn said_again(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    facts: &PersonRef,
    id: OffboardingId,
    (status, reason, at): (Status, Option<Reason>, DateTime<Utc>),
) -> Result<bool, StoreError> {
    let same = sqlx::query!(
        // said_again
        "update offboardings
         set available_at = case when status = 'held' and $2 = 'scheduled' then effective_at else available_at end,
             look_up_at = case when status = $2 then look_up_at end,
             status = $2, reason = $3, updated_at = now(),
             lease_token = case when $2 = 'scheduled' then lease_token end,
             lease_worker = case when $2 = 'scheduled' then lease_worker end
         where id = $1 and effective_at = $4
           and ($5::text is null or email = $5)
           and ($6::text is null or (source = $7 and external_id = $6))
           and ($8::text is null or termination_type = $8)",
        id.0,
        status.as_str(),
        reason.map(Reason::as_str),
        at,
        facts.email,
        facts.external_id,
        delivery.source,
        item.termination_type,
    )
    .execute(&mut **tx)
    .await?;
    Ok(same.rows_affected() == 1)
}

/// The same termination again, perhaps with a name more or of a kind that does not wait.
async fn learn(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    facts: &PersonRef,
    id: OffboardingId,
) -> Result<(), StoreError> {
    sqlx::query!(
        // learn
        "update offboardings
         set updated_at = now(), email = coalesce(email, $3),
             email_key = case when email is null then $4 else email_key end,
             external_id = case when source = $6 then coalesce(external_id, $5) else external_id end,
             available_at = case when $2 is distinct from termination_type and status = 'scheduled' and lease_token is null
                 then least(available_at, greatest(effective_at, now())) else available_at end,
             termination_type = coalesce($2, termination_type)
         where id = $1",
        id.0,
        item.termination_type,
        facts.email,
        facts.email_key(),
        facts.external_id,
        delivery.source,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The later termination of somebody whose withdrawn one has been stopped half way: it goes on at its date.
async fn resume(tx: Tx<'_>, id: OffboardingId, at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        // resume
        "update offboardings
         set status = 'scheduled', reason = null, effective_at = $2, available_at = $2, attempt = 0, updated_at = now(),
             busy_at = null, busy_until = null, shift_read_at = null, off_queue_at = null
         where id = $1",
        id.0,
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stops it until a person has decided; no worker holds it any more.
async fn hold(
    tx: Tx<'_>,
    id: OffboardingId,
    reason: Reason,
    not_before: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    sqlx::query!(
        // hold_offboarding
        "update offboardings
         set status = 'held', reason = $2, effective_at = coalesce($3, effective_at), updated_at = now(),
             completed_at = null, lease_token = null, lease_worker = null
         where id = $1",
        id.0,
        reason.as_str(),
        not_before,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Before the first change nothing will be done.
async fn withdraw(tx: Tx<'_>, id: OffboardingId, actor: &Actor) -> Result<(), StoreError> {
    sqlx::query!(
        // withdraw
        "update offboardings
         set status = 'cancelled', reason = 'rescinded', updated_at = now(), lease_token = null, lease_worker = null,
             completed_at = now()
         where id = $1",
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    journal::append(tx, NewEntry::note(id, actor, Action::Cancelled, Some(Reason::Rescinded.as_str()))).await
}

/// A failed one waits for somebody to retry it, and must not be retried any more. Where something was changed for it, it is
/// held: a person decides what becomes of that.
pub(super) async fn withdraw_failed(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
) -> Result<Option<OffboardingId>, StoreError> {
    let failed = sqlx::query!(
        // find_failed
        r#"select id, changes_began_at is not null as "begun!" from offboardings
           where goal = 'offboarded' and status = 'failed'
             and (email_key = $1 or (source = $2 and external_id = $3))
           order by id desc for update"#,
        item.person.email_key(),
        delivery.source,
        item.person.external_id,
    )
    .fetch_all(&mut **tx)
    .await?;
    let actor = delivery.actor();
    for row in &failed {
        let id = OffboardingId(row.id);
        // Only one of a person can be open; that one is stopped by itself.
        if row.begun && decisions::another_open(tx, id).await?.is_none() {
            hold(tx, id, Reason::Rescinded, None).await?;
            journal::append(tx, NewEntry::note(id, &actor, Action::Held, Some(Reason::Rescinded.as_str())))
                .await?;
        } else {
            withdraw(tx, id, &actor).await?;
        }
    }
    Ok(failed.first().map(|row| OffboardingId(row.id)))
}

/// The last one was carried out already: it is written down, and nothing is put back without a person's decision.
pub(super) async fn note_late_withdrawal(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
) -> Result<Option<OffboardingId>, StoreError> {
    let id = sqlx::query_scalar!(
        // note_late_withdrawal
        "update offboardings set rescinded_at = coalesce(rescinded_at, now()), updated_at = now()
         where id = (
             select id from offboardings
             where goal = 'offboarded' and status = 'done' and changes_began_at is not null
               and (email_key = $1 or (source = $2 and external_id = $3))
             order by completed_at desc limit 1)
         returning id",
        item.person.email_key(),
        delivery.source,
        item.person.external_id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(id) = id.map(OffboardingId) else { return Ok(None) };
    let actor = delivery.actor();
    journal::append(
        tx,
        NewEntry::note(id, &actor, Action::RescindedLate, Some("leaver restore puts it back")),
    )
    .await?;
    Ok(Some(id))
}
