//! The last part of one person's way: prove that nothing is left, deactivate the account, revoke the tokens, and read
//! everything once more.

use std::time::{Duration, Instant};

use super::change::{Refusal, Sending};
use super::runner::{Left, Person, Runner};
use super::verdict::{Progress, Stop, another_attempt, wait};
use crate::genesys::{CALLS_PER_COMPLETE_READ, Error, Genesys};
use crate::offboarding::choices::Order;
use crate::offboarding::{Action, Outcome, Phase, Reason};
use crate::plan::{self, Batch, Proof, Step};
use crate::store::leases::Release;

/// How old the last complete empty read may be when the account is deactivated. Genesys must see 5 s at the most; the
/// rest is for the way.
const FRESH_FOR: Duration = Duration::from_millis(4_500);

/// Rounds of proving and deactivating: late arrivals, version conflicts and reads that took too long each cost one. Two
/// for each late arrival that is one too many, because it is first seen as a version conflict and then found.
const ROUNDS_MAX: usize = 8;

/// How often somebody may assign something new while the account is being closed.
const LATE_ARRIVALS_MAX: u32 = 3;

/// The calls of a closing besides the complete reads: the fresh read of the user, the change of state, the tokens.
const CALLS_OF_CLOSING: u32 = 4;

/// The people of one: most steps of a closing concern a single person.
fn alone(person: &mut Person) -> &mut [Person] {
    std::slice::from_mut(person)
}

impl Runner {
    /// Takes a stripped person to the end; returns how the attempt ends.
    pub(super) async fn close(&self, person: &mut Person) -> Stop {
        match self.closing(person).await {
            Ok(outcome) => Release::Done(outcome).into(),
            Err(stop) => stop,
        }
    }

    /// Account and tokens at once, after the snapshot and before the strip.
    pub(super) async fn cut_access(&self, people: &mut [Person]) {
        for person in people.iter_mut().filter(|person| person.is_live()) {
            let cut = async {
                self.complete_read(person, &self.genesys).await?;
                match self.deactivate(person, &self.genesys, None).await? {
                    Deactivated::Yes => Ok(()),
                    Deactivated::NotYet => Err(self.changed_meanwhile(person)),
                }
            };
            if let Err(stop) = cut.await {
                person.end(stop);
            }
        }
    }

    async fn closing(&self, person: &mut Person) -> Result<Outcome, Stop> {
        let mut late = 0;
        // The strip's last pass was a complete read that found nothing. Whatever is found later makes it worthless.
        let mut empty_reads = 1;
        for _ in 0..ROUNDS_MAX {
            let reads = self.settings.verify_reads.saturating_sub(empty_reads).max(1);
            empty_reads = 0;
            // All but the last read may take their time.
            if reads > 1 && self.prove_empty(person, &self.genesys, reads - 1, &mut late).await?.is_none() {
                continue;
            }
            let calls = CALLS_PER_COMPLETE_READ + CALLS_OF_CLOSING;
            let prepaid = self.genesys.prepaid(calls).await.map_err(|e| self.stop_for(person, &e))?;
            let Some(read_at) = self.prove_empty(person, &prepaid, 1, &mut late).await? else {
                continue;
            };
            let not_after = match self.settings.order {
                Order::StripFirst => Some(read_at + FRESH_FOR),
                Order::AccessFirst => None,
            };
            match self.deactivate(person, &prepaid, not_after).await? {
                Deactivated::Yes => {}
                Deactivated::NotYet => continue,
            }
            if self.prove_empty(person, &self.genesys, 1, &mut late).await?.is_none() {
                continue;
            }
            self.confirm_inactive(person).await?;
            let inactive_before = person.lease.found_inactive == Some(true);
            return Ok(if inactive_before { Outcome::AlreadyInactive } else { Outcome::Offboarded });
        }
        Err(self.changed_meanwhile(person))
    }

    /// What was removed before is no progress here: whoever changes the account could go on for ever.
    fn changed_meanwhile(&self, person: &Person) -> Stop {
        let why = "the account kept changing".to_owned();
        let attempt = person.lease.attempt;
        another_attempt(why, Duration::ZERO, &self.settings, attempt, Progress::None).into()
    }

