//! One call to an HRIS: within its limits of time and size, to the configured host only, and without following redirects.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::token::Tokens;
use crate::hris::{LookUp, LookUpAnswer, LookUpCredential};
use crate::offboarding::PersonRef;

/// A connection that takes longer is not going to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest pause that a server is believed: a wrong one must not stop a source for days.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// The client can't be made.
#[derive(Debug, Error)]
#[error("the client for look-ups can't be made")]
pub struct BuildError(#[source] reqwest::Error);

/// Why there is no answer. None of them repeats an address or a body.
#[derive(Debug, Error)]
pub enum Failure {
    /// The person lacks the key that the HRIS is asked by, or it is one that can't be asked for.
    #[error("the event lacks the key to ask by")]
    NoKey,
    /// No connection, or it was lost.
    #[error("the HRIS can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It took longer than the look-up's time-out.
    #[error("the HRIS did not answer in time")]
    TimedOut,
    /// 401 or 403.
    #[error("the HRIS refuses the credential ({0})")]
    Refused(u16),
    /// 404 or 410.
    #[error("the HRIS has no such record ({0})")]
    NoRecord(u16),
    /// 429, with what it asks to wait.
    #[error("the HRIS wants fewer requests")]
    Throttled(Option<Duration>),
    /// A redirect, which is never followed: the credential is for the configured host.
    #[error("the HRIS redirects ({0}), which is not followed")]
    Redirected(u16),
    /// Another status.
    #[error("the HRIS answers {0}")]
    Status(u16),
    /// More bytes than the look-up allows.
    #[error("the answer is too long")]
    TooLong,
    /// No token was given for the client's credentials.
    #[error("the HRIS gives no token")]
    NoToken,
}

impl Failure {
    /// The stable word for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Refused(_) => "refused",
            Self::NoRecord(_) => "no_record",
            Self::Throttled(_) => "throttled",
            Self::Redirected(_) => "redirected",
            Self::Status(_) => "status",
            Self::TooLong => "too_long",
            Self::NoToken => "no_token",
        }
    }

    /// Whether asking again is of no use before somebody has looked.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NoKey | Self::NoRecord(_) | Self::Redirected(_) | Self::TooLong => true,
            Self::Unreachable(_)
            | Self::TimedOut
            // A credential is mended without touching every offboarding that waits for it.
            | Self::Refused(_)
            | Self::Throttled(_)
            | Self::Status(_)
            | Self::NoToken => false,
        }
    }
}

/// Asks every HRIS that is configured. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    tokens: Tokens,
}

impl Client {
    /// Makes it without connecting anywhere.
    pub fn new() -> Result<Self, BuildError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(BuildError)?;
        Ok(Self { http, tokens: Tokens::default() })
    }

    /// Asks a source's HRIS about a person and reads the answer.
    pub async fn ask(
        &self,
        source: &str,
        look_up: &LookUp,
        person: &PersonRef,
    ) -> Result<LookUpAnswer, Failure> {
        let asked = tokio::time::timeout(look_up.timeout(), self.call(source, look_up, person)).await;
        let body = asked.map_err(|_| Failure::TimedOut)??;
        Ok(look_up.read(person, &body))
    }

    async fn call(&self, source: &str, look_up: &LookUp, person: &PersonRef) -> Result<Vec<u8>, Failure> {
        let request = look_up.request(person).ok_or(Failure::NoKey)?;
        let mut call = match request.body {
            None => self.http.get(request.url),
            Some(body) => self.http.post(request.url).header(CONTENT_TYPE, "application/json").body(body),
        };
        call = call.header(ACCEPT, "application/json");
        for (name, value) in request.headers {
            call = call.header(name, value);
        }
        let call = match look_up.credential() {
            LookUpCredential::Bearer(token) => call.header(AUTHORIZATION, bearer(token)?),
            LookUpCredential::Basic(pair) => {
                let (user, password) = pair.expose_secret().split_once(':').unwrap_or_default();
                call.basic_auth(user, Some(password))
            }
            LookUpCredential::Header(name, secret) => {
                call.header(name.clone(), sensitive(secret.expose_secret())?)
            }
            LookUpCredential::ClientCredentials { token_url, client_id, client_secret, scope } => {
                let client = (client_id.as_str(), client_secret);
                let token = self.tokens.get(&self.http, source, token_url, client, scope.as_deref()).await?;
                call.header(AUTHORIZATION, bearer(&token)?)
            }
        };
        let answer = call.send().await.map_err(lost)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // A token that was taken back is fetched anew by the next try.
            self.tokens.forget(source).await;
        }
        body(answer, look_up.bytes_max()).await
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Failure> {
    sensitive(&format!("Bearer {}", token.expose_secret()))
}

/// The configuration lets only printable ASCII through; a token that a server gives may be anything.
fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Failure::NoToken)?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn lost(error: reqwest::Error) -> Failure {
    if error.is_timeout() { Failure::TimedOut } else { Failure::Unreachable(error.without_url()) }
}

/// The body of an answer with a status of success.
pub(super) async fn body(mut answer: Response, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let status = answer.status();
    match status.as_u16() {
        200..=299 => {}
        code @ 300..=399 => return Err(Failure::Redirected(code)),
        code @ (401 | 403) => return Err(Failure::Refused(code)),
        code @ (404 | 410) => return Err(Failure::NoRecord(code)),
        429 => return Err(Failure::Throttled(pause(&answer))),
        code => return Err(Failure::Status(code)),
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(lost)? {
        if body.len() + part.len() > bytes_max {
            return Err(Failure::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Whole seconds; the other form of the header is a date by a clock that is not ours.
fn pause(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}
