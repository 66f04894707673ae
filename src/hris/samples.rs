//! Replays the sample bodies that stand beside the built-in profiles and compares them with their expected readings.
//! What a profile must read is left to the data files.

use axum::http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::delivery::Reading;
use super::source::Source;
use super::{builtin_profiles, pointer::Pointer};
use crate::offboarding::{Directive, Effective, TerminationEvent};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/hris/profiles");

fn source(profile: &str) -> Source {
    let toml = format!("profile = '{profile}'\nsecrets = ['a-secret-of-32-bytes-for-samples']");
    Source::build("sample", &toml.parse().unwrap()).unwrap()
}

fn samples(profile: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}/{profile}.samples.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn headers(sample: &Value) -> HeaderMap {
    let pairs = sample["headers"].as_object().unwrap().iter();
    pairs
        .map(|(name, value)| (HeaderName::try_from(name).unwrap(), value.as_str().unwrap().parse().unwrap()))
        .collect()
}

fn directive(directive: Directive) -> &'static str {
    match directive {
        Directive::Terminate => "terminate",
        Directive::Rescind => "rescind",
        Directive::Lookup => "lookup",
        Directive::Hold => "hold",
        Directive::Ignore => "ignore",
    }
}

/// Writes an event in the form of the sample files.
fn shown(event: &TerminationEvent) -> Value {
    let derived = event.event_id.starts_with("derived:");
    let mut shown = json!({
        "do": directive(event.directive),
        "email": event.person.email,
        "external_id": event.person.external_id,
        "event_id": if derived { "derived" } else { &event.event_id },
    });
    match &event.effective {
        Effective::At(moment) => shown["effective"] = json!(moment.to_rfc3339()),
        Effective::On(date) => shown["effective"] = json!(date.to_string()),
        Effective::Local(local) => shown["effective"] = json!(local.to_string()),
        Effective::Missing => shown["effective"] = Value::Null,
        Effective::Unreadable => shown["date_error"] = json!(true),
    }
    if let Some(moment) = event.occurred_at {
        shown["occurred_at"] = json!(moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    }
    if let Some(kind) = &event.termination_type {
        shown["type"] = json!(kind);
    }
    shown
}

#[test]
fn every_sample_beside_a_profile_is_read_as_expected() {
    let mut replayed = 0;
    for profile in builtin_profiles() {
        let source = source(profile);
        let samples = samples(profile);
        assert!(!samples.is_empty(), "{profile}");
        for sample in &samples {
            let read = match source.read(&headers(sample), sample["body"].as_str().unwrap().as_bytes()) {
                Reading::Events(events) => Value::from_iter(events.iter().map(shown)),
                Reading::Unreadable { cause, .. } => json!(cause.as_str()),
            };
            assert_eq!(read, sample["expect"], "{profile}: {}", sample["name"]);
            replayed += 1;
        }
    }
    println!("{replayed} sample bodies replayed");
}

/// A pointer that occurs in no sample is a slip of the hand: it would silently never match.
#[test]
fn every_pointer_of_a_profile_occurs_in_one_of_its_samples() {
    for profile in builtin_profiles() {
        let source = source(profile);
        let bodies: Vec<Value> = samples(profile)
            .iter()
            .filter_map(|s| source.reader.parse(s["body"].as_str().unwrap().as_bytes()).ok())
            .collect();
        for pointer in source.reader.mapping.pointers().chain(source.reader.rules.pointers()) {
            let occurs = |root: &Value| match pointer {
                Pointer::Root(path) => root.pointer(path).is_some(),
                Pointer::Item(path) => {
                    let items = source.reader.items(root).unwrap();
                    items.iter().any(|item| item.pointer(path).is_some())
                }
                Pointer::Picked(name, path) => {
                    let picks = source.reader.mapping.picks();
                    let of_root = picks.of_root(root);
                    source.reader.items(root).unwrap().iter().any(|item| {
                        let picked = picks.of_item(item, &of_root);
                        let element = picked.iter().find(|(known, _)| known == name).and_then(|(_, it)| *it);
                        element.is_some_and(|element| element.pointer(path).is_some())
                    })
                }
                Pointer::Header(_) => true,
            };
            assert!(bodies.iter().any(occurs), "{profile}: {pointer:?}");
        }
    }
}
