//! Every changing call and every way in which Genesys Cloud refuses it: what passes is repeated, what doesn't ends with a
//! reason after everything else was stripped, and nobody is deactivated while something is left.

use std::collections::BTreeSet;

use leaver::offboarding::{Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Effect, Fault, Matcher, Moment, PersonState};
use serde_json::json;

use crate::stepped::{
    Guard, changes_of, decide, ended, holdings, impatient_engine, is_about, last_note, slim_agent, to_the_end,
};
use crate::support::World;

/// What a call takes away: `None` where it is the account or its tokens.
struct Call {
    operation: &'static str,
    takes: Option<&'static str>,
}

const fn call(operation: &'static str, takes: Option<&'static str>) -> Call {
    Call { operation, takes }
}

/// Every call with which one person is changed, in the order of the plan.
const CALLS: [Call; 9] = [
    call("deleteRoutingQueueMember", Some("queues")),
    call("putUserRoutingskillsBulk", Some("skills")),
    call("deleteUserRoutinglanguage", Some("languages")),
    call("deleteRoutingUserUtilization", Some("utilization")),
    call("deleteUserStationAssociatedstation", Some("associated station")),
    call("deleteUserStationDefaultstation", Some("default station")),
    call("postAuthorizationSubjectBulkremove", Some("grants")),
    call("patchUser", None),
    call("deleteToken", None),
];

const DONE: (Status, Option<Reason>) = (Status::Done, None);
const REFUSED: (Status, Option<Reason>) = (Status::Failed, Some(Reason::RefusedByGenesys));
const EXHAUSTED: (Status, Option<Reason>) = (Status::Failed, Some(Reason::AttemptsExhausted));
const RETURNING: (Status, Option<Reason>) = (Status::Held, Some(Reason::KeepsReturning));
const FORBIDDEN: (Status, Option<Reason>) = (Status::Held, Some(Reason::PermissionMissing));

fn settings() -> Settings {
    Settings { attempts_max: 4, ..World::settings() }
}

/// One world with one leaver after the other, each of whom one call is refused for.
struct Refusals {
    world: World,
    guard: Guard,
}

impl Refusals {
    async fn new() -> Self {
        let (world, guard) = (World::new().await, Guard::default());
        guard.watch(&world);
        Self { world, guard }
    }

    /// Refuses a call of one leaver and works to the end.
    async fn refuse(&self, call: &Call, times: Times, fault: (Moment, Action)) -> (View, PersonState) {
        let email = format!("{}@example.com", call.operation).to_lowercase();
        let user = self.world.simulator.organisation(|org| slim_agent(org, &email));
        let matcher = Matcher::operation(call.operation);
        let matcher = match times {
            Times::Once => matcher,
            Times::Always => matcher.always(),
        };
        let (moment, action) = fault;
        let fault = self.world.simulator.inject(Fault { matcher, moment, action });
        let id = self.world.terminate(&email).await;
        let view = to_the_end(&self.world, &impatient_engine(&self.world, settings()), id).await;
        assert!(self.world.simulator.struck(fault) > 0, "{}", call.operation);
        (view, self.world.simulator.person(&user).unwrap())
    }

    /// Ends the faults, tries again, and finds everything done.
    async fn mend(&self, view: &View) {
        self.guard.end_faults(&self.world);
        decide(&self.world, view.id, Decision::Retry).await;
        let view = to_the_end(&self.world, &impatient_engine(&self.world, settings()), view.id).await;
        assert_eq!(view.status, Status::Done, "{:#?}", view.journal);
        self.assert_offboarded(&view);
    }

    fn assert_offboarded(&self, view: &View) {
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
        let user = view.person.genesys_user_id.as_ref().unwrap();
        let left = self.world.simulator.person(user).unwrap();
        let state = (holdings(&left), left.state, left.tokens, left.tokens_revoked);
        assert_eq!(state, (vec![], AccountState::Inactive, 0, 2));
    }

