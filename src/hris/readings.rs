//! How bodies become events, or are held: identity, limits and absences, at their edges.
//! Whole samples of senders are left to the profiles' sample files.

use axum::http::HeaderMap;
use serde_json::json;

use super::delivery::Reading;
use super::json::ReadError;
use super::source::Source;
use crate::offboarding::{Directive, Effective, TerminationEvent};

const SECRETS: &str = "secrets = ['a secret of enough bytes']";

fn source(profile: &str, rest: &str) -> Source {
    let toml = format!("profile = '{profile}'\n{SECRETS}\n{rest}");
    Source::build("acme", &toml.parse().unwrap()).unwrap()
}

fn worker(rest: &str) -> Source {
    source("generic-worker-terminated", rest)
}

fn batch(rest: &str) -> Source {
    worker(&format!("max_items = 3\n{rest}\n[map]\nitems = '/people'"))
}

fn events(source: &Source, body: &str) -> Vec<TerminationEvent> {
    match source.read(&HeaderMap::new(), body.as_bytes()) {
        Reading::Events(events) => events,
        Reading::Unreadable { cause, .. } => panic!("{cause}: {body}"),
    }
}

fn event(source: &Source, body: &str) -> TerminationEvent {
    let mut events = events(source, body);
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn cause(source: &Source, body: &[u8]) -> ReadError {
    match source.read(&HeaderMap::new(), body) {
        Reading::Unreadable { cause, .. } => cause,
        Reading::Events(events) => panic!("{events:?}"),
    }
}

#[test]
fn an_unreadable_body_is_known_by_its_raw_bytes() {
    let read = worker("").read(&HeaderMap::new(), b"{}{}");
    let Reading::Unreadable { event_id, content_digest, cause } = read else { panic!("{read:?}") };
    assert_eq!(event_id, format!("body:{}", hex::encode(content_digest)));
    assert_eq!(event_id, "body:b51f08b698d88d8027a935d9db649774949f5fb41a0c559bfee6a9a13225c72d");
    assert_eq!(cause, ReadError::TrailingData);
}

#[test]
fn items_are_an_array_of_objects_and_not_too_many() {
    let batch = batch("");
    assert_eq!(cause(&batch, br#"{"people":{"email":"a@b.c"}}"#), ReadError::ItemsNotArray);
    assert_eq!(cause(&batch, br#"{"persons":[]}"#), ReadError::ItemsNotArray);
    assert_eq!(cause(&batch, br#"{"people":[{},{},{},{}]}"#), ReadError::TooManyItems(3));
    assert_eq!(cause(&batch, br#"{"people":[{},1]}"#), ReadError::NotAnObject);
    assert_eq!(
        cause(&worker(""), br#"[{"event":"worker.terminated","email":"a@b.c"}]"#),
        ReadError::NotAnObject
    );
    let body =
        r#"{"people":[{"event":"worker.terminated","email":"a@b.c"},{"email":"d@e.f"},{"email":"g@h.i"}]}"#;
    let read: Vec<_> =
        events(&batch, body).into_iter().map(|event| (event.person.email, event.directive)).collect();
    let email = |text: &str| Some(text.to_owned());
    assert_eq!(
        read,
        [
            (email("a@b.c"), Directive::Terminate),
            (email("d@e.f"), Directive::Ignore),
            (email("g@h.i"), Directive::Ignore)
        ]
    );
}

#[test]
fn a_delivery_without_items_is_one_event_that_asks_for_nothing() {
    let nothing = event(&batch(""), r#"{"people":[]}"#);
    assert_eq!(nothing.directive, Directive::Ignore);
    assert!(nothing.event_id.starts_with("body:") && nothing.person.is_empty());
}

#[test]
fn the_senders_word_is_short_enough_to_be_shown_and_says_whether_a_rule_knew_it() {
    let heard = |word: serde_json::Value| {
        let heard = event(&worker(""), &json!({"event": word, "email": "a@b.c"}).to_string()).heard;
        (heard.word, heard.rule)
    };
    let word = |text: &str| Some(text.to_owned());
    assert_eq!(heard(json!("worker.terminated")), (word("worker.terminated"), Some(Directive::Terminate)));
    assert_eq!(heard(json!("worker.hired")), (word("worker.hired"), None));
    assert_eq!(heard(json!("a\u{1b}[31m\nb")), (word("a[31mb"), None));
    assert_eq!(heard(json!("é".repeat(101))), (word(&"é".repeat(100)), None));
    assert_eq!(heard(json!(17)), (word("17"), None));
    for none in [json!(null), json!(""), json!("\n"), json!(["worker.hired"]), json!({"a": 1})] {
        assert_eq!(heard(none), (None, None));
    }
}

#[test]
fn of_the_headers_only_those_are_kept_that_the_profile_reads() {
    let source = worker("[map]\nsequence = '@X-Timestamp'");
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-timestamp", "17"), ("x-signature", "secret"), ("authorization", "secret")] {
        headers.append(name, value.parse().unwrap());
    }
    let kept: Vec<_> = source.headers_read(&headers).into_iter().collect();
    assert_eq!(kept, [("x-timestamp".to_owned(), "17".to_owned())]);
    headers.append("x-timestamp", "18".parse().unwrap());
    assert!(source.headers_read(&headers).is_empty(), "a repeated header has no one value");
}

#[test]
fn an_item_that_is_repeated_in_one_delivery_is_one_event() {
    let item = r#"{"event":"worker.terminated","email":"a@b.c"}"#;
    assert_eq!(events(&batch(""), &format!(r#"{{"people":[{item},{item}]}}"#)).len(), 1);
}

#[test]
fn a_senders_own_id_is_taken_only_if_it_can_be_stored_and_shown() {
    let id = |id: serde_json::Value| {
        event(&worker(""), &json!({"eventId": id, "email": "a@b.c"}).to_string()).event_id
    };
    assert_eq!(id(json!("evt 1")), "evt 1");
    assert_eq!(id(json!(17)), "17");
    assert_eq!(id(json!("é".repeat(200))), "é".repeat(200));
    let derived = id(json!(null));
    assert!(derived.starts_with("derived:"));
    let others = [
        json!(""),
        json!("x".repeat(201)),
        json!("a\nb"),
        json!(1.5),
        json!(true),
        json!(["a"]),
        json!({"a": 1}),
    ];
    for other in others.into_iter().chain([json!("derived:00"), json!("body:00"), json!(1e30)]) {
        assert_eq!(id(other.clone()), derived, "{other}");
    }
}

#[test]
fn a_derived_id_follows_the_fields_and_neither_layout_nor_the_rest() {
    let id = |body: &str| event(&worker(""), body).event_id;
    let first = id(r#"{"event":"e","email":"a@b.c","terminationDate":"2025-06-30"}"#);
    assert_eq!(first, id(r#"{ "terminationDate":"2025-06-30", "event":"e", "email":"a@b.c", "attempt":2 }"#));
    assert_ne!(first, id(r#"{"event":"e","email":"a@b.c","terminationDate":"2025-07-01"}"#));
    assert_ne!(first, id(r#"{"event":"e","email":"a@b.d","terminationDate":"2025-06-30"}"#));
    assert_ne!(
        id(r#"{"event":"e","email":"a@b.c"}"#),
        id(r#"{"event":"e","workerId":"a@b.c"}"#),
        "fields are told apart"
    );
}

#[test]
fn a_derived_id_follows_a_field_that_an_override_moves() {
    let moved = worker("[map]\nemail = '/worker/mail'");
    let id = |mail: &str| {
        event(&moved, &json!({"event": "worker.terminated", "worker": {"mail": mail}}).to_string()).event_id
    };
    assert_ne!(id("a@b.c"), id("d@e.f"));
}

#[test]
fn events_that_name_nobody_are_told_apart_by_everything_in_them() {
    let id = |who: &str| {
        event(&worker(""), &json!({"event": "worker.terminated", "who": who}).to_string()).event_id
    };
    assert_ne!(id("jane"), id("john"));
}

#[test]
fn the_digest_of_a_senders_own_id_covers_the_whole_item() {
    let digest =
        |rest: u8| event(&worker(""), &json!({"eventId": "1", "email": "a@b.c", "rest": rest}).to_string());
    assert_eq!(digest(1).event_id, digest(2).event_id);
    assert_ne!(digest(1).content_digest, digest(2).content_digest);
}

#[test]
fn a_name_that_is_no_single_string_is_absent() {
    let read = |email: serde_json::Value, id: serde_json::Value| {
        event(&worker(""), &json!({"email": email, "workerId": id}).to_string()).person
    };
    assert_eq!(read(json!(" Jane@b.c\t"), json!("\u{a0}W 1 \n")).email.as_deref(), Some("Jane@b.c"));
    assert_eq!(read(json!(" "), json!("\u{a0}W 1 \n")).external_id.as_deref(), Some("W 1"));
    assert!(read(json!(" \t"), json!("\n\u{a0}")).is_empty(), "a blank names nobody");
    assert_eq!(read(json!("a@b.c"), json!(42)).external_id.as_deref(), Some("42"));
    let long = format!("{}@b.c", "x".repeat(317));
    for other in [json!(["a@b.c"]), json!({"value": "a@b.c"}), json!(""), json!(null), json!(7), json!(long)]
    {
        assert_eq!(read(other, json!("1")).email, None);
    }
    for other in [json!(["1"]), json!(1.5), json!(1e30), json!(true), json!(""), json!("x".repeat(257))] {
        assert_eq!(read(json!("a@b.c"), other).external_id, None);
    }
    assert!(read(json!("x".repeat(320)), json!("x".repeat(256))).email.is_some());
}

#[test]
fn the_first_date_that_is_there_counts_even_if_it_cannot_be_read() {
    let source = worker("date_zone = 'Europe/Berlin'\n[map]\neffective = ['/first', '/second']");
    let effective = |body: serde_json::Value| event(&source, &body.to_string()).effective;
    let day = Effective::On("2025-06-30".parse().unwrap());
    assert_eq!(effective(json!({"second": "2025-06-30"})), day);
    assert_eq!(effective(json!({"first": "", "second": "2025-06-30"})), day);
    assert_eq!(effective(json!({"first": "soon", "second": "2025-06-30"})), Effective::Unreadable);
    assert_eq!(effective(json!({"first": 0, "second": "2025-06-30"})), Effective::Unreadable);
    assert_eq!(effective(json!({})), Effective::Missing);
    let moment = Effective::At("2025-06-30T15:00:00Z".parse().unwrap());
    assert_eq!(effective(json!({"first": "2025-06-30T17:00:00"})), moment, "in the source's zone");
}

#[test]
fn rules_follow_a_field_that_an_override_moves_and_the_first_match_wins() {
    let moved = worker("[map]\nevent = '/kind'");
    assert_eq!(
        event(&moved, r#"{"kind":"worker.terminated","email":"a@b.c"}"#).directive,
        Directive::Terminate
    );
    let own = worker(
        "[[rules]]\nwhen = [['/state', 'absent'], ['/topic', 'matches', ['^worker\\..*\\.v1$']]]\ndo = 'hold'\n\
         [[rules]]\nwhen = [['/tags', 'contains_any', ['left', 'fired']]]\ndo = 'terminate'\n\
         [[rules]]\nwhen = [['/topic', 'matches', ['^worker\\.']]]\ndo = 'lookup'",
    );
    let directive = |body: serde_json::Value| event(&own, &body.to_string()).directive;
    assert_eq!(directive(json!({"topic": "worker.left.v1", "tags": ["left"]})), Directive::Hold);
    assert_eq!(
        directive(json!({"topic": "worker.left.v1", "tags": ["left"], "state": "x"})),
        Directive::Terminate
    );
    assert_eq!(
        directive(json!({"topic": "worker.left.v1", "tags": "left", "state": "x"})),
        Directive::Lookup
    );
    assert_eq!(directive(json!({"topic": "my.worker.left", "tags": [["left"]]})), Directive::Ignore);
}
