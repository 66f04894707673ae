//! The stations of a user: the one they are logged in to, and their default.

use serde_json::{Map, Value, json};

use super::{Call, Operations};
use crate::answer::{Answer, Problem};
use crate::organisation::{Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[
    ("getUserStation", get),
    ("putUserStationAssociatedstationStationId", associate),
    ("deleteUserStationAssociatedstation", disassociate),
    ("putUserStationDefaultstationStationId", set_default),
    ("deleteUserStationDefaultstation", clear_default),
];

const TOUCHED: &[Kind] = &[Kind::Stations];

fn get(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::Stations, call.value("userId"))?;
    Ok(Answer::json(stations(organisation, &person)))
}

/// Gives the stations of a person; those that don't exist are left out.
pub(super) fn stations(organisation: &Organisation, person: &PersonState) -> Value {
    let station = |id: &String| {
        let name = organisation.stations.get(id).map_or("", String::as_str);
        json!({"id": id, "name": name, "type": "inin_webrtc_softphone"})
    };
    let effective = person.associated_station.as_ref().or(person.default_station.as_ref());
    let named = [
        ("associatedStation", person.associated_station.as_ref()),
        ("effectiveStation", effective),
        ("defaultStation", person.default_station.as_ref()),
    ];
    let present = named.into_iter().filter_map(|(name, id)| Some((name.to_owned(), station(id?))));
    Value::Object(present.collect::<Map<_, _>>())
}

fn associate(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let station = existing(organisation, call)?;
    let user = call.value("userId");
    let taken =
        |person: &PersonState| person.associated_station.as_ref() == Some(&station) && person.id != user;
    if organisation.views(Kind::Stations).any(|person| taken(person)) {
        let message = "Station is already associated";
        return Err(Problem::new(409, "userservice.stationalreadyassociated", message));
    }
    call.change(organisation, user, TOUCHED, |person| person.associated_station = Some(station))?;
    Ok(Answer::empty(202))
}

fn disassociate(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    call.change(organisation, call.value("userId"), TOUCHED, |person| person.associated_station = None)?;
    Ok(Answer::empty(202))
}

fn set_default(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let station = existing(organisation, call)?;
    call.change(organisation, call.value("userId"), TOUCHED, |person| {
        person.default_station = Some(station)
    })?;
    Ok(Answer::empty(202))
}

fn clear_default(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    call.change(organisation, call.value("userId"), TOUCHED, |person| person.default_station = None)?;
    Ok(Answer::empty(202))
}

fn existing(organisation: &Organisation, call: &Call<'_>) -> Result<String, Problem> {
    let id = call.value("stationId");
    organisation.stations.contains_key(id).then(|| id.to_owned()).ok_or_else(Problem::not_found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::probe::Probe;

    #[tokio::test]
    async fn stations_are_removed_one_by_one_and_can_be_given_back() {
        let probe = Probe::start().await;
        let agent = probe
            .simulator
            .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1"));
        let before = probe.simulator.person(&agent).unwrap();
        let path = format!("/api/v2/users/{agent}/station");
        assert_eq!(probe.delete(&format!("{path}/associatedstation")).await.status, 202);
        let left = probe.get(&path).await.body;
        assert_eq!(left.get("associatedStation"), None);
        assert_eq!(left["effectiveStation"], left["defaultStation"]);
        assert_eq!(probe.delete(&format!("{path}/defaultstation")).await.status, 202);
        assert_eq!(probe.get(&path).await.body, json!({}));
        let default = before.default_station.unwrap();
        let given = probe.send("PUT", &format!("{path}/defaultstation/{default}"), &Value::Null).await;
        assert_eq!(
            (given.status, probe.simulator.person(&agent).unwrap().default_station),
            (202, Some(default))
        );
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_station_somebody_uses_is_not_given_to_another() {
        let probe = Probe::start().await;
        let (jane, tom) = probe.simulator.organisation(|org| {
            let jane = presets::fully_assigned_agent(org, "Jane", "jane@example.com", "E1");
            (jane, presets::fully_assigned_agent(org, "Tom", "tom@example.com", "E2"))
        });
        let desk = probe.simulator.person(&jane).unwrap().associated_station.unwrap();
        let path = format!("/api/v2/users/{tom}/station/associatedstation/{desk}");
        assert_eq!(probe.send("PUT", &path, &Value::Null).await.status, 409);
    }
}
