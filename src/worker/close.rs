//! The last part of one person's way: prove that nothing is left, deactivate the account, revoke the tokens, and read
//! everything once more.

use std::time::{Duration, Instant};

use super::change::{Purpose, Refusal, Sending};
use super::judge::Left;
use super::person::{Person, alone};
use super::runner::{Runner, verified_empty};
use super::verdict::{Progress, Stop, another_attempt, wait};
use crate::genesys::{Error, User};
use crate::offboarding::choices::Order;
use crate::offboarding::{Outcome, Phase};
use crate::plan::{Batch, Look, Proof, Step};
use crate::store::leases::Release;
use crate::store::progress::StepMark;

/// How old the last complete empty read may be when the account is deactivated. Genesys must see 5 s at the most; the
/// rest is for the way.
const FRESH_FOR: Duration = Duration::from_millis(4_500);

/// Rounds of proving and deactivating: late arrivals, version conflicts and reads that took too long each cost one. Two
/// for each late arrival that is one too many, because it is first seen as a version conflict and then found.
const ROUNDS_MAX: usize = 8;

/// How often somebody may assign something new while the account is being closed.
const LATE_ARRIVALS_MAX: u32 = 3;

/// The calls of a closing besides the complete read: the last look at the work, the change of state, the tokens, and one of
/// either again.
const CALLS_OF_CLOSING: u32 = 4;

impl Runner {
    /// Takes a stripped person to the end; returns how the attempt ends.
    pub(super) async fn close(&self, person: &mut Person) -> Stop {
        match self.closing(person).await {
            Ok(outcome) => Release::Done(outcome).into(),
            Err(stop) => stop,
        }
    }

    /// For those whose access goes first: account and tokens at once, after the snapshot and before the strip.
    pub(super) async fn cut_access(&self, people: &mut [Person]) {
        let first = |person: &&mut Person| person.is_live() && person.order == Order::AccessFirst;
        for person in people.iter_mut().filter(first) {
            if let Err(stop) = self.cut_access_of(person).await {
                person.end(stop);
            }
        }
    }

    async fn cut_access_of(&self, person: &mut Person) -> Result<(), Stop> {
        let look = self.look_at(&self.genesys, &[&*person]);
        if let Some(user) = person.just_read.take() {
            look.take_over(user);
        }
        self.complete_read(person, &look).await?;
        match self.deactivate(person, &look, None).await? {
            Deactivated::Yes => Ok(()),
            Deactivated::NotYet => Err(self.changed_meanwhile(person)),
        }
    }

    async fn closing(&self, person: &mut Person) -> Result<Outcome, Stop> {
        let mut late = 0;
        // The strip's last pass was a complete read that found nothing. Whatever is found later makes it worthless.
        let mut empty_reads = 1;
        for _ in 0..ROUNDS_MAX {
            let reads = self.settings.verify_reads.saturating_sub(empty_reads);
            empty_reads = 0;
            let deactivated = match (reads, person.found_empty.take()) {
                (0, Some((begun, user))) => self.deactivate_as_found(person, begun, user).await?,
                (reads, _) => self.prove_and_deactivate(person, reads.max(1), &mut late).await?,
            };
            match deactivated {
                Deactivated::Yes => {}
                Deactivated::NotYet => continue,
            }
            let look = self.look_at(&self.genesys, &[&*person]);
            if !self.finds_nothing(person, &look, "after the deactivation", &mut late).await? {
                continue;
            }
            self.confirm_inactive(person, &look).await?;
            if person.order == Order::StripFirst {
                // A token may have been given out between the first revocation and the state's arrival everywhere.
                self.revoke_once_more(person, &look).await?;
            }
            let left = person.left_in_place();
            self.store.mark(&self.fence, person.lease.id, Vec::new(), left).await?;
            return Ok(if person.was_inactive() { Outcome::AlreadyInactive } else { Outcome::Offboarded });
        }
        Err(self.changed_meanwhile(person))
    }

    /// What was removed before is no progress here: whoever changes the account could go on for ever.
    fn changed_meanwhile(&self, person: &Person) -> Stop {
        let why = "the account kept changing".to_owned();
        let attempt = person.lease.attempt;
        another_attempt(why, Duration::ZERO, &self.settings, attempt, Progress::None).into()
    }

