//! Tests of who is let in: tokens, permissions, limits, unknown and broken calls.

use std::time::Duration;

use serde_json::json;

use crate::probe::Probe;
use crate::{Options, Rules, presets};

#[tokio::test]
async fn a_call_without_a_valid_token_is_refused_and_a_fresh_token_helps() {
    let mut probe = Probe::start().await;
    let path = format!("/api/v2/users/{}", probe.simulator.organisation(|org| org.stranger()));
    probe.simulator.expire_client_tokens();
    let refused = probe.get(&path).await;
    assert_eq!((refused.status, &refused.body["code"]), (401, &json!("bad.credentials")));
    probe.token = probe.fresh_token().await;
    assert_eq!(probe.get(&path).await.status, 200);
    probe.simulator.advance(Duration::from_secs(86_400));
    assert_eq!(probe.get(&path).await.status, 401);
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_grant_are_refused_with_400() {
    let probe = Probe::start().await;
    let wrong_secret = probe.ask_token("wrong", "client_credentials").await;
    assert_eq!((wrong_secret.status, &wrong_secret.body["error"]), (400, &json!("invalid_client")));
    let wrong_grant = probe.ask_token(probe.simulator.client_secret(), "password").await;
    assert_eq!(wrong_grant.status, 400);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let probe = Probe::start().await;
    let user = probe.simulator.organisation(|org| org.stranger());
    probe.simulator.withhold_permission("oauth:token:delete");
    probe.simulator.withhold_permission("routing:queue:edit");
    let refused = probe.delete(&format!("/api/v2/tokens/{user}")).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("missing.any.permissions")));
    assert!(refused.body["message"].as_str().unwrap().contains("oauth:token:delete"));
    assert_eq!(probe.simulator.person(&user).unwrap().tokens, 3);
    // One of several permissions is enough where the definition says ANY.
    let queue = probe.simulator.person(&user).unwrap().queues.keys().next().unwrap().clone();
    let removed = probe.delete(&format!("/api/v2/routing/queues/{queue}/members/{user}")).await;
    assert_eq!(removed.status, 204);
}

#[tokio::test]
async fn the_rate_limit_counts_refuses_and_recovers_with_the_next_window() {
    let rules = Rules { requests_allowed: 2, ..Rules::default() };
    let probe = Probe::with(Options { rules, ..Options::default() }).await;
    let path = format!("/api/v2/users/{}", probe.simulator.organisation(|org| org.stranger()));
    assert_eq!(probe.get(&path).await.header("inin-ratelimit-count"), "1");
    assert_eq!(probe.get(&path).await.header("inin-ratelimit-allowed"), "2");
    let refused = probe.get(&path).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, refused.header("inin-ratelimit-reset"))
    );
    assert_eq!(refused.body["limit"]["value"], 2);
    probe.simulator.advance(Duration::from_secs(refused.header("retry-after").parse().unwrap()));
    assert_eq!(probe.get(&path).await.status, 200);
}

#[tokio::test]
async fn invented_calls_and_unknown_paths_are_404_and_wrong_methods_405_and_all_are_violations() {
    let probe = Probe::start().await;
    let invented = [
        ("POST", "/api/v2/authentication/revoke", 404),
        ("PATCH", "/api/v2/routing/queues/q1", 404),
        ("DELETE", "/api/v2/users/u1/routingskills/bulk", 404),
        ("DELETE", "/api/v2/users/u1/routingutilization", 404),
        ("GET", "/api/v2/authorization/subjects/u1/divisions/all/roles", 404),
        ("POST", "/api/v2/analytics/legalholds", 404),
        ("GET", "/api/v2/users/u1/conversations", 404),
        ("DELETE", "/api/v2/users/search", 405),
    ];
    for (method, path, status) in invented {
        assert_eq!(
            probe.send(method, path, &serde_json::Value::Null).await.status,
            status,
            "{method} {path}"
        );
    }
    assert_eq!(probe.simulator.violations().len(), invented.len());
}

#[tokio::test]
async fn large_bodies_other_media_types_and_broken_json_are_refused_without_effect() {
    let probe = Probe::start().await;
    let user = probe
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
    let before = probe.simulator.everybody();
    let path = format!("/api/v2/users/{user}/routingskills/bulk");
    let json =
        |body: Vec<u8>| probe.request("PUT", &path).header("content-type", "application/json").body(body);
    let large = Probe::reply(json(vec![b' '; 512_001])).await.unwrap();
    assert_eq!(large.status, 413);
    let broken = Probe::reply(json(b"[".to_vec())).await.unwrap();
    assert_eq!(broken.status, 400);
    let other = probe.request("PUT", &path).header("content-type", "text/plain").body("[]");
    assert_eq!(Probe::reply(other).await.unwrap().status, 415);
    let incomplete = probe.send("PUT", &path, &json!([{"id": "x"}])).await;
    assert_eq!(incomplete.status, 400);
    assert_eq!(probe.simulator.everybody(), before);
}

#[tokio::test]
async fn what_exists_but_is_not_simulated_is_501_and_a_violation() {
    let probe = Probe::start().await;
    assert_eq!(probe.get("/api/v2/scim/v2/serviceproviderconfig").await.status, 501);
    assert!(probe.simulator.violations()[0].contains("not simulated"));
}
