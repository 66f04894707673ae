//! The audit chain as an operator and an auditor use it: verified, exported, and equal to what Genesys Cloud was asked.

use std::collections::BTreeMap;
use std::time::Duration;

use leaver::offboarding::OffboardingId;
use leaver::operate::{self, Export, ExportQuery};
use leaver_simulator::{Intent, presets};
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::chain::assert_whole;
use crate::commands::run;
use crate::edge::Answer;
use crate::process::until;
use crate::support::{ALICE, BOB, Service, World, client, termination};

const VERA: &str = "vera-token-0123456789";

/// A world in which somebody has been taken out.
pub(crate) async fn world_without_jane() -> (World, OffboardingId) {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    let id = world.terminate("jane@example.com").await;
    world.work_to_the_end(&world.engine(), id).await;
    (world, id)
}

pub(crate) async fn connect(world: &World) -> PgConnection {
    PgConnection::connect(world.database.url()).await.expect("a connection")
}

async fn exported(world: &World, what: &str, format: &str) -> String {
    let query = ExportQuery::read(Some(what), Some(format), None, None).expect("understood");
    let mut export = Export::begin(&world.store, query).await.expect("an export");
    let mut text = String::new();
    while let Some(lines) = export.next_lines().await.expect("lines") {
        text.push_str(&lines);
    }
    text
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

/// Computes the chain of exported lines anew, by the documentation alone.
fn assert_chained(lines: &[Value]) {
    let mut prev = "00".repeat(32);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], index + 1);
        assert_eq!(line["prev"], *prev, "{line}");
        let mut hashed = b"leaver1".to_vec();
        hashed.extend((index as u64 + 1).to_be_bytes());
        hashed.extend(hex::decode(&prev).unwrap());
        let names = ["offboarding_id", "at", "actor", "action", "step", "target", "result", "request_id"];
        let number = line["journal_seq"].to_string();
        hashed.extend(format!("{}:{number}", number.len()).into_bytes());
        for name in names.iter().chain(&["correlation_id"]) {
            let field = line[*name].as_str().map(|text| format!("{}:{text}", text.len()));
            hashed.extend(field.unwrap_or_else(|| "-".to_owned()).into_bytes());
        }
        prev = hex::encode(Sha256::digest(&hashed));
        assert_eq!(line["hash"], *prev, "{line}");
    }
}

#[tokio::test]
async fn an_offboarding_is_exported_whole_and_equals_call_for_call_what_genesys_was_asked() {
    let (world, id) = world_without_jane().await;
    world
        .sql("insert into journal (actor, action, result) values ('operator:alice', 'paused', 'ä\n\"')")
        .await;
    let entries = assert_whole(&world.store).await;
    let journal = lines(&exported(&world, "journal", "jsonl").await);
    assert_eq!(journal.len() as i64, entries);
    assert_eq!(entries, world.number("select count(*) from journal").await);
    assert_chained(&journal);
    let of_service = journal.last().unwrap();
    assert_eq!(
        (&of_service["offboarding_id"], &of_service["action"]),
        (&Value::Null, &Value::from("paused"))
    );
    let mut written: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in journal.iter().filter(|line| line["request_id"].is_string()) {
        assert_eq!(line["offboarding_id"], id.to_string());
        let request = line["request_id"].as_str().unwrap().to_owned();
        written.entry(request).or_default().push(line["action"].as_str().unwrap());
    }
    let calls = world.simulator.journal();
    let changing = calls.iter().filter(|call| call.request.intent == Intent::Changes);
    let asked: Vec<String> = changing.clone().filter_map(|call| call.request.request_id.clone()).collect();
    assert!(asked.len() > 10 && asked.len() == changing.count(), "every call has its id");
    assert_eq!(written.len(), asked.len());
    for request in &asked {
        assert_eq!(written[request], ["call_intended", "call_finished"], "{request}");
    }
    let finished = journal.iter().filter(|line| line["action"] == "call_finished");
    for line in finished {
        let call =
            calls.iter().find(|call| call.request.request_id.as_deref() == line["request_id"].as_str());
        assert_eq!(line["correlation_id"], *call.unwrap().correlation_id);
    }
}

