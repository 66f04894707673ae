//! Tests of finding agent-owned callbacks and of handing them on.

use chrono::{SecondsFormat, TimeDelta};

use super::*;
use crate::presets;
use crate::probe::{Probe, Reply};
use crate::rules::{Kind, Lag};

const QUERY: &str = "/api/v2/analytics/conversations/details/query";

/// An organisation with two agents and a queue; the first owns a callback.
struct Scene {
    probe: Probe,
    jane: Id,
    tom: Id,
    queue: Id,
    conversation: Id,
}

impl Scene {
    async fn new() -> Self {
        let probe = Probe::start().await;
        let (jane, tom, queue, conversation) = probe.simulator.organisation(|org| {
            let jane = presets::bare_person(org, "Jane", "jane@example.com", "E1");
            let tom = presets::bare_person(org, "Tom", "tom@example.com", "E2");
            let home = org.home();
            let queue = org.add_queue("Callbacks", &home);
            let conversation = org.add_callback(&jane, &queue);
            (jane, tom, queue, conversation)
        });
        Self { probe, jane, tom, queue, conversation }
    }

    fn callback(&self) -> Callback {
        let all = self.probe.simulator.organisation(|org| org.callbacks());
        all.into_iter().find(|callback| callback.conversation == self.conversation).unwrap()
    }

    fn end(&self) {
        let end = |callback: &mut Callback| callback.state = CallbackState::Ended;
        self.probe.simulator.organisation(|org| org.edit_callback(&self.conversation, end)).unwrap();
    }

    /// Asks for the open callbacks of a user as a careful client does.
    async fn open_of(&self, user: &str) -> Vec<Value> {
        let reply = self.query(open_of(user)).await;
        assert_eq!(reply.status, 200);
        let found = reply.body["conversations"].as_array().cloned().unwrap_or_default();
        assert_eq!(reply.body["totalHits"], found.len());
        found
    }

    async fn query(&self, query: Value) -> Reply {
        self.probe.send("POST", QUERY, &query).await
    }

    async fn patch(&self, body: Value) -> Reply {
        self.probe.send("PATCH", "/api/v2/conversations/callbacks", &body).await
    }

    async fn replace(&self, participant: &str, body: Value) -> Reply {
        let conversation = &self.conversation;
        let path = format!("/api/v2/conversations/{conversation}/participants/{participant}/replace/queue");
        self.probe.send("POST", &path, &body).await
    }
}

