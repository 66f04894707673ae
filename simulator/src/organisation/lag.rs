//! What reads still see after a write: old views of people, kept until the lag of their kind is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::person::{Id, PersonState};
use crate::rules::{Kind, Lag};

/// The old views that are still shown.
#[derive(Debug, Default)]
pub(super) struct Views(HashMap<(Kind, Id), Old>);

#[derive(Debug)]
struct Old {
    view: Arc<PersonState>,
    until: Until,
}

#[derive(Debug)]
enum Until {
    Reads(u32),
    Instant(Instant),
}

impl Views {
    /// Keeps what was visible before a write visible for as long as the lag says.
    pub(super) fn hide(&mut self, kind: Kind, before: &Arc<PersonState>, lag: Lag, now: Instant) {
        let until = match lag {
            Lag::None => return,
            Lag::Reads(count) => Until::Reads(count),
            Lag::For(duration) => Until::Instant(now + duration),
        };
        let key = (kind, before.id.clone());
        // A second write within the lag prolongs it; what was visible before the first one stays visible.
        let view = self.0.remove(&key).map_or_else(|| Arc::clone(before), |old| old.view);
        self.0.insert(key, Old { view, until });
    }

    /// Counts one read of this person and kind.
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

    /// Gives the old view of this person and kind, if it is still shown.
    pub(super) fn get(&self, kind: Kind, id: &str) -> Option<&Arc<PersonState>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(kind, id.to_owned())).map(|old| &old.view)
    }
}

impl Until {
    fn outlives_read(&mut self, now: Instant) -> bool {
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
