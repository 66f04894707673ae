//! Deliveries that are refused: always as a problem with a stable type, and nothing is stored.

use reqwest::header::HeaderMap;
use serde_json::json;
use sqlx::Row;

use super::{RECEIVE, events, offboardings, signed_for};
use crate::edge::{Answer, connect, say};
use crate::support::{HRIS_SECRET, Service, World, client, signed, signed_at, termination};

fn now() -> u64 {
    chrono::Utc::now().timestamp().unsigned_abs()
}

/// The same delivery with its headers changed after it was signed.
fn altered(service: &Service, body: &[u8], change: impl FnOnce(&mut HeaderMap)) -> reqwest::RequestBuilder {
    let mut request = signed(&service.public, body, HRIS_SECRET).build().expect("a request");
    change(request.headers_mut());
    reqwest::RequestBuilder::from_parts(client(), request)
}

#[tokio::test]
async fn every_failed_proof_gets_the_same_answer_and_stores_nothing() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let body = termination("e1", "W1", "jane@example.com").to_string().into_bytes();
    let other_body = termination("e1", "W1", "john@example.com").to_string();
    let repeated = |name: &'static str| {
        altered(&service, &body, move |headers| {
            let value = headers[name].clone();
            headers.append(name, value);
        })
    };
    let requests = [
        ("unsigned", altered(&service, &body, |h| drop(h.remove("x-signature")))),
        ("no timestamp", altered(&service, &body, |h| drop(h.remove("x-timestamp")))),
        ("nothing at all", altered(&service, &body, HeaderMap::clear)),
        ("wrong key", signed(&service.public, &body, "another-secret-of-the-hris-01234")),
        ("other body", signed(&service.public, &body, HRIS_SECRET).body(other_body)),
        (
            "empty signature",
            altered(&service, &body, |h| {
                h.insert("x-signature", "sha256=".parse().unwrap());
            }),
        ),
        (
            "no prefix",
            altered(&service, &body, |h| {
                let plain = h["x-signature"].to_str().unwrap().trim_start_matches("sha256=").to_owned();
                h.insert("x-signature", plain.parse().unwrap());
            }),
        ),
        (
            "other time",
            altered(&service, &body, |h| {
                h.insert("x-timestamp", (now() - 7).to_string().parse().unwrap());
            }),
        ),
        ("stale", signed_at(&service.public, &body, HRIS_SECRET, now() - 302)),
        ("future", signed_at(&service.public, &body, HRIS_SECRET, now() + 65)),
        ("repeated signature", repeated("x-signature")),
        ("repeated timestamp", repeated("x-timestamp")),
    ];
    let mut first: Option<(HeaderMap, Vec<u8>)> = None;
    for (what, request) in requests {
        let mut answer = Answer::to(request).await;
        answer.is_problem(401, "unauthenticated");
        answer.headers.remove("date");
        let seen = (answer.headers, answer.body);
        assert_eq!(first.get_or_insert(seen.clone()), &seen, "{what}");
    }
    assert_eq!((events(&world).await, offboardings(&world).await), (0, 0));
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await.text();
    let counted = r#"leaver_delivery_refusals_total{source="workday",cause="repeated_header"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
    for inside in [now() - 290, now() + 50] {
        let in_time = Answer::to(signed_at(&service.public, &body, HRIS_SECRET, inside)).await;
        assert!([200, 202].contains(&in_time.status), "{in_time:?}");
    }
}

