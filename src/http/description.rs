//! The description of the operator API, OpenAPI 3.1. Each route brings its own part with it; what holds for all of them is
//! added here, so that none can forget it: who may call, what every refusal looks like, and `Idempotency-Key`.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{self, OpenApi, RefOr};
use utoipa::{PartialSchema, ToResponse, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{Api, PAGE_DEFAULT};
use super::idempotency::KEY_CHARS_MAX;
use super::problem::{Kind, Problem};
use crate::config::Role;
use crate::store::views::PAGE_MAX;

/// What whoever reads the document is told first.
const ABOUT: &str = "What an operator may see and do. Sign in with `Authorization: Bearer TOKEN`; a role includes the ones \
before it: viewer, operator, approver. Every refusal is a problem as RFC 9457 has them, with a stable `type`. A method that \
a path does not have answers 405 with `Allow`. Where the service runs dry, every answer says so by `mode`. Lists are pages, \
newest first: ask again with `after` set to `next` until that is null.";

/// The document as it is served.
#[derive(Clone)]
pub(super) struct Document(Bytes);

/// The route of the document itself.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(openapi))
}

/// Completes what the routes brought with them, and lets the route of the document have it.
pub(super) fn document(described: OpenApi) -> Extension<Document> {
    // A description that can't be written is none; a test looks at the document.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    complete(&mut document);
    Extension(Document(document.to_string().into()))
}

/// Describes this API as OpenAPI 3.1.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "description", security(()),
    responses((status = 200, description = "This document.", body = Object)),
)]
async fn openapi(Extension(document): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.0).into_response()
}

/// How long a page may be.
pub(super) fn limit() -> Schema {
    let limit = ObjectBuilder::new().schema_type(Type::Integer);
    let most = format!("At most {PAGE_MAX} are given, however many are asked for.");
    limit.minimum(Some(1)).default(Some(json!(PAGE_DEFAULT))).description(Some(most)).into()
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let kinds = text().enum_values(Some(Kind::ALL.iter().map(|kind| kind.uri())));
        let status = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400)).maximum(Some(599));
        let problem = ObjectBuilder::new().description(Some("A refusal, as RFC 9457 has them."));
        let problem = problem
            .property("type", kinds.description(Some("What it is about; stable.")))
            .property("title", text().description(Some("The same in words, which may change.")))
            .property("status", status.description(Some("The status of the answer.")));
        problem.required("type").required("title").required("status").into()
    }
}

impl ToSchema for Problem {}

/// What is answered for reasons that every route may have, or names itself: each with its status and what it says.
const REFUSALS: &[(&str, u16, &str)] = &[
    ("BadRequest", 400, "A parameter, a header or the body is not understood."),
    ("TokenNeeded", 401, "No token of an operator."),
    ("Forbidden", 403, "The role is not enough, or the request is the caller's own."),
    ("NotFound", 404, "Nothing has this id."),
    ("PersonNotFound", 404, "Nobody in Genesys Cloud is this person."),
    ("TooSlow", 408, "The body did not come in time."),
    (
        "Conflict",
        409,
        "The state of what it is about does not allow it, or the `Idempotency-Key` is another request's.",
    ),
    ("AmbiguousPerson", 409, "Several users of Genesys Cloud match."),
    ("TooLarge", 413, "The body is too long."),
    ("UnsupportedMedia", 415, "The body is no JSON, or encoded."),
    ("GenesysTrouble", 502, "Genesys Cloud could not be asked."),
    ("Unavailable", 503, "Our own trouble."),
];

/// Lets routes name refusals that only they have.
macro_rules! named {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        pub(super) struct $name;

        impl<'r> ToResponse<'r> for $name {
            fn response() -> (&'r str, RefOr<openapi::Response>) {
                (stringify!($name), openapi::Response::new("").into())
            }
        }
    )+};
}

named! {
    /// 404.
    NotFound,
    /// 404.
    PersonNotFound,
    /// 409.
    Conflict,
    /// 409.
    AmbiguousPerson,
    /// 502.
    GenesysTrouble,
}

