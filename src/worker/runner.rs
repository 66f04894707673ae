//! One cohort's way through the plan: look, store what is seen, remove, look again, until nothing is left.

use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::heartbeat::Heartbeat;
use super::judge::{LAG_RECHECK, Left};
use super::measure::{self, Operation};
use super::person::Person;
use super::verdict::{Stop, after_error, another_attempt};
use super::{Engine, Settings};
use crate::genesys::{Error, Genesys, User, UserId};
use crate::offboarding::choices::{Mode, Order};
use crate::offboarding::policy;
use crate::offboarding::{Action, Assignment, Goal, Observation, OffboardingId, Phase, StepName};
use crate::plan::{Look, Step};
use crate::store::Store;
use crate::store::leases::{AttemptCount, Fence, Lease, Release};
use crate::store::progress::{Note, StepMark};

/// Passes of one attempt that find something to remove: the first finds everything, the rest what came in between. With
/// more, somebody assigns faster than we remove, and a person has to find out who.
const PASSES_MAX: usize = 4;

/// Works on the leases of one fence.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) store: Store,
    pub(super) genesys: Genesys,
    pub(super) settings: std::sync::Arc<Settings>,
    pub(super) fence: Fence,
    pub(super) stop: CancellationToken,
}

impl Engine {
    /// Works on a cohort to the end of its attempt and gives every lease back.
    pub(super) async fn work_on(&self, fence: Fence, leases: Vec<Lease>, stop: CancellationToken) {
        let runner = Runner {
            store: self.store.clone(),
            genesys: self.genesys.clone(),
            settings: self.settings.clone(),
            fence,
            stop,
        };
        let _heartbeat = Heartbeat::start(self.store.clone(), runner.fence.clone());
        // Mostly one person; of several the calls are shared, and belong to all of them.
        let work = match leases.as_slice() {
            [alone] => measure::attempt(alone.id),
            several => tracing::info_span!("cohort", people = several.len()),
        };
        let alone = leases.len() == 1;
        let people = leases.into_iter().map(|lease| {
            let order = self.settings.order_for(lease.termination_type.as_deref());
            let span = if alone { work.clone() } else { work.in_scope(|| measure::attempt(lease.id)) };
            Person::new(lease, order, span)
        });
        let (restored, leaving): (Vec<_>, Vec<_>) =
            people.partition(|person: &Person| person.lease.goal == Goal::Restored);
        let whole = async {
            if !restored.is_empty() {
                let plan = self.settings.plan.for_restoring();
                let settings = Settings { plan, ..Settings::clone(&self.settings) };
                let runner = Runner { settings: std::sync::Arc::new(settings), ..runner.clone() };
                runner.restore_all(restored).await;
            }
            runner.offboard(leaving).await;
        };
        whole.instrument(work.clone()).await;
    }
}

impl Runner {
    async fn offboard(&self, mut people: Vec<Person>) {
        for person in &mut people {
            let prepared = match self.still_working() {
                Ok(()) => self.prepare(person).await,
                Err(stop) => Err(stop),
            };
            if let Err(stop) = prepared {
                person.end(stop);
            }
        }
        match self.settings.mode {
            Mode::Live => {}
            Mode::DryRun => return self.preview_all(people).await,
        }
        self.cut_access(&mut people).await;
        self.strip(&mut people).await;
        // Whoever has come to an end does not wait for the others.
        let (live, ended): (Vec<_>, Vec<_>) = people.into_iter().partition(Person::is_live);
        for person in ended {
            self.give_back(person).await;
        }
        for mut person in live {
            let stop = self.close(&mut person).await;
            person.end(stop);
            self.give_back(person).await;
        }
    }

    pub(super) fn stop_for(&self, person: &Person, error: &Error) -> Stop {
        // Mostly the person was deleted meanwhile. The next attempt begins with finding out.
        if let Error::NotFound { .. } = error {
            let (attempt, progress) = (person.lease.attempt, person.progress);
            let at_least = std::time::Duration::ZERO;
            return another_attempt(error.code(), at_least, &self.settings, attempt, progress).into();
        }
        after_error(error, &self.settings, person.lease.attempt, person.progress).into()
    }

