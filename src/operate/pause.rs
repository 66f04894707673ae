//! Pausing the whole service and letting it go on.

use std::time::{Duration, Instant};

use super::own::REASON_CHARS_MAX;
use super::{OperateError, when};
use crate::offboarding::Actor;
use crate::store::Store;
use crate::store::pause::PauseState;

/// How long a pause waits for calls that were intended before it: longer than nearly all take, and short enough for somebody
/// who is in a hurry.
const CALLS_WAITED_FOR_MAX: Duration = Duration::from_secs(5);

/// The pause between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Pauses the service over all replicas. When it returns no changing call is intended any more; the calls that were intended
/// before have their outcome, or [`calls_under_way`] says how many have not within some seconds.
pub async fn pause(store: &Store, reason: &str, actor: &Actor) -> Result<PauseState, OperateError> {
    let reason = when::words("reason", reason, REASON_CHARS_MAX)?;
    let state = store.pause(&reason, actor).await?;
    let begun = Instant::now();
    // It is paused whether or not they can be counted.
    while begun.elapsed() < CALLS_WAITED_FOR_MAX && calls_under_way(store).await.is_ok_and(|calls| calls > 0)
    {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(state)
}

/// Lets the work go on.
pub async fn resume(store: &Store, actor: &Actor) -> Result<PauseState, OperateError> {
    Ok(store.resume(actor).await?)
}

/// Where the switch stands.
pub async fn pause_state(store: &Store) -> Result<PauseState, OperateError> {
    Ok(store.pause_state().await?)
}

/// How many changing calls were intended a short time ago and have no outcome yet.
pub async fn calls_under_way(store: &Store) -> Result<u64, OperateError> {
    Ok(store.calls_under_way().await?)
}
