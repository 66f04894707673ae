//! `POST /webhooks/{source}`: verify the raw bytes, read them, commit, and only then answer. The work itself is the
//! worker's.

mod again;
mod handshakes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::RemoteAddress;
use super::alarms::{self, Alarms, Heard};
use super::problem::Problem;
use crate::hris::{Reading, Refusal, Source};
use crate::offboarding::choices::{EffectiveAt, Mode};
use crate::offboarding::policy::{self, Intake};
use crate::offboarding::{Directive, PersonRef, Reason, TerminationEvent, Zone};
use crate::operate::InMode;
use crate::store::Store;
use crate::store::events::{Accepted, Delivery, Item, Noted, Receipt};

/// The whole body has to be here within this time.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Of a body that is too long this much more is read and thrown away, for so long: a sender that reads no answer before it has
/// sent everything would else only see a broken connection. The answer is due within 3 s.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
const DISCARD_DEADLINE: Duration = Duration::from_millis(1_500);

/// The commit has to be done within this time, because an answer is due within 3 s of the request's end and the
/// least patient senders hang up then.
pub(super) const COMMIT_DEADLINE: Duration = Duration::from_millis(2_500);

/// Deliveries at the same time: what does not get a connection to the database within its deadline would only be a
/// slower refusal.
pub(super) const IN_FLIGHT_MAX: usize = 256;

/// A word for the metrics and an answer.
type Answered = (&'static str, Response);

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    sources: BTreeMap<String, Arc<Source>>,
    body_limit: usize,
    zone: Zone,
    effective_at: EffectiveAt,
    mode: Mode,
    room: Semaphore,
    clock: Clock,
    room_for_tokens: Semaphore,
    alarms: Alarms,
}

/// The receiver's time: the machine's, unless another clock was put in.
#[derive(Default)]
struct Clock(OnceLock<Box<dyn Fn() -> DateTime<Utc> + Send + Sync>>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    fn now(&self) -> DateTime<Utc> {
        self.0.get().map_or_else(Utc::now, |clock| clock())
    }
}

impl Webhooks {
    /// Makes the endpoint for these sources; `zone` and `effective_at` hold for those that have none of their own.
    pub fn new(
        store: Store,
        sources: Vec<Arc<Source>>,
        body_limit: usize,
        zone: Zone,
        effective_at: EffectiveAt,
        mode: Mode,
    ) -> Self {
        let sources: BTreeMap<_, _> =
            sources.into_iter().map(|source| (source.name().to_owned(), source)).collect();
        let alarms = Alarms::new(sources.keys());
        let (room, room_for_tokens) = (Semaphore::new(IN_FLIGHT_MAX), Semaphore::new(1));
        Self {
            inner: Arc::new(Inner {
                store,
                sources,
                body_limit,
                zone,
                effective_at,
                mode,
                room,
                room_for_tokens,
                alarms,
                clock: Clock::default(),
            }),
        }
    }

    /// Puts in another clock than the machine's, for deliveries of another time. The first one that is put in stays.
    pub fn with_clock(self, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        let _ = self.inner.clock.0.set(Box::new(clock));
        self
    }

    /// What this process has heard of a source.
    pub(super) fn heard(&self, source: &str) -> Heard {
        self.inner.alarms.heard(source)
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/webhooks/{source}", post(receive).fallback(handshakes::other_method))
            .fallback(super::nothing_here)
            .with_state(self)
    }
}

async fn receive(
    State(webhooks): State<Webhooks>,
    Path(source): Path<String>,
    remote_address: Option<Extension<RemoteAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let inner = &webhooks.inner;
    let Some(source) = inner.sources.get(&source) else {
        return Problem::NotFound.into_response();
    };
    let remote_address = remote_address.map(|Extension(of)| of.0);
    let (word, response) = match accept(inner, source, remote_address, &headers, body).await {
        Ok(accepted) => answer(inner.mode, stored_status(source), accepted),
        Err(answered) => answered,
    };
    count(source, word);
    metrics::histogram!("leaver_acknowledge_seconds").record(started.elapsed());
    response
}

fn count(source: &Source, word: &'static str) {
    metrics::counter!("leaver_deliveries_total", "source" => source.name().to_owned(), "result" => word)
        .increment(1);
}

async fn accept(
    inner: &Inner,
    source: &Source,
    remote_address: Option<SocketAddr>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Accepted, Answered> {
    let unavailable = || ("unavailable", Problem::Unavailable.into_response());
    if headers.contains_key(header::CONTENT_ENCODING) || !source.accepts_content_type(headers) {
        let wanted = source.format().content_type();
        return Err(("unsupported_media", Problem::UnsupportedMedia(wanted).into_response()));
    }
    let body = whole(body, inner.body_limit).await.map_err(|problem| ("unread", problem.into_response()))?;
    if let Some(answered) = handshakes::ping(source, &body) {
        return Err(answered);
    }
    let now = inner.clock.now();
    let key = match source.verify(headers, &body, now) {
        Ok(key) => key,
        Err(cause) => {
            let kept = handshakes::token(inner, source, remote_address, &body).await;
            return Err(kept.unwrap_or_else(|| refuse(inner, source, cause, remote_address, headers)));
        }
    };
    inner.alarms.succeeded(source.name(), note_skew(inner, source, headers));
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
    let span = tracing::info_span!("accept", source = source.name());
    let accepted = inner.store.accept_termination(delivery).instrument(span);
    match tokio::time::timeout(COMMIT_DEADLINE, accepted).await {
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
            alarms::in_doubt(source.name()).increment(1);
            tracing::error!("the database did not commit a delivery in time");
            Err(unavailable())
        }
    }
}

