//! Text of others on a terminal: no command lets it fake a line, a colour or a direction. Tables fit the terminal, and are
//! whole in a pipe.

use std::path::Path;
use std::process::Command;

use leaver_simulator::presets;
use serde_json::Value;

use crate::commands::{Run, run};
use crate::edge::ready;
use crate::support::{World, leaver, termination};

/// What somebody could write into a field so that a terminal shows something else.
const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}[31mred",
    "one\nFAKED done offboarded",
    "one\r\nFAKED done offboarded",
    "\u{9b}31mred\u{9d}0;title\u{7}",
    "\u{202e}gnp.exe\u{2066}",
    "a\u{2028}FAKED\u{2029}b\u{85}c",
    "\u{8}\u{8}\u{8}\u{7f}gone",
    "\u{feff}z\u{200b}e\u{e0041}ro",
];

fn acts(c: char) -> bool {
    c.is_control()
        || ('\u{200e}'..='\u{200f}').contains(&c)
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || ['\u{200b}', '\u{feff}', '\u{e0041}'].contains(&c)
}

#[track_caller]
fn is_harmless(what: &str, ended: &Run) {
    for (name, text) in [("out", &ended.out), ("err", &ended.err)] {
        let acting: Vec<char> = text.chars().filter(|c| acts(*c) && *c != '\n').collect();
        assert!(acting.is_empty(), "{what}, {name}: {acting:?} in {text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("FAKED")), "{what}, {name}: {text:?}");
    }
}

#[tokio::test]
async fn no_command_lets_text_of_others_act_on_the_terminal() {
    let world = World::new().await;
    let config = world.config("");
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let mut ids = Vec::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        let mut body = termination(&format!("e{number}{text}"), &format!("W{number}{text}"), text);
        body["terminationType"] = Value::from(*text);
        let (_, receipt) = service.deliver(&body).await;
        ids.extend(receipt["offboardings"][0]["id"].as_str().map(str::to_owned));
        body["event"] = Value::from(*text);
        body["eventId"] = Value::from(format!("unknown{number}"));
        service.deliver(&body).await;
    }
    assert_eq!(ids.len(), HOSTILE.len(), "each is held or scheduled");
    world.sql("update offboardings set external_id = E'W\\x1b[31m\\nFAKED ' || id, email = E'a\\u202eb@example.com'").await;
    for json in [&[][..], &["--json"]] {
        let mut calls = vec![vec!["list"], vec!["events"], vec!["check"], vec!["layoff", "list"]];
        calls.extend(ids.iter().map(|id| vec!["show", id]));
        for mut call in calls {
            call.extend(json);
            let ended = run(&config, &call).await;
            is_harmless(&format!("{call:?}"), &ended);
            assert!(json.is_empty() || ended.json() != Value::Null, "{call:?}");
        }
    }
    let events = run(&config, &["events", "--json"]).await.json();
    for event in events["items"].as_array().unwrap() {
        let id = event["id"].as_str().unwrap();
        is_harmless("event", &run(&config, &["event", id]).await);
        is_harmless("replay", &run(&config, &["replay", id]).await);
    }
    for text in HOSTILE {
        is_harmless("no command", &run(&config, &[text]).await);
        is_harmless("no file", &run(Path::new(text), &["list"]).await);
        is_harmless("a mistake", &run(&config, &["show", text]).await);
        is_harmless("nobody", &run(&config, &["plan", &format!("{text}@example.com")]).await);
        is_harmless("a reason", &run(&config, &["offboard", "w@example.com", "--reason", text]).await);
    }
}

#[tokio::test]
async fn names_of_genesys_cloud_are_no_lines_of_a_plan() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "J\u{1b}[31m\nFAKED\u{202e}", "jane@example.com", "W1");
    });
    for json in [&["plan", "jane@example.com"][..], &["plan", "jane@example.com", "--json"]] {
        let ended = run(&world.config(""), json).await;
        assert!(ended.done().out.contains("FAKED"), "the name is shown: {ended:?}");
        is_harmless("plan", &ended);
    }
}

/// What a command shows on a terminal of so many columns.
fn on_terminal(config: &std::path::Path, columns: u32, arguments: &str, set: &[(&str, &str)]) -> String {
    let program = leaver(config);
    let name = program.get_program().to_str().unwrap();
    let call = format!("stty rows 40 cols {columns} && {name} --config {} {arguments}", config.display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &call, "/dev/null"]).env("TERM", "xterm");
    command.env_remove("NO_COLOR").env_remove("CLICOLOR").envs(set.iter().copied());
    crate::tools::output(command.stdin(std::process::Stdio::null())).replace('\r', "")
}

