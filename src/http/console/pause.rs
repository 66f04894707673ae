//! `/pause` and `/resume`: the switch over all replicas. Each asks once more, and says what will happen.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::Console;
use super::guard::{Sent, Visitor};
use super::page::{self, Failure, Part, Shell, sentence};
use super::words::plain;
use crate::config::Role;
use crate::http::api::trouble;
use crate::http::session::Session;
use crate::operate;

#[derive(Template)]
#[template(path = "pause.html")]
struct PausePage {
    shell: Shell,
    reason: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage {
    shell: Shell,
}

async fn shell(console: &Console, session: &Session, title: &str) -> Result<Shell, Failure> {
    console.shell(session, Part::Overview, title).await
}

/// Asks why the service is to pause.
pub(super) async fn ask_pause(State(console): State<Console>, visitor: Visitor) -> Result<Response, Failure> {
    visitor.caller().needs(Role::Operator)?;
    let shell = shell(&console, &visitor.0, "Pause the service?").await?;
    if shell.paused {
        return Ok(Redirect::to("/resume").into_response());
    }
    page::html(&PausePage { shell, reason: String::new(), error: None })
}

/// Pauses the service.
pub(super) async fn pause(State(console): State<Console>, sent: Sent) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Operator)?.actor();
    let reason = sent.fields.get("reason").unwrap_or_default();
    match operate::pause(&console.inner.api.store, reason, &actor).await {
        Ok(state) => {
            tracing::warn!(by = state.by, "the service is paused: no changing call begins");
            Ok(Redirect::to("/?did=paused").into_response())
        }
        Err(error) => {
            let problem = trouble(&error);
            let shell = shell(&console, &sent.session, "Pause the service?").await?;
            let error = Some(sentence(&problem.to_string()));
            let page = PausePage { shell, reason: plain(reason), error };
            page::with_status(problem.status(), &page)
        }
    }
}

/// Asks once more whether the work is to go on.
pub(super) async fn ask_resume(
    State(console): State<Console>,
    visitor: Visitor,
) -> Result<Response, Failure> {
    visitor.caller().needs(Role::Operator)?;
    let shell = shell(&console, &visitor.0, "Resume the service?").await?;
    if !shell.paused {
        return Ok(Redirect::to("/pause").into_response());
    }
    page::html(&ResumePage { shell })
}

/// Lets the work go on.
pub(super) async fn resume(State(console): State<Console>, sent: Sent) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Operator)?.actor();
    let state = operate::resume(&console.inner.api.store, &actor).await?;
    tracing::info!(by = state.by, "the service is not paused");
    Ok(Redirect::to("/?did=resumed").into_response())
}

impl Console {
    /// What the overview says of a switch that was just moved, as far as it still stands like that.
    pub(super) async fn switched(&self, did: &str, shell: &Shell) -> Result<Option<String>, Failure> {
        if did == "resumed" && !shell.paused {
            return Ok(Some("The service goes on.".to_owned()));
        }
        if did != "paused" || !shell.paused {
            return Ok(None);
        }
        let under_way = operate::calls_under_way(&self.inner.api.store).await?;
        Ok(Some(match under_way {
            0 => "The service is paused. No changing call is under way.".to_owned(),
            1 => "The service is paused. One call that was begun before may still be under way.".to_owned(),
            _ => format!(
                "The service is paused. {under_way} calls that were begun before may still be under way."
            ),
        }))
    }
}
