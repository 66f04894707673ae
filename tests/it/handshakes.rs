//! What senders ask before they send events: challenge, ping, token and consent, over HTTP; and what is kept of it.

use axum::http::Method;
use serde_json::{Value, json};

use crate::commands::{found, run};
use crate::edge::Answer;
use crate::support::{HRIS_SECRET, Service, World, client, signed_for, termination};

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hris-handshake-vectors.json"));

const RECEIVE: &[&str] = &["serve", "--no-worker"];

const OKTA: &str = "okta-shared-secret-value";

/// Senders with a handshake of each kind.
const SOURCES: &str = r#"
[sources.okta]
secrets = ["okta-shared-secret-value"]
map = { items = "/data/events", event = "/eventType", email = "/target/alternateId", event_id = "/uuid" }
rules = [{ when = [["event", "in", ["user.lifecycle.deactivate"]]], do = "terminate" }]
[sources.okta.auth]
kind = "header"
signature_header = "Authorization"
[sources.okta.handshake]
kind = "challenge"
header = "X-Okta-Verification-Challenge"
answer = "verification"

[sources.cloudevents]
profile = "generic-worker-terminated"
secrets = ["a-secret-of-the-hris-0123456789"]
allowed_origins = ["eventemitter.example.com"]
[sources.cloudevents.handshake]
kind = "consent"

[sources.hibob]
profile = "generic-worker-terminated"
secrets = ["a-secret-of-the-hris-0123456789"]
stored_status = 200
[sources.hibob.handshake]
kind = "ping"
bodies = ['"Ping test"', '{"text":"Ping test"}']

[sources.gusto]
profile = "generic-worker-terminated"
secrets = ["a-secret-of-the-hris-0123456789"]
[sources.gusto.handshake]
kind = "token"
member = "verification_token"
"#;

fn to(service: &Service, method: Method, source: &str) -> reqwest::RequestBuilder {
    client().request(method, format!("{}/webhooks/{source}", service.public))
}

fn token(value: &str) -> String {
    json!({ "verification_token": value }).to_string()
}

fn post_token(service: &Service, value: &str) -> reqwest::RequestBuilder {
    to(service, Method::POST, "gusto").body(token(value))
}

async fn stored(world: &World) -> (i64, i64) {
    let events = world.number("select count(*) from events").await;
    (events, world.number("select count(*) from verification_tokens").await)
}

#[tokio::test]
async fn every_published_handshake_is_answered_as_its_sender_expects() {
    let world = World::new().await;
    let service = world.serve(SOURCES, RECEIVE);
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = vectors["handshakes"].as_array().unwrap();
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let source = name.split(' ').next().unwrap().to_lowercase();
        let (asked, expected) = (&vector["request"], &vector["response"]);
        let mut request = to(&service, asked["method"].as_str().unwrap().parse().unwrap(), &source);
        for (header, value) in asked["headers"].as_object().into_iter().flatten() {
            request = request.header(header, value.as_str().unwrap());
        }
        if let Some(body) = asked["body"].as_str() {
            request = request.body(body.to_owned());
        }
        let answer = Answer::to(request).await;
        assert_eq!(json!(answer.status), expected["status"], "{name}: {answer:?}");
        if let Some(kind) = expected["content_type"].as_str() {
            assert_eq!(answer.header("content-type"), Some(kind), "{name}");
        }
        if expected["body"].is_object() {
            assert_eq!(answer.json(), expected["body"], "{name}");
        }
        for (header, value) in expected["headers"].as_object().into_iter().flatten() {
            assert_eq!(answer.header(header), value.as_str(), "{name}: {header}");
        }
        for header in expected["headers_absent"].as_array().into_iter().flatten() {
            assert_eq!(answer.header(header.as_str().unwrap()), None, "{name}: {header}");
        }
    }
    assert_eq!(vectors.len(), 6);
    assert_eq!(stored(&world).await, (0, 1), "no event, and the one token");
}

