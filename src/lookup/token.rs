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
pub(super) struct Tokens(Arc<Mutex<HashMap<String, Token>>>);

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
        // Whoever comes second waits for the first one's token. The look-up's own time-out bounds it.
        let mut tokens = self.0.lock().await;
        if let Some(known) = tokens.get(source).filter(|token| token.until > Instant::now()) {
            return Ok(known.token.clone());
        }
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
        ];
        form.extend(scope.map(|scope| ("scope", scope)));
        let answer = http.post(token_url.clone()).form(&form).send().await.map_err(lost)?;
        let body = body(answer, BYTES_MAX).await?;
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| Failure::NoToken)?;
        let kept = Duration::from_secs(granted.expires_in.unwrap_or(KEPT_DEFAULT).min(86_400));
        let until = Instant::now() + kept.saturating_sub(RENEWED_BEFORE);
        let token = SecretString::from(granted.access_token);
        tokens.insert(source.to_owned(), Token { token: token.clone(), until });
        Ok(token)
    }

    pub(super) async fn forget(&self, source: &str) {
        self.0.lock().await.remove(source);
    }
}
