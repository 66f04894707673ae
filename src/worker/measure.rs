//! What is counted of attempts and steps, and the spans of attempts.

use std::time::Instant;

use tracing::Span;

use super::verdict::Stop;
use crate::genesys::{CallFailed, Error};
use crate::offboarding::{OffboardingId, Reason, StepName};
use crate::store::leases::{Lease, Release};

/// What a step is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Look,
    Remove,
    Unjoin,
    Restore,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Remove => "remove",
            Self::Unjoin => "unjoin",
            Self::Restore => "restore",
        }
    }
}

/// Counts one use of a step that has just ended.
pub(super) fn step_ended(step: StepName, operation: Operation, begun: Instant, error: Option<&Error>) {
    let operation = operation.as_str();
    metrics::histogram!("leaver_step_seconds", "step" => step, "operation" => operation)
        .record(begun.elapsed());
    if let Some(error) = error {
        let code = error.family();
        metrics::counter!("leaver_step_errors_total", "step" => step, "operation" => operation, "code" => code)
            .increment(1);
    }
}

/// The error of a call's answer.
pub(super) fn error_of<T>(answer: &Result<T, CallFailed>) -> Option<&Error> {
    answer.as_ref().err().map(CallFailed::error)
}

/// A changing call that may not be made any more.
pub(super) fn fence_refused() {
    metrics::counter!("leaver_fence_refusals_total").increment(1);
}

/// Counts leases whose last holder never gave them back.
pub(super) fn taken(leases: &[Lease]) {
    let abandoned = leases.iter().filter(|lease| lease.abandoned).count();
    metrics::counter!("leaver_leases_taken_over_total").increment(abandoned.try_into().unwrap_or(u64::MAX));
}

/// The span of the work on one person, within the present one.
pub(super) fn attempt(offboarding: OffboardingId) -> Span {
    tracing::info_span!("attempt", %offboarding, result = tracing::field::Empty)
}

/// Counts an attempt that has ended.
pub(super) fn attempt_ended(span: &Span, begun: Instant, stop: Option<&Stop>) {
    let result = match stop {
        Some(Stop::Release(Release::Postponed { .. })) | None => "postponed",
        Some(Stop::Release(Release::Held(..))) => "held",
        Some(Stop::Release(Release::Failed(..))) => "failed",
        Some(Stop::Release(Release::Done(_))) => "done",
        Some(Stop::LeaseLost | Stop::StoreAway(_)) => "lost",
    };
    span.record("result", result);
    metrics::counter!("leaver_attempts_total", "result" => result).increment(1);
    metrics::histogram!("leaver_attempt_seconds").record(begun.elapsed());
    if let Some(Stop::Release(Release::Held(Reason::Protected, _))) = stop {
        metrics::counter!("leaver_protected_hits_total").increment(1);
    }
}
