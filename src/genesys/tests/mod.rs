//! The client against single strange answers of Genesys, and what these tests share.

mod belongings;
mod callbacks;
mod changing;
mod limits;
mod login;
mod people;
mod queues;
mod reading;
mod restoring;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, path_regex},
};

use super::{Error, Genesys, Notice, Pacer, PacerError, Permits, Settings, UserId, Waits};

/// Grants everything at once, and counts.
#[derive(Default)]
struct CountingPacer {
    reserved: AtomicU32,
    reservations: AtomicU32,
    notices: Mutex<Vec<Notice>>,
    /// How long the next permits are good; an hour when there is nothing.
    lifetimes: Mutex<VecDeque<Duration>>,
}

impl CountingPacer {
    fn reserved(&self) -> u32 {
        self.reserved.load(Ordering::SeqCst)
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }
}

#[async_trait]
impl Pacer for CountingPacer {
    async fn reserve(&self, calls: u32) -> Result<Permits, PacerError> {
        self.reserved.fetch_add(calls, Ordering::SeqCst);
        self.reservations.fetch_add(1, Ordering::SeqCst);
        let lifetime = self.lifetimes.lock().unwrap().pop_front().unwrap_or(Duration::from_secs(3600));
        Ok(Permits { calls, valid_until: Instant::now() + lifetime })
    }

    async fn pause(&self) -> Result<Duration, PacerError> {
        Ok(Duration::ZERO)
    }

    async fn announced(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}

/// A client, the server that it speaks with, and its pacer.
struct Bench {
    server: MockServer,
    pacer: Arc<CountingPacer>,
    genesys: Genesys,
}

fn settings(server: &MockServer) -> Settings {
    let url = Url::parse(&server.uri()).unwrap();
    Settings {
        api_url: url.clone(),
        login_url: url,
        client_id: "client".to_owned(),
        client_secret: "secret".into(),
        timeout: Duration::from_secs(10),
        user_agent: "leaver/0.0.0".to_owned(),
        waits: Waits {
            retry_base: Duration::from_micros(1),
            retry_max: Duration::from_micros(1),
            throttle_min: Duration::from_micros(1),
        },
    }
}

impl Bench {
    /// A server that gives out tokens.
    async fn new() -> Self {
        let bench = Self::without_login().await;
        bench.login(ResponseTemplate::new(200).set_body_json(token("token-1"))).await;
        bench
    }

    async fn without_login() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = MockServer::start().await;
        let mut settings = settings(&server);
        change(&mut settings);
        let pacer = Arc::new(CountingPacer::default());
        let genesys = Genesys::new(settings, Arc::<CountingPacer>::clone(&pacer)).unwrap();
        Self { server, pacer, genesys }
    }

    async fn login(&self, answer: ResponseTemplate) {
        Mock::given(method("POST")).and(path("/oauth/token")).respond_with(answer).mount(&self.server).await;
    }

    async fn answer(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    async fn answer_once(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        mock.up_to_n_times(1).mount(&self.server).await;
    }

    /// The requests so far whose path begins so.
    async fn requests(&self, begin: &str) -> Vec<wiremock::Request> {
        let all = self.server.received_requests().await.unwrap();
        all.into_iter().filter(|request| request.url.path().starts_with(begin)).collect()
    }
}

fn token(name: &str) -> Value {
    json!({"access_token": name, "token_type": "bearer", "expires_in": 86_400})
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn failing(status: u16, code: &str) -> ResponseTemplate {
    let body = json!({"message": "Jane Doe", "code": code, "status": status, "contextId": "c-1"});
    ResponseTemplate::new(status).insert_header("ININ-Correlation-Id", "c-1").set_body_json(body)
}

fn jane() -> UserId {
    UserId::new("u-jane").unwrap()
}

/// Gives the answer with one field, by its JSON pointer, in another way: `None` leaves it out.
fn with_field(answer: &Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let mut answer = answer.clone();
    let parent = answer.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(field.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(field)),
        (Value::Array(entries), value) => {
            entries[field.parse::<usize>().unwrap()] = value.unwrap_or(Value::Null);
        }
        (other, _) => panic!("{pointer} is in {other}"),
    }
    answer
}

/// Checks that a good answer is read, and that none is without a needed field, nor with one of another type.
async fn check_fields<T: std::fmt::Debug, F: Future<Output = Result<T, Error>>>(
    good: Value,
    needed: &[&str],
    optional: &[&str],
    read: impl Fn(Genesys) -> F,
) {
    let bench = Bench::new().await;
    let next = async |answer: Value| {
        bench.server.reset().await;
        bench.login(ok(token("token-1"))).await;
        Mock::given(path_regex("^/api/")).respond_with(ok(answer)).mount(&bench.server).await;
        read(bench.genesys.clone()).await
    };
    let found = next(good.clone()).await;
    assert!(found.is_ok(), "{found:?}");
    let wrong = [json!(-7.5), json!("../x y"), json!([7]), json!({"id": 7})];
    for pointer in needed.iter().chain(optional) {
        let was = good.pointer(pointer).unwrap();
        // A free text may be any text.
        let another_type = |value: &&Value| !(was.is_string() && value.is_string());
        for value in wrong.iter().filter(another_type).chain(&[json!(true)]).filter(|value| *value != was) {
            if was.is_boolean() && value.is_boolean() {
                continue;
            }
            let found = next(with_field(&good, pointer, Some(value.clone()))).await;
            assert!(matches!(found, Err(Error::Malformed { .. })), "{pointer} as {value}: {found:?}");
        }
        for value in [None, Some(Value::Null)] {
            let found = next(with_field(&good, pointer, value.clone())).await;
            let is_malformed = matches!(found, Err(Error::Malformed { .. }));
            assert_eq!(is_malformed, needed.contains(pointer), "{pointer} as {value:?}: {found:?}");
        }
    }
}

const JANE: &str = "/api/v2/users/u-jane";

fn user(id: &str) -> Value {
    json!({"id": id, "state": "active", "version": 7, "email": "jane@example.com", "name": "Jane Doe"})
}
