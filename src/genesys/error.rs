//! What can go wrong between this service and Genesys Cloud, and what it means: whether to try again, when, on whose
//! account, and whether a change happened. What to do about it is left to the engine.

use std::time::Duration;

use reqwest::StatusCode;

use super::{ids::RequestId, pacing::PacerError};

/// Names one exchange in this service's journal and in Genesys's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The `X-Request-Id` that was sent.
    pub request_id: RequestId,
    /// The `ININ-Correlation-Id` of the answer, if there was one.
    pub correlation_id: Option<String>,
}

/// Says in which way an answer can't be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The answer is not labelled as JSON.
    #[error("it is not JSON")]
    NotJson,
    /// The answer ends early or is broken JSON.
    #[error("it is broken JSON")]
    BrokenJson,
    /// The answer is longer than the client reads.
    #[error("it is longer than 1 MiB")]
    TooLong,
    /// A field is missing, null or of another type than published.
    #[error("a field is missing or of another type")]
    WrongShape,
    /// The answer is about somebody or something else than was asked for.
    #[error("it is about something else")]
    Foreign,
    /// The pages contradict each other or their own counts.
    #[error("its pages contradict each other")]
    PagesContradict,
    /// There are more pages than the client reads.
    #[error("it has too many pages")]
    TooManyPages,
}

/// Says which of the conditions for one prepared call lapsed before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapse {
    /// The caller's latest moment had come.
    #[error("its latest moment had come")]
    Deadline,
    /// The permit was no longer good.
    #[error("its permit had run out")]
    Permit,
}

