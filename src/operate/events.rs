//! Stored events: what came, how it was read, and reading it again after a profile was mended.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{OperateError, one_more, page};
use crate::offboarding::{Actor, policy};
use crate::store::Store;
use crate::store::event_views::{EventDetail, EventFilter, EventView, FoundEvent};
use crate::store::events::{Delivery, Item};
use crate::store::replays::{Replay, ReplayResult, Replayed};

pub use crate::store::readings::{DISPOSITIONS, disposition};

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// Newest first.
    pub items: Vec<EventView>,
    /// Where the next page begins, or nothing at the end.
    #[schema(required)]
    pub next: Option<Uuid>,
}

/// What came of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayAnswer {
    /// `replayed`, or `unchanged` where everything is read as it was.
    pub status: &'static str,
    /// What became of each event.
    #[serde(flatten)]
    pub replay: Replay,
}

/// Why a stored event was not read again; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// No sender's profile says how to read it.
    #[error("an operator's own termination has no profile to be read by")]
    OperatorsOwn,
    /// No sender's profile says how to read it.
    #[error("an answer to a look-up has no profile to be read by")]
    LookedUp,
    /// No webhook of this name is configured.
    #[error("its source is not configured as a sender of webhooks (any more)")]
    NoSource,
    /// An id in it is taken.
    #[error("an event id in it is known with other content, from another delivery")]
    Conflict,
    /// The profile does not fit it.
    #[error("the present profile of its source can't read it ({0})")]
    Unreadable(&'static str),
}

/// Lists a page of events.
pub async fn events(store: &Store, filter: &EventFilter) -> Result<EventPage, OperateError> {
    let items = store.events(&EventFilter { limit: one_more(filter.limit), ..filter.clone() }).await?;
    let (items, next) = page(items, filter.limit, |event| event.id);
    Ok(EventPage { items, next })
}

/// Finds an event by the id of its row or by the sender's own, which may need the source.
pub async fn event(store: &Store, key: &str, source: Option<&str>) -> Result<FoundEvent, OperateError> {
    Ok(store.event(key, source).await?)
}

/// Takes an event's delivery as the present profile reads it. `read` gives the items and the headers that are missing, or
/// nothing where no such source is configured.
pub async fn replay(
    store: &Store,
    event: EventDetail,
    read: impl FnOnce(&EventDetail) -> Option<(Vec<Item>, Vec<String>)>,
    operator: &Actor,
) -> Result<Result<ReplayAnswer, NotReplayed>, OperateError> {
    if event.view.source == policy::OPERATORS_SOURCE {
        return Ok(Err(NotReplayed::OperatorsOwn));
    }
    if event.view.event_id.starts_with(policy::LOOKED_UP) {
        return Ok(Err(NotReplayed::LookedUp));
    }
    let Some((items, headers_missing)) = read(&event) else {
        return Ok(Err(NotReplayed::NoSource));
    };
    let delivery = Delivery {
        source: event.view.source,
        // A key's number is never negative.
        key_index: usize::try_from(event.view.key_index).unwrap_or_default(),
        body: event.body,
        headers: event.headers.unwrap_or_default(),
        items,
        asked: None,
    };
    let mut replay = match store.replay(event.view.id, delivery, operator).await? {
        Replayed::Done(replay) => replay,
        Replayed::Conflict => return Ok(Err(NotReplayed::Conflict)),
        Replayed::Unreadable(cause) => return Ok(Err(NotReplayed::Unreadable(cause))),
    };
    replay.warnings.extend(headers_missing.into_iter().map(|name| {
        format!("the profile reads the header {name}, which was not kept with this delivery: read as absent")
    }));
    let changed = replay.events.iter().any(|event| event.result != ReplayResult::Unchanged);
    Ok(Ok(ReplayAnswer { status: if changed { "replayed" } else { "unchanged" }, replay }))
}
