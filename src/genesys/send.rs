//! One HTTP exchange: headers, limits, and what the answer says about pacing. Retrying, tokens and the meaning of an
//! answer are left to `read`, `call` and `token`.

use std::time::{Duration, Instant, SystemTime};

use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

use super::{
    Inner,
    error::{Error, Fault, Trace},
    ids::RequestId,
    operation,
    pacing::{Notice, THROTTLE_MAX, retry_after},
    refusal::{self, Refusal},
    settings::{BuildError, Settings},
};

/// A connection that takes longer is not going to come; Genesys answers a handshake in well under a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Idle connections are closed before the load balancers on the way do it (60 s): a call on a connection that was just
/// closed ends with an unknown outcome.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(20);

/// The longest answer that is read: without an end, one answer could fill the memory of the process. Lists whose entries
/// are long ask for smaller pages instead, so that a page stays well below it.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A request without its address's first part, its token and its id.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Begins with `/`; every segment that comes from outside is escaped.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// What the answer is.
    pub(super) answer: Json,
}

/// What a JSON document is as a whole. Left to itself, serde takes a list for an object whose fields come in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// An object, as almost every answer.
    Object,
    /// A list.
    List,
}

impl Request {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None, answer: Json::Object }
    }

    /// For the few reads that answer with a list that has no pages.
    pub(super) fn get_list(path: String) -> Self {
        Self { answer: Json::List, ..Self::get(path) }
    }

    pub(super) fn delete(path: String) -> Self {
        Self { method: Method::DELETE, path, body: None, answer: Json::Object }
    }

    pub(super) fn put(path: String) -> Self {
        Self { method: Method::PUT, path, body: None, answer: Json::Object }
    }

    pub(super) fn with_body(method: Method, path: String, body: Value) -> Self {
        Self { method, path, body: Some(body), answer: Json::Object }
    }
}

/// An answer with a status of success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) trace: Trace,
    content_type: Option<HeaderValue>,
    body: Result<Vec<u8>, BodyFault>,
}

#[derive(Debug)]
enum BodyFault {
    TooLong,
    TimedOut,
    Lost(reqwest::Error),
}

impl Answer {
    /// Gives the body as one JSON object. Fails when the answer is anything else or is not whole.
    pub(super) fn into_object(self, subject: &'static str) -> Result<(Value, Trace), Error> {
        self.into_json(subject, Json::Object)
    }

    fn into_json(self, subject: &'static str, wanted: Json) -> Result<(Value, Trace), Error> {
        let trace = self.trace;
        let malformed = |fault, trace| Error::Malformed { subject, fault, trace };
        let body = match self.body {
            Ok(body) => body,
            Err(BodyFault::TooLong) => return Err(malformed(Fault::TooLong, trace)),
            Err(BodyFault::TimedOut) => return Err(Error::TimedOut { trace }),
            Err(BodyFault::Lost(cause)) => return Err(Error::ConnectionLost { cause, trace }),
        };
        if !is_json(self.content_type.as_ref()) {
            return Err(malformed(Fault::NotJson, trace));
        }
        match serde_json::from_slice::<Value>(&body) {
            Ok(value) if wanted == Json::Object && value.is_object() => Ok((value, trace)),
            Ok(value) if wanted == Json::List && value.is_array() => Ok((value, trace)),
            Ok(_) => Err(malformed(Fault::WrongShape, trace)),
            Err(_) => Err(malformed(Fault::BrokenJson, trace)),
        }
    }

    /// Gives the body as `T`. Fails like [`Answer::into_object`], and when a field isn't as published.
    pub(super) fn into_found<T: DeserializeOwned>(
        self,
        subject: &'static str,
        wanted: Json,
    ) -> Result<(T, Trace), Error> {
        let (value, trace) = self.into_json(subject, wanted)?;
        match serde_json::from_value(value) {
            Ok(found) => Ok((found, trace)),
            // The cause is left out: it may quote the answer.
            Err(_) => Err(Error::Malformed { subject, fault: Fault::WrongShape, trace }),
        }
    }
}

