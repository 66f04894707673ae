//! What every page has around it, and the page that says what went wrong.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::Console;
use super::assets::{ASSETS, Assets};
use crate::config::Role;
use crate::http::api::trouble;
use crate::http::problem::Problem;
use crate::http::session::Session;
use crate::offboarding::choices::Mode;
use crate::operate::OperateError;
use crate::store::StoreError;

/// What to do about a form that is not taken.
pub(super) const GO_BACK: &str = "Go back, load the page again, and send it once more.";

/// Which part of the console a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Overview,
    Offboardings,
    Held,
    Events,
    Sources,
}

/// One entry of the navigation.
pub(super) struct Link {
    pub(super) href: &'static str,
    pub(super) text: &'static str,
    pub(super) here: bool,
}

/// Something about the service as a whole that stands above every page.
pub(super) struct Banner {
    pub(super) title: String,
    pub(super) text: String,
}

/// What became of what somebody just did.
pub(super) struct Notice {
    pub(super) text: String,
}

/// What is around a page.
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) operator: String,
    pub(super) role: &'static str,
    pub(super) csrf: String,
    pub(super) notice: Option<Notice>,
    pub(super) banners: Vec<Banner>,
    pub(super) links: Vec<Link>,
    pub(super) may_offboard: bool,
    pub(super) assets: &'static Assets,
}

impl Shell {
    /// The same with a word about what was just done.
    pub(super) fn saying(mut self, notice: Option<String>) -> Self {
        self.notice = notice.map(|text| Notice { text });
        self
    }
}

impl Console {
    /// What is around a page of this session.
    pub(super) fn shell(&self, session: &Session, part: Part, title: impl Into<String>) -> Shell {
        let all = [
            (Part::Overview, "/", "Overview"),
            (Part::Offboardings, "/offboardings", "Offboardings"),
            (Part::Held, "/held", "Held"),
            (Part::Events, "/events", "Events"),
            (Part::Sources, "/sources", "Sources"),
        ];
        Shell {
            title: title.into(),
            operator: session.caller.name.clone(),
            role: session.caller.role.as_str(),
            csrf: session.csrf().to_owned(),
            notice: None,
            banners: self.banners(),
            links: all.map(|(own, href, text)| Link { href, text, here: own == part }).into(),
            may_offboard: session.caller.role >= Role::Operator,
            assets: &ASSETS,
        }
    }

    fn banners(&self) -> Vec<Banner> {
        match self.inner.api.mode {
            Mode::Live => Vec::new(),
            Mode::DryRun => vec![Banner {
                title: "Dry run".to_owned(),
                text: "What is accepted is decided and written down; nothing is changed in Genesys Cloud."
                    .to_owned(),
            }],
        }
    }
}

/// Why a page is not what was asked for.
pub(super) enum Failure {
    /// As the API says it.
    Problem(Problem),
    /// In own words, with what to do.
    Said(StatusCode, &'static str, &'static str),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<OperateError> for Failure {
    fn from(error: OperateError) -> Self {
        Self::Problem(trouble(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::from(OperateError::from(error))
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    title: &'static str,
    text: String,
    advice: &'static str,
    assets: &'static Assets,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text, advice) = match self {
            Self::Said(status, text, advice) => (status, text.to_owned(), advice),
            Self::Problem(problem) => {
                let advice = match problem.status() {
                    StatusCode::SERVICE_UNAVAILABLE => "The database may be away. Try again in a moment.",
                    StatusCode::FORBIDDEN => "Somebody with that role can do it.",
                    _ => "Go back and try something else.",
                };
                (problem.status(), sentence(&problem.to_string()), advice)
            }
        };
        let title = match status {
            StatusCode::NOT_FOUND => "Nothing here",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
            _ => "That did not work",
        };
        let page = FailurePage { title, text, advice, assets: &ASSETS };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => Problem::Unavailable.into_response(),
        }
    }
}

/// Renders a page.
pub(super) fn html(page: &impl Template) -> Result<Response, Failure> {
    with_status(StatusCode::OK, page)
}

/// Renders a page that is answered with this status.
pub(super) fn with_status(status: StatusCode, page: &impl Template) -> Result<Response, Failure> {
    Ok((status, Html(render(page)?)).into_response())
}

/// Renders a part of a page.
pub(super) fn render(part: &impl Template) -> Result<String, Failure> {
    part.render().map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a page can't be rendered");
        Failure::Problem(Problem::Unavailable)
    })
}

/// A message as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{head}{}{end}", chars.as_str())
}
