//! The rate limit: a fixed window per access token, and the headers that tell about it.

use std::collections::HashMap;
use std::time::Instant;

use crate::answer::Problem;
use crate::rules::Rules;

/// What the headers `inin-ratelimit-*` say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) count: u32,
    pub(crate) allowed: u32,
    pub(crate) reset_seconds: u64,
}

/// The windows of all tokens; requests without a valid token share one.
#[derive(Debug, Default)]
pub(crate) struct Limiter(HashMap<Option<u64>, Window>);

#[derive(Debug)]
struct Window {
    began: Instant,
    count: u32,
}

impl Limiter {
    /// Counts a request; gives where the token stands, and the refusal if the window is full.
    pub(crate) fn count(
        &mut self,
        token: Option<u64>,
        rules: &Rules,
        now: Instant,
    ) -> (Standing, Option<Problem>) {
        let window = self.0.entry(token).or_insert(Window { began: now, count: 0 });
        if now.duration_since(window.began) >= rules.rate_window {
            *window = Window { began: now, count: 0 };
        }
        let left = rules.rate_window.saturating_sub(now.duration_since(window.began));
        // Whole seconds, rounded up: a client that waits exactly so long must find a fresh window.
        let reset_seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let allowed = rules.requests_allowed;
        let refusal = (window.count >= allowed).then(|| Problem::too_many_requests(reset_seconds, allowed));
        if refusal.is_none() {
            window.count += 1;
        }
        (Standing { count: window.count, allowed, reset_seconds }, refusal)
    }
}
