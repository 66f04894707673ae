//! A stored delivery, read again by the present profile of its source, as if it had arrived now; its place in the order of
//! arrival stays. What an event says anew is taken by the policy like a new event; what was done is never undone.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::{NoContext, Timestamp, Uuid};

use super::event_views::{EventRow, EventView};
use super::events::{Delivery, Item, lock_people, take};
use super::journal::{self, NewEntry};
use super::readings::EventReading;
use super::words::{self, Stored};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, in_transaction, word};
use crate::offboarding::{Action, Actor, OffboardingId, Reason, Status};

/// Places in the order of arrival from one delivery's event to the next: what `events_arrival` is increased by.
const ARRIVALS_STEP: i64 = 16_384;

/// Offboardings that an entry of the journal points to.
const POINTERS_MAX: usize = 20;

/// What became of a replay.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// It was read again.
    Done(Replay),
    /// An event of it is known with other content, of another delivery; nothing was changed.
    Conflict,
    /// The present profile can't read it, for this cause; nothing was changed.
    Unreadable(&'static str),
}

/// What a replay did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Replay {
    /// The events of the delivery as it is read now, and those that were replaced.
    pub events: Vec<ReplayedEvent>,
    /// What somebody has to decide.
    pub warnings: Vec<String>,
}

/// What a replay did about one event.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedEvent {
    /// Which.
    pub id: Uuid,
    /// The idempotency key within the source.
    pub event_id: String,
    /// What became of it.
    pub result: ReplayResult,
    /// The offboarding that it belongs to.
    pub offboarding_id: Option<OffboardingId>,
}

/// What a replay can do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayResult {
    /// It was not known before.
    New,
    /// It is read in another way now.
    Updated,
    /// It is read as it was.
    Unchanged,
    /// Other events stand for the delivery now.
    Replaced,
}

impl ReplayResult {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
        }
    }
}

/// An event of the delivery, as it was.
struct Known {
    view: EventView,
    arrival: Option<i64>,
    content_digest: Vec<u8>,
    email_key: Option<String>,
    /// Whether it was stored before readings were kept whole.
    is_older: bool,
    /// Whether the offboarding that it belongs to has come to its end.
    has_ended: bool,
}

/// How far an event's reading is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// How it was recognised, and nothing that follows from it.
    Words,
    Meaning,
}

impl Store {
    /// Takes a stored delivery as it is read now. `delivery` has the stored body and the present items; `event` is one of
    /// its events. Returns only after the commit.
    pub async fn replay(
        &self,
        event: Uuid,
        delivery: Delivery,
        operator: &Actor,
    ) -> Result<Replayed, StoreError> {
        let operator = operator.clone();
        let replayed = in_transaction(&self.ingest, move |tx| {
            let (delivery, operator) = (delivery.clone(), operator.clone());
            Box::pin(async move { Run { delivery: &delivery, operator: &operator }.replay(tx, event).await })
        })
        .await;
        match replayed {
            Err(StoreError::EventIdReused) => Ok(Replayed::Conflict),
            other => other,
        }
    }
}

/// One replay.
struct Run<'a> {
    delivery: &'a Delivery,
    operator: &'a Actor,
}

