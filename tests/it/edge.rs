//! What the tests of the edge share: whole answers, requests as raw bytes, signals, and waiting for a condition.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{HRIS_SECRET, Service, World, client};

/// How often a condition is looked at that a real process has to reach.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// An answer with everything that a caller can see of it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Self {
        let started = Instant::now();
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.expect("a whole answer").to_vec();
        Self { status, headers, body, took: started.elapsed() }
    }

    pub(crate) async fn get(url: String) -> Self {
        Self::to(client().get(url)).await
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a readable header"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts that it is a problem as RFC 9457 has them, of this type.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:leaver:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert_eq!(self.header("retry-after").is_some(), status == 503, "{self:?}");
    }
}

/// Waits until a real process has got somewhere; panics after the limit.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the service says that it is ready.
pub(crate) async fn ready(service: &Service) {
    let url = format!("{}/readyz", service.public);
    eventually("the service is ready", Duration::from_secs(15), || async {
        (Answer::get(url.clone()).await.status == 200).then_some(())
    })
    .await;
}

/// A signed delivery as the bytes of an HTTP request; without a client, so that many are made in a moment.
pub(crate) fn raw_delivery(body: &[u8]) -> Vec<u8> {
    let timestamp = chrono::Utc::now().timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(HRIS_SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!(
        "POST /webhooks/workday HTTP/1.1\r\nhost: leaver\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-timestamp: {timestamp}\r\nx-signature: sha256={signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Opens a connection to the service that speaks HTTP by hand.
pub(crate) async fn connect(service: &str) -> TcpStream {
    let address = service.strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("a connection")
}

/// Sends bytes and reads until the service closes the connection; how long that took, and what it said.
pub(crate) async fn say(service: &str, bytes: &[u8]) -> (Duration, String) {
    let mut stream = connect(service).await;
    let started = Instant::now();
    // A service that has heard enough may close before everything is sent.
    let _ = stream.write_all(bytes).await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    (started.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

/// Sends the service a SIGTERM.
pub(crate) fn terminate(service: &Service) {
    let told = std::process::Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", service.child.id())])
        .status()
        .expect("a shell");
    assert!(told.success());
}

/// Waits for the service's end.
pub(crate) async fn ended(service: &mut Service, limit: Duration) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = service.child.try_wait().expect("a status") {
            return status;
        }
        assert!(started.elapsed() < limit, "the service still runs after {limit:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Puts an offboarding into a status behind the service's back.
pub(crate) async fn put(world: &World, id: &str, status: &str, reason: Option<&str>) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(world.database.url()).await.expect("a connection");
    sqlx::query("update offboardings set status = $2, reason = $3 where id = $1::uuid")
        .bind(id)
        .bind(status)
        .bind(reason)
        .execute(&mut connection)
        .await
        .expect("an update that works");
}
