//! Whether somebody's work is waited for, and how long.

use std::time::Duration;

use crate::offboarding::choices::{OffQueue, OnQueue, ShiftEnd, WhenBusy};
use crate::offboarding::status::Reason;

/// The system presence of somebody whom queues may give work.
const ON_QUEUE: &str = "On Queue";

/// What a routing status says about work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// No queue gives them anything.
    OffQueue,
    /// A queue may give them something.
    Waiting,
    /// In an interaction; also a status that is not published: whoever can't be said to be free isn't.
    Engaged,
}

/// The signs of work, as they were read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs<'a> {
    /// The routing status.
    pub routing: Routing,
    /// The conversations that are going on, over all media, after-call work included.
    pub conversations: u32,
    /// The system presence, where it was given.
    pub presence: Option<&'a str>,
}

/// What the person does at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// In no interaction, and not on queue.
    Free,
    /// On queue, without an interaction.
    OnQueue,
    /// In an interaction, after-call work included.
    InInteraction,
}

impl Work {
    /// The same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Free => "in no interaction",
            Self::OnQueue => "on queue",
            Self::InInteraction => "in an interaction",
        }
    }
}

/// Judges the signs: each sign of an interaction counts, whatever the others say.
pub fn work(signs: Signs<'_>) -> Work {
    match signs.routing {
        Routing::Engaged => Work::InInteraction,
        Routing::Waiting | Routing::OffQueue if signs.conversations > 0 => Work::InInteraction,
        Routing::Waiting => Work::OnQueue,
        Routing::OffQueue if signs.presence == Some(ON_QUEUE) => Work::OnQueue,
        Routing::OffQueue => Work::Free,
    }
}

/// How far an offboarding is when work is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has been taken away yet.
    BeforeTheStrip,
    /// Something has: nobody is asked any more, because a half-stripped person can't be left like that.
    Stripping,
}

/// Whether the work may go on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Go ahead.
    Proceed,
    /// Look again after this time.
    RecheckIn(Duration),
    /// Hold for this reason.
    Hold(Reason),
}

/// The settings for people who work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPolicy {
    /// What is done.
    pub when_busy: WhenBusy,
    /// Whether somebody on queue without an interaction counts as well.
    pub on_queue: OnQueue,
    /// Whether those who are waited for are taken off queue.
    pub off_queue: OffQueue,
    /// Whether the end of the shift ends the waiting.
    pub shift_end: ShiftEnd,
    /// Time after the end of the shift at which the waiting ends.
    pub shift_grace: Duration,
    /// Time between looks.
    pub recheck: Duration,
    /// Time after the first look at which waiting ends.
    pub wait_max: Duration,
}

impl BusyPolicy {
    /// As it holds for one person: kinds of termination that never wait, and people whom an approver released, are not
    /// waited for.
    #[must_use]
    pub fn of(self, immediate_types: &[String], termination_type: Option<&str>, released: Released) -> Self {
        let immediate = immediate_types.iter().any(|kind| Some(kind.as_str()) == termination_type);
        match (immediate, released) {
            (true, Released::Yes | Released::No) | (false, Released::Yes) => {
                Self { when_busy: WhenBusy::Now, ..self }
            }
            (false, Released::No) => self,
        }
    }

    /// Whether this work is a reason to wait or to ask. Once the strip has begun, being on queue is none: the queues
    /// are what is taken away first.
    pub fn counts(self, work: Work, stage: Stage) -> bool {
        match (self.when_busy, work, stage) {
            (WhenBusy::Now, ..) | (_, Work::Free, _) | (_, Work::OnQueue, Stage::Stripping) => false,
            (WhenBusy::Wait | WhenBusy::Ask, Work::InInteraction, _) => true,
            (WhenBusy::Wait | WhenBusy::Ask, Work::OnQueue, Stage::BeforeTheStrip) => {
                self.on_queue == OnQueue::Wait
            }
        }
    }
}

/// Whether an approver released the person from being busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// They may be cut off.
    Yes,
    /// Nobody was asked.
    No,
}

/// How long somebody has been waited for, and how long they may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Since the first look that found them at work.
    pub so_far: Duration,
    /// Until the end of their shift and the grace, where it is known; zero once it is over.
    pub shift: Option<Duration>,
}

