//! Live work: who is waited for, how long, and what is done for them meanwhile. It is looked at when an attempt begins and
//! right before each change that could cut somebody off.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::change::{Purpose, Refusal, Sending};
use super::person::{Person, alone};
use super::runner::Runner;
use super::verdict::{Stop, wait};
use crate::genesys::{Genesys, User, UserId, UserState};
use crate::offboarding::choices::{Mode, OffQueue as Gently, ShiftEnd as ByShift, WhenBusy};
use crate::offboarding::policy::{self, BusyPolicy, Released, Stage, Start, Waiting, Work};
use crate::offboarding::{Action, Reason};
use crate::plan::{Batch, OffQueue, ShiftEnd, Step, shift_end_of, work_of};
use crate::store::leases::Release;
use crate::store::progress::Note;

/// How old the oldest look at the people of a call may be when the call begins; where it took longer, everybody is looked
/// at again.
const LOOK_GOOD_FOR: Duration = Duration::from_secs(5);

/// What the last look before a call leaves.
pub(super) struct Looked {
    /// A handle with a permit for the call.
    pub(super) genesys: Genesys,
    /// Who may be changed.
    pub(super) batch: Batch,
    /// When the call has to begin at the latest; nothing where nobody had to be looked at.
    pub(super) good_until: Option<Instant>,
}

/// Somebody's work is waited for.
struct Later {
    delay: Duration,
    why: String,
}

impl Runner {
    /// How this person's work is dealt with.
    fn busy_policy(&self, person: &Person) -> BusyPolicy {
        let released = match person.lease.approved.contains(&Reason::Busy) {
            true => Released::Yes,
            false => Released::No,
        };
        let kind = person.lease.termination_type.as_deref();
        self.settings.busy.of(&self.settings.immediate_types, kind, released)
    }

    /// The look at the beginning of an attempt. Once the strip has begun it goes on until something could cut somebody
    /// off; only where that was so before, the rest of it waits as well.
    pub(super) async fn check_work(&self, person: &mut Person, user: &User) -> Result<(), Stop> {
        let policy = self.busy_policy(person);
        if policy.when_busy == WhenBusy::Now {
            return Ok(());
        }
        let work = self.work(person, &self.genesys, user).await?;
        person.look_again = work != Work::Free;
        if person.lease.strip_began && !person.lease.waiting {
            return Ok(());
        }
        let Some(mut later) = self.judge_work(person, work).await? else {
            return Ok(());
        };
        if self.wants_off_queue(person, policy)
            && let Some(more) = self.take_off_queue(person, &user.id).await?
        {
            later.why.push_str(&more);
        }
        Err(wait(later.delay, &later.why))
    }

    /// Looks once more at everybody of a batch whom the call could cut off, or whose first change it is; whoever is
    /// waited for leaves the batch. Gives a handle that has a permit for the call, so that nothing lies between.
    pub(super) async fn look_before(
        &self,
        step: &dyn Step,
        batch: &Batch,
        people: &mut [Person],
        send: &Sending<'_>,
    ) -> Result<Looked, Refusal> {
        let due = |person: &Person| {
            person.is_live() && batch.is_about(person) && self.must_look(person, step, batch)
        };
        let count = people.iter().filter(|person| due(person)).count();
        if count == 0 {
            return Ok(Looked { genesys: send.genesys.clone(), batch: batch.clone(), good_until: None });
        }
        let calls = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        let prepaid = send.genesys.with_permits(calls).await.map_err(Refusal::Call)?;
        let good_until = Some(Instant::now() + LOOK_GOOD_FOR);
        for person in people.iter_mut().filter(|person| due(person)) {
            match (self.look_once_more(person, &prepaid).await, send.proof) {
                (Ok(Some(user)), Some(proof)) if !proof.holds_the_same(&user) => {
                    return Err(Refusal::Outdated);
                }
                (Ok(_), _) => {}
                (Err(stop), _) => person.end(stop),
            }
        }
        let live: Vec<String> = people.iter().filter(|p| p.is_live()).map(Person::user_id).collect();
        let live: Vec<&str> = live.iter().map(String::as_str).collect();
        let batch = batch.only(&live).ok_or(Refusal::NobodyLeft)?;
        Ok(Looked { genesys: prepaid, batch, good_until })
    }

