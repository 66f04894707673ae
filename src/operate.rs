//! What an operator may do: see, preview, retry, approve, cancel. The commands and the API say the same verbs.

use serde::Serialize;

use crate::genesys::{self, Genesys, User, UserState};
use crate::offboarding::event::email_key;
use crate::offboarding::{Actor, OffboardingId};
use crate::plan::{Choices, Look, PLAN};
use crate::store::decisions::{Decided, Decision};
use crate::store::views::{Filter, StepView, View};
use crate::store::{Store, StoreError};

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

/// What an offboarding of this person would do, found by reading alone.
#[derive(Debug, Serialize)]
pub struct Preview {
    /// The one exact match.
    pub genesys_user_id: String,
    /// `active` or `inactive`.
    pub state: &'static str,
    /// Every step of the plan.
    pub steps: Vec<PreviewStep>,
}

/// What one step would do.
#[derive(Debug, Serialize)]
pub struct PreviewStep {
    /// `PHASE.KIND`.
    pub name: &'static str,
    /// What it takes away, in words.
    pub title: &'static str,
    /// What would be removed: each target with its details.
    pub remove: Vec<PreviewItem>,
    /// What comes through a group and can't be removed from the person.
    pub inherited: Vec<String>,
}

/// One thing that would be removed.
#[derive(Debug, Serialize)]
pub struct PreviewItem {
    /// What tells it apart.
    pub target: String,
    /// What a restore would put back.
    pub detail: serde_json::Value,
}

/// Reads what an offboarding would remove. `person` is an address, a Genesys user id or an external id.
pub async fn preview(
    genesys: &Genesys,
    authority: Option<&str>,
    person: &str,
) -> Result<Preview, OperateError> {
    let user = find(genesys, authority, person).await?;
    let choices = Choices::default();
    let look = Look::new(genesys, &choices);
    let mut steps = Vec::with_capacity(PLAN.len());
    for step in PLAN {
        let mut found =
            PreviewStep { name: step.name(), title: step.title(), remove: Vec::new(), inherited: Vec::new() };
        for observed in step.observe(&look, std::slice::from_ref(&user.id)).await {
            let observed = observed?;
            found.remove.extend(
                observed.assignments.into_iter().map(|a| PreviewItem { target: a.target, detail: a.detail }),
            );
            found
                .inherited
                .extend(observed.inherited.into_iter().map(|i| format!("{} through {}", i.target, i.via)));
        }
        steps.push(found);
    }
    Ok(Preview { genesys_user_id: user.id.to_string(), state: user.state.as_str(), steps })
}

async fn find(genesys: &Genesys, authority: Option<&str>, person: &str) -> Result<User, OperateError> {
    if let Some(wanted) = email_key(person) {
        let same = |user: &User| user.email.as_deref().and_then(email_key).as_ref() == Some(&wanted);
        let mut found = genesys.users_by_email(person).await?;
        found.retain(|user| same(user) && user.state != UserState::Deleted);
        let [one] = found.as_slice() else {
            return Err(OperateError::NotOne(found.len()));
        };
        return genesys.user(&one.id).await?.ok_or(OperateError::NotOne(0));
    }
    if uuid::Uuid::try_parse(person).is_ok()
        && let Ok(id) = person.parse()
    {
        return genesys.user(&id).await?.ok_or(OperateError::NotOne(0));
    }
    let authority = authority.ok_or(OperateError::NoAuthority)?;
    genesys.user_by_external_id(authority, person).await?.ok_or(OperateError::NotOne(0))
}
