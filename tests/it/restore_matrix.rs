//! Every call of a restore, refused for good in every way: the restore ends with a reason, or names what can't come back,
//! and everything else is back.

use std::collections::BTreeSet;

use leaver::offboarding::{Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver_simulator::{AccountState, Action, Fault, Matcher};

use crate::stepped::{decide, ended, impatient_engine, last_note};
use crate::whole::{all_to_the_end, left_with, whole_agent, whole_choices, whole_settings, whole_world};

/// The calls of a restore, in the order of the plan; the account is put back with the one that took it.
const CALLS: [&str; 14] = [
    "postRoutingQueueMembers",
    "patchConversationsCallbacks",
    "patchUserRoutingskillsBulk",
    "patchUserRoutinglanguagesBulk",
    "putRoutingUserUtilization",
    "putRoutingUserDirectroutingbackupSettings",
    "postGroupMembers",
    "postTeamMembers",
    "putUserStationAssociatedstationStationId",
    "putUserStationDefaultstationStationId",
    "putUserCallforwarding",
    "postWorkforcemanagementAgents",
    "postLicenseOrganization",
    "postAuthorizationSubjectBulkadd",
];

const ACCOUNT: &str = "patchUser";

async fn every_call(status: u16, code: &str) {
    let (world, heir) = whole_world().await;
    for operation in CALLS.into_iter().chain([ACCOUNT]) {
        let email = format!("{}@example.com", uuid::Uuid::new_v4());
        let user = world.simulator.organisation(|org| whole_agent(org, &email));
        let held: BTreeSet<_> = left_with(&world.simulator, &user).into_iter().collect();
        let engine = impatient_engine(&world, whole_settings(whole_choices(&heir)));
        let id = world.terminate(&email).await;
        let view = all_to_the_end(&world, &engine, &[id]).await.remove(0);
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
        let matcher = Matcher::operation(operation).always();
        let fault = world.simulator.inject(Fault::before(matcher, Action::answer(status, code)));
        decide(&world, id, Decision::Restore).await;
        let view = all_to_the_end(&world, &engine, &[id]).await.remove(0);
        assert!(world.simulator.struck(fault) > 0, "{operation} was never called");
        world.simulator.clear_faults();
        let now: BTreeSet<_> = left_with(&world.simulator, &user).into_iter().collect();
        let missing: Vec<_> = held.difference(&now).collect();
        let state = world.simulator.person(&user).unwrap().state;
        let reason = view.reason.map_or("-", Reason::as_str);
        println!(
            "{status} {operation:<44} {}/{reason} {state:?} without {missing:?}: {}",
            view.status,
            last_note(&view)
        );
        let lost = view.journal.iter().flatten().filter(|entry| {
            // What comes back in part names no target.
            entry.action == "not_restorable" && entry.target.is_some()
        });
        let lost = lost.count();
        match ended(&view) {
            (Status::Failed, Some(_)) => {}
            // The account has to come back. The tokens are never given back, and say so; one more says what was refused.
            (Status::Done, None) => assert!(operation != ACCOUNT && lost > 1, "{:#?}", view.journal),
            other => panic!("{status} {operation} ended as {other:?}: {:#?}", view.journal),
        }
        let expected =
            if operation == ACCOUNT { (AccountState::Inactive, 0) } else { (AccountState::Active, 1) };
        // A single role is given by the same call as several.
        assert_eq!((state, missing.len()), expected, "{status} {operation} {missing:?}: {:#?}", view.journal);
    }
}

#[tokio::test]
async fn restoring_calls_that_are_bad_requests_for_good() {
    every_call(400, "bad.request").await;
}

#[tokio::test]
async fn restoring_calls_that_are_forbidden_for_good() {
    every_call(403, "missing.permissions").await;
}

#[tokio::test]
async fn restoring_calls_that_find_nothing_for_good() {
    every_call(404, "not.found").await;
}

#[tokio::test]
async fn restoring_calls_that_conflict_without_end() {
    every_call(409, "general.conflict").await;
}

#[tokio::test]
async fn restoring_calls_that_are_gone_for_good() {
    every_call(410, "gone").await;
}
