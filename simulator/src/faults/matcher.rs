//! Which requests a fault hits; what then happens is left to the fault.

use crate::journal::{Intent, RequestInfo};

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
        Self { traffic: Traffic::Api, ..Self::any() }
    }

    /// Fits requests that are meant to change something.
    pub fn changing() -> Self {
        Self { traffic: Traffic::Changing, ..Self::any() }
    }

    /// Fits one published operation, by its id.
    pub fn operation(id: &str) -> Self {
        Self { operation: Some(id.to_owned()), ..Self::any() }
    }

    /// Narrows it to a method.
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    /// Narrows it to paths that contain this text.
    pub fn path(self, part: &str) -> Self {
        Self { path_part: Some(part.to_owned()), ..self }
    }

    /// Hits the nth fitting request from now on, counted from 1, instead of the first.
    pub fn nth(self, nth: u32) -> Self {
        Self { skipped: nth.saturating_sub(1), ..self }
    }

    /// Hits so many fitting requests instead of one.
    pub fn times(self, count: u32) -> Self {
        Self { times: Times::Count(count), ..self }
    }

    /// Hits every fitting request.
    pub fn always(self) -> Self {
        Self { times: Times::Always, ..self }
    }

    /// Tells whether every condition holds.
    pub(super) fn fits(&self, request: &RequestInfo) -> bool {
        let traffic = match self.traffic {
            Traffic::Any => true,
            Traffic::Api => request.operation != Some("oauthToken"),
            Traffic::Changing => request.intent == Intent::Changes,
        };
        traffic
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.path_part.as_ref().is_none_or(|part| request.path.contains(part))
            && self.operation.as_ref().is_none_or(|id| request.operation == Some(id))
    }

    /// Tells whether the fitting request with this number is hit, after so many hits before.
    pub(super) fn hits(&self, fitting: u32, struck: u32) -> bool {
        let left = match self.times {
            Times::Count(count) => struck < count,
            Times::Always => true,
        };
        left && fitting > self.skipped
    }
}
