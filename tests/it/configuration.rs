//! Configurations that are refused by the real program: exit code 2 and one line that names the key and no secret.

use std::path::Path;
use std::process::Output;

use crate::support::{HRIS_SECRET, Service, World, leaver, termination};

/// Part of every secret in these configurations, so that a leak is easy to find.
const MARK: &str = "hushhush";

/// What is replaced in a good configuration, by what, and the beginning of the line that it is refused with.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("[server]", "[server]\nlisten_on = \"x\"", "server.listen_on: unknown key"),
    ("[database]", "[database]\npassword = \"hushhush-database\"", "database.password: unknown key"),
    ("[database]", "[databas]", "databas: unknown key (did you mean database?)"),
    (
        "client_id = ",
        "client_secert = \"hushhush-client-secret\"\nclient_id = ",
        "genesys.client_secert: unknown key",
    ),
    ("client_id = ", "region = \"mypurecloud.com\"\nclient_id = ", "genesys.region: give either"),
    ("client_id = ", "timeout = \"soon\"\nclient_id = ", "genesys.timeout: expected a duration"),
    ("api_url = \"http://127.0.0.1", "api_url = \"http://10.0.0.1", "genesys.api_url: expected an https"),
    ("client_id = ", "requests_per_minute = 0\nclient_id = ", "genesys.requests_per_minute: expected"),
    ("secrets = [", "secrets = [\"\", ", "sources.workday.secrets[0]: is empty"),
    ("secrets = [", "secrets = [\"hushhush\", ", "sources.workday.secrets[0]: has 8 bytes"),
    (
        "secrets = [",
        "secrets = []\n[sources.other]\nprofile = \"x\"\nsecrets = [",
        "sources.workday.secrets: is empty",
    ),
    (
        "secrets = [",
        "secrets = [\"env:NOWHERE_TO_BE_FOUND\", ",
        "sources.workday.secrets[0]: environment variable",
    ),
    (
        "secrets = [",
        "secrets = [\"file:/nonexistent/key\", ",
        "sources.workday.secrets[0]: file /nonexistent/key",
    ),
    (
        "secrets = [",
        "external_id_authority = 7\nsecrets = [",
        "sources.workday.external_id_authority: expected a string",
    ),
    ("generic-worker-terminated", "generic-wroker", "sources.workday.profile: "),
    ("[sources.workday]", "[sources.Work_Day]", "sources.Work_Day: expected a name"),
    ("secrets = [", "auth_failure_status = 200\nsecrets = [", "sources.workday.auth_failure_status: "),
    ("secrets = [", "stored_status = 201\nsecrets = [", "sources.workday.stored_status: "),
    ("secrets = [", "handshake = { kind = \"hello\" }\nsecrets = [", "sources.workday.handshake.kind: "),
    ("secrets = [", "allowed_origins = [\"*\"]\nsecrets = [", "sources.workday.allowed_origins: needs"),
    ("secrets = [", "map = { email = \"email\" }\nsecrets = [", "sources.workday.map.email: "),
    ("secrets = [", "auth = { kind = \"none\" }\nsecrets = [", "sources.workday.auth.kind: is none"),
    ("role = \"operator\"", "role = \"chief\"", "operators[0].role: expected viewer, operator or approver"),
    ("name = \"bob\"", "name = \"alice\"", "operators[1].name: "),
    (
        "[[operators]]\nname = \"alice\"",
        "[policy]\nverify_reads = 0\n[[operators]]\nname = \"alice\"",
        "policy.verify_reads: expected",
    ),
    (
        "[[operators]]\nname = \"alice\"",
        "[policy]\nmode = \"dry\"\n[[operators]]\nname = \"alice\"",
        "policy.mode: expected live or dry_run",
    ),
    (
        "[[operators]]\nname = \"alice\"",
        "[policy]\neffective_at = \"noon\"\n[[operators]]\nname = \"alice\"",
        "policy.effective_at: expected",
    ),
    (
        "[[operators]]\nname = \"alice\"",
        "[worker]\nlease = 30\n[[operators]]\nname = \"alice\"",
        "worker.lease: expected",
    ),
    (
        "[[operators]]\nname = \"alice\"",
        "[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nclient_secret = \"hushhush-0123456789\"\n[oidc.roles]\nviewer = [\"v\"]\n[[operators]]\nname = \"alice\"",
        "console.url: is missing",
    ),
    ("client_id = ", "client_id = \"hushhush\" hushhush ", "configuration file, line "),
];

