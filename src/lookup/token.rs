//! Bearer tokens for client credentials (RFC 6749, 4.4): one at a time for each source, kept until shortly before its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::{Failure, body, lost};

/// A token is renewed this long before it ends, so that none ends on its way.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// How long a token is kept whose end is not said.
const KEPT_DEFAULT: u64 = 300;

/// A token's answer is small.
const BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<Mutex<HashMap<String, Slot>>>);

/// A source's token; whoever comes second waits for the first one's, and nobody for another source's.
type Slot = Arc<Mutex<Option<Token>>>;

#[derive(Debug)]
struct Token {
    token: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) async fn get(
        &self,
        http: &Client,
        source: &str,
        token_url: &Url,
        (client_id, client_secret): (&str, &SecretString),
        scope: Option<&str>,
    ) -> Result<SecretString, Failure> {
        // The look-up's own time-out bounds the waiting.
        let slot = self.slot(source).await;
        let mut kept = slot.lock().await;
        if let Some(known) = kept.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(known.token.clone());
        }
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
        ];
        form.extend(scope.map(|scope| ("scope", scope)));
        let answer = http.post(token_url.clone()).form(&form).send().await.map_err(lost)?;
        // Whatever is wrong there is mended there, and not for one offboarding after the other.
        let body = body(answer, BYTES_MAX).await.map_err(|failure| match failure {
            failure @ (Failure::Throttled(_) | Failure::Unreachable(_) | Failure::TimedOut) => failure,
            Failure::NoKey
            | Failure::Refused(_)
            | Failure::NoRecord(_)
            | Failure::Redirected(_)
            | Failure::Status(_)
            | Failure::TooLong
            | Failure::NoToken => Failure::NoToken,
        })?;
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| Failure::NoToken)?;
        let lasts = Duration::from_secs(granted.expires_in.unwrap_or(KEPT_DEFAULT).min(86_400));
        let until = Instant::now() + lasts.saturating_sub(RENEWED_BEFORE);
        let token = SecretString::from(granted.access_token);
        *kept = Some(Token { token: token.clone(), until });
        Ok(token)
    }

    pub(super) async fn forget(&self, source: &str) {
        *self.slot(source).await.lock().await = None;
    }

    async fn slot(&self, source: &str) -> Slot {
        Arc::clone(self.0.lock().await.entry(source.to_owned()).or_default())
    }
}
