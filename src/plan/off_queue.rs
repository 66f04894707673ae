//! Taking somebody gently off their queues while their work is waited for: unjoined in all of them, so that nothing new is
//! routed to them. The memberships stay, and are taken away later by their own step.

use async_trait::async_trait;
use serde_json::Value;

use super::batch::each_person;
use super::queue_memberships::QueueMemberships;
use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{Activation, CallFailed, Done, Error, OneCall, QUEUES_PER_CALL, QueueId, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The step of the queue memberships, with another change: none of them is removed. It stands beside the plan, under the
/// step's own name, because it is about the same things; a restore finds in the snapshot who was joined.
pub struct OffQueue;

impl OffQueue {
    /// What one call sets unjoined: all of a person's queues, where they take interactions of any.
    pub fn joined(seen: Vec<Assignment>) -> Vec<Batch> {
        match seen.iter().any(|membership| membership.detail["joined"] != false) {
            true => OffQueue.batches(seen),
            false => Vec::new(),
        }
    }
}

#[async_trait]
impl Step for OffQueue {
    fn name(&self) -> StepName {
        QueueMemberships.name()
    }

    fn phase(&self) -> Phase {
        QueueMemberships.phase()
    }

    fn title(&self) -> &'static str {
        QueueMemberships.title()
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:queue:view"], &["routing:queueMember:manage", "routing:queue:join"]]
    }

    fn own_reads(&self) -> u32 {
        QueueMemberships.own_reads()
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        QueueMemberships.observe(look, cohort).await
    }

    fn held_through(&self, detail: &Value) -> Option<String> {
        QueueMemberships.held_through(detail)
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_person(assignments).into_iter().flat_map(|batch| batch.chunks(QUEUES_PER_CALL)).collect()
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let user: UserId = id(&batch.first().user)?;
        let queues = batch.assignments().iter().map(|one| id::<QueueId>(&one.target));
        let queues = queues.collect::<Result<Vec<_>, _>>()?;
        call.set_joined(&user, &queues, Activation::NotJoined).await
    }

    async fn restore(&self, look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        QueueMemberships.restore(look, call, missing).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn memberships(joined: &[bool]) -> Vec<Assignment> {
        let membership = |(number, joined): (usize, &bool)| Assignment {
            user: "user-1".to_owned(),
            step: OffQueue.name(),
            target: format!("queue-{number}"),
            detail: json!({"joined": joined}),
        };
        joined.iter().enumerate().map(membership).collect()
    }

    #[test]
    fn all_queues_go_with_one_call_and_nothing_is_sent_where_none_is_joined() {
        let batches = OffQueue::joined(memberships(&[true, false, true]));
        assert_eq!(batches.iter().map(|batch| batch.assignments().len()).collect::<Vec<_>>(), [3]);
        assert!(OffQueue::joined(memberships(&[false, false])).is_empty());
        assert!(OffQueue::joined(Vec::new()).is_empty());
    }
}
