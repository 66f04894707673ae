//! What is removed, in which order. The plan is one list; dry run, engine, snapshot, restore, journal, metrics and
//! documents all walk it, and a new kind of assignment is one file and one entry. A step looks, removes and puts back; it
//! records nothing. Beside the steps stand the reports: what belongs into the record and is not changed.

mod account_state;
mod batch;
mod call_forwarding;
mod callbacks;
pub mod choices;
mod direct_routing_backup;
mod groups;
mod licences;
mod look;
mod management_unit;
mod off_queue;
mod queue_memberships;
pub mod reports;
mod role_grants;
mod routing_languages;
mod routing_skills;
mod stations;
mod team;
mod tokens;
mod utilization;
mod work;

use async_trait::async_trait;
use serde_json::Value;

pub use batch::{Batch, PutBack, PutBacks, each_alone, each_person, id};
pub use choices::Choices;
pub use groups::NAME as GROUPS;
pub use look::{Look, roles_of, standing, standing_of};
pub use off_queue::OffQueue;
pub use work::{SHIFT_PERMISSIONS, ShiftEnd, shift_end_of, work_of};

use crate::genesys::{CallFailed, Done, Error, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The plan, in the order in which it is carried out; a restore walks it backwards. Queues come first, so that no new
/// work arrives; roles come after everything that a role may be needed for; the account and its tokens come last.
pub const PLAN: &[&dyn Step] = &[
    &queue_memberships::QueueMemberships,
    &callbacks::Callbacks,
    &routing_skills::RoutingSkills,
    &routing_languages::RoutingLanguages,
    &utilization::Utilization,
    &direct_routing_backup::DirectRoutingBackup,
    &groups::Groups,
    &team::Team,
    &stations::Stations,
    &call_forwarding::CallForwarding,
    &management_unit::ManagementUnit,
    &licences::Licences,
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

/// What the answer to a removal says when the thing was gone before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// 404: a second removal that succeeds proves that somebody assigned it again.
    TellsGone,
    /// The same as for a removal: a second one that succeeds proves nothing.
    Silent,
}

/// What it means that Genesys Cloud does not take something away for good, by refusing it or by keeping it silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A person has to find out why.
    Fails,
    /// Somebody else owns it, as the words say: it is inherited access, and held or passed like that.
    SomebodyElses(&'static str),
}

/// Whether what was taken away can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// All of it.
    Whole,
    /// All but what the words say.
    Except(&'static str),
    /// Nothing, for the reason in words.
    Never(&'static str),
}

/// Something that a step sees and leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is, as a target of the step.
    pub target: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Why it stays.
    pub why: &'static str,
}

/// One kind of thing that a person can hold. It has no verb `run`: looking first, recording, partial progress,
/// repetition and undo belong to the engine, or each author would invent them again.
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

    /// What the answer says when such a removal is repeated.
    fn echo(&self, _batch: &Batch) -> Echo {
        Echo::Silent
    }

    /// What it means that it is not taken away for good.
    fn when_refused(&self) -> Refusal {
        Refusal::Fails
    }

    /// What of it can be put back.
    fn comes_back(&self) -> Return {
        Return::Whole
    }

    /// Whether removing this can cut off an interaction: right before it the work is looked at once more.
    fn cuts_off(&self, _batch: &Batch) -> bool {
        false
    }

    /// Whether it is carried out under these choices. What is left out is said in the journal.
    fn is_on(&self, choices: &Choices) -> bool {
        choices.is_on(self.name(), choices::Switch::On)
    }

    /// What the OAuth client has to be permitted, by Genesys Cloud's names: of each entry one permission is enough.
    fn permissions(&self) -> &'static [&'static [&'static str]];

    /// What it has to be permitted besides that to put back what was taken away.
    fn restore_permissions(&self) -> &'static [&'static [&'static str]] {
        &[]
    }

    /// The reads of its own that it takes for one person besides those that a [`Look`] shares, without further pages.
    fn own_reads(&self) -> u32;

    /// Reads what each person of a cohort holds, one result per person in the same order. An answer that can't be read
    /// whole is an error, never an empty observation.
    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>>;

    /// Completes what is seen for the first time with what a restore needs and a complete read doesn't give.
    async fn inspect(&self, _look: &Look<'_>, _seen: &mut [Assignment]) -> Result<(), Error> {
        Ok(())
    }

    /// What of one person it leaves alone although it is of its kind, for whoever wants to see before. May read.
    async fn keeps(&self, _look: &Look<'_>, _user: &UserId) -> Result<Vec<Kept>, Error> {
        Ok(Vec::new())
    }

    /// Through what it is held, where the stored details say that it can't be taken from the person alone.
    fn held_through(&self, _detail: &Value) -> Option<String> {
        None
    }

    /// Divides assignments into what single calls can remove.
    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_alone(assignments)
    }

    /// Removes one batch with one call.
    async fn remove(&self, look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed>;

    /// The smaller batches to try where the bulk call was refused as a whole; none where there are none.
    fn smaller(&self, _refused: &Batch) -> Vec<Batch> {
        Vec::new()
    }

    /// Whether what is there now is what was stored.
    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        stored == present
    }

    /// Divides what is missing into what single calls can put back.
    fn put_backs(&self, missing: Vec<PutBack>) -> Vec<PutBacks> {
        batch::each_put_back_alone(missing)
    }

    /// Puts back with one call. Where one call isn't enough, the next pass sees what is still missing.
    async fn restore(&self, look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed>;
}

/// The part of a step's or a report's name that stands in the configuration.
pub fn kind_of(name: StepName) -> &'static str {
    name.split_once('.').map_or(name, |(_, kind)| kind)
}

