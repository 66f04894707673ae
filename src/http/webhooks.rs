//! `POST /webhooks/{source}`: verify the raw bytes, read them, commit, and only then answer. The work itself is the
//! worker's.

mod again;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::Utc;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::hris::{Reading, Refusal, Source};
use crate::offboarding::choices::{EffectiveAt, Mode};
use crate::offboarding::policy::{self, Intake};
use crate::offboarding::{PersonRef, Reason, TerminationEvent, Zone};
use crate::operate::InMode;
use crate::store::Store;
use crate::store::events::{Accepted, Delivery, Item, Noted, Receipt};

/// The whole body has to be here within this time.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The commit has to be done within this time, because an answer is due within 3 s of the request's end and the
/// least patient senders hang up then.
const COMMIT_DEADLINE: Duration = Duration::from_millis(2_500);

/// Deliveries at the same time: what does not get a connection to the database within its deadline would only be a
/// slower refusal.
const IN_FLIGHT_MAX: usize = 256;

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    sources: BTreeMap<String, Source>,
    body_limit: usize,
    zone: Zone,
    effective_at: EffectiveAt,
    mode: Mode,
    room: Semaphore,
}

impl Webhooks {
    /// Makes the endpoint for these sources; `zone` and `effective_at` hold for those that have none of their own.
    pub fn new(
        store: Store,
        sources: Vec<Source>,
        body_limit: usize,
        zone: Zone,
        effective_at: EffectiveAt,
        mode: Mode,
    ) -> Self {
        let sources = sources.into_iter().map(|source| (source.name().to_owned(), source)).collect();
        let room = Semaphore::new(IN_FLIGHT_MAX);
        Self { inner: Arc::new(Inner { store, sources, body_limit, zone, effective_at, mode, room }) }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/webhooks/{source}", post(receive).fallback(super::wrong_method))
            .fallback(super::nothing_here)
            .with_state(self)
    }
}

async fn receive(
    State(webhooks): State<Webhooks>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let inner = &webhooks.inner;
    let Some(source) = inner.sources.get(&source) else {
        return Problem::NotFound.into_response();
    };
    let (word, response) = match accept(inner, source, &headers, body).await {
        Ok(accepted) => answer(inner.mode, accepted),
        Err(refused) => refused,
    };
    metrics::counter!("leaver_deliveries_total", "source" => source.name().to_owned(), "result" => word)
        .increment(1);
    metrics::histogram!("leaver_acknowledge_seconds").record(started.elapsed());
    response
}

async fn accept(
    inner: &Inner,
    source: &Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<Accepted, (&'static str, Response)> {
    let refuse = |word, problem: Problem| (word, problem.into_response());
    let unavailable = || refuse("unavailable", Problem::Unavailable);
    if headers.contains_key(header::CONTENT_ENCODING) || !source.accepts_content_type(headers) {
        let wanted = source.format().content_type();
        return Err(refuse("unsupported_media", Problem::UnsupportedMedia(wanted)));
    }
    let body = whole(body, inner.body_limit).await.map_err(|problem| refuse("unread", problem))?;
    let key = source.verify(headers, &body, Utc::now()).map_err(|cause| {
        alarm(source, cause);
        let final_status = source.auth_failure_status() == StatusCode::UNAUTHORIZED.as_u16();
        let problem = if final_status { Problem::DeliveryRefused } else { Problem::DeliveryRefusedForNow };
        refuse("unauthenticated", problem)
    })?;
    // Only who has proved to be the sender counts: slow or forged requests take no room from the others.
    let _room = inner.room.try_acquire().map_err(|_| unavailable())?;
    let items = items(inner, source, headers, &body);
    let delivery = Delivery {
        source: source.name().to_owned(),
        key_index: key.0,
        body: body.to_vec(),
        headers: source.headers_read(headers),
        items,
        asked: None,
    };
    let unknown = delivery.items.iter().filter(|item| item.noted.is_unknown()).count();
    match tokio::time::timeout(COMMIT_DEADLINE, inner.store.accept_termination(delivery)).await {
        Ok(Ok(accepted)) => {
            again::count_unknown(source, &accepted, unknown);
            Ok(accepted)
        }
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a delivery could not be stored");
            Err(unavailable())
        }
        // It may still be committed; the sender comes back and is told so.
        Err(_) => {
            tracing::error!("the database did not commit a delivery in time");
            Err(unavailable())
        }
    }
}

