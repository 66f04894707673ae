//! One request from its first byte to its answer: journal, hooks, faults, refusals, effect.
//! Who may call and what the call does is left to `admission` and `operations`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::Value;

use crate::admission::{self, Arrival};
use crate::answer::{Answer, Content, Problem};
use crate::control::Control;
use crate::faults::{Action, Fault, Moment, Then};
use crate::journal::{Answered, Effect, Entry, RequestInfo};
use crate::limiter::Standing;
use crate::server::Breaker;

/// The published limit `request.bytes.max`.
const REQUEST_BYTES_MAX: usize = 512_000;

/// Bytes read before the connection is given up: enough to answer an oversized request orderly with 413.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How a request ends.
enum End {
    Answer(Answer),
    Hang,
    Close,
}

/// Answers one request, or doesn't.
pub(crate) async fn handle(
    State(control): State<Control>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, READ_BYTES_MAX).await else {
        breaker.break_connection();
        return Response::new(Body::empty());
    };
    let correlation_id = uuid::Uuid::new_v4().to_string();
    let mut arrival = Arrival::new(&parts.method, &parts.uri, parts.headers, body);
    if arrival.body.len() > REQUEST_BYTES_MAX {
        let message = format!("The request is over the size limit. Maximum bytes: {REQUEST_BYTES_MAX}");
        arrival.refusal = Some(Problem::new(413, "request.entity.too.large", message));
    }
    let (info, standing, faults) = arrive(&control, &mut arrival, &correlation_id);
    match carry_out(&control, &arrival, &info, &faults, standing, &correlation_id) {
        End::Answer(answer) => {
            note_answer(&control, info.sequence, answer.status);
            into_response(answer, &correlation_id, standing)
        }
        End::Hang => std::future::pending().await,
        End::Close => {
            breaker.break_connection();
            Response::new(Body::empty())
        }
    }
}

/// Writes the request into the journal, counts it, and collects what is in store for it.
fn arrive(
    control: &Control,
    arrival: &mut Arrival,
    correlation_id: &str,
) -> (RequestInfo, Standing, Vec<Fault>) {
    let mut world = control.world();
    let info = arrival.describe(world.journal.next_sequence(), world.now(), world.wall_clock());
    let (token, standing) = admission::admit(&mut world, arrival);
    for violation in &arrival.violations {
        let text = format!("#{} {} {}: {violation}", info.sequence, info.method, info.path);
        world.violations.push(text);
    }
    world.journal.push(Entry {
        request: info.clone(),
        effect: Effect::None,
        correlation_id: correlation_id.to_owned(),
        token_id: token.map(|number| format!("token-{number}")),
        answered: None,
    });
    let faults = world.faults.due(&info);
    (info, standing, faults)
}

fn carry_out(
    control: &Control,
    arrival: &Arrival,
    info: &RequestInfo,
    faults: &[Fault],
    standing: Standing,
    correlation_id: &str,
) -> End {
    let hooks = control.world().hooks.clone();
    for hook in hooks {
        tokio::task::block_in_place(|| hook(info));
    }
    for fault in faults.iter().filter(|fault| fault.moment == Moment::BeforeEffect) {
        if let Some(end) = strike(fault, info, standing.allowed, correlation_id) {
            return end;
        }
    }
    let mut answer = admission::perform(control, arrival, info.sequence, correlation_id);
    for fault in faults {
        if matches!(fault.action, Action::Duplicate) {
            answer = admission::perform(control, arrival, info.sequence, correlation_id);
        }
        answer = rewrite(fault, answer);
    }
    for fault in faults.iter().filter(|fault| fault.moment == Moment::AfterEffect) {
        if let Some(end) = strike(fault, info, standing.allowed, correlation_id) {
            return end;
        }
    }
    End::Answer(answer)
}

/// Lets a fault end a request.
fn strike(fault: &Fault, info: &RequestInfo, allowed: u32, correlation_id: &str) -> Option<End> {
    match &fault.action {
        Action::Answer { status: 429, code, retry_after_seconds } => {
            let mut problem = Problem::too_many_requests(retry_after_seconds.unwrap_or(1), allowed);
            problem.retry_after_seconds = *retry_after_seconds;
            code.clone_into(&mut problem.code);
            Some(End::Answer(problem.into_answer(correlation_id)))
        }
        Action::Answer { status, code, retry_after_seconds } => {
            let mut problem = Problem::new(*status, code, format!("Simulated failure {code}."));
            problem.retry_after_seconds = *retry_after_seconds;
            Some(End::Answer(problem.into_answer(correlation_id)))
        }
        Action::Hang => Some(End::Hang),
        Action::Close => Some(End::Close),
        Action::RawBody { status, content_type, body } => Some(End::Answer(Answer {
            status: *status,
            retry_after_seconds: None,
            content: Content::Raw { content_type: content_type.clone(), bytes: Bytes::from(body.clone()) },
        })),
        Action::Call(hook, then) => {
            let hook = Arc::clone(hook);
            tokio::task::block_in_place(|| hook(info));
            match then {
                Then::Continue => None,
                Then::Hang => Some(End::Hang),
                Then::Close => Some(End::Close),
            }
        }
        Action::Truncate(_) | Action::MutateAnswer(_) | Action::Duplicate => None,
    }
}

/// Lets a fault change the true answer.
fn rewrite(fault: &Fault, answer: Answer) -> Answer {
    let Content::Json(value) = &answer.content else {
        return answer;
    };
    match &fault.action {
        Action::MutateAnswer(rewrite) => {
            let value: Value = tokio::task::block_in_place(|| rewrite(value.clone()));
            Answer { content: Content::Json(value), ..answer }
        }
        Action::Truncate(length) => {
            let mut bytes = value.to_string().into_bytes();
            bytes.truncate(*length);
            let content = Content::Raw { content_type: "application/json".to_owned(), bytes: bytes.into() };
            Answer { content, ..answer }
        }
        Action::Answer { .. }
        | Action::Hang
        | Action::Close
        | Action::RawBody { .. }
        | Action::Call(..)
        | Action::Duplicate => answer,
    }
}

fn note_answer(control: &Control, sequence: u64, status: u16) {
    let mut world = control.world();
    let answered = Answered { instant: world.now(), at: world.wall_clock(), status };
    if let Some(entry) = world.journal.get_mut(sequence) {
        entry.answered = Some(answered);
    }
}

fn into_response(answer: Answer, correlation_id: &str, standing: Standing) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    set("inin-correlation-id", correlation_id.to_owned());
    set("inin-ratelimit-count", standing.count.to_string());
    set("inin-ratelimit-allowed", standing.allowed.to_string());
    set("inin-ratelimit-reset", standing.reset_seconds.to_string());
    if let Some(seconds) = answer.retry_after_seconds {
        set("retry-after", seconds.to_string());
    }
    let body = match answer.content {
        Content::Empty => Body::empty(),
        Content::Json(value) => {
            set("content-type", "application/json".to_owned());
            Body::from(value.to_string())
        }
        Content::Raw { content_type, bytes } => {
            set("content-type", content_type);
            Body::from(bytes)
        }
    };
    let mut response = Response::new(body);
    if let Ok(status) = answer.status.try_into() {
        *response.status_mut() = status;
    }
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests;
