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
    call.change(
        organisation,
        call.value("userId"),
        &[Kind::Utilization],
        |person| person.utilization = None,
    )?;
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
