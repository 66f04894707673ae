//! An HRIS that can be asked about its people: real HTTP, answers as the test wants them, every request kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The credential that it wants to see.
pub(crate) const HRIS_TOKEN: &str = "the-token-of-the-hris-0123456789";

/// A running one.
#[derive(Clone)]
pub(crate) struct Hris {
    pub(crate) url: String,
    state: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    answers: HashMap<String, Answer>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Hris {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(Known::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Answers a person's id with this record.
    pub(crate) fn knows(&self, id: &str, record: &Value) {
        self.answers(id, 200, &[], &record.to_string(), Duration::ZERO);
    }

    pub(crate) fn answers(
        &self,
        id: &str,
        status: u16,
        headers: &[(&'static str, String)],
        body: &str,
        delay: Duration,
    ) {
        let answer = Answer { status, headers: headers.to_vec(), body: body.to_owned(), delay };
        self.state.lock().expect("its state").answers.insert(format!("/people/{id}"), answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().expect("its state").asked.clone()
    }

    /// How often it was asked about this person.
    pub(crate) fn asked_about(&self, id: &str) -> usize {
        let path = format!("/people/{id}");
        self.asked().iter().filter(|asked| asked.path == path).count()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Known>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let found = {
        let mut state = state.lock().expect("its state");
        let body = String::from_utf8_lossy(&body).into_owned();
        state.asked.push(Asked { at: Instant::now(), path: path.clone(), headers, body });
        state.answers.get(&path).cloned()
    };
    let Some(answer) = found else { return StatusCode::NOT_FOUND.into_response() };
    tokio::time::sleep(answer.delay).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(answer.body.into()).expect("an answer")
}
