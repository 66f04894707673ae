//! A client for the simulator's own tests: sends what it is told over a real socket, and holds every answer against the
//! published definition. What the answers must say is left to the tests.

use serde_json::{Value, json};

use crate::definition::{Match, definition};
use crate::schema::{self, Schema};
use crate::{Options, Simulator};

/// A running simulator and a client with a token.
pub(crate) struct Probe {
    pub(crate) simulator: Simulator,
    client: reqwest::Client,
    pub(crate) token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Gives the ids of a listing.
    pub(crate) fn ids(&self) -> Vec<String> {
        let entities = self.body["entities"].as_array().unwrap();
        entities.iter().map(|entity| entity["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Probe {
    pub(crate) async fn start() -> Self {
        Self::with(Options::roomy()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = Simulator::start(options).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut probe = Self { simulator, client, token: String::new() };
        probe.token = probe.fresh_token().await;
        probe
    }

    pub(crate) async fn fresh_token(&self) -> String {
        let reply = self.ask_token(self.simulator.client_secret(), "client_credentials").await;
        reply.body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask_token(&self, secret: &str, grant_type: &str) -> Reply {
        let request = self
            .client
            .post(format!("{}/oauth/token", self.simulator.url()))
            .basic_auth(self.simulator.client_id(), Some(secret))
            .form(&[("grant_type", grant_type)]);
        Self::reply(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &Value::Null).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &Value::Null).await
    }

    /// Sends a request with a JSON body, or without one for null, and checks the form of the answer.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let reply = self.try_send(method, path, body).await.unwrap();
        check(method, path, &reply);
        reply
    }

    /// Sends a request whose answer may be anything, or none.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(body);
        }
        Self::reply(request).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.simulator.url());
        self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token)
    }

    pub(crate) async fn reply(request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// Reads a user's version.
    pub(crate) async fn version(&self, user: &str) -> u64 {
        self.get(&format!("/api/v2/users/{user}")).await.body["version"].as_u64().unwrap()
    }

    /// Sets a user inactive as a careful client does.
    pub(crate) async fn deactivate(&self, user: &str) -> Reply {
        let body = json!({"state": "inactive", "version": self.version(user).await});
        self.send("PATCH", &format!("/api/v2/users/{user}"), &body).await
    }

    pub(crate) fn assert_no_violations(&self) {
        assert_eq!(self.simulator.violations(), Vec::<String>::new());
    }
}

/// Holds an answer against the published success codes and schemas.
fn check(method: &str, path: &str, reply: &Reply) {
    for name in
        ["inin-correlation-id", "inin-ratelimit-count", "inin-ratelimit-allowed", "inin-ratelimit-reset"]
    {
        assert!(!reply.header(name).is_empty(), "{name} is missing");
    }
    if reply.status >= 400 {
        let error = Schema { reference: Some("ErrorBody".to_owned()), ..Schema::default() };
        assert_eq!(schema::check(&definition().schemas, &error, &reply.body), []);
        assert_eq!(reply.body["contextId"], reply.header("inin-correlation-id"));
        assert_eq!(reply.body["status"], reply.status);
        return;
    }
    let path = path.split('?').next().unwrap_or_default();
    let Match::Operation(operation, _) = definition().find(method, path) else {
        panic!("{method} {path} is in the definition");
    };
    let status = reply.status.to_string();
    assert!(operation.success.iter().any(|code| *code == status || code == "default" || code == "2XX"));
    match &operation.answer {
        Some(schema) => assert_eq!(schema::check(&definition().schemas, schema, &reply.body), []),
        None => assert_eq!(reply.body, Value::Null),
    }
}
