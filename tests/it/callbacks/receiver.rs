//! Somebody who is told: real HTTP, answers as the test wants them, every message kept, and proven with the library of
//! Standard Webhooks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::Value;

/// A running one.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Mutex<Known>>,
}

struct Known {
    script: VecDeque<Reply>,
    always: Reply,
    got: Vec<Got>,
}

/// What it answers.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) delay: Duration,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn of(status: u16) -> Self {
        Self { status, headers: Vec::new(), delay: Duration::ZERO }
    }

    pub(crate) fn with(status: u16, name: &'static str, value: &str) -> Self {
        Self { headers: vec![(name, value.to_owned())], ..Self::of(status) }
    }

    pub(crate) fn after(status: u16, delay: Duration) -> Self {
        Self { delay, ..Self::of(status) }
    }
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// Whether the library of Standard Webhooks takes it with this key.
    pub(crate) fn is_proven_with(&self, secret: &str) -> bool {
        let webhook = if secret.starts_with("whsec_") {
            standardwebhooks::Webhook::new(secret).expect("a key")
        } else {
            standardwebhooks::Webhook::from_bytes(secret.as_bytes().to_vec()).expect("a key")
        };
        webhook.verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let known = Known { script: VecDeque::new(), always: Reply::of(204), got: Vec::new() };
        let state = Arc::new(Mutex::new(known));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Answers the next messages so, one each, and those after them as always.
    pub(crate) fn next(&self, replies: &[Reply]) {
        self.state.lock().expect("its state").script.extend(replies.iter().cloned());
    }

    pub(crate) fn always(&self, reply: Reply) {
        self.state.lock().expect("its state").always = reply;
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.state.lock().expect("its state").got.clone()
    }

    /// Type and result of each message, in the order of arrival.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = self.got().into_iter().map(|got| {
            let body = got.json();
            let data = &body["data"];
            let result = if data["outcome"].is_null() { &data["reason"] } else { &data["outcome"] };
            (word(&body["type"]), word(result))
        });
        told.collect()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Known>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut state = state.lock().expect("its state");
        let body = String::from_utf8_lossy(&body).into_owned();
        state.got.push(Got { method, path: uri.to_string(), headers, body });
        let always = state.always.clone();
        state.script.pop_front().unwrap_or(always)
    };
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body("an answer that nobody keeps, hushhush".into()).expect("an answer")
}
