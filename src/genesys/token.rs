//! The access token: one for all calls, fetched by one request at a time, renewed before it ends and after a 401.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    ids::RequestId,
    send::{self, Answer},
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

/// The pause after the first failed request for a token; it doubles with each further one.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// The longest pause between two requests for a token: after an outage of the login everything runs again this soon.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// What the calls send as `Authorization`.
pub(super) struct Bearer {
    header: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
    /// Whether any call was answered with something other than 401.
    accepted: AtomicBool,
}

impl Bearer {
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

#[derive(Default)]
pub(super) struct TokenSource {
    state: Mutex<State>,
    /// Held during a request for a token, so that there is one at a time and the others wait for its answer.
    login: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Bearer>>,
    failures: u32,
    /// Tokens in a row that no call was accepted with.
    refused: u32,
    not_before: Option<Instant>,
}

impl State {
    fn back_off(&mut self, failures: u32, now: Instant) -> Duration {
        let pause = BACK_OFF_MIN
            .saturating_mul(1 << failures.saturating_sub(1).min(10))
            .min(BACK_OFF_MAX);
        let pause = pause.mul_f64(rand::random_range(0.5..=1.0));
        self.not_before = Some(now + pause);
        pause
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
    token_type: Option<String>,
}

impl TokenSource {
    /// Gives a token with some life left in it, from memory or from the login service.
    pub(super) async fn get(&self, genesys: &Genesys) -> Result<Arc<Bearer>, Error> {
        if let Some(bearer) = self.fresh(Instant::now()) {
            return Ok(bearer);
        }
        let _one_at_a_time = self.login.lock().await;
        let now = Instant::now();
        if let Some(bearer) = self.fresh(now) {
            return Ok(bearer);
        }
        if let Some(retry_after) = self.waits(now) {
            return self.still_good(now).ok_or(Error::TokenUnavailable {
                retry_after,
                cause: None,
            });
        }
        match request_token(genesys).await {
            Ok(bearer) => Ok(self.keep(bearer)),
            Err(error) => self.failed(error),
        }
    }

    /// Learns from a call's answer whether the token is still accepted.
    pub(super) fn judge(&self, bearer: &Arc<Bearer>, answer: &Result<Answer, Error>) {
        match answer {
            Err(Error::Unauthorized { .. }) => self.refused(bearer),
            Ok(_) => self.accepted(bearer),
            // Other failures may come from something on the way that doesn't look at tokens.
            Err(_) => {}
        }
    }

    /// Drops a token that a call was answered 401 with, unless it was replaced already. A second one in a row that
    /// was never accepted begins a pause: the fault is not the token's age, and further logins won't cure it.
    fn refused(&self, bearer: &Arc<Bearer>) {
        let mut state = self.lock();
        if !state
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, bearer))
        {
            return;
        }
        state.current = None;
        if bearer.accepted.load(Ordering::Relaxed) {
            return;
        }
        state.refused = state.refused.saturating_add(1);
        if state.refused > 1 {
            let refused = state.refused - 1;
            state.back_off(refused, Instant::now());
        }
    }

    fn accepted(&self, bearer: &Bearer) {
        if !bearer.accepted.swap(true, Ordering::Relaxed) {
            self.lock().refused = 0;
        }
    }

    fn fresh(&self, now: Instant) -> Option<Arc<Bearer>> {
        self.lock().current.clone().filter(|bearer| now < bearer.renew_at)
    }

    /// A token past its time of renewal is still better than none.
    fn still_good(&self, now: Instant) -> Option<Arc<Bearer>> {
        self.lock().current.clone().filter(|bearer| now < bearer.ends_at)
    }

    fn waits(&self, now: Instant) -> Option<Duration> {
        self.lock()
            .not_before?
            .checked_duration_since(now)
            .filter(|pause| !pause.is_zero())
    }

    fn keep(&self, bearer: Bearer) -> Arc<Bearer> {
        let bearer = Arc::new(bearer);
        let mut state = self.lock();
        state.current = Some(Arc::clone(&bearer));
        state.failures = 0;
        state.not_before = None;
        bearer
    }

