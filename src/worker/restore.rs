//! Putting back what was taken away, in the reverse order of the plan. Like the way there it is repeated until a read shows
//! everything, so that a crash or a second attempt is harmless; what can't come back is said and passed over.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::change::{failure, token_refused};
use super::dry_run::held_as_dry_run;
use super::judge::{LAG_RECHECK, lag_window};
use super::measure::{self, Operation, error_of};
use super::person::Person;
use super::runner::Runner;
use super::verdict::{Progress, Stop, after_error, another_attempt, wait};
use crate::genesys::{CallFailed, Done, Error, UserId, UserState};
use crate::offboarding::choices::Mode;
use crate::offboarding::{Action, Assignment, Observation, Outcome, Phase, Reason};
use crate::plan::{Look, PutBack, PutBacks, Return, Step};
use crate::store::leases::{AttemptCount, Release};
use crate::store::progress::{CallResult, Change, Intention, Note, Permission, Proves, StepMark};
use crate::store::snapshot::Stored;

/// Passes of one attempt: the account, then what needs it, then how it was, and a last one that sees everything there.
const PASSES_MAX: usize = 6;

/// How often something is put back that doesn't stay. What shows as it was added may have to be changed once more.
const RESTORES_MAX: u32 = 6;

/// After so many attempts a thing that is said not to exist is not only unknown to a cache.
const MISSING_TRIES: u32 = 3;

/// How long Genesys Cloud's authorization may answer 404 after an account became active.
const ACCOUNT_SETTLES: TimeDelta = TimeDelta::seconds(60);

/// How often a call whose token was refused is begun again.
const TOKEN_TRIES: u32 = 2;

/// What a pass over one step left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    Whole,
    Changed,
    Lagging,
}

impl Runner {
    pub(super) async fn restore_all(&self, people: Vec<Person>) {
        for mut person in people {
            let stop = self.restore(&mut person).await;
            person.end(stop);
            self.give_back(person).await;
        }
    }

    /// Puts everything back that can be; returns how the attempt ends.
    async fn restore(&self, person: &mut Person) -> Stop {
        match self.restoring(person).await {
            Ok(()) => Release::Done(Outcome::Restored).into(),
            // Nobody has to decide anything: a restore that can't go on has failed, and is retried by whoever asked for it.
            Err(Stop::Release(Release::Held(reason, detail))) => {
                Release::Failed(reason, detail, AttemptCount::Keep).into()
            }
            Err(stop) => stop,
        }
    }