#[tokio::test]
async fn a_table_fits_its_terminal_is_coloured_there_and_is_whole_and_plain_in_a_pipe() {
    let world = World::new().await;
    let config = world.config("");
    let long = "somebody.with.quite.a.long.name.indeed@department.example.com";
    let id = world.terminate(long).await.to_string();
    world.sql("update offboardings set status = 'held', reason = 'attempts_exhausted'").await;
    let piped = run(&config, &["list"]).await;
    assert!(piped.done().out.contains(long) && !piped.out.contains('\u{1b}'), "{piped:?}");
    let shown = on_terminal(&config, 130, "list", &[]);
    assert!(shown.contains("\u{1b}[33mheld\u{1b}[0m") && shown.contains(&id), "{shown:?}");
    let plain = shown.replace("\u{1b}[33m", "").replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    assert!(plain.lines().all(|line| line.chars().count() <= 130), "{plain}");
    assert!(plain.contains('…') && !plain.contains(long), "{plain}");
    for set in [&[("NO_COLOR", "1")][..], &[("CLICOLOR", "0")], &[("TERM", "dumb")]] {
        assert!(!on_terminal(&config, 130, "list", set).contains('\u{1b}'), "{set:?}");
    }
}

#[tokio::test]
async fn an_offboarding_that_waits_for_a_person_says_what_that_means_and_what_to_do() {
    let world = World::new().await;
    let config = world.config("");
    let id = world.terminate("jane@example.com").await.to_string();
    world.sql("update offboardings set available_at = now() + interval '3 hours', effective_at = now() + interval '3 hours'").await;
    let waits = run(&config, &["show", &id]).await;
    assert!(
        waits.done().out.contains("waits until ") && waits.out.contains("it does not take effect before"),
        "{waits:?}"
    );
    world.sql("update offboardings set status = 'held', reason = 'brake'").await;
    let held = run(&config, &["show", &id]).await;
    for words in
        ["waits for a person since", "too many people within the hour or the day", "leaver approve ID"]
    {
        assert!(held.done().out.contains(words), "{words}: {}", held.out);
    }
}

#[tokio::test]
async fn a_journal_fits_its_terminal_and_loses_nothing() {
    let world = World::new().await;
    let config = world.config("");
    let id = world.terminate("jane@example.com").await.to_string();
    let ids: Vec<String> = (0..8).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let (long, request) = (ids.join(", "), uuid::Uuid::new_v4());
    let journal = "insert into journal (offboarding_id, actor, action, step, target, result, request_id)";
    let entry: &'static str = format!("{journal} values ('{id}', 'worker:host-1', 'call_finished', 'strip.queue_memberships', '{long}', '204', '{request}')").leak();
    world.sql(entry).await;
    let unpainted = |text: String| text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    for columns in [60, 100] {
        let shown = unpainted(on_terminal(&config, columns, &format!("show {id}"), &[]));
        let journal = shown.split_once("JOURNAL").unwrap().1;
        let widest = journal.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns as usize, "{widest} of {columns}: {journal}");
        let whole: String = journal.split_whitespace().collect();
        for one in ids.iter().chain([&request.to_string()]).filter(|_| columns == 100) {
            assert!(journal.contains(one.as_str()), "{one}: {journal}");
        }
        assert!(whole.contains("event_accepted") && whole.contains("204"), "{journal}");
    }
    let piped = run(&config, &["show", &id]).await;
    let journal = piped.done().out.split_once("JOURNAL").unwrap().1;
    let mut lines = journal.lines();
    assert!(journal.contains(&long) && journal.contains(&request.to_string()), "{journal}");
    let padded = lines.find(|line| line.contains("event_accepted")).unwrap();
    assert!(padded.chars().count() < 200, "nothing is as wide as the widest: {padded:?}");
}

#[tokio::test]
async fn the_body_of_an_event_can_be_copied_and_sent_again() {
    let world = World::new().await;
    let config = world.config("");
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let body = format!(
        "{{\n\t\"eventId\": \"e1\",\r\n  \"event\": \"worker.terminated\", \"email\": \"jane@example.com\", \"note\": \"{}\\n\\u001b[31m \\\"x\\\" 1.50\"\n}}",
        "\u{202e}\u{9b}"
    );
    let answer = crate::edge::Answer::to(crate::support::signed(
        &service.public,
        body.as_bytes(),
        crate::support::HRIS_SECRET,
    ))
    .await;
    assert_eq!(answer.status, 202);
    let shown = run(&config, &["event", "e1"]).await;
    let copied = shown.done().out.split_once("\nBODY\n").unwrap().1;
    is_harmless("event", &shown);
    assert!(copied.starts_with("{\n  \"eventId\": \"e1\",\n  \"event\""), "{copied}");
    assert_eq!(
        serde_json::from_str::<Value>(copied).unwrap(),
        serde_json::from_str::<Value>(&body).unwrap(),
        "{copied}"
    );
}
