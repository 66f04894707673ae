//! Approvals: given to a set of offboardings or to none of it, valid for a time, and good for ever once the first change
//! was made under them.

use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::decisions::{Decided, Decision, Present, refusal};
use super::journal::{self, NewEntry};
use super::leases::{Fence, interval};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, idempotency, in_transaction, word};
use crate::offboarding::{Action, Actor, OffboardingId, Reason};

/// How long an approval is valid where nobody chose otherwise.
pub const VALID_DEFAULT: Duration = Duration::from_secs(3_600);

/// How many offboardings go back to being held in one transaction because their approval has expired.
const EXPIRED_AT_ONCE: i64 = 100;

/// What was approved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedSet {
    /// The offboardings, sorted, each once.
    pub ids: Vec<OffboardingId>,
    /// SHA-256 over the sorted ids, each with a line feed.
    pub digest: [u8; 32],
}

/// What became of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Every one of the set is released.
    Given(ApprovedSet),
    /// None is, because of this one.
    Refused(OffboardingId, Decided),
}

impl ApprovedSet {
    fn of(ids: &[OffboardingId]) -> Self {
        let mut ids = ids.to_vec();
        ids.sort();
        ids.dedup();
        let mut digest = Sha256::new();
        for id in &ids {
            digest.update(format!("{id}\n"));
        }
        Self { ids, digest: digest.finalize().into() }
    }

    fn uuids(&self) -> Vec<Uuid> {
        self.ids.iter().map(|id| id.0).collect()
    }
}

impl Store {
    /// Releases every one of these offboardings from what it is held for, or none of them. With `reason`, all of them
    /// have to be held for it.
    pub async fn approve(
        &self,
        ids: &[OffboardingId],
        reason: Option<Reason>,
        actor: &Actor,
    ) -> Result<Approval, StoreError> {
        let (set, actor, valid) = (ApprovedSet::of(ids), actor.clone(), self.approval_valid);
        if idempotency::was_carried_out() {
            return Ok(Approval::Given(set));
        }
        in_transaction(&self.operators, move |tx| {
            let (set, actor) = (set.clone(), actor.clone());
            Box::pin(async move { approve(tx, set, reason, None, &actor, valid).await })
        })
        .await
    }
}

/// One offboarding's approval inside a transaction. The journal has what it was held for, where that has just changed because
/// somebody said what it lacked.
pub(super) async fn approve_one(
    tx: Tx<'_>,
    id: OffboardingId,
    was_held_for: Option<Reason>,
    actor: &Actor,
    valid: Duration,
) -> Result<Decided, StoreError> {
    match approve(tx, ApprovedSet::of(&[id]), None, was_held_for, actor, valid).await? {
        Approval::Given(_) => Ok(Decided::Yes),
        Approval::Refused(_, decided) => Ok(decided),
    }
}

async fn approve(
    tx: Tx<'_>,
    set: ApprovedSet,
    reason: Option<Reason>,
    was_held_for: Option<Reason>,
    actor: &Actor,
    valid: Duration,
) -> Result<Approval, StoreError> {
    let uuids = set.uuids();
    let present = all_present(tx, &uuids).await?;
    let others = others_open(tx, &uuids).await?;
    let mut reasons = Vec::with_capacity(uuids.len());
    for id in &set.ids {
        let Some((_, present)) = present.iter().find(|(known, _)| known == id) else {
            return Ok(Approval::Refused(*id, Decided::Unknown));
        };
        if let Some(refused) = refusal(present, Decision::Approve, actor) {
            return Ok(Approval::Refused(*id, refused));
        }
        // What is held always has a reason; the schema says so.
        let Some(held_for) = present.reason else {
            return Ok(Approval::Refused(*id, Decided::NotFrom(present.status)));
        };
        if reason.is_some_and(|wanted| wanted != held_for) {
            return Ok(Approval::Refused(*id, Decided::HeldFor(held_for)));
        }
        if let Some((_, other)) = others.iter().find(|(this, _)| this == id) {
            return Ok(Approval::Refused(*id, Decided::AnotherOpen(*other)));
        }
        reasons.push(held_for.as_str().to_owned());
    }
    let journalled = was_held_for.map_or_else(|| reasons.clone(), |reason| vec![reason.as_str().to_owned()]);
    write(tx, &set, &uuids, [&reasons, &journalled], actor, valid).await?;
    Ok(Approval::Given(set))
}

