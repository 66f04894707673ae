//! The token: fetched once, renewed once, and not asked for again and again.

use futures_util::future::join_all;
use wiremock::matchers::{body_string, header};

use super::*;
use crate::genesys::Error;

#[tokio::test]
async fn twenty_concurrent_reads_share_one_login() {
    let bench = Bench::without_login().await;
    let slow = ok(token("token-1")).set_delay(Duration::from_millis(20));
    bench.login(slow).await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    let jane = jane();
    let found = join_all((0..20).map(|_| bench.genesys.user(&jane))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(bench.requests("/oauth").await.len(), 1);
    assert_eq!(bench.requests(JANE).await.len(), 20);
}

#[tokio::test]
async fn the_login_is_client_credentials_with_basic() {
    let bench = Bench::without_login().await;
    Mock::given(method("POST"))
        .and(path("/oauth/token"))
        .and(header("Authorization", "Basic Y2xpZW50OnNlY3JldA=="))
        .and(header("Content-Type", "application/x-www-form-urlencoded"))
        .and(body_string("grant_type=client_credentials"))
        .respond_with(ok(token("token-1")))
        .mount(&bench.server)
        .await;
    Mock::given(header("Authorization", "Bearer token-1"))
        .respond_with(ok(user("u-jane")))
        .mount(&bench.server)
        .await;
    assert!(bench.genesys.user(&jane()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_read_answered_401_is_repeated_once_with_another_token() {
    let bench = Bench::new().await;
    bench.answer_once("GET", JANE, failing(401, "bad.credentials")).await;
    bench.answer("GET", JANE, ok(user("u-jane"))).await;
    assert!(bench.genesys.user(&jane()).await.unwrap().is_some());
    assert_eq!(bench.requests("/oauth").await.len(), 2);
    assert_eq!(bench.pacer.reserved(), 4);
}

#[tokio::test]
async fn a_second_401_is_an_error_of_our_access_and_the_login_rests() {
    let bench = Bench::new().await;
    bench.answer("GET", JANE, failing(401, "bad.credentials")).await;
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
    assert!(error.is_our_access() && !error.counts_against_attempts());
    assert_eq!((error.code().as_str(), error.correlation_id()), ("401 bad.credentials", Some("c-1")));
    assert_eq!(bench.requests(JANE).await.len(), 2);

    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::TokenUnavailable { cause: None, .. }));
    assert_eq!(bench.requests("/oauth").await.len(), 2, "no third token during the pause");
}

#[tokio::test]
async fn a_login_that_fails_is_not_hammered() {
    for (status, refused) in [(400, true), (401, true), (403, true), (429, false), (500, false), (302, false)]
    {
        let bench = Bench::without_login().await;
        bench.login(failing(status, "no")).await;
        let error = bench.genesys.user(&jane()).await.unwrap_err();
        assert_eq!(matches!(error, Error::TokenRefused { .. }), refused, "{status}: {error:?}");
        assert_eq!(matches!(error, Error::TokenUnavailable { .. }), !refused, "{status}: {error:?}");
        assert!(error.is_our_access() && !error.counts_against_attempts(), "{status}");
        let error = bench.genesys.prepare_call().await.unwrap_err();
        assert!(error.retry_after().is_some() && error.is_our_access(), "{status}: {error:?}");
        assert_eq!(bench.requests("/").await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_login_page_instead_of_a_token_is_no_token() {
    let bench = Bench::without_login().await;
    bench.login(ResponseTemplate::new(200).set_body_raw("<html>secret</html>", "text/html")).await;
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert_eq!(error.code(), "token_unavailable malformed");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_changing_call_answered_401_drops_the_token_and_is_not_repeated() {
    let bench = Bench::new().await;
    bench.answer("DELETE", "/api/v2/tokens/u-jane", failing(401, "bad.credentials")).await;
    let call = bench.genesys.prepare_call().await.unwrap();
    let failed = call.revoke_tokens(&jane()).await.unwrap_err();
    assert!(matches!(failed.error(), Error::Unauthorized { .. }) && failed.outcome_known());
    assert_eq!(bench.requests("/api").await.len(), 1);
    let _another = bench.genesys.prepare_call().await.unwrap();
    assert_eq!(bench.requests("/oauth").await.len(), 2);
}
