//! `POST /api/v1/offboardings` and `POST /api/v1/offboardings/approve`: an operator's own termination, and the release of many
//! at once.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Api, id, problem_of, trouble};
use super::description::{Conflict, NotFound};
use super::idempotency;
use super::problem::Problem;
use super::query::{NoParameters, Query};
use super::webhooks::whole;
use crate::config::Role;
use crate::offboarding::{OffboardingId, Reason};
use crate::operate::{self, InMode, OwnTermination, Taken};
use crate::store::approvals::Approval;
use crate::store::idempotency::was_carried_out;
use crate::store::views::View;

/// The longest body of a request: a list of the most people that a layoff may have, each with an address of the greatest length.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The routes that have no method beside these.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(approve_set))
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

/// Stores an operator's own termination, which goes through the same policy, brake and record as an HRIS's event.
#[utoipa::path(
    post, path = "/api/v1/offboardings", tag = "offboardings", security(("bearer" = ["operator"])),
    request_body = OwnTermination,
    responses((status = 201, description = "Stored: the offboarding that it opened or joined.", body = InMode<View>), (status = 200, description = "Stored before, under the same `Idempotency-Key` more than a day ago: the offboarding as it is now.", body = InMode<View>)),
)]
pub(super) async fn offboard(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = api.operators.caller(&headers)?;
    caller.needs(Role::Operator)?;
    let key = idempotency::key(&headers)?;
    let asked: OwnTermination = read(body).await?;
    let taken = operate::offboard(&api.store, &api.own_rules, &asked, key, &caller.actor()).await;
    match taken.map_err(|error| trouble(&error))? {
        Taken::New(view) => Ok((StatusCode::CREATED, api.told(&view).await?).into_response()),
        // The answer that a crash has swallowed.
        Taken::Known(view) if was_carried_out() => {
            Ok((StatusCode::CREATED, api.told(&view).await?).into_response())
        }
        Taken::Known(view) => api.told(&view).await,
        Taken::KeyReused => Err(Problem::KeyReused),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetApproval)]
struct ApproveBody {
    /// The offboardings.
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 1000)]
    ids: Vec<String>,
    /// What all of them have to be held for.
    #[schema(value_type = Option<Reason>)]
    reason: Option<String>,
}

/// What was approved together.
#[derive(Serialize, ToSchema)]
struct ApprovedSet {
    /// The offboardings, sorted, each once.
    ids: Vec<OffboardingId>,
    /// How many.
    size: usize,
    /// SHA-256 over the sorted ids, each with a line feed, in hexadecimal.
    digest: String,
}

/// Releases all of these offboardings from what they are held for, or none of them.
#[utoipa::path(
    post, path = "/api/v1/offboardings/approve", tag = "offboardings", security(("bearer" = ["approver"])),
    request_body = ApproveBody,
    responses((status = 200, description = "All are released.", body = InMode<ApprovedSet>), (status = 404, response = NotFound), (status = 409, response = Conflict)),
)]
async fn approve_set(
    State(api): State<Api>,
    _: Query<NoParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
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
            let (size, digest) = (set.ids.len(), hex::encode(set.digest));
            Ok(api.json(&ApprovedSet { ids: set.ids, size, digest }))
        }
        Approval::Refused(id, decided) => {
            let problem = problem_of(decided).unwrap_or(Problem::NotFound);
            Err(Problem::NoneOf(problem.status(), format!("{id}: {problem}")))
        }
    }
}
