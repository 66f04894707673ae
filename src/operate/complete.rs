//! Completing what is held because the event did not say whom, or when: an approval with the facts that it lacks.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{OperateError, OwnRules, show, when};
use crate::offboarding::event::email_key;
use crate::offboarding::{Actor, OffboardingId, policy};
use crate::store::Store;
use crate::store::completions::Facts;
use crate::store::decisions::Decided;
use crate::store::views::View;

/// RFC 5321's longest path without its brackets.
const EMAIL_CHARS_MAX: usize = 254;

/// What an approver may add.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// The person's e-mail address.
    pub email: Option<String>,
    /// When it takes effect: RFC 3339, or a date or a local time in the policy's zone.
    pub at: Option<String>,
}

impl Completion {
    /// Whether it adds anything.
    pub fn is_empty(&self) -> bool {
        self.email.is_none() && self.at.is_none()
    }
}

/// Adds the facts, releases the offboarding and shows it as it is afterwards.
pub async fn complete(
    store: &Store,
    rules: &OwnRules,
    id: OffboardingId,
    completion: &Completion,
    actor: &Actor,
) -> Result<(Decided, Option<View>), OperateError> {
    let facts = facts(rules, completion)?;
    let decided = store.complete(id, &facts, actor).await?;
    Ok((decided, show(store, id).await?))
}

fn facts(rules: &OwnRules, completion: &Completion) -> Result<Facts, OperateError> {
    let email = completion.email.as_deref().map(|email| when::words("email", email, EMAIL_CHARS_MAX));
    let email = email.transpose()?;
    if email.as_deref().is_some_and(|email| email_key(email).is_none()) {
        return Err(OperateError::field("email", "expected an address in ASCII such as jane@example.com"));
    }
    let at = completion.at.as_deref().map(|at| when::read("at", at)).transpose()?;
    let at = at.map(|effective| {
        policy::effective_moment(&effective, &rules.zone, rules.effective_at)
            .ok_or_else(|| OperateError::field("at", "is no moment in the policy's time zone"))
    });
    Ok(Facts { email, at: at.transpose()? })
}
