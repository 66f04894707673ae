//! Routing languages: there is no call that clears them, so each goes alone.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Step, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, LanguageId, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct RoutingLanguages;

#[async_trait]
impl Step for RoutingLanguages {
    fn name(&self) -> StepName {
        "strip.routing_languages"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "routing languages"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(genesys.routing_languages_of(user).await.map(|languages| {
                let assignments = languages.iter().map(|language| Assignment {
                    user: user.to_string(),
                    step: self.name(),
                    target: language.id.to_string(),
                    detail: json!({
                        "languageId": language.id.to_string(), "name": language.name,
                        "proficiency": language.proficiency,
                    }),
                });
                Observation { assignments: assignments.collect(), inherited: Vec::new() }
            }));
        }
        seen
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let language: LanguageId = id(&batch.first().target)?;
        call.delete_routing_language(&id::<UserId>(&batch.first().user)?, &language).await
    }
}