    /// Complete reads in a row that find nothing: the start of the last one. `None` where something was found; it has
    /// been removed then.
    async fn prove_empty(
        &self,
        person: &mut Person,
        genesys: &Genesys,
        reads: u32,
        late: &mut u32,
    ) -> Result<Option<Instant>, Stop> {
        let mut started = Instant::now();
        for read in 1..=reads {
            self.still_working()?;
            started = Instant::now();
            if let Left::Removable(found) = self.complete_read(person, genesys).await? {
                *late += 1;
                if *late > LATE_ARRIVALS_MAX {
                    let what = found.first().map(|a| format!("{} {}", a.step, a.target));
                    return Err(Release::Held(Reason::KeepsReturning, what).into());
                }
                self.remove_all(found, alone(person)).await;
                return if person.is_live() { Ok(None) } else { Err(person.take_stop()) };
            }
            person.holds_nothing_inherited()?;
            let note =
                Some((Action::VerifiedEmpty, format!("complete read {read} of {reads} found nothing")));
            self.store.mark(&self.fence, person.lease.id, Vec::new(), note).await?;
        }
        Ok(Some(started))
    }

    /// Reads every kind of assignment to its last page.
    async fn complete_read(&self, person: &mut Person, genesys: &Genesys) -> Result<Left, Stop> {
        let user = person.user.clone().into_iter().collect::<Vec<_>>();
        let (mut seen, mut inherited) = (Vec::new(), Vec::new());
        for step in plan::steps(Phase::Strip) {
            for observed in step.observe(genesys, &user).await {
                let observed = observed.map_err(|e| self.stop_for(person, &e))?;
                seen.extend(observed.assignments);
                inherited.extend(observed.inherited);
            }
        }
        person.inherited = inherited;
        self.judge(person.lease.id, seen).await
    }

    /// Carries out the steps of the second phase. `NotYet` where the account changed since it was read: everything is
    /// proved again then.
    async fn deactivate(
        &self,
        person: &mut Person,
        genesys: &Genesys,
        not_after: Option<Instant>,
    ) -> Result<Deactivated, Stop> {
        let user = person.user.clone().into_iter().collect::<Vec<_>>();
        for step in plan::steps(Phase::Deactivate) {
            for observed in step.observe(genesys, &user).await {
                let found = observed.map_err(|e| self.stop_for(person, &e))?.assignments;
                let due = match step.proof() {
                    Proof::ReadBack => self.judge(person.lease.id, found).await?,
                    Proof::Journal => {
                        self.store.remember(&self.fence, person.lease.id, found.clone()).await?;
                        Left::Removable(found)
                    }
                };
                let Left::Removable(due) = due else { continue };
                for batch in step.batches(due) {
                    // Only what is proved by reading depends on how fresh the read is.
                    let not_after = if step.proof() == Proof::ReadBack { not_after } else { None };
                    match self.change(step, &batch, alone(person), Sending { genesys, not_after }).await {
                        Ok(()) => {}
                        Err(Refusal::Call(Error::VersionConflict { .. } | Error::Lapsed(_))) => {
                            return Ok(Deactivated::NotYet);
                        }
                        Err(refused) => return Err(self.ended(person, step, &batch, refused).await),
                    }
                }
            }
            let done = vec![(step.name(), step.phase(), "done")];
            self.store.mark(&self.fence, person.lease.id, done, None).await?;
        }
        Ok(Deactivated::Yes)
    }

    async fn ended(&self, person: &mut Person, step: &dyn Step, batch: &Batch, refused: Refusal) -> Stop {
        self.end_all(batch, alone(person), refused);
        let stop = person.take_stop();
        if let Stop::Release(Release::Failed(..)) = &stop {
            let failed = vec![(step.name(), step.phase(), "failed")];
            if let Err(error) = self.store.mark(&self.fence, person.lease.id, failed, None).await {
                return error.into();
            }
        }
        stop
    }

    async fn confirm_inactive(&self, person: &Person) -> Result<(), Stop> {
        for step in plan::steps(Phase::Deactivate).filter(|step| step.proof() == Proof::ReadBack) {
            let user = person.user.clone().into_iter().collect::<Vec<_>>();
            for observed in step.observe(&self.genesys, &user).await {
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
