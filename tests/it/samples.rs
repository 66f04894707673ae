//! Samples beside the configuration: replayed by `leaver check` and at the start, and refused where something does not fit.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::commands::{found, run};
use crate::support::{World, leaver};

const ACME: &str =
    "[sources.acme]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"the-key-of-acme-0123456789\"]\n";

/// As `ACME`, with the address somewhere else.
const MOVED: &str = "[sources.acme.map]\nemail = \"/worker/mail\"\n";

fn moved() -> Value {
    let body = |event: &str| {
        json!({"event": event, "eventId": "e1", "timestamp": "2026-01-31T18:42:00Z", "workerId": "W1",
               "worker": {"mail": "jane@example.com"}, "terminationDate": "2026-02-28", "terminationType": "voluntary"})
        .to_string()
    };
    let read = |directive: &str| {
        json!([{"do": directive, "email": "jane@example.com", "external_id": "W1", "effective": "2026-02-28",
                "event_id": "e1", "occurred_at": "2026-01-31T18:42:00Z", "type": "voluntary"}])
    };
    json!([
        {"name": "has left", "body": body("worker.terminated"), "expect": read("terminate"), "note": "for people"},
        {"name": "taken back", "body": body("worker.rehired"), "expect": read("rescind")},
        {"name": "no JSON", "body": "worker.terminated", "expect": "not_json"},
    ])
}

/// A world whose source has samples of its own beside its configuration.
async fn with_samples(samples: &str) -> (World, PathBuf) {
    let world = World::new().await;
    std::fs::write(world.folder.path().join("acme.json"), samples).unwrap();
    let config = world.config(&format!("{ACME}samples = \"acme.json\"\n{MOVED}"));
    (world, config)
}

#[tokio::test]
async fn check_replays_the_samples_of_every_source_and_says_what_is_not_verified() {
    let world = World::new().await;
    let more = format!(
        "{ACME}{MOVED}[sources.rippling]\nprofile = \"rippling-partner\"\nsecrets = [\"the-token-of-rippling-0123\"]\n\
         [sources.gusto]\nprofile = \"gusto\"\nsecrets = [\"the-token-of-gusto-0123456\"]\nauth_failure_status = 503\n\
         date_zone = \"Europe/Berlin\"\n"
    );
    let checked = run(&world.config(&more), &["check", "--json"]).await.json();
    let finding = |what: &str| {
        let finding = found(&checked, what);
        let told = [&finding["what"], &finding["do"]].into_iter().filter_map(|text| text.as_str());
        (finding["severity"].as_str().unwrap().to_owned(), told.collect::<Vec<_>>().join(": "))
    };
    let (level, detail) = finding("source gusto");
    assert_eq!((level.as_str(), detail.as_str()), ("ok", "6 samples of gusto are read as expected"));
    let (level, detail) = finding("source workday");
    assert_eq!(level, "ok", "{detail}");
    let (level, detail) = finding("source acme");
    assert_eq!(level, "warn");
    for words in ["nothing could be replayed", "map.email", "/worker/mail", "samples = "] {
        assert!(detail.contains(words), "{words}: {detail}");
    }
    let verified: Vec<_> = checked
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["check"] == "source rippling")
        .map(|finding| (finding["severity"].as_str().unwrap(), finding["what"].as_str().unwrap()))
        .collect();
    assert_eq!(verified.len(), 2, "{verified:?}");
    assert_eq!(verified[0].0, "ok");
    assert_eq!(verified[1].0, "warn");
    assert!(verified[1].1.starts_with("not verified against the sender: "), "{verified:?}");
    assert!(verified[1].1.contains("third party's description"), "{verified:?}");
}

#[tokio::test]
async fn samples_of_the_sources_own_are_replayed_instead() {
    let (_world, config) = with_samples(&moved().to_string()).await;
    let checked = run(&config, &["check", "--json"]).await.json();
    let finding = found(&checked, "source acme");
    assert_eq!(finding["severity"], "ok", "{finding}");
    let detail = finding["what"].as_str().unwrap();
    assert!(
        detail.starts_with("3 samples of ") && detail.ends_with("acme.json are read as expected"),
        "{detail}"
    );
}

/// Runs a command that must end by itself, and holds its one line.
async fn refused(samples: &str, words: &[&str]) {
    let (world, config) = with_samples(samples).await;
    let file = world.folder.path().join("acme.json");
    for command in ["serve", "check"] {
        let output: Output = leaver(&config).arg(command).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{command}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.starts_with(&format!("leaver: sources.acme.samples: {}: ", file.display())), "{err}");
        for word in words {
            assert!(err.contains(word), "{word}: {err}");
        }
    }
}

fn edited(edit: impl FnOnce(&mut Value)) -> String {
    let mut samples = moved();
    edit(&mut samples);
    samples.to_string()
}

#[tokio::test]
async fn a_pointer_that_is_in_no_sample_ends_the_start() {
    let text = moved().to_string().replace("mail\\\":", "mehl\\\":");
    refused(
        &text,
        &["map.email: /worker/mail occurs in none of the samples", "mend the pointer, or add a body"],
    )
    .await;
}

#[tokio::test]
async fn a_body_that_is_read_differently_ends_the_start() {
    let text = edited(|samples| samples[1]["expect"][0]["do"] = json!("terminate"));
    refused(&text, &["\"taken back\": do: expected \"terminate\", read \"rescind\""]).await;
    let text = edited(|samples| samples[0]["expect"][0]["effective"] = json!("2026-03-01"));
    refused(&text, &["\"has left\": effective: expected 2026-03-01, read 2026-02-28"]).await;
    let text = edited(|samples| samples[2]["expect"] = json!("duplicate_member"));
    refused(&text, &["\"no JSON\": body: expected duplicate_member, read not_json"]).await;
}

#[tokio::test]
async fn what_is_left_out_of_an_expectation_has_to_be_absent() {
    let text = edited(|samples| {
        samples[0]["expect"][0].as_object_mut().unwrap().remove("type");
    });
    refused(&text, &["\"has left\": type: expected nothing, read \"voluntary\""]).await;
}

#[tokio::test]
async fn a_file_that_holds_no_samples_ends_the_start() {
    refused("[]", &["holds no sample"]).await;
    refused("{}", &["expected a JSON array of samples"]).await;
    refused(&edited(|samples| samples[0]["exepct"] = json!([])), &["unknown field `exepct`"]).await;
    refused(&edited(|samples| samples[0]["expect"] = json!([])), &["\"has left\": expect: "]).await;
    let world = World::new().await;
    let config = world.config(&format!("{ACME}samples = \"nowhere.json\""));
    run(&config, &["serve"]).await.failed(2, &["sources.acme.samples: ", "nowhere.json: cannot be read"]);
    let config = world.config(&format!("{ACME}samples = \"\""));
    run(&config, &["serve"]).await.failed(2, &["sources.acme.samples: is empty"]);
}
