//! Callbacks, for people.

use crate::store::callbacks::{CallbackStatus, CallbackView};

pub(in crate::commands) fn callbacks(callbacks: &[CallbackView]) {
    if callbacks.is_empty() {
        say!("no callbacks");
    }
    for callback in callbacks {
        say!("{}  {}  {}", callback.id, callback.status, callback.target);
        let told = callback.told.as_deref().map_or_else(String::new, |told| format!(" ({told})"));
        say!("told       {}{told}", callback.event);
        say!("about      {}", callback.offboarding);
        say!("happened   {}", callback.created_at.format("%Y-%m-%d %H:%M:%S UTC"));
        say!("tries      {}{}", callback.attempts, last(callback));
        if let Some(next) = callback.next_attempt_at.filter(|_| callback.status == CallbackStatus::Waiting) {
            say!("next       {}", next.format("%Y-%m-%d %H:%M:%S UTC"));
        }
    }
}

fn last(callback: &CallbackView) -> String {
    callback.last_result.as_deref().map_or_else(String::new, |words| format!(", the last: {words}"))
}
