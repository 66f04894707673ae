//! Accepting a delivery: the event, the offboarding it opens or joins, and the journal, in one transaction.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::approvals;
use super::asked::{lock_user, note_requester};
use super::journal::{self, NewEntry};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, in_transaction, word};
use crate::offboarding::policy::Intake;
use crate::offboarding::{Action, Actor, OffboardingId, Outcome, PersonRef, Reason, Status};

pub use super::asked::AskedBy;

/// An authentic delivery, read and judged.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The source's name.
    pub source: String,
    /// Which of its keys verified the delivery, counted from 0.
    pub key_index: usize,
    /// The body as it came.
    pub body: Vec<u8>,
    /// One item per person.
    pub items: Vec<Item>,
    /// Who asked for it, where it is an operator's own termination and no source's event.
    pub asked: Option<AskedBy>,
}

/// One person's part of a delivery.
#[derive(Clone, Debug)]
pub struct Item {
    /// The idempotency key within the source.
    pub event_id: String,
    /// SHA-256 of what has to be equal when the id arrives again.
    pub content_digest: [u8; 32],
    /// Who.
    pub person: PersonRef,
    /// The kind of termination.
    pub termination_type: Option<String>,
    /// What the policy makes of it.
    pub intake: Intake,
}

/// What a delivery came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored for the first time.
    New(Receipt),
    /// Stored for the first time, and a person has to look.
    Held(Receipt),
    /// Stored for the first time, and there is nothing to act on.
    Ignored(Receipt),
    /// Stored before.
    Duplicate(Receipt),
    /// An id of it is known with other content; nothing of the delivery was stored.
    Conflict,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id of the delivery's first event.
    pub event_id: String,
    /// The offboardings that it belongs to, as they are now.
    pub offboardings: Vec<Brief>,
}

/// An offboarding in a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Which.
    pub id: OffboardingId,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it is held, failed or cancelled.
    pub reason: Option<Reason>,
}

/// What one item came to.
enum ItemResult {
    New(Option<OffboardingId>),
    Held(OffboardingId),
    Known(Option<OffboardingId>),
}

impl Store {
    /// Stores a delivery and opens or joins the offboardings it speaks of. Returns only after the commit.
    pub async fn accept_termination(&self, delivery: Delivery) -> Result<Accepted, StoreError> {
        let stored = in_transaction(&self.ingest, move |tx| {
            let delivery = delivery.clone();
            Box::pin(async move { accept(tx, &delivery).await })
        })
        .await;
        match stored {
            Err(StoreError::EventIdReused) => Ok(Accepted::Conflict),
            other => other,
        }
    }
}

async fn accept(tx: Tx<'_>, delivery: &Delivery) -> Result<Accepted, StoreError> {
    lock_people(tx, delivery).await?;
    // In the order of their ids, so that two deliveries that share events never wait for each other in a circle.
    let mut order: Vec<usize> = (0..delivery.items.len()).collect();
    order.sort_by(|a, b| delivery.items[*a].event_id.cmp(&delivery.items[*b].event_id));
    let (mut new, mut held, mut acting) = (false, false, false);
    let mut offboardings = Vec::new();
    for index in order {
        let offboarding = match accept_item(tx, delivery, &delivery.items[index]).await? {
            ItemResult::New(offboarding) => {
                (new, acting) = (true, acting || offboarding.is_some());
                offboarding
            }
            ItemResult::Held(offboarding) => {
                (new, held) = (true, true);
                Some(offboarding)
            }
            ItemResult::Known(offboarding) => offboarding,
        };
        offboardings.extend(offboarding.map(|id| (index, id)));
    }
    offboardings.sort();
    let mut ids: Vec<OffboardingId> = Vec::new();
    for (_, id) in offboardings {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let event_id = delivery.items.first().map(|item| item.event_id.clone()).unwrap_or_default();
    let receipt = Receipt { event_id, offboardings: briefs(tx, &ids).await? };
    Ok(match (new, acting, held) {
        (false, ..) => Accepted::Duplicate(receipt),
        (true, true, _) => Accepted::New(receipt),
        (true, false, true) => Accepted::Held(receipt),
        (true, false, false) => Accepted::Ignored(receipt),
    })
}

/// Serialises everything that opens or joins an offboarding of the same person, in one order for everybody.
async fn lock_people(tx: Tx<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    let mut keys: Vec<String> = Vec::new();
    for item in &delivery.items {
        keys.extend(item.person.email_key().map(|email| format!("email {email}")));
        keys.extend(item.person.external_id.as_ref().map(|id| format!("id {} {id}", delivery.source)));
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        sqlx::query!(
            // lock_people
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            key
        )
        .execute(&mut **tx)
        .await?;
    }
    if let Some(user) = delivery.user() {
        lock_user(tx, user).await?;
    }
    Ok(())
}

async fn accept_item(tx: Tx<'_>, delivery: &Delivery, item: &Item) -> Result<ItemResult, StoreError> {
    let (event, disposition) = (Uuid::now_v7(), disposition(&item.intake));
    let inserted = sqlx::query!(
        // accept_item
        "insert into events (id, source, event_id, content_digest, body, key_index, disposition)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        event,
        delivery.source,
        item.event_id,
        &item.content_digest,
        &delivery.body,
        i32::try_from(delivery.key_index).unwrap_or(i32::MAX),
        disposition,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return known_event(tx, delivery, item).await;
    }
    let offboarding = match &item.intake {
        Intake::Ignore => None,
        Intake::Rescind => rescind(tx, delivery, item).await?,
        Intake::Schedule(at) => Some(open_or_join(tx, delivery, item, None, *at).await?),
        Intake::Hold(reason, at) => Some(open_or_join(tx, delivery, item, Some(*reason), *at).await?),
    };
    if let Some(id) = offboarding {
        sqlx::query!("update events set offboarding_id = $2 where id = $1", event, id.0)
            .execute(&mut **tx)
            .await?;
        let (actor, why) = (delivery.actor(), delivery.asked.as_ref().map(|asked| asked.why.as_str()));
        let entry = NewEntry {
            target: Some(&item.event_id),
            ..NewEntry::note(id, &actor, Action::EventAccepted, why)
        };
        journal::append(tx, entry).await?;
        if delivery.asked.is_some() {
            note_requester(tx, id, &actor).await?;
        }
    }
    Ok(match (&item.intake, offboarding) {
        (Intake::Hold(..), Some(id)) => ItemResult::Held(id),
        (Intake::Hold(..) | Intake::Schedule(_) | Intake::Rescind | Intake::Ignore, id) => {
            ItemResult::New(id)
        }
    })
}

fn disposition(intake: &Intake) -> &'static str {
    match intake {
        Intake::Schedule(_) | Intake::Rescind => "accepted",
        Intake::Hold(..) => "held",
        Intake::Ignore => "ignored",
    }
}

