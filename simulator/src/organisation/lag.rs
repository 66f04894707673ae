//! What reads still see after a write: old views, kept until the lag of their kind is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::person::Id;
use crate::rules::{Kind, Lag};

/// The old views that are still shown, of people or of other things with an id.
#[derive(Debug)]
pub(super) struct Views<T>(HashMap<(Kind, Id), Old<T>>);

#[derive(Debug)]
struct Old<T> {
    view: Arc<T>,
    until: Until,
}

/// The moment at which something becomes visible.
#[derive(Debug)]
pub(super) enum Until {
    Reads(u32),
    Instant(Instant),
}

impl<T> Default for Views<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Views<T> {
    /// Keeps what was visible before a write visible for as long as the lag says.
    pub(super) fn hide(&mut self, kind: Kind, id: &str, before: &Arc<T>, lag: Lag, now: Instant) {
        let Some(until) = Until::of(lag, now) else {
            return;
        };
        let key = (kind, id.to_owned());
        // A second write within the lag prolongs it; what was visible before the first one stays visible.
        let view = self.0.remove(&key).map_or_else(|| Arc::clone(before), |old| old.view);
        self.0.insert(key, Old { view, until });
    }

    /// Counts one read of this id and kind.
    pub(super) fn age(&mut self, kind: Kind, id: &str, now: Instant) {
        let key = (kind, id.to_owned());
        if self.0.get_mut(&key).is_some_and(|old| !old.until.outlives_read(now)) {
            self.0.remove(&key);
        }
    }

    /// Counts one read of this kind for everybody.
    pub(super) fn age_all(&mut self, kind: Kind, now: Instant) {
        self.0.retain(|(of, _), old| *of != kind || old.until.outlives_read(now));
    }

    /// Gives the old view of this id and kind, if it is still shown.
    pub(super) fn get(&self, kind: Kind, id: &str) -> Option<&Arc<T>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(kind, id.to_owned())).map(|old| &old.view)
    }
}

impl Until {
    /// Gives the end of a lag that begins now; nothing when there is none.
    pub(super) fn of(lag: Lag, now: Instant) -> Option<Self> {
        match lag {
            Lag::None => None,
            Lag::Reads(count) => Some(Self::Reads(count)),
            Lag::For(duration) => Some(Self::Instant(now + duration)),
        }
    }

    /// Counts one read; false from the first read on that sees the new state.
    pub(super) fn outlives_read(&mut self, now: Instant) -> bool {
        match self {
            Self::Reads(0) => false,
            Self::Reads(left) => {
                *left -= 1;
                true
            }
            Self::Instant(instant) => now < *instant,
        }
    }
}
