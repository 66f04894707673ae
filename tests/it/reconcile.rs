//! Reconciliation: everybody on the HRIS's list is found as they are, nothing is changed by looking, and each gap gets one
//! offboarding by the way that an operator's own termination goes.

use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use leaver::offboarding::choices::Protected;
use leaver::offboarding::{Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Fault, Id, Matcher, Person};
use serde_json::{Value, json};

use crate::commands::{Run, run};
use crate::edge::put;
use crate::stepped::{changes_of, decide, ended, step, to_the_end};
use crate::support::World;

/// A budget that no test reaches, and one protected address.
const MORE: &str = "requests_per_minute = 3000\nexternal_id_authority = \"hris\"\n\
                    [policy]\nprotected = [\"vip@example.com\"]\n";

/// So many days ago, or ahead, as a list has it.
fn day(days: i64) -> String {
    (Utc::now() + TimeDelta::days(days)).format("%Y-%m-%d").to_string()
}

fn write(world: &World, text: &str) -> PathBuf {
    let path = world.folder.path().join(format!("{}.csv", uuid::Uuid::new_v4().simple()));
    std::fs::write(&path, text).unwrap();
    path
}

async fn reconcile(config: &Path, list: &Path, more: &[&str]) -> Run {
    let csv = list.to_str().unwrap();
    run(config, &[&["reconcile", "--csv", csv, "--json"], more].concat()).await
}

/// Line, finding and weight of everybody.
fn findings(found: &Value) -> Vec<(u64, &str, &str)> {
    let items = found["items"].as_array().unwrap().iter();
    let text = |value: &'_ Value| value.as_str().unwrap().to_owned().leak() as &str;
    items
        .map(|item| (item["line"].as_u64().unwrap(), text(&item["finding"]), text(&item["weight"])))
        .collect()
}

fn line(found: &Value, line: u64) -> &Value {
    found["items"].as_array().unwrap().iter().find(|item| item["line"] == line).unwrap()
}

/// Somebody with a skill.
fn agent(world: &World, email: &str, more: impl FnOnce(Person) -> Person) -> Id {
    world.simulator.organisation(|org| {
        let skill = org.add_skill(&format!("Skill of {email}"));
        org.add_person(more(Person::new(email, email).skill(&skill, 3.0)))
    })
}

async fn offboardings(world: &World) -> i64 {
    world.number("select count(*) from offboardings").await
}

/// Protected as the configuration has it.
fn settings() -> Settings {
    Settings { protected: vec![Protected::Email("vip@example.com".to_owned())], ..World::settings() }
}