    pub(super) fn still_working(&self) -> Result<(), Stop> {
        if self.stop.is_cancelled() { Err(Stop::stopping()) } else { Ok(()) }
    }

    /// A look at these people, which has read nothing yet.
    pub(super) fn look_at<'a>(&'a self, genesys: &'a Genesys, people: &[&Person]) -> Look<'a> {
        let look = Look::new(genesys, self.settings.plan.choices());
        people.iter().fold(look, |look, person| match &person.user {
            Some(user) => look.leaving_as(user.clone(), person.lease.termination_type.as_deref()),
            None => look,
        })
    }

    /// The names of the steps of the first phase.
    pub(super) fn strip_steps(&self) -> Vec<StepName> {
        self.settings.plan.steps(Phase::Strip).map(|step| step.name()).collect()
    }

    /// Passes over the whole cohort until each person was found empty once.
    async fn strip(&self, people: &mut [Person]) {
        for pass in 0..=PASSES_MAX {
            let todo = self.look(people).await;
            if todo.is_empty() {
                return;
            }
            if pass == PASSES_MAX {
                return self.hold_for_returning(&todo, people).await;
            }
            self.remove_all(todo, people).await;
        }
    }

    /// One pass of reading over everybody who is not clean; returns what is to be removed.
    async fn look(&self, people: &mut [Person]) -> Vec<Assignment> {
        if self.stop.is_cancelled() {
            people.iter_mut().filter(|person| !person.clean).for_each(|person| person.end(Stop::stopping()));
        }
        let begun = Instant::now();
        let mut cohort: Vec<&mut Person> = people.iter_mut().filter(|p| p.is_live() && !p.clean).collect();
        let users: Vec<UserId> = cohort.iter().filter_map(|person| person.user.clone()).collect();
        let look = self.look_at(&self.genesys, &cohort.iter().map(|person| &**person).collect::<Vec<_>>());
        for person in &mut cohort {
            if let Some(user) = person.just_read.take() {
                look.take_over(user);
            }
        }
        let seen = self.observe_all(&look, &users).await;
        let mut todo = Vec::new();
        for (person, seen) in cohort.iter_mut().zip(seen) {
            let judged = match seen {
                Ok(seen) => {
                    person.inherited = seen.inherited;
                    self.judge(person, &look, self.strip_steps(), seen.assignments).await
                }
                Err(error) => Err(self.stop_for(person, &error)),
            };
            let open = match judged {
                Ok(Left::Nothing) => Vec::new(),
                Ok(Left::Removable(assignments)) => person.not_refused(assignments),
                Err(stop) => {
                    person.end(stop);
                    continue;
                }
            };
            if open.is_empty() && person.is_live() {
                self.found_empty(person, &look, begun).await;
            }
            todo.extend(open);
        }
        todo
    }

    /// Every kind of assignment of everybody, or the first thing that could not be read.
    async fn observe_all(&self, look: &Look<'_>, users: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen: Vec<Result<Observation, Error>> =
            users.iter().map(|_| Ok(Observation::default())).collect();
        for (user, all) in users.iter().zip(&mut seen) {
            // First, so that whatever changes the user during this pass makes the version that it gives stale.
            if let Err(error) = look.user(user).await {
                *all = Err(error);
            }
        }
        for step in self.settings.plan.steps(Phase::Strip) {
            let begun = Instant::now();
            let observed = step.observe(look, users).await;
            let error = observed.iter().find_map(|observed| observed.as_ref().err());
            if !users.is_empty() {
                measure::step_ended(step.name(), Operation::Look, begun, error);
            }
            for (observed, all) in observed.into_iter().zip(&mut seen) {
                match (observed, all) {
                    (Ok(observed), Ok(all)) => {
                        all.assignments.extend(observed.assignments);
                        all.inherited.extend(observed.inherited);
                    }
                    (Err(error), all @ Ok(_)) => *all = Err(error),
                    (Ok(_) | Err(_), Err(_)) => {}
                }
            }
        }
        seen
    }

