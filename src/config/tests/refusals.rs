//! The exact line that each kind of mistake gets.

use super::*;

mod additions;

use additions::ADDITIONS;

/// What is replaced in the minimal file, by what, and the line that it is refused with.
const REPLACEMENTS: &[(&str, &str, &str)] = &[
    ("url = \"postgres://leaver@localhost/leaver\"", "", "database.url: is missing"),
    (
        "url = \"postgres://leaver@localhost/leaver\"",
        "url = \"mysql://leaver:hushhush@localhost\"",
        "database.url: expected postgres://USER:PASSWORD@HOST/NAME",
    ),
    ("region = \"mypurecloud.com\"", "", "genesys.region: is missing"),
    (
        "region = \"mypurecloud.com\"",
        "region = \"mypurecloud.dee\"",
        "genesys.region: expected a region of Genesys Cloud (did you mean mypurecloud.de?), found \"mypurecloud.dee\"",
    ),
    (
        "region = \"mypurecloud.com\"",
        "region = \"moon\"",
        "genesys.region: expected a region of Genesys Cloud (did you mean mypurecloud.com?), found \"moon\"",
    ),
    (
        "region = \"mypurecloud.com\"",
        "region = \"mypurecloud.com\"\napi_url = \"https://api.mypurecloud.com\"",
        "genesys.region: give either region or api_url and login_url, not both",
    ),
    (
        "region = \"mypurecloud.com\"",
        "api_url = \"https://api.mypurecloud.com\"",
        "genesys.login_url: is missing",
    ),
    (
        "region = \"mypurecloud.com\"",
        "login_url = \"https://login.mypurecloud.com\"",
        "genesys.api_url: is missing",
    ),
    (
        "region = \"mypurecloud.com\"",
        "api_url = \"http://10.0.0.1:9100\"\nlogin_url = \"http://127.0.0.1\"",
        "genesys.api_url: expected an https:// address (plain http:// is for loopback alone)",
    ),
    (
        "region = \"mypurecloud.com\"",
        "api_url = \"https://a.example/v2\"\nlogin_url = \"https://b.example\"",
        "genesys.api_url: expected an address without a path or a query",
    ),
    ("client_id = \"client\"", "", "genesys.client_id: is missing"),
    ("client_id = \"client\"", "client_id = 7", "genesys.client_id: expected a string, found a whole number"),
    ("client_secret = \"env:GENESYS_CLIENT_SECRET\"", "", "genesys.client_secret: is missing"),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secrt = \"hushhush-genesys-secret\"",
        "genesys.client_secrt: unknown key (did you mean client_secret?)",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \" \"",
        "genesys.client_secret: is empty",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"hushhush-short.\"",
        "genesys.client_secret: has 15 bytes, but a secret needs at least 16",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"env:\"",
        "genesys.client_secret: env: names no environment variable",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"env:GENESYS_SECRET\"",
        "genesys.client_secret: environment variable GENESYS_SECRET is not set",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"file:/nonexistent/secret\"",
        "genesys.client_secret: file /nonexistent/secret cannot be read: No such file or directory (os error 2)",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"file:/dev/zero\"",
        "genesys.client_secret: file /dev/zero cannot be read: more than 65536 bytes",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"\nrequests_per_minute = 3001",
        "genesys.requests_per_minute: expected a whole number from 12 to 3000, found 3001",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"\ntimeout = \"0s\"",
        "genesys.timeout: expected a duration from 50ms to 1m, found \"0s\"",
    ),
    (
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"",
        "client_secret = \"env:GENESYS_CLIENT_SECRET\"\nexternal_id_authority = \"\"",
        "genesys.external_id_authority: is empty",
    ),
];

