//! The operator API on the admin listener, and the metrics beside it.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::Operators;
use super::problem::Problem;
use crate::config::Role;
use crate::genesys::Genesys;
use crate::offboarding::OffboardingId;
use crate::offboarding::choices::Mode;
use crate::operate::{self, Asked, InMode, OperateError};
use crate::store::Store;
use crate::store::decisions::{Decided, Decision};
use crate::store::views::{Filter, PAGE_MAX};

/// Offboardings of a page where the caller says nothing.
const PAGE_DEFAULT: u32 = 50;

/// What the API needs.
#[derive(Clone)]
pub struct Api {
    /// The database.
    pub store: Store,
    /// Whether anything is changed.
    pub mode: Mode,
    /// For previews.
    pub genesys: Genesys,
    /// What a preview goes by.
    pub preview_rules: operate::Rules,
    /// Who may call.
    pub operators: Operators,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

impl Api {
    /// The routes.
    pub fn router(self) -> Router {
        let here = super::wrong_method;
        Router::new()
            .route("/api/v1/offboardings", get(list).fallback(here))
            .route("/api/v1/offboardings/{id}", get(show).fallback(here))
            .route("/api/v1/offboardings/{id}/retry", post(retry).fallback(here))
            .route("/api/v1/offboardings/{id}/cancel", post(cancel).fallback(here))
            .route("/api/v1/offboardings/{id}/approve", post(approve).fallback(here))
            .route("/api/v1/offboardings/{id}/restore", post(restore).fallback(here))
            .route("/api/v1/plan", get(plan).fallback(here))
            .route("/metrics", get(metrics).fallback(here))
            .fallback(super::nothing_here)
            .with_state(self)
    }

    /// An answer; it says so where the service runs dry.
    fn json(&self, body: &impl Serialize) -> Response {
        axum::Json(InMode::new(self.mode, body)).into_response()
    }
}

#[derive(Deserialize)]
struct ListQuery {
    status: Option<String>,
    person: Option<String>,
    source: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, Problem> {
        let limit =
            self.limit.map_or(Ok(PAGE_DEFAULT), |l| l.parse().map_err(|_| Problem::BadParameter("limit")))?;
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::BadParameter("limit"));
        }
        let status =
            self.status.map(|s| s.parse().map_err(|_| Problem::BadParameter("status"))).transpose()?;
        let after = self.after.map(|a| id(&a).ok_or(Problem::BadParameter("after"))).transpose()?;
        Ok(Filter { status, person: self.person, source: self.source, after, limit })
    }
}

fn id(text: &str) -> Option<OffboardingId> {
    Uuid::try_parse(text).ok().map(OffboardingId)
}

async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let page = operate::list(&api.store, &query.filter()?).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&page))
}

async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let id = id(&path).ok_or(Problem::NotFound)?;
    let view = operate::show(&api.store, id).await.map_err(|error| trouble(&error))?;
    view.map(|view| api.json(&view)).ok_or(Problem::NotFound)
}

async fn retry(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Retry, Role::Operator).await
}

async fn cancel(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Cancel, Role::Operator).await
}

async fn approve(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Approve, Role::Approver).await
}

async fn restore(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Restore, Role::Operator).await
}

async fn decide(
    api: Api,
    headers: HeaderMap,
    path: String,
    decision: Decision,
    role: Role,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(role)?;
    let id = id(&path).ok_or(Problem::NotFound)?;
    operate::may_decide(api.mode, decision).map_err(|error| trouble(&error))?;
    let decided = operate::decide(&api.store, id, decision, &caller.actor()).await;
    let (decided, view) = decided.map_err(|error| trouble(&error))?;
    match decided {
        Decided::Yes => view.map(|view| api.json(&view)).ok_or(Problem::NotFound),
        Decided::Unknown => Err(Problem::NotFound),
        Decided::NotFrom(status) => Err(Problem::NotPossible(status.to_string())),
        Decided::OwnRequest => Err(Problem::OwnRequest),
        Decided::AnotherOpen(other) => {
            Err(Problem::NotPossible(format!("not the only one of this person: {other} is open")))
        }
        Decided::ApprovalNeeded(reason) => {
            Err(Problem::NotPossible(format!("held for {reason}, which an approver has to release")))
        }
        Decided::NothingToRestore => Err(Problem::NotPossible(
            "nothing to restore: nothing was changed, or it has been put back".to_owned(),
        )),
        Decided::FactsMissing(reason) => Err(Problem::NotPossible(format!("held for {reason}"))),
    }
}

#[derive(Deserialize)]
struct PlanQuery {
    person: Option<String>,
    #[serde(rename = "type")]
    termination_type: Option<String>,
}

async fn plan(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<PlanQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let person = query.person.ok_or(Problem::BadParameter("person"))?;
    let asked = Asked { person: &person, termination_type: query.termination_type.as_deref() };
    let preview = operate::preview(&api.genesys, &api.preview_rules, asked).await;
    Ok(api.json(&preview.map_err(|error| trouble(&error))?))
}

/// Prometheus text. Counts that live in the database are read when they are asked for, and written out here: a gauge
/// that is only ever set keeps showing a status that nobody has any more.
async fn metrics(State(api): State<Api>) -> Response {
    let mut text = api.metrics.render();
    let dry = match api.mode {
        Mode::Live => 0,
        Mode::DryRun => 1,
    };
    text.push_str(&format!("# TYPE leaver_dry_run gauge\nleaver_dry_run {dry}\n"));
    text.push_str("# TYPE leaver_database_up gauge\n");
    match api.store.overview().await {
        Ok((counts, oldest_seconds)) => {
            text.push_str("leaver_database_up 1\n# TYPE leaver_oldest_unfinished_seconds gauge\n");
            text.push_str(&format!("leaver_oldest_unfinished_seconds {oldest_seconds}\n"));
            text.push_str("# TYPE leaver_offboardings gauge\n");
            for count in counts {
                // The labels are words of ours and need no escaping.
                let labels = format!(
                    "status=\"{}\",outcome=\"{}\",reason=\"{}\"",
                    count.status, count.outcome, count.reason
                );
                text.push_str(&format!("leaver_offboardings{{{labels}}} {}\n", count.count));
            }
        }
        Err(_) => text.push_str("leaver_database_up 0\n"),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn trouble(error: &OperateError) -> Problem {
    match error {
        OperateError::Store(cause) => {
            tracing::error!(
                error = cause as &dyn std::error::Error,
                "an operator's request could not be carried out"
            );
            Problem::Unavailable
        }
        OperateError::Genesys(cause) => Problem::GenesysTrouble(cause.code()),
        OperateError::RunsDry => Problem::RunsDry,
        OperateError::NotOne(_) | OperateError::NoAuthority => Problem::BadParameter("person"),
    }
}
