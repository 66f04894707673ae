//! Every call and every read of the whole plan, refused for good in every way: the person ends with a reason and in an
//! allowed state, somebody who leaves beside them is done, and nothing goes on without end.

use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::plan::Choices;
use leaver::store::views::View;
use leaver_simulator::{AccountState, Action, Fault, Id, Joining, Matcher, Person};
use serde_json::json;

use crate::stepped::{ended, impatient_engine, last_note};
use crate::support::World;
use crate::whole::{
    Watch, all_to_the_end, assert_allowed, leave_expansions_out, left_with, whole_agent, whole_choices,
    whole_settings, whole_world, with_state_reason,
};

/// Where a request names the person.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    InPath,
    /// Also in the query: the neighbour does without such a thing.
    Elsewhere,
}

/// What takes a kind away, and the kind in the words of `left_with`.
struct Call {
    operation: &'static str,
    names: Names,
    takes: &'static str,
}

const fn call(operation: &'static str, names: Names, takes: &'static str) -> Call {
    Call { operation, names, takes }
}

const ACCOUNT: &str = "account";
const TOKENS: &str = "tokens";
const BULK: &str = "postAuthorizationSubjectBulkremove";
const SKILLS: &str = "putUserRoutingskillsBulk";
const UNIT: &str = "postWorkforcemanagementAgents";
const LICENCES: &str = "postLicenseOrganization";
const CALLBACKS: &str = "patchConversationsCallbacks";
const GROUPS: &str = "deleteGroupMembers";
const FORWARDING: &str = "putUserCallforwarding";

/// Every call that changes one person, in the order of the plan.
const CALLS: [Call; 17] = [
    call("deleteRoutingQueueMember", Names::InPath, "queues"),
    call(CALLBACKS, Names::Elsewhere, "callbacks"),
    call(SKILLS, Names::InPath, "skills"),
    call("deleteUserRoutinglanguage", Names::InPath, "languages"),
    call("deleteRoutingUserUtilization", Names::InPath, "utilization"),
    call("deleteRoutingUserDirectroutingbackupSettings", Names::InPath, "direct-routing backup"),
    call(GROUPS, Names::Elsewhere, "groups"),
    call("deleteTeamMembers", Names::Elsewhere, "team"),
    call("deleteUserStationAssociatedstation", Names::InPath, "associated station"),
    call("deleteUserStationDefaultstation", Names::InPath, "default station"),
    call(FORWARDING, Names::InPath, "call forwarding"),
    call(UNIT, Names::Elsewhere, "management unit"),
    call(LICENCES, Names::Elsewhere, "licences"),
    call(BULK, Names::InPath, "grants"),
    call("patchUser", Names::InPath, ACCOUNT),
    call("putUserState", Names::InPath, ACCOUNT),
    call("deleteToken", Names::InPath, TOKENS),
];

/// Every read of the engine about one person, by its operation.
const READS: [(&str, Names); 13] = [
    ("getUser", Names::InPath),
    ("getUserQueues", Names::InPath),
    ("getUserRoutingskills", Names::InPath),
    ("getUserRoutinglanguages", Names::InPath),
    ("getRoutingUserUtilization", Names::InPath),
    ("getRoutingUserDirectroutingbackupSettings", Names::InPath),
    ("getUserStation", Names::InPath),
    ("getUserCallforwarding", Names::InPath),
    ("getAuthorizationSubject", Names::InPath),
    ("getWorkforcemanagementAgentManagementunit", Names::InPath),
    ("getLicenseUser", Names::InPath),
    ("getRoutingQueueMembers", Names::Elsewhere),
    ("postAnalyticsConversationsDetailsQuery", Names::Elsewhere),
];

/// The reads whose 404 says that there is nothing of the kind.
const SAYS_NONE: [&str; 3] = [
    "getRoutingUserDirectroutingbackupSettings",
    "getUserCallforwarding",
    "getWorkforcemanagementAgentManagementunit",
];

/// A world with one leaver after the other, each beside a neighbour who leaves as well.
struct Matrix {
    world: World,
    heir: Id,
    watch: Watch,
}

impl Matrix {
    async fn new() -> Self {
        let (world, heir) = whole_world().await;
        let watch = Watch::default();
        watch.over(&world);
        Self { world, heir, watch }
    }

    fn choices(&self, operation: &str) -> Choices {
        let choices = whole_choices(&self.heir);
        if operation == "putUserState" { with_state_reason(choices) } else { choices }
    }

