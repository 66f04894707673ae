//! What is refused, and how: in the protocol's own form, and nothing is changed.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::{RECEIVE, TOKEN, call, events, is_refused, offboardings, provision, request, set_active, source};
use crate::edge::Answer;
use crate::support::{HRIS_SECRET, World, client, signed};

#[tokio::test]
async fn every_failed_proof_gets_the_same_answer_before_anything_is_looked_at() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(&service, json!({"userName": "jane@example.com"})).await;
    let url = |path: &str| format!("{}/scim/v2/idp{path}", service.public);
    let path = format!("/Users/{id}");
    let requests = [
        ("nothing", client().delete(url(&path))),
        ("another token", client().delete(url(&path)).bearer_auth("another-token-of-nobody-0123")),
        ("a beginning", client().get(url(&path)).bearer_auth(&TOKEN[..TOKEN.len() - 1])),
        ("another source's", client().get(url(&path)).bearer_auth(HRIS_SECRET)),
        (
            "two",
            client().get(url(&path)).bearer_auth(TOKEN).header("authorization", format!("Bearer {TOKEN}")),
        ),
        ("basic", client().get(url(&path)).basic_auth(TOKEN, None::<&str>)),
        ("in the query", client().get(url(&format!("/Users?access_token={TOKEN}")))),
        ("unknown path", client().get(url("/Nothing"))),
        ("unreadable body", client().post(url("/Users")).body("{")),
        ("the schemas", client().get(url("/Schemas"))),
    ];
    let mut first: Option<(HeaderMap, Vec<u8>)> = None;
    for (what, request) in requests {
        let mut answer = Answer::to(request).await;
        is_refused(&answer, 401, None);
        answer.headers.remove("date");
        let seen = (answer.headers, answer.body);
        assert_eq!(first.get_or_insert(seen.clone()), &seen, "{what}");
    }
    assert_eq!(call(&service, "GET", &path, None).await.json()["active"], true);
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await.text();
    assert!(
        metrics.contains(r#"leaver_delivery_refusals_total{source="idp",cause="wrong_signature"}"#),
        "{metrics}"
    );
    let patient = world.serve(&source("auth_failure_status = 503"), RECEIVE);
    let answer = Answer::to(client().get(format!("{}/scim/v2/idp/Users", patient.public))).await;
    is_refused(&answer, 503, None);
}

#[tokio::test]
async fn a_source_has_one_protocol() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    for name in ["workday", "nobody", "IDP", "idp%00", "..%2fidp"] {
        let url = format!("{}/scim/v2/{name}/Users", service.public);
        is_refused(&Answer::to(client().get(url).bearer_auth(TOKEN)).await, 404, None);
    }
    let delivery = signed(&service.public, b"{}", HRIS_SECRET).build().unwrap();
    let mut url = delivery.url().clone();
    url.set_path("/webhooks/idp");
    let delivery =
        client().post(url).bearer_auth(TOKEN).header("content-type", "application/json").body("{}");
    Answer::to(delivery).await.is_problem(404, "not-found");
    assert_eq!(events(&world).await, 0);
}

