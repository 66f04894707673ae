//! What an event changes about the offboarding of its person: pure decisions over the last word and the present row.

use chrono::{DateTime, Utc};

use super::order::{LastWord, Said};
use crate::offboarding::status::{Reason, Status};

/// The open offboarding of the event's person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Scheduled or held.
    pub status: Status,
    /// Why it is held.
    pub reason: Option<Reason>,
    /// Whether anything has been changed yet.
    pub progress: Progress,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
}

/// Whether anything has been changed for an offboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No changing call was intended.
    Untouched,
    /// At least one was.
    Begun,
}

/// An event that says whether its person leaves, as it was just stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// What it says.
    pub said: Said,
    /// Its place in the order of arrival.
    pub arrival: i64,
    /// Why the event itself has to be held.
    pub hold: Option<Reason>,
    /// Present time.
    pub now: DateTime<Utc>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An offboarding is opened as the event says.
    Open,
    /// An offboarding is opened and held, because it is in doubt whether or when the person leaves.
    OpenInDoubt(Option<DateTime<Utc>>),
    /// An offboarding is opened and ended at once: it had been withdrawn before it came.
    OpenWithdrawn,
    /// The open one takes the event's date and facts.
    Move,
    /// The open one, which was stopped by a withdrawal, goes on.
    Resume,
    /// The open one is held: it is in doubt whether or when the person leaves. At this moment at the earliest.
    Doubt(Option<DateTime<Utc>>),
    /// The open one ends; nothing was changed.
    Withdraw,
    /// The open one stops where it is, and a person decides.
    Stop,
    /// The open one learns what the event knows besides the date, and does not wait for another kind's sake.
    Learn,
    /// The event is kept with what there is and changes nothing.
    Keep,
}

/// Decides what an event changes, given the last word with it included.
pub fn act(case: Option<&Case>, last: LastWord, news: News) -> Act {
    match (last, case) {
        (LastWord::Leaves(last), None) if last == news.arrival => Act::Open,
        (LastWord::Leaves(last), Some(case)) if last == news.arrival => act_on_termination(case, news),
        (LastWord::Leaves(_), _) => Act::Keep,
        (LastWord::Stays(_), None) => match news.said {
            Said::Leaves(_) => Act::OpenWithdrawn,
            Said::Stays(_) => Act::Keep,
        },
        (LastWord::Stays(_), Some(case)) => match case.progress {
            Progress::Untouched => Act::Withdraw,
            Progress::Begun => Act::Stop,
        },
        (LastWord::Contradiction { leaves_at, .. }, None) => match news.said {
            Said::Leaves(_) => Act::OpenInDoubt(leaves_at),
            Said::Stays(_) => Act::Keep,
        },
        (LastWord::Contradiction { leaves_at, stays }, Some(case)) => match case.progress {
            Progress::Untouched => Act::Doubt(leaves_at),
            Progress::Begun if stays => Act::Stop,
            Progress::Begun => Act::Keep,
        },
    }
}

/// The event is the last word, and it says that the person leaves.
fn act_on_termination(case: &Case, news: News) -> Act {
    let at = match news.said {
        Said::Leaves(at) => at,
        Said::Stays(_) => None,
    };
    let Some(at) = at else {
        // What was held for want of any fact learns the others; else a date is never given up for none.
        let nothing_known = case.status == Status::Held && case.reason == Some(Reason::LookupRequired);
        return if nothing_known && case.progress == Progress::Untouched { Act::Move } else { Act::Keep };
    };
    let stopped = case.status == Status::Held && case.reason == Some(Reason::Rescinded);
    match case.progress {
        Progress::Untouched if case.status == Status::Scheduled || case.waits_for_facts() => Act::Move,
        // Which of two moments that have come makes no difference to somebody who is held.
        Progress::Untouched if at != case.effective_at && at.max(case.effective_at) > news.now => Act::Move,
        Progress::Untouched | Progress::Begun if news.hold.is_some() => Act::Keep,
        Progress::Untouched => Act::Learn,
        Progress::Begun if stopped => Act::Resume,
        // Begun at the date that was said before; by the new one the person still works.
        Progress::Begun if at > news.now && case.status == Status::Scheduled => Act::Doubt(Some(at)),
        Progress::Begun => Act::Learn,
    }
}

/// Decides about an event that only says that something has changed, or that can't be understood. `older` tells whether
/// the sender's own order puts it before what the offboarding goes by.
pub fn act_on_hint(case: Option<&Case>, order: HintOrder) -> Act {
    match (case, order) {
        (None, HintOrder::Newer | HintOrder::Older) => Act::Open,
        (Some(case), HintOrder::Newer)
            if case.status == Status::Scheduled && case.progress == Progress::Untouched =>
        {
            Act::Doubt(None)
        }
        (Some(_), HintOrder::Newer | HintOrder::Older) => Act::Keep,
    }
}

/// Whether a hint says something that the offboarding can't know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintOrder {
    /// It is later than what the offboarding goes by, or the order is not known.
    Newer,
    /// It is earlier, or of another source.
    Older,
}