async fn known_event(tx: Tx<'_>, delivery: &Delivery, item: &Item) -> Result<ItemResult, StoreError> {
    let known = sqlx::query!(
        // known_event
        "select content_digest, offboarding_id from events where source = $1 and event_id = $2",
        delivery.source,
        item.event_id,
    )
    .fetch_one(&mut **tx)
    .await?;
    if known.content_digest != item.content_digest {
        return Err(StoreError::EventIdReused);
    }
    Ok(ItemResult::Known(known.offboarding_id.map(OffboardingId)))
}

/// Every open offboarding of this person, locked, the oldest first. There are two where one event named the person by
/// address alone and another by id alone.
async fn find_open(
    tx: Tx<'_>,
    source: &str,
    person: &PersonRef,
    user: Option<&str>,
) -> Result<Vec<Open>, StoreError> {
    let by_address = PersonRef { external_id: None, ..person.clone() };
    let by_id = PersonRef { email: None, ..person.clone() };
    let mut found: Vec<Open> = Vec::new();
    for key in [by_address, by_id] {
        if let Some(open) = find_open_by(tx, source, &key, user).await?
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
    source: &str,
    person: &PersonRef,
    user: Option<&str>,
) -> Result<Option<Open>, StoreError> {
    let row = sqlx::query!(
        // find_open
        "select id, status, reason, changes_began_at from offboardings
         where goal = 'offboarded' and status in ('scheduled', 'held')
           and (email_key = $1 or (source = $2 and external_id = $3) or genesys_user_id = $4)
         order by created_at limit 1 for update",
        person.email_key(),
        source,
        person.external_id,
        user,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Open {
        id: OffboardingId(row.id),
        status: word(&row.status, "offboardings.status")?,
        reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
        untouched: row.changes_began_at.is_none(),
    }))
}

struct Open {
    id: OffboardingId,
    status: Status,
    reason: Option<Reason>,
    untouched: bool,
}

impl Open {
    /// Whether a complete event answers what the offboarding was held for.
    fn waits_for_facts(&self) -> bool {
        matches!(
            self.reason,
            Some(
                Reason::LookupRequired
                    | Reason::EffectiveDateMissing
                    | Reason::StaleEvent
                    | Reason::Unreadable
                    | Reason::PersonNotFound
                    | Reason::AmbiguousPerson
            )
        )
    }
}

async fn open_or_join(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    hold: Option<Reason>,
    at: DateTime<Utc>,
) -> Result<OffboardingId, StoreError> {
    let open = find_open(tx, &delivery.source, &item.person, delivery.user()).await?;
    // Of two each keeps its own key: no key may be in two open rows.
    let facts = if open.len() > 1 { PersonRef::default() } else { item.person.clone() };
    for open in &open {
        let moves = match open.status {
            Status::Scheduled => open.untouched && hold.is_none(),
            Status::Held => hold.is_none() && open.untouched && open.waits_for_facts(),
            Status::Done | Status::Failed | Status::Cancelled => false,
        };
        if moves {
            move_to(tx, open.id, delivery, item, &facts, at).await?;
        }
    }
    let id = match open.first() {
        None => insert_offboarding(tx, delivery, item, hold, at).await?,
        Some(oldest) => oldest.id,
    };
    sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
    Ok(id)
}