    async fn restoring(&self, person: &mut Person) -> Result<(), Stop> {
        match self.settings.mode {
            Mode::Live => {}
            Mode::DryRun => return Err(held_as_dry_run("nothing is put back".to_owned())),
        }
        if person.lease.attempt >= self.settings.attempts_max {
            let why = "its workers ended without an outcome".to_owned();
            return Err(Release::Failed(Reason::AttemptsExhausted, Some(why), AttemptCount::Keep).into());
        }
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
                (Passed::Whole, None) => return self.say_what_came_back_in_part(person).await,
                (Passed::Whole, Some(_)) => break,
            }
        }
        Err(refused.unwrap_or_else(|| wait(LAG_RECHECK, "more is to be put back")))
    }

    async fn living_user(&self, person: &Person) -> Result<UserId, Stop> {
        let why = "the user no longer exists";
        let gone = || Release::Failed(Reason::PersonNotFound, Some(why.to_owned()), AttemptCount::Keep);
        let id = person.lease.genesys_user_id.as_deref().and_then(|id| id.parse().ok());
        let id: UserId = id.ok_or_else(gone)?;
        match self.genesys.user(&id).await.map_err(|error| self.stop_for(person, &error))? {
            Some(user) if user.state != UserState::Deleted => Ok(user.id),
            Some(_) | None => Err(gone().into()),
        }
    }

    /// Says once of each step what of it does not come back.
    async fn say_what_is_lost(&self, person: &Person) -> Result<(), Stop> {
        let stored = self.store.stored(person.lease.id).await?;
        for step in self.settings.plan.all() {
            let why = match step.comes_back() {
                Return::Whole => continue,
                // A part of each thing, of which it is said at the end: the things themselves are put back.
                Return::Except(_) => continue,
                Return::Never(why) => why,
            };
            let of_step =
                stored.iter().filter(|one| one.step == step.name() && one.removed && one.lost.is_none());
            let targets: Vec<_> = of_step.map(|one| one.target.clone()).collect();
            if !targets.is_empty() {
                self.store.lost(&self.fence, person.lease.id, step.name(), targets, why).await?;
            }
        }
        Ok(())
    }

    /// Says at the end of each step what is missing although its things are back.
    async fn say_what_came_back_in_part(&self, person: &Person) -> Result<(), Stop> {
        let stored = self.store.stored(person.lease.id).await?;
        let taken = |step: &dyn Step| stored.iter().any(|one| one.step == step.name() && one.removed);
        let notes = self.settings.plan.all().iter().filter(|step| taken(**step)).filter_map(|step| {
            let Return::Except(what) = step.comes_back() else { return None };
            let (step, text) = (Some(step.name()), Some(what.to_owned()));
            Some(Note { action: Action::NotRestorable, step, target: None, text })
        });
        Ok(self.store.mark(&self.fence, person.lease.id, Vec::new(), notes.collect()).await?)
    }

    /// One pass over the plan, backwards. What was refused for good is left for the end; the rest is put back all the same.
    async fn restore_pass(&self, person: &mut Person, user: &UserId) -> Result<(Passed, Option<Stop>), Stop> {
        let stored = self.store.stored(person.lease.id).await?;
        let look = self.look_at(&self.genesys, &[&*person]);
        let (mut passed, mut refused) = (Passed::Whole, None);
        for step in self.settings.plan.all().iter().rev() {
            self.still_working()?;
            let wanted: Vec<&Stored> = stored
                .iter()
                .filter(|one| one.step == step.name() && one.lost.is_none())
                .filter(|one| one.altered || step.held_through(&one.detail).is_none())
                .collect();
            if wanted.is_empty() {
                self.mark(person, *step, StepMark::Skipped).await?;
                continue;
            }
            match self.restore_step(person, *step, &look, user, &wanted).await {
                Ok(Passed::Whole) => self.mark(person, *step, StepMark::PutBack).await?,
                Ok(Passed::Changed) => passed = Passed::Changed,
                Ok(Passed::Lagging) if passed == Passed::Whole => passed = Passed::Lagging,
                Ok(Passed::Lagging) => {}
                Err(Stop::Release(release)) if is_for_good(&release) => {
                    self.mark(person, *step, StepMark::Failed).await?;
                    refused.get_or_insert(release.into());
                }
                Err(stop) => return Err(stop),
            }
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
    ) -> Result<Passed, Stop> {
        let mut present = self.present(person, step, look, user).await?;
        present.retain(|one| wanted.iter().any(|stored| stored.target == one.target));
        step.inspect(look, &mut present).await.map_err(|error| self.stop_for(person, &error))?;
        let (mut missing, mut lagging, mut refused) = (Vec::new(), false, None);
        for stored in wanted {
            let found = present.iter().find(|one| one.target == stored.target);
            // What was never taken away or altered, as far as is known, is missing only where it doesn't show at all; what
            // comes through a group comes back with the group.
            let untouched = !stored.removed && !stored.altered;
            let as_before = |found: &Assignment| step.is_as_before(&stored.detail, &found.detail);
            let through_group = step.held_through(&stored.detail).is_some();
            if found.map_or(through_group, |found| untouched || as_before(found)) {
                continue;
            }
            // What shows after it was added once is changed at once: a membership gets its ring then.
            let is_new = found.is_some() && stored.restores == 1;
            if !is_new && stored.restored.is_some_and(|(at, now)| now - at < lag_window(stored.restores)) {
                lagging = true;
                continue;
            }
            if stored.restores > RESTORES_MAX {
                let what = format!("{} {} does not stay", stored.step, stored.target);
                refused.get_or_insert(Release::Failed(
                    Reason::AttemptsExhausted,
                    Some(what),
                    AttemptCount::Increase,
                ));
                continue;
            }
            let (step, target) = (step.name(), stored.target.clone());
            let assignment =
                Assignment { user: user.to_string(), step, target, detail: stored.detail.clone() };
            missing.push(PutBack { stored: assignment, present: found.map(|found| found.detail.clone()) });
        }
        let changed = !missing.is_empty();
        for put_backs in step.put_backs(missing) {
            match self.put_back(person, step, look, &put_backs).await {
                Err(Stop::Release(release)) if is_for_good(&release) => {
                    refused.get_or_insert(release);
                }
                put_back => put_back?,
            }
        }
        match (refused, changed, lagging) {
            (Some(refused), ..) => Err(refused.into()),
            (None, true, _) => Ok(Passed::Changed),
            (None, false, true) => Ok(Passed::Lagging),
            (None, false, false) => Ok(Passed::Whole),
        }
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

    /// Puts back with one call, or each thing alone where the whole is refused. What can't come back is noted as lost.
    async fn put_back(
        &self,
        person: &mut Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        put_backs: &PutBacks,
    ) -> Result<(), Stop> {
        let Some(error) = self.send_back(person, step, look, put_backs).await? else {
            return Ok(());
        };
        if put_backs.items().len() == 1 || !error.is_about_the_content() {
            return self.not_put_back(person, step, put_backs, error).await;
        }
        for alone in put_backs.each_alone() {
            if let Some(error) = self.send_back(person, step, look, &alone).await? {
                self.not_put_back(person, step, &alone, error).await?;
            }
        }
        Ok(())
    }

    /// One call between its intention and its outcome; gives why it failed.
    async fn send_back(
        &self,
        person: &mut Person,
        step: &'static dyn Step,
        look: &Look<'_>,
        put_backs: &PutBacks,
    ) -> Result<Option<Error>, Stop> {
        for attempt in 1..=TOKEN_TRIES {
            self.still_working()?;
            let call = self.genesys.prepare_call().await.map_err(|error| self.stop_for(person, &error))?;
            let begun = Instant::now();
            let intention = intention(person, step, put_backs, call.request_id().0);
            match self.store.begin(&self.fence, &intention, None).await? {
                Permission::Granted => {}
                Permission::Paused => return Err(Stop::paused()),
                Permission::LeaseLost | Permission::Brake { .. } | Permission::ApprovalExpired(_) => {
                    measure::fence_refused();
                    return Err(Stop::LeaseLost);
                }
            }
            let sent = Instant::now();
            let answer = step.restore(look, call.sent_before(begun + self.fence.lease / 2), put_backs).await;
            measure::step_ended(step.name(), Operation::Restore, sent, error_of(&answer));
            self.store.finish(&self.fence, &intention, result_of(&answer)).await?;
            match answer {
                Ok(_) => {
                    person.progress = Progress::Some;
                    return Ok(None);
                }
                Err(failed) if token_refused(&failed) && attempt < TOKEN_TRIES => {}
                Err(failed) => return Ok(Some(failed.into_error())),
            }
        }
        Err(wait(Duration::ZERO, "the call was not made"))
    }

    /// What a refusal of a single thing means. Only the account itself has to come back; of the rest, what is refused for
    /// good is said and passed over.
    async fn not_put_back(
        &self,
        person: &Person,
        step: &'static dyn Step,
        put_backs: &PutBacks,
        error: Error,
    ) -> Result<(), Stop> {
        let (attempt, progress) = (person.lease.attempt, person.progress);
        let missing = matches!(error, Error::NotFound { .. });
        // A cache, somebody else's change meanwhile, or what is there already and doesn't show yet.
        let unsettled = missing || matches!(error, Error::VersionConflict { .. });
        let may_pass = if unsettled { attempt + 1 < MISSING_TRIES } else { error.is_transient() };
        if missing && self.account_settles(person).await? {
            return Err(wait(LAG_RECHECK, "the account is not known everywhere yet"));
        }
        let about_this = error.is_about_the_content() && step.phase() == Phase::Strip;
        if about_this && !may_pass {
            let refused = || format!("Genesys Cloud refuses it: {}", error.code());
            let why = if missing { "it no longer exists".to_owned() } else { refused() };
            let targets = put_backs.items().iter().map(|item| item.stored.target.clone()).collect();
            return Ok(self.store.lost(&self.fence, person.lease.id, step.name(), targets, &why).await?);
        }
        // Without progress, so that the attempts are counted until it is taken for gone.
        Err(match unsettled {
            true => {
                another_attempt(error.code(), LAG_RECHECK, &self.settings, attempt, Progress::None).into()
            }
            false => after_error(&error, &self.settings, attempt, progress).into(),
        })
    }

    /// Whether the account was made active so short a time ago that a part of Genesys Cloud may not know it yet.
    async fn account_settles(&self, person: &Person) -> Result<bool, Stop> {
        let stored = self.store.stored(person.lease.id).await?;
        let is_account = |one: &&Stored| {
            let step = self.settings.plan.step(&one.step);
            step.is_some_and(|step| step.phase() == Phase::Deactivate)
        };
        let mut restored = stored.iter().filter(is_account).filter_map(|one| one.restored);
        Ok(restored.any(|(at, now)| now - at < ACCOUNT_SETTLES))
    }
}

/// Whether nothing but a person's decision changes it: what else there is to be put back does not wait for that.
fn is_for_good(release: &Release) -> bool {
    match release {
        Release::Failed(..) | Release::Held(..) => true,
        Release::Postponed { .. } | Release::Done(_) => false,
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