/// Makes the HTTP client: no redirections, no proxy from the environment, no retry of its own.
pub(super) fn client(settings: &Settings) -> Result<Client, BuildError> {
    // Without it reqwest panics, and a panic names neither the cause nor the cure.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(BuildError::NoTlsProvider);
    }
    Client::builder()
        .user_agent(&settings.user_agent)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
        .timeout(settings.timeout)
        .pool_idle_timeout(IDLE_CONNECTION_MAX)
        .build()
        .map_err(BuildError::Client)
}

/// Puts a path behind a base address, which may have a path of its own.
pub(super) fn address(base: &Url, path: &str) -> Result<Url, Error> {
    let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|_| Error::Unsendable("its address cannot be written"))
}

/// Sends one request, once, and tells the pacer what the answer says about limits. The permit is the caller's matter.
pub(super) async fn exchange(
    inner: &Inner,
    request: RequestBuilder,
    request_id: RequestId,
) -> Result<Answer, Error> {
    let trace = Trace { request_id, correlation_id: None };
    let request = request.header("X-Request-Id", request_id.to_string()).header(ACCEPT, "application/json");
    let request = request.build().map_err(|cause| sending_failed(cause.without_url(), trace.clone()))?;
    let (family, method) = (operation::family(request.url().path()), request.method().clone());
    let span = tracing::info_span!(
        "genesys_call",
        otel.kind = "client",
        otel.name = operation::operation(&method, request.url().path()),
        http.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
        %request_id,
    );
    let begun = Instant::now();
    let exchanged = exchange_once(inner, request, trace).instrument(span.clone()).await;
    let status = match &exchanged {
        Ok(answer) => answer.status.as_str().to_owned(),
        Err(error) => error.family(),
    };
    metrics::histogram!("leaver_genesys_call_seconds", "family" => family).record(begun.elapsed());
    metrics::counter!(
        "leaver_genesys_calls_total",
        "family" => family, "method" => method.as_str().to_owned(), "status" => status.clone()
    )
    .increment(1);
    match status.parse::<i64>() {
        Ok(status) => span.record("http.response.status_code", status),
        Err(_) => span.record("error.type", status),
    };
    exchanged
}

async fn exchange_once(inner: &Inner, request: reqwest::Request, mut trace: Trace) -> Result<Answer, Error> {
    let response = match inner.http.execute(request).await {
        Ok(response) => response,
        Err(cause) => return Err(sending_failed(cause.without_url(), trace)),
    };
    trace.correlation_id = correlation_id(response.headers());
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let pause = heed(inner, status, response.headers()).await;
    let body = read_body(response).await;
    if status.is_success() {
        return Ok(Answer { status, trace, content_type, body });
    }
    let body = body.ok().filter(|_| is_json(content_type.as_ref()));
    Err(refusal::error(Refusal { status, pause, body, trace }))
}

fn sending_failed(cause: reqwest::Error, trace: Trace) -> Error {
    if cause.is_builder() {
        Error::Unsendable("its headers or its body cannot be written")
    } else if cause.is_connect() {
        Error::NotConnected { cause, trace }
    } else if cause.is_timeout() {
        Error::TimedOut { trace }
    } else {
        Error::ConnectionLost { cause, trace }
    }
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, BodyFault> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => return Err(BodyFault::TooLong),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(cause) if cause.is_timeout() => return Err(BodyFault::TimedOut),
            Err(cause) => return Err(BodyFault::Lost(cause.without_url())),
        }
    }
}

/// Passes on the limit and the pause that an answer announces; gives the pause.
async fn heed(inner: &Inner, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if let Some(allowed) = inner.allowance.changed(headers) {
        inner.pacer.announced(Notice::AllowedPerMinute(allowed)).await;
    }
    let asked = retry_after(headers, SystemTime::now());
    let pause = match status {
        StatusCode::TOO_MANY_REQUESTS => asked.unwrap_or_default(),
        StatusCode::SERVICE_UNAVAILABLE => asked?,
        _ => return None,
    };
    let pause = pause.clamp(inner.settings.waits.throttle_min, THROTTLE_MAX);
    inner.gate.close_for(pause, Instant::now());
    inner.pacer.announced(Notice::Throttled(pause)).await;
    Some(pause)
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// An id from outside goes into journals and logs, so only one that looks like an id is kept.
fn correlation_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("inin-correlation-id")?.to_str().ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && (1..=64).contains(&text.len())).then(|| text.to_owned())
}
