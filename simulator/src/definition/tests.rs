//! Tests of finding operations and of the comparison with the definition.

use super::*;

fn id_of(method: &str, path: &str) -> Option<&'static str> {
    if let Match::Operation(operation, _) = definition().find(method, path) {
        return Some(&operation.id);
    }
    None
}

#[test]
fn a_literal_segment_wins_over_a_variable() {
    assert_eq!(id_of("POST", "/api/v2/users/search"), Some("postUsersSearch"));
    assert_eq!(id_of("PUT", "/api/v2/users/u1/routingskills/bulk"), Some("putUserRoutingskillsBulk"));
    assert_eq!(id_of("GET", "/api/v2/users/u1"), Some("getUser"));
}

#[test]
fn path_values_are_decoded() {
    let Match::Operation(_, values) = definition().find("GET", "/api/v2/users/externalid/work%20day/a%2Fb")
    else {
        panic!("the path exists");
    };
    assert_eq!(values, [("authorityName", "work day".to_owned()), ("externalKey", "a/b".to_owned())]);
}

#[test]
fn invented_calls_are_recognised_and_other_methods_told_apart() {
    let find = |method, path| definition().find(method, path);
    assert!(matches!(find("DELETE", "/api/v2/users/u/routingskills/bulk"), Match::Invented(_)));
    assert!(matches!(find("PATCH", "/api/v2/routing/queues/q"), Match::Invented(_)));
    assert!(matches!(find("DELETE", "/api/v2/users/search"), Match::OtherMethod));
    assert!(matches!(find("GET", "/api/v2/nothing"), Match::Unknown));
}

#[test]
fn unknown_parameters_are_violations_but_no_refusal() {
    let Match::Operation(operation, _) = definition().find("GET", "/api/v2/users") else {
        panic!("the path exists");
    };
    let query = [("email".to_owned(), "jane@example.com".to_owned())];
    let verdict = definition().check(operation, &query, None, b"");
    assert_eq!(verdict.violations, ["query parameter email does not exist"]);
    assert!(verdict.refusal.is_none());
}
