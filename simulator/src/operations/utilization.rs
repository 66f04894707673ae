//! The utilization override of a user; without one the organisation's setting holds.

use serde_json::{Value, json};

use super::{Call, Operations};
use crate::answer::{Answer, Problem};
use crate::organisation::{Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getRoutingUserUtilization", get),
    ("putRoutingUserUtilization", put),
    ("deleteRoutingUserUtilization", delete),
];

fn get(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Utilization, call.value("userId"))?;
    Ok(Answer::json(body(&person)))
}

fn put(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    call.change(organisation, id, &[Kind::Utilization], |person| {
        person.utilization = Some(call.body.clone())
    })?;
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(body(&person)))
}

fn delete(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    call.change(organisation, call.value("userId"), &[Kind::Utilization], |person| {
        person.utilization = None
    })?;
    Ok(Answer::empty(200))
}

fn body(person: &PersonState) -> Value {
    let Some(own) = &person.utilization else {
        let media = |capacity: u32| json!({"maximumCapacity": capacity, "interruptableMediaTypes": [], "includeNonAcd": false});
        return json!({
            "utilization": {"call": media(1), "callback": media(1), "chat": media(4), "email": media(1), "message": media(4)},
            "labelUtilizations": {},
            "level": "Organization",
        });
    };
    let mut body = own.clone();
    body["level"] = Value::from("Agent");
    body
}

#[cfg(test)]
mod tests {
    use crate::presets;
    use crate::probe::Probe;
    use crate::rules::InactiveWrites;

    #[tokio::test]
    async fn an_override_is_dropped_to_the_organisations_setting_and_can_be_put_back() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        let before = probe.simulator.person(&agent).unwrap().utilization.unwrap();
        let path = format!("/api/v2/routing/users/{agent}/utilization");
        assert_eq!(probe.get(&path).await.body["level"], "Agent");
        assert_eq!(probe.delete(&path).await.status, 200);
        assert_eq!(probe.get(&path).await.body["level"], "Organization");
        assert_eq!(probe.delete(&path).await.status, 200);
        assert_eq!(probe.send("PUT", &path, &before).await.status, 200);
        assert_eq!(probe.simulator.person(&agent).unwrap().utilization, Some(before));
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn writes_for_an_inactive_user_are_refused_by_switch() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        probe.deactivate(&agent).await;
        probe.simulator.rules(|rules| rules.inactive_writes = InactiveWrites::Refused);
        let path = format!("/api/v2/routing/users/{agent}/utilization");
        assert_eq!(probe.delete(&path).await.status, 400);
        assert_eq!(probe.delete(&format!("/api/v2/tokens/{agent}")).await.status, 204);
        probe.simulator.rules(|rules| rules.inactive_writes = InactiveWrites::Accepted);
        assert_eq!(probe.delete(&path).await.status, 200);
    }
}
