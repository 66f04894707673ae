//! `/api/v1/callbacks`: what others were told of offboardings, what still waits, and telling it once more.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use uuid::Uuid;

use super::api::{Api, page_limit, trouble};
use super::problem::Problem;
use crate::config::Role;
use crate::operate;
use crate::store::callbacks::{CallbackFilter, CallbackPages, CallbackView, OutboxUse, Repeated};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    let here = super::wrong_method;
    OpenApiRouter::default()
        .routes(routes!(list).map(|router| router.fallback(here)))
        .routes(routes!(repeat).map(|router| router.fallback(here)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this status: waiting, delivered or gave_up.
    status: Option<String>,
    /// Only those about this offboarding.
    offboarding: Option<String>,
    /// The cursor that the page before gave.
    after: Option<String>,
    /// At most so many, 1 to 200; 50 if it is left out.
    limit: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<CallbackFilter, Problem> {
        let limit = page_limit(self.limit)?;
        let status =
            self.status.map(|s| s.parse().map_err(|_| Problem::BadParameter("status"))).transpose()?;
        let offboarding = self
            .offboarding
            .map(|id| Uuid::try_parse(&id).map_err(|_| Problem::BadParameter("offboarding")))
            .transpose()?;
        let after = self.after.map(|a| a.parse().map_err(|_| Problem::BadParameter("after"))).transpose()?;
        Ok(CallbackFilter { status, offboarding, after, limit })
    }
}

#[utoipa::path(
    get, path = "/api/v1/callbacks", params(ListQuery),
    responses(
        (status = 200, description = "Callbacks, newest first", body = CallbackPages),
        (status = 400, description = "A parameter is not understood"),
        (status = 401, description = "No bearer token of an operator"),
        (status = 503, description = "The database is away"),
    )
)]
async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let page = operate::callbacks(&api.store, &query.filter()?).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&page))
}

#[utoipa::path(
    post, path = "/api/v1/callbacks/{id}/repeat", params(("id" = Uuid, Path, description = "The callback")),
    responses(
        (status = 200, description = "It is sent once more, under the same id", body = CallbackView),
        (status = 401, description = "No bearer token of an operator"),
        (status = 403, description = "The role operator is needed"),
        (status = 404, description = "No callback has this id"),
        (status = 409, description = "Its target is not configured any more"),
        (status = 503, description = "The database is away"),
    )
)]
async fn repeat(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let id = Uuid::try_parse(&path).map_err(|_| Problem::NotFound)?;
    let repeated = operate::repeat_callback(&api.store, id, &caller.actor()).await;
    match repeated.map_err(|error| trouble(&error))? {
        Repeated::Yes(view) => Ok(api.json(&view)),
        Repeated::Unknown => Err(Problem::NotFound),
        Repeated::NoTarget => Err(Problem::CallbackNotPossible("its target is not configured any more")),
    }
}

/// How much others have still to be told.
pub(super) fn metrics(outbox: OutboxUse) -> String {
    format!(
        "# TYPE leaver_callbacks_waiting gauge\nleaver_callbacks_waiting {}\n\
         # TYPE leaver_callbacks_gave_up gauge\nleaver_callbacks_gave_up {}\n\
         # TYPE leaver_callbacks_oldest_seconds gauge\nleaver_callbacks_oldest_seconds {}\n",
        outbox.waiting, outbox.gave_up, outbox.oldest_seconds,
    )
}
