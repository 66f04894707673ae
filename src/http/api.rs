//! The operator API on the admin listener, and the metrics beside it.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::audit::{self, Audit};
use super::auth::Operators;
use super::description::{self, AmbiguousPerson, Conflict, GenesysTrouble, NotFound, PersonNotFound};
use super::media::only_json;
use super::metrics::Metrics;
use super::oidc::SingleSignOn;
use super::problem::Problem;
use super::query::{NoParameters, Query};
use super::session::Sessions;
use super::webhooks::Webhooks;
use super::{callbacks, events, idempotency, layoffs, oidc, own, pause};
use crate::config::Role;
use crate::genesys::Genesys;
use crate::offboarding::choices::Mode;
use crate::offboarding::{OffboardingId, Status};
use crate::operate::{self, Asked, Completion, InMode, OperateError, Page, Preview};
use crate::store::Store;
use crate::store::decisions::{Decided, Decision};
use crate::store::progress::BrakeLimits;
use crate::store::views::{Filter, PAGE_MAX, View};

/// Offboardings of a page where the caller says nothing.
pub(super) const PAGE_DEFAULT: u32 = 50;

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
    /// The brake's limits.
    pub brake: BrakeLimits,
    /// Who may call.
    pub operators: Operators,
    /// Who is signed in to the console.
    pub sessions: Sessions,
    /// Sign-in at the issuer, where one is configured.
    pub single_sign_on: Option<SingleSignOn>,
    /// What reads stored deliveries again.
    pub webhooks: Webhooks,
    /// Who verifies and exports the record.
    pub audit: Audit,
    /// Beside the API.
    pub metrics: Metrics,
}

impl Api {
    /// The routes. Each is registered together with its description.
    pub fn router(self) -> Router {
        let described = OpenApiRouter::default()
            .merge(routes())
            .merge(events::routes())
            .merge(own::routes())
            .merge(layoffs::routes())
            .merge(audit::routes())
            .merge(pause::routes())
            .merge(callbacks::routes())
            .merge(self.metrics.clone().routes())
            .merge(description::routes());
        let (router, description) = described.split_for_parts();
        router
            .layer(description::document(description))
            .layer(from_fn_with_state(self.clone(), idempotency::once))
            .layer(from_fn_with_state(self.clone(), only_json))
            .merge(oidc::routes())
            .method_not_allowed_fallback(super::wrong_method)
            .with_state(self)
    }

    /// An answer; it says so where the service runs dry.
    pub(super) fn json(&self, body: &impl Serialize) -> Response {
        axum::Json(InMode::new(self.mode, body)).into_response()
    }

    /// An answer about offboardings; it says besides where nobody works on them because the service is paused.
    pub(super) async fn told(&self, body: &impl Serialize) -> Result<Response, Problem> {
        let switch = operate::pause_state(&self.store).await.map_err(|error| trouble(&error))?;
        Ok(axum::Json(InMode::new(self.mode, body).under(switch)).into_response())
    }
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list, own::offboard))
        .routes(routes!(show))
        .routes(routes!(retry))
        .routes(routes!(cancel))
        .routes(routes!(approve))
        .routes(routes!(restore))
        .routes(routes!(plan))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this status.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
    /// Only this person: an e-mail address, an external id or a Genesys user id.
    person: Option<String>,
    /// Only this source.
    source: Option<String>,
    /// Only what comes after this cursor, the `next` of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<String>,
    /// How many at the most.
    #[param(schema_with = description::limit)]
    limit: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, Problem> {
        let limit = page_limit(self.limit)?;
        let status =
            self.status.map(|s| s.parse().map_err(|_| Problem::BadParameter("status"))).transpose()?;
        let after = cursor(self.after)?.map(OffboardingId);
        Ok(Filter { status, person: self.person, source: self.source, after, limit, ..Filter::default() })
    }
}

/// How many a page holds: as many as are asked for, up to the most that one may have.
pub(super) fn page_limit(text: Option<String>) -> Result<u32, Problem> {
    let Some(text) = text else { return Ok(PAGE_DEFAULT) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number that no type holds is only a large one.
    let limit = if is_number { text.parse().unwrap_or(PAGE_MAX) } else { 0 };
    if limit > 0 { Ok(limit.min(PAGE_MAX)) } else { Err(Problem::BadParameter("limit")) }
}

/// Behind which row a page begins.
pub(super) fn cursor(text: Option<String>) -> Result<Option<Uuid>, Problem> {
    let read = |text: String| Uuid::try_parse(&text).map_err(|_| Problem::BadParameter("after"));
    text.map(read).transpose()
}

/// Reads an offboarding's id.
pub(super) fn id(text: &str) -> Option<OffboardingId> {
    Uuid::try_parse(text).ok().map(OffboardingId)
}

/// Lists offboardings, newest first.
#[utoipa::path(
    get, path = "/api/v1/offboardings", tag = "offboardings", security(("bearer" = ["viewer"])),
    params(ListQuery),
    responses((status = 200, description = "A page.", body = InMode<Page>)),
)]
async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let page = operate::list(&api.store, &query.filter()?).await.map_err(|error| trouble(&error))?;
    api.told(&page).await
}

