//! Changing calls: what is sent, once, and what is known afterwards.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::matchers::{any, body_json, header, query_param};

use super::*;
use crate::genesys::{
    CallFailed, CallOutcome, DivisionId, Done, Effect, Lapse, OneCall, QueueId, READ_TRIES, RoleId,
};

const TOKENS: &str = "/api/v2/tokens/u-jane";

async fn revoke(bench: &Bench) -> Result<Done, CallFailed> {
    bench.genesys.prepare_call().await.unwrap().revoke_tokens(&jane()).await
}

fn queue() -> QueueId {
    QueueId::new("q").unwrap()
}

fn role() -> (RoleId, DivisionId) {
    (RoleId::new("r").unwrap(), DivisionId::new("*").unwrap())
}

#[tokio::test]
async fn any_success_is_success_whatever_its_body() {
    for (status, body) in [(200, "<html>"), (202, ""), (204, ""), (201, "{\"entities\":")] {
        let bench = Bench::new().await;
        let answer = ResponseTemplate::new(status).insert_header("ININ-Correlation-Id", "c-9");
        bench.answer("DELETE", TOKENS, answer.set_body_string(body)).await;
        let done = revoke(&bench).await.unwrap();
        assert_eq!(done, Done { effect: Effect::Removed, correlation_id: Some("c-9".to_owned()) });
    }
}

#[tokio::test]
async fn a_handle_that_only_reads_prepares_no_call_and_sends_nothing() {
    let bench = Bench::new().await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    let reading = bench.genesys.clone().reading_only();
    let prepaid = reading.prepaid(2).await.unwrap();
    for handle in [reading.clone(), reading, prepaid] {
        let refused = handle.prepare_call().await;
        assert!(matches!(refused, Err(Error::ReadingOnly)), "{refused:?}");
        assert!(handle.user(&jane()).await.unwrap().is_some());
    }
    let sent = bench.requests("/").await;
    assert!(sent.iter().all(|sent| sent.method.as_str() == "GET" || sent.url.path() == "/oauth/token"));
    assert!(bench.genesys.prepare_call().await.is_ok(), "the handle that it was made of is as it was");
}

#[tokio::test]
async fn what_is_gone_already_is_success() {
    let bench = Bench::new().await;
    bench.answer("DELETE", TOKENS, failing(404, "not.found")).await;
    assert_eq!(revoke(&bench).await.unwrap().effect, Effect::AlreadyGone);
}

#[tokio::test]
async fn a_404_is_no_success_where_the_call_would_have_had_more_to_do() {
    let bench = Bench::new().await;
    Mock::given(any()).respond_with(failing(404, "not.found")).mount(&bench.server).await;
    let prepare = || async { bench.genesys.prepare_call().await.unwrap() };
    let failures = [
        prepare().await.deactivate(&jane(), 1).await,
        prepare().await.clear_routing_skills(&jane()).await,
        prepare().await.remove_grants(&jane(), &[role()]).await,
    ];
    for failed in failures {
        let failed = failed.unwrap_err();
        assert!(matches!(failed.error(), Error::NotFound { .. }));
        assert_eq!(failed.outcome(), CallOutcome::Refused);
    }
}

#[tokio::test]
async fn a_failed_call_says_what_is_known_and_is_never_repeated() {
    let table = [
        (400, CallOutcome::Refused),
        (403, CallOutcome::Refused),
        (409, CallOutcome::Refused),
        (429, CallOutcome::Refused),
        (302, CallOutcome::Unknown),
        (408, CallOutcome::Unknown),
        (500, CallOutcome::Unknown),
        (503, CallOutcome::Unknown),
        (504, CallOutcome::Unknown),
    ];
    for (status, outcome) in table {
        let bench = Bench::new().await;
        bench.answer("DELETE", TOKENS, failing(status, "x")).await;
        let failed = revoke(&bench).await.unwrap_err();
        assert_eq!(failed.outcome(), outcome, "{status}");
        assert_eq!(failed.error().is_about_the_content(), matches!(status, 400 | 409), "{status}");
        assert_eq!(bench.requests(TOKENS).await.len(), 1, "{status}");
        assert!(failed.error().request_id().is_some() && failed.error().correlation_id() == Some("c-1"));
    }
}