    /// Somebody with a little of what is removed by calls that name them in their paths.
    fn neighbour(&self, email: &str) -> Id {
        self.world.simulator.organisation(|org| {
            let home = org.home();
            let queue = org.add_queue(&format!("Queue of {email}"), &home);
            let role = org.add_role(&format!("Role of {email}"));
            let skill = org.add_skill(&format!("Skill of {email}"));
            let person = Person::new(email, email).queue(&queue, Joining::Joined).grant(&role, &home);
            org.add_person(person.skill(&skill, 2.0).tokens(1))
        })
    }

    /// One cell: the operation is answered like this for good, for the leaver alone.
    async fn cell(&self, operation: &str, names: Names, first: u32, action: Action) -> (Id, View) {
        let email = |who: &str| format!("{who}.{}@example.com", uuid::Uuid::new_v4());
        let (leaver, beside) = (email("leaver"), email("neighbour"));
        let user = self.world.simulator.organisation(|org| whole_agent(org, &leaver));
        let neighbour = self.neighbour(&beside);
        let matcher = match names {
            Names::InPath => Matcher::operation(operation).path(&user),
            Names::Elsewhere => Matcher::operation(operation),
        };
        let fault = self.world.simulator.inject(Fault::before(matcher.nth(first).always(), action));
        let ids = [self.world.terminate(&leaver).await, self.world.terminate(&beside).await];
        let engine = impatient_engine(&self.world, whole_settings(self.choices(operation)));
        let [view, other] = self.both(&engine, ids).await;
        assert!(self.world.simulator.struck(fault) > 0, "{operation} was never called");
        self.watch.end_faults(&self.world);
        if names == Names::InPath {
            assert_eq!(other.outcome, Some(Outcome::Offboarded), "{operation}: {:#?}", other.journal);
            assert_eq!(left_with(&self.world.simulator, &neighbour), Vec::<&str>::new());
        }
        let early = self.watch.take();
        // Where Genesys Cloud's own word is that there is none, nobody can know better.
        if !SAYS_NONE.contains(&operation) || view.status != Status::Done {
            assert_allowed(&self.world, &user, operation);
            assert_eq!(early, Vec::<String>::new(), "{operation}");
        }
        (user, view)
    }

    async fn both(&self, engine: &leaver::worker::Engine, ids: [OffboardingId; 2]) -> [View; 2] {
        all_to_the_end(&self.world, engine, &ids).await.try_into().unwrap()
    }

    fn print(&self, what: &str, answer: &str, user: &str, view: &View) {
        let state = self.world.simulator.person(user).unwrap().state;
        let left = left_with(&self.world.simulator, user);
        println!(
            "{answer:<4} {what:<46} {}/{} {state:?}, {} left: {}",
            view.status,
            view.reason.map_or("-", Reason::as_str),
            left.len(),
            last_note(view),
        );
    }
}

const REFUSED: (Status, Option<Reason>) = (Status::Failed, Some(Reason::RefusedByGenesys));
const EXHAUSTED: (Status, Option<Reason>) = (Status::Failed, Some(Reason::AttemptsExhausted));
const RETURNING: (Status, Option<Reason>) = (Status::Held, Some(Reason::KeepsReturning));
/// Who is not let go of a group is in it by its own rules or by a directory.
const INHERITED: (Status, Option<Reason>) = (Status::Held, Some(Reason::InheritedAccess));
const FORBIDDEN: (Status, Option<Reason>) = (Status::Held, Some(Reason::PermissionMissing));
const WAITING: (Status, Option<Reason>) = (Status::Scheduled, None);
const DONE: (Status, Option<Reason>) = (Status::Done, None);

fn missing_permission() -> Action {
    let body = json!({"status": 403, "code": "missing.permissions", "message":
        "Unable to perform the requested action. You are missing the following permission(s): [some:thing:edit]"});
    let content_type = "application/json".to_owned();
    Action::RawBody { status: 403, content_type, body: body.to_string().into_bytes() }
}

