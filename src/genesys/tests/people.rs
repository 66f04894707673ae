//! Accounts that are opened again or changed with a reason.

use wiremock::matchers::body_json;

use super::{changing::expect_call, *};
use crate::genesys::{CallOutcome, Effect, StateChangeReason, UserState};

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