/// Reads the body to its end, within its limits of size and time.
pub(super) async fn whole(body: Body, limit: usize) -> Result<Bytes, Problem> {
    // A length that is announced is refused at once, without waiting for the bytes.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(Problem::TooLarge(limit));
    }
    match tokio::time::timeout(BODY_DEADLINE, Limited::new(body, limit).collect()).await {
        Err(_) => Err(Problem::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge(limit)),
        // The sender went away; nobody reads the answer.
        Ok(Err(_)) => Err(Problem::TooSlow),
    }
}

/// A first failed signature of a source that used to be fine is a mistake with a key or an attack: both want a person.
fn alarm(source: &Source, cause: Refusal) {
    metrics::counter!(
        "leaver_delivery_refusals_total", "source" => source.name().to_owned(), "cause" => cause.as_str()
    )
    .increment(1);
    tracing::warn!(source = source.name(), cause = cause.as_str(), "a delivery could not be authenticated");
}

fn items(inner: &Inner, source: &Source, headers: &HeaderMap, body: &[u8]) -> Vec<Item> {
    match source.read(headers, body) {
        Reading::Events(events) => events.into_iter().map(|event| item(inner, source, event)).collect(),
        Reading::Unreadable { event_id, content_digest, cause } => {
            tracing::warn!(
                source = source.name(),
                cause = cause.as_str(),
                "an authentic delivery is unreadable"
            );
            vec![Item {
                event_id,
                content_digest,
                person: PersonRef::default(),
                termination_type: None,
                sequence: None,
                occurred_at: None,
                intake: Intake::Hold(Reason::Unreadable, Utc::now()),
                noted: Noted { unreadable: Some(cause.as_str()), ..Noted::default() },
            }]
        }
    }
}

fn item(inner: &Inner, source: &Source, event: TerminationEvent) -> Item {
    let zone = source.date_zone().unwrap_or(&inner.zone);
    let effective_at = source.effective_at().and_then(|text| text.parse().ok()).unwrap_or(inner.effective_at);
    let intake = policy::intake(&event, zone, effective_at, Utc::now());
    Item {
        event_id: event.event_id,
        content_digest: event.content_digest,
        person: event.person,
        termination_type: event.termination_type,
        sequence: event.sequence,
        occurred_at: event.occurred_at,
        intake,
        noted: Noted { word: event.heard.word, directive: event.heard.rule, unreadable: None },
    }
}

fn answer(mode: Mode, accepted: Accepted) -> (&'static str, Response) {
    let (word, status, receipt) = match accepted {
        Accepted::New(receipt) => ("accepted", StatusCode::ACCEPTED, receipt),
        Accepted::Held(receipt) => ("held", StatusCode::ACCEPTED, receipt),
        Accepted::Ignored(receipt) => ("ignored", StatusCode::ACCEPTED, receipt),
        Accepted::Duplicate(receipt) => ("duplicate", StatusCode::OK, receipt),
        Accepted::Conflict => return ("conflict", Problem::EventIdReused.into_response()),
    };
    (word, receipt_response(mode, status, word, &receipt))
}

fn receipt_response(mode: Mode, status: StatusCode, word: &str, receipt: &Receipt) -> Response {
    let duplicate = status == StatusCode::OK;
    let offboardings: Vec<_> = receipt
        .offboardings
        .iter()
        .map(|brief| match duplicate {
            true => json!({
                "id": brief.id, "status": brief.status, "outcome": brief.outcome, "reason": brief.reason,
            }),
            false => json!({ "id": brief.id, "status": brief.status }),
        })
        .collect();
    let body = json!({ "status": word, "event_id": receipt.event_id, "offboardings": offboardings });
    let body = axum::Json(InMode::new(mode, body));
    (status, body).into_response()
}
