//! What is known of the issuer: its endpoints and its keys, read when they are first needed and kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreClientAuthMethod, CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{AuthType, DiscoveryError, IssuerUrl, JsonWebKey};
use tokio::sync::Mutex;

use super::OidcError;
use super::client::{BuildError, CallError, Http};
use crate::config::parse_address;

/// How an id token may be signed: with keys of which only the issuer has the half that signs.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Afterwards everything is read again: a key that the issuer took back is believed for so long.
const KEPT: Duration = Duration::from_secs(3_600);

/// An id token with an unknown key has the keys read again, once in this time: anybody can send such tokens.
const REFRESH_PAUSE: Duration = Duration::from_secs(5);

/// After a failure nobody asks again for so long: whoever waited for the same answer gets it at once.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// The issuer, of which nothing is known at first.
pub(super) struct Issuer {
    name: String,
    http: Http,
    /// One at a time asks; who waits meanwhile takes what that one found.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<(Arc<Known>, Instant)>,
    failed: Option<Instant>,
}

/// What was read of the issuer.
pub(super) struct Known(CoreProviderMetadata);

/// What can be said of an issuer without anybody signing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged; none is a mistake of the issuer.
    pub token_endpoint: Option<String>,
    /// Where more claims can be had.
    pub userinfo_endpoint: Option<String>,
    /// How many keys could have signed an id token that is taken.
    pub usable_keys: usize,
    /// How many keys there are.
    pub keys: usize,
}

impl Issuer {
    pub(super) fn new(name: &str) -> Result<Self, BuildError> {
        Ok(Self { name: name.to_owned(), http: Http::new()?, state: Mutex::default() })
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// What is known, or what can be read now.
    pub(super) async fn known(&self) -> Result<Arc<Known>, OidcError> {
        let mut state = self.state.lock().await;
        match &state.known {
            Some((known, read)) if read.elapsed() < KEPT => return Ok(Arc::clone(known)),
            Some(_) | None => {}
        }
        self.read(&mut state).await
    }

    /// What is known after it was read again because of a key that is not in `older`; `None` where that was done a moment ago.
    pub(super) async fn refreshed(&self, older: &Arc<Known>) -> Result<Option<Arc<Known>>, OidcError> {
        let mut state = self.state.lock().await;
        match &state.known {
            Some((known, _)) if !Arc::ptr_eq(known, older) => return Ok(Some(Arc::clone(known))),
            Some((_, read)) if read.elapsed() < REFRESH_PAUSE => return Ok(None),
            Some(_) | None => {}
        }
        self.read(&mut state).await.map(Some)
    }

    async fn read(&self, state: &mut State) -> Result<Arc<Known>, OidcError> {
        if state.failed.is_some_and(|failed| failed.elapsed() < FAILURE_PAUSE) {
            return Err(OidcError::Unreachable(CallError::JustFailed));
        }
        match self.discover().await {
            Ok(known) => {
                let known = Arc::new(known);
                *state = State { known: Some((Arc::clone(&known), Instant::now())), failed: None };
                Ok(known)
            }
            Err(error) => {
                state.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<Known, OidcError> {
        let name = IssuerUrl::new(self.name.clone())
            .map_err(|_| OidcError::BadDiscovery("oidc.issuer is no address"))?;
        let metadata = CoreProviderMetadata::discover_async(name, &self.http).await.map_err(misunderstood)?;
        let endpoints = [
            Some(metadata.authorization_endpoint().as_str()),
            metadata.token_endpoint().map(|url| url.as_str()),
            metadata.userinfo_endpoint().map(|url| url.as_str()),
            Some(metadata.jwks_uri().as_str()),
        ];
        if endpoints.into_iter().flatten().any(|endpoint| parse_address(endpoint).is_none()) {
            return Err(OidcError::BadDiscovery("an endpoint is neither https nor on this machine"));
        }
        Ok(Known(metadata))
    }
}

impl Known {
    pub(super) fn metadata(&self) -> &CoreProviderMetadata {
        &self.0
    }

    pub(super) fn keys(&self) -> &CoreJsonWebKeySet {
        self.0.jwks()
    }

    /// How the client proves itself: as OpenID Connect presumes, or in the body where the issuer knows that way alone.
    pub(super) fn auth_type(&self) -> AuthType {
        let methods = self.0.token_endpoint_auth_methods_supported();
        let knows = |method| methods.is_some_and(|methods| methods.contains(&method));
        match knows(CoreClientAuthMethod::ClientSecretPost) && !knows(CoreClientAuthMethod::ClientSecretBasic)
        {
            true => AuthType::RequestBody,
            false => AuthType::BasicAuth,
        }
    }

    pub(super) fn findings(&self) -> Findings {
        let usable = |key: &&CoreJsonWebKey| ALGORITHMS.iter().any(|algorithm| fits(key, algorithm));
        Findings {
            authorization_endpoint: self.0.authorization_endpoint().to_string(),
            token_endpoint: self.0.token_endpoint().map(ToString::to_string),
            userinfo_endpoint: self.0.userinfo_endpoint().map(ToString::to_string),
            usable_keys: self.keys().keys().iter().filter(usable).count(),
            keys: self.keys().keys().len(),
        }
    }
}

/// Whether the library would take the key for the algorithm.
fn fits(key: &CoreJsonWebKey, algorithm: &CoreJwsSigningAlgorithm) -> bool {
    let signs = key.key_use().is_none_or(|purpose| *purpose == CoreJsonWebKeyUse::Signature);
    // It refuses a signature that is none only after it has accepted key and algorithm as a pair.
    use openidconnect::SignatureVerificationError::CryptoError;
    signs && matches!(key.verify_signature(algorithm, b"", &[0; 64]), Ok(()) | Err(CryptoError(_)))
}

fn misunderstood(error: DiscoveryError<CallError>) -> OidcError {
    match error {
        DiscoveryError::Request(cause) => OidcError::Unreachable(cause),
        DiscoveryError::Response(status, ..) if status.as_u16() != 200 => {
            OidcError::Unreachable(CallError::Status(status.as_u16()))
        }
        DiscoveryError::Response(..) => OidcError::BadDiscovery("it is no JSON"),
        DiscoveryError::Validation(_) => OidcError::OtherIssuer,
        DiscoveryError::Parse(_) => OidcError::BadDiscovery("something is missing, or of another type"),
        DiscoveryError::UrlParse(_) | DiscoveryError::Other(_) => {
            OidcError::BadDiscovery("an address is none")
        }
        _ => OidcError::BadDiscovery("it is not understood"),
    }
}
