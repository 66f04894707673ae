//! `/api/v1/audit`: verifying the audit chain, and writing the evidence as a stream.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::IntoParams;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Api, trouble};
use super::problem::Problem;
use super::query::{NoParameters, Query};
use crate::config::Role;
use crate::operate::{self, Export, ExportQuery, InMode, OperateError, Verification, Witness};

/// Verifications and exports at the same time: each reads for minutes where the journal is long, over the connections that
/// deliveries need too.
const READERS_MAX: usize = 2;

/// What the routes need besides the store.
#[derive(Clone, Debug)]
pub struct Audit {
    witness: Option<Witness>,
    readers: Arc<Semaphore>,
}

impl Audit {
    /// With the checkpoints that this process's configuration names.
    pub fn new(witness: Option<Witness>) -> Self {
        Self { witness, readers: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// A place among those who read.
    fn reader(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.readers).try_acquire_owned().map_err(|_| Problem::Unavailable)
    }
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(verify)).routes(routes!(export))
}

/// Verifies the audit chain from its first link on, and holds it against the configured checkpoints.
#[utoipa::path(
    get,
    path = "/api/v1/audit/verify",
    tag = "audit",
    responses(
        (status = 200, description = "What was found; `ok` says whether all is as it was written", body = InMode<Verification>),
    ),
    security(("bearer" = ["viewer"]))
)]
async fn verify(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let _reader = api.audit.reader()?;
    let witness = api.audit.witness.as_ref().filter(|witness| witness.is_at_hand());
    let verified = operate::verify(&api.store, witness).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&verified))
}

/// What is to be written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportParameters {
    /// `journal` (the chain; the default) or `offboardings`.
    #[param(schema_with = what)]
    what: Option<String>,
    /// `jsonl` (the default) or `csv`.
    #[param(schema_with = format)]
    format: Option<String>,
    /// Not before: RFC 3339, or a date, which is a day in UTC.
    since: Option<String>,
    /// Before: RFC 3339; or a date, to the end of that day in UTC.
    until: Option<String>,
}

fn what() -> Schema {
    one_of(["journal", "offboardings"])
}

fn format() -> Schema {
    one_of(["jsonl", "csv"])
}

fn one_of(words: [&str; 2]) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// Writes the evidence as JSON lines or CSV.
#[utoipa::path(
    get,
    path = "/api/v1/audit/export",
    tag = "audit",
    params(ExportParameters),
    responses(
        (status = 200, description = "The lines, as far as they were written when the request came", content(
            (String = "application/x-ndjson"), (String = "text/csv"))),
    ),
    security(("bearer" = ["viewer"]))
)]
async fn export(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(asked): Query<ExportParameters>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let [since, until] = [&asked.since, &asked.until].map(|time| time.as_deref().map(with_offset));
    let [what, format, since, until] = [&asked.what, &asked.format, &since, &until].map(Option::as_deref);
    let query = ExportQuery::read(what, format, since, until).map_err(|error| parameter(&error))?;
    let reader = api.audit.reader()?;
    let mut export = Export::begin(&api.store, query).await.map_err(|error| trouble(&error))?;
    // Before the answer's head, so that a database that is away is a 503 and no broken stream.
    let first = export.next_lines().await.map_err(|error| trouble(&error))?;
    let head = [
        (header::CONTENT_TYPE, query.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", query.file_name(Utc::now()))),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((head, Body::from_stream(lines(first, export, reader))).into_response())
}

/// The `+` of an offset that was not encoded has arrived as a space.
fn with_offset(time: &str) -> String {
    match time.rsplit_once(' ') {
        Some((moment, offset)) if moment.contains('T') => format!("{moment}+{offset}"),
        Some(_) | None => time.to_owned(),
    }
}

/// The lines as they are asked for. An error breaks the stream off, so that half an export is never taken for a whole one.
fn lines(
    first: Option<String>,
    export: Export,
    reader: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<String, OperateError>> {
    stream::try_unfold((first, export, reader), |(first, mut export, reader)| async move {
        let Some(text) = first else { return Ok(None) };
        let next = export.next_lines().await.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "an export broke off");
        })?;
        Ok(Some((text, (next, export, reader))))
    })
}

/// Of a query it is a parameter that is wrong.
pub(super) fn parameter(error: &OperateError) -> Problem {
    let problem = trouble(error);
    if let Problem::BadField(name, _) = problem { Problem::BadParameter(name) } else { problem }
}
