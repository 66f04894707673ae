//! Signing in with a token that is typed once, and out. Every failure has the same answer; whoever guesses is slowed down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Console;
use super::assets::{ASSETS, Assets};
use super::guard::{Fields, Sent, own_origin};
use super::page::{self, Failure};
use crate::http::RemoteAddress;
use crate::http::oidc::SingleSignOn;
use crate::http::session::SignedInBy;
use crate::http::wanted::Wanted;

/// Failures of one address within a minute, after which it is not listened to until the minute is over: a person who
/// mistypes does not meet this, and a token of 16 bytes is not found at this rate.
const FAILURES_MAX: u32 = 10;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered. Whoever comes from more of them only makes the list begin anew.
const ADDRESSES_MAX: usize = 1_024;

/// The same for a wrong token, none, and one that came too soon after others.
const REFUSED: &str =
    "This token does not open anything, or there were too many tries. Check it and try again in a minute.";

/// Recent failures by address.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Tries {
    fn are_too_many(&self, address: IpAddr, now: Instant) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&address).is_some_and(|(since, count)| {
            now.saturating_duration_since(*since) < FAILURES_WINDOW && *count >= FAILURES_MAX
        })
    }

    fn failed(&self, address: IpAddr, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(&address) {
            failures.clear();
        }
        let (since, count) = failures.entry(address).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= FAILURES_WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    refused: Option<&'static str>,
    /// Why there is no session any more.
    over: Option<&'static str>,
    /// Another way in: where it begins, and what it is called.
    elsewhere: Option<(String, &'a str)>,
    /// The page that is to be shown once somebody is signed in, unless it is the overview.
    wanted: Option<&'a str>,
    assets: &'static Assets,
}

/// Where somebody wants to go, and why they have to sign in again.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    over: String,
    #[serde(default)]
    next: String,
}

impl<'a> SignInPage<'a> {
    fn new(refused: Option<&'static str>, wanted: &'a Wanted, console: &'a Console) -> Self {
        let elsewhere = console.inner.api.single_sign_on.as_ref();
        let elsewhere = elsewhere.map(|sign_on| (wanted.through(SingleSignOn::path()), sign_on.label()));
        Self { refused, over: None, elsewhere, wanted: wanted.beside_the_overview(), assets: &ASSETS }
    }
}

/// Asks for the token.
pub(super) async fn form(
    State(console): State<Console>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let wanted = Wanted::read(&asked.next);
    if console.inner.sessions.watched(&headers).await?.is_some() {
        return Ok(Redirect::to(wanted.as_str()).into_response());
    }
    let over = match asked.over.as_str() {
        "session" => Some("Your session has ended. Sign in to go on."),
        "form" => Some(
            "Your session had ended, so nothing of what you sent was carried out. Sign in and do it again.",
        ),
        _ => None,
    };
    page::html(&SignInPage { over, ..SignInPage::new(None, &wanted, &console) })
}

/// Opens a session for whoever has a token.
pub(super) async fn sign_in(
    State(console): State<Console>,
    remote_address: Option<Extension<RemoteAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    own_origin(&headers, &console)?;
    let address = remote_address.map_or(IpAddr::from([0, 0, 0, 0]), |Extension(of)| of.0.ip());
    let fields = Fields::read(&headers, body).await?;
    let (tries, now) = (&console.inner.tries, Instant::now());
    let token = fields.get("token").unwrap_or_default();
    let wanted = Wanted::read(fields.get("next").unwrap_or_default());
    let caller = console.inner.api.operators.of_token(token.as_bytes());
    // Also a right one is refused then, or the answer would tell that it was right.
    let Some(caller) = caller.filter(|_| !tries.are_too_many(address, now)) else {
        tries.failed(address, now);
        tracing::warn!(remote_address = %address, "nobody was signed in: the token is no operator's, or too many were tried");
        return page::with_status(
            StatusCode::UNAUTHORIZED,
            &SignInPage::new(Some(REFUSED), &wanted, &console),
        );
    };
    let cookie = console.inner.sessions.open(&caller, SignedInBy::Token).await?;
    Ok(to(wanted.as_str(), cookie))
}

/// Ends the session; the browser forgets what it kept of it.
pub(super) async fn sign_out(State(console): State<Console>, sent: Sent) -> Result<Response, Failure> {
    let cookie = console.inner.sessions.close(&sent.session).await?;
    let mut response = to("/sign-in", cookie);
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

fn to(path: &str, cookie: HeaderValue) -> Response {
    let mut response = Redirect::to(path).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_is_not_listened_to_until_its_minute_is_over() {
        let (tries, start) = (Tries::default(), Instant::now());
        let (guesser, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..FAILURES_MAX {
            assert!(!tries.are_too_many(guesser, start));
            tries.failed(guesser, start);
        }
        assert!(tries.are_too_many(guesser, start) && !tries.are_too_many(other, start));
        assert!(!tries.are_too_many(guesser, start + FAILURES_WINDOW));
    }

    #[test]
    fn the_list_of_addresses_does_not_grow_without_end() {
        let (tries, start) = (Tries::default(), Instant::now());
        for number in 0..5_000_u32 {
            tries.failed(IpAddr::from(number.to_be_bytes()), start);
        }
        assert!(tries.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
