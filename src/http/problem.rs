//! Every error that the edge answers with, as RFC 9457 problems with stable types.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::operate::NotReplayed;

/// Senders that meet our own trouble come back after this many seconds, spread so that they don't come together.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u32> = 5..=30;

/// What a caller is told when a request is not carried out. It names no secret, no person and no cause that helps to
/// guess a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The signature or credential of a delivery is not right; the same bytes for every cause.
    #[error("the request could not be authenticated")]
    DeliveryRefused,
    /// The same, for senders to which a 4xx is final.
    #[error("the request could not be authenticated")]
    DeliveryRefusedForNow,
    /// No or an unknown bearer token.
    #[error("a bearer token of an operator is needed")]
    TokenNeeded,
    /// The operator's role does not allow it.
    #[error("this needs the role {0}")]
    RoleNeeded(&'static str),
    /// The challenge is missing, repeated, too long or not visible ASCII.
    #[error("the request needs exactly one challenge of visible ASCII characters, at most 512")]
    BadChallenge,
    /// Nothing is at this path, or no offboarding has this id.
    #[error("there is nothing here")]
    NotFound,
    /// Another method is needed.
    #[error("this method is not allowed here")]
    MethodNotAllowed,
    /// The body came too slowly.
    #[error("the body did not come in time")]
    TooSlow,
    /// The event id is known with other content.
    #[error("this event id is known with other content; the first stays")]
    EventIdReused,
    /// The offboarding's status does not allow it.
    #[error("not possible: the offboarding is {0}")]
    NotPossible(String),
    /// It would change something, and the service changes nothing.
    #[error("the service runs dry: nothing can be put back")]
    RunsDry,
    /// Somebody else has to approve.
    #[error("who asked for it can't approve it")]
    OwnRequest,
    /// One of a set can't be approved, and so none is.
    #[error("nothing was approved: {1}")]
    NoneOf(StatusCode, String),
    /// A layoff can't be approved or cancelled.
    #[error("not possible for this layoff: {0}")]
    LayoffNotPossible(&'static str),
    /// A callback can't be sent once more.
    #[error("not possible for this callback: {0}")]
    CallbackNotPossible(&'static str),
    /// A stored event can't be read again.
    #[error("not possible for this event: {0}")]
    ReplayNotPossible(NotReplayed),
    /// Several sources have an event of this id.
    #[error("several sources have an event of this id: say which by ?source= ({0})")]
    SourceNeeded(String),
    /// The caller's own key is known with other content.
    #[error("this Idempotency-Key is known with other content; the first stays")]
    KeyReused,
    /// The body can't be read.
    #[error("the body is not understood: {0}")]
    BadBody(String),
    /// A field of the body has a value that is not understood.
    #[error("the field {0}: {1}")]
    BadField(&'static str, String),
    /// The body is larger than allowed.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is encoded, or of another type than the source sends.
    #[error("the body has to be {0} without a content encoding")]
    UnsupportedMedia(&'static str),
    /// A header that must be there once is missing or repeated.
    #[error("the request needs exactly one Host header")]
    HostNeeded,
    /// A parameter has a value that is not understood.
    #[error("the parameter {0} is not understood")]
    BadParameter(&'static str),
    /// The path or the query can't be taken apart.
    #[error("the path or the query is not understood")]
    MalformedAddress,
    /// Genesys Cloud could not be asked.
    #[error("Genesys Cloud could not be asked: {0}")]
    GenesysTrouble(String),
    /// Our own trouble, overload included.
    #[error("the service can't do this at the moment")]
    Unavailable,
}

impl Problem {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::DeliveryRefused => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::DeliveryRefusedForNow => (StatusCode::SERVICE_UNAVAILABLE, "unauthenticated"),
            Self::TokenNeeded => (StatusCode::UNAUTHORIZED, "token-needed"),
            Self::RoleNeeded(_) => (StatusCode::FORBIDDEN, "role-needed"),
            Self::BadChallenge => (StatusCode::BAD_REQUEST, "bad-challenge"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow"),
            Self::EventIdReused => (StatusCode::CONFLICT, "event-id-reused"),
            Self::NotPossible(_) => (StatusCode::CONFLICT, "not-possible"),
            Self::RunsDry => (StatusCode::CONFLICT, "runs-dry"),
            Self::OwnRequest => (StatusCode::FORBIDDEN, "own-request"),
            Self::NoneOf(status, _) => (*status, "none-approved"),
            Self::LayoffNotPossible(_) => (StatusCode::CONFLICT, "not-possible"),
            Self::CallbackNotPossible(_) => (StatusCode::CONFLICT, "not-possible"),
            Self::ReplayNotPossible(_) => (StatusCode::CONFLICT, "not-possible"),
            Self::SourceNeeded(_) => (StatusCode::CONFLICT, "source-needed"),
            Self::KeyReused => (StatusCode::CONFLICT, "key-reused"),
            Self::BadBody(_) => (StatusCode::BAD_REQUEST, "bad-body"),
            Self::BadField(..) => (StatusCode::BAD_REQUEST, "bad-field"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::UnsupportedMedia(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media"),
            Self::HostNeeded => (StatusCode::BAD_REQUEST, "host-needed"),
            Self::BadParameter(_) => (StatusCode::BAD_REQUEST, "bad-parameter"),
            Self::MalformedAddress => (StatusCode::BAD_REQUEST, "malformed-address"),
            Self::GenesysTrouble(_) => (StatusCode::BAD_GATEWAY, "genesys-trouble"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind) = self.parts();
        let body = json!({
            "type": format!("urn:leaver:problem:{kind}"),
            "title": self.to_string(),
            "status": status.as_u16(),
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, retry_after());
        }
        if matches!(self, Self::TooSlow | Self::TooLarge(_)) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if matches!(self, Self::TokenNeeded) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// When to come back after our own trouble.
pub(super) fn retry_after() -> HeaderValue {
    rand::random_range(RETRY_AFTER_SECONDS).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_trouble_always_says_when_to_come_back() {
        for problem in [Problem::Unavailable, Problem::DeliveryRefusedForNow] {
            assert!(problem.into_response().headers().contains_key(header::RETRY_AFTER));
        }
        assert!(!Problem::DeliveryRefused.into_response().headers().contains_key(header::RETRY_AFTER));
    }
}
