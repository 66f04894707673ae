//! The answer to a code: the id token and whether it is to be believed, and what more the issuer says about the person.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError, ClientId, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IdTokenFields, IdTokenVerifier, Nonce, OAuth2TokenResponse,
    RequestTokenError, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier, TokenResponse, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OidcError;
use super::client::CallError;
use super::issuer::{ALGORITHMS, Issuer, Known};

/// How far an issuer's clock may be ahead of ours.
const CLOCK_AHEAD_MAX: TimeDelta = TimeDelta::seconds(60);

/// An id token is made for the code that was just exchanged; an older one is from somewhere else.
const ISSUED_BEFORE_MAX: TimeDelta = TimeDelta::minutes(10);

/// Every claim that the library has no name for: which ones matter is said by the configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for OtherClaims {}

type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The answer of the token endpoint.
pub(super) type Answer = StandardTokenResponse<Fields, CoreTokenType>;

type ErrorAnswer = StandardErrorResponse<CoreErrorResponseType>;

/// The library's client, with every claim.
pub(super) type Client = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    ErrorAnswer,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The claims of an id token that is to be believed, and whose they are. A key that is not known has the keys read again.
pub(super) async fn checked(
    issuer: &Issuer,
    known: &Arc<Known>,
    client_id: &str,
    answer: &Answer,
    nonce: &Nonce,
) -> Result<(Value, SubjectIdentifier), OidcError> {
    use ClaimsVerificationError::SignatureVerification;
    match believed(known, client_id, answer, nonce) {
        Err(Doubt::Claims(SignatureVerification(SignatureVerificationError::NoMatchingKey))) => {
            let newer = issuer.refreshed(known).await?.ok_or(OidcError::BadIdToken(UNKNOWN_KEY))?;
            Ok(believed(&newer, client_id, answer, nonce)?)
        }
        checked => Ok(checked?),
    }
}

/// Why an id token is not believed.
enum Doubt {
    Missing,
    Claims(ClaimsVerificationError),
    OtherParty,
}

const UNKNOWN_KEY: &str = "the issuer has no such key";

impl From<Doubt> for OidcError {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Missing => Self::NoIdToken,
            Doubt::OtherParty => Self::BadIdToken("it was made for another client"),
            Doubt::Claims(error) => Self::BadIdToken(flaw(&error)),
        }
    }
}

fn believed(
    known: &Known,
    client_id: &str,
    answer: &Answer,
    nonce: &Nonce,
) -> Result<(Value, SubjectIdentifier), Doubt> {
    let token = answer.id_token().ok_or(Doubt::Missing)?;
    // As a public client, so that our own secret is never a key: whoever knows it could make id tokens.
    let verifier = IdTokenVerifier::new_public_client(
        ClientId::new(client_id.to_owned()),
        known.metadata().issuer().clone(),
        known.keys().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_issue_time_verifier_fn(made_just_now);
    let claims = token.claims(&verifier, nonce).map_err(Doubt::Claims)?;
    // The library leaves this to us.
    if claims.authorized_party().is_some_and(|party| party.as_str() != client_id) {
        return Err(Doubt::OtherParty);
    }
    let all = serde_json::to_value(claims).unwrap_or_default();
    Ok((all, claims.subject().clone()))
}

fn made_just_now(issued: DateTime<Utc>) -> Result<(), String> {
    let now = Utc::now();
    match issued > now + CLOCK_AHEAD_MAX || issued < now - ISSUED_BEFORE_MAX {
        true => Err("issued at another time".to_owned()),
        false => Ok(()),
    }
}

/// What is wrong with an id token, without what it says.
fn flaw(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "it is not of this time: compare the clocks",
        ClaimsVerificationError::InvalidAudience(_) => "it was made for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "it names another issuer",
        ClaimsVerificationError::InvalidNonce(_) => "it belongs to another sign-in",
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            UNKNOWN_KEY
        }
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::UnsupportedAlg(_)
            | SignatureVerificationError::NoSignature,
        ) => "it is not signed by RS256, PS256, ES256 or EdDSA",
        ClaimsVerificationError::SignatureVerification(_) => "its signature is not the issuer's",
        ClaimsVerificationError::InvalidAuthContext(_)
        | ClaimsVerificationError::InvalidAuthTime(_)
        | ClaimsVerificationError::InvalidSubject(_)
        | ClaimsVerificationError::Unsupported(_)
        | ClaimsVerificationError::Other(_) => "it is not understood",
        _ => "it is wrong in a way that this version has no word for",
    }
}

/// What the issuer answers instead of tokens. Its description stays out: it may repeat what we sent.
pub(super) fn refusal(error: RequestTokenError<CallError, ErrorAnswer>) -> OidcError {
    match error {
        RequestTokenError::Request(cause) => OidcError::Unreachable(cause),
        RequestTokenError::ServerResponse(answer) => OidcError::CodeRefused(match answer.error() {
            CoreErrorResponseType::InvalidClient => "invalid_client: is oidc.client_secret right?",
            CoreErrorResponseType::InvalidGrant => "invalid_grant",
            CoreErrorResponseType::UnauthorizedClient => "unauthorized_client",
            CoreErrorResponseType::InvalidRequest => "invalid_request",
            CoreErrorResponseType::InvalidScope => "invalid_scope",
            CoreErrorResponseType::UnsupportedGrantType => "unsupported_grant_type",
            CoreErrorResponseType::Extension(_) => "an error of its own",
        }),
        RequestTokenError::Parse(..) => OidcError::NoIdToken,
        RequestTokenError::Other(_) => OidcError::CodeRefused("without a reason"),
    }
}

/// What the issuer says about the person beside the id token; about the same person, or it is refused.
pub(super) async fn user_info(
    issuer: &Issuer,
    client: &Client,
    answer: &Answer,
    subject: SubjectIdentifier,
) -> Result<Value, OidcError> {
    let token = answer.access_token().clone();
    // The library takes for granted that it can be a header.
    if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(OidcError::BadUserInfo);
    }
    let request = client.user_info(token, Some(subject)).map_err(|_| OidcError::BadUserInfo)?;
    let claims: UserInfoClaims<OtherClaims, CoreGenderClaim> =
        request.request_async(issuer.http()).await.map_err(|error| match error {
            UserInfoError::Request(cause) => OidcError::Unreachable(cause),
            UserInfoError::ClaimsVerification(_)
            | UserInfoError::Parse(_)
            | UserInfoError::Response(..)
            | UserInfoError::Other(_) => OidcError::BadUserInfo,
            _ => OidcError::BadUserInfo,
        })?;
    serde_json::to_value(claims).map_err(|_| OidcError::BadUserInfo)
}
