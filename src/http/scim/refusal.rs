//! Every error that a SCIM client is answered with, in the form of RFC 7644, 3.12.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::problem::{Problem, retry_after};
use super::json_response;
use crate::hris::{ReadError, Scheme};

/// Why a request is not carried out. None names a person, and a client that could not be authenticated learns no cause.
/// There is no 429: overload is our own trouble, and some clients stop provisioning for good after a 4xx.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The credential is not right; the same bytes for every cause.
    #[error("the request could not be authenticated")]
    Unauthenticated(Scheme),
    /// The same, for clients to which a 4xx is final.
    #[error("the request could not be authenticated")]
    UnauthenticatedForNow,
    /// No such source, resource or endpoint.
    #[error("there is nothing here")]
    NotFound,
    /// The endpoint has other methods.
    #[error("this method is not allowed here")]
    MethodNotAllowed(&'static str),
    /// The body could not be read to its end.
    #[error("{0}")]
    Unread(Problem),
    /// The body is encoded, or of another type.
    #[error(
        "the body has to be application/scim+json or application/json, in UTF-8 and without a content encoding"
    )]
    UnsupportedMedia,
    /// The body is no single JSON document.
    #[error("{0}")]
    Unreadable(ReadError),
    /// The body is JSON and no request of this protocol.
    #[error("the request is not understood: {0}")]
    Syntax(&'static str),
    /// An attribute has a value that it can't have, or lacks one.
    #[error("the attribute {0}")]
    Value(&'static str),
    /// A path of a patch is not understood.
    #[error("a path of the patch is not understood")]
    Path,
    /// A patch removes without saying what.
    #[error("remove needs a path")]
    NoTarget,
    /// A filter is not one of those that are offered.
    #[error("the filter has to be userName, externalId or id, then eq and a string in quotes")]
    Filter,
    /// Another user has the name.
    #[error("another user has this userName")]
    NameTaken,
    /// The user would be larger than what is kept.
    #[error("the user would be larger than {0} bytes")]
    UserTooLarge(usize),
    /// Groups are not provisioned.
    #[error("groups are not provisioned here")]
    NoGroups,
    /// Our own trouble, overload included.
    #[error("the service can't do this at the moment")]
    Unavailable,
}

impl Refusal {
    /// The status and the detail keyword (RFC 7644, table 9).
    fn parts(&self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, None),
            Self::UnauthenticatedForNow | Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
            Self::NotFound => (StatusCode::NOT_FOUND, None),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, None),
            Self::Unread(problem) => (problem.status(), None),
            Self::UnsupportedMedia => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::Unreadable(_) | Self::Syntax(_) => (StatusCode::BAD_REQUEST, Some("invalidSyntax")),
            Self::Value(_) => (StatusCode::BAD_REQUEST, Some("invalidValue")),
            Self::Path => (StatusCode::BAD_REQUEST, Some("invalidPath")),
            Self::NoTarget => (StatusCode::BAD_REQUEST, Some("noTarget")),
            Self::Filter => (StatusCode::BAD_REQUEST, Some("invalidFilter")),
            Self::NameTaken => (StatusCode::CONFLICT, Some("uniqueness")),
            Self::UserTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::NoGroups => (StatusCode::NOT_IMPLEMENTED, None),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, scim_type) = self.parts();
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_str(),
            "detail": self.to_string(),
        });
        if let Some(scim_type) = scim_type {
            body["scimType"] = scim_type.into();
        }
        let mut response = json_response(status, &body);
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, retry_after());
        }
        match self {
            Self::Unauthenticated(Scheme::Bearer) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Unauthenticated(Scheme::Basic) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"scim\""));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            // The rest of the body is still on its way.
            Self::Unread(_) => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Unauthenticated(Scheme::Header)
            | Self::UnauthenticatedForNow
            | Self::NotFound
            | Self::UnsupportedMedia
            | Self::Unreadable(_)
            | Self::Syntax(_)
            | Self::Value(_)
            | Self::Path
            | Self::NoTarget
            | Self::Filter
            | Self::NameTaken
            | Self::UserTooLarge(_)
            | Self::NoGroups
            | Self::Unavailable => {}
        }
        response
    }
}
