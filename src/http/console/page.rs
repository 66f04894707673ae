//! What every page has around it, and the page that says what went wrong.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use super::Console;
use super::assets::{ASSETS, Assets};
use super::words::{Moment, capital, plain};
use crate::config::Role;
use crate::http::api::trouble;
use crate::http::problem::Problem;
use crate::http::session::Session;
use crate::offboarding::choices::Mode;
use crate::operate::{self, OperateError};
use crate::store::StoreError;
use crate::store::pause::PauseState;

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
    Callbacks,
    Layoffs,
}

/// One entry of the navigation.
pub(super) struct Link {
    pub(super) href: &'static str,
    pub(super) text: &'static str,
    pub(super) here: bool,
}

/// Something about the service as a whole that stands above every page.
pub(super) struct Banner {
    pub(super) title: &'static str,
    /// Who and when, with words of ours around it.
    pub(super) text: String,
    /// What somebody gave as a reason.
    pub(super) said: Option<String>,
    /// What follows from it.
    pub(super) means: &'static str,
    /// Where it can be ended, for those who may.
    pub(super) ends: Option<&'static str>,
}

impl Banner {
    const DRY_RUN: Self = Self {
        title: "Dry run",
        text: String::new(),
        said: None,
        means: "What is accepted is decided and written down; nothing is changed in Genesys Cloud.",
        ends: None,
    };

    fn paused(state: &PauseState, role: Role) -> Self {
        let since = state.since.map(|at| format!("since {} ({})", Moment(at).exact(), Moment(at).relative()));
        let by = state.by.as_deref().map(|by| format!("by {}", plain(by)));
        let words: Vec<_> = since.into_iter().chain(by).collect();
        Self {
            title: "Paused",
            text: words.join(", "),
            said: state.reason.as_deref().map(|reason| ended(plain(reason))),
            means: "Nothing is changed in Genesys Cloud; what arrives is stored, and waits.",
            ends: (role >= Role::Operator).then_some("/resume"),
        }
    }
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
    /// The service is paused.
    pub(super) paused: bool,
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
    /// What is around a page of this session, with what everybody has to know about the service now.
    pub(super) async fn shell(
        &self,
        session: &Session,
        part: Part,
        title: impl Into<String>,
    ) -> Result<Shell, Failure> {
        let all = [
            (Part::Overview, "/", "Overview"),
            (Part::Offboardings, "/offboardings", "Offboardings"),
            (Part::Held, "/held", "Held"),
            (Part::Events, "/events", "Events"),
            (Part::Sources, "/sources", "Sources"),
            (Part::Callbacks, "/callbacks", "Callbacks"),
            (Part::Layoffs, "/layoffs", "Layoffs"),
        ];
        let (title, role) = (title.into(), session.caller.role);
        let switch = operate::pause_state(&self.inner.api.store).await?;
        let mut banners = Vec::new();
        if switch.paused {
            banners.push(Banner::paused(&switch, role));
        }
        match self.inner.api.mode {
            Mode::Live => {}
            Mode::DryRun => banners.push(Banner::DRY_RUN),
        }
        Ok(Shell {
            title,
            operator: session.caller.name.clone(),
            role: role.as_str(),
            csrf: session.csrf().to_owned(),
            notice: None,
            banners,
            links: all.map(|(own, href, text)| Link { href, text, here: own == part }).into(),
            may_offboard: role >= Role::Operator,
            paused: switch.paused,
            assets: &ASSETS,
        })
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

/// What a path without a route answers on the listener of the console: a page to a browser, a problem to a program.
pub(super) async fn nothing_here(uri: Uri, headers: HeaderMap) -> Response {
    refusal(&uri, &headers, Problem::NotFound)
}

/// What a route of the console without the method answers.
pub(super) async fn wrong_method(uri: Uri, headers: HeaderMap) -> Response {
    refusal(&uri, &headers, Problem::MethodNotAllowed)
}

fn refusal(uri: &Uri, headers: &HeaderMap, problem: Problem) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") && !uri.path().starts_with("/api/") {
        Failure::Problem(problem).into_response()
    } else {
        problem.into_response()
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
    ended(capital(text))
}

/// A text with a full stop, unless it ends like a sentence already.
fn ended(text: String) -> String {
    if text.ends_with(['.', '?', '!']) { text } else { text + "." }
}
