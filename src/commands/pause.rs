//! `leaver pause` and `leaver resume`.

use serde_json::json;

use super::{Failure, Output, actor, print, progress};
use crate::config::Config;
use crate::operate;
use crate::serve::Parts;
use crate::store::Store;
use crate::store::pause::PauseState;

/// Pauses the service over all replicas and says what is still under way.
pub async fn pause(config: &Config, reason: &str, output: Output) -> Result<(), Failure> {
    let store = Parts::new(config)?.store;
    let actor = actor();
    let pausing = operate::pause(&store, reason, &actor);
    let state = progress::shown("waiting for the calls that were begun before", pausing).await?;
    shown(&store, &state, output).await
}

/// Lets the work go on.
pub async fn resume(config: &Config, output: Output) -> Result<(), Failure> {
    let store = Parts::new(config)?.store;
    let state = operate::resume(&store, &actor()).await?;
    shown(&store, &state, output).await
}

async fn shown(store: &Store, state: &PauseState, output: Output) -> Result<(), Failure> {
    let calls = operate::calls_under_way(store).await?;
    match output {
        Output::Json => print::json(&json!({
            "paused": state.paused, "by": state.by, "reason": state.reason, "since": state.since,
            "calls_under_way": calls,
        })),
        Output::Text => print::switch(state, calls),
    }
    Ok(())
}
