//! Queue memberships, joined and not joined: a membership that is only unjoined can be joined again by anybody who may.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::{each_alone, grouped};
use super::choices::RingNumbers;
use super::{Batch, Echo, Look, PutBacks, Step, id};
use crate::genesys::{Activation, CallFailed, Done, Error, MemberBy, OneCall, QueueId, UserId, UserQueue};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The most members that one bulk call may name (Genesys Cloud answers 400 above it).
const MEMBERS_PER_CALL: usize = 100;

/// The ring that a new member is put into.
const FIRST_RING: u64 = 1;

/// What the details say of a membership that belongs to a group.
const BY_GROUP: &str = "group";

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

    /// The bulk call passes over whoever is no member.
    fn echo(&self, batch: &Batch) -> Echo {
        if batch.assignments().len() == 1 { Echo::TellsGone } else { Echo::Silent }
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:queue:view"], &["routing:queueMember:manage", "routing:queue:edit"]]
    }

    fn own_reads(&self) -> u32 {
        2
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().queues_of(user).await.map(|queues| self.observation(user, &queues)));
        }
        seen
    }

    /// Only the queue's own list says which ring a member is in, and whether they came with a group.
    async fn inspect(&self, look: &Look<'_>, seen: &mut [Assignment]) -> Result<(), Error> {
        if look.choices().ring_numbers == RingNumbers::LeftOut {
            return Ok(());
        }
        for membership in seen {
            look_closer(look, membership).await?;
        }
        Ok(())
    }

    /// Whoever is a member through a group leaves with the group.
    fn held_through(&self, detail: &Value) -> Option<String> {
        (detail["memberBy"] == BY_GROUP).then(|| match detail["memberGroups"].as_array() {
            Some(groups) if !groups.is_empty() => {
                groups.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
            }
            Some(_) | None => "a group".to_owned(),
        })
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        let per_queue = grouped(assignments, |assignment| assignment.target.clone());
        per_queue.into_iter().flat_map(|batch| batch.chunks(MEMBERS_PER_CALL)).collect()
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
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

    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        let same_ring = stored["ringNumber"].is_null() || stored["ringNumber"] == present["ringNumber"];
        stored["joined"] == present["joined"] && same_ring
    }

    /// First the membership, then, once it shows, what it was like.
    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let (queue, user): (QueueId, UserId) = (id(&missing.first().stored.target)?, id(missing.user())?);
        if missing.first().present.is_none() {
            return call.add_queue_member(&queue, &user).await;
        }
        let stored = &missing.first().stored.detail;
        let activation = if stored["joined"] == true { Activation::Joined } else { Activation::NotJoined };
        let ring = stored["ringNumber"].as_u64().unwrap_or(FIRST_RING);
        call.update_queue_member(&queue, &user, activation, u32::try_from(ring).unwrap_or_default()).await
    }
}

impl QueueMemberships {
    fn observation(&self, user: &UserId, queues: &[UserQueue]) -> Observation {
        let assignments = queues.iter().map(|queue| {
            let groups: Vec<_> = queue.member_groups.iter().map(|group| group.id.to_string()).collect();
            Assignment {
                user: user.to_string(),
                step: self.name(),
                target: queue.id.to_string(),
                detail: json!({
                    "queueId": queue.id.to_string(), "name": queue.name, "joined": queue.joined,
                    "memberGroups": groups,
                }),
            }
        });
        Observation { assignments: assignments.collect(), inherited: Vec::new() }
    }
}

async fn look_closer(look: &Look<'_>, membership: &mut Assignment) -> Result<(), Error> {
    let damaged = |_| Error::Unsendable("an id in the plan is damaged");
    let (queue, user): (QueueId, UserId) =
        (membership.target.parse().map_err(damaged)?, membership.user.parse().map_err(damaged)?);
    let known = look.user(&user).await?;
    // Gone meanwhile: the next pass sees it.
    if let Some(member) = look.genesys().queue_member(&queue, &user, known.name.as_deref()).await? {
        membership.detail["ringNumber"] = json!(member.ring_number);
        membership.detail["memberBy"] = match member.by {
            MemberBy::User => json!("user"),
            MemberBy::Group => json!(BY_GROUP),
            MemberBy::Unknown(other) => json!(other),
        };
    }
    Ok(())
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

    #[test]
    fn a_membership_is_as_before_when_ring_and_joining_are() {
        let stored = json!({"joined": false, "ringNumber": 3, "name": "old name"});
        assert!(QueueMemberships.is_as_before(&stored, &json!({"joined": false, "ringNumber": 3})));
        assert!(!QueueMemberships.is_as_before(&stored, &json!({"joined": true, "ringNumber": 3})));
        assert!(!QueueMemberships.is_as_before(&stored, &json!({"joined": false, "ringNumber": 1})));
        assert!(
            QueueMemberships
                .is_as_before(&json!({"joined": true}), &json!({"joined": true, "ringNumber": 2}))
        );
    }

    #[test]
    fn a_member_by_group_is_held_through_the_groups_that_serve_the_queue() {
        let detail = json!({"memberBy": "group", "memberGroups": ["g1", "g2"]});
        assert_eq!(QueueMemberships.held_through(&detail).as_deref(), Some("g1 or g2"));
        assert_eq!(QueueMemberships.held_through(&json!({"memberBy": "group"})).as_deref(), Some("a group"));
        assert_eq!(QueueMemberships.held_through(&json!({"memberBy": "user", "memberGroups": ["g1"]})), None);
    }
}
