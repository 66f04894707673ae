//! Reading: stored events as the API and the commands show them, and the words that no profile has a rule for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::readings::EventReading;
use super::views::PAGE_MAX;
use super::{Store, StoreError, Tx, in_transaction, matches_nothing};

/// Words of a source that are told, the most frequent first.
const UNKNOWN_WORDS_MAX: i64 = 10;

/// Sources of one event id that are told apart.
const SOURCES_MAX: i64 = 20;

/// A stored event without its body.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Which; ids sort by the time of receipt.
    pub id: Uuid,
    /// The source's name.
    pub source: String,
    /// The idempotency key within the source.
    pub event_id: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Which of the source's keys verified it, counted from 0.
    pub key_index: i32,
    /// How it was read last.
    #[serde(flatten)]
    pub reading: EventReading,
    /// The offboarding that it belongs to.
    #[schema(required)]
    pub offboarding_id: Option<Uuid>,
    /// Since when other events stand for its delivery; null while it stands for itself.
    #[schema(required)]
    pub replaced_at: Option<DateTime<Utc>>,
}

/// A stored event with everything that is kept of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventDetail {
    /// The event.
    #[serde(flatten)]
    pub view: EventView,
    /// The headers that the profile read; null for events that were stored before headers were kept.
    #[schema(required)]
    pub headers: Option<BTreeMap<String, String>>,
    /// The body as it came: `body` as text, or in base64 where it is no UTF-8, and `body_encoding` says which.
    #[serde(flatten, serialize_with = "body_as_text")]
    #[schema(value_type = StoredBody)]
    pub body: Vec<u8>,
    /// What replays changed, oldest first.
    pub replays: Vec<ReplayView>,
}

/// How a body is shown.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what `body_as_text` writes")]
struct StoredBody {
    /// The body, as text or in base64.
    body: String,
    /// `text` or `base64`.
    body_encoding: String,
}

/// What one replay changed about an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Who asked for it.
    pub actor: String,
    /// The reading of before; null where the replay brought the event.
    #[schema(required)]
    pub before: Option<Value>,
    /// The reading since; null where other events stand for the delivery since.
    #[schema(required)]
    pub after: Option<Value>,
}

/// What somebody's id of an event stands for.
#[derive(Clone, Debug)]
pub enum FoundEvent {
    /// This event.
    One(Box<EventDetail>),
    /// Nothing that is stored.
    None,
    /// One event of each of these sources.
    InSources(Vec<String>),
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only this source.
    pub source: Option<String>,
    /// Only `accepted`, `held` or `ignored` ones.
    pub disposition: Option<String>,
    /// Only those with this word of the sender's.
    pub word: Option<String>,
    /// Only what is older than this one.
    pub after: Option<Uuid>,
    /// At most so many, up to [`PAGE_MAX`].
    pub limit: u32,
}

/// A word of a sender's for which its profile has no rule.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownWord {
    /// The source's name.
    pub source: String,
    /// The word.
    pub word: String,
    /// How often it came within the last 30 days.
    pub count: i64,
    /// When it came last.
    pub last_at: DateTime<Utc>,
}

/// An event's row.
pub(super) struct EventRow {
    pub(super) id: Uuid,
    pub(super) source: String,
    pub(super) event_id: String,
    pub(super) received_at: DateTime<Utc>,
    pub(super) key_index: i32,
    pub(super) disposition: String,
    pub(super) reason: Option<String>,
    pub(super) word: Option<String>,
    pub(super) directive: Option<String>,
    pub(super) unreadable: Option<String>,
    pub(super) said: Option<String>,
    pub(super) effective_at: Option<DateTime<Utc>>,
    pub(super) email: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) termination_type: Option<String>,
    pub(super) sequence: Option<i64>,
    pub(super) occurred_at: Option<DateTime<Utc>>,
    pub(super) offboarding_id: Option<Uuid>,
    pub(super) replaced_at: Option<DateTime<Utc>>,
}

impl EventRow {
    pub(super) fn view(self) -> EventView {
        EventView {
            id: self.id,
            source: self.source,
            event_id: self.event_id,
            received_at: self.received_at,
            key_index: self.key_index,
            reading: EventReading {
                disposition: self.disposition,
                reason: self.reason,
                word: self.word,
                directive: self.directive,
                unreadable: self.unreadable,
                said: self.said,
                effective_at: self.effective_at,
                email: self.email,
                external_id: self.external_id,
                termination_type: self.termination_type,
                sequence: self.sequence,
                occurred_at: self.occurred_at,
            },
            offboarding_id: self.offboarding_id,
            replaced_at: self.replaced_at,
        }
    }
}

