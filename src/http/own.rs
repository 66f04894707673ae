//! `POST /api/v1/offboardings` and `POST /api/v1/offboardings/approve`: an operator's own termination, and the release of many
//! at once.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::api::{Api, id, problem_of, trouble};
use super::problem::Problem;
use super::webhooks::whole;
use crate::config::Role;
use crate::operate::{self, OwnTermination, Taken};
use crate::store::approvals::Approval;

/// The longest body of a request: a list of the most people that a layoff may have, each with an address of the greatest length.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// With which a caller says that a request is the same as one before.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The routes that have no method beside these.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/v1/offboardings/approve", post(approve).fallback(super::wrong_method))
}

/// Reads a JSON body; says what is wrong with it.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = whole(body, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::BadBody(error.to_string()))
}

/// Reads a JSON body where there is one.
pub(super) async fn read_or_none<T: DeserializeOwned>(body: Body) -> Result<Option<T>, Problem> {
    let bytes = whole(body, BODY_BYTES_MAX).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| Problem::BadBody(error.to_string()))
}

/// Stores an operator's own termination.
pub(super) async fn offboard(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let key = only_one(&headers)?;
    let asked: OwnTermination = read(body).await?;
    let taken = operate::offboard(&api.store, &api.own_rules, &asked, key, &caller.actor()).await;
    match taken.map_err(|error| trouble(&error))? {
        Taken::New(view) => Ok((StatusCode::CREATED, api.told(&view).await?).into_response()),
        Taken::Known(view) => api.told(&view).await,
        Taken::KeyReused => Err(Problem::KeyReused),
    }
}

fn only_one(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => key.to_str().map(Some).map_err(|_| Problem::BadParameter("Idempotency-Key")),
        (Some(_), Some(_)) => Err(Problem::BadParameter("Idempotency-Key")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproveBody {
    ids: Vec<String>,
    reason: Option<String>,
}

async fn approve(State(api): State<Api>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Approver)?;
    let asked: ApproveBody = read(body).await?;
    let bad_id = |text: &str| Problem::BadField("ids", format!("expected UUIDs, found {text:?}"));
    let ids: Result<Vec<_>, _> = asked.ids.iter().map(|text| id(text).ok_or_else(|| bad_id(text))).collect();
    let reason = asked.reason.map(|word| {
        let unknown = || Problem::BadField("reason", format!("{word:?} is no reason for a hold"));
        word.parse().map_err(|_| unknown())
    });
    let approved = operate::approve(&api.store, &ids?, reason.transpose()?, &caller.actor()).await;
    match approved.map_err(|error| trouble(&error))? {
        Approval::Given(set) => {
            Ok(api.json(&json!({ "ids": set.ids, "size": set.ids.len(), "digest": hex::encode(set.digest) })))
        }
        Approval::Refused(id, decided) => {
            let problem = problem_of(decided).unwrap_or(Problem::NotFound);
            Err(Problem::NoneOf(problem.status(), format!("{id}: {problem}")))
        }
    }
}
