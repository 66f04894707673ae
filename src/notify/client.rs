//! One call to a target: within its limits of time and size, to the configured host only, and without following redirects.

use std::time::Duration;

use chrono::Utc;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, redirect};
use thiserror::Error;

use super::message::Message;
use super::signing::signatures;
use super::target::{Request, Target};
use crate::config::Method;

/// A connection that takes longer is not going to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest that a whole call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What is read of an answer, and for how long, so that its connection can serve again. Nothing of it is kept.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest pause that a receiver is believed: a wrong one must not silence a target for days.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// The client can't be made.
#[derive(Debug, Error)]
#[error("the client for callbacks can't be made")]
pub struct BuildError(#[source] reqwest::Error);

/// Why a target did not acknowledge. None of them repeats an address or an answer's words.
#[derive(Debug, Error)]
pub enum Failure {
    /// The address has a place for something that is not known of this person.
    #[error("its address needs {0}, which is not known")]
    Unaddressed(String),
    /// No connection, or it was lost.
    #[error("can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// A redirect, which is never followed: what is told is for the configured host.
    #[error("redirects ({0}), which is not followed")]
    Redirected(u16),
    /// 410: the receiver wants no more of it.
    #[error("answers 410: it is gone for good")]
    Gone,
    /// 429, with what it asks to wait.
    #[error("wants fewer calls (429)")]
    Throttled(Option<Duration>),
    /// Another status of its own trouble, with what it asks to wait.
    #[error("answers {0}")]
    Trouble(u16, Option<Duration>),
    /// A status that says the message or the credential is wrong.
    #[error("refuses it ({0})")]
    Refused(u16),
}

impl Failure {
    /// The stable word for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unaddressed(_) => "unaddressed",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Redirected(_) => "redirected",
            Self::Gone => "gone",
            Self::Throttled(_) => "throttled",
            Self::Trouble(..) => "trouble",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether another try is of no use.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Unaddressed(_) | Self::Gone => true,
            Self::Unreachable(_)
            | Self::TimedOut
            | Self::Redirected(_)
            | Self::Throttled(_)
            | Self::Trouble(..)
            | Self::Refused(_) => false,
        }
    }

    /// Whether it says that the target is away, and not that something is wrong with what was sent.
    pub const fn is_of_target(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut
            | Self::Redirected(_)
            | Self::Throttled(_)
            | Self::Trouble(..) => true,
            Self::Unaddressed(_) | Self::Gone | Self::Refused(_) => false,
        }
    }

    /// What the receiver asks to wait.
    pub const fn pause(&self) -> Option<Duration> {
        match self {
            Self::Throttled(pause) | Self::Trouble(_, pause) => *pause,
            Self::Unaddressed(_)
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::Redirected(_)
            | Self::Gone
            | Self::Refused(_) => None,
        }
    }
}

/// Calls every target. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
}

impl Client {
    /// Makes it without connecting anywhere.
    pub(super) fn new() -> Result<Self, BuildError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(BuildError)?;
        Ok(Self { http })
    }

    /// Sends a message and returns the status of success with which it was acknowledged.
    pub(super) async fn send(&self, target: &Target, message: &Message) -> Result<u16, Failure> {
        let request = target.request(message).map_err(|missing| Failure::Unaddressed(missing.0))?;
        let call = self.call(request, message);
        let answer = tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(|_| Failure::TimedOut)??;
        let (status, pause) = (answer.status().as_u16(), pause(&answer));
        // The status has said everything; an answer without an end changes nothing about it.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, drain(answer)).await;
        match status {
            200..=299 => Ok(status),
            300..=399 => Err(Failure::Redirected(status)),
            410 => Err(Failure::Gone),
            429 => Err(Failure::Throttled(pause)),
            408 | 425 | 500.. => Err(Failure::Trouble(status, pause)),
            _ => Err(Failure::Refused(status)),
        }
    }

    async fn call(&self, request: Request, message: &Message) -> Result<Response, Failure> {
        // The time of this try: a receiver takes none that is older than minutes.
        let now = Utc::now().timestamp();
        let call = match request.method {
            Method::Post => self.http.post(request.url),
            Method::Put => self.http.put(request.url),
        };
        let mut call = call
            .headers(request.headers)
            .header(CONTENT_TYPE, request.content_type)
            .header("webhook-id", message.id.to_string())
            .header("webhook-timestamp", now);
        if let Some(signed) = signatures(&request.keys, message.id, now, &request.body) {
            call = call.header("webhook-signature", signed);
        }
        call.body(request.body).send().await.map_err(lost)
    }
}

fn lost(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::TimedOut } else { Failure::Unreachable(error.without_url()) }
}

async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(part)) = answer.chunk().await {
        read += part.len();
        if read > ANSWER_BYTES_MAX {
            return;
        }
    }
}

/// Whole seconds; the other form of the header is a date by a clock that is not ours.
fn pause(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}
