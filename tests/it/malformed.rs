//! An answer that can't be read whole is an error and never emptiness: whichever read it strikes, nobody is deactivated
//! because of it, and when it is over the offboarding ends as if nothing had been.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use leaver::offboarding::{Outcome, PersonRef, Status};
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, ExternalId, Fault, Intent, Matcher, Moment, presets};
use serde_json::{Value, json};

use crate::stepped::{Guard, holdings, impatient_engine, slim_agent, step, to_the_end};
use crate::support::World;

/// The list in the answer of a read, if it is one; the field that says whom the answer is about, if there is one.
struct Read {
    operation: &'static str,
    list: Option<&'static str>,
    owner: Option<&'static str>,
}

const fn read(operation: &'static str, list: Option<&'static str>, owner: Option<&'static str>) -> Read {
    Read { operation, list, owner }
}

const BY_EXTERNAL_ID: &str = "getUsersExternalidAuthorityNameExternalKey";

/// Every read that the engine makes.
const READS: [Read; 11] = [
    read("postUsersSearch", Some("results"), None),
    read(BY_EXTERNAL_ID, None, None),
    read("getUser", None, Some("id")),
    read("getUserRoutingstatus", None, Some("userId")),
    read("getUserQueues", Some("entities"), None),
    read("getUserRoutingskills", Some("entities"), None),
    read("getUserRoutinglanguages", Some("entities"), None),
    read("getRoutingUserUtilization", None, None),
    read("getUserStation", None, None),
    read("getUserCallforwarding", None, None),
    read("getAuthorizationSubject", Some("grants"), Some("id")),
];

fn settings() -> Settings {
    Settings { external_id_authority: Some(presets::AUTHORITY.to_owned()), ..World::settings() }
}

/// What is read as well and has no place in the table: whether somebody is a member at first sight, what need not be
/// there at all, and what is only reported.
const OTHER_READS: [&str; 4] = [
    "getRoutingQueueMembers",
    "getRoutingUserDirectroutingbackupSettings",
    "postAnalyticsConversationsDetailsQuery",
    "oauthToken",
];

/// Genesys leaves expansions out as it likes; then their kinds have reads of their own.
fn leave_expansions_out(world: &World) {
    let rewrite = |mut user: Value| {
        if let Some(fields) = user.as_object_mut() {
            for expansion in ["routingStatus", "conversationSummary", "skills", "languages", "station"] {
                fields.remove(expansion);
            }
        }
        user
    };
    for operation in ["getUser", BY_EXTERNAL_ID] {
        let matcher = Matcher::operation(operation).always();
        world.simulator.inject(Fault::after(matcher, Action::mutate(rewrite)));
    }
}

fn leaver(world: &World, email: &str) -> String {
    world.simulator.organisation(|org| {
        let user = slim_agent(org, email);
        let id = ExternalId { authority: presets::AUTHORITY.to_owned(), key: format!("id of {email}") };
        org.edit(&user, |person| person.external_ids.push(id));
        user
    })
}

/// By external id, or by address for the read that only those without one need.
fn named(email: &str, read: &Read) -> PersonRef {
    let external_id = (read.operation != "postUsersSearch").then(|| format!("id of {email}"));
    PersonRef { email: Some(email.to_owned()), external_id }
}

