//! `/sign-in/oidc` and its callback: sends a browser to the issuer and opens the session of whoever comes back. The protocol
//! is `oidc`'s; what a session is, `session`'s.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::api::Api;
use super::auth::Caller;
use super::oidc_pages::Refused;
use super::problem::Problem;
use super::session::SignedInBy;
use super::wanted::Wanted;
use crate::config::{CALLBACK_PATH, Config};
use crate::oidc::{BuildError, Oidc, OidcError, Person};
use crate::store::sign_ins::{NameFrom, NameGiven, SignIn};
use crate::store::{Store, StoreError};

/// Where people begin; the link of the page for signing in.
const PATH: &str = "/sign-in/oidc";

/// What the browser keeps until it comes back. Not `Strict`: the way back begins at another site.
const COOKIE: &str = "leaver_sign_in";

/// As long as the store keeps the rest of it.
const COOKIE_SECONDS: u32 = 600;

/// A code longer than this is none: the whole header has to fit into 16 KiB.
const CODE_BYTES_MAX: usize = 8 * 1024;

/// Sign-in at the issuer, as the admin listener offers it.
#[derive(Clone)]
pub struct SingleSignOn {
    oidc: Oidc,
    /// Names that are somebody's who signs in with a token.
    operators: Arc<[String]>,
}

impl SingleSignOn {
    /// Makes it where the configuration has an issuer, without connecting anywhere.
    pub fn configured(config: &Config) -> Result<Option<Self>, BuildError> {
        let Some(settings) = &config.oidc else { return Ok(None) };
        let operators = config.operators.iter().map(|operator| operator.name.clone()).collect();
        Ok(Some(Self { oidc: Oidc::new(settings.clone())?, operators }))
    }

    /// The words of the link.
    pub fn label(&self) -> &str {
        &self.oidc.settings().label
    }

    /// Where the link leads.
    pub const fn path() -> &'static str {
        PATH
    }

    /// The name in the journal: of one person, and of the same person each time.
    async fn name(&self, store: &Store, person: &Person) -> Result<String, Refused> {
        let settings = self.oidc.settings();
        let linked = settings.operators.iter().find(|(_, known)| known.eq_ignore_ascii_case(&person.name));
        let (name, from) = match linked {
            Some((operator, _)) => (operator.as_str(), NameFrom::Configuration),
            None => (person.name.as_str(), NameFrom::Claim),
        };
        // Before anything is stored: a name that can't be used must not be kept for this account.
        if from == NameFrom::Claim && self.is_of_a_token(name) {
            return Err(Refused::NameOfAnOperator);
        }
        let given = store.name_of_account(&settings.issuer, &person.subject, name, from).await;
        match given.map_err(|error| trouble(&error))? {
            NameGiven::Taken => Err(Refused::NameOfAnother),
            NameGiven::Otherwise => Err(Refused::KnownOtherwise),
            // A token came to be called as the account is.
            NameGiven::Known(known) if linked.is_none() && self.is_of_a_token(&known) => {
                Err(Refused::NameOfAnOperator)
            }
            NameGiven::Known(known) => Ok(known),
        }
    }

    fn is_of_a_token(&self, name: &str) -> bool {
        self.operators.iter().any(|operator| operator.eq_ignore_ascii_case(name))
    }

    fn cookie(&self, value: &str, seconds: u32) -> Result<HeaderValue, Refused> {
        let secure = if self.oidc.settings().redirect_url.scheme() == "https" { "; Secure" } else { "" };
        let cookie =
            format!("{COOKIE}={value}; Path={PATH}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&cookie).map_err(|_| Refused::OwnTrouble)
    }
}

/// The routes; without the section in the configuration nothing is there.
pub(super) fn routes() -> Router<Api> {
    let here = super::wrong_method;
    Router::new().route(PATH, get(depart).fallback(here)).route(CALLBACK_PATH, get(arrive).fallback(here))
}

/// Where somebody wants to go once they are signed in.
#[derive(Deserialize)]
struct Departure {
    #[serde(default)]
    next: String,
}

async fn depart(State(api): State<Api>, Query(departure): Query<Departure>) -> Result<Response, Problem> {
    let sign_on = api.single_sign_on.as_ref().ok_or(Problem::NotFound)?;
    let departed = departed(&api.store, sign_on, &Wanted::read(&departure.next)).await;
    Ok(departed.unwrap_or_else(IntoResponse::into_response))
}

