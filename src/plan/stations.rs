//! Stations: the phone that the person is associated with now, and the one that is theirs by default.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Batch, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, Station, StationId, Stations as Found, UserId};
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

    /// The phone of a call that goes on loses its line.
    fn cuts_off(&self, batch: &Batch) -> bool {
        !batch.first().target.starts_with(DEFAULT)
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[
            &["telephony:otherStationAssociation:view"],
            &["telephony:station:disassociate"],
            &["telephony:phone:assign", "telephony:plugin:all"],
        ]
    }

    fn restore_permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["telephony:otherStationAssociation:edit"]]
    }

    fn own_reads(&self) -> u32 {
        0
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            let read = look.genesys().stations_of(user);
            let stations = look.expanded(user, |found| found.stations.as_ref(), read).await;
            seen.push(stations.map(|stations| self.observation(user, &stations)));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        let user: UserId = id(&batch.first().user)?;
        match batch.first().target.starts_with(DEFAULT) {
            true => call.delete_default_station(&user).await,
            false => call.delete_associated_station(&user).await,
        }
    }

    fn is_as_before(&self, _stored: &Value, _present: &Value) -> bool {
        true
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let user: UserId = id(missing.user())?;
        let (kind, station) = missing.first().stored.target.split_once(':').unwrap_or_default();
        let station: StationId = id(station)?;
        match kind == DEFAULT {
            true => call.put_default_station(&user, &station).await,
            false => call.put_associated_station(&user, &station).await,
        }
    }
}

impl Stations {
    fn observation(&self, user: &UserId, found: &Found) -> Observation {
        let associated = found.associated.iter().map(|station| self.assignment(user, ASSOCIATED, station));
        let default = found.default_station.iter().map(|station| self.assignment(user, DEFAULT, station));
        Observation { assignments: associated.chain(default).collect(), inherited: Vec::new() }
    }

    fn assignment(&self, user: &UserId, kind: &str, station: &Station) -> Assignment {
        Assignment {
            user: user.to_string(),
            step: self.name(),
            target: format!("{kind}:{}", station.id),
            detail: json!({ "kind": kind, "stationId": station.id.to_string(), "name": station.name }),
        }
    }
}
