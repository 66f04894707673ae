//! One call to the issuer: within its limits of time and size, and without following redirects.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect;

use crate::config::parse_address;

/// A connection that takes longer is not going to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A whole call; somebody waits in front of a white page meanwhile.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer. Documents, keys and tokens have a few kilobytes; a token with hundreds of groups has some dozens.
const BYTES_MAX: usize = 1024 * 1024;

/// The client can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for oidc.issuer can't be made")]
pub struct BuildError(#[source] reqwest::Error);

/// Why there is no answer. None of them repeats an address: those of a sign-in hold its secrets.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address can't be called.
    #[error("the address can't be used")]
    Address,
    /// No connection, or it was lost.
    #[error("it can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It took too long.
    #[error("it did not answer in time")]
    TimedOut,
    /// A redirect, which is never followed: what we send is for the named endpoint.
    #[error("it redirects, which is not followed")]
    Redirected,
    /// It is there and does not work.
    #[error("it answers {0}")]
    Status(u16),
    /// More bytes than any honest answer has.
    #[error("its answer is too long")]
    TooLong,
    /// It failed a moment ago and is not asked again yet.
    #[error("it failed a moment ago")]
    JustFailed,
}

/// Calls the issuer. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Http(reqwest::Client);

impl Http {
    /// Makes it without connecting anywhere.
    pub(super) fn new() -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("leaver/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .build();
        Ok(Self(client.map_err(BuildError)?))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let request = reqwest::Request::try_from(request).map_err(|_| CallError::Address)?;
        // The issuer names the other addresses itself.
        parse_address(request.url().as_str()).ok_or(CallError::Address)?;
        let mut answer = self.0.execute(request).await.map_err(lost)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(CallError::Redirected);
        }
        if status.is_server_error() {
            return Err(CallError::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(lost)? {
            if body.len() + part.len() > BYTES_MAX {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&part);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn lost(error: reqwest::Error) -> CallError {
    if error.is_timeout() { CallError::TimedOut } else { CallError::Unreachable(error.without_url()) }
}
