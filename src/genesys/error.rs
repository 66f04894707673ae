//! What can go wrong between this service and Genesys Cloud. What it means is told in `meaning`; what to do about it
//! is left to the engine.

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
    /// The handle only reads, because the service runs dry; nothing was sent.
    #[error("the call was not sent: the service runs dry")]
    ReadingOnly,
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
    /// The status means success, but the answer says that the thing was not done.
    #[error("Genesys Cloud did not do what was asked")]
    Declined {
        /// The reason that the answer gives, such as `UserNotFound`, if readable.
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
pub struct CallFailed {
    #[source]
    error: Error,
    outcome: CallOutcome,
}

impl CallFailed {
    pub(super) fn new(error: Error) -> Self {
        Self { outcome: error.call_outcome(), error }
    }

    /// Reports a call that was given up before it was sent, because its intention can't be put into a request.
    pub fn not_sent_for(why: &'static str) -> Self {
        Self::new(Error::Unsendable(why))
    }

    /// Reports a call that was given up before it was sent, because a read that it needs failed. What the read's failure
    /// means, it means for the call.
    pub fn not_sent_after(error: Error) -> Self {
        Self { error, outcome: CallOutcome::NotSent }
    }

    /// Gives what happened, with its classification.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Gives the error itself.
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Tells what became of the call.
    pub fn outcome(&self) -> CallOutcome {
        self.outcome
    }

    /// Tells whether the effect is known to be absent, so that no read is needed to know it.
    pub fn outcome_known(&self) -> bool {
        self.outcome() != CallOutcome::Unknown
    }
}