#[tokio::test]
async fn a_challenge_is_echoed_only_to_the_credential_and_only_once() {
    let world = World::new().await;
    let at_503 = SOURCES.replace("[sources.okta.auth]", "auth_failure_status = 503\n[sources.okta.auth]");
    let (strict, lenient) = (world.serve(SOURCES, RECEIVE), world.serve(&at_503, RECEIVE));
    let ask = |service: &Service, credential: Option<&str>, challenges: &[&str]| {
        let mut request = to(service, Method::GET, "okta");
        for challenge in challenges {
            request = request.header("x-okta-verification-challenge", *challenge);
        }
        request = match credential {
            Some(credential) => request.header("authorization", credential),
            None => request,
        };
        Answer::to(request)
    };
    let echoed = ask(&strict, Some(OKTA), &["\"<b>"]).await;
    assert_eq!((echoed.status, echoed.json()), (200, json!({"verification": "\"<b>"})));
    assert_eq!(echoed.header("x-content-type-options"), Some("nosniff"));
    let unsigned = Answer::to(to(&strict, Method::POST, "okta").body("{}")).await;
    for credential in [None, Some("okta-shared-secret-valu3"), Some("Bearer okta-shared-secret-value")] {
        for challenges in [&["abc-123"][..], &[], &["a", "b"]] {
            let refused = ask(&strict, credential, challenges).await;
            refused.is_problem(401, "unauthenticated");
            assert_eq!(refused.body, unsigned.body, "the same as for a delivery");
            ask(&lenient, credential, challenges).await.is_problem(503, "unauthenticated");
        }
    }
    let long = "x".repeat(513);
    for challenges in [&[][..], &["a", "a"], &["a b"], &[long.as_str()]] {
        ask(&strict, Some(OKTA), challenges).await.is_problem(400, "bad-challenge");
    }
    assert_eq!(ask(&strict, Some(OKTA), &[&long[1..]]).await.status, 200);
    for (method, source, status, word) in [
        (Method::GET, "gusto", 405, "method-not-allowed"),
        (Method::GET, "workday", 405, "method-not-allowed"),
        (Method::PUT, "okta", 405, "method-not-allowed"),
        (Method::GET, "nobody", 404, "not-found"),
    ] {
        let request = to(&strict, method.clone(), source).header("authorization", OKTA);
        let answer = Answer::to(request.header("x-okta-verification-challenge", "a")).await;
        answer.is_problem(status, word);
    }
    let head = to(&strict, Method::HEAD, "okta").header("authorization", OKTA);
    assert_eq!(Answer::to(head).await.status, 405);
    assert_eq!(stored(&world).await, (0, 0));
}

