//! The OAuth client and its access tokens (client credentials); tokens of people are part of `organisation`.

use std::collections::HashMap;
use std::time::Instant;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::answer::{Answer, Content, Problem};
use crate::rules::Rules;
use crate::text;

/// The only OAuth client, and the tokens given to it.
#[derive(Debug)]
pub(crate) struct Credentials {
    client_id: String,
    client_secret: String,
    tokens: HashMap<String, Token>,
    given: u64,
}

#[derive(Debug)]
struct Token {
    number: u64,
    expires: Instant,
}

impl Credentials {
    pub(crate) fn new(client_id: &str, client_secret: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            tokens: HashMap::new(),
            given: 0,
        }
    }

    /// Answers `POST /oauth/token`; refusals follow RFC 6749, for Genesys's own are not published.
    pub(crate) fn answer(
        &mut self,
        authorization: Option<&str>,
        body: &[u8],
        rules: &Rules,
        now: Instant,
    ) -> Answer {
        let form = text::pairs(&String::from_utf8_lossy(body));
        if !form.iter().any(|(name, value)| name == "grant_type" && value == "client_credentials") {
            return refusal("unsupported_grant_type", "grant_type must be client_credentials");
        }
        let expected = format!("{}:{}", self.client_id, self.client_secret);
        let sent = authorization
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded).ok());
        if sent.as_deref() != Some(expected.as_bytes()) {
            return refusal("invalid_client", "client not found or secret wrong");
        }
        self.given += 1;
        let bearer = format!("{}-{}", self.given, uuid::Uuid::new_v4());
        let token = Token { number: self.given, expires: now + rules.token_lifetime };
        self.tokens.insert(bearer.clone(), token);
        Answer::json(json!({
            "access_token": bearer,
            "token_type": "bearer",
            "expires_in": rules.token_lifetime.as_secs().saturating_sub(1),
        }))
    }

    /// Gives the number of the token in an `Authorization` header.
    pub(crate) fn token(&self, authorization: Option<&str>, now: Instant) -> Result<u64, Problem> {
        let bearer = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, bearer)| bearer.trim());
        let Some(bearer) = bearer else {
            let message = "No authentication bearer token specified in authorization header.";
            return Err(Problem::new(401, "authentication.required", message));
        };
        self.tokens
            .get(bearer)
            .filter(|token| now < token.expires)
            .map(|token| token.number)
            .ok_or_else(|| Problem::new(401, "bad.credentials", "Invalid login credentials."))
    }

    /// Ends every token given so far.
    pub(crate) fn expire_all(&mut self) {
        self.tokens.clear();
    }
}

fn refusal(error: &str, description: &str) -> Answer {
    let body: Value = json!({"error": error, "description": description, "error_description": description});
    Answer { status: 400, retry_after_seconds: None, content: Content::Json(body) }
}