#[tokio::test]
async fn the_population_has_what_an_auditor_samples() {
    let (world, id) = world_without_jane().await;
    let held = world.terminate("nobody@example.com").await;
    let leavers = lines(&exported(&world, "offboardings", "jsonl").await);
    assert_eq!(leavers.len(), 2);
    let jane = &leavers[0];
    assert_eq!(jane["id"], id.to_string());
    assert_eq!((&jane["status"], &jane["outcome"]), (&"done".into(), &"offboarded".into()));
    let at = |name: &str| {
        let text = jane[name].as_str().unwrap_or_else(|| panic!("{name}: {jane}"));
        chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339")
    };
    let order =
        ["received_at", "started_at", "changes_began_at", "stripped_at", "deactivated_at", "completed_at"];
    assert!(order.windows(2).all(|pair| at(pair[0]) <= at(pair[1])), "{jane}");
    assert!(at("verified_at") >= at("deactivated_at"));
    assert_eq!(jane["events"][0]["sha256"], hex::encode(Sha256::digest(b"{}")));
    assert_eq!(jane["events"][0]["key_index"], 0);
    assert!(
        jane["calls"].as_array().unwrap().iter().all(|call| call["correlation_id"].is_string()),
        "{jane}"
    );
    assert!(jane["snapshot"].as_array().unwrap().iter().any(|held| held["step"] == "strip.role_grants"));
    assert_eq!((&leavers[1]["id"], &leavers[1]["deactivated_at"]), (&held.to_string().into(), &Value::Null));
    let table = exported(&world, "offboardings", "csv").await;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell =
        |row: usize, name: &str| rows[row].get(columns.iter().position(|c| c == name).unwrap()).unwrap();
    assert_eq!((rows.len(), cell(0, "id"), cell(0, "outcome")), (2, &*id.to_string(), "offboarded"));
    assert_eq!(cell(0, "seconds_to_deactivation").parse::<u64>().map(|seconds| seconds < 600), Ok(true));
    assert_eq!(cell(1, "seconds_to_deactivation"), "");
}

#[tokio::test]
async fn what_is_written_while_an_export_goes_on_is_in_the_next_one() {
    let (world, _) = world_without_jane().await;
    let query = ExportQuery::read(None, None, None, None).unwrap();
    let entries = assert_whole(&world.store).await;
    let mut export = Export::begin(&world.store, query).await.unwrap();
    let people = ExportQuery::read(Some("offboardings"), None, None, Some("2099-12-31")).unwrap();
    let mut population = Export::begin(&world.store, people).await.unwrap();
    world.terminate("somebody.else@example.com").await;
    let mut count = 0;
    while let Some(text) = export.next_lines().await.unwrap() {
        count += text.lines().count() as i64;
    }
    assert_eq!(count, entries);
    let mut people = 0;
    while let Some(text) = population.next_lines().await.unwrap() {
        people += text.lines().count();
    }
    assert_eq!(people, 1);
    assert!(assert_whole(&world.store).await > entries);
}