    fn must_look(&self, person: &Person, step: &dyn Step, batch: &Batch) -> bool {
        if person.cut_off || self.busy_policy(person).when_busy == WhenBusy::Now {
            return false;
        }
        // An interaction may have been routed to somebody on queue until their queues were gone.
        let after_the_queues = person.look_again && step.name() != OffQueue.name();
        !person.lease.strip_began || after_the_queues || step.cuts_off(batch)
    }

    async fn look_once_more(&self, person: &mut Person, genesys: &Genesys) -> Result<Option<User>, Stop> {
        let Some(id) = person.user.clone() else { return Ok(None) };
        let user = genesys.existing_user(&id).await.map_err(|error| self.stop_for(person, &error))?;
        if user.state != UserState::Active {
            return Ok(Some(user));
        }
        let work = self.work(person, genesys, &user).await?;
        // Only here: a gap between two interactions in which nothing could be done does not begin the waiting anew.
        if !self.busy_policy(person).counts(work, stage_of(person)) {
            self.store.free(&self.fence, person.lease.id).await?;
        }
        person.look_again = !person.lease.strip_began && work != Work::Free;
        let Some(later) = self.judge_work(person, work).await? else {
            return Ok(Some(user));
        };
        // The next attempt begins with it.
        let at_once = self.wants_off_queue(person, self.busy_policy(person));
        Err(wait(if at_once { Duration::ZERO } else { later.delay }, &later.why))
    }

    async fn work(&self, person: &Person, genesys: &Genesys, user: &User) -> Result<Work, Stop> {
        work_of(genesys, user).await.map_err(|error| self.stop_for(person, &error))
    }

    /// Whether this work is waited for, and how long; nothing where it isn't, or not any longer.
    async fn judge_work(&self, person: &Person, work: Work) -> Result<Option<Later>, Stop> {
        let (policy, stage) = (self.busy_policy(person), stage_of(person));
        if !policy.counts(work, stage) {
            return Ok(None);
        }
        if let Start::Hold(reason) = policy::start(work, policy, stage, Waiting::default()) {
            return Err(Release::Held(reason, Some(work.words().to_owned())).into());
        }
        let (waiting, remark) = self.waiting(person, policy).await?;
        Ok(match policy::start(work, policy, stage, waiting) {
            Start::Proceed | Start::Hold(_) => None,
            Start::RecheckIn(delay) => Some(Later { delay, why: format!("{}{remark}", work.words()) }),
        })
    }

    /// How long the person has been waited for. The shift is looked up once; what came of it stands in the journal.
    async fn waiting(&self, person: &Person, policy: BusyPolicy) -> Result<(Waiting, String), Stop> {
        let busy = self.store.busy(&self.fence, person.lease.id).await?.ok_or(Stop::LeaseLost)?;
        let waiting = Waiting { so_far: busy.so_far, shift: None };
        match (policy.shift_end, busy.shift_read, &person.user) {
            (ByShift::Ignore, ..) | (ByShift::Wait, false, None) => Ok((waiting, String::new())),
            (ByShift::Wait, true, _) => Ok((Waiting { shift: busy.until, ..waiting }, String::new())),
            (ByShift::Wait, false, Some(user)) => self.read_shift(person, user, policy, waiting).await,
        }
    }

