//! What the simulated platform answers: contents, statuses and the published shape of errors.
//! Which answer an operation gives is left to the operation.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// An answer before it is put on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after_seconds: Option<u64>,
    pub(crate) content: Content,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Empty,
    Json(Value),
    Raw { content_type: String, bytes: Bytes },
}

impl Answer {
    pub(crate) fn json(value: Value) -> Self {
        Self { status: 200, retry_after_seconds: None, content: Content::Json(value) }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, retry_after_seconds: None, content: Content::Empty }
    }
}

/// A refusal, as Genesys words it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    message: String,
    /// Fields that only some refusals have.
    extra: Map<String, Value>,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            extra: Map::new(),
            retry_after_seconds: None,
        }
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "bad.request", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "not.found", "The requested resource was not found.")
    }

    /// The form seen in a real answer of `GET /users/{id}/roles`.
    pub(crate) fn no_such_user(id: &str) -> Self {
        Self::new(404, "not.found", format!("No such user {id}"))
            .with("messageWithParams", json!("No such user {userId}"))
            .with("messageParams", json!({"userId": id}))
    }

    pub(crate) fn unsupported_media_type() -> Self {
        let message = "Unsupported Media Type - Unsupported or incorrect media type, such as an incorrect Content-Type value in the header.";
        Self::new(415, "unsupported.media.type", message)
    }

    pub(crate) fn missing_permissions(code: &str, template: &str, permissions: &[String]) -> Self {
        let list = permissions.join(", ");
        Self::new(403, code, template.replace("{permissions}", &format!("[{list}]")))
            .with("messageWithParams", json!(template))
            .with("messageParams", json!({"permissions": list}))
    }

    /// A 429 with the limit that was reached.
    pub(crate) fn too_many_requests(retry_after_seconds: u64, allowed: u32) -> Self {
        let message =
            format!("Rate limit exceeded the maximum. Retry the request in [{retry_after_seconds}] seconds");
        let limit = json!({
            "key": "client.credentials.token.rate.per.minute",
            "namespace": "platform.api",
            "value": allowed,
        });
        let mut problem = Self::new(429, "too.many.requests.retry.after", message).with("limit", limit);
        problem.retry_after_seconds = Some(retry_after_seconds);
        problem
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    pub(crate) fn into_answer(self, correlation_id: &str) -> Answer {
        let mut body = json!({
            "message": self.message,
            "code": self.code,
            "status": self.status,
            "contextId": correlation_id,
            "details": [],
            "errors": [],
        });
        if let Some(fields) = body.as_object_mut() {
            fields.extend(self.extra);
        }
        Answer {
            status: self.status,
            retry_after_seconds: self.retry_after_seconds,
            content: Content::Json(body),
        }
    }
}
