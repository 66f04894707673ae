//! `GET /callbacks`: what others are told of offboardings, how far that is, and telling it once more.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Utc;
use serde::Deserialize;
use uuid::Uuid;

use super::Console;
use super::guard::{Sent, Visitor};
use super::offboardings::{Choice, address};
use super::page::{Failure, Part, Shell, html};
use super::words::{Moment, badge, plain, short};
use crate::config::Role;
use crate::http::problem::Problem;
use crate::offboarding::OffboardingId;
use crate::operate;
use crate::store::callbacks::{CallbackFilter, CallbackStatus, CallbackView, Repeated};

/// Callbacks of one page.
const PAGE: u32 = 25;

/// What was chosen; an empty choice is none.
#[derive(Default, Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    status: String,
    #[serde(default)]
    offboarding: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    did: String,
}

impl Chosen {
    /// What a form brings back, so that whoever sends it stays on the page.
    fn sent(sent: &Sent) -> Self {
        let field = |name| sent.fields.get(name).unwrap_or_default().to_owned();
        Self {
            status: field("status"),
            offboarding: field("offboarding"),
            after: field("after"),
            did: String::new(),
        }
    }

    fn filter(&self) -> Result<CallbackFilter, Problem> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let status = given(&self.status).map(|word| word.parse()).transpose();
        let offboarding = given(&self.offboarding).map(|id| Uuid::try_parse(&id)).transpose();
        let after = given(&self.after).map(|after| after.parse()).transpose();
        Ok(CallbackFilter {
            status: status.map_err(|_| Problem::BadParameter("status"))?,
            offboarding: offboarding.map_err(|_| Problem::BadParameter("offboarding"))?,
            after: after.map_err(|_| Problem::BadParameter("after"))?,
            limit: PAGE,
        })
    }

    fn address(&self, after: &str, did: &str) -> String {
        let kept = [
            ("status", self.status.as_str()),
            ("offboarding", &self.offboarding),
            ("after", after),
            ("did", did),
        ];
        address("/callbacks", &kept)
    }
}

struct Row {
    id: String,
    event: String,
    told: String,
    target: String,
    badge: String,
    attempts: i32,
    result: String,
    happened: String,
    /// What the moment behind it is, and the moment.
    next: Option<(&'static str, String)>,
    offboarding: String,
    short: String,
}

impl Row {
    fn of(view: CallbackView) -> Self {
        let (class, word) = match view.status {
            CallbackStatus::Waiting => ("scheduled", "waiting"),
            CallbackStatus::Delivered => ("done", "delivered"),
            CallbackStatus::GaveUp => ("failed", "given up"),
        };
        let next = match view.status {
            CallbackStatus::Waiting => view.next_attempt_at.map(|at| ("Next try", at)),
            CallbackStatus::Delivered => view.delivered_at.map(|at| ("Arrived", at)),
            CallbackStatus::GaveUp => None,
        };
        Self {
            id: view.id.to_string(),
            event: plain(&view.event),
            told: view.told.as_deref().map(plain).unwrap_or_default().replace('_', " "),
            target: plain(&view.target),
            badge: badge(class, word),
            attempts: view.attempts,
            result: view.last_result.as_deref().map(plain).unwrap_or_default(),
            happened: Moment(view.created_at).html(),
            // One that is due is sent as soon as its target is not being waited for.
            next: next.map(|(what, at)| match view.status {
                CallbackStatus::Waiting if at <= Utc::now() => ("Due", "now".to_owned()),
                CallbackStatus::Waiting | CallbackStatus::Delivered | CallbackStatus::GaveUp => {
                    (what, Moment(at).brief())
                }
            }),
            offboarding: view.offboarding.to_string(),
            short: short(OffboardingId(view.offboarding)),
        }
    }
}

#[derive(Template)]
#[template(path = "callbacks.html")]
struct CallbacksPage {
    shell: Shell,
    rows: Vec<Row>,
    statuses: Vec<Choice>,
    /// The one offboarding that was chosen.
    about: Option<Uuid>,
    chosen: Chosen,
    filtered: bool,
    later: bool,
    next: Option<String>,
}

/// Shows a page of the list.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Failure> {
    let filter = chosen.filter()?;
    let page = operate::callbacks(&console.inner.api.store, &filter).await?;
    let notice = (chosen.did == "repeated").then(|| "It is sent once more, under the same id.".to_owned());
    html(&CallbacksPage {
        shell: console.shell(&visitor.0, Part::Callbacks, "Callbacks").await?.saying(notice),
        rows: page.items.into_iter().map(Row::of).collect(),
        statuses: CallbackStatus::ALL
            .iter()
            .map(|status| Choice::of(status.as_str(), &chosen.status))
            .collect(),
        about: filter.offboarding,
        filtered: filter.status.is_some() || filter.offboarding.is_some(),
        later: filter.after.is_some(),
        next: page.next.map(|next| chosen.address(&next.to_string(), "")),
        chosen,
    })
}

/// Has a callback sent once more.
pub(super) async fn repeat(
    State(console): State<Console>,
    Path(path): Path<String>,
    sent: Sent,
) -> Result<Response, Failure> {
    let actor = sent.caller(Role::Operator)?.actor();
    let id = Uuid::try_parse(&path).map_err(|_| Problem::NotFound)?;
    let chosen = Chosen::sent(&sent);
    chosen.filter()?;
    match operate::repeat_callback(&console.inner.api.store, id, &actor).await? {
        Repeated::Yes(_) => Ok(Redirect::to(&chosen.address(&chosen.after, "repeated")).into_response()),
        Repeated::Unknown => Err(Problem::NotFound.into()),
        Repeated::NoTarget => {
            Err(Problem::CallbackNotPossible("its target is not configured any more").into())
        }
    }
}
