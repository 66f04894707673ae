//! Every field of every answer that the engine reads, missing, null or of another type for good: nobody is deactivated
//! while something is left that could be put back. The exceptions are listed, each with its reason.

use std::sync::{Arc, Mutex};

use leaver::worker::Settings;
use leaver_simulator::{Action, Expansions, Fault, Matcher};
use serde_json::{Value, json};

use crate::stepped::{impatient_engine, step};
use crate::whole::{
    Watch, assert_allowed, left_with, whole_agent, whole_choices, whole_settings, whole_world,
};

/// What a field becomes.
#[derive(Clone, Debug)]
enum Change {
    Missing,
    Becomes(Value),
}

/// Genesys Cloud shows these only where there is something: left out or null they can't be told from none, whichever
/// engine reads them. A team or a station that was seen once is stored, and a restore knows it.
const SHOWN_ONLY_WHERE_THERE_IS_ONE: [(&str, &str); 5] = [
    ("getUser", "/team"),
    ("getUser", "/station/associatedStation"),
    ("getUser", "/station/defaultStation"),
    ("getUserStation", "/associatedStation"),
    ("getUserStation", "/defaultStation"),
];

fn is_excepted(operation: &str, path: &str, change: &Change) -> bool {
    let absent = match change {
        Change::Missing => true,
        Change::Becomes(value) => value.is_null(),
    };
    absent && SHOWN_ONLY_WHERE_THERE_IS_ONE.contains(&(operation, path))
}

/// What of a user nobody reads here: it is left out once and not taken apart.
const UNREAD: [&str; 6] =
    ["/chat", "/primaryContactInfo", "/addresses", "/username", "/acdAutoAnswer", "/presence/message"];

/// All media are told in the same way; one of them stands for all.
fn is_another_medium(at: &str, name: &str) -> bool {
    at == "/conversationSummary" && !["userId", "call"].contains(&name)
}

/// Every path of a JSON, as pointers; of a list its first entry.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(entries) => entries.iter().take(1).map(|child| ("0".to_owned(), child)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, child) in children {
        let path = format!("{at}/{name}");
        // Nobody reads where something can be read again.
        if name == "selfUri" || is_another_medium(at, &name) {
            continue;
        }
        found.push(path.clone());
        if !UNREAD.contains(&path.as_str()) {
            paths(child, &path, found);
        }
    }
}

/// What a value can become that it is not already in kind.
fn changes(value: &Value) -> Vec<Change> {
    let others = [json!(null), json!(7), json!("x"), json!([])];
    let kind = |value: &Value| std::mem::discriminant(value);
    let others = others.into_iter().filter(|other| kind(other) != kind(value)).map(Change::Becomes);
    [Change::Missing].into_iter().chain(others).collect()
}

/// Whether it is an entry of a list and no field. Where Genesys Cloud gives no count, a shorter list is as good as the
/// true one.
fn is_entry(path: &str) -> bool {
    path.ends_with("/0")
}

/// Changes the field, also of answers that don't have it.
fn apply(mut answer: Value, path: &str, change: &Change) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    match (answer.pointer_mut(parent), change) {
        (Some(Value::Object(fields)), Change::Missing) => {
            fields.remove(name);
        }
        (Some(Value::Object(fields)), Change::Becomes(value)) => {
            fields.insert(name.to_owned(), value.clone());
        }
        (Some(Value::Array(entries)), Change::Becomes(value)) if !entries.is_empty() => {
            entries[0] = value.clone();
        }
        _ => {}
    }
    answer
}

/// Walks the real answer of an operation, and tries each of its fields in each way.
async fn walk(operation: &'static str, expansions: Expansions) {
    let (world, heir) = whole_world().await;
    world.simulator.rules(|rules| rules.expansions = Expansions::Given);
    let watch = Watch::default();
    let settings = Settings { attempts_max: 1, verify_reads: 1, ..whole_settings(whole_choices(&heir)) };
    let withhold = || {
        if expansions == Expansions::Withheld {
            crate::whole::leave_expansions_out(&world);
        }
    };
    let next = || {
        let email = format!("{}@example.com", uuid::Uuid::new_v4());
        (world.simulator.organisation(|org| whole_agent(org, &email)), email)
    };
    let sample = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&sample);
    let note = move |answer: Value| {
        seen.lock().unwrap().get_or_insert(answer.clone());
        answer
    };
    world.simulator.inject(Fault::after(Matcher::operation(operation), Action::mutate(note)));
    withhold();
    let (_, email) = next();
    world.terminate(&email).await;
    step(&world, &impatient_engine(&world, settings.clone())).await;
    let sample = sample.lock().unwrap().take().expect("an answer");
    let mut every = Vec::new();
    paths(&sample, "", &mut every);
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in every {
        for change in changes(sample.pointer(&path).unwrap()) {
            let missing = matches!(change, Change::Missing);
            if (is_entry(&path) && missing) || (UNREAD.contains(&path.as_str()) && !missing) {
                continue;
            }
            watch.end_faults(&world);
            withhold();
            let (user, email) = next();
            let (at, how) = (path.clone(), change.clone());
            let rewrite = Action::mutate(move |answer| apply(answer, &at, &how));
            world.simulator.inject(Fault::after(Matcher::operation(operation).always(), rewrite));
            world.terminate(&email).await;
            step(&world, &impatient_engine(&world, settings.clone())).await;
            tried += 1;
            let early = watch.take();
            if !early.is_empty() && !is_excepted(operation, &path, &change) {
                wrong.push(format!("{path} {change:?}: {early:?} {:?}", left_with(&world.simulator, &user)));
            } else if early.is_empty() {
                assert_allowed(&world, &user, operation);
            }
        }
    }
    println!("{operation}: {tried} answers");
    assert!(tried > 5 && wrong.is_empty(), "{operation}: {wrong:#?}");
}

#[tokio::test]
async fn a_user() {
    walk("getUser", Expansions::Given).await;
}

#[tokio::test]
async fn queues_and_their_members() {
    walk("getUserQueues", Expansions::Given).await;
    walk("getRoutingQueueMembers", Expansions::Given).await;
}

#[tokio::test]
async fn grants_and_licences() {
    walk("getAuthorizationSubject", Expansions::Given).await;
    walk("getLicenseUser", Expansions::Given).await;
}

#[tokio::test]
async fn settings_of_one_person() {
    for operation in [
        "getRoutingUserUtilization",
        "getUserCallforwarding",
        "getRoutingUserDirectroutingbackupSettings",
        "getWorkforcemanagementAgentManagementunit",
    ] {
        walk(operation, Expansions::Given).await;
    }
}

#[tokio::test]
async fn what_has_a_read_of_its_own() {
    for operation in ["getUserRoutingskills", "getUserRoutinglanguages", "getUserStation"] {
        walk(operation, Expansions::Withheld).await;
    }
}

#[tokio::test]
async fn callbacks() {
    walk("postAnalyticsConversationsDetailsQuery", Expansions::Given).await;
}
