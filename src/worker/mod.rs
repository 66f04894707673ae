//! The engine: wakes, takes what is due, and works on it until it is told to stop. One cohort's way through the plan is
//! in `runner`; what the rows mean is said by `store` and `offboarding`.

mod change;
mod close;
mod dry_run;
mod heartbeat;
mod judge;
mod measure;
mod person;
mod protected;
mod report;
mod resolve;
mod restore;
mod runner;
mod verdict;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::genesys::Genesys;
use crate::offboarding::choices::{Mode, Order, PersonNotFound, Protected};
use crate::offboarding::policy::BusyPolicy;
use crate::offboarding::{Actor, Zone};
use crate::plan::Plan;
use crate::store::leases::Fence;
use crate::store::progress::BrakeLimits;
use crate::store::{Store, StoreError};

/// The most people of one cohort: bulk calls save the more the larger it is, and everybody in it waits for its slowest.
const COHORT_MAX: usize = 20;

/// How long a worker that is told to stop waits for its running calls: the longest call and its outcome.
const DRAIN_MAX: Duration = Duration::from_secs(18);

/// What the engine needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether anything is changed.
    pub mode: Mode,
    /// Cohorts at the same time.
    pub concurrency: usize,
    /// How long a lease lasts between renewals.
    pub lease: Duration,
    /// The time between two looks where no notification comes.
    pub poll: Duration,
    /// The first wait after a failure, doubled each time, with full jitter.
    pub retry_base: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// Attempts without progress before an offboarding counts as failed.
    pub attempts_max: u32,
    /// Complete empty reads before the account is deactivated.
    pub verify_reads: u32,
    /// What goes first.
    pub order: Order,
    /// What goes first for single termination types.
    pub order_by_type: BTreeMap<String, Order>,
    /// What is carried out.
    pub plan: Plan,
    /// What is done about somebody who works.
    pub busy: BusyPolicy,
    /// Termination types that never wait for an interaction.
    pub immediate_types: Vec<String>,
    /// What happens to people whom nobody is.
    pub not_found: PersonNotFound,
    /// How long after the first look a person counts as not found.
    pub not_found_recheck: Duration,
    /// Who is protected.
    pub protected: Vec<Protected>,
    /// The brake.
    pub brake: BrakeLimits,
    /// The roles of which somebody has to stay.
    pub administrator_roles: Vec<String>,
    /// The zone in which the dates of hire and of termination are compared.
    pub time_zone: Zone,
    /// The authority of external ids, where people are looked up by them first.
    pub external_id_authority: Option<String>,
    /// The same for single sources; empty: their ids are never looked up.
    pub external_id_authority_by_source: BTreeMap<String, String>,
}

/// Works on offboardings. Cheap to clone: replicas of it share everything but their leases.
#[derive(Clone)]
pub struct Engine {
    store: Store,
    genesys: Genesys,
    settings: Arc<Settings>,
    worker: Actor,
}

impl Engine {
    /// Makes an engine whose entries in the journal carry a name of its own.
    pub fn new(store: Store, genesys: Genesys, settings: Settings) -> Self {
        let mut id = Uuid::new_v4().simple().to_string();
        id.truncate(12);
        Self { store, genesys, settings: Arc::new(settings), worker: Actor::Worker(id) }
    }

    /// Works until `stop`, then finishes the running calls, gives the leases back and returns.
    pub async fn run(&self, stop: CancellationToken) {
        let mut cohorts = JoinSet::new();
        let mut listener: Option<PgListener> = None;
        while !stop.is_cancelled() {
            while cohorts.len() < self.settings.concurrency {
                match self.acquire_into(&mut cohorts, &stop).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "no work can be taken");
                        break;
                    }
                }
            }
            if listener.is_none() {
                listener = self.store.listen().await.ok();
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
                lost = woken(&mut listener) => if lost { listener = None },
                Some(_) = cohorts.join_next() => {}
            }
        }
        if tokio::time::timeout(DRAIN_MAX, async { while cohorts.join_next().await.is_some() {} })
            .await
            .is_err()
        {
            tracing::warn!("some work did not end in time; its leases run out by themselves");
        }
    }

    /// Takes what is due once and works on it to its end; returns how many offboardings that were. For tests and for
    /// whoever wants to decide about the rhythm.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let stop = CancellationToken::new();
        let mut cohorts = JoinSet::new();
        let taken = self.acquire_into(&mut cohorts, &stop).await?;
        let mut worked = 0;
        while let Some(count) = cohorts.join_next().await {
            worked += count?;
        }
        Ok(if taken { worked } else { 0 })
    }

    /// Takes one cohort and starts its work; false where nothing is due.
    async fn acquire_into(
        &self,
        cohorts: &mut JoinSet<usize>,
        stop: &CancellationToken,
    ) -> Result<bool, StoreError> {
        let fence = Fence { token: Uuid::new_v4(), lease: self.settings.lease, worker: self.worker.clone() };
        let limit = cohort_size(self.store.due().await?, self.settings.concurrency);
        let leases = self.store.acquire(&fence, limit).await?;
        if leases.is_empty() {
            return Ok(false);
        }
        measure::taken(&leases);
        let (engine, stop) = (self.clone(), stop.clone());
        cohorts.spawn(async move {
            let count = leases.len();
            engine.work_on(fence, leases, stop).await;
            count
        });
        Ok(true)
    }
}

/// One person at a time as long as there are as many workers as people; the larger the backlog, the larger the cohort.
fn cohort_size(due: u64, concurrency: usize) -> u32 {
    let due = usize::try_from(due).unwrap_or(usize::MAX);
    let size = due.div_ceil(concurrency.max(1)).clamp(1, COHORT_MAX);
    u32::try_from(size).unwrap_or(1)
}

/// Waits for a notification; true where the connection is lost and has to be made anew. Never ends without a listener.
async fn woken(listener: &mut Option<PgListener>) -> bool {
    match listener {
        Some(listener) => listener.recv().await.is_err(),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_leaver_is_a_cohort_of_one_and_a_layoff_shares_calls() {
        assert_eq!(cohort_size(0, 8), 1);
        assert_eq!(cohort_size(8, 8), 1);
        assert_eq!(cohort_size(60, 8), 8);
        assert_eq!(cohort_size(5_000, 8), 20);
    }
}
