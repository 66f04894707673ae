//! Who of several users is leaving as well: nobody counts on somebody to stay whom another replica takes out.

use super::{Store, StoreError, in_transaction};
use crate::offboarding::OffboardingId;

impl Store {
    /// Those of these users about whom another offboarding is open that is due or has begun to change them, and those who
    /// were changed within a day, whom Genesys Cloud may still show as they were.
    ///
    /// A worker stores whom its offboarding is about before it asks this. Of two who ask about each other at least one sees
    /// the other, whatever replica they are on.
    pub async fn leaving_among(
        &self,
        id: OffboardingId,
        users: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        in_transaction(&self.worker, move |tx| {
            let users = users.clone();
            Box::pin(async move {
                let leaving = sqlx::query_scalar!(
                    // leaving_among
                    r#"select o.genesys_user_id as "user!" from offboardings o
                       where o.genesys_user_id = any($2) and o.id <> $1 and o.goal = 'offboarded'
                         and o.status in ('scheduled', 'held')
                         and (o.effective_at <= now() or o.changes_began_at is not null)
                       union
                       select c.genesys_user_id from changed_people c join offboardings o on o.id = c.offboarding_id
                       where c.changed_at > now() - interval '1 day' and c.genesys_user_id = any($2)
                         and o.id <> $1 and o.goal = 'offboarded'"#,
                    id.0,
                    &users,
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(leaving)
            })
        })
        .await
    }
}
