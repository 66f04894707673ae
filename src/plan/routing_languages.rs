//! Routing languages: there is no call that clears them, so each goes alone.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::batch::put_back_in_chunks;
use super::{Batch, Echo, Look, PutBack, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, LanguageId, OneCall, UserId, UserLanguage};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

/// The most languages that one call may add (Genesys Cloud answers 400 above it).
const LANGUAGES_PER_CALL: usize = 50;

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

    fn echo(&self, _batch: &Batch) -> Echo {
        Echo::TellsGone
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:skill:assign", "routing:language:assign"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            let read = look.genesys().routing_languages_of(user);
            let languages = look.expanded(user, |found| found.languages.as_ref(), read).await;
            seen.push(languages.map(|languages| self.observation(user, &languages)));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let language: LanguageId = id(&batch.first().target)?;
        call.delete_routing_language(&id::<UserId>(&batch.first().user)?, &language).await
    }

    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        stored["proficiency"].as_f64() == present["proficiency"].as_f64()
    }

    fn put_backs(&self, missing: Vec<PutBack>) -> Vec<PutBacks> {
        put_back_in_chunks(&missing, LANGUAGES_PER_CALL)
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let languages = missing.items().iter().map(|item| {
            let proficiency = item.stored.detail["proficiency"].as_f64().unwrap_or_default();
            Ok((id::<LanguageId>(&item.stored.target)?, proficiency))
        });
        let languages = languages.collect::<Result<Vec<_>, CallFailed>>()?;
        call.add_routing_languages(&id::<UserId>(missing.user())?, &languages).await
    }
}

impl RoutingLanguages {
    fn observation(&self, user: &UserId, languages: &[UserLanguage]) -> Observation {
        let assignments = languages.iter().map(|language| Assignment {
            user: user.to_string(),
            step: self.name(),
            target: language.id.to_string(),
            detail: json!({
                "languageId": language.id.to_string(), "name": language.name, "proficiency": language.proficiency,
            }),
        });
        Observation { assignments: assignments.collect(), inherited: Vec::new() }
    }
}
