//! From an answer that is no success to the error that it means. Of its text only codes and permissions are kept,
//! because the messages of Genesys may name people.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::error::{Error, Trace};

/// The longest error code that is kept; those of Genesys have up to 60 characters.
const CODE_LENGTH_MAX: usize = 80;

/// The words of a version conflict, which Genesys sends with 409 and sometimes with 400.
const VERSION_CONFLICT: &str = "does not match the current version";

/// An answer that is no success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) pause: Option<Duration>,
    /// The body, if it is labelled as JSON and whole.
    pub(super) body: Option<Vec<u8>>,
    pub(super) trace: Trace,
}

/// The parts of Genesys's `ErrorBody`, and of OAuth's error answer, that are looked at.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorBody {
    code: Value,
    error: Value,
    message: Value,
    message_params: Value,
}

pub(super) fn error(refusal: Refusal) -> Error {
    let Refusal { status, pause, body, trace } = refusal;
    let body = body.and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok()).unwrap_or_default();
    let code = plain_code(&body.code).or_else(|| plain_code(&body.error));
    match status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized { code, trace },
        StatusCode::FORBIDDEN => Error::Forbidden { permission: permission(&body), code, trace },
        // Without an error code it is not Genesys that answers but something on the way to it, which knows nothing
        // about users and queues.
        StatusCode::NOT_FOUND if code.is_some() => Error::NotFound { code, trace },
        StatusCode::TOO_MANY_REQUESTS => {
            Error::Throttled { retry_after: pause.unwrap_or_default(), code, trace }
        }
        StatusCode::CONFLICT => Error::VersionConflict { status, code, trace },
        StatusCode::BAD_REQUEST if text(&body.message).contains(VERSION_CONFLICT) => {
            Error::VersionConflict { status, code, trace }
        }
        status if status.is_redirection() => Error::Redirected { status, trace },
        status => Error::Status { status, retry_after: pause, code, trace },
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Keeps a code such as `general.conflict`. One known code has a blank in it (`not found`).
pub(super) fn plain_code(value: &Value) -> Option<String> {
    let code = text(value).replace(' ', ".");
    let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    (plain && (1..=CODE_LENGTH_MAX).contains(&code.len())).then_some(code)
}

/// Finds `domain:entity:action` in the message or its parameters.
fn permission(body: &ErrorBody) -> Option<String> {
    let params = body.message_params.as_object().into_iter().flatten().map(|(_, value)| value);
    let texts = std::iter::once(&body.message).chain(params).map(text);
    texts.flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))).find_map(|word| {
        let word = word.trim_matches(':');
        let parts: Vec<_> = word.split(':').collect();
        let named = parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()));
        (parts.len() == 3 && named && word.len() <= CODE_LENGTH_MAX).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesys::ids::RequestId;
    use serde_json::json;

    fn read(status: u16, body: Value) -> Error {
        let trace = Trace { request_id: RequestId::fresh(), correlation_id: None };
        let status = StatusCode::from_u16(status).unwrap();
        error(Refusal { status, pause: None, body: Some(body.to_string().into_bytes()), trace })
    }

    #[test]
    fn a_version_conflict_is_known_by_409_and_by_its_words() {
        let words = "The version supplied does not match the current version of the user";
        let conflict = read(409, json!({"code": "general.conflict", "message": words}));
        assert!(matches!(conflict, Error::VersionConflict { .. }));
        assert_eq!(conflict.code(), "409 general.conflict");
        assert!(matches!(
            read(400, json!({"code": "bad.request", "message": words})),
            Error::VersionConflict { .. }
        ));
        assert!(matches!(read(400, json!({"code": "bad.request", "message": "no"})), Error::Status { .. }));
    }

    #[test]
    fn a_missing_permission_is_found_in_the_message_and_in_its_parameters() {
        let message =
            "Unable to perform the requested action. You are missing permission(s): [routing:queue:edit]";
        assert_eq!(read(403, json!({ "message": message })).missing_permission(), Some("routing:queue:edit"));
        let params =
            json!({"messageParams": {"permission": "oauth:token:delete"}, "message": "at 10:20:30 no"});
        assert_eq!(read(403, params).missing_permission(), Some("oauth:token:delete"));
        assert_eq!(read(403, json!({"message": "no"})).missing_permission(), None);
    }

    #[test]
    fn messages_with_names_reach_neither_the_text_nor_the_code() {
        let error = read(400, json!({"code": "Jane Doe <jane@example.com>", "message": "Jane Doe is busy"}));
        assert_eq!(error.code(), "400");
        assert!(!format!("{error} {error:?}").contains("Jane"));
    }

    #[test]
    fn a_404_without_a_code_is_not_the_word_of_genesys() {
        assert!(matches!(read(404, json!({"code": "not.found"})), Error::NotFound { .. }));
        assert!(matches!(read(404, json!({})), Error::Status { .. }));
    }
}
