//! Every error that the edge answers with, as RFC 9457 problems with stable types.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::operate::NotReplayed;

/// Senders that meet our own trouble come back after this many seconds, spread so that they don't come together.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u32> = 5..=30;

/// Whoever asks again while the same request is carried out comes back after this time; most answers take less.
const KEY_IN_USE_SECONDS: u16 = 2;

/// Declares the stable types of problems, each with what it means.
macro_rules! kinds {
    ($($variant:ident = $word:literal: $meaning:literal,)+) => {
        /// The stable type of a problem: the last part of its `type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $meaning] $variant,)+
        }

        impl Kind {
            /// Every type, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What it means, for whoever calls.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// The whole URI.
            pub fn uri(self) -> String {
                format!("urn:leaver:problem:{}", self.as_str())
            }
        }
    };
}

kinds! {
    Unauthenticated = "unauthenticated":
        "The signature or credential of a delivery is missing, wrong, repeated or outside its window; the same for every cause. 503 for a source whose senders take a 4xx for final.",
    TokenNeeded = "token-needed":
        "No bearer token, two of them, or one that is no operator's.",
    RoleNeeded = "role-needed":
        "The operator's role does not allow it; the title names the one that does.",
    BadChallenge = "bad-challenge":
        "The challenge of a sender's handshake is missing, repeated, too long or not visible ASCII.",
    NotFound = "not-found":
        "Nothing is at this path, or nothing has this id.",
    PersonNotFound = "person-not-found":
        "Nobody in Genesys Cloud is the person who was asked about.",
    AmbiguousPerson = "ambiguous-person":
        "Several users of Genesys Cloud match the person who was asked about; exactly one has to.",
    MethodNotAllowed = "method-not-allowed":
        "The path answers other methods; `Allow` names them.",
    TooSlow = "too-slow":
        "The body did not come within its time; the connection is closed.",
    EventIdReused = "event-id-reused":
        "A delivery's event id is known with other content; the first stays.",
    NotPossible = "not-possible":
        "What it is about is in a state that does not allow it; the title says which.",
    RunsDry = "runs-dry":
        "It would change something in Genesys Cloud, and the service runs dry.",
    OwnRequest = "own-request":
        "Whoever asked for it can't approve it.",
    NoneApproved = "none-approved":
        "One of a set can't be approved, and so none is; status and title are those of that one.",
    SourceNeeded = "source-needed":
        "Several sources have an event of this id; say which by `?source=`.",
    KeyReused = "key-reused":
        "The `Idempotency-Key` was given to another request; that one stays.",
    KeyInUse = "key-in-use":
        "A request under this `Idempotency-Key` is being carried out; ask again after `Retry-After`.",
    BadBody = "bad-body":
        "The body is no JSON of the shape that is described; the title says where.",
    BadField = "bad-field":
        "A field of the body has a value that is not understood; the title names it.",
    TooLarge = "too-large":
        "The body is longer than is taken; the connection is closed.",
    UnsupportedMedia = "unsupported-media":
        "The body is of another type than is read here, or has a content encoding.",
    HostNeeded = "host-needed":
        "The request has no `Host` header, which only HTTP/1.0 may leave out, or two.",
    BadParameter = "bad-parameter":
        "A parameter is missing, or a parameter or header has a value that is not understood; the title names it.",
    MalformedAddress = "malformed-address":
        "The path or the query can't be taken apart: no UTF-8, a parameter twice, or one that is not known.",
    GenesysTrouble = "genesys-trouble":
        "Genesys Cloud refused or could not be asked; the title has its word for it.",
    Unavailable = "unavailable":
        "Our own trouble, overload included; come back after `Retry-After`.",
    NotReady = "not-ready":
        "`/readyz`: the database takes no write, its schema is another version's, or the process is stopping.",
}

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
    /// Nobody is the person who was asked about.
    #[error("nobody in Genesys Cloud is this person")]
    NobodyMatches,
    /// Several are.
    #[error("{0} users of Genesys Cloud match; exactly one has to")]
    SeveralMatch(usize),
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
    #[error("{0}")]
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
    /// The request under this key is being carried out.
    #[error("a request under this Idempotency-Key is being carried out")]
    KeyInUse,
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
    /// A parameter that has to be given is not.
    #[error("the parameter {0} is missing")]
    ParameterMissing(&'static str),
    /// The path or the query can't be taken apart.
    #[error("the path or the query is not understood")]
    MalformedAddress,
    /// The query has a parameter that is not known, or one twice.
    #[error("the query is not understood: {0}")]
    BadQuery(String),
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

    fn parts(&self) -> (StatusCode, Kind) {
        match self {
            Self::DeliveryRefused => (StatusCode::UNAUTHORIZED, Kind::Unauthenticated),
            Self::DeliveryRefusedForNow => (StatusCode::SERVICE_UNAVAILABLE, Kind::Unauthenticated),
            Self::TokenNeeded => (StatusCode::UNAUTHORIZED, Kind::TokenNeeded),
            Self::RoleNeeded(_) => (StatusCode::FORBIDDEN, Kind::RoleNeeded),
            Self::BadChallenge => (StatusCode::BAD_REQUEST, Kind::BadChallenge),
            Self::NotFound => (StatusCode::NOT_FOUND, Kind::NotFound),
            Self::NobodyMatches => (StatusCode::NOT_FOUND, Kind::PersonNotFound),
            Self::SeveralMatch(_) => (StatusCode::CONFLICT, Kind::AmbiguousPerson),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, Kind::MethodNotAllowed),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, Kind::TooSlow),
            Self::EventIdReused => (StatusCode::CONFLICT, Kind::EventIdReused),
            Self::NotPossible(_) => (StatusCode::CONFLICT, Kind::NotPossible),
            Self::RunsDry => (StatusCode::CONFLICT, Kind::RunsDry),
            Self::OwnRequest => (StatusCode::FORBIDDEN, Kind::OwnRequest),
            Self::NoneOf(status, _) => (*status, Kind::NoneApproved),
            Self::LayoffNotPossible(_) => (StatusCode::CONFLICT, Kind::NotPossible),
            Self::CallbackNotPossible(_) => (StatusCode::CONFLICT, Kind::NotPossible),
            Self::ReplayNotPossible(_) => (StatusCode::CONFLICT, Kind::NotPossible),
            Self::SourceNeeded(_) => (StatusCode::CONFLICT, Kind::SourceNeeded),
            Self::KeyInUse => (StatusCode::CONFLICT, Kind::KeyInUse),
            Self::KeyReused => (StatusCode::CONFLICT, Kind::KeyReused),
            Self::BadBody(_) => (StatusCode::BAD_REQUEST, Kind::BadBody),
            Self::BadField(..) => (StatusCode::BAD_REQUEST, Kind::BadField),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Kind::TooLarge),
            Self::UnsupportedMedia(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Kind::UnsupportedMedia),
            Self::HostNeeded => (StatusCode::BAD_REQUEST, Kind::HostNeeded),
            Self::BadParameter(_) | Self::ParameterMissing(_) => {
                (StatusCode::BAD_REQUEST, Kind::BadParameter)
            }
            Self::BadQuery(_) => (StatusCode::BAD_REQUEST, Kind::MalformedAddress),
            Self::MalformedAddress => (StatusCode::BAD_REQUEST, Kind::MalformedAddress),
            Self::GenesysTrouble(_) => (StatusCode::BAD_GATEWAY, Kind::GenesysTrouble),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Kind::Unavailable),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind) = self.parts();
        let body = json!({
            "type": kind.uri(),
            "title": self.to_string(),
            "status": status.as_u16(),
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, retry_after());
        }
        if matches!(self, Self::KeyInUse) {
            headers.insert(header::RETRY_AFTER, KEY_IN_USE_SECONDS.into());
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
