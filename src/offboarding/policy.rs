//! When to start, wait or ask: pure functions of event, observation, settings and time.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::choices::{EffectiveAt, Order, Protected, WhenBusy};
use super::event::{Directive, Effective, TerminationEvent, email_key};
use super::status::Reason;

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
    /// The open offboarding of this person is taken back.
    Rescind,
    /// Nothing.
    Ignore,
}

/// Decides what an event leads to, given the zone and the time of day of its source.
pub fn intake(event: &TerminationEvent, zone: Tz, time_of_day: EffectiveAt, now: DateTime<Utc>) -> Intake {
    let effective = effective_moment(&event.effective, zone, time_of_day);
    match event.directive {
        Directive::Ignore => Intake::Ignore,
        Directive::Rescind if event.person.is_empty() => Intake::Hold(Reason::Unreadable, now),
        Directive::Rescind => Intake::Rescind,
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

/// Makes a moment of what the sender said; `None` where nothing or nothing readable was said.
pub fn effective_moment(effective: &Effective, zone: Tz, time_of_day: EffectiveAt) -> Option<DateTime<Utc>> {
    match effective {
        Effective::At(at) => Some(*at),
        Effective::On(date) => moment_of_date(*date, zone, time_of_day),
        Effective::Local(local) => Some(resolve_local(*local, zone)),
        Effective::Missing | Effective::Unreadable => None,
    }
}

fn moment_of_date(date: NaiveDate, zone: Tz, time_of_day: EffectiveAt) -> Option<DateTime<Utc>> {
    let local = match time_of_day {
        EffectiveAt::StartOfDay => date.and_time(NaiveTime::MIN),
        EffectiveAt::EndOfDay => date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN),
        EffectiveAt::At(time) => date.and_time(time),
    };
    Some(resolve_local(local, zone))
}

/// The latest moment that a local time can mean: of two in an overlap the later one, and in a gap the moment at which
/// the clocks have jumped, because acting early locks a working person out.
fn resolve_local(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    /// No zone has skipped more than a day at once (Samoa, 2011).
    const GAP_MINUTES_MAX: i64 = 25 * 60;
    for minutes in 0..=GAP_MINUTES_MAX {
        let candidate = local + TimeDelta::minutes(minutes);
        if let Some(at) = zone.from_local_datetime(&candidate).latest() {
            return at.with_timezone(&Utc);
        }
    }
    local.and_utc()
}

/// What Genesys Cloud says about the person's work at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// In no interaction.
    Free,
    /// In an interaction, after-call work included; also where Genesys Cloud gives a status that is not published.
    InInteraction,
}

/// Whether the first change may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Go ahead.
    Proceed,
    /// Look again after this time.
    RecheckIn(Duration),
    /// Hold for this reason.
    Hold(Reason),
}

/// The settings for people in an interaction.
#[derive(Clone, Copy, Debug)]
pub struct BusyPolicy {
    /// What is done.
    pub when_busy: WhenBusy,
    /// Time between looks.
    pub recheck: Duration,
    /// Time after the first look at which waiting ends.
    pub wait_max: Duration,
}

/// Decides about somebody who may be in an interaction that has been waited for as long as `waited`.
pub fn start(work: Work, policy: BusyPolicy, waited: Duration) -> Start {
    match (policy.when_busy, work) {
        (WhenBusy::Now, Work::Free | Work::InInteraction) | (WhenBusy::Wait | WhenBusy::Ask, Work::Free) => {
            Start::Proceed
        }
        (WhenBusy::Ask, Work::InInteraction) => Start::Hold(Reason::Busy),
        (WhenBusy::Wait, Work::InInteraction) if waited >= policy.wait_max => Start::Proceed,
        (WhenBusy::Wait, Work::InInteraction) => Start::RecheckIn(policy.recheck),
    }
}

/// What a protected list can name somebody by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The address in Genesys Cloud.
    pub email: Option<String>,
    /// The Genesys user's id.
    pub id: String,
    /// The ids and names of the roles that apply to the person, through groups too.
    pub roles: Vec<String>,
    /// The id and the name of the division.
    pub divisions: Vec<String>,
}

