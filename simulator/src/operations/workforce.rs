//! The management unit of an agent, as workforce management has it.

use serde_json::{Value, json};

use super::{Call, Operations};
use crate::answer::{Answer, Problem};
use crate::organisation::Organisation;
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getWorkforcemanagementAgentManagementunit", get_unit),
    ("postWorkforcemanagementAgents", move_agents),
];

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
}
