//! Changing calls: one intention, one HTTP call. A call is prepared first, so that its id can be written into a journal
//! before it is sent, and consumed by being sent, so that it can't be sent twice. Nothing here tries again.

use std::{sync::Arc, time::Instant};

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Genesys, PERMIT_TRIES, Reach,
    error::{CallFailed, Error, Lapse, Trace},
    ids::RequestId,
    login::Bearer,
    send::{self, Answer, Request},
};

/// A call that may be made now: permit and token are at hand, and nothing is left to wait for.
#[must_use = "a prepared call has taken a permit and does nothing until it is sent"]
pub struct OneCall {
    genesys: Genesys,
    request_id: RequestId,
    bearer: Arc<Bearer>,
    pub(super) permit_until: Instant,
    start_before: Option<Instant>,
}

/// What a changing call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is gone now, or will be in a moment: several calls of Genesys answer before they are through.
    Removed,
    /// It was gone before (404).
    AlreadyGone,
    /// It is there, or as the call wants it, now or in a moment.
    Applied,
}

/// Reports a changing call that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What it did.
    pub effect: Effect,
    /// Genesys's `ININ-Correlation-Id`.
    pub correlation_id: Option<String>,
}

/// What a 404 says about a changing call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The thing to be removed is gone.
    Gone,
    /// The same, and nothing can be read to prove it: only Genesys's own word counts, not a gateway's 404.
    ProvedGone,
    /// Something that the call needs is gone, so the call did nothing.
    Refused,
}

impl Genesys {
    /// Waits for a token and a permit for one changing call. Fails when either is not to be had, and at once where the
    /// handle only reads.
    pub async fn prepare_call(&self) -> Result<OneCall, Error> {
        match self.reach {
            Reach::Everything => {}
            Reach::ReadsOnly => return Err(Error::ReadingOnly),
        }
        for _ in 0..PERMIT_TRIES {
            self.bearer().await?;
            let permit_until = self.permit().await?;
            // The wait for the permit may have outlived the token, and a new token may outlive the permit.
            let bearer = self.bearer().await?;
            if Instant::now() < permit_until {
                let (genesys, request_id) = (self.clone(), RequestId::fresh());
                return Ok(OneCall { genesys, request_id, bearer, permit_until, start_before: None });
            }
        }
        Err(Error::Lapsed(Lapse::Permit))
    }
}

impl std::fmt::Debug for OneCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneCall").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl OneCall {
    /// Gives the `X-Request-Id` that the call will be sent with.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Sets the latest moment at which the call may start; after it nothing is sent.
    pub fn sent_before(mut self, moment: Instant) -> Self {
        self.start_before = Some(moment);
        self
    }

    pub(super) async fn send(self, request: Request, missing: Missing) -> Result<Done, CallFailed> {
        match self.send_once(&request).await {
            // The body of a success isn't looked at: it can't undo the success, and the engine reads everything again.
            Ok(answer) => Ok(Done { effect: Effect::Removed, correlation_id: answer.trace.correlation_id }),
            Err(Error::NotFound { trace, .. }) if missing != Missing::Refused => {
                Ok(Done { effect: Effect::AlreadyGone, correlation_id: trace.correlation_id })
            }
            Err(Error::Status { status: StatusCode::NOT_FOUND, trace, .. }) if missing == Missing::Gone => {
                Ok(Done { effect: Effect::AlreadyGone, correlation_id: trace.correlation_id })
            }
            Err(error) => Err(CallFailed::new(error)),
        }
    }

    /// Sends a call that brings or sets something instead of taking it away, for which no 404 is a success.
    pub(super) async fn apply(self, request: Request) -> Result<Done, CallFailed> {
        let done = self.send(request, Missing::Refused).await?;
        Ok(Done { effect: Effect::Applied, ..done })
    }

    /// Sends a call that may fail with a status of success, so that its answer has to be read. An answer that can't be
    /// read leaves the outcome unknown.
    pub(super) async fn send_for_answer<T: DeserializeOwned>(
        self,
        subject: &'static str,
        request: Request,
    ) -> Result<(T, Trace), CallFailed> {
        let answer = self.send_once(&request).await.map_err(CallFailed::new)?;
        answer.into_found(subject, request.answer).map_err(CallFailed::new)
    }

    async fn send_once(&self, request: &Request) -> Result<Answer, Error> {
        let inner = &self.genesys.inner;
        let url = send::address(&inner.settings.api_url, &request.path)?;
        let mut http = inner.http.request(request.method.clone(), url);
        http = http.header(reqwest::header::AUTHORIZATION, self.bearer.header());
        if let Some(body) = &request.body {
            http = http.json(body);
        }
        self.check_start(Instant::now())?;
        let answer = send::exchange(inner, http, self.request_id).await;
        inner.token.judge(&self.bearer, &answer);
        answer
    }

    fn check_start(&self, now: Instant) -> Result<(), Error> {
        if self.start_before.is_some_and(|moment| now >= moment) {
            return Err(Error::Lapsed(Lapse::Deadline));
        }
        if now >= self.permit_until {
            return Err(Error::Lapsed(Lapse::Permit));
        }
        self.genesys
            .inner
            .gate
            .closed_for(now)
            .map_or(Ok(()), |retry_after| Err(Error::HeldBack { retry_after }))
    }
}

/// Keeps of an object that was read what can be written. Fails when that is nothing: Genesys would set its defaults.
pub(super) fn only(found: &Value, fields: &[&str]) -> Result<Map<String, Value>, CallFailed> {
    let found = found.as_object().into_iter().flatten();
    let kept = found.filter(|(name, value)| fields.contains(&name.as_str()) && !value.is_null());
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    if kept.is_empty() {
        return Err(CallFailed::not_sent_for("there is nothing in it that can be set"));
    }
    Ok(kept)
}
