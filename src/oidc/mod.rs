//! Sign-in at an issuer of OpenID Connect: the way there, the way back, and what the claims allow. Leaves to `http` the
//! browser and its cookies, and to the library the protocol and its signatures.

mod claims;
mod client;
mod issuer;
mod token;

use std::sync::Arc;

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};
use reqwest::Url;
use secrecy::ExposeSecret;

use crate::config;

pub use claims::Person;
pub use client::BuildError;
pub use issuer::Findings;

/// Why nobody was signed in. None of them repeats a claim, a code or a token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No usable answer.
    #[error("the issuer can't be asked")]
    Unreachable(#[source] client::CallError),
    /// It says another name of itself than the configured one.
    #[error("the issuer calls itself by another name than oidc.issuer")]
    OtherIssuer,
    /// What it says about itself, or its keys, can't be used.
    #[error("what the issuer says about itself can't be used: {0}")]
    BadDiscovery(&'static str),
    /// It does not take the code, or not us.
    #[error("the issuer does not exchange the code ({0})")]
    CodeRefused(&'static str),
    /// It exchanged the code for something else.
    #[error("the issuer gives no id token")]
    NoIdToken,
    /// The id token is not for us, not from it, or not for now.
    #[error("the id token is refused: {0}")]
    BadIdToken(&'static str),
    /// What it says about the person can't be used.
    #[error("what the issuer says about the person can't be used")]
    BadUserInfo,
    /// The claim that names the person is missing, or can't stand in the journal.
    #[error("the claim for the name can't be used")]
    NoName,
    /// No value of the role's claim gives a role.
    #[error("no role follows from the claims")]
    NoRole,
}

/// The way to the issuer: what the browser is sent with, and what has to be kept until it comes back.
pub struct Departure {
    /// Where the browser goes.
    pub address: Url,
    /// Comes back beside the code.
    pub state: String,
    /// Comes back in the id token.
    pub nonce: String,
    /// Proves that the code is exchanged by whoever asked for it.
    pub code_verifier: String,
}

/// Sign-in at one issuer. Cheap to clone; all clones share what is known of the issuer.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    settings: config::Oidc,
    issuer: issuer::Issuer,
}

impl Oidc {
    /// Makes it without connecting anywhere: an issuer that is away must not keep the service from starting.
    pub fn new(settings: config::Oidc) -> Result<Self, BuildError> {
        let issuer = issuer::Issuer::new(&settings.issuer)?;
        Ok(Self(Arc::new(Inner { settings, issuer })))
    }

    /// As configured.
    pub fn settings(&self) -> &config::Oidc {
        &self.0.settings
    }

    /// Prepares one sign-in.
    pub async fn depart(&self) -> Result<Departure, OidcError> {
        let settings = &self.0.settings;
        let known = self.0.issuer.known().await?;
        let client = self.client(&known)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        // The library asks for openid by itself.
        let scopes = settings.scopes.iter().filter(|scope| *scope != "openid");
        let request = scopes.fold(request, |request, scope| request.add_scope(Scope::new(scope.clone())));
        let (address, state, nonce) = request.url();
        Ok(Departure {
            address,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            code_verifier: verifier.into_secret(),
        })
    }

    /// Exchanges the code that a browser came back with, checks the id token, and reads who it is and what they may do.
    pub async fn arrive(
        &self,
        code: String,
        nonce: String,
        code_verifier: String,
    ) -> Result<Person, OidcError> {
        let issuer = &self.0.issuer;
        let known = issuer.known().await?;
        let client = self.client(&known)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::BadDiscovery("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(code_verifier));
        let answer = request.request_async(issuer.http()).await.map_err(token::refusal)?;
        let nonce = Nonce::new(nonce);
        let settings = &self.0.settings;
        let (id_claims, subject) =
            token::checked(issuer, &known, &settings.client_id, &answer, &nonce).await?;
        let mut found = claims::Found::of(settings, &id_claims);
        if found.lacks_any() && client.user_info_url().is_some() {
            let more = token::user_info(issuer, &client, &answer, subject.clone()).await?;
            found.complete(settings, &more);
        }
        found.person(settings, subject.as_str())
    }

    /// Looks whether people could sign in, as far as that can be seen without anybody signing in.
    pub async fn look(&self) -> Result<Findings, OidcError> {
        Ok(self.0.issuer.known().await?.findings())
    }

    fn client(&self, known: &issuer::Known) -> Result<token::Client, OidcError> {
        let settings = &self.0.settings;
        let secret = settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let redirect = RedirectUrl::from_url(settings.redirect_url.clone());
        let client = token::Client::from_provider_metadata(
            known.metadata().clone(),
            ClientId::new(settings.client_id.clone()),
            secret,
        );
        Ok(client.set_redirect_uri(redirect).set_auth_type(known.auth_type()))
    }
}
