//! `/api/v1/layoffs`: planning a layoff, and its approval by somebody else.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::api::{Api, cursor, page_limit, trouble};
use super::description::{self, Conflict, NotFound};
use super::own::read;
use super::problem::Problem;
use super::query::{NoParameters, Query};
use crate::config::Role;
use crate::operate::{self, InMode, LayoffPage, LayoffPlan};
use crate::store::layoffs::{Layoff, LayoffDecided, LayoffDecision, LayoffFilter, LayoffId};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list, plan)).routes(routes!(approve)).routes(routes!(cancel))
}

/// Plans a layoff; it lets nobody past the brake before somebody else has approved it.
#[utoipa::path(
    post, path = "/api/v1/layoffs", tag = "layoffs", security(("bearer" = ["operator"])),
    request_body = LayoffPlan,
    responses((status = 201, description = "The layoff.", body = InMode<Layoff>)),
)]
async fn plan(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let asked: LayoffPlan = read(body).await?;
    let planned = operate::plan_layoff(&api.store, &api.own_rules, &asked, &caller.actor()).await;
    Ok((StatusCode::CREATED, api.json(&planned.map_err(|error| trouble(&error))?)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only what comes after this cursor, the `next` of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<String>,
    /// How many at the most.
    #[param(schema_with = description::limit)]
    limit: Option<String>,
}

/// Lists layoffs, newest first.
#[utoipa::path(
    get, path = "/api/v1/layoffs", tag = "layoffs", security(("bearer" = ["viewer"])),
    params(ListQuery),
    responses((status = 200, description = "A page.", body = InMode<LayoffPage>)),
)]
async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let filter = LayoffFilter {
        only: None,
        after: cursor(query.after)?.map(LayoffId),
        limit: page_limit(query.limit)?,
    };
    let page = operate::layoffs(&api.store, &filter).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&page))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = LayoffApproval)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    /// The digest of the layoff's list, 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    digest: String,
}

/// Approves a layoff that somebody else planned; the digest names the list that was looked at.
#[utoipa::path(
    post, path = "/api/v1/layoffs/{id}/approve", tag = "layoffs", security(("bearer" = ["approver"])),
    params(("id" = Uuid, Path, description = "The layoff's id.")),
    request_body = ApproveBody,
    responses((status = 200, description = "The layoff as it is now.", body = InMode<Layoff>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn approve(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Path(path): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Approver)?;
    let asked: ApproveBody = read(body).await?;
    let digest = operate::read_digest(&asked.digest).map_err(|error| trouble(&error))?;
    decide(api, headers, path, LayoffDecision::Approve(digest)).await
}

/// Lets nobody through under a layoff any more.
#[utoipa::path(
    post, path = "/api/v1/layoffs/{id}/cancel", tag = "layoffs", security(("bearer" = ["operator"])),
    params(("id" = Uuid, Path, description = "The layoff's id.")),
    responses((status = 200, description = "The layoff as it is now.", body = InMode<Layoff>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn cancel(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Operator)?;
    decide(api, headers, path, LayoffDecision::Cancel).await
}

async fn decide(
    api: Api,
    headers: HeaderMap,
    path: String,
    decision: LayoffDecision,
) -> Result<Response, Problem> {
    let actor = api.operators.caller(&headers)?.actor();
    let id = Uuid::try_parse(&path).map(LayoffId).map_err(|_| Problem::NotFound)?;
    let decided = operate::decide_layoff(&api.store, id, decision, &actor).await;
    match decided.map_err(|error| trouble(&error))? {
        Ok(layoff) => Ok(api.json(&layoff)),
        Err(refused) => Err(problem(refused)),
    }
}

/// Says why a decision is not possible.
pub(super) fn problem(refused: LayoffDecided) -> Problem {
    match refused {
        LayoffDecided::OwnRequest => Problem::OwnRequest,
        LayoffDecided::Unknown | LayoffDecided::Yes => Problem::NotFound,
        LayoffDecided::OtherList => Problem::LayoffNotPossible("its list has another digest"),
        LayoffDecided::AlreadyApproved => Problem::LayoffNotPossible("it was approved before"),
        LayoffDecided::AlreadyCancelled => Problem::LayoffNotPossible("it was cancelled before"),
        LayoffDecided::Over => Problem::LayoffNotPossible("its window is over"),
    }
}
