//! `/layoffs`: planned layoffs, and their approval by somebody else. Planning one is left to the API and the commands, where
//! a list is a file.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Utc;
use serde::Deserialize;
use uuid::Uuid;

use super::Console;
use super::guard::{Sent, Visitor};
use super::offboardings::address;
use super::page::{self, Failure, Part, Shell, sentence};
use super::words::{Moment, badge, plain};
use crate::config::Role;
use crate::http::api::trouble;
use crate::http::auth::Caller;
use crate::http::layoffs::problem;
use crate::http::problem::Problem;
use crate::http::session::Session;
use crate::operate;
use crate::store::layoffs::{Layoff, LayoffDecided, LayoffDecision, LayoffFilter, LayoffId};

/// Layoffs of one page.
const PAGE: u32 = 25;

/// Where a layoff stands now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Asked,
    Planned,
    Open,
    Over,
    Cancelled,
}

impl Stands {
    fn of(layoff: &Layoff) -> Self {
        let now = Utc::now();
        if layoff.cancelled_at.is_some() {
            Self::Cancelled
        } else if layoff.until <= now {
            Self::Over
        } else if layoff.approved_at.is_none() {
            Self::Asked
        } else if layoff.from > now {
            Self::Planned
        } else {
            Self::Open
        }
    }

    fn badge(self) -> String {
        match self {
            Self::Asked => badge("held", "waits for approval"),
            Self::Planned => badge("scheduled", "approved"),
            Self::Open => badge("working", "open"),
            Self::Over => badge("done", "over"),
            Self::Cancelled => badge("cancelled", "cancelled"),
        }
    }
}

/// What can be decided about one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Approve,
    Cancel,
}

impl Step {
    fn of(path: &str) -> Option<Self> {
        [Self::Approve, Self::Cancel].into_iter().find(|step| step.path() == path)
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Cancel => "cancel",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Cancel => "Cancel",
        }
    }

    const fn role(self) -> Role {
        match self {
            Self::Approve => Role::Approver,
            Self::Cancel => Role::Operator,
        }
    }

    /// Why it is not possible, where it is not.
    fn refused(self, layoff: &Layoff, caller: &Caller) -> Option<LayoffDecided> {
        if layoff.cancelled_at.is_some() {
            return Some(LayoffDecided::AlreadyCancelled);
        }
        match self {
            Self::Approve if caller.actor().is_the_person(&layoff.requested_by) => {
                Some(LayoffDecided::OwnRequest)
            }
            Self::Approve if layoff.approved_at.is_some() => Some(LayoffDecided::AlreadyApproved),
            Self::Approve | Self::Cancel if layoff.until <= Utc::now() => Some(LayoffDecided::Over),
            Self::Approve | Self::Cancel => None,
        }
    }
}

