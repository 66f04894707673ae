//! `GET /api/v1/openapi.json`: valid, complete, its words those of the code; and who may call what, for every operation that it
//! describes, so that no route is forgotten.

use std::collections::BTreeSet;
use std::process::Command;

use leaver::http::problem::Kind;
use leaver::offboarding::{Goal, Outcome, Reason, Status, StepStatus};
use leaver::store::readings::DISPOSITIONS;
use leaver::store::views::PAGE_MAX;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};

use crate::edge::Answer;
use crate::support::{ALICE, BOB, Service, World, client};
use crate::tools::python_program;

pub(crate) const VERA: &str = "vera-token-0123456789";

/// Somebody who may only look.
pub(crate) fn vera() -> String {
    format!("[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"\n")
}

/// The methods that HTTP has, beside HEAD, which goes with GET.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];

pub(crate) async fn document(service: &Service) -> Value {
    let answer = Answer::get(format!("{}/api/v1/openapi.json", service.admin)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Method, path and description of every operation.
pub(crate) fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS.iter().filter(|method| item[**method].is_object()) {
            let name = method.to_uppercase().parse().expect("a method");
            all.push((name, path.clone(), item[*method].clone()));
        }
    }
    assert!(all.len() >= 16, "there are more operations than {}", all.len());
    all
}

fn role(operation: &Value) -> Option<&str> {
    operation["security"][0]["bearer"][0].as_str()
}

/// The path with ids of nothing.
fn address(service: &Service, path: &str) -> String {
    let nothing = uuid::Uuid::now_v7().to_string();
    format!("{}{}", service.admin, path.replace("{id}", &nothing))
}

fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Value {
    all.iter().map(|one| json!(word(*one))).collect()
}

/// Everything that a reference points to.
fn references<'a>(part: &'a Value, found: &mut BTreeSet<&'a str>) {
    match part {
        Value::Object(parts) => {
            found.extend(parts.get("$ref").and_then(Value::as_str));
            parts.values().for_each(|part| references(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| references(part, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_is_valid_openapi_3_1() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let document = document(&service).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let file = world.folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let validator = python_program("openapi-spec-validator", "0.9.0", "openapi-spec-validator");
    let validated = Command::new(validator).args(["--schema", "3.1"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&validated.stdout);
    assert!(validated.status.success() && said.contains("OK"), "{said}");
    // The validator must be able to say no.
    let mut broken = document.clone();
    broken["paths"]["/api/v1/plan"]["get"]["responses"] = json!(7);
    std::fs::write(&file, broken.to_string()).unwrap();
    let validator = python_program("openapi-spec-validator", "0.9.0", "openapi-spec-validator");
    let refused = Command::new(validator).args(["--schema", "3.1"]).arg(&file).output().unwrap();
    assert!(!refused.status.success());
}

#[tokio::test]
async fn every_operation_says_who_may_call_it_what_it_answers_and_how_it_is_repeated() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let document = document(&service).await;
    let (mut names, mut unprotected) = (BTreeSet::new(), Vec::new());
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        let said = operation["summary"].as_str().or(operation["description"].as_str());
        assert!(said.is_some_and(|said| said.ends_with('.')), "{name} is not described");
        let tag = &operation["tags"][0];
        assert!(document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag), "{name}");
        let Some(role) = role(&operation) else {
            unprotected.push(path);
            continue;
        };
        let mut expected = vec!["400", "401", "503"];
        expected.extend((role != "viewer").then_some("403"));
        let key = json!({"$ref": "#/components/parameters/IdempotencyKey"});
        let has_key = operation["parameters"].as_array().is_some_and(|all| all.contains(&key));
        assert_eq!(has_key, method == Method::POST, "{name}");
        if method == Method::POST {
            expected.extend(["408", "409", "413", "415"]);
        }
        if path.contains("{id}") {
            expected.push("404");
        }
        let answers = operation["responses"].as_object().unwrap();
        let missing: Vec<_> = expected.iter().filter(|status| !answers.contains_key(**status)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
    }
    assert_eq!(unprotected, ["/api/v1/openapi.json", "/metrics"]);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let dangling = found.iter().filter(|to| document.pointer(to.trim_start_matches('#')).is_none());
    assert_eq!(dangling.collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[tokio::test]
async fn the_words_of_the_document_are_those_of_the_code() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let document = document(&service).await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Status"]["enum"], words(Status::ALL, Status::as_str));
    assert_eq!(schemas["Outcome"]["enum"], words(Outcome::ALL, Outcome::as_str));
    assert_eq!(schemas["Reason"]["enum"], words(Reason::ALL, Reason::as_str));
    assert_eq!(schemas["Goal"]["enum"], words(Goal::ALL, Goal::as_str));
    assert_eq!(schemas["StepStatus"]["enum"], words(StepStatus::ALL, StepStatus::as_str));
    assert_eq!(schemas["Phase"]["enum"], json!(["strip", "deactivate"]));
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
    assert_eq!(schemas["Problem"]["properties"]["type"]["enum"], json!(kinds));
    let text = document.to_string();
    assert!(text.contains(&format!("{}", json!(DISPOSITIONS))), "{DISPOSITIONS:?}");
    let limit = document["paths"]["/api/v1/offboardings"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|parameter| parameter["name"] == "limit")
        .unwrap();
    assert_eq!((&limit["schema"]["minimum"], &limit["schema"]["maximum"]), (&json!(1), &Value::Null));
    let about = limit["schema"]["description"].as_str().unwrap();
    assert!(about.contains(&PAGE_MAX.to_string()), "{about}");
}

#[test]
fn the_page_about_the_api_names_every_problem_with_what_it_means() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| type | meaning |\n| --- | --- |\n").unwrap();
    let written: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let row = |kind: &Kind| format!("| `{}` | {} |", kind.as_str(), kind.meaning());
    assert_eq!(written, Kind::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn no_route_of_the_api_is_registered_without_its_description() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut undescribed = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains(".route(\"/api/"));
        undescribed.extend(lines.map(|line| format!("{}: {line}", path.display())));
    }
    assert_eq!(undescribed, Vec::<String>::new());
}

#[tokio::test]
async fn every_operation_wants_exactly_its_role_and_one_known_token() {
    let world = World::new().await;
    let service = world.serve(&vera(), &["serve", "--no-worker"]);
    let document = document(&service).await;
    let rank = |role: &str| ["viewer", "operator", "approver"].iter().position(|known| *known == role);
    for (method, path, operation) in operations(&document) {
        let asked = |tokens: &[&str]| {
            let mut request = client().request(method.clone(), address(&service, &path));
            for token in tokens {
                let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
                request = request.header(AUTHORIZATION, value);
            }
            Answer::to(request)
        };
        let what = format!("{method} {path}");
        let Some(role) = role(&operation) else {
            assert_eq!(asked(&[]).await.status, 200, "{what}");
            continue;
        };
        for tokens in [&[][..], &["an-unknown-token-0123456789"], &[""], &[BOB, BOB], &[BOB, "x"]] {
            let refused = asked(tokens).await;
            refused.is_problem(401, "token-needed");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{what} {tokens:?}");
        }
        for (token, has) in [(VERA, "viewer"), (ALICE, "operator"), (BOB, "approver")] {
            let answer = asked(&[token]).await;
            if rank(has) < rank(role) {
                answer.is_problem(403, "role-needed");
                assert!(answer.text().contains(role), "{what}: {}", answer.text());
            } else {
                let let_in = matches!(answer.status, 200 | 201 | 400 | 404 | 409);
                assert!(let_in, "{what} as {has}: {} {}", answer.status, answer.text());
            }
        }
    }
}

#[tokio::test]
async fn every_path_refuses_other_methods_and_names_its_own() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let document = document(&service).await;
    let all = operations(&document);
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item[**method].is_null()) {
            let method: Method = method.to_uppercase().parse().unwrap();
            for token in ["", BOB] {
                let request = client().request(method.clone(), address(&service, path)).bearer_auth(token);
                let refused = Answer::to(request).await;
                refused.is_problem(405, "method-not-allowed");
                let allowed: BTreeSet<_> =
                    refused.header("allow").unwrap().split(',').map(str::trim).collect();
                let mut own: BTreeSet<_> = all
                    .iter()
                    .filter(|(_, at, _)| at == path)
                    .map(|(method, _, _)| method.as_str())
                    .collect();
                if own.contains("GET") {
                    own.insert("HEAD");
                }
                assert_eq!(allowed, own, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn an_offboarding_has_the_fields_of_the_contract_and_no_list_has_more() {
    /// An Offboarding, field by field; `lease_until` and `rescinded_at` were added since.
    const FIELDS: [&str; 19] = [
        "attempt",
        "completed_at",
        "created_at",
        "effective_at",
        "event_ids",
        "goal",
        "id",
        "journal",
        "lease_until",
        "next_attempt_at",
        "outcome",
        "person",
        "phase",
        "reason",
        "rescinded_at",
        "source",
        "status",
        "steps",
        "updated_at",
    ];
    const PERSON: [&str; 3] = ["email", "external_id", "genesys_user_id"];
    const STEP: [&str; 4] = ["name", "phase", "removed", "status"];
    const ENTRY: [&str; 8] =
        ["action", "actor", "at", "correlation_id", "request_id", "result", "step", "target"];
    let world = World::new().await;
    let service = world.serve(&vera(), &["serve", "--no-worker"]);
    let receipt = service.deliver(&crate::support::termination("e1", "W1", "jane@example.com")).await.1;
    let path = format!("/api/v1/offboardings/{}", receipt["offboardings"][0]["id"].as_str().unwrap());
    let shown = service.api(Method::GET, &path, VERA).await.1;
    let fields = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(fields(&shown), FIELDS);
    assert_eq!(fields(&shown["person"]), PERSON);
    assert!(shown["steps"].as_array().unwrap().iter().all(|step| fields(step) == STEP), "{shown}");
    assert!(shown["journal"].as_array().unwrap().iter().all(|entry| fields(entry) == ENTRY), "{shown}");
    let page = service.api(Method::GET, "/api/v1/offboardings", VERA).await.1;
    assert_eq!(fields(&page), ["items", "next"]);
    let listed: Vec<_> = FIELDS.iter().filter(|name| !["steps", "journal"].contains(name)).collect();
    assert_eq!(fields(&page["items"][0]).iter().collect::<Vec<_>>(), listed);
    let described = &document(&service).await["components"]["schemas"]["Offboarding"];
    assert_eq!(fields(&described["properties"]), FIELDS);
    let required: BTreeSet<_> =
        described["required"].as_array().unwrap().iter().map(|name| name.as_str()).collect();
    let optional: Vec<_> = FIELDS.iter().filter(|name| !required.contains(&Some(**name))).collect();
    assert_eq!(optional, [&"journal", &"steps"]);
}