#[tokio::test]
async fn everybody_is_found_as_they_are_and_nothing_is_changed_by_looking() {
    let world = World::new().await;
    agent(&world, "jane@example.com", |jane| jane);
    world.simulator.organisation(|org| {
        org.add_person(Person::new("Gone", "gone@example.com").state(AccountState::Inactive));
        org.add_person(Person::new("Twin", "twin@example.com"));
        org.add_person(Person::new("Twin", "twin@example.com").state(AccountState::Inactive))
    });
    agent(&world, "left@example.com", |left| left.state(AccountState::Inactive));
    agent(&world, "vip@example.com", |vip| vip);
    agent(&world, "old@example.com", |old| old);
    agent(&world, "numbered@example.com", |one| one.external_id("hris", "W9"));
    let known = agent(&world, "known@example.com", |known| known);
    agent(&world, "busy@example.com", |one| one);
    world.terminate("busy@example.com").await;
    let config = world.config(MORE);
    let list = write(
        &world,
        &format!(
            "email,external_id,genesys_user_id,left_on,department\n\
             JANE@example.com,,,{yesterday},x\ngone@example.com,,,{yesterday},x\ntwin@example.com,,,{yesterday},x\n\
             left@example.com,,,{yesterday},x\nvip@example.com,,,{yesterday},x\nold@example.com,,,{long_ago},x\n\
             ,W9,,{yesterday},x\n,,{known},{yesterday},x\nbusy@example.com,,,{yesterday},x\n\
             nobody@example.com,,,{yesterday},x\nlater@example.com,,,{tomorrow},x\njane@example.com,,,{yesterday},x\n\
             known@example.com,,,{yesterday},x\nm\u{fc}ller@example.com,,,,x\nother@example.com,W9,,{yesterday},x\n",
            yesterday = day(-2),
            long_ago = day(-40),
            tomorrow = day(2),
        ),
    );
    let (people, before) = (world.simulator.everybody(), offboardings(&world).await);
    reconcile(&config, &list, &["--exit-code"])
        .await
        .failed(1, &["still there: ", "somebody has to decide: "]);
    let found = reconcile(&config, &list, &[]).await.done().json();
    let (nothing, gap, person) = ("nothing", "gap", "for_a_person");
    assert_eq!(
        findings(&found),
        [
            (2, "still_active", gap),
            (3, "gone", nothing),
            (4, "ambiguous", person),
            (5, "still_holds", gap),
            (6, "protected", gap),
            (7, "stale", gap),
            (8, "still_active", gap),
            (9, "still_active", gap),
            (10, "in_hand", nothing),
            (11, "not_found", nothing),
            (12, "not_due", nothing),
            (13, "duplicate", nothing),
            (14, "duplicate", nothing),
            (15, "ambiguous", person),
            (16, "ambiguous", person),
        ],
        "{found:#}"
    );
    assert_eq!((&line(&found, 2)["holds"], &line(&found, 2)["state"]), (&json!(1), &json!("active")));
    assert_eq!((&line(&found, 5)["holds"], &line(&found, 5)["state"]), (&json!(1), &json!("inactive")));
    assert_eq!(found["totals"]["gaps"], 6);
    assert_eq!(found["notes"], json!(["columns that are not read: \"department\""]));
    assert_eq!((world.simulator.everybody(), offboardings(&world).await), (people, before));
    assert!(world.simulator.changing().is_empty(), "reads only");
    let text = run(&config, &["reconcile", "--csv", list.to_str().unwrap()]).await;
    text.done();
    for words in [
        "still there: 6",
        "still_active",
        "15 on the list: 3 ambiguous, 2 duplicate, 1 gone",
        "gaps 6, opened now 0, for a person 3",
    ] {
        assert!(text.out.contains(words), "{words}: {}", text.out);
    }
}

