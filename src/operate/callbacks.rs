//! Callbacks: what others were told, and telling it once more.

use uuid::Uuid;

use super::OperateError;
use crate::offboarding::Actor;
use crate::store::Store;
use crate::store::callbacks::{CallbackFilter, CallbackPages, Repeated};

/// Lists a page of callbacks.
pub async fn callbacks(store: &Store, filter: &CallbackFilter) -> Result<CallbackPages, OperateError> {
    // One more than asked for tells whether there is a next page.
    let wanted = filter.limit.max(1);
    let asked = CallbackFilter { limit: wanted.saturating_add(1), ..filter.clone() };
    let mut items = store.callbacks(&asked).await?;
    let more = items.len() > wanted as usize;
    items.truncate(wanted as usize);
    let next = if more { items.last().map(|view| view.sequence.to_string()) } else { None };
    Ok(CallbackPages { items, next })
}

/// Has a callback sent once more, under the same id; the journal says who asked for it.
pub async fn repeat_callback(store: &Store, id: Uuid, actor: &Actor) -> Result<Repeated, OperateError> {
    Ok(store.repeat_callback(id, actor).await?)
}
