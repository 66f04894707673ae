//! Sessions of the console: what stands in the cookie, and whose it is. The database knows a session only by its hash, and
//! every request asks anew whether its operator is still configured. Who signs in is said by the sign-in pages.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::auth::{Caller, Operators};
use super::problem::Problem;
use crate::config::{Console, Oidc, Role};
use crate::store::sessions::{Look, NewSession, SessionRow};
use crate::store::{Store, StoreError};

/// The cookie's name.
const COOKIE: &str = "leaver_session";

/// Cookies that are looked at: a browser sends one, and whoever sends more does not get more tries.
const COOKIES_MAX: usize = 4;

/// How an operator signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedInBy {
    /// With the token of the configuration. The session ends when the token, the role or the operator is not there any more.
    Token,
    /// At an issuer of OpenID Connect, which says name and role.
    OpenId,
}

impl SignedInBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::OpenId => "oidc",
        }
    }
}

/// An open session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub caller: Caller,
    /// How they signed in.
    pub signed_in_by: SignedInBy,
    /// When it ends in any case.
    pub expires_at: DateTime<Utc>,
    csrf: String,
    id_hash: [u8; 32],
}

impl Session {
    /// What each of the session's forms has to send back.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a form came from a page of this session.
    pub fn sent(&self, csrf: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes()))
    }
}

/// Opens, finds and ends sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    operators: Operators,
    settings: Console,
    ways: Vec<SignedInBy>,
    /// What single sign-on is configured to be; a session that was opened under another configuration has ended.
    sign_on: Option<[u8; 32]>,
}

impl Sessions {
    /// Sessions of these operators, who sign in with their tokens.
    pub fn new(store: Store, operators: Operators, settings: Console) -> Self {
        Self { store, operators, settings, ways: vec![SignedInBy::Token], sign_on: None }
    }

    /// The same, for sessions of people of this issuer too.
    pub fn also_by(mut self, issuer: &Oidc) -> Self {
        self.ways.push(SignedInBy::OpenId);
        let settled = format!("{:?}", (&issuer.issuer, &issuer.client_id, &issuer.role_claim, &issuer.roles));
        self.sign_on = Some(Sha256::digest(settled).into());
        self
    }

    /// Opens a session and gives the value of `Set-Cookie` for it.
    pub async fn open(&self, caller: &Caller, by: SignedInBy) -> Result<HeaderValue, Problem> {
        let (id, csrf): ([u8; 32], [u8; 32]) = (rand::random(), rand::random());
        let new = NewSession {
            id_hash: Sha256::digest(id).into(),
            kind: by.as_str(),
            operator: caller.name.clone(),
            role: caller.role.as_str(),
            proof: self.proof(&id, caller, by),
            csrf: URL_SAFE_NO_PAD.encode(csrf),
            lasts: self.settings.session_max,
        };
        self.store.open_session(new).await.map_err(|error| trouble(&error))?;
        tracing::info!(role = caller.role.as_str(), by = by.as_str(), "an operator has signed in");
        self.cookie(&URL_SAFE_NO_PAD.encode(id), "")
    }

    /// The session that a request belongs to.
    pub async fn of(&self, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
        self.find(headers, Look::Asks).await
    }

    /// Whether a request says that it belongs to a session, open or over.
    pub(super) fn is_named(headers: &HeaderMap) -> bool {
        ids(headers).next().is_some()
    }

    /// The same for a page that asks by itself, which does not keep the session open.
    pub(super) async fn watched(&self, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
        self.find(headers, Look::Watches).await
    }

    /// Ends a session and gives the value of `Set-Cookie` that takes the cookie away.
    pub async fn close(&self, session: &Session) -> Result<HeaderValue, Problem> {
        self.store.close_session(session.id_hash).await.map_err(|error| trouble(&error))?;
        tracing::info!("an operator has signed out");
        self.cookie("", "; Max-Age=0")
    }

    async fn find(&self, headers: &HeaderMap, look: Look) -> Result<Option<Session>, Problem> {
        for id in ids(headers).take(COOKIES_MAX) {
            let id_hash: [u8; 32] = Sha256::digest(id).into();
            let row = self.store.session(id_hash, self.settings.session_idle, look).await;
            let row = row.map_err(|error| trouble(&error))?;
            if let Some(session) = row.and_then(|row| self.session(&id, id_hash, row)) {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// The session of a row, unless what it was opened with has gone since.
    fn session(&self, id: &[u8; 32], id_hash: [u8; 32], row: SessionRow) -> Option<Session> {
        let signed_in_by = *self.ways.iter().find(|way| way.as_str() == row.kind)?;
        let role = *Role::ALL.iter().find(|role| role.as_str() == row.role)?;
        let caller = Caller { name: row.operator, role };
        let proof = self.proof(id, &caller, signed_in_by)?;
        (Some(proof.as_slice()) == row.proof.as_deref()).then_some(Session {
            caller,
            signed_in_by,
            expires_at: row.expires_at,
            csrf: row.csrf,
            id_hash,
        })
    }

    /// What ties a session to a token, or to how single sign-on is configured. Mixed with the session's id, which is in the cookie only, it tells nobody who reads the
    /// database anything about the token.
    fn proof(&self, id: &[u8; 32], caller: &Caller, by: SignedInBy) -> Option<[u8; 32]> {
        let known = match by {
            SignedInBy::Token => self.operators.token_hash(caller)?,
            SignedInBy::OpenId => self.sign_on.as_ref()?,
        };
        Some(Sha256::new().chain_update(id).chain_update(known).finalize().into())
    }

    fn cookie(&self, value: &str, more: &str) -> Result<HeaderValue, Problem> {
        let secure = match self.settings.url.as_ref().map(reqwest::Url::scheme) {
            Some("https") => "; Secure",
            Some(_) | None => "",
        };
        let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        HeaderValue::from_str(&cookie).map_err(|_| Problem::Unavailable)
    }
}

/// The ids in the request's cookies.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = [u8; 32]> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let values = cookies.flat_map(|line| line.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    });
    values.filter_map(|value| URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok())
}

fn trouble(error: &StoreError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "the sessions can't be read or written");
    Problem::Unavailable
}
