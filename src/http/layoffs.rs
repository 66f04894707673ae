//! `/api/v1/layoffs`: planning a layoff, and its approval by somebody else.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::api::{Api, trouble};
use super::own::read;
use super::problem::Problem;
use crate::config::Role;
use crate::operate::{self, LayoffPlan};
use crate::store::layoffs::{LayoffDecided, LayoffDecision, LayoffId};

/// The routes.
pub(super) fn routes() -> Router<Api> {
    let here = super::wrong_method;
    Router::new()
        .route("/api/v1/layoffs", get(list).post(plan).fallback(here))
        .route("/api/v1/layoffs/{id}/approve", post(approve).fallback(here))
        .route("/api/v1/layoffs/{id}/cancel", post(cancel).fallback(here))
}

async fn plan(State(api): State<Api>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let asked: LayoffPlan = read(body).await?;
    let planned = operate::plan_layoff(&api.store, &api.own_rules, &asked, &caller.actor()).await;
    Ok((StatusCode::CREATED, api.json(&planned.map_err(|error| trouble(&error))?)).into_response())
}

async fn list(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let layoffs = operate::layoffs(&api.store).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&json!({ "items": layoffs })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    digest: String,
}

async fn approve(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Approver)?;
    let asked: ApproveBody = read(body).await?;
    let digest = operate::read_digest(&asked.digest).map_err(|error| trouble(&error))?;
    decide(api, headers, path, LayoffDecision::Approve(digest)).await
}

async fn cancel(
    State(api): State<Api>,
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
        Err(LayoffDecided::OwnRequest) => Err(Problem::OwnRequest),
        Err(LayoffDecided::Unknown) | Err(LayoffDecided::Yes) => Err(Problem::NotFound),
        Err(LayoffDecided::OtherList) => Err(Problem::LayoffNotPossible("its list has another digest")),
        Err(LayoffDecided::AlreadyApproved) => Err(Problem::LayoffNotPossible("it was approved before")),
        Err(LayoffDecided::AlreadyCancelled) => Err(Problem::LayoffNotPossible("it was cancelled before")),
        Err(LayoffDecided::Over) => Err(Problem::LayoffNotPossible("its window is over")),
    }
}
