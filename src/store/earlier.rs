//! Whether a user of Genesys Cloud has an offboarding already.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, in_transaction, word};
use crate::offboarding::{Goal, OffboardingId, Reason, Status};

/// Who is asked about: a user, and what an offboarding that has not found its user yet may know them by.
#[derive(Clone, Debug)]
pub struct About {
    /// The Genesys user's id.
    pub user: String,
    /// The user's address, as addresses are compared.
    pub email_key: Option<String>,
    /// The source and its id of the person.
    pub external_id: Option<(String, String)>,
}

/// An offboarding of a user, the open one where there is one, else the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Which.
    pub id: OffboardingId,
    /// Where it stands.
    pub status: Status,
    /// Why it is held, failed or cancelled.
    pub reason: Option<Reason>,
    /// What is worked towards.
    pub goal: Goal,
    /// When it takes effect.
    pub effective_at: DateTime<Utc>,
}

impl Store {
    /// The offboarding of this user.
    pub async fn offboarding_about(&self, about: &About) -> Result<Option<Earlier>, StoreError> {
        let about = about.clone();
        in_transaction(&self.operators, move |tx| {
            let (source, external_id) = about.external_id.clone().unzip();
            let (user, email_key) = (about.user.clone(), about.email_key.clone());
            Box::pin(async move {
                let row = sqlx::query!(
                    // offboarding_about
                    "select id, status, reason, goal, effective_at from offboardings
                     where genesys_user_id = $1 or (genesys_user_id is null
                         and (email_key = $2 or (source = $3 and external_id = $4)))
                     order by status in ('scheduled', 'held') desc, id desc limit 1",
                    user,
                    email_key,
                    source,
                    external_id,
                )
                .fetch_optional(&mut **tx)
                .await?;
                let Some(row) = row else { return Ok(None) };
                Ok(Some(Earlier {
                    id: OffboardingId(row.id),
                    status: word(&row.status, "offboardings.status")?,
                    reason: row.reason.map(|r| word(&r, "offboardings.reason")).transpose()?,
                    goal: word(&row.goal, "offboardings.goal")?,
                    effective_at: row.effective_at,
                }))
            })
        })
        .await
    }
}