#[tokio::test]
async fn a_ping_is_answered_signed_or_not_and_what_only_resembles_one_goes_the_normal_way() {
    let world = World::new().await;
    let service = world.serve(SOURCES, RECEIVE);
    for ping in ["\"Ping test\"", "{ \"text\": \"Ping test\" }"] {
        assert_eq!(Answer::to(to(&service, Method::POST, "hibob").body(ping)).await.status, 200, "{ping}");
        let signed = signed_for(&service, "hibob", ping.as_bytes(), HRIS_SECRET);
        assert_eq!(Answer::to(signed).await.status, 200, "{ping}");
        let elsewhere = to(&service, Method::POST, "gusto").body(ping);
        Answer::to(elsewhere).await.is_problem(401, "unauthenticated");
    }
    assert_eq!(stored(&world).await, (0, 0));
    assert_eq!(service.metric(r#"leaver_source_failing{source="hibob"}"#).await, Some(0.0));
    let more = json!({"text": "Ping test", "event": "worker.terminated"}).to_string();
    let unsigned = to(&service, Method::POST, "hibob").body(more.clone());
    Answer::to(unsigned).await.is_problem(401, "unauthenticated");
    let signed = signed_for(&service, "hibob", more.as_bytes(), HRIS_SECRET);
    assert_eq!(Answer::to(signed).await.status, 200, "stored with the status that this sender wants");
    assert_eq!(stored(&world).await, (1, 0));
}

#[tokio::test]
async fn a_token_is_kept_until_the_first_authentic_delivery_and_never_after_it() {
    let world = World::new().await;
    let config = world.config(SOURCES);
    let service = world.serve(SOURCES, RECEIVE);
    assert!(run(&config, &["token", "gusto"]).await.done().out.starts_with("no token waits"));
    for value in ["canary-token-1", "canary-token-1", "canary-token-2"] {
        let answer = Answer::to(post_token(&service, value)).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"status": "kept"})), "{value}");
    }
    for other in [
        json!({"verification_token": "short"}),
        json!({"verification_token": "canary-token-3", "event": "worker.terminated"}),
        json!({"verification_token": ["canary-token-3"]}),
    ] {
        let unsigned = to(&service, Method::POST, "gusto").body(other.to_string());
        Answer::to(unsigned).await.is_problem(401, "unauthenticated");
    }
    let elsewhere = to(&service, Method::POST, "hibob").body(token("canary-token-3"));
    Answer::to(elsewhere).await.is_problem(401, "unauthenticated");
    assert_eq!(stored(&world).await, (0, 2));
    let shown = run(&config, &["token", "gusto"]).await;
    let lines: Vec<_> = shown.done().out.lines().collect();
    assert!(lines[0].contains("canary-token-2") && lines[0].contains("127.0.0.1"), "{shown:?}");
    assert!(lines[1].contains("canary-token-1"), "{shown:?}");
    assert!(shown.out.contains("Confirm it at the sender first"), "{shown:?}");
    let listed = run(&config, &["token", "gusto", "--json"]).await.done().json();
    assert_eq!(listed[0]["token"], "canary-token-2");
    let checked = run(&config, &["check", "--json"]).await.json();
    let waiting = found(&checked, "token of gusto");
    assert_eq!(waiting["severity"], "warn");
    assert!(waiting["do"].as_str().unwrap().contains("leaver token gusto"), "{waiting}");
    run(&config, &["token", "hibob"]).await.failed(2, &["SOURCE", "hibob"]);
    run(&config, &["token", "nobody"]).await.failed(2, &["SOURCE", "nobody"]);

    let body = termination("e1", "W1", "jane@example.com").to_string();
    let other_source = signed_for(&service, "hibob", body.as_bytes(), HRIS_SECRET);
    assert_eq!(Answer::to(other_source).await.status, 200);
    assert_eq!(stored(&world).await, (1, 2), "another source's delivery says nothing about this one");
    let first = signed_for(&service, "gusto", body.as_bytes(), HRIS_SECRET);
    assert_eq!(Answer::to(first).await.status, 202);
    assert_eq!(stored(&world).await, (2, 0), "deleted together with the first delivery");
    Answer::to(post_token(&service, "canary-token-4")).await.is_problem(401, "unauthenticated");
    assert_eq!(stored(&world).await, (2, 0));
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains("canary"), "{log}");
    let late = "insert into verification_tokens (source, token) values ('gusto', 'canary-token-5')";
    world.sql(late).await;
    assert!(run(&config, &["token", "gusto"]).await.done().out.starts_with("no token waits"));
    let checked = run(&config, &["check", "--json"]).await.json();
    assert!(!checked.to_string().contains("token of gusto"), "{checked}");
}

