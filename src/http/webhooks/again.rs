//! Reading a stored delivery once more, as the profile of its source is now, and counting what no profile has a rule for.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Webhooks, items};
use crate::hris::Source;
use crate::store::event_views::EventDetail;
use crate::store::events::{Accepted, Item};

impl Webhooks {
    /// Reads a stored delivery with the present profile of its source, from its body and the headers that were kept. Gives
    /// one item per person and the headers that the profile reads and that were not kept; `None` where no such source is
    /// configured.
    pub fn read_again(&self, event: &EventDetail) -> Option<(Vec<Item>, Vec<String>)> {
        let source = self.inner.sources.get(&event.view.source)?;
        let parsed = |(name, value): (&String, &String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        let kept: HeaderMap = event.headers.iter().flatten().filter_map(parsed).collect();
        let missing = source.header_names().into_iter().filter(|name| !kept.contains_key(*name));
        let missing = missing.map(str::to_owned).collect();
        Some((items(&self.inner, source, &kept, &event.body), missing))
    }
}

/// Counts the events of a delivery that have a word for which the profile has no rule; never by the word, which is the
/// sender's text.
pub(super) fn count_unknown(source: &Source, accepted: &Accepted, unknown: usize) {
    match accepted {
        Accepted::New(_) | Accepted::Held(_) | Accepted::Ignored(_) if unknown > 0 => {
            let unknown = u64::try_from(unknown).unwrap_or(u64::MAX);
            metrics::counter!("leaver_unknown_events_total", "source" => source.name().to_owned())
                .increment(unknown);
        }
        Accepted::New(_)
        | Accepted::Held(_)
        | Accepted::Ignored(_)
        | Accepted::Duplicate(_)
        | Accepted::Conflict => {}
    }
}
