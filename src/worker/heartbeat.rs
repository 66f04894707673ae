//! Keeps a cohort's leases alive while it is worked on; stops with it.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::store::Store;
use crate::store::leases::Fence;

/// How often a lease is renewed within its length: one renewal may fail without the lease being lost.
const RENEWALS_PER_LEASE: u32 = 3;

/// The longest that one attempt may take: a cohort that hangs for a reason nobody foresaw gives its leases up.
const ATTEMPT_MAX: Duration = Duration::from_secs(30 * 60);

/// Renews until it is dropped.
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    pub(super) fn start(store: Store, fence: Fence) -> Self {
        Self(tokio::spawn(async move {
            let pause = fence.lease / RENEWALS_PER_LEASE;
            let started = tokio::time::Instant::now();
            while started.elapsed() < ATTEMPT_MAX {
                tokio::time::sleep(pause).await;
                // A failure is no reason to stop trying: the next changing call asks the fence anyway.
                if let Err(error) = store.renew(&fence).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be renewed");
                }
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}