/// Runs a command that must end by itself.
fn refused(config: &Path, variables: &[(&str, &str)]) -> Output {
    // Not only `check`: the service itself must not start either.
    let mut command = leaver(config);
    command.arg("serve").envs(variables.iter().copied()).output().expect("a process")
}

#[track_caller]
fn one_line(output: &Output, begins: &str, what: &str) {
    let err = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{what}: {err}");
    assert_eq!(err.lines().count(), 1, "{what}: {err}");
    assert!(err.starts_with(&format!("leaver: {begins}")), "{what}: {err}");
    assert!(!err.contains(MARK) && !err.contains(HRIS_SECRET), "{what}: {err}");
    assert_eq!(output.stdout, b"", "{what}");
}

#[tokio::test]
async fn each_mistake_is_refused_in_one_line_that_names_the_key_and_no_secret() {
    let world = World::new().await;
    for (old, new, begins) in MISTAKES {
        let config = world.edited_config("", |text| {
            assert!(text.contains(old), "{old}");
            text.replacen(old, new, 1)
        });
        one_line(&refused(&config, &[]), begins, new);
    }
}

#[tokio::test]
async fn a_mistake_in_the_environment_names_the_variable() {
    let world = World::new().await;
    let config = world.config("");
    let cases = [
        ("LEAVER__WORKER__LEESE", "30s", "worker.leese: unknown key"),
        ("LEAVER__WORKER__LEASE", "soon", "worker.lease: expected"),
        ("LEAVER__GENESYS__CLIENT_SECRET", "hushhush", "genesys.client_secret: has 8 bytes"),
        ("LEAVER__SOURCES__WORKDAY__SECRETS__0", "hushhush", "sources.workday.secrets[0]: has 8 bytes"),
        ("LEAVER__OPERATORS__7__ROLE", "viewer", "operators[7]: unknown key"),
    ];
    for (variable, value, begins) in cases {
        let output = refused(&config, &[(variable, value)]);
        one_line(&output, begins, variable);
        assert!(String::from_utf8_lossy(&output.stderr).contains(variable));
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = refused(Path::new("/nonexistent/leaver.toml"), &[]);
    one_line(&output, "/nonexistent/leaver.toml: cannot be read", "no file");
}

#[tokio::test]
async fn a_variable_of_the_process_overrides_the_file_and_holds_the_secret() {
    let world = World::new().await;
    let secret = "a-secret-from-the-environment-01";
    let config = world.edited_config("", |text| text.replace(HRIS_SECRET, "env:SECRET_OF_THE_TEST"));
    let mut command = leaver(&config);
    command
        .arg("serve")
        .arg("--no-worker")
        .env("SECRET_OF_THE_TEST", secret)
        .env("LEAVER__SERVER__BODY_LIMIT", "1024")
        .env("LEAVER__POLICY__EFFECTIVE_AT", "start_of_day");
    let service = Service::run(command, &config);
    let mut body = termination("e1", "W1", "jane@example.com");
    body["terminationDate"] = serde_json::json!("2099-01-31");
    let body = body.to_string();
    let answer =
        crate::edge::Answer::to(crate::support::signed(&service.public, body.as_bytes(), secret)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let starts = "select count(*) from offboardings where effective_at = '2099-01-31T00:00:00Z'";
    assert_eq!(world.number(starts).await, 1);
    let long = "x".repeat(1025);
    let answer =
        crate::edge::Answer::to(crate::support::signed(&service.public, long.as_bytes(), secret)).await;
    answer.is_problem(413, "too-large");
}
