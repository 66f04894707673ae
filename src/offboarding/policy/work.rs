//! Whether somebody's work is waited for.

use std::time::Duration;

use crate::offboarding::choices::WhenBusy;
use crate::offboarding::status::Reason;

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

#[cfg(test)]
mod tests {
    use super::*;

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
