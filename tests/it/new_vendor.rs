//! A HR system that nobody has heard of takes a table of the configuration and no code: an XML body, an unusual signature, the
//! person in one of several elements; signed by `leaver send`, and taken out of Genesys Cloud.

use leaver::offboarding::{OffboardingId, Outcome, Status};
use leaver_simulator::{AccountState, presets};
use serde_json::{Value, json};

use crate::commands::run;
use crate::support::World;

/// Everything that is known of it.
const PEOPLEWERK: &str = r##"
[sources.peoplewerk]
format = "xml"
secrets = ["the-key-of-peoplewerk-0123456789"]
samples = "peoplewerk.samples.json"
[sources.peoplewerk.auth]
kind = "hmac"
algorithm = "sha512"
encoding = "base64url"
signature_header = "X-Peoplewerk-Proof"
prefix = "pw:"
timestamp_header = "X-Peoplewerk-Sent"
signed = ["lit:peoplewerk|", "header:X-Peoplewerk-Desk", "lit:|", "body", "lit:|", "header:X-Peoplewerk-Sent"]
max_age = "2m"
[sources.peoplewerk.map]
items = "/Meldung/Fall"
event = "/@Art"
pick = { array = "/Beteiligte/Person", where = ["/@Rolle", "Austritt"], as = "wer" }
email = "#wer/Adresse"
external_id = "#wer/@Nr"
effective = ["/Letzter_Tag"]
type = "/Grund"
event_id = { join = ["^/Meldung/@Nr", "/@Nr"] }
[[sources.peoplewerk.rules]]
when = [["/Entwurf", "in", ["ja"]]]
do = "ignore"
[[sources.peoplewerk.rules]]
when = [["event", "matches", ["^Austritt(sanzeige)?$"]]]
do = "terminate"
[[sources.peoplewerk.rules]]
when = [["event", "in", ["Storno"]]]
do = "rescind"
"##;

fn body(date: &str, draft: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><p:Meldung xmlns:p=\"urn:peoplewerk\" Nr=\"9\"><p:Fall Nr=\"1\" Art=\"Austrittsanzeige\">\
         <p:Entwurf>{draft}</p:Entwurf><p:Grund>voluntary</p:Grund><p:Letzter_Tag>{date}</p:Letzter_Tag><p:Beteiligte>\
         <p:Person Rolle=\"Personalstelle\" Nr=\"HR-1\"><p:Adresse>hr@example.com</p:Adresse></p:Person>\
         <p:Person Rolle=\"Austritt\" Nr=\"W1\"><p:Adresse>jane@example.com</p:Adresse></p:Person>\
         </p:Beteiligte></p:Fall></p:Meldung>"
    )
}

fn samples() -> Value {
    let item = |directive: &str| {
        json!([{"do": directive, "email": "jane@example.com", "external_id": "W1", "effective": "2026-01-31",
                "type": "voluntary", "event_id": "9:1"}])
    };
    json!([
        {"name": "has left", "body": body("2026-01-31", "nein"), "expect": item("terminate")},
        {"name": "a draft", "body": body("2026-01-31", "ja"), "expect": item("ignore")},
    ])
}

#[tokio::test]
async fn a_sender_that_is_known_by_its_configuration_alone_has_somebody_offboarded() {
    let world = World::new().await;
    let (jane, hr) = world.simulator.organisation(|org| {
        let jane = presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1").to_string();
        (jane, presets::fully_assigned_agent(org, "Hannah Roth", "hr@example.com", "HR-1").to_string())
    });
    let samples = serde_json::to_string(&samples()).unwrap();
    std::fs::write(world.folder.path().join("peoplewerk.samples.json"), samples).unwrap();
    let service = world.serve(PEOPLEWERK, &["serve", "--no-worker"]);

    let config = world.config(PEOPLEWERK);
    let checked = run(&config, &["check", "--json"]).await.json();
    let finding = crate::commands::found(&checked, "source peoplewerk");
    assert_eq!(finding["severity"], "ok", "{finding}");

    let today = (chrono::Utc::now() - chrono::TimeDelta::days(2)).format("%Y-%m-%d").to_string();
    let file = world.folder.path().join("event.xml");
    std::fs::write(&file, body(&today, "nein")).unwrap();
    let url = format!("{}/webhooks/peoplewerk", service.public);
    let send = ["send", "--source", "peoplewerk", "--file", file.to_str().unwrap(), "--url", &url];
    // What only the sender knows has to be said, because it is signed.
    run(&config, &send).await.failed(2, &["x-peoplewerk-desk", "--header"]);
    let sent = run(&config, &[&send[..], &["--header", "X-Peoplewerk-Desk=7"]].concat()).await;
    let receipt: Value = serde_json::from_str(sent.done().out.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&receipt["status"], &receipt["event_id"]), (&json!("accepted"), &json!("9:1")), "{receipt}");

    let id = receipt["offboardings"][0]["id"].as_str().unwrap().parse().map(OffboardingId).unwrap();
    let view = world.work_to_the_end(&world.engine(), id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)), "{:#?}", view.journal);
    let state = |user: &str| world.simulator.person(user).unwrap().state;
    assert_eq!((state(&jane), state(&hr)), (AccountState::Inactive, AccountState::Active));
}
