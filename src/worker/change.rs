//! One changing call: permit, fence and intention before it, outcome after it. Nothing else in the crate changes
//! anything in Genesys Cloud.

use std::time::Instant;

use super::measure::{self, Operation, error_of};
use super::person::Person;
use super::runner::Runner;
use super::verdict::{Progress, Stop, after_error, wait};
use super::work::Looked;
use crate::genesys::{CallFailed, CallOutcome, Done, Effect, Error, Genesys, OneCall, User};
use crate::offboarding::{OffboardingId, Reason};
use crate::plan::{Batch, Echo, Look, Proof, Step};
use crate::store::approvals::EXPIRED;
use crate::store::brake::BrakeUse;
use crate::store::leases::Release;
use crate::store::progress::{BrakeLimits, CallResult, Change, Intention, Permission, Proves};

/// How often a call whose token was refused is begun again: once, with a new token and an intention of its own.
const TOKEN_TRIES: u32 = 2;

/// A batch that could not be removed, for those of its people who still hold their lease.
pub(super) enum Refusal {
    /// Nobody of the batch is worked on any more.
    NobodyLeft,
    /// The call failed.
    Call(Error),
    /// The work ends for everybody of the batch.
    Stop(Stop),
    /// Somebody was given something since they were proved empty: the call was not made.
    Outdated,
}

/// Where and until when a call may be sent.
pub(super) struct Sending<'a> {
    /// The handle whose permits are used.
    pub(super) genesys: &'a Genesys,
    /// The latest moment, besides the lease's.
    pub(super) not_after: Option<Instant>,
    /// What for.
    pub(super) purpose: Purpose,
    /// The user as the proof read them on which the call relies, where it relies on one.
    pub(super) proof: Option<&'a User>,
}

/// What a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To take away.
    Remove,
    /// To take somebody off queue who is waited for.
    Unjoin,
}

impl Purpose {
    const fn operation(self) -> Operation {
        match self {
            Self::Remove => Operation::Remove,
            Self::Unjoin => Operation::Unjoin,
        }
    }

    const fn change(self) -> Change {
        match self {
            Self::Remove => Change::Remove,
            Self::Unjoin => Change::Unjoin,
        }
    }
}

impl Runner {
    /// Removes a batch, in smaller batches where the whole is refused. People whose work ends on the way are marked.
    pub(super) async fn remove(&self, step: &dyn Step, batch: Batch, people: &mut [Person]) {
        let send =
            || Sending { genesys: &self.genesys, not_after: None, purpose: Purpose::Remove, proof: None };
        let refused = match self.change(step, &batch, people, send()).await {
            Ok(()) => return,
            Err(Refusal::NobodyLeft) => return,
            Err(refused) => refused,
        };
        let smaller = if refused.as_a_whole() { step.smaller(&batch) } else { Vec::new() };
        if smaller.is_empty() {
            return self.set_aside(&batch, people, refused);
        }
        for part in smaller {
            if let Err(refused) = self.change(step, &part, people, send()).await {
                self.set_aside(&part, people, refused);
            }
        }
    }

    /// A refusal for good concerns this batch alone: the rest of what the person holds is stripped before a person has
    /// to look. Anything else ends the attempt.
    fn set_aside(&self, batch: &Batch, people: &mut [Person], refused: Refusal) {
        let Refusal::Call(error) = &refused else {
            return self.end_all(batch, people, refused);
        };
        let owner = self.owner_of(batch.first());
        for person in people.iter_mut().filter(|person| person.is_live() && batch.is_about(person)) {
            match after_error(error, &self.settings, person.lease.attempt, person.progress) {
                Release::Held(reason, detail) => {
                    person.block(batch, |what| Release::Held(reason, detail.or(what)))
                }
                Release::Failed(Reason::RefusedByGenesys, ..) if owner.is_some() => {
                    person.keep(batch, owner.unwrap_or_default());
                }
                Release::Failed(Reason::RefusedByGenesys, code, count) => {
                    person
                        .block(batch, |what| Release::Failed(Reason::RefusedByGenesys, what.or(code), count));
                }
                release @ (Release::Postponed { .. } | Release::Failed(..) | Release::Done(_)) => {
                    person.end(release.into());
                }
            }
        }
    }