#[tokio::test]
async fn a_call_without_an_answer_in_time_has_an_unknown_outcome() {
    let bench = Bench::with(|settings| settings.timeout = Duration::from_millis(200)).await;
    bench.login(ok(token("token-1"))).await;
    bench.answer("DELETE", TOKENS, ResponseTemplate::new(204).set_delay(Duration::from_secs(30))).await;
    let failed = revoke(&bench).await.unwrap_err();
    assert_eq!((failed.error().code().as_str(), failed.outcome()), ("timeout", CallOutcome::Unknown));
}

#[tokio::test]
async fn a_call_that_finds_no_connection_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = Url::parse(&format!("http://{closed}")).unwrap();
    let bench = Bench::with(|settings| settings.api_url = nowhere).await;
    bench.login(ok(token("token-1"))).await;
    let failed = revoke(&bench).await.unwrap_err();
    assert_eq!((failed.error().code().as_str(), failed.outcome()), ("not_connected", CallOutcome::NotSent));
}

#[tokio::test]
async fn an_answer_cut_short_is_neither_an_empty_one_nor_a_known_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let mut answered = 0_u32;
        while answered < READ_TRIES + 1 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            // The read gets half a body, the changing call no answer at all.
            if answered < READ_TRIES {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
                stream.write_all(format!("{head}{{}}").as_bytes()).await.unwrap();
            }
            answered += 1;
        }
    });
    let bench = Bench::with(|settings| settings.api_url = url).await;
    bench.login(ok(token("token-1"))).await;
    let error = bench.genesys.stations_of(&jane()).await.unwrap_err();
    assert_eq!((error.code().as_str(), error.is_transient()), ("connection_lost", true));
    let failed = revoke(&bench).await.unwrap_err();
    assert_eq!((failed.error().code().as_str(), failed.outcome()), ("connection_lost", CallOutcome::Unknown));
    server.await.unwrap();
}

#[tokio::test]
async fn a_call_past_its_deadline_or_its_permit_is_not_sent() {
    let bench = Bench::new().await;
    let call = bench.genesys.prepare_call().await.unwrap().sent_before(Instant::now());
    let failed = call.revoke_tokens(&jane()).await.unwrap_err();
    assert!(matches!(failed.error(), Error::Lapsed(Lapse::Deadline)));
    assert_eq!(failed.outcome(), CallOutcome::NotSent);

    let mut call = bench.genesys.prepare_call().await.unwrap();
    call.permit_until = Instant::now();
    let failed = call.revoke_tokens(&jane()).await.unwrap_err();
    assert!(matches!(failed.error(), Error::Lapsed(Lapse::Permit)));
    assert!(bench.requests("/api").await.is_empty());
}

#[tokio::test]
async fn the_id_that_was_known_before_is_the_one_that_is_sent() {
    let bench = Bench::new().await;
    bench.answer("DELETE", TOKENS, ResponseTemplate::new(204)).await;
    let (first, second) =
        (bench.genesys.prepare_call().await.unwrap(), bench.genesys.prepare_call().await.unwrap());
    let ids = [first.request_id().to_string(), second.request_id().to_string()];
    assert_ne!(ids[0], ids[1]);
    first.revoke_tokens(&jane()).await.unwrap();
    second.revoke_tokens(&jane()).await.unwrap();
    for (request, id) in bench.requests(TOKENS).await.iter().zip(&ids) {
        assert_eq!(request.headers["x-request-id"], id.as_str());
        assert_eq!(request.headers["user-agent"], "leaver/0.0.0");
    }
}

