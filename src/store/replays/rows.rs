//! The stored events of one delivery: which they are, how far an item is another reading of one, and writing the new one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{NoContext, Timestamp, Uuid};

use super::{ReplayResult, ReplayedEvent};
use crate::offboarding::policy::OPERATORS_SOURCE;
use crate::offboarding::{OffboardingId, Reason};
use crate::store::event_views::{EventRow, EventView};
use crate::store::events::{Delivery, Item};
use crate::store::readings::EventReading;
use crate::store::{StoreError, Tx};

/// Places in the order of arrival from one delivery's event to the next: what `events_arrival` is increased by.
const ARRIVALS_STEP: i64 = 16_384;

/// An event of the delivery, as it was.
pub(super) struct Known {
    pub(super) view: EventView,
    pub(super) arrival: Option<i64>,
    content_digest: Vec<u8>,
    email_key: Option<String>,
    /// Whether it was stored before readings were kept whole.
    is_older: bool,
    /// Whether the offboarding that it belongs to has come to its end.
    has_ended: bool,
    /// Whether it was carried out.
    is_done: bool,
}

/// How far an event's reading is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// How it was recognised, and nothing that follows from it.
    Words,
    Meaning,
}

impl Known {
    /// Whether an item of this id is the event: a derived id that came again for something new has a number behind it.
    pub(super) fn is_called(&self, event_id: &str) -> bool {
        let own = self.view.event_id.as_str();
        let number = own.strip_prefix(event_id).and_then(|rest| rest.strip_prefix('~'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        own == event_id || (own.starts_with("derived:") && number.is_some_and(is_number))
    }

    pub(super) fn is_live(&self) -> bool {
        self.view.replaced_at.is_none()
    }

    /// How far the item is another reading.
    pub(super) fn change(&self, item: &Item) -> Change {
        let (before, now) = (&self.view.reading, EventReading::of(item));
        if !self.is_live() {
            return Change::Meaning;
        }
        if self.is_older {
            // Its address was kept only as it is compared, and neither the kind nor why it was held.
            let comparable = |reading: &EventReading, email: Option<String>| {
                let meaning = reading.meaning();
                let disposition = if meaning.said.is_some() { String::new() } else { meaning.disposition };
                EventReading { email, disposition, reason: None, termination_type: None, ..reading.meaning() }
            };
            let before = comparable(before, self.email_key.clone());
            let now = comparable(&now, item.person.email_key());
            return if before == now { Change::None } else { Change::Meaning };
        }
        let recognised = |reading: &EventReading| {
            (reading.word.clone(), reading.directive.clone(), reading.unreadable.clone())
        };
        if before.meaning() != now.meaning() {
            Change::Meaning
        } else if recognised(before) != recognised(&now) || self.content_digest != item.content_digest {
            Change::Words
        } else {
            Change::None
        }
    }

    pub(super) fn unchanged(&self, result: ReplayResult) -> ReplayedEvent {
        ReplayedEvent {
            id: self.view.id,
            event_id: self.view.event_id.clone(),
            result,
            offboarding_id: self.view.offboarding_id.map(OffboardingId),
        }
    }
}

/// The offboarding that an event of the delivery led to, of the same person and for the same moment, where that has ended:
/// it was carried out, or somebody decided that it is not.
pub(super) fn ended_with(all: &[Known], reading: &EventReading) -> Option<OffboardingId> {
    let facts = |reading: &EventReading| (reading.person(), reading.said.clone(), reading.effective_at);
    let is_same = |known: &&Known| {
        // Whoever was taken out for this event is not taken out for it again, whatever moment it is found to mean.
        let carried_out = known.is_done && known.view.reading.person() == reading.person();
        let decided = known.has_ended && facts(&known.view.reading) == facts(reading);
        reading.said.is_some() && (carried_out || decided)
    };
    all.iter().find(is_same).and_then(|known| known.view.offboarding_id).map(OffboardingId)
}

/// An id that sorts by the time of receipt, as the ids of events do.
pub(super) fn id_of_time(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

/// Serialises the replays of one delivery.
pub(super) async fn lock_delivery(tx: Tx<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    let key = format!("{} {}", delivery.source, hex::encode(Sha256::digest(&delivery.body)));
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 2))", key).execute(&mut **tx).await?;
    Ok(())
}

/// The events of the delivery to which this one belongs, in the order of arrival.
pub(super) async fn known(tx: Tx<'_>, event: Uuid) -> Result<Vec<Known>, StoreError> {
    let rows = sqlx::query_as!(
        EventRow,
        // events_of_delivery: what was stored in one transaction has one time of receipt
        r#"select e.id, e.source, e.event_id, e.received_at, e.key_index, e.disposition, e.reason, e.word, e.directive,
               e.unreadable, e.said, e.effective_at, e.email, e.external_id, e.termination_type, e.sequence, e.occurred_at,
               e.offboarding_id, e.replaced_at
           from events e join events this on this.id = $1
             and e.source = this.source and e.received_at = this.received_at and e.body = this.body
           order by e.arrival, e.id"#,
        event,
    )
    .fetch_all(&mut **tx)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let rest = sqlx::query!(
        // rest_of_events
        r#"select id, arrival, content_digest, email_key, headers is null as "is_older!",
               exists (select from offboardings o where o.id = events.offboarding_id
                       and o.status in ('done', 'cancelled')) as "has_ended!",
               exists (select from offboardings o where o.id = events.offboarding_id and o.status = 'done') as "is_done!"
           from events where id = any($1)"#,
        &ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut rest: HashMap<_, _> = rest.into_iter().map(|rest| (rest.id, rest)).collect();
    let known = rows.into_iter().filter_map(|row| {
        let rest = rest.remove(&row.id)?;
        Some(Known {
            view: row.view(),
            arrival: rest.arrival,
            content_digest: rest.content_digest,
            email_key: rest.email_key,
            is_older: rest.is_older,
            has_ended: rest.has_ended,
            is_done: rest.is_done,
        })
    });
    Ok(known.collect())
}

/// What is read in another way now says nothing while the others are taken.
pub(super) async fn silence(tx: Tx<'_>, changed: &[&Known]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = changed.iter().map(|known| known.view.id).collect();
    sqlx::query!("update events set said = null where id = any($1)", &ids).execute(&mut **tx).await?;
    Ok(())
}

/// The first free place behind this one and before whatever arrived next; where there is no order of arrival, before
/// everything.
pub(super) async fn free_arrival(tx: Tx<'_>, behind: Option<i64>) -> Result<i64, StoreError> {
    let first = behind.map(|arrival| arrival.div_euclid(ARRIVALS_STEP) * ARRIVALS_STEP);
    let free = sqlx::query_scalar!(
        // free_arrival
        r#"select coalesce(
               (select max(arrival) + 1 from events where arrival >= $1 and arrival < $1 + $2),
               (select min(arrival) - 1 from events), 0) as "free!""#,
        first,
        ARRIVALS_STEP,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(free)
}

/// Writes how an event is read now.
pub(super) async fn write(
    tx: Tx<'_>,
    known: &Known,
    item: &Item,
    reading: &EventReading,
    arrival: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query!(
        // write_reading
        "update events
         set content_digest = $2, disposition = $3, said = $4, effective_at = $5, sequence = $6, occurred_at = $7,
             email_key = $8, external_id = $9, word = $10, directive = $11, unreadable = $12, reason = $13,
             termination_type = $14, email = $15, arrival = $16, replaced_at = null
         where id = $1",
        known.view.id,
        &item.content_digest,
        reading.disposition,
        reading.said,
        reading.effective_at,
        reading.sequence,
        reading.occurred_at,
        reading.person().email_key(),
        reading.external_id,
        reading.word,
        reading.directive,
        reading.unreadable,
        reading.reason,
        reading.termination_type,
        reading.email,
        arrival,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Holds the offboarding of somebody of whom no event says any more that they leave, where nothing was changed for it. True
/// where it is held.
pub(super) async fn hold_without_a_word(tx: Tx<'_>, id: OffboardingId) -> Result<bool, StoreError> {
    let held = sqlx::query!(
        // hold_without_a_word
        "update offboardings
         set status = 'held', reason = $2, updated_at = now(), lease_token = null, lease_worker = null
         where id = $1 and status = 'scheduled' and goal = 'offboarded' and changes_began_at is null
           and source <> $3 and not exists (
             select from events e where e.offboarding_id = $1 and e.said = 'leaves' and e.replaced_at is null)",
        id.0,
        Reason::ContradictoryEvents.as_str(),
        OPERATORS_SOURCE,
    )
    .execute(&mut **tx)
    .await?;
    Ok(held.rows_affected() == 1)
}