#[tokio::test]
async fn each_gap_gets_one_offboarding_however_often_it_is_applied_and_ends_as_gone() {
    let world = World::new().await;
    let jane = agent(&world, "jane@example.com", |jane| jane);
    let known = agent(&world, "known@example.com", |known| known.state(AccountState::Inactive));
    let vip = agent(&world, "vip@example.com", |vip| vip);
    let old = agent(&world, "old@example.com", |old| old);
    agent(&world, "later@example.com", |later| later);
    let config = world.config(MORE);
    let text = format!(
        "email;genesys_user_id;left_on;type\r\njane@example.com;;{yesterday};voluntary\r\n;{known};{yesterday};\r\n\
         vip@example.com;;;\r\nold@example.com;;{long_ago};\r\nlater@example.com;;{later};\r\n",
        yesterday = day(-2),
        long_ago = day(-40),
        later = day(9),
    );
    let list = write(&world, &text);
    let first = reconcile(&config, &list, &["--apply", "--exit-code"]).await;
    first.failed(1, &["somebody has to decide: 1"]);
    let found = first.json();
    assert_eq!((&found["totals"]["gaps"], &found["totals"]["opened"]), (&json!(4), &json!(4)), "{found:#}");
    assert_eq!(line(&found, 5)["offboarding_status"], "held", "{found:#}");
    let id = |line_number: u64| {
        let id = line(&found, line_number)["offboarding"].as_str().unwrap().parse().unwrap();
        leaver::offboarding::OffboardingId(id)
    };
    let view = world.view(id(2)).await;
    let journal = view.journal.unwrap();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()));
    let why = journal[0].result.clone().unwrap();
    assert!(why.starts_with("reconciliation: line 2 of ") && why.contains(&digest), "{why}");
    assert_eq!(
        (view.source.as_str(), journal[0].actor.as_str()),
        ("operator", "operator:carol (command line)")
    );
    assert_eq!(view.person.email.as_deref(), Some("jane@example.com"));
    assert!(world.simulator.changing().is_empty(), "the workers do it");
    let again = reconcile(&config, &list, &["--apply"]).await.json();
    let words: Vec<_> = findings(&again).into_iter().map(|(_, finding, _)| finding).collect();
    assert_eq!(words, ["in_hand", "in_hand", "in_hand", "held", "not_due"], "{again:#}");
    assert_eq!((offboardings(&world).await, &again["totals"]["opened"]), (4, &json!(0)));
    let engine = world.engine_with(settings());
    assert_eq!(to_the_end(&world, &engine, id(2)).await.outcome, Some(Outcome::Offboarded));
    assert_eq!(to_the_end(&world, &engine, id(3)).await.outcome, Some(Outcome::AlreadyInactive));
    assert_eq!(ended(&to_the_end(&world, &engine, id(4)).await), (Status::Held, Some(Reason::Protected)));
    assert_eq!(ended(&world.view(id(5)).await), (Status::Held, Some(Reason::StaleEvent)));
    for untouched in [&vip, &old] {
        assert!(changes_of(&world, untouched).is_empty());
    }
    assert_eq!(world.simulator.person(&jane).unwrap().state, AccountState::Inactive);
    let last = reconcile(&config, &list, &["--apply"]).await;
    let last = last.json();
    let words: Vec<_> = findings(&last).into_iter().map(|(_, finding, _)| finding).collect();
    assert_eq!(words, ["gone", "gone", "held", "held", "not_due"], "{last:#}");
    assert_eq!(offboardings(&world).await, 4);
    let settled = write(&world, "email\njane@example.com\nnobody@example.com\nknown@example.com\n");
    let settled = reconcile(&config, &settled, &["--exit-code"]).await;
    assert_eq!(settled.done().json()["totals"]["gaps"], 0);
}

