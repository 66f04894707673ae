//! How forms, XML, picked elements and joined ids become events, through whole sources.
//! What is refused at the start is left to `refusals`, whole samples of senders to the profiles' sample files.

use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;
use serde_json::json;

use super::delivery::Reading;
use super::json::ReadError;
use super::source::Source;
use crate::offboarding::{Directive, Effective, TerminationEvent};

const HEAD: &str = "secrets = ['a-secret-of-enough-bytes']\nauth.kind = 'bearer'\n";

const NOTIFICATION: &str = "format = 'xml'\n[map]\nitems = '^/Envelope/Body/ExternalEvent/events/event'\n\
    event = '^/Envelope/Body/ExternalEvent/externalEventMeta/type'\n\
    pick = { array = '/entityKeys/entityKey', where = ['/name', 'userId'], as = 'user' }\n\
    external_id = '#user/value'\neffective = ['/effectiveStartDate']\n\
    event_id = { join = ['^/Envelope/Body/ExternalEvent/externalEventMeta/externalEventId', '/eventId'] }\n\
    [[rules]]\nwhen = [['event', 'matches', ['\\.Termination$']]]\ndo = 'lookup'";

fn source(rest: &str) -> Source {
    Source::build("acme", &format!("{HEAD}{rest}").parse().unwrap()).unwrap()
}

fn read(source: &Source, body: &str) -> Result<Vec<TerminationEvent>, ReadError> {
    match source.read(&HeaderMap::new(), body.as_bytes()) {
        Reading::Events(events) => Ok(events),
        Reading::Unreadable { cause, .. } => Err(cause),
    }
}

