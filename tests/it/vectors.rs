//! Every published and computed signature vector against the running service: its exact bytes over a socket, with repeated
//! headers in their order, at the vector's own time.
//!
//! Each vector has a source of its own, so that nothing is a duplicate of anything. A source whose secrets are too short or
//! missing is refused at the start, which is what those vectors expect that are to be rejected for it. Six vectors that are to
//! be accepted have a secret that is shorter than the service takes: it is made longer, and what was signed or shown with it
//! is made anew in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use leaver::hris::{Problem, SECRET_BYTES_MIN, Source};
use leaver::http;
use leaver::http::webhooks::Webhooks;
use leaver::offboarding::Zone;
use leaver::offboarding::choices::{EffectiveAt, Mode};
use serde_json::Value;
use sha2::Sha256;
use sqlx::Row;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::World;

const VECTORS: &str = include_str!("../data/hris-signature-vectors.json");

const BODY_LIMIT: usize = 65_536;

/// What a short secret ends with to be long enough.
const MORE: &str = "-made-longer-for-16-bytes";

/// One vector and the source that it is for; no source where it is refused at the start.
struct Case {
    place: String,
    expect: String,
    now: i64,
    name: String,
    source: Option<Source>,
    request: Vec<u8>,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap()
}

fn case(number: usize, scheme: &Value, vector: &Value) -> Case {
    let name = format!("v{number}");
    let mut auth: toml::Table = serde_json::from_value(scheme["profile"].clone()).unwrap();
    for (key, limit) in [("max_age", "max_age_s"), ("max_future", "max_future_s")] {
        if let Some(seconds) = vector[limit].as_u64() {
            auth.insert(key.to_owned(), toml::Value::from(format!("{seconds}s")));
        }
    }
    let body = STANDARD.decode(text(vector, "body_base64")).unwrap();
    let secrets =
        vector["secrets"].as_array().unwrap().iter().map(|secret| secret.as_str().unwrap().to_owned());
    let mut secrets: Vec<String> = secrets.collect();
    let mut headers: Vec<(String, String)> = serde_json::from_value(vector["headers"].clone()).unwrap();
    let mut source = build(&name, &auth, &secrets);
    if source.is_none() && vector["expect"] == "accept" {
        for secret in secrets.iter_mut().filter(|secret| secret.len() < SECRET_BYTES_MIN) {
            let longer = format!("{secret}{MORE}");
            for (_, value) in &mut headers {
                for proof in [plain, basic, signature] {
                    *value = value.replace(&proof(secret, &body), &proof(&longer, &body));
                }
            }
            *secret = longer;
        }
        source = build(&name, &auth, &secrets);
    }
    let query = vector["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request =
        format!("POST /webhooks/{name}{query} HTTP/1.1\r\nhost: leaver\r\nconnection: close\r\n");
    for (name, value) in &headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    Case {
        place: format!("{} {}: {}", text(scheme, "id"), text(vector, "name"), text(vector, "why")),
        expect: text(vector, "expect").to_owned(),
        now: vector["now"].as_i64().unwrap(),
        name,
        source,
        request: [request.as_bytes(), &body].concat(),
    }
}

fn plain(secret: &str, _: &[u8]) -> String {
    secret.to_owned()
}

fn basic(secret: &str, _: &[u8]) -> String {
    STANDARD.encode(secret)
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// `None` where the source is refused for its secrets; for nothing else may it be.
fn build(name: &str, auth: &toml::Table, secrets: &[String]) -> Option<Source> {
    let mut table: toml::Table =
        "map.email = '/email'\nrules = [{ when = [], do = 'hold' }]".parse().unwrap();
    table.insert("auth".to_owned(), toml::Value::Table(auth.clone()));
    table.insert("secrets".to_owned(), toml::Value::try_from(secrets).unwrap());
    match Source::build(name, &table) {
        Ok(source) => Some(source),
        Err(error) => {
            assert!(error.key().starts_with(&format!("sources.{name}.secrets")), "{error}");
            let expected = matches!(
                error.problem(),
                Problem::Missing | Problem::EmptySecret | Problem::ShortSecret(_) | Problem::Malformed(_)
            );
            assert!(expected, "{error}");
            None
        }
    }
}

/// Status and body of the answer, or nothing at all where the connection was closed without one.
async fn answer(address: std::net::SocketAddr, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said:?}"));
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_vector_is_accepted_or_refused_over_http_as_published() {
    let world = World::new().await;
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut cases = Vec::new();
    for scheme in vectors["schemes"].as_array().unwrap() {
        for vector in scheme["vectors"].as_array().unwrap() {
            cases.push(case(cases.len(), scheme, vector));
        }
    }
    let clock = Arc::new(AtomicI64::new(0));
    let hand = Arc::clone(&clock);
    let sources: Vec<Source> = cases.iter_mut().filter_map(|case| case.source.take()).collect();
    let served: BTreeSet<String> = sources.iter().map(|source| source.name().to_owned()).collect();
    let webhooks = Webhooks::new(
        world.store.clone(),
        sources,
        BODY_LIMIT,
        Zone::utc(),
        EffectiveAt::EndOfDay,
        Mode::Live,
    );
    let webhooks: Webhooks = webhooks.with_clock(move || {
        DateTime::<Utc>::from_timestamp(hand.load(Ordering::SeqCst), 0).unwrap_or_default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let service = tokio::spawn(http::serve(listener, webhooks.router(), stop.clone()));

    let (mut accepted, mut rejected, mut unread, mut at_start, mut either) = (0, 0, 0, 0, 0);
    let (mut wrong, mut refusals, mut stored) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for case in &cases {
        clock.store(case.now, Ordering::SeqCst);
        let (status, body) = answer(address, &case.request).await;
        let takes = matches!(status, 200..=299);
        let right = match (case.expect.as_str(), served.contains(&case.name)) {
            ("accept", true) => {
                accepted += 1;
                takes
            }
            // One has more headers than the edge reads at all.
            ("reject", true) if status == 431 => {
                unread += 1;
                true
            }
            ("reject", true) => {
                rejected += 1;
                refusals.insert(body.clone());
                status == 401
            }
            // There is no such source.
            ("reject", false) => {
                at_start += 1;
                status == 404
            }
            ("either", _) => {
                either += 1;
                takes || status == 401
            }
            _ => false,
        };
        if takes {
            stored.insert(case.name.clone());
        }
        if !right {
            wrong.push(format!("{status} {body} {}", case.place));
        }
    }
    stop.cancel();
    service.await.unwrap();
    println!(
        "{} vectors over HTTP: {accepted} accepted, {rejected} rejected, {unread} unread, {at_start} refused at the start, {either} either",
        cases.len()
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!((accepted, rejected + unread + at_start, either, cases.len()), (121, 196, 9, 326));
    assert_eq!(unread, 1);
    assert_eq!(refusals.len(), 1, "one answer for every cause: {refusals:?}");
    let rows = world.rows("select source, count(*) as rows from events group by source").await;
    let rows: BTreeMap<String, i64> = rows.iter().map(|row| (row.get("source"), row.get("rows"))).collect();
    assert_eq!(rows, stored.into_iter().map(|name| (name, 1)).collect());
}