async fn departed(store: &Store, sign_on: &SingleSignOn, wanted: &Wanted) -> Result<Response, Refused> {
    let departure = sign_on.oidc.depart().await.map_err(|error| refused(&error, sign_on))?;
    let id: [u8; 32] = rand::random();
    let sign_in = SignIn {
        id_hash: Sha256::digest(id).into(),
        state_hash: Sha256::digest(departure.state.as_bytes()).into(),
        nonce: departure.nonce,
        code_verifier: departure.code_verifier,
        wanted: wanted.as_str().to_owned(),
    };
    store.begin_sign_in(sign_in).await.map_err(|error| trouble(&error))?;
    let cookie = sign_on.cookie(&URL_SAFE_NO_PAD.encode(id), COOKIE_SECONDS)?;
    let location = HeaderValue::from_str(departure.address.as_str()).map_err(|_| Refused::OwnTrouble)?;
    let headers = [
        (header::LOCATION, location),
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// What the issuer sends back through the browser: a code or an error, with the state, and perhaps its own name.
#[derive(Deserialize)]
struct Return {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

async fn arrive(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(returned): Query<Return>,
) -> Result<Response, Problem> {
    let sign_on = api.single_sign_on.as_ref().ok_or(Problem::NotFound)?;
    let mut response = match arrived(&api, sign_on, &headers, returned).await {
        // The session's cookie is `SameSite=Strict`: a redirect would still belong to the way that began at the issuer, and
        // the browser would leave the cookie out. A page of ours begins anew.
        Ok((session, wanted)) => {
            let mut response = wanted.page("Signed in");
            response.headers_mut().append(header::SET_COOKIE, session);
            response
        }
        Err(refused) => refused.into_response(),
    };
    if let Ok(gone) = sign_on.cookie("", 0) {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(response)
}

async fn arrived(
    api: &Api,
    sign_on: &SingleSignOn,
    headers: &HeaderMap,
    returned: Return,
) -> Result<(HeaderValue, Wanted), Refused> {
    let id = id(headers).ok_or(Refused::NotBegunHere)?;
    // Taken before anything is compared: whatever comes of it, nobody comes back with it again.
    let taken = api.store.take_sign_in(Sha256::digest(id).into()).await.map_err(|error| trouble(&error))?;
    let begun = taken.ok_or(Refused::NotBegunHere)?;
    let state: [u8; 32] = Sha256::digest(returned.state.unwrap_or_default().as_bytes()).into();
    if !bool::from(state.as_slice().ct_eq(&begun.state_hash)) {
        return Err(Refused::NotBegunHere);
    }
    // RFC 9207: an answer of another issuer is for another's sign-in.
    if returned.iss.is_some_and(|issuer| issuer != sign_on.oidc.settings().issuer) {
        return Err(Refused::NotBegunHere);
    }
    if let Some(error) = returned.error {
        let denied = error == "access_denied";
        tracing::warn!(denied, "the issuer sent somebody back without a code");
        return Err(if denied { Refused::Denied } else { Refused::IssuerRefuses });
    }
    let code = returned.code.filter(|code| (1..=CODE_BYTES_MAX).contains(&code.len()));
    let code = code.ok_or(Refused::IssuerRefuses)?;
    let arrived = sign_on.oidc.arrive(code, begun.nonce, begun.code_verifier).await;
    let person = arrived.map_err(|error| refused(&error, sign_on))?;
    let name = sign_on.name(&api.store, &person).await?;
    let caller = Caller { name, role: person.role };
    let session = api.sessions.open(&caller, SignedInBy::OpenId).await.map_err(|_| Refused::OwnTrouble)?;
    Ok((session, Wanted::read(&begun.wanted)))
}

/// The one id in the request's cookies. Two are none: one of them was put there by somebody else.
fn id(headers: &HeaderMap) -> Option<[u8; 32]> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut values = lines.flat_map(|line| line.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    });
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok()
}

fn refused(error: &OidcError, sign_on: &SingleSignOn) -> Refused {
    let settings = sign_on.oidc.settings();
    // The log shows no causes by itself, and here they are what the administrator needs.
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(error = error as &dyn std::error::Error, cause, "nobody was signed in");
    match error {
        OidcError::Unreachable(_) => Refused::IssuerAway,
        OidcError::OtherIssuer | OidcError::BadDiscovery(_) => Refused::IssuerMisconfigured,
        OidcError::CodeRefused(_) => Refused::IssuerRefuses,
        OidcError::NoIdToken | OidcError::BadIdToken(_) | OidcError::BadUserInfo => Refused::NotBelieved,
        OidcError::NoName => Refused::NoName(settings.name_claim.written.clone()),
        OidcError::NoRole => Refused::NoRole(settings.role_claim.written.clone()),
    }
}

fn trouble(error: &StoreError) -> Refused {
    tracing::error!(error = error as &dyn std::error::Error, "a sign-in can't be read or written");
    Refused::OwnTrouble
}
