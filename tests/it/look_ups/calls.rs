//! How an HRIS is called: by several replicas, at its pace, with what credential, from where, and by which configuration.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Scene, actions, in_seconds, record, source};
use crate::hris::{HRIS_TOKEN, Hris};
use crate::support::{World, leaver};

#[tokio::test]
async fn replicas_share_the_work_and_the_pace() {
    const PEOPLE: usize = 8;
    let (world, hris) = (World::new().await, Hris::start().await);
    let paced = |text: String| text.replace("requests_per_minute = 6000", "requests_per_minute = 240");
    let services: Vec<_> =
        (0..2).map(|_| world.serve_edited(&source(&hris, ""), &["serve"], paced)).collect();
    let mut services = services.into_iter();
    let scene = Scene { world, hris, service: services.next().expect("a service") };
    let mut ids = Vec::new();
    for number in 0..PEOPLE {
        let person = format!("p{number}");
        scene.user(&person);
        scene.hris.knows(&person, &record(&person, "works", None));
        ids.push(scene.hint(&format!("e{number}"), &person).await);
    }
    for id in &ids {
        scene.ends(id, "cancelled", "rescinded").await;
    }
    let asked = scene.hris.asked();
    assert_eq!(asked.len(), 2 * PEOPLE, "each is asked about twice, by one of both");
    let gaps = asked.windows(2).map(|pair| pair[1].at - pair[0].at);
    // A quarter of a second between two turns; a request may be late on its way, which brings the next one nearer.
    let whole: Duration = gaps.sum();
    assert!(whole >= Duration::from_millis(250 * (2 * PEOPLE as u64 - 1) - 400), "{whole:?}");
}

#[tokio::test]
async fn an_hris_that_wants_fewer_requests_is_left_alone_for_as_long() {
    let scene = Scene::new("").await;
    scene.hris.answers("jane", 429, &[("retry-after", "2".to_owned())], "", Duration::ZERO);
    scene.hris.knows("joe", &record("joe", "works", None));
    let jane = scene.hint("e1", "jane").await;
    scene.until(&jane, "throttled", |view| !actions(view, "look_up_failed").is_empty()).await;
    let throttled = scene.hris.asked()[0].at;
    scene.hris.knows("jane", &record("jane", "works", None));
    let joe = scene.hint("e2", "joe").await;
    for id in [&jane, &joe] {
        scene.ends(id, "cancelled", "rescinded").await;
    }
    let next = scene.hris.asked()[1].at - throttled;
    assert!(next >= Duration::from_millis(1_900), "{next:?}");
}

#[tokio::test]
async fn a_look_up_whose_process_ended_is_taken_by_the_next_one() {
    let (world, hris) = (World::new().await, Hris::start().await);
    let mut first = world.serve(&source(&hris, ""), &["serve"]);
    hris.answers("jane", 200, &[], "", Duration::from_millis(900));
    let scene = Scene { service: world.serve(&source(&hris, ""), &["serve", "--no-worker"]), world, hris };
    scene.user("jane");
    let id = scene.hint("e1", "jane").await;
    scene.asked_about("jane", 1).await;
    first.kill();
    scene.hris.knows("jane", &record("jane", "gone", Some(in_seconds(-60))));
    let _next = scene.world.serve(&source(&scene.hris, ""), &["serve"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.hris.asked_about("jane"), 1, "it is still taken");
    // As time would.
    scene.world.sql("update offboardings set look_up_at = now() where look_up_at is not null").await;
    scene.ends(&id, "done", "offboarded").await;
}

#[tokio::test]
async fn the_command_line_asks_about_one_person_and_stores_nothing() {
    let (world, hris) = (World::new().await, Hris::start().await);
    let config = world.config(&source(&hris, ""));
    hris.knows("jane", &record("jane", "gone", Some("2026-01-31T17:00:00Z".parse().unwrap())));
    hris.answers("joe", 404, &[], "", Duration::ZERO);
    let run = |arguments: &[&str]| {
        let mut command = leaver(&config);
        command.arg("look-up").args(arguments);
        tokio::task::spawn_blocking(move || command.output().expect("an ended process"))
    };
    let output = run(&["acme", "jane", "--json"]).await.unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({"says": "has left", "email": "jane@example.com", "external_id": "jane",
                          "effective": "2026-01-31T17:00:00+00:00"});
    assert_eq!(said, expected);
    let output = run(&["acme", "joe"]).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the HRIS has no such record (404)"));
    for (source, problem) in [("workday", "has no look-up"), ("nobody", "is not configured")] {
        let output = run(&[source, "jane"]).await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{source}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(problem), "{source}");
    }
    assert_eq!(hris.asked().len(), 2);
    assert_eq!(world.number("select count(*) from offboardings").await, 0);
}

