//! Permits, pauses, redirections and the size of answers.

use reqwest::StatusCode;

use super::*;
use crate::genesys::{Fault, Lapse, READ_TRIES};

const TOKENS: &str = "/api/v2/tokens/u-jane";

#[tokio::test]
async fn every_request_has_its_own_permit() {
    let bench = Bench::new().await;
    bench.answer_once("GET", JANE, failing(503, "x")).await;
    bench.answer_once("GET", JANE, failing(401, "x")).await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    bench.answer("DELETE", TOKENS, ResponseTemplate::new(204)).await;
    bench.genesys.user(&jane()).await.unwrap();
    bench.genesys.prepare_call().await.unwrap().revoke_tokens(&jane()).await.unwrap();
    let sent = bench.requests("/").await.len();
    assert_eq!((sent, bench.pacer.reserved()), (6, 6));
}

#[tokio::test]
async fn a_lapsed_permit_is_thrown_away() {
    let bench = Bench::new().await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    bench.pacer.lifetimes.lock().unwrap().extend([Duration::ZERO, Duration::ZERO]);
    bench.genesys.user(&jane()).await.unwrap();
    assert_eq!((bench.requests("/").await.len(), bench.pacer.reserved()), (2, 4));

    bench.pacer.lifetimes.lock().unwrap().extend([Duration::ZERO; 8]);
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Lapsed(Lapse::Permit)) && !error.counts_against_attempts());
    assert_eq!(bench.requests(JANE).await.len(), 1);
}

#[tokio::test]
async fn a_prepaid_handle_reads_a_person_without_asking_for_more() {
    let bench = Bench::new().await;
    let page = || ok(json!({"entities": [], "total": 0, "pageCount": 0, "pageNumber": 1}));
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    for list in ["queues", "routingskills", "routinglanguages"] {
        bench.answer("GET", &format!("{JANE}/{list}"), page()).await;
    }
    bench.answer("GET", &format!("{JANE}/station"), ok(json!({}))).await;
    bench
        .answer("GET", "/api/v2/routing/users/u-jane/utilization", ok(json!({"level": "Organization"})))
        .await;
    let subject = json!({"id": "u-jane", "grants": []});
    bench.answer("GET", "/api/v2/authorization/subjects/u-jane", ok(subject)).await;

    let (prepaid, jane) = (bench.genesys.prepaid(8).await.unwrap(), jane());
    let asked = bench.pacer.reservations.load(Ordering::SeqCst);
    assert_eq!(asked, 2, "the token's and the read's");
    prepaid.user(&jane).await.unwrap();
    assert_eq!(prepaid.queues_of(&jane).await.unwrap(), []);
    assert_eq!(prepaid.routing_skills_of(&jane).await.unwrap(), []);
    assert_eq!(prepaid.routing_languages_of(&jane).await.unwrap(), []);
    prepaid.utilization_of(&jane).await.unwrap();
    assert_eq!(prepaid.grants_of(&jane).await.unwrap(), []);
    prepaid.stations_of(&jane).await.unwrap();
    assert_eq!(bench.pacer.reservations.load(Ordering::SeqCst), asked);
    prepaid.user(&jane).await.unwrap();
    assert_eq!(bench.pacer.reservations.load(Ordering::SeqCst), asked + 1, "then one by one");
}

#[tokio::test]
async fn a_throttled_read_waits_and_is_repeated() {
    let bench = Bench::new().await;
    bench.answer_once("GET", JANE, failing(429, "too.many.requests").insert_header("Retry-After", "0")).await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    assert!(bench.genesys.user(&jane()).await.unwrap().is_some());
    assert_eq!(bench.pacer.notices(), [Notice::Throttled(Duration::from_micros(1))]);
}

