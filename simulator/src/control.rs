//! What a test or the demo holds in its hand: true state, rules, journal, faults and hooks of a running simulator.
//! Serving requests is left to `server` and `exchange`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::credentials::Credentials;
use crate::faults::{Fault, FaultId, Faults, Hook};
use crate::journal::{Entry, Intent, Journal, RequestInfo};
use crate::limiter::Limiter;
use crate::organisation::{Clock, Organisation, PersonState};
use crate::rules::{Kind, Lag, Options, Rules};

/// Everything behind the one lock.
pub(crate) struct World {
    pub(crate) organisation: Organisation,
    pub(crate) rules: Rules,
    pub(crate) credentials: Credentials,
    pub(crate) limiter: Limiter,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) violations: Vec<String>,
    advanced: Duration,
}

impl World {
    fn new(options: &Options) -> Self {
        let mut organisation = Organisation::new(options.seed);
        organisation.client.clone_from(&options.client_id);
        Self {
            organisation,
            rules: options.rules.clone(),
            credentials: Credentials::new(&options.client_id, &options.client_secret),
            limiter: Limiter::default(),
            journal: Journal::default(),
            faults: Faults::default(),
            hooks: Vec::new(),
            violations: Vec::new(),
            advanced: Duration::ZERO,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.advanced
    }

    pub(crate) fn wall_clock(&self) -> DateTime<Utc> {
        Utc::now() + self.advanced
    }

    /// Gives the organisation at the present time and under the present rules.
    pub(crate) fn present_organisation(&mut self) -> &mut Organisation {
        let clock = Clock { now: self.now(), wall: self.wall_clock() };
        self.organisation.tick(clock, &self.rules);
        &mut self.organisation
    }
}

/// A handle on a running simulator that can be cloned into hooks and threads; it doesn't keep the server alive.
#[derive(Clone)]
pub struct Control(Arc<Mutex<World>>);

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(options: &Options) -> Self {
        Self(Arc::new(Mutex::new(World::new(options))))
    }

    /// Locks the world. Never held over an await, and never while a hook runs: hooks come back here.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A test that panics in its closure must not hide its message behind a poisoned lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the true state of the organisation; changes are visible at once.
    /// The closure must not call the simulator: it runs under its lock.
    pub fn organisation<R>(&self, with: impl FnOnce(&mut Organisation) -> R) -> R {
        with(self.world().present_organisation())
    }

    /// Gives everything true about a person.
    #[must_use]
    pub fn person(&self, id: &str) -> Option<PersonState> {
        self.world().organisation.person(id)
    }

    /// Gives everything true about everybody, by id; compare two of these to see who was touched.
    #[must_use]
    pub fn everybody(&self) -> BTreeMap<String, PersonState> {
        let world = self.world();
        let people = world.organisation.people().into_iter();
        people.filter_map(|id| world.organisation.person(&id).map(|person| (id, person))).collect()
    }

    /// Changes the rules from the next request on.
    pub fn rules<R>(&self, with: impl FnOnce(&mut Rules) -> R) -> R {
        with(&mut self.world().rules)
    }

    /// Sets how late writes of a kind become visible, from the next write on.
    pub fn set_lag(&self, kind: Kind, lag: Lag) {
        self.world().rules.lags.insert(kind, lag);
    }

    /// Takes a permission away from the OAuth client.
    pub fn withhold_permission(&self, permission: &str) {
        self.world().rules.withheld_permissions.insert(permission.to_owned());
    }

    /// Moves the simulator's clock on: tokens, rate windows and lags by duration see it.
    pub fn advance(&self, by: Duration) {
        self.world().advanced += by;
    }

    /// Ends every access token given to the client so far.
    pub fn expire_client_tokens(&self) {
        self.world().credentials.expire_all();
    }

    /// Gives every request so far, in the order of arrival (the newest 500,000).
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.world().journal.entries().cloned().collect()
    }

    /// Gives every request so far that was meant to change something.
    #[must_use]
    pub fn changing(&self) -> Vec<Entry> {
        let world = self.world();
        world.journal.entries().filter(|entry| entry.request.intent == Intent::Changes).cloned().collect()
    }

    /// Gives what broke the published definition so far; empty for a client that keeps to it.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    /// Adds a failure to come.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.world().faults.inject(fault)
    }

    /// Tells how often a fault has struck.
    #[must_use]
    pub fn struck(&self, fault: FaultId) -> u32 {
        self.world().faults.struck(fault)
    }

    /// Ends all faults and hooks.
    pub fn clear_faults(&self) {
        let hooks = {
            let mut world = self.world();
            world.faults.end_all();
            std::mem::take(&mut world.hooks)
        };
        // Outside the lock: what a hook captured may come back here when it is dropped.
        drop(hooks);
    }

    /// Runs a hook on every request from now on, before its faults and its effect.
    pub fn on_request(&self, hook: impl Fn(&RequestInfo) + Send + Sync + 'static) {
        self.world().hooks.push(Arc::new(hook));
    }
}
