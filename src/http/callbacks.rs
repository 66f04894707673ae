//! `/api/v1/callbacks`: what others were told of offboardings, what still waits, and telling it once more.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::api::{Api, page_limit, trouble};
use super::description::{self, Conflict, NotFound};
use super::problem::Problem;
use super::query::{NoParameters, Query};
use crate::config::Role;
use crate::operate::{self, InMode};
use crate::store::callbacks::{CallbackFilter, CallbackPages, CallbackStatus, CallbackView, Repeated};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(repeat))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this status.
    #[param(value_type = Option<CallbackStatus>)]
    status: Option<String>,
    /// Only those about this offboarding.
    #[param(value_type = Option<Uuid>)]
    offboarding: Option<String>,
    /// Only what comes after this cursor, the `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    after: Option<String>,
    /// How many at the most.
    #[param(schema_with = description::limit)]
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

/// Lists what others were told of offboardings, newest first.
#[utoipa::path(
    get, path = "/api/v1/callbacks", tag = "callbacks", security(("bearer" = ["viewer"])), params(ListQuery),
    responses(
        (status = 200, description = "Callbacks, newest first", body = InMode<CallbackPages>),
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

/// Has a callback sent once more, under the same id.
#[utoipa::path(
    post, path = "/api/v1/callbacks/{id}/repeat", tag = "callbacks", security(("bearer" = ["operator"])),
    params(("id" = Uuid, Path, description = "The callback.")),
    responses(
        (status = 200, description = "It is sent once more, under the same id", body = InMode<CallbackView>),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
    )
)]
async fn repeat(
    State(api): State<Api>,
    _: Query<NoParameters>,
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