fn serve(world: &World) -> Service {
    let vera = format!("[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"");
    world.serve(&vera, &["serve", "--no-worker"])
}

async fn get(service: &Service, path: &str, token: Option<&str>) -> Answer {
    let request = client().get(format!("{}{path}", service.admin));
    Answer::to(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

#[tokio::test]
async fn viewers_verify_and_export_over_http_and_nobody_without_a_token() {
    let world = World::new().await;
    let service = serve(&world);
    for number in 0..3 {
        let (status, _) =
            service.deliver(&termination(&format!("e{number}"), &format!("W{number}"), "j@x.example")).await;
        assert_eq!(status, 202);
    }
    for path in ["/api/v1/audit/verify", "/api/v1/audit/export"] {
        get(&service, path, None).await.is_problem(401, "token-needed");
        get(&service, path, Some("an-unknown-token-0123456789")).await.is_problem(401, "token-needed");
        for token in [VERA, ALICE, BOB] {
            assert_eq!(get(&service, path, Some(token)).await.status, 200);
        }
        let (status, problem) = service.api(Method::POST, path, BOB).await;
        assert_eq!((status, &problem["type"]), (405, &"urn:leaver:problem:method-not-allowed".into()));
    }
    let verified = get(&service, "/api/v1/audit/verify", Some(VERA)).await.json();
    let entries = world.number("select count(*) from journal").await;
    assert_eq!((&verified["ok"], &verified["entries"]), (&true.into(), &entries.into()));
    let export = get(&service, "/api/v1/audit/export", Some(VERA)).await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    assert!(
        export.header("content-disposition").is_some_and(|name| name.contains("leaver-journal-")),
        "{export:?}"
    );
    let journal = lines(&export.text());
    assert_chained(&journal);
    assert_eq!(journal.last().unwrap()["hash"], verified["head"]);
    let csv = get(&service, "/api/v1/audit/export?format=csv&what=offboardings", Some(VERA)).await;
    assert!(csv.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")), "{csv:?}");
    assert!(csv.text().starts_with("\"id\",\"source\",") && csv.text().lines().count() > 1, "{}", csv.text());
    assert_eq!(service.metric("leaver_audit_entries").await, Some(entries as f64));
    assert_eq!(service.metric("leaver_audit_ok").await, None, "nothing is signed here");
}

#[tokio::test]
async fn an_export_is_bounded_by_times_and_a_parameter_that_is_not_understood_is_named() {
    let (world, _) = world_without_jane().await;
    let service = serve(&world);
    let export = "/api/v1/audit/export";
    for (query, name) in [
        ("what=events", "what"),
        ("format=xml", "format"),
        ("since=yesterday", "since"),
        ("until=2026-02-30", "until"),
        ("since=2026-03-02&until=2026-03-01", "until"),
    ] {
        let refused = get(&service, &format!("{export}?{query}"), Some(VERA)).await;
        refused.is_problem(400, "bad-parameter");
        assert!(refused.json()["title"].as_str().unwrap().contains(name), "{}", refused.text());
    }
    let all = lines(&get(&service, export, Some(VERA)).await.text());
    let middle = all[all.len() / 2]["at"].as_str().unwrap();
    for what in ["journal", "offboardings"] {
        let count = async |query: &str| {
            let path = format!("{export}?what={what}&{query}");
            let answer = get(&service, &path, Some(VERA)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.text().lines().count()
        };
        let whole = count("").await;
        assert_eq!(count(&format!("since={middle}")).await + count(&format!("until={middle}")).await, whole);
        assert_eq!(count("since=2001-01-01&until=2001-12-31").await, 0);
        // A `+` that is not encoded arrives as a space.
        let offset = middle.replace('Z', "+00:00");
        assert_eq!(count(&format!("since={offset}")).await, count(&format!("since={middle}")).await);
        assert_eq!(count("format=&since=&until=").await, whole);
        let today = all[0]["at"].as_str().unwrap().split('T').next().unwrap();
        assert!(count(&format!("since={today}")).await == whole);
    }
    // The first moment belongs to it, and the last does not.
    world.sql("update offboardings set created_at = '2026-03-01T12:00:00.000001Z'").await;
    let opened = async |query: &str| {
        let path = format!("{export}?what=offboardings&{query}");
        get(&service, &path, Some(VERA)).await.text().lines().count()
    };
    let (before, at, after) =
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000001Z", "2026-03-01T12:00:00.000002Z");
    for (query, count) in [
        (format!("since={at}"), 1),
        (format!("since={after}"), 0),
        (format!("until={at}"), 0),
        (format!("until={after}"), 1),
        (format!("since={before}&until={at}"), 0),
    ] {
        assert_eq!(opened(&query).await, count, "{query}");
    }
}

#[tokio::test]
async fn two_read_the_chain_at_a_time_and_a_third_is_told_to_come_back() {
    let (world, _) = world_without_jane().await;
    let service = serve(&world);
    let mut other = connect(&world).await;
    other.execute("begin; lock table audit_chain in access exclusive mode").await.unwrap();
    let address = format!("{}/api/v1/audit/verify", service.admin);
    let verify = || Answer::to(client().get(&address).bearer_auth(VERA));
    let reading = [tokio::spawn(verify()), tokio::spawn(verify())];
    until("both wait", Duration::from_secs(20), async || {
        world
            .number(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .await
            == 2
    })
    .await;
    let third = verify().await;
    third.is_problem(503, "unavailable");
    assert!(third.header("retry-after").is_some());
    assert!(reading.iter().all(|one| !one.is_finished()), "it did not wait for them");
    other.execute("rollback").await.unwrap();
    for one in reading {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!(verify().await.status, 200, "and their places are free again");
}

#[tokio::test]
async fn no_text_of_the_journal_is_a_formula_or_a_line_of_its_own_in_a_table() {
    let world = World::new().await;
    let service = serve(&world);
    let mut connection = connect(&world).await;
    let hostile = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r\n9,9,fake",
        "a\n\"1\",\"2\"",
        "\u{2028}=1",
        "＝1",
    ];
    for text in hostile {
        sqlx::query("insert into journal (actor, action, result) values ($1, $1, $1)")
            .bind(text)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let table = get(&service, "/api/v1/audit/export?format=csv", Some(VERA)).await.text();
    assert_eq!(table.lines().count(), hostile.len() + 1);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    for row in reader.records() {
        for cell in row.unwrap().iter() {
            let begins = cell.chars().next();
            assert!(!begins.is_some_and(|c| "=+-@＝".contains(c) || c.is_control()), "{cell:?}");
        }
    }
    let exact = lines(&get(&service, "/api/v1/audit/export", Some(VERA)).await.text());
    assert_eq!(exact.iter().map(|line| line["result"].as_str().unwrap()).collect::<Vec<_>>(), hostile);
    assert_chained(&exact);
}

#[tokio::test]
async fn the_commands_verify_and_export_and_their_exit_codes_say_what_is_wrong() {
    let (mut world, _) = world_without_jane().await;
    let config = world.config("");
    let entries = world.number("select count(*) from journal").await;
    let verified = run(&config, &["audit", "verify", "--json"]).await;
    assert_eq!(verified.done().json()["entries"], entries);
    assert!(run(&config, &["audit", "verify"]).await.done().out.contains("not held against checkpoints"));
    let export = run(&config, &["audit", "export"]).await;
    assert_chained(&lines(&export.done().out));
    assert_eq!(lines(&export.out).len() as i64, entries);
    let table = run(&config, &["audit", "export", "--what", "offboardings", "--format", "csv"]).await;
    assert_eq!(table.done().out.lines().count(), 2);
    run(&config, &["audit", "export", "--since", "soon"]).await.failed(2, &["--since: expected RFC 3339"]);
    run(&config, &["audit", "export", "--format", "xml"]).await.failed(2, &["--format: expected"]);
    run(&config, &["audit", "key"]).await.failed(2, &["audit.checkpoint_key: is missing"]);
    let pair = run(&config, &["audit", "key", "--new", "--json"]).await;
    let pair = pair.done().json();
    let signing = world.config(&format!("[audit]\ncheckpoint_key = {}", pair["checkpoint_key"]));
    assert_eq!(
        run(&signing, &["audit", "key", "--json"]).await.done().json()["public_key"],
        pair["public_key"]
    );
    let nowhere = ["audit", "verify", "--checkpoints", "/nonexistent/file"];
    run(&config, &nowhere).await.failed(2, &["--public-key: is needed"]);
    run(&signing, &nowhere).await.failed(1, &["/nonexistent/file"]);
    run(&config, &[&nowhere[..], &["--public-key", "short"]].concat())
        .await
        .failed(2, &["--public-key: expected"]);
    world.sql("set session_replication_role = replica; update journal set result = 'x' where seq = 3").await;
    let broken = run(&config, &["audit", "verify", "--json"]).await;
    broken.failed(1, &["link 3", "result"]);
    let told: Value = serde_json::from_str(&broken.out).unwrap();
    assert_eq!((&told["ok"], &told["first_bad"], &told["entries"]), (&false.into(), &3.into(), &2.into()));
    world.chain.is_broken_on_purpose();
}

#[tokio::test]
async fn the_journal_and_its_chain_are_only_ever_added_to() {
    let (world, _) = world_without_jane().await;
    let mut connection = connect(&world).await;
    for (table, column) in [("journal", "actor"), ("audit_chain", "seq")] {
        for statement in [
            format!("update {table} set {column} = {column}"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("truncate {table} cascade"),
            format!("delete from {table} where false"),
        ] {
            let refused = connection.execute(AssertSqlSafe(statement.clone())).await;
            let refused = refused.expect_err(&statement).to_string();
            assert!(refused.contains("is only ever added to"), "{statement}: {refused}");
        }
    }
    assert!(connection.execute("truncate offboardings cascade").await.is_err());
    assert_whole(&world.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_write_at_the_same_time_make_one_chain_without_a_gap() {
    const WRITERS: i64 = 8;
    const TRANSACTIONS: i64 = 40;
    let world = World::new().await;
    let writers = (0..WRITERS).map(|writer| {
        let url = world.database.url().to_owned();
        tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            // What a session is set to has no say in what is hashed.
            let zone = ["UTC", "Asia/Kolkata", "America/St_Johns"][writer as usize % 3];
            let settings =
                format!("set timezone = '{zone}'; set datestyle = 'German'; set bytea_output = 'escape'");
            connection.execute(AssertSqlSafe(settings)).await.unwrap();
            for number in 0..TRANSACTIONS {
                let entries = 1 + number % 3;
                let end = if number % 4 == 3 { "rollback" } else { "commit" };
                let work = format!(
                    "begin; insert into journal (actor, action, target)
                     select 'worker:{writer}', 'held', n::text from generate_series(1, {entries}) n; {end}"
                );
                connection.execute(AssertSqlSafe(work)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let entries = assert_whole(&world.store).await;
    assert_eq!(entries, WRITERS * (0..TRANSACTIONS).filter(|n| n % 4 != 3).map(|n| 1 + n % 3).sum::<i64>());
    assert_eq!(world.number("select count(*) from journal").await, entries);
    assert!(
        world.number("select max(seq) from journal").await > entries,
        "what was rolled back has left no link"
    );
}

#[tokio::test]
async fn entries_of_before_the_chain_are_chained_by_the_migration() {
    let world = World::new().await;
    world.sql("drop schema public cascade; create schema public").await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let ours = files.iter().position(|file| file.ends_with("0015_audit_chain.sql")).unwrap();
    let mut connection = connect(&world).await;
    for file in &files[..ours] {
        connection.execute(AssertSqlSafe(std::fs::read_to_string(file).unwrap())).await.unwrap();
    }
    let rows =
        "insert into journal (actor, action) select 'worker:' || n, 'held' from generate_series(1, 2500) n;
        delete from journal where seq = 7";
    connection.execute(rows).await.unwrap();
    for file in &files[ours..] {
        connection.execute(AssertSqlSafe(std::fs::read_to_string(file).unwrap())).await.unwrap();
    }
    assert_eq!(assert_whole(&world.store).await, 2499);
    connection.execute("insert into journal (actor, action) values ('worker:a', 'done')").await.unwrap();
    assert_eq!(assert_whole(&world.store).await, 2500);
    let verified = operate::verify(&world.store, None).await.unwrap();
    let journal = lines(&exported(&world, "journal", "jsonl").await);
    assert_eq!((journal.len(), &journal[2499]["hash"]), (2500, &verified.head.into()));
}
