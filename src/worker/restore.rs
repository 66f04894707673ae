//! Putting back what was taken away, in the reverse order of the plan. Like the way there it is repeated until a read shows
//! everything, so that a crash or a second attempt is harmless; what can't come back is said and passed over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::change::{failure, token_refused};
use super::judge::LAG_RECHECK;
use super::person::Person;
use super::runner::Runner;
use super::verdict::{Progress, Stop, after_error, another_attempt, wait};
use crate::genesys::{CallFailed, Done, Error, UserId, UserState};
use crate::offboarding::{Assignment, Observation, Outcome, Reason};
use crate::plan::{Look, PutBack, PutBacks, Return, Step};
use crate::store::leases::Release;
use crate::store::progress::{CallResult, Change, Intention, Permission, Proves, StepMark};
use crate::store::snapshot::Stored;

/// Passes of one attempt: the account, then what needs it, then how it was, and a last one that sees everything there.
const PASSES_MAX: usize = 6;

/// How long a read may not yet show what was put back.
const LAG_WINDOW: TimeDelta = TimeDelta::seconds(15);

/// How often something is put back that doesn't stay.
const RESTORES_MAX: u32 = 6;

/// After so many attempts a thing that is said not to exist is not only unknown to a cache. Genesys Cloud's authorization
/// answers 404 for a moment after an account became active.
const MISSING_TRIES: u32 = 3;

/// How often a call whose token was refused is begun again.
const TOKEN_TRIES: u32 = 2;

/// What a pass over one step left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    Whole,
    Changed,
    Lagging,
}

/// What a pass over one step left, and how the attempt ends because of what was refused for good.
struct OfStep {
    passed: Passed,
    refused: Option<Release>,
}

impl OfStep {
    fn refused(release: Release) -> Self {
        Self { passed: Passed::Whole, refused: Some(release) }
    }
}

impl Release {
    /// Whether a person has to look: then what else there is to be put back does not wait for them.
    fn is_for_good(&self) -> bool {
        match self {
            Self::Failed(..) | Self::Held(..) => true,
            Self::Postponed { .. } | Self::Done(_) => false,
        }
    }
}

impl Runner {
    /// Puts everything back that can be; returns how the attempt ends.
    pub(super) async fn restore(&self, person: &mut Person) -> Stop {
        match self.restoring(person).await {
            Ok(()) => Release::Done(Outcome::Restored).into(),
            // Nobody has to decide anything: a restore that can't go on has failed, and is retried by whoever asked for it.
            Err(Stop::Release(Release::Held(reason, detail))) => Release::Failed(reason, detail).into(),
            Err(stop) => stop,
        }
    }

    async fn restoring(&self, person: &mut Person) -> Result<(), Stop> {
        let user = self.living_user(person).await?;
        person.user = Some(user.clone());
        self.say_what_is_lost(person).await?;
        let mut refused = None;
        for _ in 0..PASSES_MAX {
            let (passed, newly_refused) = self.restore_pass(person, &user).await?;
            refused = refused.or(newly_refused);
            match (passed, &refused) {
                (Passed::Changed, _) => {}
                (Passed::Lagging, _) => return Err(wait(LAG_RECHECK, "what was put back does not show yet")),
                (Passed::Whole, None) => return Ok(()),
                (Passed::Whole, Some(_)) => break,
            }
        }
        Err(refused.unwrap_or_else(|| wait(LAG_RECHECK, "more is to be put back")))
    }

    async fn living_user(&self, person: &Person) -> Result<UserId, Stop> {
        let gone = || Release::Failed(Reason::PersonNotFound, Some("the user no longer exists".to_owned()));
        let id = person.lease.genesys_user_id.as_deref().and_then(|id| id.parse().ok());
        let id: UserId = id.ok_or_else(gone)?;
        match self.genesys.user(&id).await.map_err(|error| self.stop_for(person, &error))? {
            Some(user) if user.state != UserState::Deleted => Ok(user.id),
            Some(_) | None => Err(gone().into()),
        }
    }

