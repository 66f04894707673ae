//! What clients ask before they begin: what is offered, and what a user is (RFC 7643, 5 to 7).

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::list;
use super::refusal::Refusal;
use super::resource::CORE;
use crate::hris::Scheme;

/// Users in one answer.
pub(super) const PAGE_MAX: i64 = 200;

/// The schemas of users, as RFC 7643 has them, of what is understood or commonly mapped. Others are kept too.
static SCHEMAS: LazyLock<Vec<Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("schemas.json")).unwrap_or_default());

/// What is offered.
pub(super) fn provider(source: &str, scheme: Scheme) -> Value {
    let (kind, name) = match scheme {
        Scheme::Bearer => ("oauthbearertoken", "A constant bearer token"),
        Scheme::Basic => ("httpbasic", "User and password"),
        Scheme::Header => ("httpheader", "A secret in a header"),
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": PAGE_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": false},
        "authenticationSchemes": [{"type": kind, "name": name, "description": name, "primary": true}],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("/scim/v2/{source}/ServiceProviderConfig"),
        },
    })
}

/// The one kind of resource.
pub(super) fn user_type(source: &str) -> Value {
    let extensions = SCHEMAS.iter().filter_map(|schema| schema["id"].as_str()).filter(|id| *id != CORE);
    let extensions: Vec<_> = extensions.map(|id| json!({"schema": id, "required": false})).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "User Account",
        "schema": CORE,
        "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("/scim/v2/{source}/ResourceTypes/User")},
    })
}

/// All schemas.
pub(super) fn schemas(source: &str) -> Value {
    let schemas: Vec<_> = SCHEMAS.iter().map(|schema| located(source, schema)).collect();
    list(schemas.len(), 1, schemas)
}

/// One schema.
pub(super) fn schema(source: &str, urn: &str) -> Result<Value, Refusal> {
    let has_name = |schema: &&Value| schema["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(urn));
    SCHEMAS.iter().find(has_name).map(|schema| located(source, schema)).ok_or(Refusal::NotFound)
}

fn located(source: &str, schema: &Value) -> Value {
    let id = schema["id"].as_str().unwrap_or_default();
    let mut schema = schema.clone();
    schema["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:Schema"]);
    schema["meta"] = json!({"resourceType": "Schema", "location": format!("/scim/v2/{source}/Schemas/{id}")});
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_has_what_a_client_looks_for() {
        assert_eq!(SCHEMAS.len(), 2);
        for attribute in SCHEMAS.iter().flat_map(|schema| schema["attributes"].as_array().unwrap()) {
            for part in
                std::iter::once(attribute).chain(attribute["subAttributes"].as_array().into_iter().flatten())
            {
                for member in ["name", "type", "multiValued", "required", "mutability", "returned"] {
                    assert!(part.get(member).is_some(), "{member} of {part}");
                }
            }
        }
    }
}
