//! One request for an access token (OAuth client credentials), and how long its answer is used. When to ask, and when
//! not to, is left to `token`.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    ids::RequestId,
    send,
};

/// A token is renewed this long before it ends, so that no call begins with one that ends on the way.
const RENEW_BEFORE_END: Duration = Duration::from_secs(60);

/// A token is used at least this long, whatever its lifetime: a login service that gives out tokens of no lifetime
/// must not be asked for one by every call. Genesys gives none below 300 s.
const TOKEN_USE_MIN: Duration = Duration::from_secs(5);

/// The longest lifetime that is believed; Genesys gives none above two days.
const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The longest token that is believed; those of Genesys have 86 characters, signed ones some thousand.
const TOKEN_LENGTH_MAX: usize = 8 * 1024;

/// What the calls send as `Authorization`.
pub(super) struct Bearer {
    header: HeaderValue,
    pub(super) renew_at: Instant,
    pub(super) ends_at: Instant,
    /// Whether any call was answered with something other than 401.
    pub(super) accepted: AtomicBool,
}

impl Bearer {
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
    token_type: Option<String>,
}

/// Tells a login that refuses this service from one that is away.
pub(super) fn classify(error: Error, pause: Duration) -> Error {
    let refused = |status, code, trace| Error::TokenRefused { status, code, trace };
    if let Error::Unauthorized { code, trace } = error {
        return refused(StatusCode::UNAUTHORIZED, code, trace);
    }
    if let Error::Forbidden { code, trace, .. } = error {
        return refused(StatusCode::FORBIDDEN, code, trace);
    }
    if let Error::Status { status: StatusCode::BAD_REQUEST, code, trace, .. } = error {
        return refused(StatusCode::BAD_REQUEST, code, trace);
    }
    let retry_after = pause.max(error.retry_after().unwrap_or_default());
    Error::TokenUnavailable { retry_after, cause: Some(Box::new(error)) }
}

/// Asks the login service for a token, once.
pub(super) async fn request_token(genesys: &Genesys) -> Result<Bearer, Error> {
    let inner = &genesys.inner;
    let url = send::address(&inner.settings.login_url, "/oauth/token")?;
    genesys.permit().await?;
    let begun = Instant::now();
    let request = inner
        .http
        .post(url)
        .basic_auth(&inner.settings.client_id, Some(inner.settings.client_secret.expose_secret()))
        .form(&[("grant_type", "client_credentials")]);
    let answer = send::exchange(inner, request, RequestId::fresh()).await?;
    let (value, trace) = answer.into_object("the token")?;
    serde_json::from_value(value)
        .ok()
        .and_then(|answer| bearer(&answer, begun))
        .ok_or_else(|| wrong_shape(trace))
}

fn wrong_shape(trace: Trace) -> Error {
    Error::Malformed { subject: "the token", fault: Fault::WrongShape, trace }
}

/// Counts the lifetime from the beginning of the request: the token can't have been made earlier.
fn bearer(answer: &TokenAnswer, begun: Instant) -> Option<Bearer> {
    let token = &answer.access_token;
    let plain =
        !token.is_empty() && token.len() <= TOKEN_LENGTH_MAX && token.bytes().all(|b| b.is_ascii_graphic());
    let is_bearer = answer.token_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !plain || !is_bearer || answer.expires_in == 0 {
        return None;
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    let lifetime = Duration::from_secs(answer.expires_in).min(TOKEN_LIFETIME_MAX);
    Some(Bearer {
        header,
        renew_at: begun + use_time(lifetime),
        ends_at: begun + lifetime,
        accepted: AtomicBool::new(false),
    })
}

/// How long a token is used: to 90 % of its life or to a minute before its end, whichever comes first, but at least
/// half of its life and at least [`TOKEN_USE_MIN`].
fn use_time(lifetime: Duration) -> Duration {
    let early = lifetime.mul_f64(0.9).min(lifetime.saturating_sub(RENEW_BEFORE_END));
    early.max(lifetime / 2).max(TOKEN_USE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends_and_a_short_one_not_at_every_call() {
        for (lifetime, used) in [(86_400, 77_760), (1_000, 900), (300, 240), (60, 30), (1, 5)] {
            assert_eq!(use_time(Duration::from_secs(lifetime)), Duration::from_secs(used), "{lifetime} s");
        }
    }

    #[test]
    fn a_lifetime_beyond_reason_neither_overflows_nor_is_believed() {
        let answer = TokenAnswer { access_token: "t".into(), expires_in: u64::MAX, token_type: None };
        let begun = Instant::now();
        assert_eq!(bearer(&answer, begun).map(|b| b.ends_at), Some(begun + TOKEN_LIFETIME_MAX));
    }

    #[test]
    fn a_token_that_is_no_header_is_no_token() {
        for (token, kind) in [("", "bearer"), ("a\r\nb", "bearer"), ("a b", "bearer"), ("abc", "mac")] {
            let answer =
                TokenAnswer { access_token: token.into(), expires_in: 9, token_type: Some(kind.into()) };
            assert!(bearer(&answer, Instant::now()).is_none(), "{token:?} {kind}");
        }
    }
}
