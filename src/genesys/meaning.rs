//! What an error means: whether to try again, when, on whose account, and whether a change happened. The one place that
//! knows; what to do about it is left to the engine.

use std::time::Duration;

use reqwest::StatusCode;

use super::{
    error::{CallOutcome, Error, Lapse, Trace},
    ids::RequestId,
};

impl Error {
    /// Tells whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::TokenUnavailable { .. } => {
                true
            }
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => true,
            // A lie or a cut answer is mostly a moment of a gateway; the attempts are bounded by those who count them.
            Self::Unauthorized { .. } | Self::VersionConflict { .. } | Self::Throttled { .. } => true,
            Self::Malformed { .. } => true,
            // A 404 that is not the word of Genesys comes from something on the way, and passes like its other errors.
            Self::Status { status, .. } => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::NOT_FOUND].contains(status)
            }
            Self::ReadingOnly | Self::Unsendable(_) => false,
            Self::TokenRefused { .. } | Self::Redirected { .. } => false,
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Declined { .. } => false,
        }
    }

    /// Tells whether this service's own login fails: nothing about the person whose turn it was, and everybody waits.
    pub fn is_our_access(&self) -> bool {
        match self {
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::Unauthorized { .. } => true,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } => false,
            Self::ReadingOnly | Self::Unsendable(_) => false,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => false,
            Self::Redirected { .. } | Self::Forbidden { .. } | Self::NotFound { .. } => false,
            Self::VersionConflict { .. } | Self::Throttled { .. } | Self::Status { .. } => false,
            Self::Declined { .. } | Self::Malformed { .. } => false,
        }
    }

    /// Tells whether the failure is one of this offboarding's attempts. Not so for our login, our budget and a pause
    /// that Genesys asks for: they say nothing about the person, and a long one would use up everybody's attempts.
    pub fn counts_against_attempts(&self) -> bool {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Throttled { .. } => false,
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::Unauthorized { .. } => false,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => true,
            Self::ReadingOnly | Self::Unsendable(_) => true,
            Self::Redirected { .. } | Self::Forbidden { .. } => true,
            Self::NotFound { .. } | Self::VersionConflict { .. } | Self::Status { .. } => true,
            Self::Declined { .. } | Self::Malformed { .. } => true,
        }
    }

    /// Tells whether Genesys refused a call for what it contained, so that its parts may succeed where the whole didn't.
    pub fn is_about_the_content(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::VersionConflict { .. } | Self::Declined { .. } => true,
            Self::Status { status, .. } => status.is_client_error() && *status != StatusCode::REQUEST_TIMEOUT,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } => false,
            Self::ReadingOnly | Self::Unsendable(_) => false,
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::Unauthorized { .. } => false,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => false,
            Self::Redirected { .. } | Self::Forbidden { .. } | Self::Throttled { .. } => false,
            Self::Malformed { .. } => false,
        }
    }

    /// Gives how long to wait at least, where Genesys or the login's back-off says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::HeldBack { retry_after }
            | Self::TokenUnavailable { retry_after, .. }
            | Self::Throttled { retry_after, .. } => Some(*retry_after),
            Self::Status { retry_after, .. } => *retry_after,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::TokenRefused { .. } => None,
            Self::ReadingOnly | Self::Unsendable(_) => None,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => None,
            Self::Redirected { .. } | Self::Unauthorized { .. } | Self::Forbidden { .. } => None,
            Self::NotFound { .. } | Self::VersionConflict { .. } | Self::Declined { .. } => None,
            Self::Malformed { .. } => None,
        }
    }

    /// Gives the first word of [`Error::code`], for metrics: a status or a word of ours, and nothing that Genesys chooses.
    pub fn family(&self) -> String {
        self.code().split(' ').next().unwrap_or_default().to_owned()
    }

    /// Gives a short stable token for journals, such as `429 too.many.requests` or `timeout`; never free text.
    pub fn code(&self) -> String {
        match self {
            Self::NoPermit(_) => "no_permit".to_owned(),
            Self::Lapsed(Lapse::Deadline) => "deadline_lapsed".to_owned(),
            Self::Lapsed(Lapse::Permit) => "permit_lapsed".to_owned(),
            Self::HeldBack { .. } => "held_back".to_owned(),
            Self::ReadingOnly => "runs_dry".to_owned(),
            Self::Unsendable(_) => "unsendable".to_owned(),
            Self::TokenRefused { status, code, .. } => coded("token_refused", Some(*status), code.as_deref()),
            Self::TokenUnavailable { cause: None, .. } => "token_unavailable".to_owned(),
            Self::TokenUnavailable { cause: Some(cause), .. } => {
                format!("token_unavailable {}", cause.code())
            }
            Self::NotConnected { .. } => "not_connected".to_owned(),
            Self::TimedOut { .. } => "timeout".to_owned(),
            Self::ConnectionLost { .. } => "connection_lost".to_owned(),
            Self::Redirected { status, .. } => coded("", Some(*status), Some("redirected")),
            Self::Unauthorized { code, .. } => coded("", Some(StatusCode::UNAUTHORIZED), code.as_deref()),
            Self::Forbidden { code, .. } => coded("", Some(StatusCode::FORBIDDEN), code.as_deref()),
            Self::NotFound { code, .. } => coded("", Some(StatusCode::NOT_FOUND), code.as_deref()),
            Self::Throttled { code, .. } => coded("", Some(StatusCode::TOO_MANY_REQUESTS), code.as_deref()),
            Self::VersionConflict { status, code, .. } | Self::Status { status, code, .. } => {
                coded("", Some(*status), code.as_deref())
            }
            Self::Declined { code, .. } => coded("declined", None, code.as_deref()),
            Self::Malformed { .. } => "malformed".to_owned(),
        }
    }

    /// Gives the permission that is missing, if the answer names it.
    pub fn missing_permission(&self) -> Option<&str> {
        if let Self::Forbidden { permission, .. } = self { permission.as_deref() } else { None }
    }

    /// Gives Genesys's `ININ-Correlation-Id`, where there was an answer with one.
    pub fn correlation_id(&self) -> Option<&str> {
        self.trace()?.correlation_id.as_deref()
    }

    /// Gives the `X-Request-Id` of the failed call, where there was one.
    pub fn request_id(&self) -> Option<RequestId> {
        self.trace().map(|trace| trace.request_id)
    }

    fn trace(&self) -> Option<&Trace> {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } => None,
            Self::ReadingOnly | Self::Unsendable(_) => None,
            Self::TokenUnavailable { cause, .. } => cause.as_deref().and_then(Self::trace),
            Self::TokenRefused { trace, .. }
            | Self::NotConnected { trace, .. }
            | Self::TimedOut { trace }
            | Self::ConnectionLost { trace, .. }
            | Self::Redirected { trace, .. }
            | Self::Unauthorized { trace, .. }
            | Self::Forbidden { trace, .. }
            | Self::NotFound { trace, .. }
            | Self::VersionConflict { trace, .. }
            | Self::Throttled { trace, .. }
            | Self::Status { trace, .. }
            | Self::Declined { trace, .. }
            | Self::Malformed { trace, .. } => Some(trace),
        }
    }

    pub(super) fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } => CallOutcome::NotSent,
            Self::ReadingOnly | Self::Unsendable(_) => CallOutcome::NotSent,
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } => CallOutcome::NotSent,
            Self::NotConnected { .. } => CallOutcome::NotSent,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::NotFound { .. } => {
                CallOutcome::Refused
            }
            Self::VersionConflict { .. } | Self::Throttled { .. } | Self::Declined { .. } => {
                CallOutcome::Refused
            }
            // 408 says that somebody on the way gave up waiting, not that nothing happened.
            Self::Status { status, .. }
                if status.is_client_error() && *status != StatusCode::REQUEST_TIMEOUT =>
            {
                CallOutcome::Refused
            }
            Self::Status { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => CallOutcome::Unknown,
            Self::Redirected { .. } | Self::Malformed { .. } => CallOutcome::Unknown,
        }
    }
}

fn coded(prefix: &str, status: Option<StatusCode>, code: Option<&str>) -> String {
    let status = status.map(|status| status.as_str().to_owned());
    let parts = [Some(prefix), status.as_deref(), code];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
