//! The page at the end of a sign-in at the issuer that opened no session: why not. No claim is on it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::wanted::HEADERS;

/// Why nobody was signed in, in words for whoever tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// No cookie, another state, too late, or once more.
    #[error("This sign-in was not begun in this browser within the last ten minutes, or it was used before.")]
    NotBegunHere,
    /// `access_denied`.
    #[error("The issuer says that signing in was cancelled, or that you may not use Leaver.")]
    Denied,
    /// Another error of the issuer's.
    #[error("The issuer refused the sign-in. The log of Leaver says more.")]
    IssuerRefuses,
    /// No usable answer.
    #[error("The issuer can't be reached, or does not answer in time. Signing in with a token works.")]
    IssuerAway,
    /// What it says about itself does not fit.
    #[error(
        "The issuer can't be used as it is configured; `leaver check` says why. Signing in with a token works."
    )]
    IssuerMisconfigured,
    /// The token is not to be believed.
    #[error(
        "The issuer's answer is not to be believed, and nobody was signed in. The log of Leaver says why."
    )]
    NotBelieved,
    /// The claim for the name is missing or no name.
    #[error(
        "The claim {0} is missing, or is not a name for the journal: at most 64 letters, digits and . _ - @ (oidc.name_claim)."
    )]
    NoName(String),
    /// No role.
    #[error("No role follows from your account: the claim {0} has no value that is listed in [oidc.roles].")]
    NoRole(String),
    /// A token operator's name, without a word that it is the same person.
    #[error(
        "Your name at the issuer is the name of an operator with a token. If both are you, [oidc.operators] has to say so."
    )]
    NameOfAnOperator,
    /// Another account's name.
    #[error(
        "Another account of the issuer has signed in under your name before, so the journal could not tell you apart."
    )]
    NameOfAnother,
    /// A name of the configuration, for an account that has another.
    #[error(
        "You have signed in under another name than the one that [oidc.operators] gives you now. Whoever runs Leaver can \
         let the new one count: the documentation of sign-in says how, under names."
    )]
    KnownOtherwise,
    /// The database.
    #[error("Leaver can't do this at the moment.")]
    OwnTrouble,
}

impl Refused {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotBegunHere => StatusCode::BAD_REQUEST,
            Self::Denied
            | Self::NotBelieved
            | Self::NoName(_)
            | Self::NoRole(_)
            | Self::NameOfAnOperator
            | Self::NameOfAnother
            | Self::KnownOtherwise => StatusCode::FORBIDDEN,
            Self::IssuerRefuses | Self::IssuerMisconfigured => StatusCode::BAD_GATEWAY,
            Self::IssuerAway | Self::OwnTrouble => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not signed in</title></head>\n\
              <body><h1>Not signed in</h1>\n<p>{{ why }}</p>\n<p><a href=\"/sign-in\">Sign in again</a></p></body></html>\n"
)]
struct NotSignedIn<'a> {
    why: &'a str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let why = self.to_string();
        match (NotSignedIn { why: &why }).render() {
            Ok(page) => (self.status(), HEADERS, page).into_response(),
            Err(_) => super::problem::Problem::Unavailable.into_response(),
        }
    }
}
