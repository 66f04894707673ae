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
        Self {
            status: 200,
            retry_after_seconds: None,
            content: Content::Json(value),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            retry_after_seconds: None,
            content: Content::Empty,
        }
    }
}

/// A refusal, as Genesys words it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    message: String,
    /// The message with its placeholders, and their values, where the message has some.
    template: Option<(&'static str, Vec<(&'static str, String)>)>,
    limit: Option<Value>,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            template: None,
            limit: None,
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
        Self {
            template: Some(("No such user {userId}", vec![("userId", id.to_owned())])),
            ..Self::new(404, "not.found", format!("No such user {id}"))
        }
    }

    pub(crate) fn unsupported_media_type() -> Self {
        let message = "Unsupported Media Type - Unsupported or incorrect media type, such as an incorrect Content-Type value in the header.";
        Self::new(415, "unsupported.media.type", message)
    }

    pub(crate) fn missing_permissions(code: &str, lead: &'static str, permissions: &[String]) -> Self {
        let list = permissions.join(", ");
        Self {
            template: Some((lead, vec![("permissions", list.clone())])),
            ..Self::new(403, code, lead.replace("{permissions}", &format!("[{list}]")))
        }
    }

    /// A 429 with the limit that was reached.
    pub(crate) fn too_many_requests(retry_after_seconds: u64, allowed: u32) -> Self {
        Self {
            limit: Some(json!({
                "key": "client.credentials.token.rate.per.minute",
                "namespace": "platform.api",
                "value": allowed,
            })),
            retry_after_seconds: Some(retry_after_seconds),
            ..Self::new(
                429,
                "too.many.requests.retry.after",
                format!(
                    "Rate limit exceeded the maximum. Retry the request in [{retry_after_seconds}] seconds"
                ),
            )
        }
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
        if let Some((template, params)) = self.template {
            let params: Map<String, Value> = params
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Value::String(value)))
                .collect();
            body["messageWithParams"] = Value::from(template);
            body["messageParams"] = Value::Object(params);
        }
        if let Some(limit) = self.limit {
            body["limit"] = limit;
        }
        Answer {
            status: self.status,
            retry_after_seconds: self.retry_after_seconds,
            content: Content::Json(body),
        }
    }
}
