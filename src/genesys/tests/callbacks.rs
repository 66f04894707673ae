//! Callbacks that wait for one agent.

use chrono::{DateTime, Utc};
use wiremock::matchers::body_json;

use super::{changing::expect_call, *};
use crate::genesys::{ConversationId, Fault, OpenCallback};

const QUERY: &str = "/api/v2/analytics/conversations/details/query";
const OVER: &str = "2026-01-01T10:00:00.000Z";

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn read(genesys: Genesys) -> Result<Vec<OpenCallback>, Error> {
    let (since, until) = (moment("2026-01-01T00:00:00Z"), moment("2026-01-08T00:00:00Z"));
    genesys.open_callbacks_of(&jane(), since, until).await
}

fn agent(participant: &str, user: &str, segment: Value) -> Value {
    json!({
        "participantId": participant, "userId": user, "purpose": "agent",
        "sessions": [{"mediaType": "callback", "segments": [segment]}],
    })
}

/// A queue that holds a callback for an agent.
fn held(participant: &str, agent: &str) -> Value {
    json!({
        "participantId": participant, "purpose": "acd",
        "sessions": [{"mediaType": "callback", "segments": [
            {"queueId": "q-1", "scoredAgents": [{"agentScore": 100, "scoredAgentId": agent}]},
        ]}],
    })
}

fn conversation(id: &str, participants: Value) -> Value {
    json!({"conversationId": id, "conversationStart": OVER, "participants": participants})
}

async fn found_in(conversations: Value) -> Vec<(String, Option<String>, Option<String>)> {
    let bench = Bench::new().await;
    let total = conversations.as_array().unwrap().len();
    bench.answer("POST", QUERY, ok(json!({"conversations": conversations, "totalHits": total}))).await;
    let found = read(bench.genesys.clone()).await.unwrap();
    let text = |found: OpenCallback| {
        let OpenCallback { conversation, queue, participant } = found;
        (conversation.to_string(), queue.map(String::from), participant.map(String::from))
    };
    found.into_iter().map(text).collect()
}

fn is(
    conversation: &str,
    queue: Option<&str>,
    participant: Option<&str>,
) -> (String, Option<String>, Option<String>) {
    (conversation.to_owned(), queue.map(str::to_owned), participant.map(str::to_owned))
}

#[tokio::test]
async fn open_callbacks_are_asked_for_by_their_agent_to_the_last_hit() {
    let bench = Bench::new().await;
    for (number, id) in [(1, "c-1"), (2, "c-2")] {
        let is = |dimension: &str, value: &str| json!({"type": "dimension", "dimension": dimension, "value": value});
        let asked = json!({
            "interval": "2026-01-01T00:00:00.000Z/2026-01-08T00:00:00.000Z",
            "order": "asc", "orderBy": "conversationStart",
            "conversationFilters": [{"type": "and", "predicates": [
                {"type": "dimension", "dimension": "conversationEnd", "operator": "notExists"},
            ]}],
            "segmentFilters": [
                {"type": "and", "predicates": [is("mediaType", "callback")]},
                {"type": "or", "predicates": [is("userId", "u-jane"), is("scoredAgentId", "u-jane")]},
            ],
            "paging": {"pageSize": 25, "pageNumber": number},
        });
        let found = conversation(id, json!([held("p", "u-jane")]));
        Mock::given(method("POST"))
            .and(path(QUERY))
            .and(body_json(asked))
            .respond_with(ok(json!({"conversations": [found], "totalHits": 2})))
            .expect(1)
            .mount(&bench.server)
            .await;
    }
    let found = read(bench.genesys.clone()).await.unwrap();
    assert_eq!(found.iter().map(|found| found.conversation.as_str()).collect::<Vec<_>>(), ["c-1", "c-2"]);
}

