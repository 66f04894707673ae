//! `/offboardings/new`: an operator's own termination. What it would do is read and shown first; only then can it be asked
//! for.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::Console;
use super::guard::{Sent, Visitor};
use super::page::{self, Failure, Part, Shell, sentence};
use super::words::{capital, plain, times};
use crate::config::Role;
use crate::http::api::trouble;
use crate::http::problem::Problem;
use crate::operate::{self, Asked, Expected, OperateError, OwnTermination, Preview, Taken};

#[derive(Default, Deserialize)]
pub(super) struct NewQuery {
    #[serde(default)]
    person: String,
    #[serde(default, rename = "type")]
    termination_type: String,
}

/// What it would do, for people.
struct Foreseen {
    user: String,
    class: &'static str,
    verdict: String,
    held_for: Vec<(String, String)>,
    unread: Vec<String>,
    notes: Vec<String>,
    steps: Vec<ForeseenStep>,
    remove: usize,
    keep: usize,
}

struct ForeseenStep {
    title: &'static str,
    comes_back: String,
    remove: Vec<String>,
    keep: Vec<String>,
}

#[derive(Template)]
#[template(path = "new.html")]
struct NewPage {
    shell: Shell,
    person: String,
    termination_type: String,
    reason: String,
    at: String,
    /// How a time without a zone is read.
    times: String,
    /// One page asks once, however often its button is pressed.
    key: String,
    error: Option<String>,
    foreseen: Option<Foreseen>,
}

/// Asks whom, and shows what would be done to them.
pub(super) async fn form(
    State(console): State<Console>,
    visitor: Visitor,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    visitor.caller().needs(Role::Operator)?;
    let (person, kind) = (query.person.trim(), query.termination_type.trim());
    let shell = console.shell(&visitor.0, Part::Offboardings, "Take somebody out").await?;
    let mut page = NewPage::new(&console, shell, person, kind);
    if person.is_empty() {
        return page::html(&page);
    }
    let status = page.foresee(&console).await;
    page::with_status(status, &page)
}

impl NewPage {
    fn new(console: &Console, shell: Shell, person: &str, kind: &str) -> Self {
        Self {
            shell,
            // What is looked for is what is seen.
            person: plain(person),
            termination_type: plain(kind),
            reason: String::new(),
            at: String::new(),
            times: times(&console.inner.api.own_rules),
            key: Uuid::new_v4().to_string(),
            error: None,
            foreseen: None,
        }
    }

    async fn foresee(&mut self, console: &Console) -> StatusCode {
        let kind = (!self.termination_type.is_empty()).then_some(self.termination_type.as_str());
        let asked = Asked { person: &self.person, termination_type: kind };
        match operate::preview(&console.inner.api.genesys, &console.inner.api.preview_rules, asked).await {
            Ok(preview) => {
                self.foreseen = Some(Foreseen::of(preview));
                StatusCode::OK
            }
            Err(error) => {
                let problem = trouble(&error);
                // A parameter of the API means nothing to whoever fills in a form.
                let text = match error {
                    OperateError::NotOne { .. } | OperateError::NoAuthority => error.to_string(),
                    OperateError::Store(_)
                    | OperateError::Genesys(_)
                    | OperateError::RunsDry
                    | OperateError::Field(..)
                    | OperateError::Checkpoints { .. }
                    | OperateError::LinkUnreadable(_)
                    | OperateError::Gone => problem.to_string(),
                };
                self.error = Some(sentence(&text));
                problem.status()
            }
        }
    }
}

impl Foreseen {
    fn of(preview: Preview) -> Self {
        let verdict = preview.verdict;
        let class = match verdict.expected {
            Expected::CarriedOut => "done",
            Expected::Held => "held",
            Expected::Unknown => "failed",
        };
        let named = |name: Option<String>, target: &str| plain(&name.unwrap_or_else(|| target.to_owned()));
        let steps = preview
            .steps
            .into_iter()
            .filter(|step| !(step.remove.is_empty() && step.keep.is_empty() && step.hold.is_empty()));
        Self {
            user: plain(&preview.genesys_user_id),
            class,
            verdict: capital(&plain(&verdict.text)),
            held_for: verdict
                .held_for
                .into_iter()
                .map(|held| (super::words::reason_words(held.reason), plain(&held.detail)))
                .collect(),
            unread: verdict.unread.iter().map(|unread| plain(&unread.words())).collect(),
            notes: verdict.notes.iter().map(|note| plain(note)).collect(),
            remove: preview.summary.remove,
            keep: preview.summary.keep,
            steps: steps
                .map(|step| ForeseenStep {
                    title: step.title,
                    comes_back: step.comes_back,
                    remove: step.remove.into_iter().map(|one| named(one.name, &one.target)).collect(),
                    keep: step
                        .keep
                        .into_iter()
                        .map(|one| format!("{}: {}", named(one.name, &one.target), one.why))
                        .chain(step.hold.into_iter().map(|one| {
                            format!(
                                "{} through {}: {}",
                                named(one.name, &one.target),
                                plain(&one.via),
                                one.why
                            )
                        }))
                        .collect(),
                })
                .collect(),
        }
    }
}

/// Stores the termination.
pub(super) async fn ask(State(console): State<Console>, sent: Sent) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Operator)?.actor();
    let given = |name: &str| sent.fields.get(name).map(str::to_owned);
    let asked = OwnTermination {
        person: given("person").unwrap_or_default(),
        reason: given("reason").unwrap_or_default(),
        at: given("at"),
        termination_type: given("type"),
    };
    let api = &console.inner.api;
    let problem =
        match operate::offboard(&api.store, &api.own_rules, &asked, sent.fields.get("key"), &actor).await {
            Ok(Taken::New(view) | Taken::Known(view)) => {
                return Ok(Redirect::to(&format!("/offboardings/{}?did=asked", view.id)).into_response());
            }
            Ok(Taken::KeyReused) => Problem::KeyReused,
            Err(error) => trouble(&error),
        };
    let shell = console.shell(&sent.session, Part::Offboardings, "Take somebody out").await?;
    let mut page =
        NewPage::new(&console, shell, &asked.person, asked.termination_type.as_deref().unwrap_or_default());
    page.foresee(&console).await;
    page.reason = plain(&asked.reason);
    page.at = plain(asked.at.as_deref().unwrap_or_default());
    page.error = Some(sentence(&problem.to_string()));
    page::with_status(problem.status(), &page)
}
