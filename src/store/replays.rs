//! A stored delivery, read again by the present profile of its source, as if it had arrived now; its place in the order of
//! arrival stays. What an event says anew is taken by the policy like a new event; what was done is never undone.

mod rows;

use std::collections::BTreeSet;

use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::events::{Delivery, Item, lock_people, take};
use super::journal::{self, NewEntry};
use super::readings::EventReading;
use super::words::{self, Kept, Stored};
use super::{Store, StoreError, Tx, WAKE_CHANNEL, in_transaction, word};
use crate::offboarding::{Action, Actor, OffboardingId, Reason, Status};
use rows::{
    Change, Known, ended_with, free_arrival, hold_without_a_word, id_of_time, known, lock_delivery, silence,
    write,
};

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
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Replay {
    /// The events of the delivery as it is read now, and those that were replaced.
    pub events: Vec<ReplayedEvent>,
    /// What somebody has to decide.
    pub warnings: Vec<String>,
}

/// What a replay did about one event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayedEvent {
    /// Which.
    pub id: Uuid,
    /// The idempotency key within the source.
    pub event_id: String,
    /// What became of it.
    pub result: ReplayResult,
    /// The offboarding that it belongs to.
    #[schema(required)]
    pub offboarding_id: Option<OffboardingId>,
}

/// What a replay can do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
        let replayed = in_transaction(&self.operators, move |tx| {
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
            // Of an event that a rule knew only a field was not understood.
            && let (Some(cause), None) = (noted.unreadable, noted.directive)
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
        if let Kept::Known(event_id) = words::store(tx, id, self.delivery, item).await? {
            let known = sqlx::query!(
                // known_elsewhere
                "select id, content_digest, offboarding_id from events where source = $1 and event_id = $2",
                self.delivery.source,
                event_id,
            )
            .fetch_one(&mut **tx)
            .await?;
            if known.content_digest != item.content_digest {
                return Err(StoreError::EventIdReused);
            }
            return Ok(Err(ReplayedEvent {
                id: known.id,
                event_id,
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
    /// read ends; one of somebody of whom no event says any more that they leave is held before its first change; the operator is
    /// told of each.
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
                if hold_without_a_word(tx, id).await? {
                    let reason = Some(Reason::ContradictoryEvents.as_str());
                    let note = NewEntry::note(id, self.operator, Action::Held, reason);
                    journal::append(tx, note).await?;
                }
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