#[tokio::test]
async fn the_table_names_every_read_that_the_engine_makes() {
    let world = World::new().await;
    leave_expansions_out(&world);
    for (email, read) in [("jane@example.com", &READS[0]), ("tom@example.com", &READS[1])] {
        leaver(&world, email);
        let id = world.terminate_as(named(email, read), None).await;
        let view = to_the_end(&world, &world.engine_with(settings()), id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
    }
    let journal = world.simulator.journal();
    let reads = journal.iter().filter(|entry| entry.request.intent == Intent::Reads);
    let made: BTreeSet<_> = reads.filter_map(|entry| entry.request.operation).collect();
    let table = READS.iter().map(|read| read.operation).chain(OTHER_READS).collect();
    assert_eq!(made, table);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

/// Strikes one read for good, from its first or its second request on, until an attempt is over. The second is a read of
/// somebody from whom things were taken away already.
async fn strike(world: &World, guard: &Guard, read: &Read, first: u32, fault: &(Moment, Action)) {
    let (moment, action) = fault;
    let email = format!("{}{first}@example.com", read.operation).to_lowercase();
    let user = leaver(world, &email);
    leave_expansions_out(world);
    let before = world.simulator.person(&user).unwrap();
    let matcher = Matcher::operation(read.operation).nth(first).always();
    let fault = world.simulator.inject(Fault { matcher, moment: *moment, action: action.clone() });
    let id = world.terminate_as(named(&email, read), None).await;
    let engine = impatient_engine(world, settings());
    step(world, &engine).await;
    let view = world.view(id).await;
    let what = format!("{} from its request {first} on: {action:?}", read.operation);
    assert!(world.simulator.struck(fault) > 0, "{what}");
    assert_eq!((view.status, view.outcome), (Status::Scheduled, None), "{what}: {:#?}", view.journal);
    assert!(view.attempt > 0, "{what} is a failed attempt");
    let now = world.simulator.person(&user).unwrap();
    assert_eq!(now.state, AccountState::Active, "{what}");
    // Whoever is found by external id is read by the id of Genesys in the second pass only.
    if first == 1 && read.operation != "getUser" {
        assert_eq!(now, before, "{what}");
    }
    guard.end_faults(world);
    let view = to_the_end(world, &engine, id).await;
    assert_eq!((view.status, view.outcome), (Status::Done, Some(Outcome::Offboarded)), "{what}");
    let left = world.simulator.person(&user).unwrap();
    assert_eq!((holdings(&left), left.state, left.tokens), (vec![], AccountState::Inactive, 0));
}

/// The reads that are made again after the first change.
fn is_repeated(read: &Read) -> bool {
    !["postUsersSearch", BY_EXTERNAL_ID, "getUserRoutingstatus"].contains(&read.operation)
}

/// Strikes every read that the fault can strike, at its first request.
async fn strike_all(fault_of: impl Fn(&Read) -> Option<(Moment, Action)>) {
    strike_each(fault_of, &[1]).await;
}

/// The same, and at the second request as well.
async fn strike_twice(fault_of: impl Fn(&Read) -> Option<(Moment, Action)>) {
    strike_each(fault_of, &[1, 2]).await;
}

async fn strike_each(fault_of: impl Fn(&Read) -> Option<(Moment, Action)>, requests: &[u32]) {
    let world = World::new().await;
    let guard = Guard::default();
    guard.watch(&world);
    for read in &READS {
        let Some(fault) = fault_of(read) else { continue };
        for first in requests.iter().filter(|first| **first == 1 || is_repeated(read)) {
            strike(&world, &guard, read, *first, &fault).await;
        }
    }
    guard.assert_nobody_was_deactivated_early();
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

fn rewritten(rewrite: impl Fn(Value) -> Value + Send + Sync + 'static) -> Option<(Moment, Action)> {
    Some((Moment::AfterEffect, Action::mutate(rewrite)))
}

#[tokio::test]
async fn a_page_of_html_is_no_answer() {
    strike_twice(|_| Some((Moment::BeforeEffect, Action::html()))).await;
}

#[tokio::test]
async fn an_empty_list_that_is_not_labelled_as_json_is_no_answer() {
    let body = json!({"entities": [], "results": [], "total": 0, "pageCount": 0, "level": "Organization"});
    strike_twice(|read| {
        let content_type = "text/html".to_owned();
        let action = Action::RawBody { status: 200, content_type, body: body.to_string().into_bytes() };
        // Who is asked for, and whose grants these are, is missing in it: it would be refused anyway.
        (read.owner.is_none() && read.operation != BY_EXTERNAL_ID).then_some((Moment::BeforeEffect, action))
    })
    .await;
}

#[tokio::test]
async fn truncated_json_is_no_answer() {
    strike_all(|_| Some((Moment::AfterEffect, Action::Truncate(1)))).await;
}

#[tokio::test]
async fn an_empty_object_is_no_answer() {
    // The stations of somebody who has none are an empty object: there it says the truth.
    strike_all(|read| (read.operation != "getUserStation").then(|| rewritten(|_| json!({})))?).await;
}

#[tokio::test]
async fn a_list_that_is_missing_is_not_empty() {
    strike_twice(|read| {
        let list = read.list?;
        rewritten(move |mut answer| {
            answer.as_object_mut().unwrap().remove(list);
            answer
        })
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_null_is_not_empty() {
    strike_all(|read| {
        let list = read.list?;
        rewritten(move |mut answer| {
            answer[list] = Value::Null;
            answer
        })
    })
    .await;
}

#[tokio::test]
async fn an_entry_without_an_id_is_not_left_out() {
    strike_all(|read| {
        let list = read.list?;
        rewritten(move |mut answer| {
            let broken = json!({"id": null, "subjectId": null, "role": null, "division": null});
            answer[list].as_array_mut().unwrap().push(broken);
            answer["total"] = answer[list].as_array().unwrap().len().into();
            answer
        })
    })
    .await;
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_no_answer() {
    strike_all(|read| {
        let owner = read.owner?;
        rewritten(move |mut answer| {
            answer[owner] = json!("00000000-0000-4000-8000-000000000000");
            answer
        })
    })
    .await;
}

#[tokio::test]
async fn a_server_error_is_no_answer() {
    strike_all(|_| Some((Moment::BeforeEffect, Action::answer(500, "internal.server.error")))).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_is_no_answer() {
    strike_all(|_| Some((Moment::AfterEffect, Action::Close))).await;
}

/// All at the same time, because each is waited for.
#[tokio::test]
async fn an_answer_that_never_comes_is_no_answer() {
    let world = World::new().await;
    let guard = Guard::default();
    guard.watch(&world);
    leave_expansions_out(&world);
    let mut people = Vec::new();
    for read in &READS {
        let email = format!("{}@example.com", read.operation).to_lowercase();
        let user = leaver(&world, &email);
        let who = match read.operation {
            "postUsersSearch" => String::new(),
            BY_EXTERNAL_ID => read.operation.to_lowercase(),
            _ => user.clone(),
        };
        let matcher = Matcher::operation(read.operation).path(&who).always();
        world.simulator.inject(Fault::before(matcher, Action::Hang));
        people.push((user, world.terminate_as(named(&email, read), None).await));
    }
    let before = world.simulator.everybody();
    let engine = impatient_engine(&world, Settings { concurrency: READS.len(), ..settings() });
    let worked = join_all(people.iter().map(|_| engine.step())).await;
    assert_eq!(worked.into_iter().map(Result::unwrap).sum::<usize>(), READS.len());
    for (read, (_, id)) in READS.iter().zip(&people) {
        let view = world.view(*id).await;
        assert_eq!((view.status, view.attempt), (Status::Scheduled, 1), "{}", read.operation);
    }
    for (read, (user, _)) in READS.iter().zip(&people).filter(|(read, _)| read.operation != "getUser") {
        assert_eq!(world.simulator.person(user).as_ref(), before.get(user), "{}", read.operation);
    }
    guard.end_faults(&world);
    for (user, id) in people {
        let view = to_the_end(&world, &engine, id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
        assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Inactive);
    }
    guard.assert_nobody_was_deactivated_early();
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_station_without_an_id_is_not_left_out() {
    let nameless = |mut stations: Value| {
        for kind in ["associatedStation", "defaultStation"] {
            stations[kind] = json!({"id": null});
        }
        stations
    };
    strike_twice(|read| (read.operation == "getUserStation").then(|| rewritten(nameless))?).await;
}
