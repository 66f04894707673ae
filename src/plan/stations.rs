//! Stations: the phone that the person is associated with now, and the one that is theirs by default.

use async_trait::async_trait;
use serde_json::json;

use super::{Batch, Step, id};
use crate::genesys::{CallFailed, Done, Error, Genesys, OneCall, Station, UserId};
use crate::offboarding::{Assignment, Observation, Phase, StepName};

const ASSOCIATED: &str = "associated";
const DEFAULT: &str = "default";

pub(super) struct Stations;

#[async_trait]
impl Step for Stations {
    fn name(&self) -> StepName {
        "strip.stations"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "stations"
    }

    async fn observe(&self, genesys: &Genesys, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(genesys.stations_of(user).await.map(|stations| {
                let associated =
                    stations.associated.map(|station| self.assignment(user, ASSOCIATED, &station));
                let default =
                    stations.default_station.map(|station| self.assignment(user, DEFAULT, &station));
                Observation {
                    assignments: associated.into_iter().chain(default).collect(),
                    inherited: Vec::new(),
                }
            }));
        }
        seen
    }

    async fn remove(&self, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let user: UserId = id(&batch.first().user)?;
        match batch.first().target.starts_with(DEFAULT) {
            true => call.delete_default_station(&user).await,
            false => call.delete_associated_station(&user).await,
        }
    }
}

impl Stations {
    fn assignment(&self, user: &UserId, kind: &str, station: &Station) -> Assignment {
        Assignment {
            user: user.to_string(),
            step: self.name(),
            target: format!("{kind}:{}", station.id),
            detail: json!({ "kind": kind, "stationId": station.id.to_string(), "name": station.name }),
        }
    }
}