    /// The deactivation right after the strip's last pass, where one complete read is enough and it is still fresh.
    async fn deactivate_as_found(
        &self,
        person: &mut Person,
        begun: Instant,
        user: User,
    ) -> Result<Deactivated, Stop> {
        let look = self.look_at(&self.genesys, &[&*person]);
        look.take_over(user);
        let not_after = match person.order {
            Order::StripFirst => Some(begun + FRESH_FOR),
            Order::AccessFirst => None,
        };
        self.deactivate(person, &look, not_after).await
    }

    /// Complete reads in a row that find nothing, and the deactivation right after the last of them.
    async fn prove_and_deactivate(
        &self,
        person: &mut Person,
        reads: u32,
        late: &mut u32,
    ) -> Result<Deactivated, Stop> {
        // Counted with the one that the strip has ended with.
        let all = self.settings.verify_reads.max(reads);
        let before = all - reads;
        // All but the last read may take their time.
        for read in 1..reads {
            let look = self.look_at(&self.genesys, &[&*person]);
            if !self.finds_nothing(person, &look, &format!("{} of {all}", before + read), late).await? {
                return Ok(Deactivated::NotYet);
            }
        }
        let calls = self.settings.plan.calls_per_complete_read() + person.more_reads + CALLS_OF_CLOSING;
        let prepaid = self.genesys.prepaid(calls).await.map_err(|e| self.stop_for(person, &e))?;
        let read_at = Instant::now();
        let look = self.look_at(&prepaid, &[&*person]);
        if !self.finds_nothing(person, &look, &format!("{all} of {all}"), late).await? {
            return Ok(Deactivated::NotYet);
        }
        let not_after = match person.order {
            Order::StripFirst => Some(read_at + FRESH_FOR),
            Order::AccessFirst => None,
        };
        self.deactivate(person, &look, not_after).await
    }

    /// One complete read. Where it finds something, that has been removed then.
    async fn finds_nothing(
        &self,
        person: &mut Person,
        look: &Look<'_>,
        which: &str,
        late: &mut u32,
    ) -> Result<bool, Stop> {
        self.still_working()?;
        let found = match self.complete_read(person, look).await? {
            Left::Nothing => Vec::new(),
            Left::Removable(found) => person.not_refused(found),
        };
        if !person.is_live() {
            return Err(person.take_stop());
        }
        if let Some(first) = found.first() {
            *late += 1;
            if *late > LATE_ARRIVALS_MAX {
                return Err(self.keeps_returning(person, first).await);
            }
            self.remove_all(found, alone(person)).await;
            return if person.is_live() { Ok(false) } else { Err(person.take_stop()) };
        }
        person.holds_nothing_inherited(self.settings.plan.choices().inherited_access)?;
        let note = verified_empty(format!("complete read {which} found nothing"));
        self.store.mark(&self.fence, person.lease.id, Vec::new(), vec![note]).await?;
        Ok(true)
    }

    /// Reads every kind of assignment to its last page.
    async fn complete_read(&self, person: &mut Person, look: &Look<'_>) -> Result<Left, Stop> {
        let user = person.user.clone().into_iter().collect::<Vec<_>>();
        let (mut seen, mut inherited) = (Vec::new(), Vec::new());
        for user in &user {
            // First, so that whatever changes the user during this read makes the version that it gives stale.
            look.user(user).await.map_err(|e| self.stop_for(person, &e))?;
        }
        for step in self.settings.plan.steps(Phase::Strip) {
            for observed in step.observe(look, &user).await {
                let observed = observed.map_err(|e| self.stop_for(person, &e))?;
                seen.extend(observed.assignments);
                inherited.extend(observed.inherited);
            }
        }
        person.inherited = inherited;
        person.more_reads = look.more_reads();
        self.judge(person, look, self.strip_steps(), seen).await
    }

