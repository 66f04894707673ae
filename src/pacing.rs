//! Joins the client's pacing to the budget in the database, which all replicas share.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::genesys::{Notice, Pacer, PacerError, Permits};
use crate::store::Store;

/// How long permits are good: long enough for a whole verification read, short enough to cost little of the minute.
const PERMIT_GOOD_FOR: Duration = Duration::from_secs(5);

/// The process is stopping; no new calls begin.
#[derive(Debug, thiserror::Error)]
#[error("the process is stopping")]
struct Stopping;

/// Reserves calls in the database.
#[derive(Debug)]
pub struct SharedPacer {
    store: Store,
    limit_per_minute: u32,
    stop: CancellationToken,
}

impl SharedPacer {
    /// Paces by the configured limit or a lower announced one, and grants nothing more once `stop` is cancelled.
    pub fn new(store: Store, limit_per_minute: u32, stop: CancellationToken) -> Self {
        Self { store, limit_per_minute, stop }
    }
}

#[async_trait]
impl Pacer for SharedPacer {
    async fn reserve(&self, calls: u32) -> Result<Permits, PacerError> {
        while !self.stop.is_cancelled() {
            // Before the question, so that a slow answer shortens the permits instead of stretching them beyond what
            // the database counts.
            let asked_at = Instant::now();
            let reserved = self.store.reserve_calls(calls, self.limit_per_minute, PERMIT_GOOD_FOR).await;
            let reserved = reserved.map_err(PacerError::new)?;
            let starts_at = Instant::now() + reserved.starts_in;
            if !reserved.starts_in.is_zero() {
                let pause = tokio::time::sleep_until(starts_at.into());
                tokio::select! { () = pause => {} () = self.stop.cancelled() => break }
                // Another replica may have been told to wait in the meantime.
                if !self.store.calls_blocked_for().await.map_err(PacerError::new)?.is_zero() {
                    continue;
                }
            }
            return Ok(Permits {
                calls: reserved.calls,
                valid_until: asked_at + reserved.starts_in + PERMIT_GOOD_FOR,
            });
        }
        Err(PacerError::new(Stopping))
    }

    async fn pause(&self) -> Result<Duration, PacerError> {
        self.store.calls_blocked_for().await.map_err(PacerError::new)
    }

    async fn announced(&self, notice: Notice) {
        let written = match notice {
            Notice::AllowedPerMinute(allowed) => self.store.announce_limit(allowed).await,
            Notice::Throttled(wait) => {
                metrics::counter!("leaver_genesys_throttled_total").increment(1);
                self.store.block_calls(wait).await
            }
        };
        if let Err(error) = written {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an announced limit could not be shared"
            );
        }
    }
}
