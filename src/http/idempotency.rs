//! `Idempotency-Key` on every POST of the operator API: the same request under the same key is carried out once and answered
//! alike. What is kept, for how long and across crashes is the store's.
//!
//! Only what was carried out is kept. A refusal changes nothing, and the same request may be possible a moment later: whoever
//! mends what was refused does not need another key. Our own trouble is no answer at all.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::api::{Api, trouble};
use super::own::BODY_BYTES_MAX;
use super::problem::Problem;
use super::webhooks::whole;
use crate::store::idempotency::{self, Claim, Claimed, KeptAnswer, KeyedRequest};
use crate::store::{Store, StoreError};

/// With which a caller says that a request is the same as one before.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Stands in an answer that was given before.
pub(super) const REPLAYED: &str = "idempotency-replayed";

/// The longest key.
pub(super) const KEY_CHARS_MAX: usize = 255;

/// The longest answer that is kept: far above what an offboarding with its whole journal takes. Of a longer one it is kept that
/// it was given, and the same request again shows what was asked for as it is then.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Lets a request under a key through once.
pub(super) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    let posts = request.method() == Method::POST && request.uri().path().starts_with("/api/v1/");
    let caller = if posts { api.operators.caller(request.headers()).ok() } else { None };
    // Who is nobody is told so by the route.
    let Some(caller) = caller else { return next.run(request).await };
    let key = match key(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => key.to_owned(),
        Err(problem) => return problem.into_response(),
    };
    let (parts, body) = request.into_parts();
    let body = match whole(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let keyed = KeyedRequest { operator: caller.name, key, digest: digest(&parts, &body) };
    match api.store.claim_key(&keyed).await {
        Err(error) => trouble(&error.into()).into_response(),
        Ok(Claimed::Reused) => Problem::KeyReused.into_response(),
        Ok(Claimed::InUse) => Problem::KeyInUse.into_response(),
        Ok(Claimed::Answered(kept)) => given_before(kept),
        Ok(Claimed::Mine(claim)) => {
            let request = Request::from_parts(parts, Body::from(body));
            // In a task of its own: a caller who hangs up must not take the answer along that the next try is owed.
            let answered = tokio::spawn(carry_out(api.store, claim, request, next));
            answered.await.unwrap_or_else(|_| Problem::Unavailable.into_response())
        }
    }
}

/// The key of a request, where it has one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let visible = |key: &&str| {
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let key = key.to_str().ok().filter(visible);
            key.map(Some).ok_or(Problem::BadParameter("Idempotency-Key"))
        }
        (Some(_), Some(_)) => Err(Problem::BadParameter("Idempotency-Key")),
    }
}

/// SHA-256 over method, address and body, each with its length, so that none can pass for a part of another.
fn digest(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
    let mut digest = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), address.as_bytes(), body] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

async fn carry_out(store: Store, claim: Claim, request: Request, next: Next) -> Response {
    let response = idempotency::under(claim, next.run(request)).await;
    if !response.status().is_success() {
        tell(store.release_key(claim).await);
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        tell(store.release_key(claim).await);
        return Problem::Unavailable.into_response();
    };
    let kept = if body.len() > ANSWER_BYTES_MAX {
        store.release_key(claim).await
    } else {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let answer = KeptAnswer {
            status: parts.status.as_u16(),
            content_type: content_type.map(str::to_owned),
            body: body.to_vec(),
        };
        store.keep_answer(claim, answer).await
    };
    // The answer is right all the same: that it was carried out is in the database already.
    tell(kept);
    Response::from_parts(parts, Body::from(body))
}

fn tell(kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "what became of a request under an Idempotency-Key could not be kept"
        );
    }
}

fn given_before(kept: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(kept.body)).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = kept.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &[&[u8]]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(key).unwrap());
        }
        key(&headers).map(|key| key.map(str::to_owned))
    }

    #[test]
    fn a_key_is_one_word_of_visible_ascii() {
        let longest = "k".repeat(KEY_CHARS_MAX);
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[longest.as_bytes()]), Ok(Some(longest.clone())));
        let longer = format!("{longest}k");
        let wrong: [&[&[u8]]; 6] =
            [&[b""], &[b"two words"], &[b"\xc3\xbc"], &[b"tab\t"], &[longer.as_bytes()], &[b"a", b"b"]];
        for keys in wrong {
            assert_eq!(read(keys), Err(Problem::BadParameter("Idempotency-Key")), "{keys:?}");
        }
    }

    #[test]
    fn method_address_and_body_are_told_apart() {
        let digest_of = |method: &str, uri: &str, body: &'static str| {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            digest(&request.into_parts().0, &Bytes::from_static(body.as_bytes()))
        };
        let all = [
            digest_of("POST", "/a", "b"),
            digest_of("PUT", "/a", "b"),
            digest_of("POST", "/a?b", ""),
            digest_of("POST", "/ab", ""),
            digest_of("POST", "/a", "c"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
    }
}
