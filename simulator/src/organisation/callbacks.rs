//! Scheduled callbacks: conversations that wait for the agent who owns them, or for a queue.
//! How they are spoken about over HTTP is left to `operations`.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::Organisation;
use super::lag::Views;
use super::person::Id;
use crate::journal::Effect;
use crate::rules::{Kind, Lag, Rules};

/// How far ahead a callback is scheduled unless a test says otherwise.
const SCHEDULED_HOURS: i64 = 4;

/// Whether a callback still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackState {
    /// It waits for its time.
    Open,
    /// The conversation has ended.
    Ended,
}

/// Everything true about one scheduled callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The id of the conversation.
    pub conversation: Id,
    /// The user who owns it; nothing when it waits in the queue for anybody.
    pub owner: Option<Id>,
    /// The queue.
    pub queue: Id,
    /// The participant it waits with: the agent to be, or ACD. A new one each time it changes hands.
    pub participant: Id,
    /// The participant who is to be called.
    pub customer: Id,
    /// When the conversation began.
    pub started: DateTime<Utc>,
    /// When the customer is to be called.
    pub scheduled: DateTime<Utc>,
    /// Open or ended.
    pub state: CallbackState,
}

/// The callbacks of an organisation, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    all: Vec<Arc<Callback>>,
    views: Views<Callback>,
}

impl Organisation {
    /// Adds an open callback that this user owns, begun now and due in four hours; gives the conversation's id.
    pub fn add_callback(&mut self, owner: &str, queue: &str) -> Id {
        let started = self.clock.wall;
        let callback = Callback {
            conversation: self.next_id(),
            owner: Some(owner.to_owned()),
            queue: queue.to_owned(),
            participant: self.next_id(),
            customer: self.next_id(),
            started,
            scheduled: started + TimeDelta::hours(SCHEDULED_HOURS),
            state: CallbackState::Open,
        };
        let id = callback.conversation.clone();
        self.callbacks.all.push(Arc::new(callback));
        id
    }

    /// Gives every callback as it truly is, in the order in which they were added.
    #[must_use]
    pub fn callbacks(&self) -> Vec<Callback> {
        self.callbacks.all.iter().map(|callback| Callback::clone(callback)).collect()
    }

    /// Changes a callback behind the client's back; visible at once. Gives nothing when there is no such conversation.
    pub fn edit_callback<R>(
        &mut self,
        conversation: &str,
        edit: impl FnOnce(&mut Callback) -> R,
    ) -> Option<R> {
        self.callbacks.slot(conversation).map(|slot| edit(Arc::make_mut(slot)))
    }

    /// Gives the true state of a callback.
    pub(crate) fn callback(&self, conversation: &str) -> Option<Arc<Callback>> {
        self.callbacks.all.iter().find(|callback| callback.conversation == conversation).cloned()
    }

    /// Hands a callback on for a call, to an owner or to the queue alone, and keeps the old view for analytics.
    pub(crate) fn hand_on_callback(
        &mut self,
        before: &Arc<Callback>,
        mut after: Callback,
        rules: &Rules,
        now: Instant,
    ) {
        if after == **before {
            return;
        }
        if after.owner != before.owner || after.queue != before.queue {
            after.participant = self.next_id();
        }
        let lag = rules.lags.get(&Kind::Callbacks).copied().unwrap_or(Lag::None);
        self.callbacks.views.hide(Kind::Callbacks, &before.conversation, before, lag, now);
        if let Some(slot) = self.callbacks.slot(&before.conversation) {
            *slot = Arc::new(after);
        }
        self.effect = Effect::Changed;
    }

    /// Gives every callback as analytics sees them; counts as one read of each.
    pub(crate) fn read_callbacks(&mut self, now: Instant) -> Vec<Arc<Callback>> {
        self.callbacks.views.age_all(Kind::Callbacks, now);
        let views = &self.callbacks.views;
        let seen = |callback: &Arc<Callback>| {
            views.get(Kind::Callbacks, &callback.conversation).unwrap_or(callback).clone()
        };
        self.callbacks.all.iter().map(seen).collect()
    }
}

impl Callbacks {
    fn slot(&mut self, conversation: &str) -> Option<&mut Arc<Callback>> {
        self.all.iter_mut().find(|callback| callback.conversation == conversation)
    }
}