#[tokio::test]
async fn two_at_once_open_one_offboarding_for_each() {
    let world = World::new().await;
    for number in 0..5 {
        agent(&world, &format!("agent{number}@example.com"), |agent| agent);
    }
    let config = world.config(MORE);
    let list: String = (0..5).map(|number| format!("agent{number}@example.com\n")).collect();
    let list = write(&world, &format!("email\n{list}"));
    let (one, other) =
        tokio::join!(reconcile(&config, &list, &["--apply"]), reconcile(&config, &list, &["--apply"]));
    for ran in [&one, &other] {
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert_eq!(offboardings(&world).await, 5);
}

#[tokio::test]
async fn who_was_put_back_failed_or_is_said_to_have_left_twice_is_left_to_a_person() {
    let world = World::new().await;
    agent(&world, "back@example.com", |back| back);
    agent(&world, "failed@example.com", |failed| failed);
    agent(&world, "twice@example.com", |twice| twice.external_id("hris", "W2"));
    agent(&world, "again@example.com", |again| again);
    let engine = world.engine_with(settings());
    let back = world.terminate("back@example.com").await;
    to_the_end(&world, &engine, back).await;
    decide(&world, back, Decision::Restore).await;
    assert_eq!(to_the_end(&world, &engine, back).await.outcome, Some(Outcome::Restored));
    let failed = world.terminate("failed@example.com").await;
    put(&world, &failed.to_string(), "failed", Some("refused_by_genesys")).await;
    let list = format!(
        "email,external_id,left_on\nback@example.com,,\nfailed@example.com,,\ntwice@example.com,,{}\n,W2,{}\n\
         again@example.com,,{}\nagain@example.com,,{}\n",
        day(-9),
        day(-2),
        day(-20),
        day(20),
    );
    let list = write(&world, &list);
    let ran = reconcile(&world.config(MORE), &list, &["--apply"]).await;
    let found = ran.done().json();
    let person = "for_a_person";
    let expected = ["restored", "failed", "ambiguous", "ambiguous", "ambiguous", "ambiguous"];
    let expected: Vec<_> = (2..).zip(expected).map(|(line, finding)| (line, finding, person)).collect();
    assert_eq!(findings(&found), expected, "{found:#}");
    assert!(line(&found, 3)["detail"].as_str().unwrap().contains(&format!("leaver retry {failed}")));
    assert!(line(&found, 4)["detail"].as_str().unwrap().contains("line 5 gives another date"));
    assert_eq!(offboardings(&world).await, 2, "nothing was opened");
}

#[tokio::test]
async fn a_list_with_a_mistake_is_refused_before_anybody_is_looked_up() {
    let world = World::new().await;
    agent(&world, "jane@example.com", |jane| jane);
    let config = world.config(MORE);
    for (text, words) in [
        ("email,left_on\njane@example.com,\ntom@example.com,31.03.2026\n", vec!["line 3, column left_on"]),
        ("jane@example.com\n", vec!["line 1", "the heading names none of the columns"]),
        ("email,name\njane@example.com,\"Jane\ntom@example.com,Tom\n", vec!["line 2", "quotation mark"]),
        ("email\njane\u{1b}[2J@example.com\n", vec!["line 2, column email", "control characters"]),
        ("email,source\njane@example.com,elsewhere\n", vec!["line 2, column source"]),
        ("", vec!["is empty"]),
    ] {
        reconcile(&config, &write(&world, text), &["--apply"])
            .await
            .failed(2, &[vec!["--csv: "], words].concat());
    }
    let missing = world.folder.path().join("missing.csv");
    reconcile(&config, &missing, &[]).await.failed(2, &["--csv: ", "missing.csv", "can't be read"]);
    run(&config, &["reconcile"]).await.failed(2, &["--csv"]);
    assert!(world.simulator.journal().is_empty());
    assert_eq!(offboardings(&world).await, 0);
    // What only looks like a formula is an id like any other, and is looked up as it stands.
    let formula = write(&world, "external_id,email\n\"=HYPERLINK(\"\"x\"\")\",jane@example.com\n");
    let found = reconcile(&config, &formula, &[]).await.json();
    assert_eq!(line(&found, 2)["external_id"], "=HYPERLINK(\"x\")");
    assert_eq!(line(&found, 2)["finding"], "still_active", "{found:#}");
}

#[tokio::test]
async fn what_genesys_does_not_answer_is_no_gap_and_not_gone_and_is_not_asked_for_ever() {
    let world = World::new().await;
    let people: String = (0..8).map(|number| format!("agent{number}@example.com\n")).collect();
    for number in 0..8 {
        agent(&world, &format!("agent{number}@example.com"), |agent| agent);
    }
    let refuse = Action::answer(403, "not.authorized");
    world.simulator.inject(Fault::before(Matcher::operation("postUsersSearch").always(), refuse));
    let list = write(&world, &format!("email\n{people}"));
    let ran = reconcile(&world.config(MORE), &list, &["--apply"]).await;
    ran.failed(1, &["could not be read: 8"]);
    let found = ran.json();
    assert!(findings(&found).iter().all(|(_, finding, _)| *finding == "unread"), "{found:#}");
    assert!(line(&found, 9)["detail"].as_str().unwrap().starts_with("not asked: "), "{found:#}");
    let searches = world.simulator.journal().into_iter();
    let searches = searches.filter(|call| call.request.operation == Some("postUsersSearch")).count();
    assert!(searches <= 5, "{searches} searches");
    assert_eq!(offboardings(&world).await, 0);
}

#[tokio::test]
async fn whose_holdings_can_not_be_read_is_not_gone() {
    let world = World::new().await;
    for email in ["read@example.com", "unread@example.com"] {
        world.simulator.organisation(|org| {
            org.add_person(Person::new(email, email).state(AccountState::Inactive));
        });
    }
    let config = world.config(MORE);
    let list = |email: &str| write(&world, &format!("email\n{email}\n"));
    let found = reconcile(&config, &list("read@example.com"), &[]).await.json();
    assert_eq!(line(&found, 2)["finding"], "gone", "{found:#}");
    let refuse = Action::answer(403, "not.authorized");
    world.simulator.inject(Fault::before(Matcher::operation("getUserQueues").always(), refuse));
    let found = reconcile(&config, &list("unread@example.com"), &[]).await.json();
    assert_eq!(line(&found, 2)["finding"], "unread", "{found:#}");
    assert!(line(&found, 2)["detail"].as_str().unwrap().starts_with("could not read "), "{found:#}");
}

#[tokio::test]
async fn a_pause_stops_no_reconciliation_and_what_it_opens_waits() {
    let world = World::new().await;
    let jane = agent(&world, "jane@example.com", |jane| jane);
    let config = world.config(MORE);
    run(&config, &["pause", "--reason", "a look"]).await.done();
    let list = write(&world, "email\njane@example.com\n");
    let found = reconcile(&config, &list, &["--apply"]).await;
    let found = found.done().json();
    assert_eq!((&found["paused"]["reason"], &found["totals"]["opened"]), (&json!("a look"), &json!(1)));
    let engine = world.engine_with(settings());
    assert_eq!(step(&world, &engine).await, 0);
    run(&config, &["resume"]).await.done();
    assert_eq!(step(&world, &engine).await, 1);
    assert!(!changes_of(&world, &jane).is_empty());
}

#[tokio::test]
async fn what_was_cancelled_or_taken_back_is_not_opened_by_a_list_of_before() {
    let world = World::new().await;
    agent(&world, "jane@example.com", |jane| jane);
    let id = world.terminate("jane@example.com").await.to_string();
    let config = world.config(MORE);
    let list = write(&world, &format!("email,left_on\njane@example.com,{}\n", day(-1)));
    for reason in ["cancelled_by_operator", "rescinded"] {
        put(&world, &id, "cancelled", Some(reason)).await;
        let found = reconcile(&config, &list, &["--apply"]).await;
        assert_eq!(findings(&found.done().json()), [(2, "cancelled", "for_a_person")]);
        assert_eq!(offboardings(&world).await, 1);
    }
}

#[tokio::test]
async fn whose_leaving_date_is_not_read_is_offboarded_by_no_list() {
    let world = World::new().await;
    agent(&world, "jane@example.com", |jane| jane);
    let config = world.config(MORE);
    for heading in
        ["termination_date", "terminationDate", "Last Working Day", "end-date", "Leave Date", "EFFECTIVE"]
    {
        let list = write(&world, &format!("email,{heading}\njane@example.com,{}\n", day(400)));
        let found = reconcile(&config, &list, &["--apply"]).await.done().json();
        assert_eq!(findings(&found), [(2, "not_due", "nothing")], "{heading}: {found}");
    }
    for heading in ["gone_until", "Contract ends", "hire-date", "Austrittsdatum", "leftCompany", "Terminated"]
    {
        let list = write(&world, &format!("email,{heading}\njane@example.com,{}\n", day(400)));
        let quoted = format!("{heading:?}");
        reconcile(&config, &list, &["--apply"])
            .await
            .failed(2, &["--csv", &quoted, "left_on", "termination_date"]);
        let looked = reconcile(&config, &list, &[]).await.json();
        let notes = looked["notes"].to_string();
        assert!(notes.contains(heading) && notes.contains("--apply is refused"), "{heading}: {notes}");
    }
    assert_eq!(offboardings(&world).await, 0);
    let both = write(&world, "email,last_day,termination_date\njane@example.com,2026-01-01,2027-01-01\n");
    reconcile(&config, &both, &[]).await.failed(2, &["\"last_day\"", "\"termination_date\""]);
    // What has no time in its name keeps nobody from being found.
    let list = write(&world, "email,gender,vendor,department,manager\njane@example.com,f,x,y,z\n");
    let found = reconcile(&config, &list, &["--apply"]).await.json();
    assert_eq!(
        (findings(&found), offboardings(&world).await),
        (vec![(2, "still_active", "gap")], 1),
        "{found}"
    );
}
