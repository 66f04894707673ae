//! SCIM against the real service: what identity providers say to each other's services, and what it means here.

mod conversations;
mod events;
mod refused;
mod storm;

use reqwest::Method;
use serde_json::{Value, json};

use crate::edge::Answer;
use crate::support::{ALICE, Service, World, client};

/// Receives, and leaves the offboardings as they are stored.
const RECEIVE: &[&str] = &["serve", "--no-worker"];

/// The token of the source `idp` in every test.
const TOKEN: &str = "a-token-of-the-provider-0123456789";

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The configuration of the source `idp`, with more keys of its own table.
fn source(more: &str) -> String {
    format!("[sources.idp]\nprofile = \"scim\"\nsecrets = [\"{TOKEN}\"]\n{more}")
}

/// A request to the source `idp`, as a provider makes it.
fn request(service: &Service, method: &str, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = client()
        .request(method, format!("{}/scim/v2/idp{path}", service.public))
        .bearer_auth(TOKEN)
        .header("accept", "application/scim+json");
    match body {
        Some(body) => request.header("content-type", "application/scim+json").body(body.to_string()),
        None => request,
    }
}

async fn call(service: &Service, method: &str, path: &str, body: Option<&Value>) -> Answer {
    Answer::to(request(service, method, path, body)).await
}

/// Provisions a user; its id.
async fn provision(service: &Service, user: Value) -> String {
    let answer = call(service, "POST", "/Users", Some(&user)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

async fn patch(service: &Service, id: &str, operations: Value) -> Answer {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
    });
    call(service, "PATCH", &format!("/Users/{id}"), Some(&body)).await
}

async fn set_active(service: &Service, id: &str, active: bool) -> Answer {
    patch(service, id, json!([{"op": "replace", "value": {"active": active}}])).await
}

async fn by_name(service: &Service, name: &str) -> Value {
    let request =
        request(service, "GET", "/Users", None).query(&[("filter", format!("userName eq \"{name}\""))]);
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Every offboarding of the service, the oldest first, as the API shows it.
async fn offboardings(service: &Service) -> Vec<Value> {
    let (status, list) = service.api(Method::GET, "/api/v1/offboardings", ALICE).await;
    assert_eq!(status, 200, "{list}");
    let mut items = list["items"].as_array().expect("items").clone();
    items.reverse();
    items
}

async fn events(world: &World) -> i64 {
    world.number("select count(*) from events").await
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, scim_type: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{answer:?}");
    let error = answer.json();
    assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(error["status"], status.to_string(), "a string");
    assert_eq!(error["scimType"].as_str(), scim_type, "{error}");
    assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
    assert_eq!(answer.header("retry-after").is_some(), status == 503, "{answer:?}");
}

#[track_caller]
fn is_at(offboarding: &Value, status: &str, reason: Option<&str>, email: Option<&str>) {
    let seen = (&offboarding["status"], &offboarding["reason"], &offboarding["person"]["email"]);
    assert_eq!(seen, (&json!(status), &json!(reason), &json!(email)), "{offboarding}");
}