    fn finish(&self) {
        self.guard.assert_nobody_was_deactivated_early();
        assert_eq!(self.world.simulator.violations(), Vec::<String>::new());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Times {
    Once,
    Always,
}

/// What is left of somebody whom one call is refused for: that which the call takes, and everything behind the strip.
fn assert_rest_is_stripped(call: &Call, left: &PersonState) {
    assert_eq!(holdings(left), call.takes.into_iter().collect::<Vec<_>>(), "{}", call.operation);
    let state = if call.operation == "deleteToken" { AccountState::Inactive } else { AccountState::Active };
    assert_eq!((left.state, left.tokens), (state, 2), "{}", call.operation);
}

/// Refuses each call for good; each ends as `wanted` says, and is done after the refusals have ended.
async fn refused_for_good(action: Action, wanted: impl Fn(&Call) -> (Status, Option<Reason>)) {
    let refusals = Refusals::new().await;
    for call in &CALLS {
        let fault = (Moment::BeforeEffect, action.clone());
        let (view, left) = refusals.refuse(call, Times::Always, fault).await;
        let wanted = wanted(call);
        assert_eq!(ended(&view), wanted, "{}: {:#?}", call.operation, view.journal);
        match wanted {
            DONE => assert_eq!((holdings(&left), left.state), (vec![], AccountState::Inactive)),
            REFUSED | FORBIDDEN => {
                assert_rest_is_stripped(call, &left);
                refusals.mend(&view).await;
            }
            _ if call.operation == "deleteToken" => assert_eq!(left.state, AccountState::Inactive),
            _ => assert_eq!(left.state, AccountState::Active, "{}", call.operation),
        }
        refusals.guard.end_faults(&refusals.world);
    }
    refusals.finish();
}

#[tokio::test]
async fn the_table_names_every_call_that_changes_one_person() {
    let world = World::new().await;
    let user = world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let id = world.terminate("jane@example.com").await;
    to_the_end(&world, &world.engine(), id).await;
    let made: BTreeSet<_> = changes_of(&world, &user).into_iter().collect();
    assert_eq!(made, CALLS.iter().map(|call| call.operation).collect());
}

/// The calls that take everything at once are followed by one call for each.
const IN_BULK: &str = "postAuthorizationSubjectBulkremove";

#[tokio::test]
async fn a_call_that_is_refused_for_good_leaves_the_rest_stripped_and_the_account_active() {
    let wanted = |call: &Call| if call.operation == IN_BULK { DONE } else { REFUSED };
    refused_for_good(Action::answer(400, "bad.request"), wanted).await;
}

#[tokio::test]
async fn something_that_is_gone_for_good_but_still_there_is_refused() {
    let wanted = |call: &Call| if call.operation == IN_BULK { DONE } else { REFUSED };
    refused_for_good(Action::answer(410, "gone"), wanted).await;
}

#[tokio::test]
async fn something_that_is_not_found_but_still_there_ends_with_a_person_who_looks() {
    let wanted = |call: &Call| match call.operation {
        IN_BULK | "deleteToken" => DONE,
        "putUserRoutingskillsBulk" => REFUSED,
        "patchUser" => EXHAUSTED,
        _ => RETURNING,
    };
    refused_for_good(Action::answer(404, "not.found"), wanted).await;
}

#[tokio::test]
async fn a_conflict_that_never_ends_uses_up_the_attempts() {
    let wanted = |call: &Call| if call.operation == IN_BULK { DONE } else { EXHAUSTED };
    refused_for_good(Action::answer(409, "general.conflict"), wanted).await;
}

#[tokio::test]
async fn a_missing_permission_is_named_and_the_rest_is_stripped() {
    let body = json!({"status": 403, "code": "missing.permissions", "message":
        "Unable to perform the requested action. You are missing the following permission(s): [some:thing:edit]"});
    let refusals = Refusals::new().await;
    for call in &CALLS {
        let (content_type, body) = ("application/json".to_owned(), body.to_string().into_bytes());
        let action = Action::RawBody { status: 403, content_type, body };
        let (view, left) = refusals.refuse(call, Times::Always, (Moment::BeforeEffect, action)).await;
        assert_eq!((ended(&view), last_note(&view)), (FORBIDDEN, "some:thing:edit".to_owned()));
        assert_rest_is_stripped(call, &left);
        refusals.mend(&view).await;
    }
    refusals.finish();
}

#[tokio::test]
async fn an_outage_that_never_ends_uses_up_the_attempts_and_a_retry_finishes() {
    let refusals = Refusals::new().await;
    let fault = || (Moment::BeforeEffect, Action::answer(503, "service.unavailable"));
    for call in [&CALLS[3], &CALLS[7]] {
        let (view, left) = refusals.refuse(call, Times::Always, fault()).await;
        assert_eq!(ended(&view), EXHAUSTED);
        assert_eq!(left.state, AccountState::Active);
        refusals.mend(&view).await;
    }
    refusals.finish();
}

/// Lets each call fail once: all are done in the end, and each took its effect once.
async fn passes(fault: (Moment, Action)) -> Vec<View> {
    // Tokens are revoked once more at the end.
    let calls_max = |operation: &str| if operation == "deleteToken" { 3 } else { 2 };
    let mut views = Vec::new();
    let refusals = Refusals::new().await;
    for call in &CALLS {
        let (view, _) = refusals.refuse(call, Times::Once, fault.clone()).await;
        assert_eq!(ended(&view), DONE, "{}: {:#?}", call.operation, view.journal);
        refusals.assert_offboarded(&view);
        let user = view.person.genesys_user_id.as_ref().unwrap();
        let changing = refusals.world.simulator.changing();
        let of_call =
            changing.iter().filter(|e| e.request.operation == Some(call.operation) && is_about(e, user));
        let of_call: Vec<_> = of_call.collect();
        let effects = of_call.iter().filter(|entry| entry.effect == Effect::Changed).count();
        // A bulk call that is refused is not repeated: single calls follow.
        assert!(effects == 1 || (call.operation == IN_BULK && effects == 0), "{}", call.operation);
        assert!(of_call.len() <= calls_max(call.operation), "{}: {} calls", call.operation, of_call.len());
        views.push(view);
    }
    refusals.finish();
    views
}

#[tokio::test]
async fn a_refusal_that_does_not_last_is_overcome() {
    for (status, code) in
        [(429, "too.many.requests"), (409, "general.conflict"), (500, "internal.server.error")]
    {
        passes((Moment::BeforeEffect, Action::answer(status, code))).await;
    }
}

#[tokio::test]
async fn an_unavailable_service_is_asked_again() {
    passes((Moment::BeforeEffect, Action::answer(503, "service.unavailable"))).await;
}

#[tokio::test]
async fn a_token_that_is_refused_once_is_replaced_within_the_attempt() {
    let views = passes((Moment::BeforeEffect, Action::answer(401, "bad.credentials"))).await;
    for entry in views.iter().flat_map(|view| view.journal.as_ref().unwrap()) {
        assert_ne!(entry.action, "postponed");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_does_not_double_the_effect() {
    passes((Moment::AfterEffect, Action::Hang)).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_with_its_connection_does_not_double_the_effect() {
    passes((Moment::AfterEffect, Action::Close)).await;
}

#[tokio::test]
async fn a_request_that_is_lost_is_sent_again() {
    passes((Moment::BeforeEffect, Action::Close)).await;
}

#[tokio::test]
async fn the_attempt_that_was_the_last_one_is_counted() {
    let world = World::new().await;
    world.simulator.organisation(|org| slim_agent(org, "jane@example.com"));
    let away = Fault::before(Matcher::operation("postUsersSearch").always(), Action::answer(500, "internal"));
    world.simulator.inject(away);
    for attempts_max in 1..=3 {
        let id = world.terminate("jane@example.com").await;
        let engine = impatient_engine(&world, Settings { attempts_max, ..World::settings() });
        assert_eq!(world.view(id).await.attempt, 0);
        let view = to_the_end(&world, &engine, id).await;
        assert_eq!((ended(&view), view.attempt), (EXHAUSTED, attempts_max as i32), "{:#?}", view.journal);
    }
}
