//! What a body of the operator API has to be: JSON, as it is. Whoever sends no media type is believed.

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Api;
use super::problem::Problem;

/// Refuses a body that says of itself that it is something else.
pub(super) async fn only_json(State(api): State<Api>, request: Request, next: Next) -> Response {
    let has_body = request.body().size_hint().exact() != Some(0);
    let known = api.operators.caller(request.headers()).is_ok();
    // Who is nobody is told so by the route, and nothing else.
    if known && has_body && request.uri().path().starts_with("/api/v1/") && !is_json(request.headers()) {
        return Problem::UnsupportedMedia("JSON").into_response();
    }
    next.run(request).await
}

fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    plain && headers.get_all(header::CONTENT_TYPE).iter().all(names_json)
}

fn names_json(kind: &HeaderValue) -> bool {
    let Ok(kind) = kind.to_str() else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_body_is_json_unless_it_says_otherwise() {
        assert!(is_json(&HeaderMap::new()));
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(&with(header::CONTENT_TYPE, kind)), "{kind}");
        }
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert!(!is_json(&with(header::CONTENT_TYPE, kind)), "{kind}");
        }
        assert!(is_json(&with(header::CONTENT_ENCODING, "identity")));
        assert!(!is_json(&with(header::CONTENT_ENCODING, "gzip")));
    }
}
