//! `/api/v1/events`: what came, also what was ignored or could not be read, and reading it again.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use uuid::Uuid;

use super::api::{Api, page_limit, trouble};
use super::problem::Problem;
use crate::config::Role;
use crate::operate;
use crate::store::event_views::{EventDetail, EventFilter, FoundEvent};

/// The routes.
pub(super) fn routes() -> Router<Api> {
    let here = super::wrong_method;
    Router::new()
        .route("/api/v1/events", get(list).fallback(here))
        .route("/api/v1/events/{id}", get(show).fallback(here))
        .route("/api/v1/events/{id}/replay", post(replay).fallback(here))
}

#[derive(Deserialize)]
struct ListQuery {
    source: Option<String>,
    disposition: Option<String>,
    event: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<EventFilter, Problem> {
        let known = |word: &String| operate::DISPOSITIONS.contains(&word.as_str());
        if self.disposition.as_ref().is_some_and(|word| !known(word)) {
            return Err(Problem::BadParameter("disposition"));
        }
        let bad_cursor = |_| Problem::BadParameter("after");
        let after = self.after.map(|after| Uuid::try_parse(&after).map_err(bad_cursor)).transpose()?;
        let limit = page_limit(self.limit)?;
        Ok(EventFilter { source: self.source, disposition: self.disposition, word: self.event, after, limit })
    }
}

/// Which of several sources' events is meant.
#[derive(Deserialize)]
struct SourceQuery {
    source: Option<String>,
}

async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    let page = operate::events(&api.store, &query.filter()?).await.map_err(|error| trouble(&error))?;
    Ok(api.json(&page))
}

async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(key): Path<String>,
    Query(query): Query<SourceQuery>,
) -> Result<Response, Problem> {
    api.operators.caller(&headers)?.needs(Role::Viewer)?;
    Ok(api.json(&the_one(&api, &key, query).await?))
}

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
