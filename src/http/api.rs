//! The operator API on the admin listener, and the metrics beside it.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::Operators;
use super::oidc::SingleSignOn;
use super::problem::Problem;
use super::session::Sessions;
use super::webhooks::Webhooks;
use super::{events, layoffs, oidc, own};
use crate::config::Role;
use crate::genesys::Genesys;
use crate::offboarding::choices::Mode;
use crate::offboarding::{OffboardingId, Reason, Status};
use crate::operate::{self, Asked, Completion, InMode, OperateError};
use crate::store::brake::BrakeUse;
use crate::store::decisions::{Decided, Decision};
use crate::store::progress::BrakeLimits;
use crate::store::views::{Count, Filter, PAGE_MAX, View};
use crate::store::{Store, StoreError};

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
    /// What operators' own terminations go by.
    pub own_rules: operate::OwnRules,
    /// The brake's limits, for the metrics.
    pub brake: BrakeLimits,
    /// Who may call.
    pub operators: Operators,
    /// Who is signed in to the console.
    pub sessions: Sessions,
    /// Sign-in at the issuer, where one is configured.
    pub single_sign_on: Option<SingleSignOn>,
    /// What reads stored deliveries again.
    pub webhooks: Webhooks,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

impl Api {
    /// The routes.
    pub fn router(self) -> Router {
        let here = super::wrong_method;
        Router::new()
            .route("/api/v1/offboardings", get(list).post(own::offboard).fallback(here))
            .route("/api/v1/offboardings/{id}", get(show).fallback(here))
            .route("/api/v1/offboardings/{id}/retry", post(retry).fallback(here))
            .route("/api/v1/offboardings/{id}/cancel", post(cancel).fallback(here))
            .route("/api/v1/offboardings/{id}/approve", post(approve).fallback(here))
            .route("/api/v1/offboardings/{id}/restore", post(restore).fallback(here))
            .route("/api/v1/plan", get(plan).fallback(here))
            .route("/metrics", get(metrics).fallback(here))
            .merge(events::routes())
            .merge(own::routes())
            .merge(layoffs::routes())
            .merge(oidc::routes())
            .fallback(super::nothing_here)
            .with_state(self)
    }

    /// An answer; it says so where the service runs dry.
    pub(super) fn json(&self, body: &impl Serialize) -> Response {
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
        let limit = page_limit(self.limit)?;
        let status =
            self.status.map(|s| s.parse().map_err(|_| Problem::BadParameter("status"))).transpose()?;
        let after = self.after.map(|a| id(&a).ok_or(Problem::BadParameter("after"))).transpose()?;
        Ok(Filter { status, person: self.person, source: self.source, after, limit })
    }
}

/// How many a page holds.
pub(super) fn page_limit(text: Option<String>) -> Result<u32, Problem> {
    let limit = text.map_or(Ok(PAGE_DEFAULT), |text| text.parse());
    limit.ok().filter(|limit| (1..=PAGE_MAX).contains(limit)).ok_or(Problem::BadParameter("limit"))
}

/// Reads an offboarding's id.
pub(super) fn id(text: &str) -> Option<OffboardingId> {
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
    body: Body,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Approver)?;
    let id = id(&path).ok_or(Problem::NotFound)?;
    let completion: Completion = own::read_or_none(body).await?.unwrap_or_default();
    let approved = if completion.is_empty() {
        operate::decide(&api.store, id, Decision::Approve, &caller.actor()).await
    } else {
        operate::complete(&api.store, &api.own_rules, id, &completion, &caller.actor()).await
    };
    answer(&api, approved)
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
    answer(&api, operate::decide(&api.store, id, decision, &caller.actor()).await)
}

fn answer(api: &Api, decided: Result<(Decided, Option<View>), OperateError>) -> Result<Response, Problem> {
    let (decided, view) = decided.map_err(|error| trouble(&error))?;
    match problem_of(decided) {
        None => view.map(|view| api.json(&view)).ok_or(Problem::NotFound),
        Some(refused) => Err(refused),
    }
}

/// Why a decision was refused, or nothing.
pub(super) fn problem_of(decided: Decided) -> Option<Problem> {
    Some(match decided {
        Decided::Yes => return None,
        Decided::Unknown => Problem::NotFound,
        Decided::NotFrom(status) => Problem::NotPossible(status.to_string()),
        Decided::OwnRequest => Problem::OwnRequest,
        Decided::AnotherOpen(other) => {
            Problem::NotPossible(format!("not the only one of this person: {other} is open"))
        }
        Decided::ApprovalNeeded(reason) => {
            Problem::NotPossible(format!("held for {reason}, which an approver has to release"))
        }
        Decided::NothingToRestore => Problem::NotPossible(
            "nothing to restore: nothing was changed, or it has been put back".to_owned(),
        ),
        Decided::FactsMissing(reason) => {
            Problem::NotPossible(format!("held for {reason}: whom it is about has to be said (email)"))
        }
        Decided::NamedAlready => {
            Problem::NotPossible("the event names the person by an address already".to_owned())
        }
        Decided::HeldFor(reason) => Problem::NotPossible(format!("held for {reason}")),
    })
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
    let read = async { Ok::<_, StoreError>((api.store.overview().await?, api.store.brake_use().await?)) };
    match read.await {
        Ok(((counts, oldest_seconds), used)) => {
            text.push_str("leaver_database_up 1\n# TYPE leaver_oldest_unfinished_seconds gauge\n");
            text.push_str(&format!("leaver_oldest_unfinished_seconds {oldest_seconds}\n"));
            text.push_str(&brake_metrics(api.brake, used, &counts));
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

/// How near the brake is, and who waits for it.
fn brake_metrics(limits: BrakeLimits, used: BrakeUse, counts: &[Count]) -> String {
    let waits =
        |count: &&Count| count.status == Status::Held.as_str() && count.reason == Reason::Brake.as_str();
    let held: i64 = counts.iter().filter(waits).map(|count| count.count).sum();
    format!(
        "# TYPE leaver_brake_used gauge\nleaver_brake_used{{window=\"hour\"}} {}\n\
         leaver_brake_used{{window=\"day\"}} {}\n\
         # TYPE leaver_brake_limit gauge\nleaver_brake_limit{{window=\"hour\"}} {}\n\
         leaver_brake_limit{{window=\"day\"}} {}\n\
         # TYPE leaver_brake_held gauge\nleaver_brake_held {held}\n",
        used.hour, used.day, limits.per_hour, limits.per_day,
    )
}

/// What the caller is told of an error.
pub(super) fn trouble(error: &OperateError) -> Problem {
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
        OperateError::Field(field, problem) => Problem::BadField(field, problem.clone()),
        OperateError::Gone => Problem::Unavailable,
    }
}