/// Answers each call like this for good; where a person is refused for good, all the rest is stripped.
async fn every_call(status: u16, action: Action, wanted: impl Fn(&Call) -> (Status, Option<Reason>)) {
    let matrix = Matrix::new().await;
    for call in &CALLS {
        let (user, view) = matrix.cell(call.operation, call.names, 1, action.clone()).await;
        matrix.print(call.operation, &status.to_string(), &user, &view);
        let wanted = wanted(call);
        assert_eq!(ended(&view), wanted, "{status} {}: {:#?}", call.operation, view.journal);
        let person = matrix.world.simulator.person(&user).unwrap();
        let left = left_with(&matrix.world.simulator, &user);
        if wanted == DONE {
            assert_eq!((left, person.state), (vec![], AccountState::Inactive));
        } else if [REFUSED, FORBIDDEN, INHERITED].contains(&wanted) {
            let stays: Vec<&str> =
                Some(call.takes).into_iter().filter(|t| ![ACCOUNT, TOKENS].contains(t)).collect();
            assert_eq!(left, stays, "{status} {}", call.operation);
        }
        let inactive = person.state == AccountState::Inactive;
        assert_eq!(inactive, wanted == DONE || call.takes == TOKENS, "{status} {}", call.operation);
        if status == 403 {
            assert_eq!(last_note(&view), "some:thing:edit", "{}", call.operation);
        }
    }
    assert_eq!(matrix.world.simulator.violations(), Vec::<String>::new());
}

fn refused_unless_others_own_it(call: &Call) -> (Status, Option<Reason>) {
    match call.operation {
        BULK => DONE,
        GROUPS => INHERITED,
        _ => REFUSED,
    }
}

#[tokio::test]
async fn calls_that_are_bad_requests_for_good() {
    every_call(400, Action::answer(400, "bad.request"), refused_unless_others_own_it).await;
}

#[tokio::test]
async fn calls_that_are_forbidden_for_good() {
    every_call(403, missing_permission(), |_| FORBIDDEN).await;
}

#[tokio::test]
async fn calls_that_find_nothing_for_good() {
    let wanted = |call: &Call| match call.operation {
        // Nothing can be read of tokens: there Genesys's own word has to do.
        BULK | "deleteToken" => DONE,
        // They set something: what they need is not there.
        SKILLS | UNIT | LICENCES | FORWARDING => REFUSED,
        "patchUser" | "putUserState" => EXHAUSTED,
        GROUPS => INHERITED,
        _ => RETURNING,
    };
    every_call(404, Action::answer(404, "not.found"), wanted).await;
}

#[tokio::test]
async fn calls_that_conflict_without_end() {
    let wanted = |call: &Call| if call.operation == BULK { DONE } else { EXHAUSTED };
    every_call(409, Action::answer(409, "general.conflict"), wanted).await;
}

#[tokio::test]
async fn calls_that_are_gone_for_good() {
    every_call(410, Action::answer(410, "gone"), refused_unless_others_own_it).await;
}

#[tokio::test]
async fn calls_that_fail_without_end() {
    every_call(500, Action::answer(500, "internal.server.error"), |_| EXHAUSTED).await;
}

/// Answers each read like this for good, from its first or its second request on: nobody is deactivated, and nothing goes
/// on without end.
async fn every_read(
    status: u16,
    action: Action,
    wanted: impl Fn(&str, u32) -> Vec<(Status, Option<Reason>)>,
) {
    let matrix = Matrix::new().await;
    for (operation, names) in READS {
        for first in [1, 2].into_iter().filter(|first| *first == 1 || names == Names::InPath) {
            leave_expansions_out(&matrix.world);
            let (user, view) = matrix.cell(operation, names, first, action.clone()).await;
            matrix.print(&format!("{operation} from {first}"), &status.to_string(), &user, &view);
            let what = format!("{status} {operation} from {first}");
            assert!(wanted(operation, first).contains(&ended(&view)), "{what}: {:#?}", view.journal);
            let person = matrix.world.simulator.person(&user).unwrap();
            if ended(&view) != DONE {
                assert_eq!(person.state, AccountState::Active, "{what}");
            }
        }
    }
    assert_eq!(matrix.world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn reads_that_are_forbidden_for_good() {
    every_read(403, missing_permission(), |_, _| vec![FORBIDDEN]).await;
}

#[tokio::test]
async fn reads_that_find_nothing_for_good() {
    let wanted = |operation: &str, _: u32| match operation {
        // Nobody of this id: a second look follows much later, and nothing is done to anybody.
        "getUser" => vec![WAITING],
        // Genesys Cloud's own word for "none".
        operation if SAYS_NONE.contains(&operation) => vec![DONE],
        _ => vec![EXHAUSTED],
    };
    every_read(404, Action::answer(404, "not.found"), wanted).await;
}

#[tokio::test]
async fn reads_that_are_gone_for_good() {
    every_read(410, Action::answer(410, "gone"), |_, _| vec![REFUSED]).await;
}

#[tokio::test]
async fn reads_that_fail_without_end() {
    every_read(500, Action::answer(500, "internal.server.error"), |_, _| vec![EXHAUSTED]).await;
}