/// What an engine carries out: the steps that are on, and how.
#[derive(Clone)]
pub struct Plan {
    every: Vec<&'static dyn Step>,
    steps: Vec<&'static dyn Step>,
    left_out: Vec<&'static dyn Step>,
    choices: Choices,
}

impl Plan {
    /// The steps of [`PLAN`] that are on under these choices.
    pub fn new(choices: Choices) -> Self {
        Self::of(PLAN, choices)
    }

    /// Any steps of which those are carried out that are on under these choices.
    pub fn of(steps: &[&'static dyn Step], choices: Choices) -> Self {
        let every = steps.to_vec();
        let (steps, left_out) = steps.iter().copied().partition(|step| step.is_on(&choices));
        Self { every, steps, left_out, choices }
    }

    /// The plan by which things come back: what was taken away does, whatever has been switched off since.
    #[must_use]
    pub fn for_restoring(&self) -> Self {
        let choices = Choices {
            removable_groups: vec!["*".to_owned()],
            ring_numbers: choices::RingNumbers::Stored,
            ..self.choices.clone()
        };
        Self { every: self.every.clone(), steps: self.every.clone(), left_out: Vec::new(), choices }
    }

    /// Every step that is carried out, in order.
    pub fn all(&self) -> &[&'static dyn Step] {
        &self.steps
    }

    /// The steps that are switched off.
    pub fn left_out(&self) -> &[&'static dyn Step] {
        &self.left_out
    }

    /// The steps of a phase, in order.
    pub fn steps(&self, phase: Phase) -> impl Iterator<Item = &'static dyn Step> {
        self.steps.iter().copied().filter(move |step| step.phase() == phase)
    }

    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&'static dyn Step> {
        self.steps.iter().copied().find(|step| step.name() == name)
    }

    /// What was chosen.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// The calls of one complete read of one person when nothing needs a second page.
    pub fn calls_per_complete_read(&self) -> u32 {
        look::SHARED_READS + self.steps(Phase::Strip).map(|step| step.own_reads()).sum::<u32>()
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |steps: &[&'static dyn Step]| steps.iter().map(|step| step.name()).collect::<Vec<_>>();
        f.debug_struct("Plan")
            .field("steps", &names(&self.steps))
            .field("left_out", &names(&self.left_out))
            .field("choices", &self.choices)
            .finish()
    }
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

    #[test]
    fn a_step_that_is_switched_off_is_left_out_and_named() {
        let choices = Choices::default().switched("strip.stations", choices::Switch::Off);
        let plan = Plan::new(choices);
        assert!(plan.step("strip.stations").is_none());
        assert!(plan.left_out().iter().any(|step| step.name() == "strip.stations"));
    }

    #[test]
    fn what_is_switched_off_comes_back_all_the_same_and_in_the_same_order() {
        let choices = Choices::default().switched("strip.stations", choices::Switch::Off);
        let plan = Plan::new(choices).for_restoring();
        let names = |steps: &[&dyn Step]| steps.iter().map(|step| step.name()).collect::<Vec<_>>();
        assert_eq!(names(plan.all()), names(PLAN));
        assert!(plan.left_out().is_empty() && plan.choices().removes_from("any", None));
    }
}
