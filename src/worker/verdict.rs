//! What an error means for an offboarding: try again and when, hold it, or give it up for now.

use std::time::Duration;

use super::Settings;
use crate::genesys::Error;
use crate::offboarding::Reason;
use crate::store::StoreError;
use crate::store::leases::{AttemptCount, Release};

/// How long an attempt that met the pause rests at least: in the moment in which the switch is moved it would else be taken up
/// again at once. While the service is paused nothing is taken up.
const PAUSE_RECHECK: Duration = Duration::from_secs(1);

/// Why the work on one person ends for now.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is given back like this.
    Release(Release),
    /// Somebody else holds the lease now, or the offboarding was ended: nothing more may be written.
    LeaseLost,
    /// The database is away: nothing can be written, and the lease runs out by itself.
    StoreAway(StoreError),
}

impl Stop {
    /// The process is told to stop: the lease is given back at once.
    pub(super) fn stopping() -> Self {
        wait(Duration::ZERO, "the worker is stopping")
    }

    /// The service is paused: the attempt is put down as if it had not been, and is taken up again when the work goes on.
    pub(super) fn paused() -> Self {
        wait(PAUSE_RECHECK, "the service is paused")
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => Self::LeaseLost,
            error @ (StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::TaskEnded(_)
            | StoreError::UnknownValue { .. }
            | StoreError::EventIdReused
            | StoreError::ClaimLost
            | StoreError::SchemaVersion) => Self::StoreAway(error),
        }
    }
}

impl From<Release> for Stop {
    fn from(release: Release) -> Self {
        Self::Release(release)
    }
}

/// Waits that are no failure.
pub(super) fn wait(delay: Duration, why: &str) -> Stop {
    Release::Postponed { delay, why: why.to_owned(), count: AttemptCount::Keep }.into()
}

/// Whether an attempt has changed anything before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    None,
    Some,
}

/// Decides what a failed call means for a person whose attempts without progress so far are `attempt`.
pub(super) fn after_error(error: &Error, settings: &Settings, attempt: u32, progress: Progress) -> Release {
    if let Error::Forbidden { permission, .. } = error {
        return Release::Held(Reason::PermissionMissing, permission.clone());
    }
    if let Error::ReadingOnly = error {
        return Release::Held(Reason::DryRun, Some("the service runs dry: no change is made".to_owned()));
    }
    let why = error.code();
    if !error.counts_against_attempts() {
        let delay = error.retry_after().unwrap_or_else(|| back_off(settings, 0));
        return Release::Postponed { delay, why, count: AttemptCount::Keep };
    }
    if !error.is_transient() {
        return Release::Failed(Reason::RefusedByGenesys, Some(why), counted(progress));
    }
    let at_least = error.retry_after().unwrap_or_default();
    another_attempt(why, at_least, settings, attempt, progress)
}

/// Tries again with back-off, as often as the policy allows without progress.
pub(super) fn another_attempt(
    why: String,
    at_least: Duration,
    settings: &Settings,
    attempt: u32,
    progress: Progress,
) -> Release {
    let count = counted(progress);
    let attempt = match progress {
        Progress::Some => 0,
        Progress::None => attempt,
    };
    if attempt + 1 >= settings.attempts_max {
        return Release::Failed(Reason::AttemptsExhausted, Some(why), count);
    }
    let delay = back_off(settings, attempt).max(at_least);
    Release::Postponed { delay, why, count }
}

/// What a failed attempt does to the count of those without progress.
fn counted(progress: Progress) -> AttemptCount {
    match progress {
        Progress::Some => AttemptCount::Restart,
        Progress::None => AttemptCount::Increase,
    }
}

/// Full jitter: anything between nothing and the doubled base, so that many who failed together do not return together.
fn back_off(settings: &Settings, attempt: u32) -> Duration {
    let ceiling = settings.retry_base.saturating_mul(2u32.saturating_pow(attempt)).min(settings.retry_max);
    ceiling.mul_f64(rand::random_range(0.0..=1.0))
}