#[tokio::test]
async fn a_callback_has_the_queue_and_the_part_that_would_be_replaced() {
    let customer =
        json!({"participantId": "p-0", "purpose": "customer", "sessions": [{"mediaType": "callback"}]});
    let taken = json!([
        customer,
        {"participantId": "p-1", "purpose": "acd", "sessions": [
            {"mediaType": "callback", "segments": [{"queueId": "q-1", "segmentEnd": OVER}]},
        ]},
        agent("p-2", "u-jane", json!({"queueId": "q-2"})),
    ]);
    let found = found_in(json!([
        conversation("c-taken", taken),
        conversation("c-held", json!([customer, held("p-3", "u-jane")])),
        conversation("c-bare", json!([{"userId": "u-jane"}])),
    ]))
    .await;
    let wanted = [
        is("c-taken", Some("q-2"), Some("p-2")),
        is("c-held", Some("q-1"), Some("p-3")),
        is("c-bare", None, None),
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn what_shows_another_owner_an_end_or_another_medium_is_left_out() {
    let left = || agent("p-1", "u-jane", json!({"segmentEnd": OVER}));
    let mut ended = conversation("c-ended", json!([held("p", "u-jane")]));
    ended["conversationEnd"] = OVER.into();
    let call = json!([{"userId": "u-jane", "sessions": [{"mediaType": "voice", "segments": [{}]}]}]);
    let found = found_in(json!([
        ended,
        conversation("c-transferred", json!([left(), agent("p-2", "u-john", json!({}))])),
        conversation("c-back-in-queue", json!([left(), {"participantId": "p-2", "purpose": "acd"}])),
        conversation("c-held-for-another", json!([held("p", "u-john")])),
        conversation("c-call", call),
        conversation("c-nobodys", json!([{"participantId": "p-9", "purpose": "acd"}])),
    ]))
    .await;
    assert_eq!(
        found,
        [is("c-nobodys", None, Some("p-9"))],
        "where it names nobody, the filter's word counts"
    );
}

#[tokio::test]
async fn no_callbacks_are_none_only_when_the_hits_say_so() {
    let bench = Bench::new().await;
    bench.answer_once("POST", QUERY, ok(json!({"totalHits": 0}))).await;
    bench.answer_once("POST", QUERY, ok(json!({"totalHits": 0, "conversations": []}))).await;
    bench.answer_once("POST", QUERY, ok(json!({"totalHits": 1}))).await;
    bench.answer("POST", QUERY, ok(json!({}))).await;
    for _ in 0..2 {
        assert_eq!(read(bench.genesys.clone()).await.unwrap(), []);
    }
    let error = read(bench.genesys.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::PagesContradict, .. }), "{error:?}");
    let error = read(bench.genesys.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::WrongShape, .. }), "{error:?}");
}

#[tokio::test]
async fn a_callback_that_cannot_be_read_whole_is_not_none() {
    let participant = agent("p-1", "u-jane", json!({"queueId": "q-1"}));
    let good = json!({"conversations": [conversation("c", json!([participant]))], "totalHits": 1});
    let needed =
        ["/totalHits", "/conversations", "/conversations/0/conversationId", "/conversations/0/participants"];
    let part = "/conversations/0/participants/0";
    let optional =
        ["participantId", "userId", "purpose", "sessions/0/mediaType", "sessions/0/segments/0/queueId"];
    let optional: Vec<_> = optional.iter().map(|field| format!("{part}/{field}")).collect();
    let optional: Vec<_> = optional.iter().map(String::as_str).collect();
    check_fields(good.clone(), &needed, &optional, read).await;
    for field in ["sessions", "sessions/0/segments"] {
        let bench = Bench::new().await;
        let wrong = with_field(&good, &format!("{part}/{field}"), Some(json!({})));
        bench.answer("POST", QUERY, ok(wrong)).await;
        assert!(matches!(read(bench.genesys).await, Err(Error::Malformed { .. })), "{field}");
    }
}

#[tokio::test]
async fn a_callback_is_given_to_an_agent_or_to_a_queue() {
    let (john, queue) = (UserId::new("u-john").unwrap(), "q".parse().unwrap());
    let (conversation, participant) = (ConversationId::new("c").unwrap(), "p".parse().unwrap());
    for (queue, body) in [
        (None, json!({"conversationId": "c", "agentId": "u-john"})),
        (Some(&queue), json!({"conversationId": "c", "agentId": "u-john", "queueId": "q"})),
    ] {
        let mock = Mock::given(method("PATCH")).and(path("/api/v2/conversations/callbacks"));
        expect_call(mock.and(body_json(body)), |c| c.reassign_callback(&conversation, &john, queue)).await;
    }
    let mock = Mock::given(method("POST")).and(path("/api/v2/conversations/c/participants/p/replace/queue"));
    let mock = mock.and(body_json(json!({"queueId": "q", "transferType": "Unattended"})));
    expect_call(mock, |c| c.callback_to_queue(&conversation, &participant, &queue)).await;
}
