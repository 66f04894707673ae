//! The management unit of an agent and their shifts, as workforce management has them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{Organisation, Shift};
use crate::rules::{Kind, Schedules};

pub(super) const OPERATIONS: Operations = &[
    ("getWorkforcemanagementAgentManagementunit", get_unit),
    ("postWorkforcemanagementAgents", move_agents),
    ("postWorkforcemanagementManagementunitAgentschedulesSearch", search_shifts),
];

/// The operation whose result comes later.
const OPERATION: &str = "5f0a8a0e-3b0f-4f43-9d0a-6c1b7a0f4e21";

const UNITS: &str = "/api/v2/workforcemanagement/managementunits";

fn get_unit(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let agent = call.read(organisation, Kind::ManagementUnit, call.value("agentId"))?;
    let unit = agent.management_unit.as_ref().ok_or_else(Problem::not_found)?;
    let business_unit = organisation.business_unit();
    let business_unit_uri = format!("/api/v2/workforcemanagement/businessunits/{business_unit}");
    Ok(Answer::json(json!({
        "user": user(&agent.id),
        "managementUnit": {"id": unit, "selfUri": format!("{UNITS}/{unit}")},
        "businessUnit": {"id": business_unit, "selfUri": business_unit_uri},
    })))
}

/// Moves agents into a unit, or out of theirs where none is named; what it did is told per agent, never by the status.
fn move_agents(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let destination = call.body.get("destinationManagementUnitId").and_then(Value::as_str);
    let ids = call.body.get("userIds").and_then(Value::as_array).into_iter().flatten();
    let results: Vec<Value> = ids
        .filter_map(Value::as_str)
        .map(|id| json!({"user": user(id), "result": move_agent(organisation, call, id, destination)}))
        .collect();
    let mut answer = json!({"results": results});
    if let Some(unit) = destination {
        answer["destinationManagementUnit"] = json!({"id": unit, "selfUri": format!("{UNITS}/{unit}")});
    }
    Ok(Answer { status: 202, ..Answer::json(answer) })
}

fn move_agent(
    organisation: &mut Organisation,
    call: &Call<'_>,
    id: &str,
    destination: Option<&str>,
) -> &'static str {
    if destination.is_some_and(|unit| !organisation.management_units.contains_key(unit)) {
        return "DestinationManagementUnitDoesNotExist";
    }
    let moved = call.change(organisation, id, &[Kind::ManagementUnit], |agent| {
        std::mem::replace(&mut agent.management_unit, destination.map(str::to_owned))
    });
    match moved {
        Ok(from) if from.as_deref() != destination => "MoveSuccessful",
        Ok(Some(_)) => "AlreadyMoved",
        Ok(None) | Err(_) => "NothingToDo",
    }
}

/// Gives the shifts of the agents asked for that touch the time asked for; who belongs to another unit is left out.
fn search_shifts(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let unit = call.value("managementUnitId");
    if !organisation.management_units.contains_key(unit) {
        return Err(Problem::not_found());
    }
    let (from, to) = (moment(call.body, "startDate")?, moment(call.body, "endDate")?);
    let answer = match call.rules.schedules {
        Schedules::Later => json!({"status": "Processing", "operationId": OPERATION, "progress": 0}),
        Schedules::Download => {
            let url = format!("https://downloads.invalid/{OPERATION}");
            json!({"status": "Complete", "operationId": OPERATION, "downloadUrl": url})
        }
        Schedules::AtOnce => {
            let ids = call.body.get("userIds").and_then(Value::as_array).into_iter().flatten();
            let agents = ids.filter_map(Value::as_str).filter_map(|id| organisation.person(id));
            let of_unit = agents.filter(|agent| agent.management_unit.as_deref() == Some(unit));
            let schedules = of_unit.map(|agent| {
                let shifts = agent.shifts.iter().filter(|shift| shift.start < to && end(**shift) > from);
                json!({"user": user(&agent.id), "shifts": shifts.map(shown).collect::<Vec<_>>(),
                    "fullDayTimeOffMarkers": []})
            });
            let schedules: Vec<Value> = schedules.collect();
            json!({"status": "Complete", "result": {"agentSchedules": schedules,
                "businessUnitTimeZone": "Etc/UTC", "publishedSchedules": []}})
        }
    };
    Ok(Answer::json(answer))
}

fn moment(body: &Value, name: &str) -> Result<DateTime<Utc>, Problem> {
    text(body, name).parse().map_err(|_| Problem::bad_request(&format!("{name} is no date")))
}

fn end(shift: Shift) -> DateTime<Utc> {
    shift.start + TimeDelta::minutes(i64::from(shift.minutes))
}

fn shown(shift: &Shift) -> Value {
    let start = shift.start.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({"startDate": start, "lengthMinutes": shift.minutes, "activities": [], "manuallyEdited": false})
}

