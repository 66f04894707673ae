//! Since when something is waited for: nobody who matches, an interaction that has not ended. By the database's clock.

use std::time::Duration;

use super::leases::Fence;
use super::{Store, StoreError, in_transaction};
use crate::offboarding::OffboardingId;

impl Store {
    /// Notes that nobody matched, keeping the time of the first such look; says how long ago that was. `None` where the
    /// lease is no longer ours.
    pub async fn not_found(&self, fence: &Fence, id: OffboardingId) -> Result<Option<Duration>, StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                let since = sqlx::query_scalar!(
                    // not_found
                    r#"update offboardings set not_found_at = coalesce(not_found_at, now())
                       where id = $1 and lease_token = $2
                       returning extract(epoch from now() - not_found_at)::float8 as "seconds!""#,
                    id.0,
                    token,
                )
                .fetch_optional(&mut **tx)
                .await?;
                Ok(since.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
            })
        })
        .await
    }

    /// Notes that the person is in an interaction, keeping the time of the first such look; says how long ago that was.
    /// `None` where the lease is no longer ours.
    pub async fn busy(&self, fence: &Fence, id: OffboardingId) -> Result<Option<Duration>, StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                let since = sqlx::query_scalar!(
                    // busy
                    r#"update offboardings set busy_at = coalesce(busy_at, now())
                       where id = $1 and lease_token = $2
                       returning extract(epoch from now() - busy_at)::float8 as "seconds!""#,
                    id.0,
                    token,
                )
                .fetch_optional(&mut **tx)
                .await?;
                Ok(since.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
            })
        })
        .await
    }

    /// Notes that the person is in no interaction: a later one is waited for from its own beginning.
    pub async fn free(&self, fence: &Fence, id: OffboardingId) -> Result<(), StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // free
                    "update offboardings set busy_at = null
                     where id = $1 and lease_token = $2 and busy_at is not null",
                    id.0,
                    token,
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
    }
}
