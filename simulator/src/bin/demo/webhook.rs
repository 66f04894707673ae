//! The HRIS of the demo: writes terminations, signs them as the profile `generic-worker-terminated` wants it, posts them.
//! Written from the published scheme and not with Leaver's code.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::people::Who;

/// The name under which Leaver's configuration knows this sender.
pub(crate) const SOURCE: &str = "workday";

/// Leaver answers within 3 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What the HRIS got as an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The HTTP status and the word of the body, as `202 accepted`; a problem has no such word.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.status, self.body["status"].as_str().unwrap_or("refused"))
    }

    /// The first offboarding of the answer: its id, and what else it says of it.
    pub(crate) fn offboarding(&self) -> &Value {
        &self.body["offboardings"][0]
    }
}

/// The sender.
pub(crate) struct Hris {
    client: reqwest::Client,
    url: String,
    secret: String,
}

impl Hris {
    pub(crate) fn new(service: &str, secret: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_LIMIT).build()?;
        Ok(Self { client, url: format!("{service}/webhooks/{SOURCE}"), secret: secret.to_owned() })
    }

    /// Delivers a body with the HRIS's signature.
    pub(crate) async fn deliver(&self, body: &Value) -> anyhow::Result<Answer> {
        self.post(body, &self.secret).await
    }

    /// Delivers a body with the signature of somebody who does not know the key.
    pub(crate) async fn forge(&self, body: &Value) -> anyhow::Result<Answer> {
        self.post(body, "a guess at the key of the HRIS").await
    }

    async fn post(&self, body: &Value, secret: &str) -> anyhow::Result<Answer> {
        let body = body.to_string();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-signature", signature(secret, &seconds, &body)?)
            .header("x-timestamp", seconds)
            .body(body);
        let response = request.send().await.context("the service does not answer the HRIS")?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: response.json().await.context("an answer that is no JSON")? })
    }
}

/// `sha256=HEX` of HMAC-SHA256 over `TIMESTAMP.BODY`.
fn signature(secret: &str, seconds: &str, body: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// A termination with an id of its own, on this date in the HRIS's spelling.
pub(crate) fn termination(who: Who, date: &str) -> Value {
    json!({
        "event": "worker.terminated",
        "eventId": uuid::Uuid::new_v4().to_string(),
        "workerId": who.worker_id(),
        "email": who.email(),
        "terminationDate": date,
        "terminationType": "voluntary",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let expected = "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(signature("key", "1700000000", "{}").unwrap(), expected);
    }
}