/// One layoff as it is shown.
struct Row {
    id: String,
    reason: String,
    badge: String,
    from: String,
    until: String,
    people: i32,
    count: i32,
    used: i64,
    digest: String,
    /// Who did what, and when.
    history: Vec<(&'static str, String, String)>,
    steps: Vec<Step>,
    own: bool,
}

impl Row {
    fn of(layoff: &Layoff, caller: &Caller) -> Self {
        let did = [
            ("Planned", Some(layoff.requested_by.as_str()), Some(layoff.created_at)),
            ("Approved", layoff.approved_by.as_deref(), layoff.approved_at),
            ("Cancelled", layoff.cancelled_by.as_deref(), layoff.cancelled_at),
        ];
        let history =
            did.into_iter().filter_map(|(what, by, at)| Some((what, plain(by?), Moment(at?).html())));
        let may = |step: &Step| caller.role >= step.role() && step.refused(layoff, caller).is_none();
        Self {
            id: layoff.id.to_string(),
            reason: plain(&layoff.reason),
            badge: Stands::of(layoff).badge(),
            from: Moment(layoff.from).html(),
            until: Moment(layoff.until).html(),
            people: layoff.people,
            count: layoff.count,
            used: layoff.used,
            digest: layoff.digest.clone(),
            history: history.collect(),
            steps: [Step::Approve, Step::Cancel].into_iter().filter(may).collect(),
            own: Step::Approve.refused(layoff, caller) == Some(LayoffDecided::OwnRequest)
                && Stands::of(layoff) == Stands::Asked,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    after: String,
    #[serde(default)]
    did: String,
}

#[derive(Template)]
#[template(path = "layoffs.html")]
struct LayoffsPage {
    shell: Shell,
    rows: Vec<Row>,
    later: bool,
    next: Option<String>,
}

/// Shows a page of the list.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Failure> {
    let after = Some(chosen.after.trim()).filter(|after| !after.is_empty()).map(Uuid::try_parse);
    let after = after.transpose().map_err(|_| Problem::BadParameter("after"))?.map(LayoffId);
    let filter = LayoffFilter { only: None, after, limit: PAGE };
    let page = operate::layoffs(&console.inner.api.store, &filter).await?;
    let notice = match Step::of(&chosen.did) {
        Some(Step::Approve) => {
            Some("Approved. Who is on the list passes the brake while the window is open.".to_owned())
        }
        Some(Step::Cancel) => Some("Cancelled. It lets nobody through any more.".to_owned()),
        None => None,
    };
    page::html(&LayoffsPage {
        shell: console.shell(&visitor.0, Part::Layoffs, "Layoffs").await?.saying(notice),
        rows: page.items.iter().map(|layoff| Row::of(layoff, visitor.caller())).collect(),
        later: after.is_some(),
        next: page.next.map(|next| address("/layoffs", &[("after", &next.to_string())])),
    })
}

#[derive(Template)]
#[template(path = "layoff.html")]
struct DecidePage {
    shell: Shell,
    row: Row,
    step: Step,
    digest: String,
    error: Option<String>,
}

struct Asked {
    layoff: Layoff,
    step: Step,
}

impl Asked {
    async fn read(console: &Console, caller: &Caller, path: &(String, String)) -> Result<Self, Failure> {
        let step = Step::of(&path.1).ok_or(Problem::NotFound)?;
        caller.needs(step.role())?;
        let id = Uuid::try_parse(&path.0).map(LayoffId).map_err(|_| Problem::NotFound)?;
        let found = operate::layoffs(&console.inner.api.store, &LayoffFilter::one(id)).await?;
        let layoff = found.items.into_iter().next().ok_or(Problem::NotFound)?;
        Ok(Self { layoff, step })
    }

    async fn page(
        &self,
        console: &Console,
        session: &Session,
        digest: &str,
        error: Option<String>,
    ) -> Result<DecidePage, Failure> {
        let title = format!("{} this layoff?", self.step.label());
        let shell = console.shell(session, Part::Layoffs, title).await?;
        let row = Row::of(&self.layoff, &session.caller);
        Ok(DecidePage { shell, row, step: self.step, digest: plain(digest), error })
    }
}

/// Asks once more, and says what will happen.
pub(super) async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    Path(path): Path<(String, String)>,
) -> Result<Response, Failure> {
    let asked = Asked::read(&console, visitor.caller(), &path).await?;
    if let Some(refused) = asked.step.refused(&asked.layoff, visitor.caller()) {
        return Err(problem(refused).into());
    }
    page::html(&asked.page(&console, &visitor.0, "", None).await?)
}

/// Carries it out.
pub(super) async fn carry_out(
    State(console): State<Console>,
    Path(path): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Failure> {
    let (api, caller) = (&console.inner.api, &sent.session.caller);
    let asked = Asked::read(&console, caller, &path).await?;
    let digest = sent.fields.get("digest").unwrap_or_default();
    let decision = match asked.step {
        Step::Approve => operate::read_digest(digest).map(LayoffDecision::Approve),
        Step::Cancel => Ok(LayoffDecision::Cancel),
    };
    let decided = match decision {
        Ok(decision) => operate::decide_layoff(&api.store, asked.layoff.id, decision, &caller.actor()).await,
        Err(error) => Err(error),
    };
    let problem = match decided {
        Ok(Ok(_)) => {
            return Ok(Redirect::to(&format!("/layoffs?did={}", asked.step.path())).into_response());
        }
        Ok(Err(refused)) => problem(refused),
        Err(error) => trouble(&error),
    };
    match problem.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND => Err(problem.into()),
        status => {
            let error = Some(sentence(&problem.to_string()));
            page::with_status(status, &asked.page(&console, &sent.session, digest, error).await?)
        }
    }
}