fn user(id: &str) -> Value {
    json!({"id": id, "selfUri": format!("/api/v2/users/{id}")})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::Person;
    use crate::probe::Probe;
    use crate::rules::Lag;

    async fn agent() -> (Probe, String, String) {
        let probe = Probe::start().await;
        let (agent, unit) = probe.simulator.organisation(|org| {
            let unit = org.add_management_unit("Billing");
            (org.add_person(Person::new("Jane", "jane@example.com").management_unit(&unit)), unit)
        });
        (probe, agent, unit)
    }

    async fn move_to(probe: &Probe, agent: &str, destination: &Value) -> Value {
        let body = json!({"userIds": [agent], "destinationManagementUnitId": destination});
        let reply = probe.send("POST", "/api/v2/workforcemanagement/agents", &body).await;
        assert_eq!(reply.status, 202);
        reply.body["results"][0]["result"].clone()
    }

    #[tokio::test]
    async fn an_agent_leaves_their_unit_and_can_be_moved_back() {
        let (probe, agent, unit) = agent().await;
        let path = format!("/api/v2/workforcemanagement/agents/{agent}/managementunit");
        assert_eq!(probe.get(&path).await.body["managementUnit"]["id"], unit.as_str());
        assert_eq!(move_to(&probe, &agent, &Value::Null).await, "MoveSuccessful");
        assert_eq!(probe.simulator.person(&agent).unwrap().management_unit, None);
        assert_eq!(probe.get(&path).await.status, 404);
        assert_eq!(move_to(&probe, &agent, &Value::Null).await, "NothingToDo");
        assert_eq!(move_to(&probe, &agent, &json!(unit)).await, "MoveSuccessful");
        assert_eq!(move_to(&probe, &agent, &json!(unit)).await, "AlreadyMoved");
        assert_eq!(probe.simulator.person(&agent).unwrap().management_unit, Some(unit));
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_move_that_can_not_be_made_is_accepted_and_says_so_in_its_result() {
        let (probe, agent, unit) = agent().await;
        let nowhere = move_to(&probe, &agent, &json!("nowhere")).await;
        assert_eq!(nowhere, "DestinationManagementUnitDoesNotExist");
        assert_eq!(move_to(&probe, "nobody", &Value::Null).await, "NothingToDo");
        assert_eq!(probe.simulator.person(&agent).unwrap().management_unit, Some(unit));
        let incomplete = json!({"destinationManagementUnitId": null});
        let refused = probe.send("POST", "/api/v2/workforcemanagement/agents", &incomplete).await;
        assert_eq!(refused.status, 400);
    }

    #[tokio::test]
    async fn a_move_is_seen_late_when_the_rules_say_so_and_nobody_is_404() {
        let (probe, agent, _) = agent().await;
        probe.simulator.set_lag(Kind::ManagementUnit, Lag::Reads(1));
        move_to(&probe, &agent, &Value::Null).await;
        let path = format!("/api/v2/workforcemanagement/agents/{agent}/managementunit");
        assert_eq!(probe.get(&path).await.status, 200);
        assert_eq!(probe.get(&path).await.status, 404);
        let nobody = probe.get("/api/v2/workforcemanagement/agents/nobody/managementunit").await;
        assert_eq!(nobody.status, 404);
    }

    #[tokio::test]
    async fn shifts_are_found_by_unit_time_and_agent_and_may_come_later_or_elsewhere() {
        let (probe, agent, unit) = agent().await;
        let path = format!("/api/v2/workforcemanagement/managementunits/{unit}/agentschedules/search");
        let shift = Shift { start: "2026-06-15T06:00:00Z".parse().unwrap(), minutes: 480 };
        probe.simulator.organisation(|org| org.edit(&agent, |person| person.shifts.push(shift)));
        let search = |from: &str, to: &str| json!({"startDate": from, "endDate": to, "userIds": [agent]});
        let day = search("2026-06-15T00:00:00Z", "2026-06-16T00:00:00.000Z");
        let found = probe.send("POST", &path, &day).await;
        let schedule = &found.body["result"]["agentSchedules"][0];
        assert_eq!((found.status, &schedule["user"]["id"]), (200, &json!(agent)));
        assert_eq!(schedule["shifts"][0]["startDate"], "2026-06-15T06:00:00.000Z");
        assert_eq!(schedule["shifts"][0]["lengthMinutes"], 480);
        let before = search("2026-06-14T00:00:00Z", "2026-06-15T06:00:00Z");
        let none = probe.send("POST", &path, &before).await;
        assert_eq!(none.body["result"]["agentSchedules"][0]["shifts"], json!([]));
        for (rule, given) in [(Schedules::Later, "operationId"), (Schedules::Download, "downloadUrl")] {
            probe.simulator.rules(|rules| rules.schedules = rule);
            let answer = probe.send("POST", &path, &day).await;
            assert!(answer.body[given].is_string() && answer.body.get("result").is_none(), "{rule:?}");
        }
        let nowhere = path.replace(&unit, "nowhere");
        assert_eq!(probe.send("POST", &nowhere, &day).await.status, 404);
        probe.assert_no_violations();
    }
}
