//! `/api/v1/events`: what came, also what was ignored or could not be read, and reading it again.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Api, cursor, page_limit, trouble};
use super::description::{self, Conflict, NotFound};
use super::problem::Problem;
use super::query::Query;
use crate::config::Role;
use crate::operate::{self, EventPage, InMode, ReplayAnswer};
use crate::store::event_views::{EventDetail, EventFilter, FoundEvent};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(show)).routes(routes!(replay))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only this source.
    source: Option<String>,
    /// Only what was read as this.
    #[param(schema_with = operate::disposition)]
    disposition: Option<String>,
    /// Only those with this word of the sender's.
    event: Option<String>,
    /// Only what comes after this cursor, the `next` of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<String>,
    /// How many at the most.
    #[param(schema_with = description::limit)]
    limit: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<EventFilter, Problem> {
        let known = |word: &String| operate::DISPOSITIONS.contains(&word.as_str());
        if self.disposition.as_ref().is_some_and(|word| !known(word)) {
            return Err(Problem::BadParameter("disposition"));
        }
        let (after, limit) = (cursor(self.after)?, page_limit(self.limit)?);
        Ok(EventFilter { source: self.source, disposition: self.disposition, word: self.event, after, limit })
    }
}

/// Which of several sources' events is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SourceQuery {
    /// The source, where several have an event of this id.
    source: Option<String>,
}

/// Lists what came, newest first, also what was ignored or could not be read.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", security(("bearer" = ["viewer"])),
    params(ListQuery),
    responses((status = 200, description = "A page.", body = InMode<EventPage>)),
)]
async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let page = operate::events(&api.store, &query.filter()?).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&page))
}

/// Shows an event with everything that is kept of it.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = "events", security(("bearer" = ["viewer"])),
    params(("id" = String, Path, description = "The event's id: that of the service, or the sender's own."), SourceQuery),
    responses((status = 200, description = "The event.", body = InMode<EventDetail>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(key): Path<String>,
    Query(query): Query<SourceQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    Ok(api.json(&the_one(&api, &key, query).await?))
}

/// Reads a stored event again by the present profile of its source.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/replay", tag = "events", security(("bearer" = ["operator"])),
    params(("id" = String, Path, description = "The event's id: that of the service, or the sender's own."), SourceQuery),
    responses((status = 200, description = "What came of it.", body = InMode<ReplayAnswer>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn replay(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(key): Path<String>,
    Query(query): Query<SourceQuery>,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let event = the_one(&api, &key, query).await?;
    let read = |event: &EventDetail| api.webhooks.read_again(event);
    let replayed = operate::replay(&api.store, event, read, &caller.actor()).await;
    match replayed.map_err(|error| trouble(&error))? {
        Ok(answer) => Ok(api.json(&answer)),
        Err(refused) => Err(Problem::ReplayNotPossible(refused)),
    }
}

/// The event that somebody names, where there is exactly one.
async fn the_one(api: &Api, key: &str, query: SourceQuery) -> Result<EventDetail, Problem> {
    let found = operate::event(&api.store, key, query.source.as_deref()).await;
    match found.map_err(|error| trouble(&error))? {
        FoundEvent::One(event) => Ok(*event),
        FoundEvent::None => Err(Problem::NotFound),
        FoundEvent::InSources(sources) => Err(Problem::SourceNeeded(sources.join(", "))),
    }
}
