//! Reads: tried again after failures that pass, and only believed when they can be read whole.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Genesys, INNER_WAIT_MAX,
    error::{Error, Fault, Trace},
    ids::RequestId,
    send::{self, Answer, Request},
    settings::Waits,
};

/// How often a read is sent at most, without the one repetition after a 401: with a third of all answers failing, less
/// than one read in a hundred fails.
pub const READ_TRIES: u32 = 4;

/// After so many failures in a row, of all reads together, Genesys is away and not just unlucky: until the first
/// success a read is sent once only, because repeating multiplies the load on what is trying to come back.
const OUTAGE_AFTER_FAILURES: u32 = 12;

/// Counts the reads that failed in a row.
#[derive(Default)]
pub(super) struct Outage(AtomicU32);

impl Outage {
    fn note_success(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Notes a failure and tells whether repeating makes sense.
    fn note_failure(&self) -> Repeat {
        if self.0.fetch_add(1, Ordering::Relaxed) < OUTAGE_AFTER_FAILURES {
            Repeat::Sensible
        } else {
            Repeat::Useless
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Sensible,
    Useless,
}

impl Genesys {
    /// Reads one JSON object as `T`. A 404 is [`Error::NotFound`].
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        subject: &'static str,
        request: &Request,
    ) -> Result<(T, Trace), Error> {
        let (found, trace, _) = self.read_with_status(subject, request).await?;
        Ok((found, trace))
    }

    /// The same with the status, for the lists where it tells a whole answer (200) from a partial one (206).
    pub(super) async fn read_with_status<T: DeserializeOwned>(
        &self,
        subject: &'static str,
        request: &Request,
    ) -> Result<(T, Trace, StatusCode), Error> {
        let mut tries = 1;
        loop {
            let error = match self.read_once(subject, request).await {
                Ok(found) => {
                    self.inner.outage.note_success();
                    return Ok(found);
                }
                Err(error) => error,
            };
            if !repeats(&error) {
                return Err(error);
            }
            if self.inner.outage.note_failure() == Repeat::Useless || tries >= READ_TRIES {
                return Err(error);
            }
            let wait = match error.retry_after() {
                Some(pause) if pause > INNER_WAIT_MAX => return Err(error),
                // The permit of the next try waits for it.
                Some(_) => Duration::ZERO,
                None => jitter(tries, &self.inner.settings.waits),
            };
            tracing::warn!(
                code = error.code(),
                request_id = error.request_id().map(tracing::field::display),
                correlation_id = error.correlation_id(),
                tries,
                "a read of Genesys Cloud failed and is tried again"
            );
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    /// Sends a read, and once more with another token when the first is refused.
    async fn read_once<T: DeserializeOwned>(
        &self,
        subject: &'static str,
        request: &Request,
    ) -> Result<(T, Trace, StatusCode), Error> {
        let answer = match self.send(request).await {
            Err(Error::Unauthorized { .. }) => self.send(request).await?,
            other => other?,
        };
        let status = answer.status;
        let (found, trace) = answer.into_found(subject, request.answer)?;
        Ok((found, trace, status))
    }

    /// Reads one JSON object that a method gives on as it is, after its published fields were checked as `Shape`; `None`
    /// when Genesys says that there is none (404).
    pub(super) async fn read_checked<Shape: DeserializeOwned>(
        &self,
        subject: &'static str,
        request: &Request,
        judge: impl FnOnce(Shape) -> Result<(), Fault>,
    ) -> Result<Option<Value>, Error> {
        let (found, trace): (Value, Trace) = match self.read(subject, request).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        let shape = serde_json::from_value(found.clone()).map_err(|_| Fault::WrongShape);
        match shape.and_then(judge) {
            Ok(()) => Ok(Some(found)),
            Err(fault) => Err(Error::Malformed { subject, fault, trace }),
        }
    }

    async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let inner = &self.inner;
        let url = send::address(&inner.settings.api_url, &request.path)?;
        let bearer = self.bearer().await?;
        self.permit().await?;
        let mut http = inner.http.request(request.method.clone(), url);
        http = http.header(reqwest::header::AUTHORIZATION, bearer.header());
        if let Some(body) = &request.body {
            http = http.json(body);
        }
        let answer = send::exchange(inner, http, RequestId::fresh()).await;
        inner.token.judge(&bearer, &answer);
        answer
    }
}

/// Which failures a read is repeated after. A malformed answer isn't one: it is no answer at all, and whoever counts
/// the attempts asks again later.
fn repeats(error: &Error) -> bool {
    match error {
        Error::NotConnected { .. } | Error::TimedOut { .. } | Error::ConnectionLost { .. } => true,
        Error::Throttled { .. } => true,
        Error::Status { status, .. } => status.is_server_error() || *status == StatusCode::REQUEST_TIMEOUT,
        Error::NoPermit(_) | Error::Lapsed(_) | Error::HeldBack { .. } => false,
        Error::ReadingOnly | Error::Unsendable(_) => false,
        Error::TokenRefused { .. } | Error::TokenUnavailable { .. } | Error::Unauthorized { .. } => false,
        Error::Redirected { .. } | Error::Forbidden { .. } | Error::NotFound { .. } => false,
        Error::VersionConflict { .. } | Error::Declined { .. } | Error::Malformed { .. } => false,
    }
}

/// Full jitter: anything between nothing and the doubled base, so that those who failed together don't return together.
fn jitter(tries: u32, waits: &Waits) -> Duration {
    let longest = waits.retry_base.saturating_mul(1 << (tries - 1).min(10)).min(waits.retry_max);
    longest.mul_f64(rand::random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_their_limit() {
        let waits = Waits::default();
        for tries in 1..40 {
            let longest = Duration::from_millis(200 << (tries - 1).min(5)).min(Duration::from_secs(5));
            assert!(jitter(tries, &waits) <= longest, "try {tries}");
        }
    }

    #[test]
    fn reads_are_not_repeated_during_an_outage() {
        let outage = Outage::default();
        for _ in 0..OUTAGE_AFTER_FAILURES {
            assert!(outage.note_failure() == Repeat::Sensible);
        }
        assert!(outage.note_failure() == Repeat::Useless);
        outage.note_success();
        assert!(outage.note_failure() == Repeat::Sensible);
    }
}