    /// Sends one batch's call between its intention and its outcome.
    pub(super) async fn change(
        &self,
        step: &dyn Step,
        batch: &Batch,
        people: &mut [Person],
        send: Sending<'_>,
    ) -> Result<(), Refusal> {
        for attempt in 1..=TOKEN_TRIES {
            if self.stop.is_cancelled() {
                return Err(Refusal::Stop(Stop::stopping()));
            }
            let Looked { genesys, batch, good_until } = match send.purpose {
                Purpose::Remove => self.look_before(step, batch, people, &send).await?,
                Purpose::Unjoin => {
                    Looked { genesys: send.genesys.clone(), batch: batch.clone(), good_until: None }
                }
            };
            let call = genesys.prepare_call().await.map_err(Refusal::Call)?;
            let begun = Instant::now();
            let before = not_begun(people);
            let (intentions, batch) = self.begin(step, &batch, people, &call, send.purpose).await?;
            let lease_end = begun + self.fence.lease / 2;
            let bounds = [send.not_after, good_until].into_iter().flatten();
            let call = call.sent_before(bounds.fold(lease_end, Instant::min));
            let look = Look::new(&genesys, self.settings.plan.choices());
            let sent = Instant::now();
            let answer = step.remove(&look, call, &batch).await;
            measure::step_ended(step.name(), send.purpose.operation(), sent, error_of(&answer));
            let echo = step.echo(&batch);
            for intention in &intentions {
                let result = match send.purpose {
                    Purpose::Remove => removal(&answer, echo),
                    Purpose::Unjoin => unjoining(&answer),
                };
                let written = self.store.finish(&self.fence, intention, result).await;
                written.map_err(|error| Refusal::Stop(error.into()))?;
            }
            match answer {
                Ok(done) => {
                    // What no read proves is no progress: it succeeds each time, whatever else fails for ever.
                    let shows = step.proof() == Proof::ReadBack && send.purpose == Purpose::Remove;
                    if done.effect != Effect::AlreadyGone && shows {
                        people
                            .iter_mut()
                            .filter(|p| batch.is_about(p))
                            .for_each(|p| p.progress = Progress::Some);
                    }
                    return Ok(());
                }
                Err(failed) if token_refused(&failed) && attempt < TOKEN_TRIES => {}
                Err(failed) => {
                    if failed.outcome() == CallOutcome::NotSent {
                        nothing_began(people, &intentions, &before);
                    }
                    return Err(Refusal::Call(failed.into_error()));
                }
            }
        }
        Err(Refusal::NobodyLeft)
    }

    /// Writes the intentions; whoever may not be changed is marked and left out of the batch.
    async fn begin(
        &self,
        step: &dyn Step,
        batch: &Batch,
        people: &mut [Person],
        call: &OneCall,
        purpose: Purpose,
    ) -> Result<(Vec<Intention>, Batch), Refusal> {
        let mut intentions = Vec::new();
        for person in people.iter_mut().filter(|person| person.is_live() && batch.is_about(person)) {
            let user = person.user_id();
            let targets = batch.assignments().iter().filter(|a| a.user == user).map(|a| a.target.clone());
            let intention = Intention {
                offboarding: person.lease.id,
                targets: targets.collect(),
                user,
                step: step.name(),
                phase: step.phase(),
                change: purpose.change(),
                request_id: call.request_id().0,
            };
            let released = person.lease.approved.contains(&Reason::Brake);
            let brake = if released { None } else { Some(self.settings.brake) };
            match self.store.begin(&self.fence, &intention, brake).await {
                Ok(Permission::Granted) => {
                    person.lease.strip_began |= purpose == Purpose::Remove;
                    intentions.push(intention);
                }
                Ok(Permission::LeaseLost) => {
                    measure::fence_refused();
                    person.end(Stop::LeaseLost);
                }
                Ok(Permission::Paused) => person.end(Stop::paused()),
                Ok(Permission::Brake { trip }) => {
                    if let Some(changed) = trip {
                        page(changed, self.settings.brake);
                    }
                    person.end(Release::Held(Reason::Brake, None).into());
                }
                Ok(Permission::ApprovalExpired(reason)) => {
                    person.end(Release::Held(reason, Some(EXPIRED.to_owned())).into());
                }
                Err(error) => person.end(error.into()),
            }
        }
        let users: Vec<&str> = intentions.iter().map(|intention| intention.user.as_str()).collect();
        match batch.only(&users) {
            Some(batch) => Ok((intentions, batch)),
            None => Err(Refusal::NobodyLeft),
        }
    }