impl Case {
    /// Whether a complete event answers what the offboarding was held for.
    fn waits_for_facts(&self) -> bool {
        matches!(
            self.reason,
            Some(
                Reason::LookupRequired
                    | Reason::EffectiveDateMissing
                    | Reason::StaleEvent
                    | Reason::ContradictoryEvents
                    | Reason::Unreadable
                    | Reason::PersonNotFound
                    | Reason::AmbiguousPerson
                    // Nothing was done for it: a corrected date counts as it does before the first look.
                    | Reason::DryRun
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
    }

    fn case(status: Status, reason: Option<Reason>, progress: Progress) -> Case {
        Case { status, reason, progress, effective_at: day(5) }
    }

    fn news(said: Said) -> News {
        News { said, arrival: 7, hold: None, now: day(6) }
    }

    const STAYS: Said = Said::Stays(None);

    #[test]
    fn a_withdrawal_ends_what_is_untouched_and_stops_what_has_begun() {
        let last = LastWord::Stays(7);
        for (status, reason) in [(Status::Scheduled, None), (Status::Held, Some(Reason::Brake))] {
            let untouched = case(status, reason, Progress::Untouched);
            assert_eq!(act(Some(&untouched), last, news(STAYS)), Act::Withdraw);
            let begun = case(status, reason, Progress::Begun);
            assert_eq!(act(Some(&begun), last, news(STAYS)), Act::Stop);
        }
        assert_eq!(act(None, last, news(STAYS)), Act::Keep);
        assert_eq!(act(None, LastWord::Stays(3), news(Said::Leaves(Some(day(5))))), Act::OpenWithdrawn);
    }

    #[test]
    fn the_last_date_moves_what_is_untouched_and_an_older_one_moves_nothing() {
        let later = news(Said::Leaves(Some(day(9))));
        let scheduled = case(Status::Scheduled, None, Progress::Untouched);
        assert_eq!(act(Some(&scheduled), LastWord::Leaves(7), later), Act::Move);
        assert_eq!(act(Some(&scheduled), LastWord::Leaves(3), later), Act::Keep);
        let braked = case(Status::Held, Some(Reason::Brake), Progress::Untouched);
        assert_eq!(act(Some(&braked), LastWord::Leaves(7), later), Act::Move);
        assert_eq!(
            act(Some(&braked), LastWord::Leaves(7), news(Said::Leaves(Some(day(5))))),
            Act::Learn,
            "said again, no new date"
        );
        assert_eq!(
            act(Some(&scheduled), LastWord::Leaves(7), news(Said::Leaves(None))),
            Act::Keep,
            "a date is not given up for none"
        );
    }

    #[test]
    fn what_has_begun_goes_on_only_where_the_last_word_wants_it_now() {
        let begun = case(Status::Scheduled, None, Progress::Begun);
        let last = LastWord::Leaves(7);
        assert_eq!(act(Some(&begun), last, news(Said::Leaves(Some(day(5))))), Act::Learn);
        assert_eq!(act(Some(&begun), last, news(Said::Leaves(Some(day(9))))), Act::Doubt(Some(day(9))));
        let stopped = case(Status::Held, Some(Reason::Rescinded), Progress::Begun);
        assert_eq!(act(Some(&stopped), last, news(Said::Leaves(Some(day(5))))), Act::Resume);
        let stale = News { hold: Some(Reason::StaleEvent), ..news(Said::Leaves(Some(day(-40)))) };
        assert_eq!(act(Some(&stopped), last, stale), Act::Keep);
    }

    #[test]
    fn a_contradiction_is_held_before_the_first_change_and_stops_after_it() {
        let last = LastWord::Contradiction { leaves_at: Some(day(8)), stays: true };
        let untouched = case(Status::Scheduled, None, Progress::Untouched);
        let begun = case(Status::Scheduled, None, Progress::Begun);
        assert_eq!(act(Some(&untouched), last, news(STAYS)), Act::Doubt(Some(day(8))));
        assert_eq!(act(Some(&begun), last, news(STAYS)), Act::Stop);
        assert_eq!(act(None, last, news(Said::Leaves(Some(day(8))))), Act::OpenInDoubt(Some(day(8))));
        let dates = LastWord::Contradiction { leaves_at: Some(day(8)), stays: false };
        assert_eq!(act(Some(&begun), dates, news(Said::Leaves(Some(day(8))))), Act::Keep);
    }

    #[test]
    fn a_hint_puts_only_what_is_scheduled_and_untouched_into_doubt() {
        let scheduled = case(Status::Scheduled, None, Progress::Untouched);
        assert_eq!(act_on_hint(Some(&scheduled), HintOrder::Newer), Act::Doubt(None));
        assert_eq!(act_on_hint(Some(&scheduled), HintOrder::Older), Act::Keep);
        let begun = case(Status::Scheduled, None, Progress::Begun);
        assert_eq!(act_on_hint(Some(&begun), HintOrder::Newer), Act::Keep);
        let held = case(Status::Held, Some(Reason::LookupRequired), Progress::Untouched);
        assert_eq!(act_on_hint(Some(&held), HintOrder::Newer), Act::Keep);
        assert_eq!(act_on_hint(None, HintOrder::Newer), Act::Open);
    }
}
