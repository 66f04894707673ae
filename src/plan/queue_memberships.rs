//! Queue memberships, joined and not joined: a membership that is only unjoined can be joined again by anybody who may.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Step, each_alone, grouped, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, QueueId, UserId, UserQueue};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The most members that one bulk call may name (Genesys Cloud answers 400 above it).
const MEMBERS_PER_CALL: usize = 100;

pub(super) struct QueueMemberships;

#[async_trait]
impl Step for QueueMemberships {
    fn name(&self) -> StepName {
        "strip.queue_memberships"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "queue memberships"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(genesys.queues_of(user).await.map(|queues| self.observation(user, &queues)));
        }
        seen
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        let per_queue = grouped(assignments, |assignment| assignment.target.clone());
        let chunks =
            |batch: Batch| batch.0.chunks(MEMBERS_PER_CALL).map(|c| Batch(c.to_vec())).collect::<Vec<_>>();
        per_queue.into_iter().flat_map(chunks).collect()
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let queue: QueueId = id(&batch.first().target)?;
        match batch.assignments() {
            [one] => call.delete_queue_member(&queue, &id::<UserId>(&one.user)?).await,
            many => {
                let users = many.iter().map(|one| id::<UserId>(&one.user)).collect::<Result<Vec<_>, _>>()?;
                call.remove_queue_members(&queue, &users).await
            }
        }
    }

    fn smaller(&self, refused: &Batch) -> Vec<Batch> {
        match refused.assignments() {
            [] | [_] => Vec::new(),
            many => each_alone(many.to_vec()),
        }
    }
}

impl QueueMemberships {
    fn observation(&self, user: &UserId, queues: &[UserQueue]) -> Observation {
        let assignments = queues.iter().map(|queue| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: queue.id.to_string(),
            detail: json!({ "queueId": queue.id.to_string(), "name": queue.name, "joined": queue.joined }),
        });
        Observation { assignments: assignments.collect(), inherited: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(user: &str, queue: &str) -> Assignment {
        Assignment {
            user: user.to_owned(),
            step: QueueMemberships.name(),
            target: queue.to_owned(),
            detail: json!({}),
        }
    }

    #[test]
    fn people_of_one_queue_share_a_call_up_to_the_published_limit() {
        let crowd = (0..150).map(|n| membership(&format!("user-{n}"), "queue-1"));
        let batches = QueueMemberships.batches(crowd.chain([membership("user-0", "queue-2")]).collect());
        let sizes: Vec<_> = batches.iter().map(|batch| batch.assignments().len()).collect();
        assert_eq!(sizes, [100, 50, 1]);
        assert_eq!(QueueMemberships.smaller(&batches[1]).len(), 50);
        assert!(QueueMemberships.smaller(&batches[2]).is_empty());
    }
}
