//! Traces, as a collector receives them: what is in them, what never is, and that a collector that is away or hangs changes
//! nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use leaver_simulator::{Options, presets};

use crate::edge::{ended, ready, terminate};
use crate::process::until;
use crate::support::{ALICE, BOB, HRIS_SECRET, Service, World, client, signed, termination};

const LIMIT: Duration = Duration::from_secs(60);

/// An orderly stop as a whole.
const STOP_MAX: Duration = Duration::from_secs(25);

const CLIENT_SECRET: &str = "canary-client-secret-0123456789";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// None of these may be in a span, in whatever case.
const CANARIES: &[&str] =
    &["canar", "zwitscher", HRIS_SECRET, ALICE, BOB, "bearer ", "basic ", "/offboardings/0", "signature"];

type Received = Arc<Mutex<Vec<(String, String, Bytes)>>>;

/// A collector of the test's own.
struct Collector {
    url: String,
    received: Received,
}

impl Collector {
    async fn start() -> Self {
        let received = Received::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let take = async |State(all): State<Received>, uri: Uri, headers: HeaderMap, body: Bytes| {
            let kind = headers["content-type"].to_str().unwrap().to_owned();
            all.lock().unwrap().push((uri.path().to_owned(), kind, body));
        };
        let router = Router::new().fallback(take).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    /// Everything that came, as the bytes of all bodies.
    fn bytes(&self) -> Vec<u8> {
        self.received.lock().unwrap().iter().flat_map(|(_, _, body)| body.to_vec()).collect()
    }

    /// Texts stand in the protocol's bytes as they are.
    fn has(&self, text: &str) -> bool {
        contains(&self.bytes(), text.as_bytes())
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn serve(world: &World, telemetry: &str) -> Service {
    let more = format!(
        "requests_per_minute = 3000\n[policy]\nnot_found_recheck = \"100ms\"\n\
         [worker]\npoll = \"20ms\"\nretry_base = \"10ms\"\n[telemetry]\n{telemetry}\n"
    );
    world.serve(&more, &["serve"])
}

async fn deliver(service: &Service, event: &str, worker: &str, email: &str) -> u16 {
    let body = termination(event, worker, email).to_string();
    signed(&service.public, body.as_bytes(), HRIS_SECRET)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-00"))
        .header("tracestate", "canary=zwitscher")
        .header("baggage", "canary=zwitscher")
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

impl Collector {
    /// What can be read of the spans, for whoever misses one.
    fn words(&self) -> std::collections::BTreeSet<String> {
        let bytes = self.bytes();
        let words = bytes.split(|byte| !(b' '..=b'~').contains(byte)).filter(|word| word.len() > 8);
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }
}

async fn is_done(service: &Service, count: usize) {
    until("everybody is done", LIMIT, async || {
        let (_, list) = service.api(reqwest::Method::GET, "/api/v1/offboardings?status=done", ALICE).await;
        list["items"].as_array().is_some_and(|items| items.len() == count)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_requests_transactions_attempts_and_calls_and_nothing_about_people() {
    let world = World::with(Options { client_secret: CLIENT_SECRET.to_owned(), ..Options::roomy() }).await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Canaria Zwitscher", "canaria@canary.example", "CANARY-1");
    });
    let collector = Collector::start().await;
    let mut service = serve(
        &world,
        &format!("otlp_endpoint = \"{}\"\nservice_name = \"leaver-of-the-test\"", collector.url),
    );
    ready(&service).await;
    assert_eq!(deliver(&service, "canary-event-1", "CANARY-1", "canaria@canary.example").await, 202);
    assert_eq!(deliver(&service, "canary-event-2", "CANARY-2", "zwitscher@canary.example").await, 202);
    let strange = format!("{}/webhooks/canary%0d?canary=zwitscher", service.public);
    client().request("CANARY".parse().unwrap(), strange).send().await.unwrap();
    is_done(&service, 2).await;
    let (_, list) =
        service.api(reqwest::Method::GET, "/api/v1/offboardings?person=canaria@canary.example", ALICE).await;
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/offboardings/{id}");
    assert_eq!(service.api(reqwest::Method::GET, &path, ALICE).await.0, 200);
    terminate(&service);
    assert_eq!(ended(&mut service, STOP_MAX).await.code(), Some(0));
    for (path, kind, _) in collector.received.lock().unwrap().iter() {
        assert_eq!((path.as_str(), kind.as_str()), ("/v1/traces", "application/x-protobuf"));
    }
    for text in [
        "leaver-of-the-test",
        "POST /webhooks/{source}",
        "GET /api/v1/offboardings/{id}",
        "accept",
        "workday",
        "attempt",
        "GET /api/v2/users/{id}/queues",
        "PATCH /api/v2/users/{id}",
        "POST /oauth/token",
        "request_id",
        &id,
    ] {
        assert!(collector.has(text), "no {text} in the spans: {:?}", collector.words());
    }
    // The delivery belongs to the sender's trace, though its flag says that nobody samples it.
    let bytes = collector.bytes();
    assert!(
        contains(&bytes, &hex::decode(TRACE).unwrap()) && contains(&bytes, &hex::decode(PARENT).unwrap())
    );
    let seen = String::from_utf8_lossy(&bytes).to_lowercase();
    for canary in CANARIES {
        assert!(!seen.contains(&canary.to_lowercase()), "{canary} in {seen}");
    }
    assert!(!seen.contains("/livez") && !seen.contains("/readyz"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_where_the_ratio_is_none() {
    let world = World::new().await;
    let collector = Collector::start().await;
    let mut service = serve(&world, &format!("otlp_endpoint = \"{}\"\nsample_ratio = 0.0", collector.url));
    ready(&service).await;
    assert_eq!(deliver(&service, "e1", "W1", "jane@example.com").await, 202);
    is_done(&service, 1).await;
    terminate(&service);
    assert_eq!(ended(&mut service, STOP_MAX).await.code(), Some(0));
    assert_eq!(collector.received.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_or_hangs_keeps_neither_deliveries_nor_work_nor_the_stop() {
    // Takes connections and never answers.
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [hangs.local_addr().unwrap(), gone.local_addr().unwrap()];
    drop(gone);
    for address in addresses {
        let world = World::new().await;
        let mut service = serve(&world, &format!("otlp_endpoint = \"http://{address}\""));
        ready(&service).await;
        for event in ["e1", "e2", "e3"] {
            let begun = Instant::now();
            assert_eq!(deliver(&service, event, event, &format!("{event}@example.com")).await, 202);
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        }
        is_done(&service, 3).await;
        if address == addresses[1] {
            until("the failure is counted", LIMIT, async || {
                service
                    .metric(r#"leaver_trace_exports_total{result="failed"}"#)
                    .await
                    .is_some_and(|n| n > 0.0)
            })
            .await;
        }
        terminate(&service);
        let begun = Instant::now();
        assert_eq!(ended(&mut service, STOP_MAX).await.code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let panics =
            service.log_lines().into_iter().filter(|line| line["fields"]["message"] == "a task panicked");
        assert_eq!(panics.count(), 0);
    }
}
