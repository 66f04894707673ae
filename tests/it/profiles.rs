//! The built-in profiles against the real service: every published case and every sample, signed as its sender would, is
//! answered, stored and shown as it is to be read, and nobody else is ever named.

use std::collections::BTreeSet;

use leaver::hris::{Signing, Source, builtin_profiles};
use serde_json::{Value, json};

use crate::commands::run;
use crate::edge::Answer;
use crate::sources_doc::{given_headers, profile, samples};
use crate::support::{ALICE, Service, World, client};

/// Published by the senders or their users, with readings that were written down by hand.
const CASES: &str = include_str!("../data/hris-payload-cases.json");

/// A pair of keys whose private half is the seed of RFC 8032, 7.1, test 1.
const PUBLIC_KEY: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const PRIVATE_KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

/// A secret in the form that the profile wants.
fn secret(name: &str) -> &'static str {
    let profile = profile(name);
    let auth = &profile["auth"];
    match (auth["kind"].as_str().unwrap(), auth.get("key_encoding").and_then(toml::Value::as_str)) {
        ("ed25519", _) => PUBLIC_KEY,
        ("basic", _) => "hr-system:a-long-password-of-the-test",
        (_, Some("base64")) => "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        (_, _) => "a-secret-of-the-tests-32-bytes-long",
    }
}

/// The source of a profile.
fn source_name(profile: &str) -> String {
    format!("p-{profile}")
}

/// The profiles of deliveries; by another one users are provisioned.
fn senders() -> impl Iterator<Item = &'static str> {
    builtin_profiles().filter(|name| *name != "scim")
}

/// Every built-in profile of deliveries as a source.
fn all_sources() -> String {
    let section = |name| {
        format!("[sources.{}]\nprofile = {name:?}\nsecrets = [{:?}]\n", source_name(name), secret(name))
    };
    senders().map(section).collect()
}

/// A body to deliver and how it is to be read.
struct Case {
    profile: String,
    name: String,
    headers: Vec<(String, String)>,
    body: String,
    expect: Value,
}

impl Case {
    fn of(profile: &str, written: &Value) -> Self {
        Self {
            profile: profile.to_owned(),
            name: format!("{profile}: {}", written["name"].as_str().unwrap()),
            headers: sent_headers(profile, written),
            body: written["body"].as_str().unwrap().to_owned(),
            expect: written["expect"].clone(),
        }
    }

    /// Signed with the product's own code, which is held to the published signatures elsewhere.
    async fn deliver(&self, service: &Service) -> Answer {
        let text = format!("profile = {:?}\nsecrets = [{:?}]", self.profile, secret(&self.profile));
        let source = Source::build(&self.profile, &text.parse().unwrap()).unwrap();
        let secret = (secret(&self.profile) == PUBLIC_KEY).then_some(PRIVATE_KEY);
        let signing = Signing { secret, headers: &self.headers, now: chrono::Utc::now() };
        let mut request = client()
            .post(format!("{}/webhooks/{}", service.public, source_name(&self.profile)))
            .header("content-type", source.format().content_type());
        for (name, value) in source.sign_as(self.body.as_bytes(), &signing).unwrap() {
            request = request.header(name, value);
        }
        Answer::to(request.body(self.body.clone())).await
    }

    /// The items that are acted upon or that somebody has to look at.
    fn acting(&self) -> Vec<&Value> {
        let items = self.expect.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter(|item| !["ignore", "rescind"].contains(&item["do"].as_str().unwrap())).collect()
    }
}

