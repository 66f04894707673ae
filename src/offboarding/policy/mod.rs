//! When to start, wait or ask: pure functions of event, observation, settings and time.

mod case;
mod dates;
mod identity;
mod order;
mod protection;
mod work;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::choices::{EffectiveAt, Order};
use super::event::{Directive, Effective, TerminationEvent};
use super::status::Reason;
use super::zone::Zone;

pub use case::{Act, Case, HintOrder, News, Progress, act, act_on_hint};
pub use dates::effective_moment;
pub use identity::{Hire, LOOKED_UP, OPERATORS_SOURCE, authority_for, hire};
pub use order::{LastWord, Said, Word, hint_order, last_word};
pub use protection::{Named, Protection, Standing, administrator_roles, protection};
pub use work::{BusyPolicy, Released, Routing, Signs, Stage, Start, Waiting, Work, start, work};

/// How far back an effective date may lie before a person has to look: older events are replays, imports and mistakes
/// more often than terminations.
pub const STALE_AFTER_DAYS: i64 = 30;

/// What an accepted event leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    /// An offboarding that starts at this moment.
    Schedule(DateTime<Utc>),
    /// An offboarding that waits for a person.
    Hold(Reason, DateTime<Utc>),
    /// The open offboarding of this person is taken back: they stay, from this moment on where it was said.
    Rescind(Option<DateTime<Utc>>),
    /// Nothing.
    Ignore,
}

impl Intake {
    /// What the event says about whether the person leaves; `None` where it says neither.
    pub fn said(&self) -> Option<Said> {
        match self {
            Self::Schedule(at) | Self::Hold(Reason::StaleEvent, at) => Some(Said::Leaves(Some(*at))),
            Self::Hold(Reason::EffectiveDateMissing, _) => Some(Said::Leaves(None)),
            Self::Rescind(from) => Some(Said::Stays(*from)),
            Self::Hold(..) | Self::Ignore => None,
        }
    }
}

/// Decides what an event leads to, given the zone and the time of day of its source.
pub fn intake(event: &TerminationEvent, zone: &Zone, time_of_day: EffectiveAt, now: DateTime<Utc>) -> Intake {
    let effective = effective_moment(&event.effective, zone, time_of_day);
    match event.directive {
        Directive::Ignore => Intake::Ignore,
        Directive::Rescind if event.person.is_empty() => Intake::Hold(Reason::Unreadable, now),
        Directive::Rescind => Intake::Rescind(effective),
        Directive::Lookup => Intake::Hold(Reason::LookupRequired, effective.unwrap_or(now)),
        Directive::Hold => Intake::Hold(Reason::LookupRequired, effective.unwrap_or(now)),
        Directive::Terminate => match (&event.effective, effective) {
            _ if event.person.is_empty() => Intake::Hold(Reason::Unreadable, effective.unwrap_or(now)),
            (Effective::Missing, _) => Intake::Hold(Reason::EffectiveDateMissing, now),
            (_, None) => Intake::Hold(Reason::Unreadable, now),
            (_, Some(at)) if at < now - TimeDelta::days(STALE_AFTER_DAYS) => {
                Intake::Hold(Reason::StaleEvent, at)
            }
            (_, Some(at)) => Intake::Schedule(at),
        },
    }
}

/// What goes first for a kind of termination.
pub fn order_for(order: Order, by_type: &BTreeMap<String, Order>, termination_type: Option<&str>) -> Order {
    termination_type.and_then(|kind| by_type.get(kind)).copied().unwrap_or(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offboarding::{Heard, PersonRef};

    fn event(directive: Directive, effective: Effective) -> TerminationEvent {
        TerminationEvent {
            event_id: "e1".to_owned(),
            content_digest: [0; 32],
            again_after: None,
            directive,
            person: PersonRef { email: Some("a@b.c".to_owned()), external_id: None },
            effective,
            sequence: None,
            occurred_at: None,
            termination_type: None,
            heard: Heard::default(),
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn doubtful_terminations_are_held_and_say_why() {
        let now = at("2026-06-15T12:00:00Z");
        let intake = |e: &TerminationEvent| intake(e, &Zone::utc(), EffectiveAt::EndOfDay, now);
        let mut nobody = event(Directive::Terminate, Effective::At(now));
        nobody.person = PersonRef::default();
        assert_eq!(intake(&nobody), Intake::Hold(Reason::Unreadable, now));
        let missing = event(Directive::Terminate, Effective::Missing);
        assert_eq!(intake(&missing), Intake::Hold(Reason::EffectiveDateMissing, now));
        let slashes = event(Directive::Terminate, Effective::Unreadable);
        assert_eq!(intake(&slashes), Intake::Hold(Reason::Unreadable, now));
        let old = now - TimeDelta::days(31);
        let stale = event(Directive::Terminate, Effective::At(old));
        assert_eq!(intake(&stale), Intake::Hold(Reason::StaleEvent, old));
        let recent = now - TimeDelta::days(29);
        assert_eq!(intake(&event(Directive::Terminate, Effective::At(recent))), Intake::Schedule(recent));
        assert_eq!(
            intake(&event(Directive::Lookup, Effective::Missing)),
            Intake::Hold(Reason::LookupRequired, now)
        );
    }

    #[test]
    fn the_order_of_the_type_comes_before_the_order_of_all() {
        let by_type = BTreeMap::from([("involuntary".to_owned(), Order::AccessFirst)]);
        let order = |kind| order_for(Order::StripFirst, &by_type, kind);
        assert_eq!(order(Some("involuntary")), Order::AccessFirst);
        assert_eq!((order(Some("voluntary")), order(None)), (Order::StripFirst, Order::StripFirst));
    }
}
