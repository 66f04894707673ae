//! The answers to what a sender asks before it sends events: challenge and consent by their methods, ping and token as
//! bodies of a POST. Nothing of it becomes an event.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Answered, COMMIT_DEADLINE, Inner, Webhooks, refuse};
use crate::hris::{Challenge, Consent, Handshake, Source};
use crate::http::RemoteAddress;
use crate::http::problem::Problem;
use crate::store::tokens::Kept;

const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Any method but POST: a question of the source's sender, or a wrong method.
pub(super) async fn other_method(
    State(webhooks): State<Webhooks>,
    Path(source): Path<String>,
    remote_address: Option<Extension<RemoteAddress>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let inner = &webhooks.inner;
    let Some(source) = inner.sources.get(&source) else {
        return Problem::NotFound.into_response();
    };
    let answered = match source.handshake() {
        Some(Handshake::Challenge(asked)) if method == Method::GET => {
            challenge(inner, source, asked, remote_address.map(|Extension(of)| of.0), &headers)
        }
        Some(Handshake::Consent(asked)) if method == Method::OPTIONS => consent(asked, &headers),
        Some(Handshake::Challenge(_) | Handshake::Consent(_) | Handshake::Ping(_) | Handshake::Token(_))
        | None => wrong_method(),
    };
    super::count(source, answered.0);
    answered.1
}

fn wrong_method() -> Answered {
    ("wrong_method", Problem::MethodNotAllowed.into_response())
}

/// Echoes to whoever has the source's credential, as JSON that no browser takes for a page.
fn challenge(
    inner: &Inner,
    source: &Source,
    asked: &Challenge,
    remote_address: Option<SocketAddr>,
    headers: &HeaderMap,
) -> Answered {
    if let Err(cause) = source.verify(headers, b"", inner.clock.now()) {
        return refuse(inner, source, cause, remote_address, headers);
    }
    inner
        .alarms
        .succeeded(source.name(), source.signed_at(headers).map(|at| (inner.clock.now() - at).num_seconds()));
    match asked.answer(headers) {
        Ok(echo) => {
            let nosniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            ("challenge", ([nosniff], Json(echo)).into_response())
        }
        Err(_) => ("bad_challenge", Problem::BadChallenge.into_response()),
    }
}

/// Consents to events of a listed origin. It proves nothing, and the address that may come with it is never called.
fn consent(asked: &Consent, headers: &HeaderMap) -> Answered {
    let Some(given) = asked.to(headers) else {
        return wrong_method();
    };
    let Ok(origin) = HeaderValue::from_str(given.origin) else {
        return wrong_method();
    };
    let allowed = [
        (ALLOWED_ORIGIN, origin),
        (ALLOWED_RATE, given.rate.into()),
        (header::ALLOW, HeaderValue::from_static("POST")),
    ];
    ("consent", (StatusCode::OK, allowed).into_response())
}

/// The answer to a body that only asks whether anybody is there, signed or not.
pub(super) fn ping(source: &Source, body: &[u8]) -> Option<Answered> {
    let Some(Handshake::Ping(ping)) = source.handshake() else {
        return None;
    };
    ping.is(body).then(|| ("ping", Json(json!({ "status": "ping" })).into_response()))
}

/// Keeps the token that an unsigned body brings; `None` where it brings none, or nobody waits for one any more.
pub(super) async fn token(
    inner: &Inner,
    source: &Source,
    remote_address: Option<SocketAddr>,
    body: &[u8],
) -> Option<Answered> {
    let Some(Handshake::Token(token)) = source.handshake() else {
        return None;
    };
    let token = token.of(body)?;
    let unavailable = || Some(("unavailable", Problem::Unavailable.into_response()));
    // One at a time: strangers must not take the connections that deliveries need.
    let Ok(_room) = inner.room_for_tokens.try_acquire() else {
        return unavailable();
    };
    let from = remote_address.map(|address| address.ip().to_string());
    let keeping = inner.store.keep_token(source.name(), &token, from);
    match tokio::time::timeout(COMMIT_DEADLINE, keeping).await {
        Ok(Ok(Kept::Yes)) => Some(("token", Json(json!({ "status": "kept" })).into_response())),
        Ok(Ok(Kept::NotAwaited)) => None,
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a verification token could not be kept"
            );
            unavailable()
        }
        Err(_) => {
            tracing::error!("the database did not keep a verification token in time");
            unavailable()
        }
    }
}
