//! Every template has samples, and every mistake of a target is refused by the name of its key.

use std::fs;

use chrono::DateTime;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::offboarding::OffboardingId;
use crate::store::callbacks::DueCallback;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/notify/templates");
const OFFBOARDING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn callback() -> Callback {
    Callback {
        key: "callbacks[0]".to_owned(),
        name: "sample".to_owned(),
        url: "https://x.example/a".to_owned(),
        secrets: Vec::new(),
        events: vec![CallbackEvent::Done],
        person: None,
        template: None,
        method: None,
        content_type: None,
        headers: Vec::new(),
        body: None,
        values: Vec::new(),
    }
}

fn due(sample: &Value) -> DueCallback {
    let at = DateTime::parse_from_rfc3339("2026-01-31T18:42:00Z").unwrap().to_utc();
    let text = |name: &str| sample[name].as_str().map(str::to_owned);
    DueCallback {
        id: Uuid::nil(),
        sequence: 7,
        target: "sample".to_owned(),
        offboarding: OffboardingId(OFFBOARDING.parse().unwrap()),
        event: text("event").unwrap(),
        status: text("status").unwrap(),
        outcome: text("outcome"),
        reason: text("reason"),
        goal: "offboarded".to_owned(),
        source: "workday".to_owned(),
        email: Some("canary@example.com".to_owned()),
        external_id: Some("W-17".to_owned()),
        genesys_user_id: Some("G-17".to_owned()),
        event_ids: vec!["e1".to_owned(), "e2".to_owned()],
        effective_at: at,
        completed_at: Some(at),
        occurred_at: at,
        attempt: 1,
        failing_for: None,
        target_failures: 0,
        until: at,
    }
}

fn held() -> Value {
    json!({"event": "offboarding.held", "status": "held", "outcome": null, "reason": "brake"})
}

fn console() -> Url {
    "https://leaver.example.com".parse().unwrap()
}

#[test]
fn every_template_writes_its_samples_as_expected() {
    for name in templates() {
        let text = fs::read_to_string(format!("{FOLDER}/{name}.samples.json")).unwrap();
        let samples: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert!(!samples.is_empty(), "{name}");
        for sample in samples {
            let with = sample["with"].as_object().cloned().unwrap_or_default();
            let values = with.into_iter().map(|(key, value)| (key, value.as_str().unwrap().into()));
            let template = Some(name.to_owned());
            let target = Target::new(&Callback { template, values: values.collect(), ..callback() }).unwrap();
            let message = Message::new(&due(&sample), target.share, Some(&console()));
            let request = target.request(&message).unwrap();
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(body, sample["expect"], "{name}: {}", sample["name"]);
            assert!(!request.body.contains("canary@example.com"), "{name}");
        }
    }
}

#[test]
fn the_list_of_templates_is_the_folder_and_each_one_says_everything() {
    let files = fs::read_dir(FOLDER).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
    names.sort();
    assert_eq!(templates().collect::<Vec<_>>(), names);
    for name in templates() {
        let template = Template::built_in(name).unwrap_or_else(|| panic!("{name} can't be read"));
        assert!(template.method().is_some() && template.person().is_some(), "{name}");
    }
}

#[test]
fn the_usual_body_tells_what_a_target_may_know() {
    let shared = |share| {
        let message = Message::new(&due(&held()), share, Some(&console()));
        serde_json::from_str::<Value>(&message.body()).unwrap()
    };
    let full = shared(Share::Full);
    assert_eq!(
        full,
        json!({
            "type": "offboarding.held", "timestamp": "2026-01-31T18:42:00.000000Z",
            "data": {
                "id": OFFBOARDING, "sequence": 7, "status": "held", "outcome": null, "reason": "brake",
                "goal": "offboarded", "source": "workday", "event_ids": ["e1", "e2"],
                "person": {"email": "canary@example.com", "external_id": "W-17", "genesys_user_id": "G-17"},
                "effective_at": "2026-01-31T18:42:00.000000Z", "completed_at": "2026-01-31T18:42:00.000000Z",
                "evidence": format!("https://leaver.example.com/offboardings/{OFFBOARDING}"),
                "next_action": "Make sure that it is no mistake, then `leaver approve ID…`.",
            }
        })
    );
    let ids = shared(Share::Ids);
    assert_eq!(ids["data"]["person"], json!({"external_id": "W-17", "genesys_user_id": "G-17"}));
    assert_eq!(shared(Share::None)["data"].get("person"), None);
    let without_link = Message::new(&due(&held()), Share::Ids, None);
    assert!(!without_link.body().contains("evidence"));
    // What a template could ask for is no more than that.
    let message = Message::new(&due(&held()), Share::None, None);
    for place in ["email", "external_id", "genesys_user_id"] {
        assert_eq!(message.value(place), None, "{place}");
    }
}

