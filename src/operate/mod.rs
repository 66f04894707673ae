//! What an operator may do: see, preview, offboard, retry, approve, cancel, restore, replay, pause, reconcile, plan a
//! layoff, tell others again. The commands and the API say the same verbs.

mod audit;
mod callbacks;
mod complete;
mod events;
mod export;
mod layoffs;
mod own;
mod pause;
mod person;
mod preview;
mod reconcile;
mod refused;
mod verdict;
mod when;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::genesys;
use crate::offboarding::choices::Mode;
use crate::offboarding::{Actor, OffboardingId, Reason, StepStatus};
use crate::plan::PLAN;
use crate::store::approvals::Approval;
use crate::store::decisions::{Decided, Decision};
use crate::store::pause::PauseState;
use crate::store::views::{Filter, StepView, View};
use crate::store::{Store, StoreError};

pub use audit::{Verification, Witness, Witnessed, verify, verify_on};
pub use callbacks::{callbacks, repeat_callback};
pub use complete::{Completion, complete};
pub use events::{DISPOSITIONS, EventPage, NotReplayed, ReplayAnswer, disposition, event, events, replay};
pub use export::{Export, ExportQuery};
pub use layoffs::{LayoffPage, LayoffPlan, PEOPLE_MAX, decide_layoff, layoffs, plan_layoff, read_digest};
pub use own::{ExternalIds, OwnRules, OwnTermination, Taken, offboard, reason as reason_schema};
pub use pause::{calls_under_way, pause, pause_state, resume};
pub use preview::{
    Asked, Effect, Held, Kept, OrderView, Preview, Removed, ReportPreview, Rules, StepPreview, Summary,
    preview,
};
pub use reconcile::{
    BYTES_MAX, Finding, Found, Gaps, Leaver, Leavers, Reconciler, Reconciliation, Totals, Weight,
    read_leavers, turns,
};
pub use refused::{Asker, why_refused};
pub use verdict::{Expected, HeldFor, Unread, Verdict};

/// The most offboardings that are approved together.
pub const APPROVED_MAX: usize = 1_000;