#[tokio::test]
async fn a_wrong_place_method_or_content_is_a_problem_of_its_own_type() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let public = &service.public;
    let body = termination("e1", "W1", "jane@example.com").to_string().into_bytes();
    let as_type = |value: &'static str| {
        altered(&service, &body, |h| drop(h.insert("content-type", value.parse().unwrap())))
    };
    let twice = altered(&service, &body, |h| {
        h.append("content-type", "application/json".parse().unwrap());
    });
    let encoded = |value: &'static str| {
        altered(&service, &body, |h| drop(h.insert("content-encoding", value.parse().unwrap())))
    };
    let elsewhere = |source| signed_for(&service, source, &body, HRIS_SECRET);
    let requests = [
        (elsewhere("nobody"), 404, "not-found"),
        (elsewhere("Workday"), 404, "not-found"),
        (elsewhere("workday/"), 404, "not-found"),
        (elsewhere("%ff"), 400, "malformed-address"),
        (client().post(format!("{public}/")), 404, "not-found"),
        (client().get(format!("{public}/webhooks/workday")), 405, "method-not-allowed"),
        (client().put(format!("{public}/webhooks/workday")), 405, "method-not-allowed"),
        (client().post(format!("{public}/livez")), 405, "method-not-allowed"),
        (as_type("text/plain"), 415, "unsupported-media"),
        (as_type("application/x-www-form-urlencoded"), 415, "unsupported-media"),
        (as_type("application/json; charset=utf-16"), 415, "unsupported-media"),
        (twice, 415, "unsupported-media"),
        (encoded("gzip"), 415, "unsupported-media"),
        (encoded("identity"), 415, "unsupported-media"),
    ];
    for (request, status, kind) in requests {
        let answer = Answer::to(request).await;
        answer.is_problem(status, kind);
        assert_eq!(answer.header("allow").is_some(), status == 405, "{answer:?}");
    }
    assert_eq!(events(&world).await, 0);
    let stated = Answer::to(as_type("Application/JSON; Charset=UTF-8")).await;
    assert_eq!(stated.status, 202, "{stated:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_its_length_is_told() {
    let world = World::new().await;
    let service =
        world.serve_edited("", RECEIVE, |text| text.replace("[database]", "body_limit = 2048\n[database]"));
    let body_of = |bytes: usize| {
        let mut body = termination("e1", "W1", "jane@example.com");
        body["note"] = json!("");
        let padding = bytes - body.to_string().len();
        body["note"] = json!("x".repeat(padding));
        body.to_string()
    };
    let too_large = body_of(2049);
    Answer::to(signed(&service.public, too_large.as_bytes(), HRIS_SECRET)).await.is_problem(413, "too-large");
    let request = signed(&service.public, too_large.as_bytes(), HRIS_SECRET).build().unwrap();
    let mut chunked =
        String::from("POST /webhooks/workday HTTP/1.1\r\nhost: leaver\r\ntransfer-encoding: chunked\r\n");
    for (name, value) in request.headers() {
        chunked.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    chunked.push_str("\r\n");
    for chunk in too_large.as_bytes().chunks(500) {
        chunked.push_str(&format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()));
    }
    chunked.push_str("0\r\n\r\n");
    let (_, said) = say(&service.public, chunked.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("urn:leaver:problem:too-large"), "{said}");
    assert_eq!(events(&world).await, 0);
    let fits = body_of(2048);
    assert_eq!(service.deliver_bytes(fits.as_bytes()).await.0, 202);
}

#[tokio::test]
async fn a_length_that_says_too_much_is_refused_before_the_body_comes() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let head = "POST /webhooks/workday HTTP/1.1\r\nhost: leaver\r\ncontent-type: application/json\r\n\
                content-length: 99999999\r\n\r\n";
    let (took, said) = say(&service.public, head.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
    drop(connect(&service.public).await);
}

#[tokio::test]
async fn a_sender_that_sends_all_before_it_reads_is_told_that_it_was_too_much() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let token = format!("authorization: Bearer {}\r\n", crate::support::ALICE);
    for (listener, path, token, megabytes) in [
        (&service.public, "/webhooks/workday", "", 4),
        (&service.public, "/webhooks/workday", "", 12),
        (&service.admin, "/api/v1/offboardings", token.as_str(), 8),
    ] {
        let body = vec![b'x'; megabytes * 1024 * 1024];
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{token}content-type: application/json\r\n");
        let length = format!("content-length: {}\r\n\r\n", body.len());
        let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        for (told, end) in [(length, ""), (chunked, "\r\n0\r\n\r\n")] {
            let mut stream = connect(listener).await;
            for part in [head.as_bytes(), told.as_bytes(), &body, end.as_bytes()] {
                stream.write_all(part).await.unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            let sent = std::time::Instant::now();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("too-large"), "{path}: {said}");
            assert!(sent.elapsed() < std::time::Duration::from_secs(3), "{:?}", sent.elapsed());
        }
    }
}

#[tokio::test]
async fn an_event_id_with_another_body_is_refused_and_the_first_stays() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let first = termination("e1", "W1", "jane@example.com");
    let (_, receipt) = service.deliver(&first).await;
    let other = termination("e1", "W2", "victim@example.com").to_string();
    let answer = Answer::to(signed(&service.public, other.as_bytes(), HRIS_SECRET)).await;
    answer.is_problem(409, "event-id-reused");
    let rows = world.rows("select body from events").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<Vec<u8>, _>("body"), first.to_string().as_bytes());
    let (status, again) = service.deliver(&first).await;
    assert_eq!((status, &again["offboardings"][0]["id"]), (200, &receipt["offboardings"][0]["id"]));
    assert_eq!(offboardings(&world).await, 1);
}
