//! The call forwarding of a user: always an object, switched off while it was never set.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Call, Operations, text};
use crate::answer::{Answer, Problem};
use crate::organisation::{Organisation, PersonState};
use crate::rules::Kind;

pub(super) const OPERATIONS: Operations = &[("getUserCallforwarding", get), ("putUserCallforwarding", put)];

/// What of a body is kept; everything else in it is the platform's own.
const WRITABLE: &[&str] = &["enabled", "phoneNumber", "calls", "voicemail"];

/// Digits of an E.164 number: no country's shortest is below, and the standard ends there.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

fn get(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let person = call.read(organisation, Kind::CallForwarding, call.value("userId"))?;
    Ok(Answer::json(body(&person)))
}

fn put(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.value("userId");
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    check(organisation, &person, call.body)
        .map_err(|(code, message)| Problem::new(409, &format!("callforwarding.{code}"), message))?;
    let fields = call.body.as_object().into_iter().flatten();
    let kept = fields.filter(|(name, value)| WRITABLE.contains(&name.as_str()) && !value.is_null());
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    call.change(organisation, id, &[Kind::CallForwarding], |person| {
        person.call_forwarding = Some(Value::Object(kept));
    })?;
    let person = organisation.person(id).ok_or_else(Problem::not_found)?;
    Ok(Answer::json(body(&person)))
}