#[tokio::test]
async fn a_version_conflict_is_known_as_one() {
    let bench = Bench::new().await;
    bench.answer("PATCH", JANE, failing(409, "general.conflict")).await;
    let failed = bench.genesys.prepare_call().await.unwrap().deactivate(&jane(), 7).await.unwrap_err();
    assert!(matches!(failed.error(), Error::VersionConflict { .. }));
    assert_eq!(failed.error().code(), "409 general.conflict");
}

/// Mounts one exact expectation, lets the call meet it, and checks that it was met once.
pub(super) async fn expect_call<F: Future<Output = Result<Done, CallFailed>>>(
    mock: wiremock::MockBuilder,
    make: impl FnOnce(OneCall) -> F,
) {
    let bench = Bench::new().await;
    mock.respond_with(ResponseTemplate::new(200)).expect(1).mount(&bench.server).await;
    let call = bench.genesys.prepare_call().await.unwrap();
    make(call).await.unwrap();
}

#[tokio::test]
async fn calls_with_a_body_send_exactly_what_is_published() {
    let (jane, queue, json_type) = (jane(), queue(), header("Content-Type", "application/json"));
    let patch = Mock::given(method("PATCH")).and(path(JANE)).and(json_type);
    let patch = patch.and(body_json(json!({"state": "inactive", "version": 7})));
    expect_call(patch, |call| call.deactivate(&jane, 7)).await;

    let skills = Mock::given(method("PUT")).and(path(format!("{JANE}/routingskills/bulk")));
    expect_call(skills.and(body_json(json!([]))), |call| call.clear_routing_skills(&jane)).await;

    let members = Mock::given(method("POST")).and(path("/api/v2/routing/queues/q/members"));
    let members = members.and(query_param("delete", "true")).and(body_json(json!([{"id": "u-jane"}])));
    expect_call(members, |call| call.remove_queue_members(&queue, std::slice::from_ref(&jane))).await;

    let grants = Mock::given(method("POST")).and(path("/api/v2/authorization/subjects/u-jane/bulkremove"));
    let grants = grants.and(body_json(json!({"grants": [{"roleId": "r", "divisionId": "*"}]})));
    expect_call(grants, |call| async { call.remove_grants(&jane, &[role()]).await }).await;
}

#[tokio::test]
async fn calls_without_a_body_go_where_is_published() {
    let (jane, queue, (role, division)) = (jane(), queue(), role());
    let language = "l".parse().unwrap();
    let delete = |at: &str| Mock::given(method("DELETE")).and(path(at.to_owned()));
    expect_call(delete("/api/v2/routing/queues/q/members/u-jane"), |c| c.delete_queue_member(&queue, &jane))
        .await;
    let at = format!("{JANE}/routinglanguages/l");
    expect_call(delete(&at), |c| c.delete_routing_language(&jane, &language)).await;
    expect_call(delete("/api/v2/routing/users/u-jane/utilization"), |c| c.delete_utilization(&jane)).await;
    let at = "/api/v2/authorization/subjects/u-jane/divisions/%2A/roles/r";
    expect_call(delete(at), |c| c.delete_grant(&jane, &role, &division)).await;
    let at = format!("{JANE}/station/associatedstation");
    expect_call(delete(&at), |c| c.delete_associated_station(&jane)).await;
    expect_call(delete(&format!("{JANE}/station/defaultstation")), |c| c.delete_default_station(&jane)).await;
    expect_call(delete(TOKENS), |c| c.revoke_tokens(&jane)).await;
}

#[tokio::test]
async fn a_batch_that_is_empty_or_too_large_is_not_sent() {
    let bench = Bench::new().await;
    for users in [vec![], vec![jane(); 101]] {
        let call = bench.genesys.prepare_call().await.unwrap();
        let failed = call.remove_queue_members(&queue(), &users).await.unwrap_err();
        assert_eq!(failed.outcome(), CallOutcome::NotSent);
    }
    let call = bench.genesys.prepare_call().await.unwrap();
    assert!(call.remove_grants(&jane(), &[]).await.is_err());
    assert!(bench.requests("/api").await.is_empty());
}
