//! Role grants in every division. Grants that come through a group belong to the group and are only reported here.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::{each_alone, each_person, put_back_in_chunks};
use super::{Batch, Echo, Look, PutBack, PutBacks, Step, id};
use crate::genesys::authorization::GRANTS_PER_CALL;
use crate::genesys::{CallFailed, DivisionId, Done, Error, Grant, OneCall, RoleId, UserId};
use crate::offboarding::{Assignment, Inherited, Observation, Phase, StepName};

/// Stands between role and division in a target; no id contains it.
const SEPARATOR: char = ':';

pub(super) struct RoleGrants;

#[async_trait]
impl Step for RoleGrants {
    fn name(&self) -> StepName {
        "strip.role_grants"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "role grants"
    }

    fn echo(&self, _batch: &Batch) -> Echo {
        Echo::TellsGone
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["authorization:grant:view"], &["authorization:grant:delete"]]
    }

    fn restore_permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["authorization:grant:add"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.grants(user).await.map(|grants| self.observation(user, &grants)));
        }
        seen
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_person(assignments).into_iter().flat_map(|batch| batch.chunks(GRANTS_PER_CALL)).collect()
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let user: UserId = id(&batch.first().user)?;
        let pairs = batch.assignments().iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        match pairs.as_slice() {
            [(role, division)] => call.delete_grant(&user, role, division).await,
            many => call.remove_grants(&user, many).await,
        }
    }

    /// The bulk call fails as a whole when one role or division of it is gone.
    fn smaller(&self, refused: &Batch) -> Vec<Batch> {
        match refused.assignments() {
            [] | [_] => Vec::new(),
            many => each_alone(many.to_vec()),
        }
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    fn put_backs(&self, missing: Vec<PutBack>) -> Vec<PutBacks> {
        put_back_in_chunks(&missing, GRANTS_PER_CALL)
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let pairs = missing.items().iter().map(|item| pair(&item.stored)).collect::<Result<Vec<_>, _>>()?;
        call.add_grants(&id::<UserId>(missing.user())?, &pairs).await
    }
}

impl RoleGrants {
    fn observation(&self, user: &UserId, grants: &[Grant]) -> Observation {
        let mut observation = Observation::default();
        for grant in grants {
            let target = format!("{}{SEPARATOR}{}", grant.role_id, grant.division_id);
            if grant.is_direct(user) {
                observation.assignments.push(Assignment {
                    user: user.to_string(),
                    step: self.name(),
                    target,
                    detail: json!({
                        "roleId": grant.role_id.to_string(), "role": grant.role_name,
                        "divisionId": grant.division_id.to_string(),
                    }),
                });
            } else {
                let via = grant.subject_id.to_string();
                observation.inherited.push(Inherited { step: self.name(), target, via });
            }
        }
        observation
    }
}

fn pair(assignment: &Assignment) -> Result<(RoleId, DivisionId), CallFailed> {
    let (role, division) = assignment.target.split_once(SEPARATOR).unwrap_or((&assignment.target, ""));
    Ok((id(role)?, id(division)?))
}
