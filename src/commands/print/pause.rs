//! What is said of the switch over all replicas.

use super::wrapped;
use crate::store::pause::PauseState;

/// Says above everything else that nothing is changed for now, where that is so.
pub(in crate::commands) fn paused(state: &PauseState) {
    if state.paused {
        for line in wrapped("PAUSED  ", &words(state)) {
            say!("{line}");
        }
        say!("");
    }
}

/// Where the switch stands, and what was begun before it was moved.
pub(in crate::commands) fn switch(state: &PauseState, calls: u64) {
    if !state.paused {
        return say!("the service is not paused: the work goes on");
    }
    for line in wrapped("PAUSED  ", &words(state)) {
        say!("{line}");
    }
    match calls {
        0 => say!("no changing call is under way"),
        calls => say!("changing calls that were begun before and have no outcome yet: {calls}"),
    }
}

fn words(state: &PauseState) -> String {
    let since = state.since.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let by = state.by.as_deref().unwrap_or("-");
    let reason = state.reason.as_deref().unwrap_or("-");
    format!("since {since} by {by}: {reason}. No changing call begins; `leaver resume` lets the work go on")
}
