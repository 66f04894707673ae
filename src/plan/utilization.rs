//! Utilization: the person's own override of how much work is routed at once. The organisation's default is nobody's.

use async_trait::async_trait;

use super::{Batch, Step, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, Level, OneCall, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

pub(super) struct Utilization;

#[async_trait]
impl Step for Utilization {
    fn name(&self) -> StepName {
        "strip.utilization"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "utilization override"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(genesys.utilization_of(user).await.map(|utilization| match utilization.level {
                Level::Organization => Observation::default(),
                Level::Agent => Observation {
                    assignments: vec![Assignment {
                        user: user.to_string(),
                        step: self.name(),
                        target: "override".to_owned(),
                        detail: utilization.settings,
                    }],
                    inherited: Vec::new(),
                },
            }));
        }
        seen
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.delete_utilization(&id::<UserId>(&batch.first().user)?).await
    }
}