fn interval() -> String {
    let now = Utc::now();
    let date = |days| (now + TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{}/{}", date(-3), date(1))
}

fn open_of(user: &str) -> Value {
    let is = |dimension: &str, value: &str| json!({"type": "dimension", "dimension": dimension, "operator": "matches", "value": value});
    json!({
        "interval": interval(),
        "segmentFilters": [{
            "type": "and",
            "predicates": [is("mediaType", "callback")],
            "clauses": [{"type": "or", "predicates": [is("userId", user), is("scoredAgentId", user)]}],
        }],
        "conversationFilters": [{
            "type": "and",
            "predicates": [{"type": "dimension", "dimension": "conversationEnd", "operator": "notExists"}],
        }],
        "paging": {"pageSize": 100, "pageNumber": 1},
    })
}

#[tokio::test]
async fn a_query_shows_an_open_callback_with_its_owner_its_queue_and_its_participant() {
    let scene = Scene::new().await;
    let found = scene.open_of(&scene.jane).await;
    assert_eq!(found.len(), 1);
    let holder = &found[0]["participants"][1];
    assert_eq!(found[0]["conversationId"], scene.conversation.as_str());
    assert_eq!(holder["participantId"], scene.callback().participant.as_str());
    assert_eq!(holder["userId"], scene.jane.as_str());
    let session = &holder["sessions"][0];
    assert_eq!((&session["mediaType"], &session["agentOwned"]), (&json!("callback"), &json!(true)));
    assert_eq!(session["segments"][0]["queueId"], scene.queue.as_str());
    assert_eq!(session["segments"][0]["scoredAgents"][0]["scoredAgentId"], scene.jane.as_str());
    assert!(scene.open_of(&scene.tom).await.is_empty());
    scene.probe.assert_no_violations();
}

#[tokio::test]
async fn an_ended_callback_is_shown_only_to_a_query_that_does_not_ask_for_open_ones() {
    let scene = Scene::new().await;
    scene.end();
    assert!(scene.open_of(&scene.jane).await.is_empty());
    let mut query = open_of(&scene.jane);
    query["conversationFilters"] = json!([]);
    let ended = scene.query(query).await;
    assert!(ended.body["conversations"][0]["conversationEnd"].is_string());
}

#[tokio::test]
async fn only_callbacks_that_began_on_a_day_of_the_interval_are_shown() {
    let scene = Scene::new().await;
    let age = |callback: &mut Callback| callback.started -= TimeDelta::days(5);
    scene.probe.simulator.organisation(|org| org.edit_callback(&scene.conversation, age)).unwrap();
    assert!(scene.open_of(&scene.jane).await.is_empty());
}

#[tokio::test]
async fn pages_hold_what_was_asked_for_and_the_total_counts_all() {
    let scene = Scene::new().await;
    scene.probe.simulator.organisation(|org| {
        for _ in 0..4 {
            org.add_callback(&scene.jane, &scene.queue);
        }
    });
    let mut seen = Vec::new();
    for number in 1..=3 {
        let mut query = open_of(&scene.jane);
        query["paging"] = json!({"pageSize": 2, "pageNumber": number});
        let page = scene.query(query).await.body;
        assert_eq!(page["totalHits"], 5);
        seen.extend(page["conversations"].as_array().unwrap().iter().map(|c| c["conversationId"].clone()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let mut descending = open_of(&scene.jane);
    descending["order"] = json!("desc");
    assert_eq!(scene.query(descending).await.body["conversations"][4]["conversationId"], seen[0]);
}

#[tokio::test]
async fn a_query_that_can_not_be_answered_as_meant_is_refused() {
    let scene = Scene::new().await;
    let with = |field: &str, value: Value| {
        let mut query = open_of(&scene.jane);
        query[field] = value;
        query
    };
    let refused = [
        (json!({}), 400),
        (with("interval", json!("yesterday")), 400),
        (with("paging", json!({"pageSize": 101, "pageNumber": 1})), 400),
        (with("paging", json!({"pageSize": 10, "pageNumber": 0})), 400),
        (with("aggregations", json!([{"type": "termFrequency", "dimension": "userId"}])), 501),
    ];
    for (query, status) in refused {
        assert_eq!(scene.query(query.clone()).await.status, status, "{query}");
    }
    scene.probe.simulator.rules(|rules| rules.details_interval_days_max = Some(2));
    assert_eq!(scene.query(open_of(&scene.jane)).await.status, 400);
}

#[tokio::test]
async fn a_callback_is_given_to_another_agent_and_analytics_see_it_late() {
    let scene = Scene::new().await;
    scene.probe.simulator.set_lag(Kind::Callbacks, Lag::Reads(1));
    let before = scene.callback();
    let given = scene.patch(json!({"conversationId": scene.conversation, "agentId": scene.tom})).await;
    assert_eq!((given.status, &given.body["conversation"]["id"]), (200, &json!(scene.conversation)));
    let after = scene.callback();
    assert_eq!((after.owner.as_ref(), &after.queue), (Some(&scene.tom), &scene.queue));
    assert_ne!(after.participant, before.participant);
    assert_eq!(scene.open_of(&scene.jane).await.len(), 1);
    assert!(scene.open_of(&scene.jane).await.is_empty());
    assert_eq!(scene.open_of(&scene.tom).await.len(), 1);
    assert_eq!(scene.probe.simulator.changing()[0].effect, crate::Effect::Changed);
    scene.probe.assert_no_violations();
}

#[tokio::test]
async fn an_update_may_name_a_queue_and_a_time_and_repeating_it_changes_nothing() {
    let scene = Scene::new().await;
    let other = scene.probe.simulator.organisation(|org| {
        let home = org.home();
        org.add_queue("Other", &home)
    });
    let body = json!({"conversationId": scene.conversation, "agentId": scene.jane, "queueId": other,
        "callbackScheduledTime": "2030-01-02T03:04:05.000Z"});
    assert_eq!(scene.patch(body.clone()).await.status, 200);
    let after = scene.callback();
    assert_eq!((&after.queue, after.scheduled.timestamp()), (&other, 1_893_553_445));
    assert_eq!(scene.patch(body).await.status, 200);
    assert_eq!(scene.callback(), after);
}

#[tokio::test]
async fn updates_of_what_is_unknown_ended_or_incomplete_are_refused_without_effect() {
    let scene = Scene::new().await;
    let (conversation, tom) = (&scene.conversation, &scene.tom);
    let before = scene.callback();
    let refused = [
        (json!({"conversationId": "nowhere", "agentId": tom}), 404),
        (json!({"conversationId": conversation, "agentId": "nobody"}), 404),
        (json!({"conversationId": conversation, "agentId": tom, "queueId": "none"}), 404),
        (json!({"conversationId": conversation}), 400),
        (json!({"agentId": tom}), 400),
        (json!({"conversationId": conversation, "agentId": tom, "callbackScheduledTime": "soon"}), 400),
    ];
    for (body, status) in refused {
        assert_eq!(scene.patch(body.clone()).await.status, status, "{body}");
    }
    assert_eq!(scene.callback(), before);
    scene.end();
    assert_eq!(scene.patch(json!({"conversationId": conversation, "agentId": tom})).await.status, 412);
}

#[tokio::test]
async fn a_callback_handed_to_a_queue_has_no_owner_any_more() {
    let scene = Scene::new().await;
    let participant = scene.callback().participant;
    assert_eq!(scene.replace(&participant, json!({"queueId": scene.queue})).await.status, 202);
    let after = scene.callback();
    assert_eq!((after.owner, after.queue), (None, scene.queue.clone()));
    assert!(scene.open_of(&scene.jane).await.is_empty());
    let shown = scene.probe.get(&format!("/api/v2/conversations/{}", scene.conversation)).await;
    assert_eq!(shown.body["participants"][1]["purpose"], "acd");
    // The participant it was taken from is not there any more.
    assert_eq!(scene.replace(&participant, json!({"queueId": scene.queue})).await.status, 404);
    let by_name = scene.replace(&after.participant, json!({"queueName": "Switchboard"})).await;
    assert_eq!(by_name.status, 202);
    assert_ne!(scene.callback().queue, scene.queue);
    scene.probe.assert_no_violations();
}

#[tokio::test]
async fn a_hand_over_to_no_queue_or_of_an_ended_conversation_is_refused() {
    let scene = Scene::new().await;
    let participant = scene.callback().participant;
    assert_eq!(scene.replace(&participant, json!({})).await.status, 400);
    assert_eq!(scene.replace(&participant, json!({"queueId": "none"})).await.status, 404);
    assert_eq!(scene.replace(&participant, json!({"queueName": "none"})).await.status, 404);
    assert_eq!(scene.replace("nobody", json!({"queueId": scene.queue})).await.status, 404);
    scene.end();
    assert_eq!(scene.replace(&participant, json!({"queueId": scene.queue})).await.status, 400);
    assert_eq!(scene.callback().owner, Some(scene.jane.clone()));
}

#[tokio::test]
async fn a_conversation_is_shown_in_both_forms_and_without_lag() {
    let scene = Scene::new().await;
    scene.probe.simulator.set_lag(Kind::Callbacks, Lag::Reads(9));
    scene.patch(json!({"conversationId": scene.conversation, "agentId": scene.tom})).await;
    let whole = scene.probe.get(&format!("/api/v2/conversations/{}", scene.conversation)).await;
    let holder = &whole.body["participants"][1];
    assert_eq!((&holder["userId"], &holder["queueId"]), (&json!(scene.tom), &json!(scene.queue)));
    assert_eq!(holder["callbacks"][0]["state"], "scheduled");
    let path = format!("/api/v2/conversations/callbacks/{}", scene.conversation);
    let own_form = scene.probe.get(&path).await;
    assert_eq!(own_form.body["participants"][1]["user"]["id"], scene.tom.as_str());
    scene.end();
    assert!(
        scene.probe.get(&format!("/api/v2/conversations/{}", scene.conversation)).await.body["endTime"]
            .is_string()
    );
    assert_eq!(scene.probe.get(&path).await.body["participants"][1]["state"], "terminated");
    assert_eq!(scene.probe.get("/api/v2/conversations/nowhere").await.status, 404);
    assert_eq!(scene.probe.get("/api/v2/conversations/callbacks/nowhere").await.status, 404);
    scene.probe.assert_no_violations();
}
