//! Since when something is waited for, and until when: nobody who matches, work that has not ended. By the database's clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::leases::Fence;
use super::progress::{Note, still_ours, write};
use super::{Store, StoreError, in_transaction};
use crate::offboarding::OffboardingId;

/// How long somebody's work has been waited for, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    /// Since the first look that found them at work.
    pub so_far: Duration,
    /// Until the shift and its grace are over, where that is known; zero once they are.
    pub until: Option<Duration>,
    /// Whether the shift was looked up for this waiting.
    pub shift_read: bool,
}

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

    /// Notes that the person works, keeping the time of the first such look. `None` where the lease is no longer ours.
    pub async fn busy(&self, fence: &Fence, id: OffboardingId) -> Result<Option<Busy>, StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                let row = sqlx::query!(
                    // busy
                    r#"update offboardings set busy_at = coalesce(busy_at, now())
                       where id = $1 and lease_token = $2
                       returning extract(epoch from now() - busy_at)::float8 as "so_far!",
                           extract(epoch from busy_until - now())::float8 as until,
                           shift_read_at is not null as "shift_read!""#,
                    id.0,
                    token,
                )
                .fetch_optional(&mut **tx)
                .await?;
                let seconds = |seconds: f64| Duration::from_secs_f64(seconds.max(0.0));
                Ok(row.map(|row| Busy {
                    so_far: seconds(row.so_far),
                    until: row.until.map(seconds),
                    shift_read: row.shift_read,
                }))
            })
        })
        .await
    }

    /// Notes until when the shift lets the person be waited for, where that is known, and says so in the journal. It is
    /// not looked up again while the same work is waited for.
    pub async fn shift_read(
        &self,
        fence: &Fence,
        id: OffboardingId,
        until: Option<DateTime<Utc>>,
        note: Note,
    ) -> Result<(), StoreError> {
        let fence = fence.clone();
        in_transaction(&self.worker, move |tx| {
            let (fence, note) = (fence.clone(), note.clone());
            Box::pin(async move {
                still_ours(tx, &fence, id).await?;
                sqlx::query!(
                    // shift_read
                    "update offboardings set shift_read_at = now(), busy_until = $2 where id = $1",
                    id.0,
                    until,
                )
                .execute(&mut **tx)
                .await?;
                write(tx, &fence, id, &[note]).await
            })
        })
        .await
    }

    /// Notes that the person need not be taken off queue any more: it is done, or will never be.
    pub async fn off_queue(&self, fence: &Fence, id: OffboardingId) -> Result<(), StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // off_queue
                    "update offboardings set off_queue_at = now()
                     where id = $1 and lease_token = $2 and off_queue_at is null",
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

    /// Notes that the person does not work: later work is waited for from its own beginning.
    pub async fn free(&self, fence: &Fence, id: OffboardingId) -> Result<(), StoreError> {
        let token = fence.token;
        in_transaction(&self.worker, move |tx| {
            Box::pin(async move {
                sqlx::query!(
                    // free
                    "update offboardings set busy_at = null, busy_until = null, shift_read_at = null
                     where id = $1 and lease_token = $2 and (busy_at is not null or shift_read_at is not null)",
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
