//! The edge: connections with deadlines, and what is served on the two listeners. What a request means is said by
//! `hris`, `operate` and `store`.

mod alarms;
pub mod api;
pub mod audit;
pub mod auth;
mod callbacks;
pub mod console;
mod description;
mod events;
pub mod health;
mod idempotency;
mod layoffs;
mod media;
pub mod metrics;
pub mod oidc;
mod oidc_pages;
mod own;
mod pause;
pub mod problem;
mod query;
pub mod scim;
pub mod session;
mod wanted;
pub mod webhooks;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::telemetry::traces;
use problem::Problem;

/// Headers have to be complete within this time, or the connection is closed: a half-sent header costs a connection.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);

/// An answer of which nothing is taken for so long ends its connection: a peer that doesn't read costs a place.
const UNREAD_MAX: Duration = Duration::from_secs(15);

/// The largest header: eight times what the longest known sender needs.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Connections of one listener at the same time, far below the usual limit of 1,024 open files of a process.
const CONNECTIONS_MAX: usize = 400;

/// The wait after a failed `accept`, which is mostly a lack of file descriptors and gone when a connection ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What probes and scrapers ask every few seconds, which is no story to tell.
const UNTRACED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Where a request's connection comes from: the sender, or the last proxy before this process.
#[derive(Clone, Copy, Debug)]
struct RemoteAddress(SocketAddr);

/// Serves until `stop`, then lets the running requests end. Own loop: axum's knows no deadline for headers.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    // A request that panics is our own trouble, and the sender comes back with it.
    let panics = CatchPanicLayer::custom(|_| Problem::Unavailable.into_response());
    let router = router
        .layer(axum::middleware::from_fn(every_refusal_a_problem))
        .layer(axum::middleware::from_fn(one_host))
        .layer(axum::middleware::from_fn(traced))
        .layer(panics);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        // Waiting for room before accepting leaves the rest in the kernel's queue instead of refusing them.
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, remote_address)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    serve_connection(stream, RemoteAddress(remote_address), router, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Refused at once, a caller tries elsewhere; in the queue of a listener that nobody serves it would wait for nothing.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn serve_connection(
    stream: TcpStream,
    remote_address: RemoteAddress,
    router: Router,
    stop: CancellationToken,
) {
    // Answers are small and awaited.
    let _ = stream.set_nodelay(true);
    // Who takes nothing of an answer for this long is gone: no other timer runs while one can't be written.
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_MAX));
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(remote_address);
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A broken connection is the client's business; whatever was accepted is committed.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Response {
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}

/// One span per request, by the route's template: a path may hold the id of a person. A trace that the request names is
/// continued.
async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    if UNTRACED.contains(&route) {
        return next.run(request).await;
    }
    // A method is any word that a caller makes up.
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let method = known.iter().find(|method| *method == request.method()).map_or("_OTHER", Method::as_str);
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = format!("{method} {route}"),
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
    );
    traces::continue_trace(&span, request.headers());
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// HTTP/1.1 wants exactly one `Host`; hyper lets none and two through, and proxies disagree about which one counts.
async fn one_host(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => next.run(request).await,
        // HTTP/1.0 knows no `Host`, and some load balancers still ask so whether the process is well.
        (None, _) if request.version() <= Version::HTTP_10 => next.run(request).await,
        (None, _) | (Some(_), Some(_)) => Problem::HostNeeded.into_response(),
    }
}

/// The framework refuses a path that is no UTF-8, or a parameter that is repeated, with plain text of its own.
async fn every_refusal_a_problem(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let of_framework = response.status() == StatusCode::BAD_REQUEST
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if of_framework { Problem::MalformedAddress.into_response() } else { response }
}

/// What a path without a route answers.
async fn nothing_here() -> Problem {
    Problem::NotFound
}

/// What a route without the method answers.
async fn wrong_method() -> Problem {
    Problem::MethodNotAllowed
}