#[tokio::test]
async fn tokens_are_fetched_kept_and_fetched_anew() {
    let hris = Hris::start().await;
    let world = World::new().await;
    let edit = |text: String| {
        text.replace(
            &format!("kind = \"bearer\"\nsecret = \"{HRIS_TOKEN}\""),
            &format!(
                "kind = \"client_credentials\"\ntoken_url = \"{}/people/token\"\nclient_id = \"leaver\"\n\
                 client_secret = \"{HRIS_TOKEN}\"\nscope = \"people:read\"",
                hris.url
            ),
        )
    };
    hris.answers(
        "token",
        200,
        &[],
        r#"{"access_token":"granted-1","token_type":"Bearer","expires_in":3600}"#,
        Duration::ZERO,
    );
    let service = world.serve_edited(&source(&hris, ""), &["serve"], edit);
    let scene = Scene { world, hris: hris.clone(), service };
    for (number, person) in ["jane", "joe"].iter().enumerate() {
        hris.knows(person, &record(person, "works", None));
        let id = scene.hint(&format!("e{number}"), person).await;
        scene.ends(&id, "cancelled", "rescinded").await;
    }
    assert_eq!(hris.asked_about("token"), 1, "one token serves both");
    let form = &hris.asked()[0].body;
    assert_eq!(
        form,
        &format!(
            "grant_type=client_credentials&client_id=leaver&client_secret={HRIS_TOKEN}&scope=people%3Aread"
        )
    );
    hris.answers("ann", 401, &[], "", Duration::ZERO);
    let id = scene.hint("e3", "ann").await;
    scene.until(&id, "refused", |view| !actions(view, "look_up_failed").is_empty()).await;
    hris.knows("ann", &record("ann", "works", None));
    scene.ends(&id, "cancelled", "rescinded").await;
    assert!(hris.asked_about("token") >= 2, "a token that is refused is fetched anew");
}

#[tokio::test]
async fn a_look_up_that_could_give_its_credential_away_is_refused_at_the_start() {
    let (world, hris) = (World::new().await, Hris::start().await);
    let url = format!("url = \"{}/people/{{external_id}}?fields=status\"", hris.url);
    let secret = format!("secret = \"{HRIS_TOKEN}\"");
    let cases = [
        (
            url.as_str(),
            "url = \"http://hr.example/{external_id}\"",
            "sources.acme.lookup.url: must be an https:// address",
        ),
        (
            url.as_str(),
            "url = \"https://{external_id}.hr.example/x\"",
            "sources.acme.lookup.url: must be an address whose host is fixed",
        ),
        (
            url.as_str(),
            "url = \"https://hr.example:{external_id}/x\"",
            "sources.acme.lookup.url: must be an address whose host is fixed",
        ),
        (
            url.as_str(),
            "url = \"https://me:word@hr.example/{external_id}\"",
            "sources.acme.lookup.url: must be an https:// address",
        ),
        (
            url.as_str(),
            "url = \"https://{company}.hr.example/{external_id}\"",
            "sources.acme.lookup.url: must be an https:// address",
        ),
        (
            url.as_str(),
            "url = \"https://hr.example/everybody\"",
            "sources.acme.lookup.url: needs {external_id} or {email}",
        ),
        (
            url.as_str(),
            "url = \"https://hr.example/{external_id}\"\nmethod = \"PUT\"",
            "sources.acme.lookup.method: must be one of GET, POST",
        ),
        (
            url.as_str(),
            "url = \"https://hr.example/\"\nmethod = \"POST\"\nbody = '{\"a\":{external_id}x}'",
            "sources.acme.lookup.body: must be a JSON document",
        ),
        (
            url.as_str(),
            "url = \"https://hr.example/{external_id}\"\nfollow_redirects = true",
            "sources.acme.lookup.follow_redirects: unknown key",
        ),
        (url.as_str(), "recipe = \"nobody\"", "sources.acme.lookup.recipe: must be one of "),
        (
            url.as_str(),
            "recipe = \"bamboohr\"\nwith = { company = \"a/b\" }",
            "sources.acme.lookup.with: must be letters",
        ),
        ("timeout = \"1s\"", "timeout = \"1h\"", "sources.acme.lookup.timeout: must be from 1s to 30s"),
        (
            secret.as_str(),
            "secret = \"short\"",
            "sources.acme.lookup.auth.secret: a secret must have at least 16 bytes",
        ),
        (secret.as_str(), "", "sources.acme.lookup.auth.secret: missing"),
        ("kind = \"bearer\"", "kind = \"none\"", "sources.acme.lookup.auth.kind: must be one of "),
        (
            "status = \"/status\"",
            "status = \"@x-status\"",
            "sources.acme.lookup.map: must be pointers into the answer",
        ),
        ("status = \"/status\"", "event_id = \"/x\"", "sources.acme.lookup.map.event_id: unknown key"),
    ];
    for (from, to, message) in cases {
        let config = world.edited_config(&source(&hris, ""), |text| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let refused = leaver(&config).arg("serve").output().expect("an ended process");
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{to}: {error}");
        assert!(error.contains(message) && !error.contains(HRIS_TOKEN), "{to}: {error}");
    }
}