fn complete(document: &mut Value) {
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Leaver", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    let mut tags = Vec::new();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            let operations = item.as_object_mut().into_iter().flatten();
            for (method, operation) in operations.filter(|(_, part)| part["responses"].is_object()) {
                let tag = tag(path, operation);
                operation["tags"] = json!([tag]);
                let name = operation["operationId"].as_str().unwrap_or(method);
                operation["operationId"] = json!(format!("{tag}_{name}"));
                operations_refusals(method, operation);
                may_be_empty(operation);
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
    }
    document["tags"] = tags.iter().map(|tag| json!({ "name": tag })).collect();
    components(&mut document["components"]);
}

/// A parameter of the query that may be left out may be empty, which counts as that.
fn may_be_empty(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if parameter["in"] == "query" && parameter["required"] != true {
            parameter["allowEmptyValue"] = json!(true);
        }
    }
}

/// The tag that the route names, or the collection that it belongs to.
fn tag(path: &str, operation: &Value) -> String {
    let of_path = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
    operation["tags"][0].as_str().unwrap_or(of_path).to_owned()
}

/// What every operation of this kind answers besides.
fn operations_refusals(method: &str, operation: &mut Value) {
    let Some(role) = operation["security"][0]["bearer"][0].as_str().map(str::to_owned) else { return };
    let needs = format!("Needs the role {role}.");
    operation["description"] = match operation["description"].as_str() {
        Some(said) => json!(format!("{said}\n\n{needs}")),
        None => json!(needs),
    };
    let mut statuses = vec![400, 401, 503];
    if role != Role::Viewer.as_str() {
        statuses.push(403);
    }
    if method == "post" {
        statuses.extend([408, 409, 413, 415]);
        let key = json!({ "$ref": "#/components/parameters/IdempotencyKey" });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(key),
            None => operation["parameters"] = json!([key]),
        }
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (name, status, _) in REFUSALS.iter().filter(|(_, status, _)| statuses.contains(status)) {
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.entry(status.to_string()).or_insert(reference);
    }
    let done = responses.iter_mut().filter(|(status, _)| method == "post" && status.starts_with('2'));
    for (_, response) in done {
        response["headers"] =
            json!({ "Idempotency-Replayed": { "$ref": "#/components/headers/IdempotencyReplayed" } });
    }
}

/// What operations point to.
fn components(components: &mut Value) {
    let problem =
        json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let responses: Map<String, Value> = REFUSALS
        .iter()
        .map(|(name, _, about)| {
            ((*name).to_owned(), json!({ "description": about.trim(), "content": problem }))
        })
        .collect();
    components["responses"] = Value::Object(responses);
    components["responses"]["Unavailable"]["headers"] = json!({ "Retry-After": { "description": "In seconds.", "schema": { "type": "integer", "minimum": 1 } } });
    components["schemas"]["Problem"] = json!(Problem::schema());
    components["securitySchemes"] = json!({ "bearer": {
        "type": "http", "scheme": "bearer", "description": "The token of an operator in the configuration.",
    }});
    components["parameters"] = json!({ "IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header",
        "description": "The same request under the same key within 24 hours is carried out once and answered alike.",
        "schema": { "type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$" },
    }});
    components["headers"] = json!({ "IdempotencyReplayed": {
        "description": "`true` where the answer was given before, to the same request under the same key.",
        "schema": { "type": "string", "const": "true" },
    }});
}

#[cfg(test)]
mod tests {
    use super::super::idempotency::{IDEMPOTENCY_KEY, REPLAYED};
    use super::*;

    #[test]
    fn headers_are_named_as_they_are_read_and_sent() {
        let mut described = json!({});
        components(&mut described);
        let key = described["parameters"]["IdempotencyKey"]["name"].as_str().unwrap_or_default();
        assert!(key.eq_ignore_ascii_case(IDEMPOTENCY_KEY));
        assert!("Idempotency-Replayed".eq_ignore_ascii_case(REPLAYED));
    }
}