#[tokio::test]
async fn strangers_can_neither_fill_the_table_of_tokens_nor_keep_old_ones_alive() {
    let world = World::new().await;
    let config = world.config(SOURCES);
    let at_503 = SOURCES.replace("[sources.gusto]", "[sources.gusto]\nauth_failure_status = 503");
    let (service, lenient) = (world.serve(SOURCES, RECEIVE), world.serve(&at_503, RECEIVE));
    for number in 0..9 {
        let answer = Answer::to(post_token(&service, &format!("token-number-{number}"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let kept = run(&config, &["token", "gusto", "--json"]).await.done().json();
    let kept: Vec<_> = kept.as_array().unwrap().iter().map(|one| one["token"].as_str().unwrap()).collect();
    assert_eq!(
        kept,
        ["token-number-8", "token-number-7", "token-number-6", "token-number-5", "token-number-4"]
    );
    let storm = (0..40).map(|number| Answer::to(post_token(&service, &format!("token-of-storm-{number}"))));
    for answer in futures_util::future::join_all(storm).await {
        assert!([200, 503].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(stored(&world).await, (0, 5));
    world.sql("update verification_tokens set received_at = received_at - interval '24 hours'").await;
    assert_eq!(run(&config, &["token", "gusto", "--json"]).await.done().json(), json!([]));
    let fresh = Answer::to(post_token(&lenient, "a-token-of-today")).await;
    assert_eq!(fresh.status, 200, "{fresh:?}");
    assert_eq!(stored(&world).await, (0, 1), "what is older than a day is gone");
    let body = termination("e1", "W1", "jane@example.com").to_string();
    let first = signed_for(&service, "gusto", body.as_bytes(), HRIS_SECRET);
    assert_eq!(Answer::to(first).await.status, 202);
    Answer::to(post_token(&lenient, "a-token-of-today")).await.is_problem(503, "unauthenticated");
    assert_eq!(stored(&world).await, (1, 0));
}

#[tokio::test]
async fn a_token_that_can_not_be_kept_is_our_own_trouble() {
    let world = World::new().await;
    let service = world.serve(SOURCES, RECEIVE);
    crate::edge::ready(&service).await;
    world.sql("drop table verification_tokens").await;
    Answer::to(post_token(&service, "canary-token-1")).await.is_problem(503, "unavailable");
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(log.contains("could not be kept") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn consent_is_given_to_listed_origins_by_name_and_nothing_is_ever_called_back() {
    let world = World::new().await;
    let service = world.serve(SOURCES, RECEIVE);
    let ask = |source: &str, headers: &[(&str, &str)]| {
        let mut request = to(&service, Method::OPTIONS, source);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(request)
    };
    let origin = ("webhook-request-origin", "eventemitter.example.com");
    let callback = wiremock::MockServer::start().await;
    let callback_url = callback.uri();
    for (asked, rate) in [("120", "120"), ("7", "7"), ("*", "120"), ("many", "120")] {
        let headers =
            [origin, ("webhook-request-rate", asked), ("webhook-request-callback", callback_url.as_str())];
        let given = ask("cloudevents", &headers).await;
        assert_eq!(given.status, 200, "{given:?}");
        assert_eq!(given.header("webhook-allowed-origin"), Some("eventemitter.example.com"));
        assert_eq!(given.header("webhook-allowed-rate"), Some(rate), "{asked}");
        assert_eq!(given.header("allow"), Some("POST"));
    }
    let refused: [(&str, &[(&str, &str)]); 7] = [
        ("cloudevents", &[("webhook-request-origin", "evil.example.net")]),
        ("cloudevents", &[("webhook-request-origin", "*")]),
        ("cloudevents", &[("webhook-request-origin", "x.eventemitter.example.com")]),
        ("cloudevents", &[origin, origin]),
        ("cloudevents", &[("origin", "eventemitter.example.com")]),
        ("workday", &[origin]),
        ("nobody", &[origin]),
    ];
    for (source, headers) in refused {
        let answer = ask(source, headers).await;
        match source {
            "nobody" => answer.is_problem(404, "not-found"),
            _ => answer.is_problem(405, "method-not-allowed"),
        }
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("webhook-")), "{answer:?}");
    }
    assert_eq!(callback.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_first_delivery_is_answered_with_the_status_that_its_sender_insists_on() {
    let world = World::new().await;
    let more = |status: u16| {
        format!(
            "[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{HRIS_SECRET}\"]\n\
             stored_status = {status}"
        )
    };
    for status in [200, 204] {
        let service = world.serve(&more(status), RECEIVE);
        let deliver = |body: Value| {
            let body = body.to_string().into_bytes();
            Answer::to(signed_for(&service, "acme", &body, HRIS_SECRET))
        };
        let id = |kind: &str| format!("{kind}-{status}");
        let stored = termination(&id("e"), &id("W"), "jane@example.com");
        let first = deliver(stored.clone()).await;
        let again = deliver(stored).await;
        let ignored = deliver(json!({"event": "worker.hired", "eventId": id("h")})).await;
        let held = deliver(json!({"event": "worker.terminated", "eventId": id("u")})).await;
        assert_eq!(
            [first.status, ignored.status, held.status],
            [status; 3],
            "{first:?} {ignored:?} {held:?}"
        );
        assert_eq!((again.status, &again.json()["status"]), (200, &json!("duplicate")));
        assert_eq!(again.json()["offboardings"][0]["outcome"], Value::Null, "a duplicate tells all of it");
        if status == 204 {
            assert_eq!((first.body.len(), first.header("content-type")), (0, None));
        } else {
            assert_eq!(first.json()["status"], "accepted");
            assert_eq!(held.json()["status"], "held");
            assert!(first.json()["offboardings"][0].get("outcome").is_none(), "{first:?}");
        }
    }
}
