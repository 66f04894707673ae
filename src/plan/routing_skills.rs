//! Routing skills: one call replaces all of a person's skills with none.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Step, each_person, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct RoutingSkills;

#[async_trait]
impl Step for RoutingSkills {
    fn name(&self) -> StepName {
        "strip.routing_skills"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "routing skills"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(genesys.routing_skills_of(user).await.map(|skills| {
                let assignments = skills.iter().map(|skill| Assignment {
                    user: user.to_string(),
                    step: self.name(),
                    target: skill.id.to_string(),
                    detail: json!({
                        "skillId": skill.id.to_string(), "name": skill.name, "proficiency": skill.proficiency,
                    }),
                });
                Observation { assignments: assignments.collect(), inherited: Vec::new() }
            }));
        }
        seen
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_person(assignments)
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.clear_routing_skills(&id::<UserId>(&batch.first().user)?).await
    }
}