/// A variable and its text beside the example, and the line that it is refused with.
const OVERRIDES: &[(&str, &str, &str)] = &[
    (
        "LEAVER__WORKER__LEESE",
        "30s",
        "worker.leese: unknown key (did you mean lease?) (set by LEAVER__WORKER__LEESE)",
    ),
    (
        "LEAVER__WROKER__LEASE",
        "30s",
        "wroker: unknown key (did you mean worker?) (set by LEAVER__WROKER__LEASE)",
    ),
    (
        "LEAVER__SOURCES__WORKDYA__PROFILE",
        "x",
        "sources.workdya: unknown key (did you mean workday?) (set by LEAVER__SOURCES__WORKDYA__PROFILE)",
    ),
    (
        "LEAVER__SOURCES__WORKDAY__PROFILE__X",
        "x",
        "sources.workday.profile.x: unknown key (set by LEAVER__SOURCES__WORKDAY__PROFILE__X)",
    ),
    (
        "LEAVER__SOURCES__WORKDAY__SECRETS",
        "x",
        "sources.workday.secrets: only a single value can be set by the environment, not a table or a list (set by LEAVER__SOURCES__WORKDAY__SECRETS)",
    ),
    (
        "LEAVER__SOURCES__WORKDAY__SECRETS__0",
        "hushhush",
        "sources.workday.secrets[0]: has 8 bytes, but a secret needs at least 16 (set by LEAVER__SOURCES__WORKDAY__SECRETS__0)",
    ),
    ("LEAVER__OPERATORS__1__ROLE", "viewer", "operators[1]: unknown key (set by LEAVER__OPERATORS__1__ROLE)"),
    (
        "LEAVER__OPERATORS__0__ROLE",
        "chief",
        "operators[0].role: expected viewer, operator or approver, found \"chief\" (set by LEAVER__OPERATORS__0__ROLE)",
    ),
    (
        "LEAVER__POLICY__ATTEMPTS_MAX",
        "many",
        "policy.attempts_max: expected a whole number, found \"many\" (set by LEAVER__POLICY__ATTEMPTS_MAX)",
    ),
    (
        "LEAVER__POLICY__ATTEMPTS_MAX",
        "0",
        "policy.attempts_max: expected a whole number from 1 to 1000, found 0 (set by LEAVER__POLICY__ATTEMPTS_MAX)",
    ),
    (
        "LEAVER__GENESYS__CLIENT_SECRET",
        "hushhush",
        "genesys.client_secret: has 8 bytes, but a secret needs at least 16 (set by LEAVER__GENESYS__CLIENT_SECRET)",
    ),
    (
        "LEAVER__GENESYS__CLIENT_SECRET",
        "env:NOWHERE",
        "genesys.client_secret: environment variable NOWHERE is not set (set by LEAVER__GENESYS__CLIENT_SECRET)",
    ),
    (
        "LEAVER__GENESYS__API_URL",
        "http://127.0.0.1:1",
        "genesys.region: give either region or api_url and login_url, not both",
    ),
    ("LEAVER__WORKER", "x", "LEAVER__WORKER: names no setting (LEAVER__SECTION__KEY)"),
    ("LEAVER__WORKER__", "x", "LEAVER__WORKER__: names no setting (LEAVER__SECTION__KEY)"),
    (
        "LEAVER__A__B__C__D__E__F__G__H__I",
        "x",
        "LEAVER__A__B__C__D__E__F__G__H__I: names no setting (LEAVER__SECTION__KEY)",
    ),
];

fn assert_line(found: &str, expected: &str, what: &str) {
    assert_eq!(found, expected, "{what}");
    assert!(!found.contains('\n') && !found.contains(MARK), "{what}: {found}");
}

#[test]
fn each_mistake_in_the_file_is_refused_in_one_line_that_names_the_key() {
    for (addition, expected) in ADDITIONS {
        assert_line(&refusal(&format!("{MINIMAL}{addition}"), &[]), expected, addition);
    }
    for (old, new, expected) in REPLACEMENTS {
        assert!(MINIMAL.contains(old), "{old}");
        assert_line(&refusal(&MINIMAL.replace(old, new), &[]), expected, new);
    }
}

#[test]
fn each_mistake_in_the_environment_is_refused_in_one_line_that_names_the_variable_too() {
    for (variable, text, expected) in OVERRIDES {
        assert_line(&refusal(EXAMPLE, &[(variable, text)]), expected, variable);
    }
}

#[test]
fn text_that_is_not_toml_is_refused_without_quoting_it() {
    for text in [
        "\"hushhush",
        "hushhush",
        "'hushhush",
        "\"\"\"hushhush",
        "\"hushhush\\q\"",
        "\"a\" hushhush",
        "hushhush = 1",
        "1hushhush",
        "2026-hushhush",
        "[hushhush",
        "{ hushhush",
    ] {
        let problem = Config::from_toml(&MINIMAL.replace("\"client\"", text), &variables(&[])).unwrap_err();
        assert!(matches!(problem, ConfigError::Syntax { .. }), "{problem}");
        assert!(!format!("{problem:?} {problem}").contains(MARK), "{problem}");
    }
}

#[test]
fn a_file_that_is_missing_or_far_too_long_is_refused_by_its_name() {
    let missing = Config::load(Path::new("/nonexistent/leaver.toml")).unwrap_err().to_string();
    let expected = "/nonexistent/leaver.toml: cannot be read: No such file or directory (os error 2) \
                    (leaver.example.toml shows a complete one)";
    assert_eq!(missing, expected);
    let endless = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(endless.starts_with("/dev/zero: cannot be read: more than 1048576 bytes"), "{endless}");
}