/// Shows an offboarding with its steps and its journal.
#[utoipa::path(
    get, path = "/api/v1/offboardings/{id}", tag = "offboardings", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "The offboarding's id.")),
    responses((status = 200, description = "The offboarding as it is now.", body = InMode<View>), (status = 404, response = NotFound)),
)]
async fn show(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let id = id(&path).ok_or(Problem::NotFound)?;
    let view = operate::show(&api.store, id).await.map_err(|error| trouble(&error))?;
    api.told(&view.ok_or(Problem::NotFound)?).await
}

/// Has another attempt made now: of a failed one, or of a held one whose cause is mended.
#[utoipa::path(
    post, path = "/api/v1/offboardings/{id}/retry", tag = "offboardings", security(("bearer" = ["operator"])),
    params(("id" = Uuid, Path, description = "The offboarding's id.")),
    responses((status = 200, description = "The offboarding as it is now.", body = InMode<View>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn retry(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Retry, Role::Operator).await
}

/// Ends an offboarding without carrying it out.
#[utoipa::path(
    post, path = "/api/v1/offboardings/{id}/cancel", tag = "offboardings", security(("bearer" = ["operator"])),
    params(("id" = Uuid, Path, description = "The offboarding's id.")),
    responses((status = 200, description = "The offboarding as it is now.", body = InMode<View>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn cancel(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    decide(api, headers, path, Decision::Cancel, Role::Operator).await
}

/// Releases a held offboarding, where somebody else asked for it. An event that did not say whom or when it is about is completed by the body.
#[utoipa::path(
    post, path = "/api/v1/offboardings/{id}/approve", tag = "offboardings", security(("bearer" = ["approver"])),
    params(("id" = Uuid, Path, description = "The offboarding's id.")),
    request_body(content = Option<Completion>, description = "What the event did not say."),
    responses((status = 200, description = "The offboarding as it is now.", body = InMode<View>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn approve(
    State(api): State<Api>,
    _: Query<NoParameters>,
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
    answer(&api, approved).await
}

/// Has put back what was taken away.
#[utoipa::path(
    post, path = "/api/v1/offboardings/{id}/restore", tag = "offboardings", security(("bearer" = ["operator"])),
    params(("id" = Uuid, Path, description = "The offboarding's id.")),
    responses((status = 200, description = "The offboarding as it is now.", body = InMode<View>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn restore(
    State(api): State<Api>,
    _: Query<NoParameters>,
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
    answer(&api, operate::decide(&api.store, id, decision, &caller.actor()).await).await
}

async fn answer(
    api: &Api,
    decided: Result<(Decided, Option<View>), OperateError>,
) -> Result<Response, Problem> {
    let (decided, view) = decided.map_err(|error| trouble(&error))?;
    match problem_of(decided) {
        None => api.told(&view.ok_or(Problem::NotFound)?).await,
        Some(refused) => Err(refused),
    }
}

/// Why a decision was refused, or nothing.
pub(super) fn problem_of(decided: Decided) -> Option<Problem> {
    let why = operate::why_refused(decided, operate::Asker::Api)?;
    if decided == Decided::Unknown {
        return Some(Problem::NotFound);
    }
    Some(if decided == Decided::OwnRequest { Problem::OwnRequest } else { Problem::NotPossible(why) })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PlanQuery {
    /// An e-mail address, an external id or a Genesys user id.
    #[param(required, value_type = String)]
    person: Option<String>,
    /// Why they would leave, in the HRIS's word; order and waiting may depend on it.
    #[serde(rename = "type")]
    termination_type: Option<String>,
}

/// Looks what an offboarding of somebody would do, and changes nothing.
#[utoipa::path(
    get, path = "/api/v1/plan", tag = "plan", security(("bearer" = ["viewer"])),
    params(PlanQuery),
    responses((status = 200, description = "What would happen.", body = InMode<Preview>), (status = 404, response = PersonNotFound), (status = 409, response = AmbiguousPerson), (status = 502, response = GenesysTrouble)),
)]
async fn plan(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<PlanQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let given = query.person.filter(|person| !person.trim().is_empty());
    let person = given.ok_or(Problem::ParameterMissing("person"))?;
    let asked = Asked { person: &person, termination_type: query.termination_type.as_deref() };
    let preview = operate::preview(&api.genesys, &api.preview_rules, asked).await;
    Ok(api.json(&preview.map_err(|error| audit::parameter(&error))?))
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
        OperateError::NotOne { count: 0, .. } => Problem::NobodyMatches,
        OperateError::NotOne { count, .. } => Problem::SeveralMatch(*count),
        OperateError::NoAuthority => Problem::BadParameter("person"),
        OperateError::Field(field, problem) => Problem::BadField(field, problem.clone()),
        OperateError::Checkpoints { .. } | OperateError::LinkUnreadable(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "the audit chain could not be read");
            Problem::Unavailable
        }
        OperateError::Gone => Problem::Unavailable,
    }
}