    /// Says once of each step what of it does not come back.
    async fn say_what_is_lost(&self, person: &Person) -> Result<(), Stop> {
        let stored = self.store.taken_away(person.lease.id).await?;
        for step in self.settings.plan.all() {
            let why = match step.comes_back() {
                Return::Whole => continue,
                // A part of each thing; the things themselves are put back.
                Return::Except(_) => continue,
                Return::Never(why) => why,
            };
            let of_step = stored.iter().filter(|one| one.step == step.name() && one.lost.is_none());
            let targets: Vec<_> = of_step.map(|one| one.target.clone()).collect();
            if !targets.is_empty() {
                self.store.lost(&self.fence, person.lease.id, step.name(), targets, why).await?;
            }
        }
        Ok(())
    }

    /// One pass over the plan, backwards. What was refused for good is left for the end; the rest is put back all the same.
    async fn restore_pass(&self, person: &mut Person, user: &UserId) -> Result<(Passed, Option<Stop>), Stop> {
        let stored = self.store.taken_away(person.lease.id).await?;
        let look = self.look_at(&self.genesys, &[&*person]);
        let (mut passed, mut refused) = (Passed::Whole, None);
        for step in self.settings.plan.all().iter().rev() {
            self.still_working()?;
            let wanted: Vec<&Stored> = stored
                .iter()
                .filter(|one| one.step == step.name() && one.lost.is_none())
                .filter(|one| step.held_through(&one.detail).is_none())
                .collect();
            if wanted.is_empty() {
                self.mark(person, *step, StepMark::Skipped).await?;
                continue;
            }
            let of_step = match self.restore_step(person, *step, &look, user, &wanted).await {
                Err(Stop::Release(release)) if release.is_for_good() => OfStep::refused(release),
                of_step => of_step?,
            };
            match (of_step.passed, &of_step.refused) {
                (_, Some(_)) => self.mark(person, *step, StepMark::Failed).await?,
                (Passed::Whole, None) => self.mark(person, *step, StepMark::PutBack).await?,
                (Passed::Changed | Passed::Lagging, None) => {}
            }
            match of_step.passed {
                Passed::Whole => {}
                Passed::Lagging if passed == Passed::Changed => {}
                Passed::Changed | Passed::Lagging => passed = of_step.passed,
            }
            refused = refused.or(of_step.refused.map(Stop::from));
        }
        Ok((passed, refused))
    }

    async fn mark(&self, person: &Person, step: &dyn Step, mark: StepMark) -> Result<(), Stop> {
        let marks = vec![(step.name(), step.phase(), mark)];
        Ok(self.store.mark(&self.fence, person.lease.id, marks, Vec::new()).await?)
    }

    async fn restore_step(
        &self,
        person: &mut Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        user: &UserId,
        wanted: &[&Stored],
    ) -> Result<OfStep, Stop> {
        let mut present = self.present(person, step, look, user).await?;
        present.retain(|one| wanted.iter().any(|stored| stored.target == one.target));
        step.inspect(look, &mut present).await.map_err(|error| self.stop_for(person, &error))?;
        let (mut missing, mut lagging, mut refused) = (Vec::new(), false, None);
        for stored in wanted {
            let found = present.iter().find(|one| one.target == stored.target);
            if found.is_some_and(|found| step.is_as_before(&stored.detail, &found.detail)) {
                continue;
            }
            // A new membership that shows is changed at once; only what doesn't show at all may lag.
            if found.is_none() && stored.restored.is_some_and(|(at, now)| now - at < LAG_WINDOW) {
                lagging = true;
                continue;
            }
            if stored.restores > RESTORES_MAX {
                let what = format!("{} {} does not stay", stored.step, stored.target);
                refused = Some(Release::Failed(Reason::AttemptsExhausted, Some(what)));
                continue;
            }
            let (step, target) = (step.name(), stored.target.clone());
            let assignment =
                Assignment { user: user.to_string(), step, target, detail: stored.detail.clone() };
            missing.push(PutBack { stored: assignment, present: found.map(|found| found.detail.clone()) });
        }
        if missing.is_empty() {
            return Ok(OfStep { passed: if lagging { Passed::Lagging } else { Passed::Whole }, refused });
        }
        let put_back = self.put_all_back(person, step, look, step.put_backs(missing)).await?;
        Ok(OfStep { passed: put_back.passed, refused: put_back.refused.or(refused) })
    }