    /// Ends the work on everybody of a batch.
    pub(super) fn end_all(&self, batch: &Batch, people: &mut [Person], refused: Refusal) {
        let mut refused = Some(refused);
        for person in people.iter_mut().filter(|person| person.is_live() && batch.is_about(person)) {
            let stop = match &refused {
                Some(Refusal::Call(error)) => self.stop_for(person, error),
                Some(Refusal::Stop(_)) => match refused.take() {
                    Some(Refusal::Stop(stop)) => stop,
                    Some(Refusal::Call(_) | Refusal::NobodyLeft | Refusal::Outdated) | None => {
                        Stop::LeaseLost
                    }
                },
                // The first of the batch took the cause with it; the others' leases are given back as well.
                Some(Refusal::NobodyLeft | Refusal::Outdated) | None => {
                    wait(std::time::Duration::ZERO, "the call was not made")
                }
            };
            person.end(stop);
        }
    }
}

/// The one line of a trip that is to wake somebody.
fn page(changed: BrakeUse, limits: BrakeLimits) {
    metrics::counter!("leaver_brake_trips_total").increment(1);
    tracing::error!(
        changed_within_the_hour = changed.hour,
        changed_within_the_day = changed.day,
        changes_per_hour_max = limits.per_hour,
        changes_per_day_max = limits.per_day,
        "the brake has tripped: further people are held until an approver releases them"
    );
}

/// Whose strip has not begun.
fn not_begun(people: &[Person]) -> Vec<OffboardingId> {
    people.iter().filter(|person| !person.lease.strip_began).map(|person| person.lease.id).collect()
}

/// A call that never left has begun nothing; the store says so too.
fn nothing_began(people: &mut [Person], intentions: &[Intention], before: &[OffboardingId]) {
    for person in people.iter_mut().filter(|person| before.contains(&person.lease.id)) {
        if intentions.iter().any(|intention| intention.offboarding == person.lease.id) {
            person.lease.strip_began = false;
        }
    }
}

impl Refusal {
    /// Whether the refusal may be about one part of the batch only.
    fn as_a_whole(&self) -> bool {
        match self {
            // A batch that takes too long to be written down may be written down in parts.
            Self::Call(Error::Lapsed(_)) => true,
            Self::Call(error) => error.is_about_the_content(),
            Self::NobodyLeft | Self::Stop(_) | Self::Outdated => false,
        }
    }
}

impl Batch {
    pub(super) fn is_about(&self, person: &Person) -> bool {
        let user = person.user_id();
        self.assignments().iter().any(|assignment| assignment.user == user)
    }
}

pub(super) fn token_refused(failed: &CallFailed) -> bool {
    matches!(failed.error(), Error::Unauthorized { .. })
}

fn removal(answer: &Result<Done, CallFailed>, echo: Echo) -> CallResult {
    match answer {
        Ok(Done { effect: Effect::Removed, correlation_id }) => CallResult {
            result: "removed".to_owned(),
            proves: if echo == Echo::TellsGone { Proves::WereThere } else { Proves::Changed },
            correlation_id: correlation_id.clone(),
        },
        // Forwarding, for example, is switched off by setting it.
        Ok(Done { effect: Effect::Applied, correlation_id }) => CallResult {
            result: "removed".to_owned(),
            proves: Proves::Changed,
            correlation_id: correlation_id.clone(),
        },
        Ok(Done { effect: Effect::AlreadyGone, correlation_id }) => CallResult {
            result: "already_gone".to_owned(),
            proves: Proves::WereGone,
            correlation_id: correlation_id.clone(),
        },
        Err(failed) => failure(failed),
    }
}

/// The memberships stay: nothing was removed.
fn unjoining(answer: &Result<Done, CallFailed>) -> CallResult {
    match answer {
        Ok(Done { correlation_id, .. }) => CallResult {
            result: "unjoined".to_owned(),
            proves: Proves::Changed,
            correlation_id: correlation_id.clone(),
        },
        Err(failed) => failure(failed),
    }
}

pub(super) fn failure(failed: &CallFailed) -> CallResult {
    let what = match failed.outcome() {
        CallOutcome::NotSent => "not_sent",
        CallOutcome::Refused => "refused",
        CallOutcome::Unknown => "unknown",
    };
    let proves = match failed.outcome() {
        CallOutcome::NotSent => Proves::NotSent,
        CallOutcome::Refused | CallOutcome::Unknown => Proves::Nothing,
    };
    let error = failed.error();
    CallResult {
        result: format!("{what}: {}", error.code()),
        proves,
        correlation_id: error.correlation_id().map(str::to_owned),
    }
}