/// How far the sender's clock is from ours, whichever is ahead: both make a window too narrow.
fn note_skew(inner: &Inner, source: &Source, headers: &HeaderMap) -> Option<i64> {
    let ahead = inner.clock.now().signed_duration_since(source.signed_at(headers)?);
    metrics::histogram!("leaver_timestamp_skew_seconds", "source" => source.name().to_owned())
        .record(ahead.abs().to_std().unwrap_or_default());
    Some(ahead.num_seconds())
}

/// What of an event that a rule knew is not understood: it names nobody, or its date is in no form that is read.
const NAMES_NOBODY: &str = "names_nobody";
const EFFECTIVE_UNREADABLE: &str = "effective_unreadable";

/// Reads the body to its end, within its limits of size and time.
pub(super) async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    // Of a length that is announced nothing is kept.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        discard(body).await;
        return Err(Problem::TooLarge(limit));
    }
    match tokio::time::timeout(BODY_DEADLINE, Limited::new(&mut body, limit).collect()).await {
        Err(_) => Err(Problem::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(Problem::TooLarge(limit))
        }
        // The sender went away; nobody reads the answer.
        Ok(Err(_)) => Err(Problem::TooSlow),
    }
}

/// Reads on without keeping anything, within its limits of size and time.
async fn discard(mut body: Body) {
    let read = async {
        let mut left = DISCARDED_BYTES_MAX;
        while left > 0 {
            let Some(Ok(frame)) = body.frame().await else { return };
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    // Whoever sends more, or too slowly, sees the connection break.
    let _ = tokio::time::timeout(DISCARD_DEADLINE, read).await;
}

/// Counts and tells what can't be authenticated; the answer is the same for every cause.
fn refuse(
    inner: &Inner,
    source: &Source,
    cause: Refusal,
    remote_address: Option<SocketAddr>,
    headers: &HeaderMap,
) -> Answered {
    inner.alarms.failed(source.name(), cause, remote_address, headers);
    let final_status = source.auth_failure_status() == StatusCode::UNAUTHORIZED.as_u16();
    let problem = if final_status { Problem::DeliveryRefused } else { Problem::DeliveryRefusedForNow };
    ("unauthenticated", problem.into_response())
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
                again_after: None,
                person: PersonRef::default(),
                termination_type: None,
                sequence: None,
                occurred_at: None,
                intake: Intake::Hold(Reason::Unreadable, inner.clock.now()),
                look_up: false,
                noted: Noted { unreadable: Some(cause.as_str()), ..Noted::default() },
            }]
        }
    }
}

fn item(inner: &Inner, source: &Source, event: TerminationEvent) -> Item {
    let zone = source.date_zone().unwrap_or(&inner.zone);
    let effective_at = source.effective_at().and_then(|text| text.parse().ok()).unwrap_or(inner.effective_at);
    let look_up = event.directive == Directive::Lookup && source.look_up().is_some();
    let intake = policy::intake(&event, zone, effective_at, inner.clock.now());
    let unreadable = matches!(intake, Intake::Hold(Reason::Unreadable, _))
        .then(|| if event.person.is_empty() { NAMES_NOBODY } else { EFFECTIVE_UNREADABLE });
    Item {
        event_id: event.event_id,
        content_digest: event.content_digest,
        again_after: event.again_after,
        person: event.person,
        termination_type: event.termination_type,
        sequence: event.sequence,
        occurred_at: event.occurred_at,
        intake,
        look_up,
        noted: Noted { word: event.heard.word, directive: event.heard.rule, unreadable },
    }
}

/// What the sender wants to hear of a delivery that is stored for the first time.
fn stored_status(source: &Source) -> StatusCode {
    StatusCode::from_u16(source.stored_status()).unwrap_or(StatusCode::ACCEPTED)
}

fn answer(mode: Mode, stored: StatusCode, accepted: Accepted) -> Answered {
    let (word, status, receipt) = match accepted {
        Accepted::New(receipt) => ("accepted", stored, receipt),
        Accepted::Held(receipt) => ("held", stored, receipt),
        Accepted::Ignored(receipt) => ("ignored", stored, receipt),
        Accepted::Duplicate(receipt) => ("duplicate", StatusCode::OK, receipt),
        Accepted::Conflict => return ("conflict", Problem::EventIdReused.into_response()),
    };
    if status == StatusCode::NO_CONTENT {
        return (word, status.into_response());
    }
    (word, receipt_response(mode, status, word, &receipt))
}

fn receipt_response(mode: Mode, status: StatusCode, word: &str, receipt: &Receipt) -> Response {
    let duplicate = word == "duplicate";
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
