//! What an operator may do: see, preview, offboard, retry, approve, cancel, restore, plan a layoff. The commands and the API
//! say the same verbs.

mod layoffs;
mod own;
mod person;
mod preview;
mod verdict;
mod when;

use serde::Serialize;

use crate::genesys;
use crate::offboarding::{Actor, OffboardingId, Reason};
use crate::plan::PLAN;
use crate::store::approvals::Approval;
use crate::store::decisions::{Decided, Decision};
use crate::store::views::{Filter, StepView, View};
use crate::store::{Store, StoreError};

pub use layoffs::{LayoffPlan, PEOPLE_MAX, decide_layoff, layoffs, plan_layoff, read_digest};
pub use own::{ExternalIds, OwnRules, OwnTermination, Taken, offboard};
pub use preview::{
    Asked, Effect, Held, Kept, OrderView, Preview, Removed, ReportPreview, Rules, StepPreview, Summary,
    preview,
};
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
    #[error("{0} users of Genesys Cloud match; exactly one has to")]
    NotOne(usize),
    /// An external id was given, and no authority for external ids is configured.
    #[error("an external id needs genesys.external_id_authority in the configuration")]
    NoAuthority,
    /// What was asked is not understood.
    #[error("{0}: {1}")]
    Field(&'static str, String),
    /// What was just stored is not there any more.
    #[error("what was stored could not be read back")]
    Gone,
}

impl OperateError {
    fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Field(field, problem.into())
    }
}

/// A page of offboardings.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Newest first.
    pub items: Vec<View>,
    /// Where the next page begins, or nothing at the end.
    pub next: Option<OffboardingId>,
}

/// Lists a page.
pub async fn list(store: &Store, filter: &Filter) -> Result<Page, OperateError> {
    // One more than asked for tells whether there is a next page.
    let wanted = filter.limit.max(1);
    let mut items = store.list(&Filter { limit: wanted.saturating_add(1), ..filter.clone() }).await?;
    let more = items.len() > wanted as usize;
    items.truncate(wanted as usize);
    let next = if more { items.last().map(|view| view.id) } else { None };
    Ok(Page { items, next })
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
            status: "pending".to_owned(),
            removed: 0,
        })
    });
    view.steps = Some(steps.collect());
    Ok(Some(view))
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
