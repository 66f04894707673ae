//! Faults on demand: which request fails, when and how; carrying them out is left to `exchange`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::journal::{Intent, RequestInfo};

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
        Self {
            matcher,
            moment: Moment::BeforeEffect,
            action,
        }
    }

    /// Makes a fault that strikes after the effect, so that only the answer suffers.
    #[must_use]
    pub fn after(matcher: Matcher, action: Action) -> Self {
        Self {
            matcher,
            moment: Moment::AfterEffect,
            action,
        }
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
        Self::Answer {
            status,
            code: code.to_owned(),
            retry_after_seconds: None,
        }
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
            Self::RawBody {
                status, content_type, ..
            } => write!(formatter, "RawBody({status} {content_type})"),
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

/// Which requests a fault hits; every condition set must hold, and the first that fits is hit unless told otherwise.
#[derive(Clone, Debug)]
#[must_use]
pub struct Matcher {
    method: Option<String>,
    path_part: Option<String>,
    operation: Option<String>,
    traffic: Traffic,
    skipped: u32,
    times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    Any,
    Api,
    Changing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Count(u32),
    Always,
}

impl Matcher {
    /// Fits every request, also those for tokens.
    pub fn any() -> Self {
        Self {
            method: None,
            path_part: None,
            operation: None,
            traffic: Traffic::Any,
            skipped: 0,
            times: Times::Count(1),
        }
    }

    /// Fits every request but those for the client's own tokens.
    pub fn api() -> Self {
        Self {
            traffic: Traffic::Api,
            ..Self::any()
        }
    }

    /// Fits requests that are meant to change something.
    pub fn changing() -> Self {
        Self {
            traffic: Traffic::Changing,
            ..Self::any()
        }
    }

    /// Fits one published operation, by its id.
    pub fn operation(id: &str) -> Self {
        Self {
            operation: Some(id.to_owned()),
            ..Self::any()
        }
    }

    /// Narrows it to a method.
    pub fn method(self, method: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..self
        }
    }

    /// Narrows it to paths that contain this text.
    pub fn path(self, part: &str) -> Self {
        Self {
            path_part: Some(part.to_owned()),
            ..self
        }
    }

    /// Hits the nth fitting request from now on, counted from 1, instead of the first.
    pub fn nth(self, nth: u32) -> Self {
        Self {
            skipped: nth.saturating_sub(1),
            ..self
        }
    }

    /// Hits so many fitting requests instead of one.
    pub fn times(self, count: u32) -> Self {
        Self {
            times: Times::Count(count),
            ..self
        }
    }

    /// Hits every fitting request.
    pub fn always(self) -> Self {
        Self {
            times: Times::Always,
            ..self
        }
    }

    fn fits(&self, request: &RequestInfo) -> bool {
        let traffic = match self.traffic {
            Traffic::Any => true,
            Traffic::Api => request.operation != Some("oauthToken"),
            Traffic::Changing => request.intent == Intent::Changes,
        };
        traffic
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == request.method)
            && self
                .path_part
                .as_ref()
                .is_none_or(|part| request.path.contains(part))
            && self
                .operation
                .as_ref()
                .is_none_or(|id| request.operation == Some(id))
    }
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
        self.0.push(Injected {
            fault,
            enabled: true,
            fitting: 0,
            struck: 0,
        });
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
            let left = match matcher.times {
                Times::Count(count) => injected.struck < count,
                Times::Always => true,
            };
            if left && injected.fitting > matcher.skipped {
                injected.struck += 1;
                due.push(injected.fault.clone());
            }
        }
        due
    }
}