impl Run<'_> {
    async fn replay(&self, tx: Tx<'_>, event: Uuid) -> Result<Replayed, StoreError> {
        lock_delivery(tx, self.delivery).await?;
        let known = known(tx, event).await?;
        let before = known.iter().map(|known| known.view.reading.person()).collect();
        lock_people(tx, self.delivery, before).await?;
        if let [Item { event_id, noted, .. }] = self.delivery.items.as_slice()
            && let Some(cause) = noted.unreadable
            && !known.iter().any(|known| known.is_live() && known.view.event_id == *event_id)
        {
            return Ok(Replayed::Unreadable(cause));
        }
        let mut items: Vec<(&Item, Option<&Known>)> = self
            .delivery
            .items
            .iter()
            .map(|item| (item, known.iter().find(|known| known.is_called(&item.event_id))))
            .collect();
        // In the order of their ids, as deliveries are stored.
        items.sort_by(|(one, _), (other, _)| one.event_id.cmp(&other.event_id));
        let is_read = |known: &&Known| items.iter().any(|(item, _)| known.is_called(&item.event_id));
        let replaced: Vec<&Known> =
            known.iter().filter(|known| known.is_live()).filter(|known| !is_read(known)).collect();
        let changed = items.iter().filter_map(|(item, known)| {
            let known = (*known)?;
            (known.change(item) == Change::Meaning).then_some(known)
        });
        let changed: Vec<&Known> = changed.chain(replaced.iter().copied()).collect();
        silence(tx, &changed).await?;
        let mut replay = Replay::default();
        for (item, stored) in items {
            replay.events.push(self.read(tx, item, stored, &known).await?);
        }
        for replaced in replaced {
            self.replace(tx, replaced).await?;
            replay.events.push(ReplayedEvent {
                id: replaced.view.id,
                event_id: replaced.view.event_id.clone(),
                result: ReplayResult::Replaced,
                offboarding_id: replaced.view.offboarding_id.map(OffboardingId),
            });
        }
        self.part_from(tx, &changed, &mut replay).await?;
        sqlx::query!("select pg_notify($1, '')", WAKE_CHANNEL).execute(&mut **tx).await?;
        Ok(Replayed::Done(replay))
    }

    /// One event as it is read now.
    async fn read(
        &self,
        tx: Tx<'_>,
        item: &Item,
        stored: Option<&Known>,
        all: &[Known],
    ) -> Result<ReplayedEvent, StoreError> {
        let reading = EventReading::of(item);
        let (id, result, place) = match stored {
            Some(known) => match known.change(item) {
                Change::None => return Ok(known.unchanged(ReplayResult::Unchanged)),
                Change::Words => {
                    let reading = EventReading {
                        word: reading.word,
                        directive: reading.directive,
                        unreadable: reading.unreadable,
                        ..known.view.reading.clone()
                    };
                    write(tx, known, item, &reading, known.arrival).await?;
                    self.remember(tx, known.view.id, Some(&known.view.reading), Some(&reading)).await?;
                    return Ok(known.unchanged(ReplayResult::Updated));
                }
                Change::Meaning => {
                    let arrival = match known.arrival {
                        Some(arrival) => arrival,
                        None => free_arrival(tx, None).await?,
                    };
                    write(tx, known, item, &reading, Some(arrival)).await?;
                    self.remember(tx, known.view.id, Some(&known.view.reading), Some(&reading)).await?;
                    (known.view.id, ReplayResult::Updated, arrival)
                }
            },
            None => match self.add(tx, item, all).await? {
                Ok((id, arrival)) => {
                    self.remember(tx, id, None, Some(&reading)).await?;
                    (id, ReplayResult::New, arrival)
                }
                Err(of_another_delivery) => return Ok(of_another_delivery),
            },
        };
        let judged_at = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&mut **tx).await?;
        let (offboarding, did) = match ended_with(all, &reading) {
            Some(ended) => (Some(ended), "it has ended, and nothing follows"),
            None => {
                let taken = take(tx, self.delivery, item, Stored { arrival: place, judged_at }).await?;
                (taken.offboarding, taken.did)
            }
        };
        words::belongs_to(tx, id, offboarding).await?;
        if let Some(offboarding) = offboarding {
            let note = NewEntry::note(offboarding, self.operator, Action::EventReplayed, Some(did));
            journal::append(tx, NewEntry { target: Some(&item.event_id), ..note }).await?;
        }
        Ok(ReplayedEvent { id, event_id: item.event_id.clone(), result, offboarding_id: offboarding })
    }

    /// Stores an event that is not one of the delivery's yet, at the delivery's place; or the event of another delivery that
    /// it is.
    async fn add(
        &self,
        tx: Tx<'_>,
        item: &Item,
        all: &[Known],
    ) -> Result<Result<(Uuid, i64), ReplayedEvent>, StoreError> {
        let received_at = all.iter().map(|known| known.view.received_at).min().unwrap_or_else(Utc::now);
        let id = id_of_time(received_at);
        if words::store(tx, id, self.delivery, item).await?.is_none() {
            let known = sqlx::query!(
                // known_elsewhere
                "select id, content_digest, offboarding_id from events where source = $1 and event_id = $2",
                self.delivery.source,
                item.event_id,
            )
            .fetch_one(&mut **tx)
            .await?;
            if known.content_digest != item.content_digest {
                return Err(StoreError::EventIdReused);
            }
            return Ok(Err(ReplayedEvent {
                id: known.id,
                event_id: item.event_id.clone(),
                result: ReplayResult::Unchanged,
                offboarding_id: known.offboarding_id.map(OffboardingId),
            }));
        }
        let arrival = free_arrival(tx, all.iter().filter_map(|known| known.arrival).max()).await?;
        sqlx::query!(
            // put_in_place
            "update events set arrival = $2, received_at = $3 where id = $1",
            id,
            arrival,
            received_at,
        )
        .execute(&mut **tx)
        .await?;
        Ok(Ok((id, arrival)))
    }

    /// Other events stand for the delivery now.
    async fn replace(&self, tx: Tx<'_>, known: &Known) -> Result<(), StoreError> {
        sqlx::query!(
            // replace_event
            "update events set disposition = 'ignored', replaced_at = now() where id = $1",
            known.view.id,
        )
        .execute(&mut **tx)
        .await?;
        self.remember(tx, known.view.id, Some(&known.view.reading), None).await
    }

    /// Leaves the offboardings to which the events belonged and don't any more. One that was held because nothing could be
    /// read ends; one of somebody is never touched, and the operator is told.
    async fn part_from(&self, tx: Tx<'_>, changed: &[&Known], replay: &mut Replay) -> Result<(), StoreError> {
        let still = replay.events.iter().filter(|event| event.result != ReplayResult::Replaced);
        let still: BTreeSet<OffboardingId> = still.filter_map(|event| event.offboarding_id).collect();
        let pointers: Vec<String> = still.iter().take(POINTERS_MAX).map(ToString::to_string).collect();
        let pointers = if pointers.is_empty() { None } else { Some(pointers.join(", ")) };
        let mut left = BTreeSet::new();
        for known in changed {
            let Some(id) = known.view.offboarding_id.map(OffboardingId) else { continue };
            if still.contains(&id) || !left.insert(id) {
                continue;
            }
            let result = Some("it is read in another way now");
            let note = NewEntry::note(id, self.operator, Action::EventReplayed, result);
            journal::append(tx, NewEntry { target: Some(&known.view.event_id), ..note }).await?;
            if end_of_nobody(tx, id).await? {
                let note =
                    NewEntry::note(id, self.operator, Action::Cancelled, Some(Reason::Replayed.as_str()));
                journal::append(tx, NewEntry { target: pointers.as_deref(), ..note }).await?;
            } else {
                replay.warnings.extend(warning(tx, id).await?);
            }
        }
        Ok(())
    }

    async fn remember(
        &self,
        tx: Tx<'_>,
        event: Uuid,
        before: Option<&EventReading>,
        after: Option<&EventReading>,
    ) -> Result<(), StoreError> {
        let json = |reading: Option<&EventReading>| reading.and_then(|one| serde_json::to_value(one).ok());
        sqlx::query!(
            // remember_reading
            "insert into event_replays (event, actor, before, after) values ($1, $2, $3, $4)",
            event,
            self.operator.to_string(),
            json(before),
            json(after),
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

impl Known {
    /// Whether an item of this id is the event: a derived id that came again for something new has a number behind it.
    fn is_called(&self, event_id: &str) -> bool {
        let own = self.view.event_id.as_str();
        let number = own.strip_prefix(event_id).and_then(|rest| rest.strip_prefix('~'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        own == event_id || (own.starts_with("derived:") && number.is_some_and(is_number))
    }

    fn is_live(&self) -> bool {
        self.view.replaced_at.is_none()
    }

    /// How far the item is another reading.
    fn change(&self, item: &Item) -> Change {
        let (before, now) = (&self.view.reading, EventReading::of(item));
        if !self.is_live() {
            return Change::Meaning;
        }
        if self.is_older {
            // Its address was kept only as it is compared, and why it was held not at all.
            let comparable = |reading: &EventReading, email: Option<String>| EventReading {
                email,
                termination_type: None,
                ..reading.meaning()
            };
            let before = comparable(before, self.email_key.clone());
            let now = EventReading { reason: None, ..comparable(&now, item.person.email_key()) };
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

    fn unchanged(&self, result: ReplayResult) -> ReplayedEvent {
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
fn ended_with(all: &[Known], reading: &EventReading) -> Option<OffboardingId> {
    let facts = |reading: &EventReading| (reading.person(), reading.said.clone(), reading.effective_at);
    let is_same = |known: &&Known| {
        known.has_ended && reading.said.is_some() && facts(&known.view.reading) == facts(reading)
    };
    all.iter().find(is_same).and_then(|known| known.view.offboarding_id).map(OffboardingId)
}

/// An id that sorts by the time of receipt, as the ids of events do.
fn id_of_time(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

/// Serialises the replays of one delivery.
async fn lock_delivery(tx: Tx<'_>, delivery: &Delivery) -> Result<(), StoreError> {
    let key = format!("{} {}", delivery.source, hex::encode(Sha256::digest(&delivery.body)));
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 2))", key).execute(&mut **tx).await?;
    Ok(())
}

/// The events of the delivery to which this one belongs, in the order of arrival.
async fn known(tx: Tx<'_>, event: Uuid) -> Result<Vec<Known>, StoreError> {
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
                       and o.status in ('done', 'cancelled')) as "has_ended!"
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
        })
    });
    Ok(known.collect())
}

/// What is read in another way now says nothing while the others are taken.
async fn silence(tx: Tx<'_>, changed: &[&Known]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = changed.iter().map(|known| known.view.id).collect();
    sqlx::query!("update events set said = null where id = any($1)", &ids).execute(&mut **tx).await?;
    Ok(())
}

/// The first free place behind this one and before whatever arrived next; where there is no order of arrival, before
/// everything.
async fn free_arrival(tx: Tx<'_>, behind: Option<i64>) -> Result<i64, StoreError> {
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
async fn write(
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

/// Ends an offboarding that names nobody and to which no event belongs any more.
async fn end_of_nobody(tx: Tx<'_>, id: OffboardingId) -> Result<bool, StoreError> {
    let ended = sqlx::query!(
        // end_of_nobody
        "update offboardings
         set status = 'cancelled', reason = $2, updated_at = now(), completed_at = now()
         where id = $1 and status = 'held' and changes_began_at is null
           and email is null and external_id is null and genesys_user_id is null
           and not exists (select from events where offboarding_id = $1 and replaced_at is null)",
        id.0,
        Reason::Replayed.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected() > 0)
}

/// What an operator has to know about an offboarding to which the event led before.
async fn warning(tx: Tx<'_>, id: OffboardingId) -> Result<Option<String>, StoreError> {
    let status = sqlx::query_scalar!("select status from offboardings where id = $1", id.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(match word(&status, "offboardings.status")? {
        open @ (Status::Scheduled | Status::Held | Status::Failed) => Some(format!(
            "offboarding {id} came from the event as it was read before and is {open}: cancel it if it is not meant"
        )),
        Status::Done => Some(format!(
            "offboarding {id} came from the event as it was read before and is done: nothing is put back unless it is restored"
        )),
        Status::Cancelled => None,
    })
}
