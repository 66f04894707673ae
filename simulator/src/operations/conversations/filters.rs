//! The filters of a conversation query: which callbacks satisfy them. What a callback looks like is left to `shapes`.

use serde_json::Value;

use super::super::text;
use crate::organisation::{Callback, CallbackState};

/// What is known about a conversation or a segment, by the dimensions of queries; several values for one are several pairs.
type Facts = Vec<(&'static str, String)>;

/// Tells whether a callback satisfies every filter: those on the conversation, and those on segments by one segment.
pub(super) fn admit(query: &Value, callback: &Callback) -> bool {
    let conversation = conversation(callback);
    let segments = [customer_segment(), waiting_segment(callback)];
    filters(query, "conversationFilters").iter().all(|filter| holds(filter, &conversation))
        && segments
            .iter()
            .any(|segment| filters(query, "segmentFilters").iter().all(|filter| holds(filter, segment)))
}

/// Names the first predicate on something else than a dimension.
pub(super) fn unknown_predicate(query: &Value) -> Option<String> {
    let filters = filters(query, "conversationFilters").iter().chain(filters(query, "segmentFilters"));
    filters.flat_map(all_predicates).find_map(|predicate| {
        let kind = text(predicate, "type");
        let is_dimension = predicate.get("dimension").is_some() && (kind.is_empty() || kind == "dimension");
        (!is_dimension).then(|| format!("the predicate {predicate}"))
    })
}

fn all_predicates(filter: &Value) -> Vec<&Value> {
    let clauses = filters(filter, "clauses").iter().flat_map(|clause| filters(clause, "predicates"));
    filters(filter, "predicates").iter().chain(clauses).collect()
}

fn conversation(callback: &Callback) -> Facts {
    let mut facts = vec![
        ("conversationId", callback.conversation.clone()),
        ("conversationStart", callback.started.to_rfc3339()),
        ("originatingDirection", "inbound".to_owned()),
    ];
    match callback.state {
        CallbackState::Open => {}
        CallbackState::Ended => facts.push(("conversationEnd", callback.scheduled.to_rfc3339())),
    }
    facts
}

fn customer_segment() -> Facts {
    vec![
        ("mediaType", "callback".to_owned()),
        ("purpose", "customer".to_owned()),
        ("direction", "inbound".to_owned()),
    ]
}

fn waiting_segment(callback: &Callback) -> Facts {
    let mut facts = vec![
        ("mediaType", "callback".to_owned()),
        ("direction", "inbound".to_owned()),
        ("queueId", callback.queue.clone()),
        ("segmentType", "scheduled".to_owned()),
        ("callbackScheduledTime", callback.scheduled.to_rfc3339()),
        ("agentOwned", callback.owner.is_some().to_string()),
    ];
    match &callback.owner {
        Some(owner) => facts.extend([
            ("purpose", "agent".to_owned()),
            ("userId", owner.clone()),
            ("scoredAgentId", owner.clone()),
        ]),
        None => facts.push(("purpose", "acd".to_owned())),
    }
    if callback.state == CallbackState::Ended {
        facts.push(("segmentEnd", callback.scheduled.to_rfc3339()));
    }
    facts
}

fn filters<'a>(query: &'a Value, name: &str) -> &'a [Value] {
    query.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Tells whether a filter or a clause holds; both join what they contain by their type.
fn holds(filter: &Value, facts: &Facts) -> bool {
    let clauses = filters(filter, "clauses").iter().map(|clause| holds(clause, facts));
    let predicates = filters(filter, "predicates").iter().map(|predicate| is_met(predicate, facts));
    let mut parts = clauses.chain(predicates);
    if text(filter, "type") == "or" { parts.any(|part| part) } else { parts.all(|part| part) }
}

fn is_met(predicate: &Value, facts: &Facts) -> bool {
    let dimension = text(predicate, "dimension");
    let mut values = facts.iter().filter(|(name, _)| *name == dimension).map(|(_, value)| value);
    match text(predicate, "operator") {
        "exists" => values.next().is_some(),
        "notExists" => values.next().is_none(),
        // "matches", which is also the published default.
        _ => values.any(|value| value == text(predicate, "value")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> Facts {
        vec![("mediaType", "callback".to_owned()), ("userId", "u1".to_owned())]
    }

    fn matches(dimension: &str, value: &str) -> Value {
        json!({"type": "dimension", "dimension": dimension, "operator": "matches", "value": value})
    }

    #[test]
    fn predicates_and_clauses_are_joined_by_the_type_of_what_contains_them() {
        let both = [matches("mediaType", "callback"), matches("userId", "u2")];
        assert!(!holds(&json!({"type": "and", "predicates": both}), &facts()));
        assert!(holds(&json!({"type": "or", "predicates": both}), &facts()));
        let nested = json!({"type": "and", "predicates": [matches("mediaType", "callback")],
            "clauses": [{"type": "or", "predicates": [matches("userId", "u1"), matches("scoredAgentId", "u1")]}]});
        assert!(holds(&nested, &facts()));
    }

    #[test]
    fn a_predicate_may_ask_whether_there_is_a_value_at_all() {
        let asks = |operator: &str, dimension: &str| {
            is_met(&json!({"type": "dimension", "dimension": dimension, "operator": operator}), &facts())
        };
        assert!(asks("exists", "userId") && !asks("exists", "queueId"));
        assert!(asks("notExists", "queueId") && !asks("notExists", "userId"));
    }

    #[test]
    fn predicates_on_metrics_and_properties_are_named_wherever_they_stand() {
        let metric = json!({"type": "metric", "metric": "tSegmentDuration", "range": {"gt": 1}});
        let query =
            json!({"segmentFilters": [{"type": "and", "clauses": [{"type": "or", "predicates": [metric]}]}]});
        assert!(unknown_predicate(&query).unwrap().contains("tSegmentDuration"));
        let known =
            json!({"segmentFilters": [{"type": "and", "predicates": [matches("mediaType", "callback")]}]});
        assert_eq!(unknown_predicate(&known), None);
    }
}
