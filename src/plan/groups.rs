//! Groups out of which people are taken by choice. A group hands roles and queues back to whoever is in it; groups that are
//! not listed are left alone, and what comes through them is reported where it is found.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Batch, Kept, Look, PutBacks, Refusal, Step, id};
use crate::genesys::{CallFailed, Done, Error, GroupId, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The step's name: what it removed may go on handing on roles and queues for a while.
pub const NAME: StepName = "strip.groups";

pub(super) struct Groups;

#[async_trait]
impl Step for Groups {
    fn name(&self) -> StepName {
        NAME
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "listed groups"
    }

    /// Genesys Cloud doesn't say of a group who fills it; that shows when a member is not let go.
    fn when_refused(&self) -> Refusal {
        Refusal::SomebodyElses("the group's own rules or a directory")
    }

    /// Genesys Cloud names no permission for the members of groups.
    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(self.listed(look, user).await);
        }
        seen
    }

    async fn keeps(&self, look: &Look<'_>, user: &UserId) -> Result<Vec<Kept>, Error> {
        let mut groups = look.groups(user).await?;
        groups.retain(|group| !look.choices().removes_from(group.id.as_str(), group.name.as_deref()));
        let kept = groups.into_iter().map(|group| Kept {
            target: group.id.to_string(),
            name: group.name,
            why: "not listed in plan.removable_groups",
        });
        Ok(kept.collect())
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let group: GroupId = id(&batch.first().target)?;
        call.remove_group_member(&group, &id::<UserId>(&batch.first().user)?).await
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let (group, user): (GroupId, UserId) = (id(&missing.first().stored.target)?, id(missing.user())?);
        let present = look.genesys().group(&group).await.map_err(CallFailed::not_sent_after)?;
        call.add_group_member(&group, &user, present.version).await
    }
}

impl Groups {
    async fn listed(&self, look: &Look<'_>, user: &UserId) -> Result<Observation, Error> {
        if look.choices().removable_groups.is_empty() {
            return Ok(Observation::default());
        }
        let groups = look.groups(user).await?;
        let listed = groups
            .iter()
            .filter(|group| look.choices().removes_from(group.id.as_str(), group.name.as_deref()));
        let assignments = listed.map(|group| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: group.id.to_string(),
            detail: json!({ "groupId": group.id.to_string(), "name": group.name }),
        });
        Ok(Observation { assignments: assignments.collect(), inherited: Vec::new() })
    }
}