/// The headers of a case but its timestamp, which would be too old by now.
fn sent_headers(name: &str, written: &Value) -> Vec<(String, String)> {
    let profile = profile(name);
    let stamp = profile["auth"].get("timestamp_header").and_then(toml::Value::as_str).unwrap_or_default();
    let headers = written["headers"].as_object().unwrap().iter();
    headers
        .filter(|(header, _)| !header.eq_ignore_ascii_case(stamp))
        .map(|(header, value)| (header.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn published() -> Vec<Case> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    cases.iter().map(|case| Case::of(case["profile"].as_str().unwrap(), case)).collect()
}

fn every_sample() -> Vec<Case> {
    senders().flat_map(|name| samples(name).into_iter().map(move |sample| Case::of(name, &sample))).collect()
}

async fn view(service: &Service, brief: &Value) -> Value {
    let path = format!("/api/v1/offboardings/{}", brief["id"].as_str().unwrap());
    service.api(reqwest::Method::GET, &path, ALICE).await.1
}

/// Delivers a case whose dates are long past, and holds the answer and what is shown against what is expected.
async fn holds(service: &Service, case: &Case) {
    let answer = case.deliver(service).await;
    let what = format!("{}: {}", case.name, answer.text());
    let receipt = answer.json();
    assert!([200, 202].contains(&answer.status), "{what}");
    let briefs = receipt["offboardings"].as_array().unwrap_or_else(|| panic!("{what}"));
    let Some(items) = case.expect.as_array() else {
        // A word instead: authentic, and not to be understood.
        assert_eq!((&receipt["status"], briefs.len()), (&json!("held"), 1), "{what}");
        assert!(receipt["event_id"].as_str().unwrap().starts_with("body:"), "{what}");
        let view = view(service, &briefs[0]).await;
        assert_eq!((&view["status"], &view["reason"]), (&json!("held"), &json!("unreadable")), "{what}");
        let nobody = json!({"email": null, "external_id": null, "genesys_user_id": null});
        assert_eq!(view["person"], nobody, "{what}");
        return;
    };
    let acting = case.acting();
    // Somebody of whom nothing is known can't be taken back either.
    let named = |item: &&Value| !item["email"].is_null() || !item["external_id"].is_null();
    assert!(items.iter().all(|item| item["do"] != "rescind" || named(&item)), "{what}");
    assert_eq!(receipt["status"], if acting.is_empty() { "ignored" } else { "held" }, "{what}");
    is_id(&receipt["event_id"], &items[0], &what);
    assert_eq!(briefs.len(), acting.len(), "{what}");
    let mut views = Vec::new();
    for brief in briefs {
        views.push(view(service, brief).await);
    }
    for item in acting {
        let person = json!({
            "email": item["email"], "external_id": item["external_id"], "genesys_user_id": null,
        });
        let found = views.iter().position(|view| view["person"] == person && has_id(view, item));
        let view = views.remove(found.unwrap_or_else(|| panic!("{what}: nobody is {person} in {views:#?}")));
        assert_eq!(view["status"], "held", "{what}");
        let reason = view["reason"].as_str().unwrap();
        let reasons: &[&str] = match item["do"].as_str().unwrap() {
            "lookup" | "hold" => &["lookup_required"],
            _ if item["date_error"] == true || !named(&item) => &["unreadable"],
            _ if item["effective"].is_null() => &["effective_date_missing"],
            _ => &["stale_event"],
        };
        assert!(reasons.contains(&reason), "{what}: {reason}");
    }
    assert!(views.is_empty(), "{what}: {views:#?}");
}

fn is_id(id: &Value, item: &Value, what: &str) {
    let id = id.as_str().unwrap();
    match item["event_id"].as_str().unwrap() {
        "derived" => assert!(id.starts_with("derived:"), "{what}"),
        own => assert_eq!(id, own, "{what}"),
    }
}

fn has_id(view: &Value, item: &Value) -> bool {
    let ids = view["event_ids"].as_array().unwrap();
    match item["event_id"].as_str().unwrap() {
        "derived" => ids.iter().all(|id| id.as_str().unwrap().starts_with("derived:")),
        own => ids.iter().any(|id| id == own),
    }
}

/// As if nothing had come: the journal and its chain give nothing up otherwise.
const EMPTY: &str =
    "set session_replication_role = replica; truncate offboardings, events, audit_chain cascade";

async fn all_hold(cases: &[Case]) {
    let world = World::new().await;
    let service = world.serve(&all_sources(), &["serve", "--no-worker"]);
    for case in cases {
        holds(&service, case).await;
        // The same people leave in many of them.
        world.sql(EMPTY).await;
    }
    println!("{} cases delivered", cases.len());
}

#[tokio::test]
async fn every_published_case_is_answered_and_shown_as_it_is_to_be_read() {
    let cases = published();
    assert_eq!(cases.len(), 22);
    all_hold(&cases).await;
}

#[tokio::test]
async fn every_sample_of_every_profile_is_answered_and_shown_as_it_is_to_be_read() {
    let cases = every_sample();
    assert!(cases.len() > 60, "{}", cases.len());
    all_hold(&cases).await;
}

/// A case whose date is put into the present, as a sender would write it.
fn of_today(case: &Case) -> Option<Case> {
    let acting = case.acting();
    let terminates = |item: &&Value| {
        item["do"] == "terminate" && (!item["email"].is_null() || !item["external_id"].is_null())
    };
    let mut body = case.body.clone();
    if acting.is_empty() || !acting.iter().all(terminates) {
        return None;
    }
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    for item in acting {
        let date = item["effective"].as_str()?.get(..10)?;
        body = body.replace(date, &today);
    }
    let copy = Case {
        body,
        profile: case.profile.clone(),
        name: case.name.clone(),
        headers: case.headers.clone(),
        expect: case.expect.clone(),
    };
    (copy.body != case.body).then_some(copy)
}

#[tokio::test]
async fn a_termination_of_today_is_accepted_and_names_the_person_of_the_pointers() {
    let world = World::new().await;
    let service = world.serve(&all_sources(), &["serve", "--no-worker"]);
    let mut profiles = BTreeSet::new();
    for case in published().iter().chain(&every_sample()).filter_map(of_today) {
        let answer = case.deliver(&service).await;
        let receipt = answer.json();
        assert_eq!(receipt["status"], "accepted", "{}: {receipt}", case.name);
        for (brief, item) in receipt["offboardings"].as_array().unwrap().iter().zip(case.acting()) {
            let view = view(&service, brief).await;
            assert_eq!(view["status"], "scheduled", "{}", case.name);
            let person = (&view["person"]["email"], &view["person"]["external_id"]);
            assert_eq!(person, (&item["email"], &item["external_id"]), "{}", case.name);
        }
        profiles.insert(case.profile.clone());
        world.sql(EMPTY).await;
    }
    // All that say who and when by themselves.
    let fat = [
        "bamboohr-field-based",
        "cloudevents-binary",
        "cloudevents-structured",
        "generic-user-terminated",
        "generic-worker-terminated",
        "merge",
        "standard-webhooks",
        "standard-webhooks-v1a",
        "workday",
        "workday-bearer",
        "workday-timestamp",
    ];
    assert_eq!(profiles.iter().map(String::as_str).collect::<Vec<_>>(), fat);
}

#[tokio::test]
async fn nobody_is_named_but_by_a_pointer() {
    let world = World::new().await;
    let service = world.serve(&all_sources(), &["serve", "--no-worker"]);
    for case in published() {
        case.deliver(&service).await;
    }
    // Administrators, and the one of two members that the other hides.
    let others = "select count(*) from offboardings where email in
        ('ceo@acme.example', 'admin@okta.com', 'victim@example.com', 'd@e.f')";
    assert_eq!(world.number(others).await, 0);
}

#[tokio::test]
async fn the_first_sample_of_every_profile_can_be_sent_from_the_command_line() {
    let world = World::new().await;
    let service = world.serve(&all_sources(), &["serve", "--no-worker"]);
    let config = world.config(&all_sources());
    for name in senders() {
        let sample = &samples(name)[0];
        let file = config.with_extension(name);
        std::fs::write(&file, sample["body"].as_str().unwrap()).unwrap();
        let source = source_name(name);
        let url = format!("{}/webhooks/{source}", service.public);
        let mut arguments: Vec<String> =
            ["send", "--source", &source, "--file", file.to_str().unwrap(), "--url", &url]
                .map(str::to_owned)
                .to_vec();
        for (header, value) in given_headers(name, sample) {
            arguments.extend(["--header".to_owned(), format!("{header}={value}")]);
        }
        if secret(name) == PUBLIC_KEY {
            arguments.extend(["--secret".to_owned(), PRIVATE_KEY.to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let sent = run(&config, &arguments).await;
        let status = &sent.done().out[..3];
        assert!(["200", "202"].contains(&status), "{name}: {sent:?}");
    }
}