/// What can go wrong when an operator asks for something.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The database is away.
    #[error("the database could not be asked")]
    Store(#[from] StoreError),
    /// Genesys Cloud is away or refuses.
    #[error("Genesys Cloud could not be asked")]
    Genesys(#[from] genesys::Error),
    /// Nobody or more than one matches.
    #[error("{}", not_one(person, *count))]
    NotOne {
        /// Who was asked about.
        person: String,
        /// How many match.
        count: usize,
    },
    /// It would change something, and the service changes nothing.
    #[error("the service runs dry (policy.mode): nothing can be put back")]
    RunsDry,
    /// An external id was given, and no authority for external ids is configured.
    #[error("an external id needs genesys.external_id_authority, or that of a source, in the configuration")]
    NoAuthority,
    /// What was asked is not understood.
    #[error("{0}: {1}")]
    Field(&'static str, String),
    /// A file of checkpoints can't be read.
    #[error("the checkpoints in {} can't be read", file.display())]
    Checkpoints {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// What the audit chain holds is no entry of a journal.
    #[error("link {0} of the audit chain can't be read: `leaver audit verify` says what is wrong with it")]
    LinkUnreadable(i64),
    /// What was just stored is not there any more.
    #[error("what was stored could not be read back")]
    Gone,
}

/// Says that not exactly one user matches. An answer of the API leaves the person out.
fn not_one(person: &str, count: usize) -> String {
    match count {
        0 => format!("nobody in Genesys Cloud is {person:?}; exactly one has to match"),
        several => format!("{several} users of Genesys Cloud match {person:?}; exactly one has to"),
    }
}

impl OperateError {
    fn not_one(person: &str, count: usize) -> Self {
        Self::NotOne { person: person.to_owned(), count }
    }

    fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field(field, problem.into())
    }
}

/// Something that is shown, with the service's mode where that is no live one.
#[derive(Debug, Serialize, ToSchema)]
pub struct InMode<T> {
    /// What is shown.
    #[serde(flatten)]
    pub shown: T,
    /// `dry_run`; absent where the service is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// Since when, by whom and why the service is paused; absent where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
}

/// That the service is paused, beside what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Paused {
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Who paused it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl<T> InMode<T> {
    /// Shows it as a service of this mode does.
    pub fn new(mode: Mode, shown: T) -> Self {
        Self { shown, mode: (mode == Mode::DryRun).then_some(mode.as_str()), paused: None }
    }

    /// Says besides that the service is paused, where it is.
    #[must_use]
    pub fn under(self, switch: PauseState) -> Self {
        let PauseState { paused, since, by, reason } = switch;
        Self { paused: paused.then_some(Paused { since, by, reason }), ..self }
    }
}

/// A page of offboardings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OffboardingPage)]
pub struct Page {
    /// Newest first.
    pub items: Vec<View>,
    /// Where the next page begins, or nothing at the end.
    #[schema(required)]
    pub next: Option<OffboardingId>,
}

/// Lists a page.
pub async fn list(store: &Store, filter: &Filter) -> Result<Page, OperateError> {
    let items = store.list(&Filter { limit: one_more(filter.limit), ..filter.clone() }).await?;
    let (items, next) = page(items, filter.limit, |view| view.id);
    Ok(Page { items, next })
}

/// One more than asked for tells whether there is a next page.
fn one_more(limit: u32) -> u32 {
    limit.max(1).saturating_add(1)
}

/// Cuts off what was only read to see whether there is more; the last one's id is where the next page begins. Ids sort by age
/// and never change, so that whatever arrives or changes meanwhile moves nothing from one page to another.
fn page<T, I>(mut items: Vec<T>, limit: u32, id: impl Fn(&T) -> I) -> (Vec<T>, Option<I>) {
    let wanted = limit.max(1) as usize;
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = if more { items.last().map(id) } else { None };
    (items, next)
}

/// Shows one offboarding, with every step of the plan in its order.
pub async fn show(store: &Store, id: OffboardingId) -> Result<Option<View>, OperateError> {
    let Some(mut view) = store.show(id).await? else {
        return Ok(None);
    };
    let known = view.steps.take().unwrap_or_default();
    let steps = PLAN.iter().map(|step| {
        known.iter().find(|view| view.name == step.name()).cloned().unwrap_or_else(|| StepView {
            name: step.name().to_owned(),
            phase: step.phase().as_str().to_owned(),
            status: StepStatus::Pending.as_str().to_owned(),
            removed: 0,
        })
    });
    view.steps = Some(steps.collect());
    Ok(Some(view))
}

/// Refuses what no service in this mode can carry out: a dry one puts nothing back. Everything else only decides what would
/// be looked at next.
pub fn may_decide(mode: Mode, decision: Decision) -> Result<(), OperateError> {
    match (mode, decision) {
        (Mode::DryRun, Decision::Restore) => Err(OperateError::RunsDry),
        (Mode::DryRun, Decision::Retry | Decision::Approve | Decision::Cancel) | (Mode::Live, _) => Ok(()),
    }
}

/// Carries out a decision and shows the offboarding as it is afterwards.
pub async fn decide(
    store: &Store,
    id: OffboardingId,
    decision: Decision,
    actor: &Actor,
) -> Result<(Decided, Option<View>), OperateError> {
    let decided = store.decide(id, decision, actor).await?;
    Ok((decided, show(store, id).await?))
}

/// Releases all of these offboardings from what they are held for, or none of them.
pub async fn approve(
    store: &Store,
    ids: &[OffboardingId],
    reason: Option<Reason>,
    actor: &Actor,
) -> Result<Approval, OperateError> {
    if ids.is_empty() || ids.len() > APPROVED_MAX {
        return Err(OperateError::field("ids", format!("expected 1 to {APPROVED_MAX} ids")));
    }
    Ok(store.approve(ids, reason, actor).await?)
}