/// Whether the list names this person.
pub fn is_protected(list: &[Protected], who: &Standing) -> bool {
    let address = who.email.as_deref().and_then(email_key);
    list.iter().any(|protected| match protected {
        Protected::Email(email) => address.is_some() && email_key(email) == address,
        Protected::Id(id) => *id == who.id,
        Protected::Role(role) => who.roles.contains(role),
        Protected::Division(division) => who.divisions.contains(division),
    })
}

/// What goes first for a kind of termination.
pub fn order_for(order: Order, by_type: &BTreeMap<String, Order>, termination_type: Option<&str>) -> Order {
    termination_type.and_then(|kind| by_type.get(kind)).copied().unwrap_or(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offboarding::PersonRef;

    fn event(directive: Directive, effective: Effective) -> TerminationEvent {
        TerminationEvent {
            event_id: "e1".to_owned(),
            content_digest: [0; 32],
            directive,
            person: PersonRef { email: Some("a@b.c".to_owned()), external_id: None },
            effective,
            occurred_at: None,
            termination_type: None,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_of_a_day_is_the_first_moment_of_the_next_in_the_sources_zone() {
        let date = Effective::On("2026-03-10".parse().unwrap());
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(effective_moment(&date, berlin, EffectiveAt::EndOfDay), Some(at("2026-03-10T23:00:00Z")));
        assert_eq!(
            effective_moment(&date, berlin, EffectiveAt::StartOfDay),
            Some(at("2026-03-09T23:00:00Z"))
        );
    }

    #[test]
    fn a_time_that_clocks_skip_or_repeat_is_never_early() {
        let berlin = chrono_tz::Europe::Berlin;
        let half_past_two = EffectiveAt::At("02:30:00".parse().unwrap());
        let gap = Effective::On("2026-03-29".parse().unwrap());
        let overlap = Effective::On("2026-10-25".parse().unwrap());
        assert_eq!(effective_moment(&gap, berlin, half_past_two), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(effective_moment(&overlap, berlin, half_past_two), Some(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn doubtful_terminations_are_held_and_say_why() {
        let now = at("2026-06-15T12:00:00Z");
        let intake = |e: &TerminationEvent| intake(e, chrono_tz::UTC, EffectiveAt::EndOfDay, now);
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
    fn somebody_is_protected_by_address_id_role_or_division() {
        let who = Standing {
            email: Some("Jane@Example.com".to_owned()),
            id: "7".to_owned(),
            roles: vec!["r1".to_owned(), "Master Admin".to_owned()],
            divisions: vec!["d1".to_owned(), "Board".to_owned()],
        };
        let named = |text: &str| is_protected(&[text.parse().unwrap()], &who);
        for text in
            ["jane@example.com", "id:7", "role:r1", "role:Master Admin", "division:d1", "division:Board"]
        {
            assert!(named(text), "{text}");
        }
        for text in ["john@example.com", "id:8", "role:Admin", "division:d2"] {
            assert!(!named(text), "{text}");
        }
        let nobody = Standing { id: "8".to_owned(), ..Standing::default() };
        assert!(!is_protected(&["jane@example.com".parse().unwrap()], &nobody) && !is_protected(&[], &who));
    }

    #[test]
    fn the_order_of_the_type_comes_before_the_order_of_all() {
        let by_type = BTreeMap::from([("involuntary".to_owned(), Order::AccessFirst)]);
        let order = |kind| order_for(Order::StripFirst, &by_type, kind);
        assert_eq!(order(Some("involuntary")), Order::AccessFirst);
        assert_eq!((order(Some("voluntary")), order(None)), (Order::StripFirst, Order::StripFirst));
    }

    #[test]
    fn somebody_in_an_interaction_is_waited_for_until_the_bound() {
        let policy = BusyPolicy {
            when_busy: WhenBusy::Wait,
            recheck: Duration::from_secs(60),
            wait_max: Duration::from_secs(3600),
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(start(Work::InInteraction, policy, hour / 2), Start::RecheckIn(policy.recheck));
        assert_eq!(start(Work::InInteraction, policy, hour), Start::Proceed);
        assert_eq!(start(Work::Free, policy, Duration::ZERO), Start::Proceed);
        let ask = BusyPolicy { when_busy: WhenBusy::Ask, ..policy };
        assert_eq!(start(Work::InInteraction, ask, hour), Start::Hold(Reason::Busy));
    }
}
