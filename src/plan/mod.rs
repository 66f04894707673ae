//! What is removed, in which order. The plan is one list; dry run, engine, snapshot, journal, metrics and documents all
//! walk it, and a new kind of assignment is one file and one entry. A step looks and removes; it records nothing.

mod account_state;
mod queue_memberships;
mod role_grants;
mod routing_languages;
mod routing_skills;
mod stations;
mod tokens;
mod utilization;

use std::str::FromStr;

use async_trait::async_trait;

use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The plan, in the order in which it is carried out. Queues come first, so that no new work arrives; roles come after
/// everything that a role may be needed for; the account and its tokens come last.
pub const PLAN: &[&dyn Step] = &[
    &queue_memberships::QueueMemberships,
    &routing_skills::RoutingSkills,
    &routing_languages::RoutingLanguages,
    &utilization::Utilization,
    &stations::Stations,
    &role_grants::RoleGrants,
    &account_state::AccountState,
    &tokens::Tokens,
];

/// How it is known that a step's work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Reading shows what is left.
    ReadBack,
    /// Nothing can be read; the journal's outcome is the proof.
    Journal,
}

/// What one changing call removes: assignments of one step, of one or more people. Never empty.
#[derive(Clone, Debug)]
pub struct Batch(Vec<Assignment>);

impl Batch {
    /// The assignments.
    pub fn assignments(&self) -> &[Assignment] {
        &self.0
    }

    /// The part of the batch that is about these users; `None` where nothing is left.
    pub fn only(&self, users: &[&str]) -> Option<Self> {
        let part: Vec<_> = self.0.iter().filter(|a| users.contains(&a.user.as_str())).cloned().collect();
        (!part.is_empty()).then_some(Self(part))
    }

    fn first(&self) -> &Assignment {
        &self.0[0]
    }
}

/// One kind of thing that a person can hold. It has no verb `run`: looking first, recording, partial progress and
/// repetition belong to the engine, or each author would invent them again.
#[async_trait]
pub trait Step: Send + Sync {
    /// The stable name, `PHASE.KIND`.
    fn name(&self) -> StepName;

    /// The phase that it belongs to.
    fn phase(&self) -> Phase;

    /// What is taken away, in words, for people.
    fn title(&self) -> &'static str;

    /// How it is known that the work is done.
    fn proof(&self) -> Proof {
        Proof::ReadBack
    }

    /// Reads what each person of a cohort holds, one result per person in the same order. An answer that can't be read
    /// whole is an error, never an empty observation.
    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>>;

    /// Divides assignments into what single calls can remove.
    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_alone(assignments)
    }

    /// Removes one batch with one call.
    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed>;

    /// The smaller batches to try where the bulk call was refused as a whole; none where there are none.
    fn smaller(&self, _refused: &Batch) -> Vec<Batch> {
        Vec::new()
    }
}

/// The steps of a phase, in order.
pub fn steps(phase: Phase) -> impl Iterator<Item = &'static dyn Step> {
    PLAN.iter().copied().filter(move |step| step.phase() == phase)
}

/// One call per assignment.
fn each_alone(assignments: Vec<Assignment>) -> Vec<Batch> {
    assignments.into_iter().map(|assignment| Batch(vec![assignment])).collect()
}

/// One call per person.
fn each_person(assignments: Vec<Assignment>) -> Vec<Batch> {
    grouped(assignments, |assignment| assignment.user.clone())
}

/// One call per group, in the order in which the groups first appear.
fn grouped(assignments: Vec<Assignment>, key: impl Fn(&Assignment) -> String) -> Vec<Batch> {
    let mut groups: Vec<(String, Vec<Assignment>)> = Vec::new();
    for assignment in assignments {
        let key = key(&assignment);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(assignment),
            None => groups.push((key, vec![assignment])),
        }
    }
    groups.into_iter().map(|(_, group)| Batch(group)).collect()
}

/// Reads back an id that an observation wrote. It can't fail for what `observe` returned; a damaged row is not sent.
fn id<T: FromStr>(text: &str) -> Result<T, CallFailed> {
    text.parse().map_err(|_| CallFailed::not_sent_for("an id in the plan is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own_that_starts_with_its_phase() {
        let mut names: Vec<_> = PLAN.iter().map(|step| step.name()).collect();
        for step in PLAN {
            assert_eq!(step.name().split_once('.').map(|(phase, _)| phase), Some(step.phase().as_str()));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PLAN.len());
    }

    #[test]
    fn nothing_of_the_account_is_touched_before_the_last_strip_step() {
        let first_of_account = PLAN.iter().position(|step| step.phase() == Phase::Deactivate).unwrap();
        assert!(PLAN[first_of_account..].iter().all(|step| step.phase() == Phase::Deactivate));
    }
}