    /// Puts all of it back. Where a call for several things is refused for what it contains, each is put back alone; what
    /// is refused for good keeps nothing else from coming back.
    async fn put_all_back(
        &self,
        person: &mut Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        put_backs: Vec<PutBacks>,
    ) -> Result<OfStep, Stop> {
        let mut of_step = OfStep { passed: Passed::Whole, refused: None };
        let mut open = VecDeque::from(put_backs);
        while let Some(next) = open.pop_front() {
            let Some((intention, error)) = self.put_back(person, step, look, &next).await? else {
                of_step.passed = Passed::Changed;
                continue;
            };
            if error.is_about_the_content() && next.items().len() > 1 {
                open.extend(next.each_alone());
                continue;
            }
            match self.not_put_back(person, step, &intention, error).await {
                Ok(()) => of_step.passed = Passed::Changed,
                Err(Stop::Release(release)) if release.is_for_good() => {
                    of_step.refused.get_or_insert(release);
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(of_step)
    }

    async fn present(
        &self,
        person: &Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        user: &UserId,
    ) -> Result<Vec<Assignment>, Stop> {
        let mut present = Vec::new();
        for observed in step.observe(look, std::slice::from_ref(user)).await {
            let Observation { assignments, .. } = observed.map_err(|error| self.stop_for(person, &error))?;
            present.extend(assignments);
        }
        Ok(present)
    }

    /// One call between its intention and its outcome; gives how it failed.
    async fn put_back(
        &self,
        person: &mut Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        put_backs: &PutBacks,
    ) -> Result<Option<(Intention, Error)>, Stop> {
        for attempt in 1..=TOKEN_TRIES {
            self.still_working()?;
            let call = self.genesys.prepare_call().await.map_err(|error| self.stop_for(person, &error))?;
            let begun = Instant::now();
            let intention = intention(person, step, put_backs, call.request_id().0);
            match self.store.begin(&self.fence, &intention, None).await? {
                Permission::Granted => {}
                Permission::LeaseLost | Permission::Brake => return Err(Stop::LeaseLost),
            }
            let answer = step.restore(look, call.sent_before(begun + self.fence.lease / 2), put_backs).await;
            self.store.finish(&self.fence, &intention, result_of(&answer)).await?;
            match answer {
                Ok(_) => {
                    person.progress = Progress::Some;
                    return Ok(None);
                }
                Err(failed) if token_refused(&failed) && attempt < TOKEN_TRIES => {}
                Err(failed) => return Ok(Some((intention, failed.into_error()))),
            }
        }
        Err(wait(Duration::ZERO, "the call was not made"))
    }

    /// What a failed call means. What no longer exists is noted as lost.
    async fn not_put_back(
        &self,
        person: &Person,
        step: &'static dyn Step,
        intention: &Intention,
        error: Error,
    ) -> Result<(), Stop> {
        let (attempt, progress) = (person.lease.attempt, person.progress);
        match &error {
            Error::NotFound { .. } if attempt + 1 < MISSING_TRIES => {
                // Without progress, so that the attempts are counted until it is taken for gone.
                let why = error.code();
                Err(another_attempt(why, LAG_RECHECK, &self.settings, attempt, Progress::None).into())
            }
            Error::NotFound { .. } => {
                let (id, targets) = (person.lease.id, intention.targets.clone());
                Ok(self.store.lost(&self.fence, id, step.name(), targets, "it no longer exists").await?)
            }
            // Somebody else changed it meanwhile, or it is there already and doesn't show yet.
            Error::VersionConflict { .. } => {
                let why = error.code();
                Err(another_attempt(why, LAG_RECHECK, &self.settings, attempt, Progress::None).into())
            }
            error => Err(after_error(error, &self.settings, attempt, progress).into()),
        }
    }
}

fn intention(person: &Person, step: &dyn Step, put_backs: &PutBacks, request_id: uuid::Uuid) -> Intention {
    Intention {
        offboarding: person.lease.id,
        user: put_backs.user().to_owned(),
        step: step.name(),
        phase: step.phase(),
        targets: put_backs.items().iter().map(|item| item.stored.target.clone()).collect(),
        change: Change::PutBack,
        request_id,
    }
}

fn result_of(answer: &Result<Done, CallFailed>) -> CallResult {
    match answer {
        Ok(Done { correlation_id, .. }) => CallResult {
            result: "put_back".to_owned(),
            proves: Proves::Changed,
            correlation_id: correlation_id.clone(),
        },
        Err(failed) => failure(failed),
    }
}