/// Decides about somebody at work. The waiting ends with the work, with the shift and its grace, or after `wait_max`,
/// whichever is first; the last look comes no later than that.
pub fn start(work: Work, policy: BusyPolicy, stage: Stage, waiting: Waiting) -> Start {
    if !policy.counts(work, stage) {
        return Start::Proceed;
    }
    if (policy.when_busy, stage) == (WhenBusy::Ask, Stage::BeforeTheStrip) {
        return Start::Hold(Reason::Busy);
    }
    let left = policy.wait_max.saturating_sub(waiting.so_far);
    let left = waiting.shift.map_or(left, |shift| shift.min(left));
    if left.is_zero() { Start::Proceed } else { Start::RecheckIn(policy.recheck.min(left)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn policy(when_busy: WhenBusy) -> BusyPolicy {
        BusyPolicy {
            when_busy,
            on_queue: OnQueue::Go,
            off_queue: OffQueue::Leave,
            shift_end: ShiftEnd::Ignore,
            shift_grace: 30 * MINUTE,
            recheck: MINUTE,
            wait_max: HOUR,
        }
    }

    fn waited(so_far: Duration) -> Waiting {
        Waiting { so_far, shift: None }
    }

    #[test]
    fn each_sign_of_work_is_seen_whatever_the_others_say() {
        let table = [
            (Routing::OffQueue, 0, None, Work::Free),
            (Routing::OffQueue, 0, Some("Available"), Work::Free),
            (Routing::OffQueue, 0, Some("On Queue"), Work::OnQueue),
            (Routing::OffQueue, 1, None, Work::InInteraction),
            (Routing::OffQueue, 1, Some("On Queue"), Work::InInteraction),
            (Routing::Waiting, 0, None, Work::OnQueue),
            (Routing::Waiting, 0, Some("Offline"), Work::OnQueue),
            (Routing::Waiting, 2, Some("On Queue"), Work::InInteraction),
            (Routing::Engaged, 0, None, Work::InInteraction),
            (Routing::Engaged, 0, Some("Offline"), Work::InInteraction),
        ];
        for (routing, conversations, presence, expected) in table {
            let signs = Signs { routing, conversations, presence };
            assert_eq!(work(signs), expected, "{signs:?}");
        }
    }

    #[test]
    fn what_is_done_follows_from_the_work_and_the_policy() {
        use OnQueue::{Go, Wait as Too};
        use Stage::{BeforeTheStrip, Stripping};
        use WhenBusy::{Ask, Now, Wait};
        use Work::{Free, InInteraction, OnQueue as Queue};
        let (go, later, hold) = (Start::Proceed, Start::RecheckIn(MINUTE), Start::Hold(Reason::Busy));
        let table = [
            (Free, [go; 5]),
            (Queue, [go, go, go, later, hold]),
            (InInteraction, [go, later, hold, later, hold]),
        ];
        let columns = [(Now, Too), (Wait, Go), (Ask, Go), (Wait, Too), (Ask, Too)];
        for (work, row) in table {
            for ((when_busy, on_queue), expected) in columns.into_iter().zip(row) {
                let policy = BusyPolicy { on_queue, ..policy(when_busy) };
                let found = start(work, policy, BeforeTheStrip, Waiting::default());
                assert_eq!(found, expected, "{work:?} {when_busy:?} {on_queue:?}");
                let late = match (work, when_busy) {
                    (InInteraction, Wait | Ask) => later,
                    (Free | Queue | InInteraction, Now | Wait | Ask) => go,
                };
                let found = start(work, policy, Stripping, Waiting::default());
                assert_eq!(found, late, "{work:?} {when_busy:?} {on_queue:?} while stripping");
            }
        }
    }

    #[test]
    fn somebody_in_an_interaction_is_waited_for_until_the_bound_and_never_past_it() {
        let start = |so_far| {
            start(Work::InInteraction, policy(WhenBusy::Wait), Stage::BeforeTheStrip, waited(so_far))
        };
        assert_eq!(start(HOUR / 2), Start::RecheckIn(MINUTE));
        assert_eq!(start(HOUR - MINUTE / 4), Start::RecheckIn(MINUTE / 4));
        assert_eq!(start(HOUR), Start::Proceed);
        assert_eq!(start(2 * HOUR), Start::Proceed);
    }

    #[test]
    fn the_end_of_the_shift_ends_the_waiting_where_it_comes_first() {
        let start = |so_far, shift| {
            let waiting = Waiting { so_far, shift: Some(shift) };
            start(Work::InInteraction, policy(WhenBusy::Wait), Stage::BeforeTheStrip, waiting)
        };
        assert_eq!(start(MINUTE, Duration::ZERO), Start::Proceed);
        assert_eq!(start(MINUTE, MINUTE / 2), Start::RecheckIn(MINUTE / 2));
        assert_eq!(start(MINUTE, 10 * MINUTE), Start::RecheckIn(MINUTE));
        assert_eq!(start(HOUR, 10 * MINUTE), Start::Proceed);
    }

    #[test]
    fn once_the_strip_has_begun_nobody_is_asked_any_more() {
        let ask = policy(WhenBusy::Ask);
        let start = |so_far| start(Work::InInteraction, ask, Stage::Stripping, waited(so_far));
        assert_eq!((start(MINUTE), start(HOUR)), (Start::RecheckIn(MINUTE), Start::Proceed));
    }

    #[test]
    fn immediate_types_and_released_people_are_never_waited_for() {
        let (wait, types) = (policy(WhenBusy::Wait), ["involuntary".to_owned()]);
        assert_eq!(wait.of(&types, Some("involuntary"), Released::No).when_busy, WhenBusy::Now);
        assert_eq!(wait.of(&types, Some("voluntary"), Released::Yes).when_busy, WhenBusy::Now);
        assert_eq!(wait.of(&types, Some("voluntary"), Released::No), wait);
        assert_eq!(wait.of(&types, None, Released::No), wait);
    }
}