    /// Carries out the steps of the second phase. `NotYet` where the account changed since it was read: everything is
    /// proved again then.
    async fn deactivate(
        &self,
        person: &mut Person,
        look: &Look<'_>,
        not_after: Option<Instant>,
    ) -> Result<Deactivated, Stop> {
        for step in self.settings.plan.steps(Phase::Deactivate) {
            // Only what is proved by reading depends on how fresh the read is.
            let not_after = if step.proof() == Proof::ReadBack { not_after } else { None };
            match self.carry_out(person, look, step, not_after).await? {
                Deactivated::Yes => {}
                Deactivated::NotYet => return Ok(Deactivated::NotYet),
            }
            person.cut_off |= step.proof() == Proof::ReadBack;
            let done = vec![(step.name(), step.phase(), StepMark::Done)];
            self.store.mark(&self.fence, person.lease.id, done, Vec::new()).await?;
        }
        Ok(Deactivated::Yes)
    }

    async fn revoke_once_more(&self, person: &mut Person, look: &Look<'_>) -> Result<(), Stop> {
        for step in self.settings.plan.steps(Phase::Deactivate).filter(|step| step.proof() == Proof::Journal)
        {
            if let Deactivated::NotYet = self.carry_out(person, look, step, None).await? {
                return Err(self.changed_meanwhile(person));
            }
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        person: &mut Person,
        look: &Look<'_>,
        step: &'static dyn Step,
        not_after: Option<Instant>,
    ) -> Result<Deactivated, Stop> {
        let user = person.user.clone().into_iter().collect::<Vec<_>>();
        for observed in step.observe(look, &user).await {
            let found = observed.map_err(|e| self.stop_for(person, &e))?.assignments;
            let due = match step.proof() {
                Proof::ReadBack => self.judge(person, look, vec![step.name()], found).await?,
                Proof::Journal => {
                    let (id, steps) = (person.lease.id, vec![step.name()]);
                    person.known = Some(self.store.remember(&self.fence, id, steps, found.clone()).await?);
                    Left::Removable(found)
                }
            };
            let Left::Removable(due) = due else { continue };
            let proof = match (&person.user, step.proof()) {
                (Some(id), Proof::ReadBack) => look.user(id).await.ok(),
                (None, Proof::ReadBack) | (_, Proof::Journal) => None,
            };
            for batch in step.batches(due) {
                let proof = proof.as_deref();
                let sending = Sending { genesys: look.genesys(), not_after, purpose: Purpose::Remove, proof };
                match self.change(step, &batch, alone(person), sending).await {
                    Ok(()) => {}
                    // It was done before and doesn't show yet, and neither does the version: reading again now is in vain.
                    Err(Refusal::Call(Error::VersionConflict { .. })) if person.has_lost(&batch) => {
                        return Err(self.changed_meanwhile(person));
                    }
                    Err(
                        Refusal::Call(Error::VersionConflict { .. } | Error::Lapsed(_)) | Refusal::Outdated,
                    ) => {
                        return Ok(Deactivated::NotYet);
                    }
                    Err(refused) => return Err(self.ended(person, step, &batch, refused).await),
                }
            }
        }
        Ok(Deactivated::Yes)
    }

    async fn ended(&self, person: &mut Person, step: &dyn Step, batch: &Batch, refused: Refusal) -> Stop {
        self.end_all(batch, alone(person), refused);
        let stop = person.take_stop();
        if let Stop::Release(Release::Failed(..)) = &stop {
            let failed = vec![(step.name(), step.phase(), StepMark::Failed)];
            if let Err(error) = self.store.mark(&self.fence, person.lease.id, failed, Vec::new()).await {
                return error.into();
            }
        }
        stop
    }

    async fn confirm_inactive(&self, person: &Person, look: &Look<'_>) -> Result<(), Stop> {
        let user = person.user.clone().into_iter().collect::<Vec<_>>();
        for step in self.settings.plan.steps(Phase::Deactivate).filter(|s| s.proof() == Proof::ReadBack) {
            for observed in step.observe(look, &user).await {
                if !observed.map_err(|e| self.stop_for(person, &e))?.assignments.is_empty() {
                    return Err(wait(Duration::from_secs(2), "the account does not show as inactive yet"));
                }
            }
        }
        Ok(())
    }
}

/// Whether the second phase was carried out.
enum Deactivated {
    Yes,
    NotYet,
}