    fn failed(&self, error: Error) -> Result<Arc<Bearer>, Error> {
        // Nothing was sent, so nothing is wrong with the login.
        if matches!(
            error,
            Error::NoPermit(_) | Error::Lapsed(_) | Error::HeldBack { .. }
        ) {
            return Err(error);
        }
        let now = Instant::now();
        let pause = {
            let mut state = self.lock();
            state.failures = state.failures.saturating_add(1);
            let failures = state.failures;
            state.back_off(failures, now)
        };
        self.still_good(now).ok_or_else(|| classify(error, pause))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn classify(error: Error, pause: Duration) -> Error {
    let refused = |status, code, trace| Error::TokenRefused { status, code, trace };
    match error {
        Error::Unauthorized { code, trace } => refused(reqwest::StatusCode::UNAUTHORIZED, code, trace),
        Error::Forbidden { code, trace, .. } => refused(reqwest::StatusCode::FORBIDDEN, code, trace),
        Error::Status {
            status, code, trace, ..
        } if status == reqwest::StatusCode::BAD_REQUEST => refused(status, code, trace),
        error => {
            let retry_after = pause.max(error.retry_after().unwrap_or_default());
            Error::TokenUnavailable {
                retry_after,
                cause: Some(Box::new(error)),
            }
        }
    }
}

async fn request_token(genesys: &Genesys) -> Result<Bearer, Error> {
    let inner = &genesys.inner;
    let url = send::address(&inner.settings.login_url, "/oauth/token")?;
    genesys.permit().await?;
    let begun = Instant::now();
    let request = inner
        .http
        .post(url)
        .basic_auth(
            &inner.settings.client_id,
            Some(inner.settings.client_secret.expose_secret()),
        )
        .form(&[("grant_type", "client_credentials")]);
    let answer = send::exchange(inner, request, RequestId::fresh()).await?;
    let (value, trace) = answer.into_object("the token")?;
    serde_json::from_value(value)
        .ok()
        .and_then(|answer| bearer(&answer, begun))
        .ok_or_else(|| wrong_shape(trace))
}

fn wrong_shape(trace: Trace) -> Error {
    Error::Malformed {
        subject: "the token",
        fault: Fault::WrongShape,
        trace,
    }
}

/// Counts the lifetime from the beginning of the request: the token can't have been made earlier.
fn bearer(answer: &TokenAnswer, begun: Instant) -> Option<Bearer> {
    let token = &answer.access_token;
    let plain =
        !token.is_empty() && token.len() <= TOKEN_LENGTH_MAX && token.bytes().all(|b| b.is_ascii_graphic());
    let is_bearer = answer
        .token_type
        .as_deref()
        .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
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
    let early = lifetime
        .mul_f64(0.9)
        .min(lifetime.saturating_sub(RENEW_BEFORE_END));
    early.max(lifetime / 2).max(TOKEN_USE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends_and_a_short_one_not_at_every_call() {
        for (lifetime, used) in [(86_400, 77_760), (1_000, 900), (300, 240), (60, 30), (1, 5)] {
            assert_eq!(
                use_time(Duration::from_secs(lifetime)),
                Duration::from_secs(used),
                "{lifetime} s"
            );
        }
    }

    #[test]
    fn a_lifetime_beyond_reason_neither_overflows_nor_is_believed() {
        let answer = TokenAnswer {
            access_token: "t".into(),
            expires_in: u64::MAX,
            token_type: None,
        };
        let begun = Instant::now();
        assert_eq!(
            bearer(&answer, begun).map(|b| b.ends_at),
            Some(begun + TOKEN_LIFETIME_MAX)
        );
    }

    #[test]
    fn a_token_that_is_no_header_is_no_token() {
        for (token, kind) in [
            ("", "bearer"),
            ("a\r\nb", "bearer"),
            ("a b", "bearer"),
            ("abc", "mac"),
        ] {
            let answer = TokenAnswer {
                access_token: token.into(),
                expires_in: 9,
                token_type: Some(kind.into()),
            };
            assert!(bearer(&answer, Instant::now()).is_none(), "{token:?} {kind}");
        }
    }

    #[test]
    fn the_pause_after_failed_logins_doubles_up_to_a_minute() {
        let mut state = State::default();
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            let pause = state.back_off(failures, Instant::now());
            let longest = Duration::from_secs(longest);
            assert!(pause <= longest && pause >= longest / 2, "{failures}: {pause:?}");
        }
    }
}