fn body(person: &PersonState) -> Value {
    let mut body = json!({
        "id": person.id,
        "name": person.name,
        "enabled": false,
        "calls": [],
        "voicemail": "NONE",
        "selfUri": format!("/api/v2/users/{}/callforwarding", person.id),
    });
    if let (Some(body), Some(set)) = (body.as_object_mut(), person.call_forwarding.as_ref()) {
        body.extend(set.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    }
    body
}

/// Gives the published code and text of the first thing that is wrong.
fn check(
    organisation: &Organisation,
    person: &PersonState,
    body: &Value,
) -> Result<(), (&'static str, &'static str)> {
    let calls = body.get("calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let somewhere = !calls.is_empty() || !text(body, "phoneNumber").is_empty();
    match body.get("enabled").and_then(Value::as_bool) {
        None => return Err(("enabledcannotbenull", "Enabled must be true or false")),
        Some(true) if !somewhere => {
            let message = "Call forwarding is not allowed to be enabled without calls";
            return Err(("enablednotallowedwithoutcalls", message));
        }
        Some(true) if person.presence == "On Queue" => {
            let message = "Call forwarding is not allowed to be enabled while on queue";
            return Err(("enablednotallowedwhileonqueue", message));
        }
        Some(_) => {}
    }
    if text(body, "voicemail") == "PURECLOUD" && !somewhere {
        let message = "Setting voicemail 'purecloud' cannot be used without a call";
        return Err(("voicemailpurecloudrequiresatleastonecall", message));
    }
    let mut used = BTreeSet::new();
    for call in calls {
        let targets = call.get("targets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if targets.is_empty() {
            return Err(("callrequiresatleastonetarget", "A call requires at least one target"));
        }
        for target in targets {
            check_target(organisation, text(target, "type"), text(target, "value"))?;
            if !used.insert(text(target, "value")) {
                let message = "A phone number or station can only be used once";
                return Err(("duplicatetargetnotallowed", message));
            }
        }
    }
    Ok(())
}

fn check_target(
    organisation: &Organisation,
    kind: &str,
    value: &str,
) -> Result<(), (&'static str, &'static str)> {
    let digits = value.strip_prefix('+').unwrap_or(value);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == value.len() || NUMBER_DIGITS.contains(&digits.len()));
    if kind.is_empty() {
        return Err(("calltargetrequirestype", "A call target requires a type"));
    }
    if value.is_empty() {
        return Err(("calltargetrequiresvalue", "A call target requires a value"));
    }
    if kind == "STATION" && !organisation.stations.contains_key(value) {
        let message = "Call target with type of 'station' requires the value to be a valid station id";
        return Err(("calltargetstationrequiresstation", message));
    }
    if kind == "PHONENUMBER" && !is_number {
        return Err(("invalidphonenumberformat", "Invalid E164 phone number"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::{Id, Person};
    use crate::probe::Probe;
    use crate::rules::Lag;

    async fn person(presence: &str) -> (Probe, Id, Id, String) {
        let probe = Probe::start().await;
        let (id, station) = probe.simulator.organisation(|org| {
            let person = org.add_person(Person::new("Jane", "jane@example.com").presence(presence));
            (person, org.add_station("Desk"))
        });
        let path = format!("/api/v2/users/{id}/callforwarding");
        (probe, id, station, path)
    }

    fn to(targets: &Value) -> Value {
        json!({"enabled": true, "calls": [{"targets": targets}], "voicemail": "PURECLOUD"})
    }

    #[tokio::test]
    async fn forwarding_that_was_never_set_is_an_object_that_says_it_is_off() {
        let (probe, id, _, path) = person("Offline").await;
        let never = probe.get(&path).await;
        assert_eq!((never.status, &never.body["enabled"]), (200, &json!(false)));
        assert_eq!(probe.simulator.person(&id).unwrap().call_forwarding, None);
        let nobody = path.replace(&id, "0b9f6f0e-1111-4c1c-8d1a-000000000000");
        assert_eq!(probe.get(&nobody).await.status, 404);
        assert_eq!(probe.send("PUT", &nobody, &json!({"enabled": false})).await.status, 404);
    }

    #[tokio::test]
    async fn forwarding_is_switched_off_and_what_was_read_before_can_be_put_back() {
        let (probe, id, station, path) = person("Offline").await;
        let targets = json!([{"type": "PHONENUMBER", "value": "+4915112345678"}, {"type": "STATION", "value": station}]);
        assert_eq!(probe.send("PUT", &path, &to(&targets)).await.status, 200);
        let (set, snapshot) = (probe.simulator.person(&id), probe.get(&path).await.body);
        assert_eq!(snapshot["calls"][0]["targets"], targets);
        let off = probe.send("PUT", &path, &json!({"enabled": false})).await;
        assert_eq!((off.status, &off.body["enabled"], &off.body["calls"]), (200, &json!(false), &json!([])));
        assert_eq!(probe.send("PUT", &path, &snapshot).await.status, 200);
        assert_eq!(
            probe.simulator.person(&id).unwrap().call_forwarding,
            set.and_then(|person| person.call_forwarding)
        );
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn what_cannot_be_forwarded_is_409_with_its_published_code() {
        let (probe, id, _, path) = person("Offline").await;
        let number = json!({"type": "PHONENUMBER", "value": "+4915112345678"});
        for (body, code) in [
            (json!({"calls": []}), "enabledcannotbenull"),
            (json!({"enabled": true, "calls": []}), "enablednotallowedwithoutcalls"),
            (json!({"enabled": false, "voicemail": "PURECLOUD"}), "voicemailpurecloudrequiresatleastonecall"),
            (to(&json!([])), "callrequiresatleastonetarget"),
            (to(&json!([{"value": "+4915112345678"}])), "calltargetrequirestype"),
            (to(&json!([{"type": "PHONENUMBER"}])), "calltargetrequiresvalue"),
            (to(&json!([{"type": "STATION", "value": "nowhere"}])), "calltargetstationrequiresstation"),
            (to(&json!([{"type": "PHONENUMBER", "value": "0151/123"}])), "invalidphonenumberformat"),
            (to(&json!([{"type": "PHONENUMBER", "value": "+49"}])), "invalidphonenumberformat"),
            (to(&json!([number, number])), "duplicatetargetnotallowed"),
        ] {
            let refused = probe.send("PUT", &path, &body).await;
            let code = format!("callforwarding.{code}");
            assert_eq!((refused.status, text(&refused.body, "code")), (409, code.as_str()), "{body}");
        }
        assert_eq!(probe.simulator.person(&id).unwrap().call_forwarding, None);
    }

    #[tokio::test]
    async fn on_queue_forwarding_can_be_switched_off_but_not_on() {
        let (probe, _, _, path) = person("On Queue").await;
        let on = to(&json!([{"type": "PHONENUMBER", "value": "+4915112345678"}]));
        let refused = probe.send("PUT", &path, &on).await;
        assert_eq!(text(&refused.body, "code"), "callforwarding.enablednotallowedwhileonqueue");
        assert_eq!(probe.send("PUT", &path, &json!({"enabled": false})).await.status, 200);
    }

    #[tokio::test]
    async fn a_lag_shows_the_old_forwarding_for_as_many_reads_as_told() {
        let (probe, _, _, path) = person("Offline").await;
        let on = to(&json!([{"type": "PHONENUMBER", "value": "200"}]));
        probe.send("PUT", &path, &on).await;
        probe.simulator.set_lag(Kind::CallForwarding, Lag::Reads(1));
        probe.send("PUT", &path, &json!({"enabled": false})).await;
        assert_eq!(probe.get(&path).await.body["enabled"], true);
        assert_eq!(probe.get(&path).await.body["enabled"], false);
    }
}
