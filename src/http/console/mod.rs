//! The console at `GET /` of the admin listener: pages for people, rendered here, that work without a network beside the
//! service and without JavaScript. What is shown and decided is `operate`'s and `store`'s; this module asks who may, and puts
//! it into words.

mod assets;
mod callbacks;
mod case;
mod chart;
mod decide;
mod events;
mod guard;
mod held;
mod layoffs;
mod live;
mod new;
mod offboardings;
mod overview;
mod page;
mod pause;
mod progress;
mod sign_in;
mod sources;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::scim::Scim;
use super::session::Sessions;
use crate::config;
use crate::hris::Source;
use sign_in::Tries;
use sources::SourceFacts;

/// Pages that are watched live at the same time. Each costs a connection and a small read per second.
const WATCHED_MAX: usize = 32;

/// Nothing but what this listener serves itself, no script or style inside a page, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The console.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    api: Api,
    sessions: Sessions,
    settings: config::Console,
    sources: Vec<SourceFacts>,
    scim: Scim,
    tries: Tries,
    watched: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Console {
    /// The console over what the API uses, until `closing`: an open page must not keep the process from ending.
    pub fn new(
        api: Api,
        settings: config::Console,
        sources: &[Arc<Source>],
        scim: Scim,
        closing: CancellationToken,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                sessions: api.sessions.clone(),
                settings,
                sources: sources.iter().map(|source| SourceFacts::of(source)).collect(),
                scim,
                tries: Tries::default(),
                watched: Arc::new(Semaphore::new(WATCHED_MAX)),
                closing,
                api,
            }),
        }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(overview::show))
            .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
            .route("/sign-out", post(sign_in::sign_out))
            .route("/offboardings", get(offboardings::list))
            .route("/offboardings/new", get(new::form).post(new::ask))
            .route("/offboardings/{id}", get(case::show))
            .route("/offboardings/{id}/live", get(live::stream))
            .route("/offboardings/{id}/{decision}", get(decide::ask).post(decide::carry_out))
            .route("/held", get(held::show))
            .route("/held/approve", get(held::ask).post(held::approve))
            .route("/events", get(events::list))
            .route("/events/{id}", get(events::show))
            .route("/events/{id}/replay", post(events::replay))
            .route("/sources", get(sources::show))
            .route("/callbacks", get(callbacks::list))
            .route("/callbacks/{id}/repeat", post(callbacks::repeat))
            .route("/layoffs", get(layoffs::list))
            .route("/layoffs/{id}/{decision}", get(layoffs::ask).post(layoffs::carry_out))
            .route("/pause", get(pause::ask_pause).post(pause::pause))
            .route("/resume", get(pause::ask_resume).post(pause::resume))
            .route("/assets/{name}", get(assets::serve))
            .method_not_allowed_fallback(page::wrong_method)
            .fallback(page::nothing_here)
            .layer(axum::middleware::map_response(secured))
            .with_state(self)
    }
}

/// What every answer of the console carries.
async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it browsers send `Origin: null` with a form, and the check of it would refuse our own.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
