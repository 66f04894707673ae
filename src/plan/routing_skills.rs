//! Routing skills: one call replaces all of a person's skills with none.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::{each_person, put_back_in_chunks};
use super::{Batch, Look, PutBack, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, SkillId, UserId, UserSkill};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The most skills that one call may add (Genesys Cloud's own provider for Terraform sends no more).
const SKILLS_PER_CALL: usize = 50;

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

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:skill:assign"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            let read = look.genesys().routing_skills_of(user);
            let skills = look.expanded(user, |found| found.skills.as_ref(), read).await;
            seen.push(skills.map(|skills| self.observation(user, &skills)));
        }
        seen
    }

    fn batches(&self, assignments: Vec<Assignment>) -> Vec<Batch> {
        each_person(assignments)
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.clear_routing_skills(&id::<UserId>(&batch.first().user)?).await
    }

    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        stored["proficiency"].as_f64() == present["proficiency"].as_f64()
    }

    fn put_backs(&self, missing: Vec<PutBack>) -> Vec<PutBacks> {
        put_back_in_chunks(&missing, SKILLS_PER_CALL)
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let skills = missing.items().iter().map(|item| {
            let proficiency = item.stored.detail["proficiency"].as_f64().unwrap_or_default();
            Ok((id::<SkillId>(&item.stored.target)?, proficiency))
        });
        let skills = skills.collect::<Result<Vec<_>, CallFailed>>()?;
        call.add_routing_skills(&id::<UserId>(missing.user())?, &skills).await
    }
}

impl RoutingSkills {
    fn observation(&self, user: &UserId, skills: &[UserSkill]) -> Observation {
        let assignments = skills.iter().map(|skill| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: skill.id.to_string(),
            detail: json!({
                "skillId": skill.id.to_string(), "name": skill.name, "proficiency": skill.proficiency,
            }),
        });
        Observation { assignments: assignments.collect(), inherited: Vec::new() }
    }
}
