//! Faults on demand: when and how a request fails; which one is left to `matcher`, carrying it out to `exchange`.

mod matcher;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub use matcher::Matcher;

use crate::journal::RequestInfo;

/// Something a test wants to do when a request comes.
pub type Hook = Arc<dyn Fn(&RequestInfo) + Send + Sync>;

/// A rewrite of a JSON answer.
pub type Rewrite = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// One failure to come.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which requests it hits.
    pub matcher: Matcher,
    /// Before or after the request has its effect.
    pub moment: Moment,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// Makes a fault that strikes before the request has any effect.
    #[must_use]
    pub fn before(matcher: Matcher, action: Action) -> Self {
        Self { matcher, moment: Moment::BeforeEffect, action }
    }

    /// Makes a fault that strikes after the effect, so that only the answer suffers.
    #[must_use]
    pub fn after(matcher: Matcher, action: Action) -> Self {
        Self { matcher, moment: Moment::AfterEffect, action }
    }
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request arrived, but did nothing yet ("request lost").
    BeforeEffect,
    /// The request did what it does, but was not answered yet ("answer lost").
    AfterEffect,
}

/// What a fault does.
#[derive(Clone)]
pub enum Action {
    /// Answers with an error in Genesys's form; a 429 also names the limit.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The `code` of the error.
        code: String,
        /// The header `Retry-After`, in seconds.
        retry_after_seconds: Option<u64>,
    },
    /// Never answers.
    Hang,
    /// Drops the connection without an answer.
    Close,
    /// Answers with these bytes instead.
    RawBody {
        /// The HTTP status.
        status: u16,
        /// The header `Content-Type`.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Cuts the body of the true answer after so many bytes; what is left is well-formed HTTP, but broken JSON.
    Truncate(usize),
    /// Rewrites the JSON of the true answer, always after the effect.
    MutateAnswer(Rewrite),
    /// Runs a hook, then goes on as told.
    Call(Hook, Then),
    /// Carries the request out twice, as a proxy that repeats would, and gives the second answer.
    Duplicate,
}

impl Action {
    /// Makes an error answer.
    #[must_use]
    pub fn answer(status: u16, code: &str) -> Self {
        Self::Answer { status, code: code.to_owned(), retry_after_seconds: None }
    }

    /// Makes a 429 to be retried after so many seconds.
    #[must_use]
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::Answer {
            status: 429,
            code: "too.many.requests.retry.after".to_owned(),
            retry_after_seconds: Some(retry_after_seconds),
        }
    }

    /// Makes a 200 with a page of HTML, as a gateway would send.
    #[must_use]
    pub fn html() -> Self {
        Self::RawBody {
            status: 200,
            content_type: "text/html".to_owned(),
            body: b"<html><body>We'll be right back.</body></html>".to_vec(),
        }
    }

    /// Makes a rewrite of the JSON answer.
    #[must_use]
    pub fn mutate(rewrite: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        Self::MutateAnswer(Arc::new(rewrite))
    }

    /// Makes a call of a hook.
    #[must_use]
    pub fn call(hook: impl Fn(&RequestInfo) + Send + Sync + 'static, then: Then) -> Self {
        Self::Call(Arc::new(hook), then)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, code, .. } => write!(formatter, "Answer({status} {code})"),
            Self::Hang => formatter.write_str("Hang"),
            Self::Close => formatter.write_str("Close"),
            Self::RawBody { status, content_type, .. } => {
                write!(formatter, "RawBody({status} {content_type})")
            }
            Self::Truncate(bytes) => write!(formatter, "Truncate({bytes})"),
            Self::MutateAnswer(_) => formatter.write_str("MutateAnswer"),
            Self::Call(_, then) => write!(formatter, "Call(then {then:?})"),
            Self::Duplicate => formatter.write_str("Duplicate"),
        }
    }
}

/// How a request goes on after a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// As if nothing had happened.
    Continue,
    /// Without ever an answer.
    Hang,
    /// With a dropped connection.
    Close,
}

/// The number of an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(usize);

/// All injected faults and how often each struck.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Injected>);

#[derive(Debug)]
struct Injected {
    fault: Fault,
    enabled: bool,
    fitting: u32,
    struck: u32,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.0.push(Injected { fault, enabled: true, fitting: 0, struck: 0 });
        FaultId(self.0.len() - 1)
    }

    pub(crate) fn struck(&self, id: FaultId) -> u32 {
        self.0.get(id.0).map_or(0, |injected| injected.struck)
    }

    /// Ends all faults; their counts stay readable.
    pub(crate) fn end_all(&mut self) {
        for injected in &mut self.0 {
            injected.enabled = false;
        }
    }

    /// Counts a request against every fault and gives those that hit it, in the order of injection.
    pub(crate) fn due(&mut self, request: &RequestInfo) -> Vec<Fault> {
        let mut due = Vec::new();
        for injected in self.0.iter_mut().filter(|injected| injected.enabled) {
            let matcher = &injected.fault.matcher;
            if !matcher.fits(request) {
                continue;
            }
            injected.fitting += 1;
            if matcher.hits(injected.fitting, injected.struck) {
                injected.struck += 1;
                due.push(injected.fault.clone());
            }
        }
        due
    }
}