/// Reports why Genesys Cloud could not be asked or did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The budget of calls could not be asked; nothing was sent.
    #[error("no permit for a call of Genesys Cloud")]
    NoPermit(#[source] PacerError),
    /// A prepared call came too late; nothing was sent.
    #[error("the call was not sent: {0}")]
    Lapsed(Lapse),
    /// Genesys has asked for silence; nothing was sent.
    #[error("the call was not sent: Genesys Cloud wants no calls for {} s", .retry_after.as_secs())]
    HeldBack {
        /// How long the silence still lasts.
        retry_after: Duration,
    },
    /// The request can't be expressed safely; nothing was sent.
    #[error("the call was not sent: {0}")]
    Unsendable(&'static str),
    /// The login service refuses this service's credentials.
    #[error("the login of this service was refused with status {}", .status.as_u16())]
    TokenRefused {
        /// The status of the answer.
        status: StatusCode,
        /// The OAuth error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// No token is to be had at present.
    #[error("no token can be had for {} s", .retry_after.as_secs())]
    TokenUnavailable {
        /// When the next attempt makes sense.
        retry_after: Duration,
        /// What went wrong with the request for the token; none while an earlier failure is waited out.
        #[source]
        cause: Option<Box<Error>>,
    },
    /// No connection; nothing was sent.
    #[error("no connection to Genesys Cloud")]
    NotConnected {
        /// The cause, without the address.
        #[source]
        cause: reqwest::Error,
        /// The exchange.
        trace: Trace,
    },
    /// The answer did not come in time.
    #[error("Genesys Cloud did not answer in time")]
    TimedOut {
        /// The exchange.
        trace: Trace,
    },
    /// The connection ended before the whole answer was there.
    #[error("the connection to Genesys Cloud was lost")]
    ConnectionLost {
        /// The cause, without the address.
        #[source]
        cause: reqwest::Error,
        /// The exchange.
        trace: Trace,
    },
    /// The answer points somewhere else; it is not followed, because the token would go along.
    #[error("Genesys Cloud answered with a redirection, status {}", .status.as_u16())]
    Redirected {
        /// The status of the answer.
        status: StatusCode,
        /// The exchange.
        trace: Trace,
    },
    /// A new token was refused as well.
    #[error("Genesys Cloud does not accept the token")]
    Unauthorized {
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// The OAuth client lacks a permission.
    #[error("Genesys Cloud refuses permission{}", .permission.as_deref().map(|p| format!(": {p} is missing")).unwrap_or_default())]
    Forbidden {
        /// The permission, such as `routing:queue:edit`, if the answer names it.
        permission: Option<String>,
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// The thing does not exist, where that is not an ordinary answer.
    #[error("Genesys Cloud does not know what the call is about")]
    NotFound {
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// Somebody else changed the thing since it was read.
    #[error("the version is no longer the current one")]
    VersionConflict {
        /// The status: 409, or 400 with the same words.
        status: StatusCode,
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// Too many calls.
    #[error("Genesys Cloud wants no calls for {} s", .retry_after.as_secs())]
    Throttled {
        /// How long, between one second and five minutes.
        retry_after: Duration,
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// Another status that means failure.
    #[error("Genesys Cloud answered with status {}", .status.as_u16())]
    Status {
        /// The status of the answer.
        status: StatusCode,
        /// The pause that the answer asks for.
        retry_after: Option<Duration>,
        /// The error code, if readable.
        code: Option<String>,
        /// The exchange.
        trace: Trace,
    },
    /// The answer can't be read whole, so nothing follows from it; above all not that there is nothing.
    #[error("the answer about {subject} cannot be read: {fault}")]
    Malformed {
        /// What the answer should be about.
        subject: &'static str,
        /// What is wrong with it.
        fault: Fault,
        /// The exchange.
        trace: Trace,
    },
}

/// Says what became of a changing call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// Nothing reached Genesys.
    NotSent,
    /// Genesys answered that it did not do it.
    Refused,
    /// It may have happened or not: only a read can tell.
    Unknown,
}

/// Reports a changing call that did not succeed, and what is known about its effect.
#[derive(Debug, thiserror::Error)]
#[error("a changing call failed")]
pub struct CallFailed(#[source] Error);

impl CallFailed {
    pub(super) fn new(error: Error) -> Self {
        Self(error)
    }

    /// Makes the report of a call that can't be expressed, so that nothing was sent.
    pub fn not_sent_for(reason: &'static str) -> Self {
        Self(Error::Unsendable(reason))
    }

    /// Gives what happened, with its classification.
    pub fn error(&self) -> &Error {
        &self.0
    }

    /// Gives the error itself.
    pub fn into_error(self) -> Error {
        self.0
    }

    /// Tells what became of the call.
    pub fn outcome(&self) -> CallOutcome {
        self.0.call_outcome()
    }

    /// Tells whether the effect is known to be absent, so that no read is needed to know it.
    pub fn outcome_known(&self) -> bool {
        self.outcome() != CallOutcome::Unknown
    }
}

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
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::REQUEST_TIMEOUT,
            Self::Unsendable(_) | Self::TokenRefused { .. } | Self::Redirected { .. } => false,
            Self::Forbidden { .. } | Self::NotFound { .. } => false,
        }
    }

    /// Tells whether this service's own login fails: nothing about the person whose turn it was, and everybody waits.
    pub fn is_our_access(&self) -> bool {
        match self {
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::Unauthorized { .. } => true,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Unsendable(_) => false,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => false,
            Self::Redirected { .. } | Self::Forbidden { .. } | Self::NotFound { .. } => false,
            Self::VersionConflict { .. } | Self::Throttled { .. } | Self::Status { .. } => false,
            Self::Malformed { .. } => false,
        }
    }

    /// Tells whether the failure is one of this offboarding's attempts. Not so for our login, our budget and a pause
    /// that Genesys asks for: they say nothing about the person, and a long one would use up everybody's attempts.
    pub fn counts_against_attempts(&self) -> bool {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Throttled { .. } => false,
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::Unauthorized { .. } => false,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => true,
            Self::Unsendable(_) | Self::Redirected { .. } | Self::Forbidden { .. } => true,
            Self::NotFound { .. } | Self::VersionConflict { .. } | Self::Status { .. } => true,
            Self::Malformed { .. } => true,
        }
    }

    /// Gives how long to wait at least, where Genesys or the login's back-off says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::HeldBack { retry_after }
            | Self::TokenUnavailable { retry_after, .. }
            | Self::Throttled { retry_after, .. } => Some(*retry_after),
            Self::Status { retry_after, .. } => *retry_after,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::Unsendable(_) | Self::TokenRefused { .. } => None,
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => None,
            Self::Redirected { .. } | Self::Unauthorized { .. } | Self::Forbidden { .. } => None,
            Self::NotFound { .. } | Self::VersionConflict { .. } | Self::Malformed { .. } => None,
        }
    }

    /// Gives a short stable token for journals, such as `429 too.many.requests` or `timeout`; never free text.
    pub fn code(&self) -> String {
        match self {
            Self::NoPermit(_) => "no_permit".to_owned(),
            Self::Lapsed(Lapse::Deadline) => "deadline_lapsed".to_owned(),
            Self::Lapsed(Lapse::Permit) => "permit_lapsed".to_owned(),
            Self::HeldBack { .. } => "held_back".to_owned(),
            Self::Unsendable(_) => "unsendable".to_owned(),
            Self::TokenRefused { status, code, .. } => coded("token_refused", Some(*status), code.as_deref()),
            Self::TokenUnavailable { cause: None, .. } => "token_unavailable".to_owned(),
            Self::TokenUnavailable {
                cause: Some(cause), ..
            } => format!("token_unavailable {}", cause.code()),
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
            Self::Malformed { .. } => "malformed".to_owned(),
        }
    }

    /// Tells whether a bulk call was refused for what it names, so that its parts may succeed.
    pub fn is_about_the_content(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::Status { status, .. } => *status == StatusCode::BAD_REQUEST || *status == StatusCode::NOT_FOUND,
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Unsendable(_) => false,
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } | Self::NotConnected { .. } => false,
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::Redirected { .. } => false,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::VersionConflict { .. } => false,
            Self::Throttled { .. } | Self::Malformed { .. } => false,
        }
    }

    /// Gives the permission that is missing, if the answer names it.
    pub fn missing_permission(&self) -> Option<&str> {
        if let Self::Forbidden { permission, .. } = self {
            permission.as_deref()
        } else {
            None
        }
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
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Unsendable(_) => None,
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
            | Self::Malformed { trace, .. } => Some(trace),
        }
    }

    fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::NoPermit(_) | Self::Lapsed(_) | Self::HeldBack { .. } | Self::Unsendable(_) => {
                CallOutcome::NotSent
            }
            Self::TokenRefused { .. } | Self::TokenUnavailable { .. } => CallOutcome::NotSent,
            Self::NotConnected { .. } => CallOutcome::NotSent,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::NotFound { .. } => {
                CallOutcome::Refused
            }
            Self::VersionConflict { .. } | Self::Throttled { .. } => CallOutcome::Refused,
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
    parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