#[tokio::test]
async fn what_is_no_request_changes_nothing() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(&service, json!({"userName": "jane@example.com"})).await;
    let path = format!("/Users/{id}");
    let raw = async |method: &str, path: &str, body: &[u8]| {
        let request = request(&service, method, path, None).header("content-type", "application/json");
        Answer::to(request.body(body.to_vec())).await
    };
    let deep = format!(r#"{{"userName":"a","x":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let wide = format!(r#"{{"userName":"a","x":[{}1]}}"#, "1,".repeat(5_000));
    let unreadable: [&[u8]; 12] = [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{\"userName\":\"a\"} {}",
        b"{\"userName\":\"a\",\"userName\":\"b\"}",
        b"{\"userName\":\"a\",\"USERNAME\":\"b\"}",
        b"{\"userName\":\"a\",\"x\":\"\\u0000\"}",
        b"{\"userName\":\"a\0\"}",
        b"{\"userName\":\"\xff\"}",
        deep.as_bytes(),
        wide.as_bytes(),
    ];
    for body in unreadable {
        for (method, path) in [("POST", "/Users"), ("PUT", path.as_str()), ("PATCH", path.as_str())] {
            is_refused(&raw(method, path, body).await, 400, Some("invalidSyntax"));
        }
    }
    let doubled = br#"{"Operations":[{"op":"replace","path":"active","value":true,"value":false}]}"#;
    is_refused(&raw("PATCH", &path, doubled).await, 400, Some("invalidSyntax"));
    is_refused(&raw("PATCH", &path, b"{\"Operations\":[]}").await, 400, Some("invalidSyntax"));
    let patches = [
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "replace", "path": "a b", "value": 1}), "invalidPath"),
        (json!({"op": "replace", "path": r#"emails[type ne "x"].value"#, "value": 1}), "invalidPath"),
        (json!({"op": "move", "path": "active", "value": false}), "invalidSyntax"),
        (json!({"op": "replace", "path": "userName", "value": ""}), "invalidValue"),
        (json!({"op": "replace", "path": "externalId", "value": "x".repeat(257)}), "invalidValue"),
    ];
    for (operation, scim_type) in patches {
        let first = json!({"op": "replace", "path": "active", "value": false});
        is_refused(&super::patch(&service, &id, json!([first, operation])).await, 400, Some(scim_type));
    }
    for body in [
        json!({}),
        json!({"userName": 7}),
        json!({"userName": "x".repeat(321)}),
        json!({"userName": "a", "active": "0"}),
    ] {
        is_refused(&call(&service, "POST", "/Users", Some(&body)).await, 400, Some("invalidValue"));
        is_refused(&call(&service, "PUT", &path, Some(&body)).await, 400, Some("invalidValue"));
    }
    assert_eq!((events(&world).await, offboardings(&service).await.len()), (0, 0));
    let users = call(&service, "GET", "/Users", None).await.json();
    assert_eq!((&users["totalResults"], &users["Resources"][0]["active"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn places_methods_sizes_and_names_that_are_not_offered() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(&service, json!({"userName": "jane@example.com"})).await;
    let path = format!("/Users/{id}");
    for (method, path, status) in [
        ("DELETE", "/Users", 405),
        ("POST", path.as_str(), 405),
        ("POST", "/ServiceProviderConfig", 405),
        ("POST", "/Groups", 501),
        ("PATCH", "/Groups/1", 501),
        ("POST", "/Bulk", 404),
        ("GET", "/Users/7", 404),
        ("GET", "/Users/00000000-0000-0000-0000-000000000000", 404),
        ("DELETE", "/Users/%00", 404),
        ("GET", "/Users/1/2", 404),
    ] {
        let answer = call(&service, method, path, None).await;
        is_refused(&answer, status, None);
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
    }
    for filter in [
        "",
        "userName",
        "active eq true",
        r#"userName eq "a" or userName eq "b""#,
        r#"userName eq "a\u0000""#,
    ] {
        let answer = Answer::to(request(&service, "GET", "/Users", None).query(&[("filter", filter)])).await;
        is_refused(&answer, 400, Some("invalidFilter"));
    }
    for query in ["startIndex=x", "count=1.5", "count=99999999999999999999"] {
        is_refused(&call(&service, "GET", &format!("/Users?{query}"), None).await, 400, Some("invalidValue"));
    }
    // Two users never have one name, whatever its case.
    let taken = json!({"userName": "JANE@example.com", "active": false});
    is_refused(&call(&service, "POST", "/Users", Some(&taken)).await, 409, Some("uniqueness"));
    let john = provision(&service, json!({"userName": "john@example.com"})).await;
    let other = format!("/Users/{john}");
    is_refused(&call(&service, "PUT", &other, Some(&taken)).await, 409, Some("uniqueness"));
    assert_eq!(call(&service, "GET", &other, None).await.json()["active"], true, "all or nothing");
    assert_eq!(events(&world).await, 0);
    // Bodies have a size and a type; a user grows by patches only so far.
    let large = json!({"userName": "a", "x": "x".repeat(70_000)});
    is_refused(&call(&service, "POST", "/Users", Some(&large)).await, 413, None);
    for x in ["a", "b", "c"] {
        let add = json!([{"op": "add", "path": x, "value": "x".repeat(60_000)}]);
        let answer = super::patch(&service, &id, add).await;
        assert_eq!(answer.status, if x == "c" { 413 } else { 200 }, "{x}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let request = request(&service, "PATCH", &path, None).header("content-type", kind).body("{}");
        is_refused(&Answer::to(request).await, 415, None);
    }
    let encoded = request(&service, "PATCH", &path, Some(&json!({}))).header("content-encoding", "gzip");
    is_refused(&Answer::to(encoded).await, 415, None);
    assert_eq!(set_active(&service, &id, false).await.status, 200, "and it still goes");
}
