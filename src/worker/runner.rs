//! One cohort's way through the plan: look, store what is seen, remove, look again, until nothing is left.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::heartbeat::Heartbeat;
use super::verdict::{Progress, Stop, after_error, another_attempt, wait};
use super::{Engine, Settings};
use crate::genesys::{Error, Genesys, UserId};
use crate::offboarding::choices::Order;
use crate::offboarding::{
    Action, Assignment, Inherited, Observation, OffboardingId, Phase, Reason, StepName,
};
use crate::plan::{self, PLAN};
use crate::store::Store;
use crate::store::leases::{AttemptCount, Fence, Lease, Release};
use crate::store::progress::Seen;

/// Passes of one attempt that find something to remove: the first finds everything, the rest what came in between. With
/// more, somebody assigns faster than we remove, and a person has to find out who.
const PASSES_MAX: usize = 4;

/// How long a read may still show what was removed: Genesys Cloud's queue members take about ten seconds. Until then a
/// removed assignment that is still shown is neither removed again nor taken for gone.
pub(super) const LAG_WINDOW: TimeDelta = TimeDelta::seconds(15);

/// When a lagging read is repeated.
const LAG_RECHECK: Duration = Duration::from_secs(3);

/// How often the same assignment is taken away again before a person has to find out who keeps assigning it.
const RETURNS_MAX: u32 = 3;

/// One person of a cohort and how far they are.
pub(super) struct Person {
    pub(super) lease: Lease,
    pub(super) user: Option<UserId>,
    pub(super) progress: Progress,
    /// A whole pass found nothing.
    pub(super) clean: bool,
    pub(super) inherited: Vec<Inherited>,
    /// What Genesys Cloud refused for good in this attempt; the rest is stripped all the same.
    pub(super) refused: Vec<(StepName, String)>,
    /// How the attempt ends because of the first such refusal.
    pub(super) blocked: Option<Release>,
    stop: Option<Stop>,
}

impl Person {
    fn new(lease: Lease) -> Self {
        Self {
            lease,
            user: None,
            progress: Progress::None,
            clean: false,
            inherited: Vec::new(),
            refused: Vec::new(),
            blocked: None,
            stop: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stop.is_none()
    }

    /// Fails where something comes through a group, unless an approver has accepted that it stays.
    pub(super) fn holds_nothing_inherited(&self) -> Result<(), Stop> {
        if self.inherited.is_empty() || self.lease.approved.contains(&Reason::InheritedAccess) {
            return Ok(());
        }
        let names: Vec<_> =
            self.inherited.iter().map(|i| format!("{} through {}", i.target, i.via)).collect();
        Err(Release::Held(Reason::InheritedAccess, Some(names.join(", "))).into())
    }

    /// What may still be tried; ends the person where everything that is left was refused for good.
    fn not_refused(&mut self, found: Vec<Assignment>) -> Vec<Assignment> {
        let refused =
            |a: &Assignment| self.refused.iter().any(|(step, target)| *step == a.step && *target == a.target);
        let open: Vec<_> = found.into_iter().filter(|assignment| !refused(assignment)).collect();
        if open.is_empty()
            && let Some(release) = self.blocked.take()
        {
            self.end(release.into());
        }
        open
    }

    pub(super) fn end(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }

    /// Why the work on the person ended.
    pub(super) fn take_stop(&mut self) -> Stop {
        self.stop.take().unwrap_or(Stop::LeaseLost)
    }

    /// The Genesys user's id, or nothing before the person is resolved.
    pub(super) fn user_id(&self) -> String {
        self.user.as_ref().map(UserId::to_string).unwrap_or_default()
    }
}

/// Works on the leases of one fence.
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
        let mut people: Vec<Person> = leases.into_iter().map(Person::new).collect();
        for person in &mut people {
            let prepared = match runner.still_working() {
                Ok(()) => runner.prepare(person).await,
                Err(stop) => Err(stop),
            };
            if let Err(stop) = prepared {
                person.end(stop);
            }
        }
        if runner.settings.order == Order::AccessFirst {
            runner.cut_access(&mut people).await;
        }
        runner.strip(&mut people).await;
        // Whoever has come to an end does not wait for the others.
        let (live, ended): (Vec<_>, Vec<_>) = people.into_iter().partition(Person::is_live);
        for person in ended {
            runner.give_back(person).await;
        }
        for mut person in live {
            let stop = runner.close(&mut person).await;
            person.end(stop);
            runner.give_back(person).await;
        }
    }
}

