//! The access token: one for all calls, fetched by one request at a time, renewed before it ends and after a 401, and
//! not asked for again and again when the login fails. The request itself is left to `login`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Genesys,
    error::Error,
    login::{self, Bearer},
    send::Answer,
};

/// The pause after the first failed request for a token; it doubles with each further one.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// The longest pause between two requests for a token: after an outage of the login everything runs again this soon.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

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
        let pause = BACK_OFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF_MAX);
        let pause = pause.mul_f64(rand::random_range(0.5..=1.0));
        self.not_before = Some(now + pause);
        pause
    }
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
            return self.still_good(now).ok_or(Error::TokenUnavailable { retry_after, cause: None });
        }
        match login::request_token(genesys).await {
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
        if !state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, bearer)) {
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
        self.lock().not_before?.checked_duration_since(now).filter(|pause| !pause.is_zero())
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
        if matches!(error, Error::NoPermit(_) | Error::Lapsed(_) | Error::HeldBack { .. }) {
            return Err(error);
        }
        let now = Instant::now();
        let pause = {
            let mut state = self.lock();
            state.failures = state.failures.saturating_add(1);
            let failures = state.failures;
            state.back_off(failures, now)
        };
        self.still_good(now).ok_or_else(|| login::classify(error, pause))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