impl Store {
    /// Lists events, newest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<EventView>, StoreError> {
        if matches_nothing([&filter.source, &filter.disposition, &filter.word]) {
            return Ok(Vec::new());
        }
        let filter = filter.clone();
        in_transaction(&self.operators, move |tx| {
            let filter = filter.clone();
            Box::pin(async move { list(tx, &filter).await })
        })
        .await
    }

    /// The event that `key` names: the row's id, or the sender's own id, which `source` tells apart.
    pub async fn event(&self, key: &str, source: Option<&str>) -> Result<FoundEvent, StoreError> {
        let (key, source) = (key.to_owned(), source.map(str::to_owned));
        in_transaction(&self.operators, move |tx| {
            let (key, source) = (key.clone(), source.clone());
            Box::pin(async move { find(tx, &key, source.as_deref()).await })
        })
        .await
    }

    /// The words of the last 30 days for which no rule was found, the most frequent of each source first.
    pub async fn unknown_words(&self) -> Result<Vec<UnknownWord>, StoreError> {
        in_transaction(&self.probe, |tx| {
            Box::pin(async move {
                let words = sqlx::query_as!(
                    UnknownWord,
                    // unknown_words
                    r#"select source as "source!", word as "word!", times as "count!", last_at as "last_at!" from (
                           select source, word, count(*) as times, max(received_at) as last_at,
                                  row_number() over (partition by source order by count(*) desc, word) as place
                           from events
                           where word is not null and directive is null and replaced_at is null
                             and received_at > now() - interval '30 days'
                           group by source, word) counted
                       where place <= $1 order by source, place"#,
                    UNKNOWN_WORDS_MAX,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(words)
            })
        })
        .await
    }
}

async fn list(tx: Tx<'_>, filter: &EventFilter) -> Result<Vec<EventView>, StoreError> {
    let rows = sqlx::query_as!(
        EventRow,
        // list_events
        "select id, source, event_id, received_at, key_index, disposition, reason, word, directive, unreadable, said,
             effective_at, email, external_id, termination_type, sequence, occurred_at, offboarding_id, replaced_at
         from events
         where ($1::text is null or source = $1) and ($2::text is null or disposition = $2)
           and ($3::text is null or word = $3) and ($4::uuid is null or id < $4)
         order by id desc limit $5",
        filter.source,
        filter.disposition,
        filter.word,
        filter.after,
        // One more than a page holds tells whether there is a next one.
        i64::from(filter.limit.clamp(1, PAGE_MAX + 1)),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(EventRow::view).collect())
}

async fn find(tx: Tx<'_>, key: &str, source: Option<&str>) -> Result<FoundEvent, StoreError> {
    // Postgres can't compare a text with one that has a NUL, and none is stored.
    if key.contains('\0') || source.is_some_and(|source| source.contains('\0')) {
        return Ok(FoundEvent::None);
    }
    let row_id = Uuid::try_parse(key).ok();
    let found = sqlx::query!(
        // find_event
        "select id, source from events where (id = $1 or event_id = $2) and ($3::text is null or source = $3)
         order by (id = $1) is true desc, source limit $4",
        row_id,
        key,
        source,
        SOURCES_MAX,
    )
    .fetch_all(&mut **tx)
    .await?;
    match found.as_slice() {
        [] => Ok(FoundEvent::None),
        [one, ..] if found.len() == 1 || Some(one.id) == row_id => show(tx, one.id).await,
        several => Ok(FoundEvent::InSources(several.iter().map(|event| event.source.clone()).collect())),
    }
}

async fn show(tx: Tx<'_>, id: Uuid) -> Result<FoundEvent, StoreError> {
    let row = sqlx::query_as!(
        EventRow,
        // show_event
        "select id, source, event_id, received_at, key_index, disposition, reason, word, directive, unreadable, said,
             effective_at, email, external_id, termination_type, sequence, occurred_at, offboarding_id, replaced_at
         from events where id = $1",
        id,
    )
    .fetch_one(&mut **tx)
    .await?;
    let kept =
        sqlx::query!("select body, headers from events where id = $1", id).fetch_one(&mut **tx).await?;
    let replays = sqlx::query_as!(
        ReplayView,
        "select at, actor, before, after from event_replays where event = $1 order by id",
        id,
    )
    .fetch_all(&mut **tx)
    .await?;
    let headers = kept.headers.map(serde_json::from_value).transpose();
    Ok(FoundEvent::One(Box::new(EventDetail {
        view: row.view(),
        headers: headers.map_err(|_| StoreError::UnknownValue { column: "events.headers" })?,
        body: kept.body,
        replays,
    })))
}

fn body_as_text<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    let (text, encoding) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), "text"),
        Err(_) => (base64::engine::general_purpose::STANDARD.encode(body), "base64"),
    };
    BTreeMap::from([("body", text.as_str()), ("body_encoding", encoding)]).serialize(serializer)
}
