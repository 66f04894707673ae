//! `/api/v1/pause` and `/api/v1/resume`: the switch over all replicas.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Api, trouble};
use super::own::read;
use super::problem::Problem;
use super::query::{NoParameters, Query};
use crate::config::Role;
use crate::operate;
use crate::store::pause::PauseState;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(pause_state, pause)).routes(routes!(resume))
}

/// Why the service is to pause.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    /// In the operator's words, on one line of at most 500 characters; they stand in the journal.
    #[schema(schema_with = operate::reason_schema)]
    reason: String,
}

/// Where the switch stands.
#[derive(Serialize, ToSchema)]
struct PauseAnswer {
    #[serde(flatten)]
    state: PauseState,
    /// Changing calls that were intended within the last 90 seconds and have no outcome yet: they may be under way.
    /// Null where they could not be counted.
    calls_under_way: Option<u64>,
}

/// Tells whether the service is paused.
#[utoipa::path(
    get,
    path = "/api/v1/pause",
    tag = "pause",
    security(("bearer" = ["viewer"])),
    responses(
        (status = 200, description = "Where the switch stands", body = PauseAnswer),
    )
)]
async fn pause_state(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let state = operate::pause_state(&api.store).await;
    Ok(answer(&api, state.map_err(|error| trouble(&error))?).await)
}

/// Pauses the service: on no replica does a changing call begin any more. What is received is stored as ever.
#[utoipa::path(
    post,
    path = "/api/v1/pause",
    tag = "pause",
    security(("bearer" = ["operator"])),
    request_body = PauseBody,
    responses(
        (status = 200, description = "The service is paused, or was before", body = PauseAnswer),
    )
)]
async fn pause(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let asked: PauseBody = read(body).await?;
    let state = operate::pause(&api.store, &asked.reason, &caller.actor()).await;
    let state = state.map_err(|error| trouble(&error))?;
    tracing::warn!("the service is paused: no changing call begins");
    Ok(answer(&api, state).await)
}

/// Lets the work go on where it was put down.
#[utoipa::path(
    post,
    path = "/api/v1/resume",
    tag = "pause",
    security(("bearer" = ["operator"])),
    responses(
        (status = 200, description = "The service is not paused", body = PauseAnswer),
    )
)]
async fn resume(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let state = operate::resume(&api.store, &caller.actor()).await.map_err(|error| trouble(&error))?;
    tracing::info!("the service is not paused");
    Ok(answer(&api, state).await)
}

async fn answer(api: &Api, state: PauseState) -> Response {
    // The switch has been moved, whatever comes of the count.
    let calls_under_way = operate::calls_under_way(&api.store).await.ok();
    api.json(&PauseAnswer { state, calls_under_way })
}
