//! What was said about a person: the events that say whether they leave, as the policy weighs them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::cases::Case;
use super::events::{Delivery, Item};
use super::readings::EventReading;
use super::{StoreError, Tx};
use crate::offboarding::OffboardingId;
use crate::offboarding::policy::{LastWord, Said, Word};

/// The newest words that are weighed: more have been said about nobody, unless a sender goes wild.
const WORDS_MAX: i64 = 100;

/// What became of an item.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// It is stored under this id, which is its own or, where its own is another event by now, one that follows it.
    New(String, Stored),
    /// The event of this id is the item.
    Known(String),
}

/// A new event's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    /// In the order of arrival.
    pub(super) arrival: i64,
    /// Present time by the database's clock.
    pub(super) judged_at: DateTime<Utc>,
}

/// Stores an item as an event, unless it is known. Of deliveries at the same time only one inserts an id; the others wait
/// for its commit and find it there.
pub(super) async fn store(
    tx: Tx<'_>,
    event: Uuid,
    delivery: &Delivery,
    item: &Item,
) -> Result<Kept, StoreError> {
    let mut id = item.event_id.clone();
    let mut next = 2_u32;
    loop {
        if let Some(stored) = insert(tx, event, delivery, item, &id).await? {
            return Ok(Kept::New(id, stored));
        }
        let Some(again_after) = item.again_after else {
            return Ok(Kept::Known(id));
        };
        if !is_older(tx, &delivery.source, &id, again_after).await? {
            return Ok(Kept::Known(id));
        }
        id = format!("{}~{next}", item.event_id);
        next += 1;
    }
}

/// Whether the event of this id was stored longer ago than this, by the database's clock.
async fn is_older(tx: Tx<'_>, source: &str, event_id: &str, than: TimeDelta) -> Result<bool, StoreError> {
    let older = sqlx::query_scalar!(
        // event_is_older
        r#"select exists (
             select 1 from events where source = $1 and event_id = $2 and received_at + make_interval(secs => $3) < now()
           ) as "older!""#,
        source,
        event_id,
        than.as_seconds_f64(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(older)
}

/// Inserts an item as an event of this id; `None` where there is one.
async fn insert(
    tx: Tx<'_>,
    event: Uuid,
    delivery: &Delivery,
    item: &Item,
    event_id: &str,
) -> Result<Option<Stored>, StoreError> {
    let reading = EventReading::of(item);
    let headers = serde_json::to_value(&delivery.headers).unwrap_or_default();
    let stored = sqlx::query_as!(
        Stored,
        // store_event
        r#"insert into events (id, source, event_id, content_digest, body, key_index, disposition, said, effective_at,
             sequence, occurred_at, email_key, external_id, headers, word, directive, unreadable, reason, termination_type,
             email)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         on conflict do nothing returning arrival as "arrival!", received_at as judged_at"#,
        event,
        delivery.source,
        event_id,
        &item.content_digest,
        &delivery.body,
        i32::try_from(delivery.key_index).unwrap_or(i32::MAX),
        reading.disposition,
        reading.said,
        reading.effective_at,
        reading.sequence,
        reading.occurred_at,
        item.person.email_key(),
        reading.external_id,
        headers,
        reading.word,
        reading.directive,
        reading.unreadable,
        reading.reason,
        reading.termination_type,
        reading.email,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(stored)
}

/// Everything that was said about a person, by the keys of the event and of the open offboardings; the event itself, which
/// arrived as this one, need not have a key.
pub(super) async fn of_person(
    tx: Tx<'_>,
    delivery: &Delivery,
    item: &Item,
    open: &[Case],
    arrival: i64,
) -> Result<Vec<Word>, StoreError> {
    let (source, person) = (&delivery.source, &item.person);
    let emails: Vec<String> =
        person.email_key().into_iter().chain(open.iter().filter_map(|case| case.email_key.clone())).collect();
    let named = person.external_id.iter().map(|id| (source.clone(), id.clone()));
    let known = open.iter().filter_map(|case| Some((case.source.clone(), case.external_id.clone()?)));
    let ids_of_open: Vec<Uuid> = open.iter().map(|case| case.id.0).collect();
    let (sources, ids): (Vec<String>, Vec<String>) = named.chain(known).unzip();
    let rows = sqlx::query!(
        // words_of_person: apart, so that each part has its index
        r#"select source as "source!", said as "said!", effective_at, sequence, occurred_at, arrival as "arrival!",
               received_at as "received_at!"
           from events where said is not null and id in (
               select id from events where email_key = any($1) and said is not null
               union
               select id from events
                   join unnest($2::text[], $3::text[]) as named (source, external_id) using (source, external_id)
                   where said is not null
               union
               select id from events where arrival = $5
               union
               select id from events where offboarding_id = any($6) and said is not null)
           order by arrival desc limit $4"#,
        &emails,
        &sources,
        &ids,
        WORDS_MAX,
        arrival,
        &ids_of_open,
    )
    .fetch_all(&mut **tx)
    .await?;
    let words = rows.into_iter().map(|row| Word {
        source: row.source,
        said: if row.said == "leaves" {
            Said::Leaves(row.effective_at)
        } else {
            Said::Stays(row.effective_at)
        },
        sequence: row.sequence,
        occurred_at: row.occurred_at,
        arrival: row.arrival,
        received_at: row.received_at,
    });
    Ok(words.collect())
}

/// Notes to which offboarding an event belongs.
pub(super) async fn belongs_to(
    tx: Tx<'_>,
    event: Uuid,
    offboarding: Option<OffboardingId>,
) -> Result<(), StoreError> {
    sqlx::query!("update events set offboarding_id = $2 where id = $1", event, offboarding.map(|id| id.0))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The offboarding to which the last word led.
pub(super) async fn offboarding_of(tx: Tx<'_>, last: LastWord) -> Result<Option<OffboardingId>, StoreError> {
    let arrival = match last {
        LastWord::Leaves(arrival) | LastWord::Stays(arrival) => arrival,
        LastWord::Contradiction { .. } => return Ok(None),
    };
    let id = sqlx::query_scalar!(
        // offboarding_of_word
        "select offboarding_id from events where arrival = $1",
        arrival
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.flatten().map(OffboardingId))
}
