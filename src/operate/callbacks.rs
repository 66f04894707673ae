//! Callbacks: what others were told, and telling it once more.

use uuid::Uuid;

use super::{OperateError, one_more, page};
use crate::offboarding::Actor;
use crate::store::Store;
use crate::store::callbacks::{CallbackFilter, CallbackPages, Repeated};

/// Lists a page of callbacks.
pub async fn callbacks(store: &Store, filter: &CallbackFilter) -> Result<CallbackPages, OperateError> {
    let asked = CallbackFilter { limit: one_more(filter.limit), ..filter.clone() };
    let items = store.callbacks(&asked).await?;
    let (items, next) = page(items, filter.limit, |view| view.sequence.to_string());
    Ok(CallbackPages { items, next })
}

/// Has a callback sent once more, under the same id; the journal says who asked for it.
pub async fn repeat_callback(store: &Store, id: Uuid, actor: &Actor) -> Result<Repeated, OperateError> {
    Ok(store.repeat_callback(id, actor).await?)
}