fn event(source: &Source, body: &str) -> TerminationEvent {
    let mut events = read(source, body).unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn key(name: &str, value: &str) -> String {
    format!("<entityKey><name>{name}</name><value>{value}</value></entityKey>")
}

fn notification(events: &[(&str, String)]) -> String {
    let events = events.iter().map(|(id, keys)| {
        format!(
            "<n:event><n:eventId>{id}</n:eventId><n:effectiveStartDate>2021-09-01</n:effectiveStartDate>\
             <n:entityKeys>{keys}</n:entityKeys></n:event>"
        )
    });
    format!(
        "<s:Envelope xmlns:s='urn:s'><s:Body><n:ExternalEvent xmlns:n='urn:n'><n:externalEventMeta>\
         <n:externalEventId>E</n:externalEventId><n:type>com.example.Termination</n:type></n:externalEventMeta>\
         <n:events>{}</n:events></n:ExternalEvent></s:Body></s:Envelope>",
        events.collect::<String>()
    )
}

#[test]
fn a_form_is_read_by_its_names() {
    let form = source(
        "format = 'form'\nmap.event = '/event_name'\nmap.external_id = '/id'\n\
         map.event_id = { derive = ['event', '/company_id', 'external_id'], window = '7d' }\n\
         rules = [{ when = [['event', 'in', ['employee.terminated']]], do = 'lookup' }]",
    );
    let read_one =
        event(&form, "event_name=employee.terminated&id=6569&company_id=1&mail=ceo%40acme.example");
    assert_eq!(read_one.directive, Directive::Lookup);
    assert_eq!((read_one.person.email, read_one.person.external_id.as_deref()), (None, Some("6569")));
    assert_eq!(read_one.again_after, Some(TimeDelta::days(7)));
    let other_order = event(&form, "company_id=1&id=6569&event_name=employee.terminated");
    assert_eq!(read_one.event_id, other_order.event_id);
    assert_eq!(read(&form, "id=1&id=2"), Err(ReadError::DuplicateMember));
}

#[test]
fn what_may_differ_between_two_deliveries_of_an_event_is_no_part_of_it() {
    let source = source(
        "map.event = '/event'\nmap.event_id = { ptr = '/id', except = ['/repost', '/meta/a~1t'] }\n\
         rules = [{ when = [['event', 'in', ['left']]], do = 'terminate' }]",
    );
    let digest = |body: &str| event(&source, body).content_digest;
    let first = digest(r#"{"id":"1","event":"left","repost":false,"meta":{"a/t":1,"b":2}}"#);
    assert_eq!(first, digest(r#"{"id":"1","event":"left","repost":true,"meta":{"a/t":9,"b":2}}"#));
    assert_eq!(first, digest(r#"{"id":"1","event":"left","meta":{"b":2}}"#));
    assert_ne!(first, digest(r#"{"id":"1","event":"left","repost":true,"meta":{"a/t":9,"b":3}}"#));
    assert_ne!(first, digest(r#"{"id":"1","event":"gone","repost":true,"meta":{"a/t":9,"b":2}}"#));
}

#[test]
fn one_event_of_a_notification_is_an_array_of_one_and_two_are_two() {
    let source = source(NOTIFICATION);
    let one = event(&source, &notification(&[("A", key("seq", "1") + &key("userId", "103045"))]));
    assert_eq!((one.event_id.as_str(), one.directive), ("E:A", Directive::Lookup));
    assert_eq!(one.person.external_id.as_deref(), Some("103045"));
    assert_eq!(one.effective, Effective::On("2021-09-01".parse().unwrap()));
    let two = notification(&[("A", key("userId", "1")), ("B", key("userId", "2"))]);
    let ids: Vec<_> = read(&source, &two).unwrap().into_iter().map(|event| event.event_id).collect();
    assert_eq!(ids, ["E:A", "E:B"]);
    assert_eq!(read(&source, &notification(&[])), Err(ReadError::ItemsNotArray));
}

#[test]
fn of_two_elements_that_a_pick_fits_none_is_picked() {
    let source = source(NOTIFICATION);
    let twice = event(&source, &notification(&[("A", key("userId", "1") + &key("userId", "2"))]));
    assert_eq!(twice.person.external_id, None);
    let none = event(&source, &notification(&[("A", key("seq", "1"))]));
    assert_eq!(none.person.external_id, None);
}

#[test]
fn a_joined_id_needs_every_part_and_no_two_lists_of_parts_have_the_same() {
    let source = source(
        "map.email = '/email'\nmap.event_id = { join = ['/source', '/id'], derive = ['email'] }\n\
         rules = [{ when = [], do = 'hold' }]",
    );
    let id = |from: &str, id: serde_json::Value| {
        event(&source, &json!({"source": from, "id": id, "email": "a@b.c"}).to_string()).event_id
    };
    assert_eq!(id("https://hris.example/", json!(7)), "https://hris.example/:7");
    assert_ne!(id("a", json!("b:c")), id("a:b", json!("c")));
    assert_ne!(id("a", json!("b:c")), id("a", json!("b%3Ac")));
    for other in [json!(null), json!(""), json!(["x"]), json!("a\nb"), json!("x".repeat(200))] {
        assert!(id("a", other.clone()).starts_with("derived:"), "{other}");
    }
    assert_eq!(id("derived", json!("00")), id("body", json!("00")), "neither can be taken for one of ours");
}

#[test]
fn words_are_compared_in_their_own_type() {
    let source = source(
        "map.email = '/email'\n[[rules]]\nwhen = [['/active', 'in', [false, 0]]]\ndo = 'terminate'\n\
         [[rules]]\nwhen = [['/flags', 'contains_any', [true, 7]]]\ndo = 'rescind'\n\
         [[rules]]\nwhen = [['/active', 'in', ['false']]]\ndo = 'hold'",
    );
    let directive = |body: serde_json::Value| event(&source, &body.to_string()).directive;
    assert_eq!(directive(json!({"active": false})), Directive::Terminate);
    assert_eq!(directive(json!({"active": 0})), Directive::Terminate);
    assert_eq!(directive(json!({"active": "false"})), Directive::Hold);
    for other in [json!("False"), json!("0"), json!(0.5), json!(null), json!(true), json!([false])] {
        assert_eq!(directive(json!({ "active": other })), Directive::Ignore, "{other}");
    }
    assert_eq!(directive(json!({"flags": ["x", true]})), Directive::Rescind);
    assert_eq!(directive(json!({"flags": [7]})), Directive::Rescind);
    assert_eq!(directive(json!({"flags": ["true", "7", 7.5]})), Directive::Ignore);
}

#[test]
fn an_expression_is_searched_for_and_anchored_only_where_it_says_so() {
    let source = source(
        "map.event = '/type'\n[[rules]]\nwhen = [['event', 'matches', ['(^|\\.)worker\\.terminated(\\.v\\d+)?$']]]\ndo = 'terminate'",
    );
    let directive =
        |event_type: serde_json::Value| event(&source, &json!({ "type": event_type }).to_string()).directive;
    for fits in ["worker.terminated", "com.acme.worker.terminated", "worker.terminated.v2"] {
        assert_eq!(directive(json!(fits)), Directive::Terminate, "{fits}");
    }
    for other in ["coworker.terminated", "worker.terminated.v", "worker.terminated.v2x", "workerXterminated"]
    {
        assert_eq!(directive(json!(other)), Directive::Ignore, "{other}");
    }
    assert_eq!(directive(json!(["worker.terminated"])), Directive::Ignore);
}

#[test]
fn each_format_has_its_content_types() {
    let accepts = |format: &str, content_type: &str| {
        let source =
            source(&format!("format = '{format}'\nmap.email = '/e'\nrules = [{{ when = [], do = 'hold' }}]"));
        let mut headers = HeaderMap::new();
        headers.append("content-type", HeaderValue::from_str(content_type).unwrap());
        source.accepts_content_type(&headers)
    };
    assert!(accepts("form", "application/x-www-form-urlencoded; charset=UTF-8"));
    for stated in ["text/xml; charset=\"utf-8\"", "application/xml", "application/soap+xml;action=\"urn:x\""]
    {
        assert!(accepts("xml", stated), "{stated}");
    }
    assert!(!accepts("xml", "application/json") && !accepts("form", "multipart/form-data; boundary=x"));
    assert!(!accepts("json", "application/xml") && !accepts("xml", "text/xml; charset=iso-8859-1"));
}

#[test]
fn what_a_profile_says_of_itself_is_handed_on() {
    let generic = |rest: &str| source(&format!("profile = 'generic-worker-terminated'\n{rest}"));
    assert_eq!(generic("").unverified(), None);
    let guess = generic("verified = false\nunverified = 'Read in an old page.'");
    assert_eq!(guess.unverified(), Some("Read in an old page."));
    let aliases: &[(&str, &str)] = &include!("profiles/aliases.in");
    let (alias, name) = aliases[0];
    assert_eq!(source(&format!("profile = '{alias}'")).profile_name(), Some(name));
}