/// The rows of these ids, locked in one order for everybody.
async fn all_present(tx: Tx<'_>, ids: &[Uuid]) -> Result<Vec<(OffboardingId, Present)>, StoreError> {
    let rows = sqlx::query!(
        // all_present
        r#"select id, status, reason, effective_at, lease_token, goal, changes_began_at is not null as "changed!",
               (email_key is not null or external_id is not null) as "named!",
               array_remove(array_append(array(
                   select actor from journal where journal.offboarding_id = offboardings.id
                     and action in ('event_accepted', 'facts_given') and actor like 'operator:%'), requested_by), null)
                   as "asked_by!: Vec<String>"
           from offboardings where id = any($1) order by id for update"#,
        ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut present = Vec::with_capacity(rows.len());
    for row in rows {
        let one = Present {
            status: word(&row.status, "offboardings.status")?,
            reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
            asked_by: row.asked_by,
            effective_at: row.effective_at,
            lease_token: row.lease_token,
            goal: word(&row.goal, "offboardings.goal")?,
            changed: row.changed,
            named: row.named,
            completed: false,
        };
        present.push((OffboardingId(row.id), one));
    }
    Ok(present)
}

/// Of each of these that is not the only open offboarding of its person, another one.
async fn others_open(tx: Tx<'_>, ids: &[Uuid]) -> Result<Vec<(OffboardingId, OffboardingId)>, StoreError> {
    let rows = sqlx::query!(
        // others_open
        "select this.id as this, other.id as other
         from offboardings this join offboardings other on other.id <> this.id
           and other.status in ('scheduled', 'held') and (other.email_key = this.email_key
             or (other.source = this.source and other.external_id = this.external_id)
             or other.genesys_user_id = this.genesys_user_id)
         where this.id = any($1)",
        ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (OffboardingId(row.this), OffboardingId(row.other))).collect())
}

async fn write(
    tx: Tx<'_>,
    set: &ApprovedSet,
    ids: &[Uuid],
    [reasons, journalled]: [&[String]; 2],
    actor: &Actor,
    valid: Duration,
) -> Result<(), StoreError> {
    let size = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    sqlx::query!(
        // approve
        "insert into approvals (offboarding_id, reason, approved_by, expires_at, set_digest, set_size)
         -- What waits for its date is approved until then.
         select given.id, given.reason, $3, greatest(now(), o.effective_at) + $4, $5, $6
         from unnest($1::uuid[], $2::text[]) as given (id, reason) join offboardings o using (id)
         on conflict (offboarding_id, reason) do update
         set approved_by = excluded.approved_by, approved_at = excluded.approved_at,
             expires_at = excluded.expires_at, set_digest = excluded.set_digest, set_size = excluded.set_size",
        ids,
        reasons,
        actor.to_string(),
        interval(valid),
        set.digest.as_slice(),
        size,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update offboardings
         set status = 'scheduled', reason = null, attempt = 0, updated_at = now(), lease_token = null,
             lease_worker = null, available_at = greatest(effective_at, now()), not_found_at = null, busy_at = null,
             busy_until = null, shift_read_at = null, completed_at = null,
             -- The approver decides in place of the HRIS.
             look_up_at = null, look_up_attempt = 0
         where id = any($1)",
        ids,
    )
    .execute(&mut **tx)
    .await?;
    // Somebody has looked at what kept returning: it is counted from the beginning. The journal keeps the history.
    sqlx::query!(
        "update assignments set removals = 0, restores = 0, returned = false where offboarding_id = any($1)",
        ids,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into journal (offboarding_id, actor, action, target, result)
         select given.id, $3, $4, $5, given.reason
         from unnest($1::uuid[], $2::text[]) as given (id, reason) order by given.id",
        ids,
        journalled,
        actor.to_string(),
        Action::Approved.as_str(),
        format!("set of {size}, sha256:{}", hex::encode(set.digest)),
    )
    .execute(&mut **tx)
    .await?;
    idempotency::carried_out(tx).await?;
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    Ok(())
}

/// What nobody was changed under until its end counts no more: these wait for a person again, for the same reason.
pub(super) async fn hold_expired(tx: Tx<'_>, fence: &Fence) -> Result<(), StoreError> {
    let held = sqlx::query!(
        // hold_expired
        r#"with due as (
             select o.id, expired.reason from offboardings o cross join lateral (
                 select a.reason from approvals a where a.offboarding_id = o.id and a.expires_at <= now()
                 order by a.expires_at, a.reason limit 1) expired
             where o.status = 'scheduled' and o.goal = 'offboarded' and o.available_at <= now()
               and o.changes_began_at is null
             order by o.available_at limit $1 for update of o skip locked)
         update offboardings o
         set status = 'held', reason = due.reason, lease_token = null, lease_worker = null, updated_at = now()
         from due where o.id = due.id
         returning o.id"#,
        EXPIRED_AT_ONCE,
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in held {
        let note = NewEntry::note(OffboardingId(row.id), &fence.worker, Action::Held, Some(EXPIRED));
        journal::append(tx, note).await?;
    }
    Ok(())
}

/// What the journal says of an approval that came to nothing.
pub const EXPIRED: &str = "the approval expired before the first change";

/// The reason of an approval of this untouched offboarding that has expired; the row is locked by the caller.
pub(super) async fn expired(tx: Tx<'_>, id: OffboardingId) -> Result<Option<Reason>, StoreError> {
    let expired = sqlx::query_scalar!(
        // expired
        "select reason from approvals where offboarding_id = $1 and expires_at <= now()
         order by expires_at, reason limit 1",
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    expired.map(|reason| word(&reason, "approvals.reason")).transpose()
}

/// What was approved were other facts.
pub(super) async fn clear(tx: Tx<'_>, id: OffboardingId) -> Result<(), StoreError> {
    sqlx::query!("delete from approvals where offboarding_id = $1", id.0).execute(&mut **tx).await?;
    Ok(())
}
