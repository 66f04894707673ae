//! Workforce management: the management unit of a user, moving them out of it or back, and their shifts.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    Genesys,
    call::{Done, Effect, OneCall},
    error::{CallFailed, Error, Fault, Trace},
    ids::{ManagementUnitId, UserId, segment},
    send::Request,
};

/// A management unit, as it is named where it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ManagementUnitRef {
    /// The management unit's id.
    pub id: ManagementUnitId,
    /// The management unit's name; Genesys publishes none here.
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    user: Option<RawUser>,
    management_unit: ManagementUnitRef,
}

#[derive(Deserialize)]
struct RawUser {
    id: UserId,
}

/// A shift of a published schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// When it begins.
    pub start: DateTime<Utc>,
    /// When it ends.
    pub end: DateTime<Utc>,
}

/// What a search for shifts came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shifts {
    /// The user's shifts, in no order; none where nothing is published for them.
    Found(Vec<Shift>),
    /// Genesys will send them later, or has them ready for a download.
    Elsewhere,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSearch {
    status: Option<String>,
    result: Option<RawSchedules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSchedules {
    agent_schedules: Vec<RawSchedule>,
}

#[derive(Deserialize)]
struct RawSchedule {
    user: RawUser,
    #[serde(default)]
    shifts: Vec<RawShift>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawShift {
    start_date: DateTime<Utc>,
    length_minutes: u32,
}

impl From<RawShift> for Shift {
    fn from(raw: RawShift) -> Self {
        let length = TimeDelta::minutes(i64::from(raw.length_minutes));
        Self { start: raw.start_date, end: raw.start_date + length }
    }
}

impl Genesys {
    /// Reads the user's shifts of published schedules between two moments, in the management unit that they belong to.
    /// Genesys answers large searches later or by a download; neither is followed.
    pub async fn shifts_of(
        &self,
        user: &UserId,
        unit: &ManagementUnitId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Shifts, Error> {
        let unit = segment(unit.as_str());
        let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/agentschedules/search");
        let date = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
        let body = json!({"startDate": date(from), "endDate": date(to), "userIds": [user]});
        let request = Request::with_body(Method::POST, path, body);
        let (found, _): (RawSearch, Trace) = self.read("the shifts of a user", &request).await?;
        let complete = found.status.is_none_or(|status| status == "Complete");
        Ok(match found.result.filter(|_| complete) {
            None => Shifts::Elsewhere,
            Some(found) => {
                let own = found.agent_schedules.into_iter().filter(|schedule| schedule.user.id == *user);
                Shifts::Found(own.flat_map(|schedule| schedule.shifts).map(Shift::from).collect())
            }
        })
    }

    /// Reads the management unit of the user; `None` when workforce management doesn't know them.
    pub async fn management_unit_of(&self, user: &UserId) -> Result<Option<ManagementUnitRef>, Error> {
        let subject = "the management unit of a user";
        let path = format!("/api/v2/workforcemanagement/agents/{}/managementunit", segment(user.as_str()));
        let (found, trace): (RawReference, Trace) = match self.read(subject, &Request::get(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        // Genesys says whose it is, but need not.
        if found.user.is_some_and(|named| named.id != *user) {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        Ok(Some(found.management_unit))
    }
}

impl OneCall {
    /// Moves the user into a management unit, or out of theirs when there is none to move to. Genesys does it later
    /// (202).
    pub async fn move_agent(
        self,
        user: &UserId,
        destination: Option<&ManagementUnitId>,
    ) -> Result<Done, CallFailed> {
        let path = "/api/v2/workforcemanagement/agents".to_owned();
        // Without a destination the null has to be there.
        let body = json!({"userIds": [user], "destinationManagementUnitId": destination});
        let done = self.apply(Request::with_body(Method::POST, path, body)).await?;
        let effect = if destination.is_some() { Effect::Applied } else { Effect::Removed };
        Ok(Done { effect, ..done })
    }
}