    async fn read_shift(
        &self,
        person: &Person,
        user: &UserId,
        policy: BusyPolicy,
        waiting: Waiting,
    ) -> Result<(Waiting, String), Stop> {
        let now = Utc::now();
        let grace = TimeDelta::from_std(policy.shift_grace).unwrap_or_default();
        let found = match shift_end_of(&self.genesys, user, now, grace).await {
            // It is asked for again at the next look.
            Err(error) if error.is_transient() => {
                return Ok((waiting, format!("; the shift could not be read: {}", error.code())));
            }
            found => found,
        };
        let (until, text) = match found {
            Ok(ShiftEnd::At(end)) => (Some(end + grace), told(end, end + grace)),
            Ok(ShiftEnd::NotScheduled) => (None, unknown("workforce management does not know the person")),
            Ok(ShiftEnd::NoShift) => (None, unknown("no shift of theirs runs now")),
            Ok(ShiftEnd::Elsewhere) => (None, unknown("the schedule would come later or as a download")),
            Err(error) => (None, unknown(&format!("the shift can't be read: {}", error.code()))),
        };
        let note = Note { action: Action::Reported, step: None, target: None, text: Some(text) };
        self.store.shift_read(&self.fence, person.lease.id, until, note).await?;
        let shift = until.map(|until| (until - now).to_std().unwrap_or_default());
        Ok((Waiting { shift, ..waiting }, String::new()))
    }

    /// Whether the person has still to be taken off queue. Where the memberships are left alone, so is this.
    fn wants_off_queue(&self, person: &Person, policy: BusyPolicy) -> bool {
        let due = !person.lease.strip_began && !person.lease.off_queue;
        due && self.settings.mode == Mode::Live
            && policy.off_queue == Gently::Unjoin
            && self.settings.plan.step(OffQueue.name()).is_some()
    }

    /// Sets the person unjoined in all their queues, once, after the memberships were stored. That it can't be done is
    /// no reason to stop waiting: it is said.
    async fn take_off_queue(&self, person: &mut Person, user: &UserId) -> Result<Option<String>, Stop> {
        // It is a change, and what is to be seen before the first one comes before it.
        self.report(person, user).await?;
        let look = self.look_at(&self.genesys, &[&*person]);
        let mut seen = Vec::new();
        for observed in OffQueue.observe(&look, std::slice::from_ref(user)).await {
            match observed {
                Ok(observed) => seen.extend(observed.assignments),
                Err(error) => return Ok(Some(still_on_queue(&error.code()))),
            }
        }
        match self.judge(person, &look, vec![OffQueue.name()], seen.clone()).await {
            Ok(_) => {}
            Err(Stop::Release(Release::Held(reason, detail))) => {
                return Err(Release::Held(reason, detail).into());
            }
            Err(Stop::Release(_)) => return Ok(Some(still_on_queue("their queues could not be read whole"))),
            Err(stop) => return Err(stop),
        }
        let mut said = None;
        for batch in OffQueue::joined(seen) {
            let sending =
                Sending { genesys: &self.genesys, not_after: None, purpose: Purpose::Unjoin, proof: None };
            match self.change(&OffQueue, &batch, alone(person), sending).await {
                Ok(()) => said = Some("; taken off queue".to_owned()),
                Err(Refusal::NobodyLeft | Refusal::Outdated) => return Err(person.take_stop()),
                Err(Refusal::Stop(stop)) => return Err(stop),
                Err(Refusal::Call(error)) if error.is_transient() => {
                    return Ok(Some(still_on_queue(&error.code())));
                }
                Err(Refusal::Call(error)) => said = Some(still_on_queue(&error.code())),
            }
        }
        self.store.off_queue(&self.fence, person.lease.id).await?;
        Ok(said)
    }
}

fn stage_of(person: &Person) -> Stage {
    if person.lease.strip_began { Stage::Stripping } else { Stage::BeforeTheStrip }
}

fn still_on_queue(why: &str) -> String {
    format!("; could not be taken off queue: {why}")
}

fn told(end: DateTime<Utc>, until: DateTime<Utc>) -> String {
    let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("the shift ends at {}; its work is waited for until {} at the latest", text(end), text(until))
}

fn unknown(why: &str) -> String {
    format!("{why}: only policy.busy_wait_max ends the waiting")
}