#[test]
fn every_place_has_a_value() {
    let message = Message::new(&due(&held()), Share::Full, Some(&console()));
    for place in PLACES.iter().filter(|place| **place != "outcome") {
        assert!(message.value(place).is_some_and(|value| !value.is_empty()), "{place}");
    }
}

fn body(text: &str) -> Callback {
    Callback { body: Some(text.to_owned()), ..callback() }
}

fn value(name: &str) -> Vec<(String, SecretString)> {
    vec![(name.to_owned(), "hushhush".into())]
}

#[test]
fn each_mistake_is_refused_by_the_name_of_its_key() {
    let url = |url: &str| Callback { url: url.to_owned(), ..callback() };
    let cases = [
        (body("{\"a\": \"{persn}\"}"), "callbacks[0].body: {persn} is no place: there is id, type, "),
        (body("{\"a\": {reason}}"), "callbacks[0].body: is no application/json once its places are filled"),
        (
            body("{\"a\": \"{email}\"}"),
            "callbacks[0].body: {email} is not told with person = \"ids\": say person = \"full\"",
        ),
        (
            Callback { person: Some(Share::None), ..body("{\"a\": \"{external_id}\"}") },
            "callbacks[0].body: {external_id} is not told with person = \"none\": say person = \"ids\"",
        ),
        (
            Callback { content_type: Some("text/xml".to_owned()), ..body("<a>{reason}") },
            "callbacks[0].body: is no text/xml once",
        ),
        (
            Callback { content_type: Some("image/png".to_owned()), ..body("{reason}") },
            "callbacks[0].content_type: expected the media type of JSON, a form, XML or text/plain, found \"image/png\"",
        ),
        (
            Callback { template: Some("slak".to_owned()), ..callback() },
            "callbacks[0].template: expected bamboohr-employee-field, pagerduty, slack, teams, found \"slak\"",
        ),
        (
            Callback { template: Some("pagerduty".to_owned()), ..callback() },
            "callbacks[0].with.routing_key: is missing, and the template needs it",
        ),
        (
            Callback { values: value("reason"), ..body("{\"a\": \"{reason}\"}") },
            "callbacks[0].with.reason: is the name of a place that Leaver fills itself",
        ),
        (
            Callback { values: value("key"), ..body("{}") },
            "callbacks[0].with.key: stands nowhere in the body",
        ),
        (url("https://x.example/{nobody}"), "callbacks[0].url: {nobody} is no place: there is id,"),
        (url("https://x.example/{email}"), "callbacks[0].url: {email} is not told with person = \"ids\""),
    ];
    for (callback, begins) in cases {
        let error = Target::new(&callback).unwrap_err().to_string();
        assert!(error.starts_with(begins), "{error}");
        assert!(!error.contains("hushhush"), "{error}");
    }
}

#[test]
fn an_address_that_needs_an_unknown_id_is_no_address() {
    let url = "https://x.example/people/{external_id}/field".to_owned();
    let target = Target::new(&Callback { url, ..callback() }).unwrap();
    let mut due = due(&held());
    let request = target.request(&Message::new(&due, target.share, None)).unwrap();
    assert_eq!(request.url.as_str(), "https://x.example/people/W-17/field");
    due.external_id = Some("../../admin?x=".to_owned());
    let request = target.request(&Message::new(&due, target.share, None)).unwrap();
    assert_eq!(request.url.path(), "/people/..%2F..%2Fadmin%3Fx%3D/field");
    due.external_id = None;
    let missing = target.request(&Message::new(&due, target.share, None)).err().unwrap();
    assert_eq!(missing, Missing("external_id".to_owned()));
}