#[tokio::test]
async fn a_retry_after_of_any_form_is_kept_between_a_second_and_five_minutes() {
    let table = [
        (None, 1),
        (Some("0"), 1),
        (Some("-1"), 1),
        (Some("soon"), 1),
        (Some("30"), 30),
        (Some("1000000000"), 300),
        (Some("Wed, 21 Oct 2015 07:28:00 GMT"), 1),
        (Some("Fri, 21 Oct 2107 07:28:00 GMT"), 300),
    ];
    for (header, seconds) in table {
        let bench = Bench::with(|settings| settings.waits = Waits::default()).await;
        bench.login(ok(token("token-1"))).await;
        let mut answer = failing(429, "too.many.requests");
        if let Some(header) = header {
            answer = answer.insert_header("Retry-After", header);
        }
        bench.answer("DELETE", TOKENS, answer).await;
        let call = bench.genesys.prepare_call().await.unwrap();
        let failed = call.revoke_tokens(&jane()).await.unwrap_err();
        let pause = Duration::from_secs(seconds);
        assert_eq!(failed.error().code(), "429 too.many.requests");
        assert_eq!(failed.error().retry_after(), Some(pause), "{header:?}");
        assert!(!failed.error().counts_against_attempts() && failed.outcome_known());
        assert_eq!(bench.pacer.notices(), [Notice::Throttled(pause)], "{header:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_inside_a_retry_after_even_with_older_permits() {
    let bench = Bench::new().await;
    bench.answer("GET", JANE, failing(429, "too.many.requests").insert_header("Retry-After", "60")).await;
    let (older, prepaid) =
        (bench.genesys.prepare_call().await.unwrap(), bench.genesys.prepaid(4).await.unwrap());
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Throttled { .. }), "a minute is too long to wait inside: {error:?}");

    assert!(matches!(prepaid.user(&jane()).await, Err(Error::HeldBack { .. })));
    assert!(matches!(bench.genesys.prepare_call().await, Err(Error::HeldBack { .. })));
    let failed = older.revoke_tokens(&jane()).await.unwrap_err();
    assert!(
        matches!(failed.error(), Error::HeldBack { retry_after } if *retry_after > Duration::from_secs(50))
    );
    assert_eq!(bench.requests("/api").await.len(), 1);
}

#[tokio::test]
async fn a_limit_is_announced_when_it_changes() {
    let bench = Bench::new().await;
    for allowed in ["300", "300", "180", "0", "many"] {
        let answer = ok(user("u-jane")).insert_header("inin-ratelimit-allowed", allowed);
        bench.answer_once("GET", JANE, answer).await;
    }
    for _ in 0..5 {
        bench.genesys.user(&jane()).await.unwrap();
    }
    assert_eq!(bench.pacer.notices(), [Notice::AllowedPerMinute(300), Notice::AllowedPerMinute(180)]);
}

#[tokio::test]
async fn redirections_are_not_followed_and_the_token_stays_here() {
    let canary = MockServer::start().await;
    for status in [301, 302, 303, 307, 308] {
        let bench = Bench::new().await;
        let away = || ResponseTemplate::new(status).insert_header("Location", canary.uri());
        bench.answer("GET", JANE, away()).await;
        bench.answer("DELETE", TOKENS, away()).await;
        let error = bench.genesys.user(&jane()).await.unwrap_err();
        assert!(matches!(error, Error::Redirected { .. }), "{status}: {error:?}");
        let call = bench.genesys.prepare_call().await.unwrap();
        assert!(call.revoke_tokens(&jane()).await.is_err(), "{status}");
    }
    assert!(canary.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_over_one_mebibyte_is_not_read() {
    let bench = Bench::new().await;
    let mut long = user("u-jane");
    long["name"] = "x".repeat(1024 * 1024).into();
    bench.answer("GET", JANE, ok(long)).await;
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::TooLong, .. }), "{error:?}");
}

#[tokio::test]
async fn reads_are_repeated_after_failures_that_pass_and_no_longer_than_bounded() {
    for status in [408, 500, 502, 503, 504] {
        let bench = Bench::new().await;
        for _ in 1..READ_TRIES {
            bench.answer_once("GET", JANE, failing(status, "x")).await;
        }
        bench.answer_once("GET", JANE, ok(user("u-jane"))).await;
        bench.answer("GET", JANE, failing(status, "y")).await;
        assert!(bench.genesys.user(&jane()).await.is_ok(), "{status}");
        let error = bench.genesys.user(&jane()).await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), (format!("{status} y"), true));
        assert_eq!(bench.requests(JANE).await.len(), 2 * READ_TRIES as usize, "{status}");
    }
}

#[tokio::test]
async fn reads_are_not_repeated_after_failures_that_stay() {
    for status in [400, 403, 404, 409, 413, 415] {
        let bench = Bench::new().await;
        bench.answer("GET", &format!("{JANE}/station"), failing(status, "x")).await;
        let error = bench.genesys.stations_of(&jane()).await.unwrap_err();
        assert!(error.code().starts_with(StatusCode::from_u16(status).unwrap().as_str()), "{error:?}");
        assert_eq!(bench.requests(JANE).await.len(), 1, "{status}");
    }
}