async fn insert_offboarding(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    hold: Option<Reason>,
    at: DateTime<Utc>,
) -> Result<OffboardingId, StoreError> {
    let id = OffboardingId::new();
    let status = if hold.is_some() { Status::Held } else { Status::Scheduled };
    sqlx::query!(
        // insert_offboarding
        "insert into offboardings
             (id, status, reason, source, email, email_key, external_id, termination_type, effective_at, available_at,
              genesys_user_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
        id.0,
        status.as_str(),
        hold.map(Reason::as_str),
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
    Ok(id)
}

/// A later event about an open offboarding that nothing has been done for yet: its date and facts win.
async fn move_to(
    tx: Tx<'_>,
    id: OffboardingId,
    delivery: &Delivery,
    item: &Item,
    facts: &PersonRef,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        // move_to
        "update offboardings
         set status = 'scheduled', reason = null, effective_at = $2, available_at = $2, updated_at = now(),
             lease_token = null, lease_worker = null, termination_type = coalesce($3, termination_type),
             email = coalesce($4, email), email_key = case when $4::text is null then email_key else $5 end,
             external_id = case when source = $7 then coalesce(external_id, $6) else external_id end,
             -- Whoever was matched by the facts before is found anew.
             genesys_user_id = $8, found_inactive = null, not_found_at = null, busy_at = null, attempt = 0,
             approved_reasons = '{}', reported_at = null
         where id = $1",
        id.0,
        at,
        item.termination_type,
        facts.email,
        facts.email_key(),
        facts.external_id,
        delivery.source,
        delivery.user(),
    )
    .execute(&mut **tx)
    .await?;
    approvals::clear(tx, id).await
}

/// Before the first change nothing will be done; after it nothing more is, and a person decides.
async fn rescind(tx: Tx<'_>, delivery: &Delivery, item: &Item) -> Result<Option<OffboardingId>, StoreError> {
    let open = find_open(tx, &delivery.source, &item.person, delivery.user()).await?;
    for open in &open {
        rescind_one(tx, delivery, open).await?;
    }
    let failed = rescind_failed(tx, delivery, item).await?;
    Ok(open.first().map(|oldest| oldest.id).or(failed))
}

/// A failed one waits for somebody to retry it, and must not be retried any more.
async fn rescind_failed(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
) -> Result<Option<OffboardingId>, StoreError> {
    let failed = sqlx::query_scalar!(
        // rescind_failed
        "update offboardings set status = 'cancelled', reason = 'rescinded', updated_at = now(), completed_at = now()
         where goal = 'offboarded' and status = 'failed'
           and (email_key = $1 or (source = $2 and external_id = $3))
         returning id",
        item.person.email_key(),
        delivery.source,
        item.person.external_id,
    )
    .fetch_all(&mut **tx)
    .await?;
    let actor = Actor::Hris(delivery.source.clone());
    for id in &failed {
        let note = Some(Reason::Rescinded.as_str());
        journal::append(tx, NewEntry::note(OffboardingId(*id), &actor, Action::Cancelled, note)).await?;
    }
    Ok(failed.into_iter().max().map(OffboardingId))
}

async fn rescind_one(tx: Tx<'_>, delivery: &Delivery, open: &Open) -> Result<(), StoreError> {
    let (status, action) = match open.untouched {
        true => (Status::Cancelled, Action::Cancelled),
        false => (Status::Held, Action::Held),
    };
    sqlx::query!(
        // rescind
        "update offboardings
         set status = $2, reason = 'rescinded', updated_at = now(), lease_token = null, lease_worker = null,
             completed_at = case when $2 = 'cancelled' then now() end
         where id = $1",
        open.id.0,
        status.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    let actor = Actor::Hris(delivery.source.clone());
    journal::append(tx, NewEntry::note(open.id, &actor, action, Some(Reason::Rescinded.as_str()))).await?;
    Ok(())
}

async fn briefs(tx: Tx<'_>, ids: &[OffboardingId]) -> Result<Vec<Brief>, StoreError> {
    let mut briefs = Vec::with_capacity(ids.len());
    for id in ids {
        let row = sqlx::query!("select status, outcome, reason from offboardings where id = $1", id.0)
            .fetch_one(&mut **tx)
            .await?;
        briefs.push(Brief {
            id: *id,
            status: word(&row.status, "offboardings.status")?,
            outcome: row.outcome.map(|o| word(&o, "offboardings.outcome")).transpose()?,
            reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
        });
    }
    Ok(briefs)
}
