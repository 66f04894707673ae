//! Users read together, and their accounts opened again or changed with a reason.

use wiremock::matchers::{body_json, query_param};

use super::{changing::expect_call, *};
use crate::genesys::{CallOutcome, Effect, Fault, StateChangeReason, UserState};

fn ids(count: usize) -> Vec<UserId> {
    (0..count).map(|number| UserId::new(format!("u-{number}")).unwrap()).collect()
}

#[tokio::test]
async fn several_users_of_any_state_are_read_together() {
    let bench = Bench::new().await;
    let page = |number: u32, id: &str| ok(json!({"entities": [user(id)], "total": 2, "pageNumber": number}));
    for (number, id) in [(1, "u-0"), (2, "u-1")] {
        Mock::given(method("GET"))
            .and(path("/api/v2/users"))
            .and(query_param("state", "any"))
            .and(query_param("pageSize", "50"))
            .and(query_param("pageNumber", number.to_string()))
            .respond_with(page(number, id))
            .expect(1)
            .mount(&bench.server)
            .await;
    }
    let found = bench.genesys.users(&ids(3)).await.unwrap();
    assert_eq!(found.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["u-0", "u-1"]);
    let query = bench.requests("/api").await[0].url.query().unwrap().to_owned();
    assert!(query.starts_with("id=u-0&id=u-1&id=u-2&state=any&expand=routingStatus,presence,"), "{query}");
}

#[tokio::test]
async fn strangers_among_the_users_asked_for_are_no_answer() {
    let bench = Bench::new().await;
    let page = ok(json!({"entities": [user("u-0"), user("u-stranger")], "total": 2}));
    bench.answer("GET", "/api/v2/users", page).await;
    let error = bench.genesys.users(&ids(2)).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::Foreign, .. }), "{error:?}");
}

#[tokio::test]
async fn a_read_of_no_users_or_too_many_is_not_sent() {
    let bench = Bench::new().await;
    for count in [0, 101] {
        let error = bench.genesys.users(&ids(count)).await.unwrap_err();
        assert!(matches!(error, Error::Unsendable(_)), "{error:?}");
    }
    assert!(bench.requests("/api").await.is_empty());
}

#[tokio::test]
async fn an_account_is_changed_by_state_version_and_reason_alone() {
    let jane = jane();
    let patch = Mock::given(method("PATCH")).and(path(JANE));
    let patch = patch.and(body_json(json!({"state": "active", "version": 7})));
    expect_call(patch, |call| call.reactivate(&jane, 7)).await;

    let body = json!({"state": "inactive", "version": 8, "stateChangeReason": "Voluntary"});
    let put = Mock::given(method("PUT")).and(path(format!("{JANE}/state"))).and(body_json(body));
    let voluntary = StateChangeReason::Voluntary;
    expect_call(put, |call| call.set_state(&jane, UserState::Inactive, 8, voluntary)).await;
}

#[tokio::test]
async fn what_a_change_of_an_account_did_is_told() {
    let bench = Bench::new().await;
    bench.answer("PUT", &format!("{JANE}/state"), ok(user("u-jane"))).await;
    bench.answer("PATCH", JANE, ok(user("u-jane"))).await;
    let call = async || bench.genesys.prepare_call().await.unwrap();
    let states = [
        (UserState::Active, Effect::Applied),
        (UserState::Inactive, Effect::Removed),
        (UserState::Deleted, Effect::Removed),
    ];
    for (state, effect) in states {
        let done = call().await.set_state(&jane(), state, 1, StateChangeReason::Unknown).await.unwrap();
        assert_eq!(done.effect, effect, "{state:?}");
    }
    assert_eq!(call().await.reactivate(&jane(), 1).await.unwrap().effect, Effect::Applied);
}

#[tokio::test]
async fn a_changed_account_is_a_version_conflict_in_both_forms() {
    let words = "The version supplied does not match the current version of the user";
    for status in [400, 409] {
        let bench = Bench::new().await;
        let conflict = ResponseTemplate::new(status)
            .set_body_json(json!({"code": "general.conflict", "message": words}));
        Mock::given(path_regex("^/api/")).respond_with(conflict).mount(&bench.server).await;
        let call = async || bench.genesys.prepare_call().await.unwrap();
        let reason = StateChangeReason::Conduct;
        let failures = [
            call().await.reactivate(&jane(), 1).await,
            call().await.set_state(&jane(), UserState::Inactive, 1, reason).await,
        ];
        for failed in failures {
            let failed = failed.unwrap_err();
            assert!(matches!(failed.error(), Error::VersionConflict { .. }), "{failed:?}");
            assert_eq!(failed.outcome(), CallOutcome::Refused);
        }
    }
}

#[test]
fn reasons_are_the_published_words() {
    for word in ["Voluntary", "Seasonal", "Leave", "Performance", "Conduct", "Unknown"] {
        assert_eq!(word.parse::<StateChangeReason>().unwrap().as_str(), word);
        assert_eq!(serde_json::to_value(word.parse::<StateChangeReason>().unwrap()).unwrap(), json!(word));
    }
    for word in ["", "voluntary", "Fired"] {
        assert!(word.parse::<StateChangeReason>().is_err(), "{word}");
    }
}