impl Runner {
    pub(super) fn stop_for(&self, person: &Person, error: &Error) -> Stop {
        // Mostly the person was deleted meanwhile. The next attempt begins with finding out.
        if let Error::NotFound { .. } = error {
            let (attempt, progress) = (person.lease.attempt, person.progress);
            return another_attempt(error.code(), Duration::ZERO, &self.settings, attempt, progress).into();
        }
        after_error(error, &self.settings, person.lease.attempt, person.progress).into()
    }

    pub(super) fn still_working(&self) -> Result<(), Stop> {
        if self.stop.is_cancelled() { Err(wait(Duration::ZERO, "the worker is stopping")) } else { Ok(()) }
    }

    /// Passes over the whole cohort until each person was found empty once.
    async fn strip(&self, people: &mut [Person]) {
        for pass in 0..=PASSES_MAX {
            let todo = self.look(people).await;
            if todo.is_empty() {
                return;
            }
            if pass == PASSES_MAX {
                return hold_for_returning(&todo, people);
            }
            self.remove_all(todo, people).await;
        }
    }

    /// One pass of reading over everybody who is not clean; returns what is to be removed.
    async fn look(&self, people: &mut [Person]) -> Vec<Assignment> {
        if self.stop.is_cancelled() {
            people.iter_mut().filter(|person| !person.clean).for_each(|person| person.end(Stop::stopping()));
        }
        let mut todo = Vec::new();
        let mut cohort: Vec<&mut Person> = people.iter_mut().filter(|p| p.is_live() && !p.clean).collect();
        let users: Vec<UserId> = cohort.iter().filter_map(|person| person.user.clone()).collect();
        let mut seen: Vec<Result<Observation, Error>> =
            users.iter().map(|_| Ok(Observation::default())).collect();
        for step in plan::steps(Phase::Strip) {
            for (observed, all) in step.observe(&self.genesys, &users).await.into_iter().zip(&mut seen) {
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
        for (person, seen) in cohort.iter_mut().zip(seen) {
            let judged = match seen {
                Ok(seen) => {
                    person.inherited = seen.inherited;
                    self.judge(person.lease.id, seen.assignments).await
                }
                Err(error) => Err(self.stop_for(person, &error)),
            };
            match judged {
                Ok(Left::Nothing) => self.found_empty(person).await,
                Ok(Left::Removable(assignments)) => todo.extend(person.not_refused(assignments)),
                Err(stop) => person.end(stop),
            }
        }
        todo
    }

    /// Stores what is new and decides what of it is removed now.
    pub(super) async fn judge(&self, id: OffboardingId, seen: Vec<Assignment>) -> Result<Left, Stop> {
        if seen.is_empty() {
            return Ok(Left::Nothing);
        }
        let known = self.store.remember(&self.fence, id, seen.clone()).await?;
        let removable = removable(seen, &known)?;
        if removable.is_empty() {
            Err(wait(LAG_RECHECK, "a removal does not show yet"))
        } else {
            Ok(Left::Removable(removable))
        }
    }

    async fn found_empty(&self, person: &mut Person) {
        person.clean = true;
        let steps = plan::steps(Phase::Strip).map(|step| (step.name(), step.phase(), "done")).collect();
        let note = (Action::VerifiedEmpty, "a complete read found nothing".to_owned());
        if let Err(error) = self.store.mark(&self.fence, person.lease.id, steps, Some(note)).await {
            return person.end(error.into());
        }
        if let Err(stop) = person.holds_nothing_inherited() {
            person.end(stop);
        }
    }

    /// Removes what was found, step by step in the plan's order, whoever holds it.
    pub(super) async fn remove_all(&self, mut todo: Vec<Assignment>, people: &mut [Person]) {
        for step in PLAN {
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

    async fn give_back(&self, person: Person) {
        let id = person.lease.id;
        let release = match person.stop {
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

/// What one look left to do.
pub(super) enum Left {
    /// The person holds nothing.
    Nothing,
    /// These are removed now.
    Removable(Vec<Assignment>),
}

fn hold_for_returning(todo: &[Assignment], people: &mut [Person]) {
    for assignment in todo {
        let what = format!("{} {}", assignment.step, assignment.target);
        let holder =
            people.iter_mut().filter(|person| person.is_live() && person.user_id() == assignment.user);
        holder
            .for_each(|person| person.end(Release::Held(Reason::KeepsReturning, Some(what.clone())).into()));
    }
}

/// Leaves out what was removed a moment ago and is still shown; fails where something keeps coming back.
fn removable(
    seen: Vec<Assignment>,
    known: &HashMap<(String, String), Seen>,
) -> Result<Vec<Assignment>, Stop> {
    let mut removable = Vec::new();
    for assignment in seen {
        let key = (assignment.step.to_owned(), assignment.target.clone());
        let lagging = match known.get(&key) {
            Some(Seen { removed: Some(_), removals }) if *removals > RETURNS_MAX => {
                let what = format!("{} {}", assignment.step, assignment.target);
                return Err(Release::Held(Reason::KeepsReturning, Some(what)).into());
            }
            Some(Seen { removed: Some((at, now)), .. }) => *now - *at < LAG_WINDOW,
            Some(Seen { removed: None, .. }) | None => false,
        };
        if !lagging {
            removable.push(assignment);
        }
    }
    Ok(removable)
}

fn log(id: OffboardingId, release: &Release) {
    match release {
        Release::Postponed { delay, why, .. } => {
            tracing::info!(offboarding = %id, seconds = delay.as_secs_f64(), why, "the offboarding goes on later");
        }
        Release::Held(reason, _) => {
            tracing::warn!(offboarding = %id, %reason, "the offboarding is held for a person")
        }
        Release::Failed(reason, _) => tracing::error!(offboarding = %id, %reason, "the offboarding failed"),
        Release::Done(outcome) => tracing::info!(offboarding = %id, %outcome, "the offboarding is done"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn queue(target: &str) -> Assignment {
        Assignment {
            user: "u".to_owned(),
            step: "strip.queue_memberships",
            target: target.to_owned(),
            detail: serde_json::Value::Null,
        }
    }

    fn removed(seconds_ago: i64, removals: u32) -> HashMap<(String, String), Seen> {
        let now = Utc::now();
        let seen = Seen { removed: Some((now - TimeDelta::seconds(seconds_ago), now)), removals };
        HashMap::from([(("strip.queue_memberships".to_owned(), "q".to_owned()), seen)])
    }

    #[test]
    fn a_removal_that_does_not_show_yet_is_not_repeated_and_not_taken_for_gone() {
        let left = removable(vec![queue("q"), queue("other")], &removed(5, 1)).unwrap();
        assert_eq!(left, [queue("other")]);
        assert_eq!(removable(vec![queue("q")], &removed(16, 1)).unwrap(), [queue("q")]);
    }

    #[test]
    fn what_keeps_returning_is_held() {
        assert!(removable(vec![queue("q")], &removed(60, RETURNS_MAX)).is_ok());
        let stop = removable(vec![queue("q")], &removed(60, RETURNS_MAX + 1));
        assert!(matches!(stop, Err(Stop::Release(Release::Held(Reason::KeepsReturning, Some(_))))));
    }
}