    async fn found_empty(&self, person: &mut Person, look: &Look<'_>, begun: Instant) {
        person.clean = true;
        if let Some(id) = &person.user
            && let Ok(user) = look.user(id).await
        {
            person.found_empty = Some((begun, User::clone(&user)));
        }
        let steps = self.settings.plan.steps(Phase::Strip);
        let mark =
            |step: &dyn Step| if person.was_refused(step.name()) { StepMark::Failed } else { StepMark::Done };
        let steps = steps.map(|step| (step.name(), step.phase(), mark(step))).collect();
        let note = verified_empty(format!("complete read 1 of {} found nothing", self.settings.verify_reads));
        if let Err(error) = self.store.mark(&self.fence, person.lease.id, steps, vec![note]).await {
            return person.end(error.into());
        }
        let choice = self.settings.plan.choices().inherited_access;
        if let Err(stop) = person.holds_nothing_inherited(choice) {
            person.end(stop);
        }
    }

    /// Removes what was found, step by step in the plan's order, whoever holds it.
    pub(super) async fn remove_all(&self, mut todo: Vec<Assignment>, people: &mut [Person]) {
        for step in self.settings.plan.all() {
            let (of_step, rest): (Vec<_>, Vec<_>) = todo.into_iter().partition(|a| a.step == step.name());
            todo = rest;
            for batch in step.batches(of_step) {
                let live: Vec<String> = people.iter().filter(|p| p.is_live()).map(Person::user_id).collect();
                let live: Vec<&str> = live.iter().map(String::as_str).collect();
                if let Some(batch) = batch.only(&live) {
                    self.remove(*step, batch, people).await;
                }
            }
        }
    }

    async fn hold_for_returning(&self, todo: &[Assignment], people: &mut [Person]) {
        for assignment in todo {
            for person in people.iter_mut().filter(|p| p.is_live() && p.user_id() == assignment.user) {
                let stop = self.keeps_returning(person, assignment).await;
                person.end(stop);
            }
        }
    }

    pub(super) async fn give_back(&self, person: Person) {
        let (id, span, begun) = (person.lease.id, person.span.clone(), person.begun);
        let stop = person.into_stop();
        measure::attempt_ended(&span, begun, stop.as_ref());
        let release = match stop {
            Some(Stop::Release(release)) => release,
            Some(Stop::LeaseLost) => return tracing::info!(offboarding = %id, "the lease is no longer ours"),
            Some(Stop::StoreAway(error)) => {
                let error = &error as &dyn std::error::Error;
                return tracing::error!(offboarding = %id, error, "the database is away; the lease runs out by itself");
            }
            None => Release::Postponed {
                delay: LAG_RECHECK,
                why: "no end".to_owned(),
                count: AttemptCount::Increase,
            },
        };
        log(id, &release);
        if let Err(error) = self.store.release(&self.fence, id, release).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(offboarding = %id, error, "a lease could not be given back; it runs out by itself");
        }
    }
}

impl Settings {
    /// What goes first for this kind of termination.
    fn order_for(&self, termination_type: Option<&str>) -> Order {
        policy::order_for(self.order, &self.order_by_type, termination_type)
    }
}

/// A complete read found nothing that can be taken away.
pub(super) fn verified_empty(text: String) -> Note {
    Note { action: Action::VerifiedEmpty, step: None, target: None, text: Some(text) }
}

fn log(id: OffboardingId, release: &Release) {
    match release {
        Release::Postponed { delay, why, .. } => {
            tracing::info!(offboarding = %id, seconds = delay.as_secs_f64(), why, "the offboarding goes on later");
        }
        Release::Held(reason, _) => {
            tracing::warn!(offboarding = %id, %reason, "the offboarding is held for a person")
        }
        Release::Failed(reason, ..) => tracing::error!(offboarding = %id, %reason, "the offboarding failed"),
        Release::Done(outcome) => tracing::info!(offboarding = %id, %outcome, "the offboarding is done"),
    }
}
