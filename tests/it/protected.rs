//! People whom nobody takes out without an approval: the list by every kind of entry, the service's own user, and the last
//! administrator, also where two of them leave at once.

use leaver::config::Config;
use leaver::offboarding::choices::{Order, Protected};
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::decisions::Decision;
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Action, Expansions, Fault, Grant, Id, Matcher, Organisation, Person};
use serde_json::{Value, json};

use crate::stepped::{changes_of, decide, ended, last_note, step, to_the_end};
use crate::support::{World, leaver};

const HELD: (Status, Option<Reason>) = (Status::Held, Some(Reason::Protected));

fn email(number: usize) -> String {
    format!("admin{number}@example.com")
}

/// People who have a role of this name, and nobody else does.
fn with_role(organisation: &mut Organisation, name: &str, count: usize) -> Vec<Id> {
    let (home, role) = (organisation.home(), organisation.add_role(name));
    let person = |number| Person::new(&email(number), &email(number)).grant(&role, &home).tokens(1);
    (0..count).map(|number| organisation.add_person(person(number))).collect()
}

async fn administrators(count: usize) -> (World, Vec<Id>) {
    let world = World::new().await;
    let people = world.simulator.organisation(|org| with_role(org, "Admin", count));
    (world, people)
}

fn calls(world: &World, operation: &str) -> usize {
    world.simulator.journal().iter().filter(|entry| entry.request.operation == Some(operation)).count()
}

async fn run(world: &World, settings: &Settings, id: OffboardingId) -> View {
    to_the_end(world, &world.engine_with(settings.clone()), id).await
}

/// Held without a change, and offboarded after an approval.
async fn assert_needs_an_approval(world: &World, settings: &Settings, id: OffboardingId, user: &str) {
    let view = run(world, settings, id).await;
    assert_eq!(ended(&view), HELD, "{:#?}", view.journal);
    assert!(changes_of(world, user).is_empty());
    decide(world, id, Decision::Approve).await;
    let view = run(world, settings, id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert_eq!(world.simulator.person(user).unwrap().state, AccountState::Inactive);
}

#[tokio::test]
async fn members_of_a_listed_group_need_an_approval() {
    for by_id in [false, true] {
        let world = World::new().await;
        let (jane, group) = world.simulator.organisation(|org| {
            let group = org.add_group("Directors", &[]);
            (org.add_person(Person::new("Jane", "jane@example.com").group(&group)), group)
        });
        let named = if by_id { group } else { "Directors".to_owned() };
        let settings = Settings {
            protected: vec![Protected::Group(named)],
            plan: leaver::plan::Plan::new(leaver::plan::Choices {
                inherited_access: leaver::plan::choices::InheritedAccess::Pass,
                ..leaver::plan::Choices::default()
            }),
            ..World::settings()
        };
        let id = world.terminate("jane@example.com").await;
        assert_needs_an_approval(&world, &settings, id, &jane).await;
    }
}

#[tokio::test]
async fn a_listed_group_costs_no_call() {
    let mut reads = Vec::new();
    for protected in [Vec::new(), vec![Protected::Group("Directors".to_owned())]] {
        let world = World::new().await;
        world.simulator.organisation(|org| org.add_person(Person::new("Jane", "jane@example.com")));
        let id = world.terminate("jane@example.com").await;
        let view = run(&world, &Settings { protected, ..World::settings() }, id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded));
        reads.push(world.simulator.journal().len());
    }
    assert_eq!(reads[0], reads[1]);
}

#[tokio::test]
async fn groups_that_genesys_does_not_give_protect_everybody_from_a_change() {
    let world = World::new().await;
    let jane =
        world.simulator.organisation(|org| org.add_person(Person::new("Jane", "jane@example.com").tokens(1)));
    world.simulator.rules(|rules| rules.expansions = Expansions::Withheld);
    let settings = Settings {
        protected: vec![Protected::Group("Directors".to_owned())],
        attempts_max: 3,
        ..World::settings()
    };
    let id = world.terminate("jane@example.com").await;
    let view = run(&world, &settings, id).await;
    assert_ne!(view.status, Status::Done, "{:#?}", view.journal);
    // It ends here, and not only where the strip needs the groups.
    assert_eq!(calls(&world, "getUserQueues"), 0);
    assert!(changes_of(&world, &jane).is_empty());
}

#[tokio::test]
async fn a_group_without_a_name_may_be_the_listed_one() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let group = org.add_group("Directors", &[]);
        org.add_person(Person::new("Jane", "jane@example.com").group(&group))
    });
    let nameless = |mut answer: Value| {
        for group in answer["groups"].as_array_mut().into_iter().flatten() {
            group.as_object_mut().unwrap().remove("name");
        }
        answer
    };
    world.simulator.inject(Fault::after(Matcher::operation("getUser").always(), Action::mutate(nameless)));
    let settings =
        Settings { protected: vec![Protected::Group("Directors".to_owned())], ..World::settings() };
    let id = world.terminate("jane@example.com").await;
    let view = run(&world, &settings, id).await;
    assert_eq!((ended(&view), last_note(&view).contains("no name")), (HELD, true), "{:#?}", view.journal);
    assert!(changes_of(&world, &jane).is_empty());
}

#[tokio::test]
async fn the_last_administrator_needs_an_approval_whatever_goes_first() {
    for order in [Order::StripFirst, Order::AccessFirst] {
        for name in ["Admin", "Master Admin"] {
            let world = World::new().await;
            let people = world.simulator.organisation(|org| with_role(org, name, 1));
            let settings = Settings { order, ..World::settings() };
            let id = world.terminate(&email(0)).await;
            assert_needs_an_approval(&world, &settings, id, &people[0]).await;
        }
    }
}

#[tokio::test]
async fn somebody_who_is_an_administrator_through_a_group_is_one() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let (role, division) = (org.add_role("Admin"), org.home());
        let group = org.add_group("Administrators", &[Grant { role, division }]);
        org.add_person(Person::new("Jane", "jane@example.com").group(&group))
    });
    let id = world.terminate("jane@example.com").await;
    let view = run(&world, &World::settings(), id).await;
    assert_eq!(ended(&view), HELD, "{:#?}", view.journal);
    assert!(last_note(&view).starts_with("the last administrator"));
    assert!(changes_of(&world, &jane).is_empty());
}

#[tokio::test]
async fn one_of_several_administrators_leaves_like_anybody() {
    let (world, people) = administrators(2).await;
    let id = world.terminate(&email(0)).await;
    let view = run(&world, &World::settings(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert!(changes_of(&world, &people[1]).is_empty());
}

#[tokio::test]
async fn administrators_who_are_not_active_are_none() {
    for state in [AccountState::Inactive, AccountState::Deleted] {
        let (world, people) = administrators(3).await;
        for other in &people[1..] {
            world.simulator.organisation(|org| org.edit(other, |person| person.state = state));
        }
        let id = world.terminate(&email(0)).await;
        let view = run(&world, &World::settings(), id).await;
        assert_eq!(ended(&view), HELD, "{state:?} {:#?}", view.journal);
        assert!(changes_of(&world, &people[0]).is_empty());
    }
}

#[tokio::test]
async fn strangers_in_the_answer_are_no_administrators() {
    let (world, people) = administrators(2).await;
    world.simulator.organisation(|org| {
        org.edit(&people[1], |person| person.state = AccountState::Inactive);
    });
    let stranger = world.simulator.organisation(|org| org.stranger());
    let everybody = move |mut answer: Value| {
        answer["entities"] = json!([{"id": stranger, "state": "active", "version": 1}]);
        answer["total"] = 1.into();
        answer["pageCount"] = 1.into();
        answer
    };
    world.simulator.inject(Fault::after(Matcher::operation("getUsers").always(), Action::mutate(everybody)));
    let id = world.terminate(&email(0)).await;
    let view = run(&world, &World::settings(), id).await;
    assert_eq!(ended(&view), HELD, "{:#?}", view.journal);
}

#[tokio::test]
async fn administrators_who_can_not_be_counted_are_nobody() {
    for operation in ["getAuthorizationRoleUsers", "getUsers", "getTokensMe"] {
        let (world, people) = administrators(2).await;
        let garbled = |_| json!({"what": "is this"});
        world.simulator.inject(Fault::after(Matcher::operation(operation).always(), Action::mutate(garbled)));
        let id = world.terminate(&email(0)).await;
        let view = run(&world, &World::settings(), id).await;
        assert!(matches!(view.status, Status::Held | Status::Failed), "{operation} {:#?}", view.journal);
        assert!(changes_of(&world, &people[0]).is_empty(), "{operation}");
    }
}

#[tokio::test]
async fn nobody_is_asked_about_ordinary_agents_or_where_it_is_switched_off() {
    let (world, _) = administrators(1).await;
    world.simulator.organisation(|org| crate::stepped::slim_agent(org, "jane@example.com"));
    let jane = world.terminate("jane@example.com").await;
    assert_eq!(run(&world, &World::settings(), jane).await.outcome, Some(Outcome::Offboarded));
    let settings = Settings { administrator_roles: Vec::new(), ..World::settings() };
    let id = world.terminate(&email(0)).await;
    assert_eq!(run(&world, &settings, id).await.outcome, Some(Outcome::Offboarded));
    for operation in ["getAuthorizationRoleUsers", "getUsers", "getTokensMe"] {
        assert_eq!(calls(&world, operation), 0, "{operation}");
    }
}

fn active(world: &World, people: &[Id]) -> usize {
    let is_active = |id: &&Id| world.simulator.person(id).unwrap().state == AccountState::Active;
    people.iter().filter(is_active).count()
}

#[tokio::test]
async fn administrators_who_all_leave_at_once_leave_somebody_behind_on_two_replicas() {
    // Each on a replica of their own, and all in the cohort of one.
    for (count, concurrency) in [(2, 2), (2, 2), (2, 2), (3, 1)] {
        let (world, people) = administrators(count).await;
        let mut ids = Vec::new();
        for number in 0..people.len() {
            ids.push(world.terminate(&email(number)).await);
        }
        let settings = Settings { concurrency, ..World::settings() };
        let replicas = [world.engine_with(settings.clone()), world.engine_with(settings)];
        for _ in 0..6 {
            world.make_due().await;
            let (one, other) = tokio::join!(replicas[0].step(), replicas[1].step());
            one.unwrap();
            other.unwrap();
            world.forget_lag().await;
        }
        assert!(active(&world, &people) >= 1, "{count} administrators, {concurrency} at once");
        let mut held = 0;
        for id in ids {
            held += usize::from(ended(&world.view(id).await) == HELD);
        }
        assert_eq!(held, active(&world, &people));
    }
}

#[tokio::test]
async fn an_administrator_who_is_about_to_leave_does_not_stay_and_one_who_leaves_next_year_does() {
    for (when, expected) in [("now()", true), ("now() + interval '1 year'", false)] {
        let (world, people) = administrators(2).await;
        let other = world.terminate(&email(1)).await;
        // The other one is known, and waits for something.
        step(&world, &world.engine_with(Settings { brake: NONE, ..World::settings() })).await;
        assert_eq!(ended(&world.view(other).await), (Status::Held, Some(Reason::Brake)));
        match expected {
            true => world.sql("update offboardings set effective_at = now()").await,
            false => world.sql("update offboardings set effective_at = now() + interval '1 year'").await,
        }
        let id = world.terminate(&email(0)).await;
        let view = run(&world, &World::settings(), id).await;
        assert_eq!(ended(&view) == HELD, expected, "{when} {:#?}", view.journal);
        assert_eq!(changes_of(&world, &people[0]).is_empty(), expected);
    }
}

const NONE: leaver::store::progress::BrakeLimits =
    leaver::store::progress::BrakeLimits { per_hour: 0, per_day: 0 };

#[tokio::test]
async fn an_administrator_whom_genesys_still_shows_as_active_after_the_end_does_not_stay() {
    let (world, people) = administrators(2).await;
    let gone = world.terminate(&email(1)).await;
    assert_eq!(run(&world, &World::settings(), gone).await.outcome, Some(Outcome::Offboarded));
    // As a list that lags would show it.
    let before = world.simulator.person(&people[0]).unwrap().grants;
    world.simulator.organisation(|org| {
        org.edit(&people[1], |person| {
            person.state = AccountState::Active;
            person.grants = before;
        })
    });
    let id = world.terminate(&email(0)).await;
    assert_eq!(ended(&run(&world, &World::settings(), id).await), HELD);
    // A day later what Genesys Cloud says is believed.
    world.sql("update changed_people set changed_at = changed_at - interval '25 hours'").await;
    world.sql("update offboardings set status = 'scheduled', reason = null where status = 'held'").await;
    assert_eq!(run(&world, &World::settings(), id).await.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn the_services_own_user_needs_an_approval() {
    // Whoever made the OAuth client; they are an administrator.
    let (world, people) = administrators(2).await;
    world.simulator.organisation(|org| org.client_made_by = Some(people[0].clone()));
    let id = world.terminate(&email(0)).await;
    assert_needs_an_approval(&world, &World::settings(), id, &people[0]).await;
    // The client itself, should it be a user.
    let world = World::new().await;
    world.simulator.organisation(|org| {
        org.add_person(Person::new("Jane", "jane@example.com").external_id("workday", "1"))
    });
    let client = world.simulator.client_id().to_owned();
    let as_client = move |mut answer: Value| {
        answer["id"] = client.clone().into();
        answer["routingStatus"]["userId"] = client.clone().into();
        answer
    };
    let searched = Matcher::operation("getUsersExternalidAuthorityNameExternalKey").always();
    world.simulator.inject(Fault::after(searched, Action::mutate(as_client)));
    let settings = Settings { external_id_authority: Some("workday".to_owned()), ..World::settings() };
    let person = leaver::offboarding::PersonRef { email: None, external_id: Some("1".to_owned()) };
    let id = world.terminate_as(person, None).await;
    let view = run(&world, &settings, id).await;
    assert_eq!((ended(&view), last_note(&view).as_str()), (HELD, "the service's own user"));
    assert_eq!(world.simulator.changing().len(), 0);
}

/// The configuration with a list in a file; `None`: there is no such file.
fn listed(world: &World, list: Option<&[u8]>) -> std::path::PathBuf {
    let path = world.config("").with_extension("list");
    if let Some(list) = list {
        std::fs::write(&path, list).unwrap();
    }
    world.config(&format!("[policy]\nprotected = \"file:{}\"", path.display()))
}

#[tokio::test]
async fn the_list_may_be_a_file_with_an_entry_in_each_line() {
    let world = World::new().await;
    let list = b"# the board\n\n  jane@example.com \r\nrole:Chief of Staff\ngroup:Directors\n";
    let config = Config::load(&listed(&world, Some(list))).unwrap();
    let expected = [
        Protected::Email("jane@example.com".to_owned()),
        Protected::Role("Chief of Staff".to_owned()),
        Protected::Group("Directors".to_owned()),
    ];
    assert_eq!(config.policy.protected, expected);
}

#[tokio::test]
async fn a_list_that_can_not_be_read_stops_the_start_and_names_the_key_and_the_line() {
    let world = World::new().await;
    let cases: [(Option<&[u8]>, &[&str]); 7] = [
        (None, &["policy.protected: file ", "cannot be read"]),
        (Some(b"jane@example.com\n# x\nrolle:Chief\n"), &["policy.protected (line 3 of its file): expected"]),
        (Some(b"jane@example.com, tom@example.com\n"), &["policy.protected (line 1 of its file): expected"]),
        (Some("j\u{430}ne@example.com\n".as_bytes()), &["policy.protected (line 1 of its file): expected"]),
        (Some(b"\xff\xfe\n"), &["policy.protected: file ", "cannot be read"]),
        (Some(b"# nobody\n\n"), &["policy.protected: the file has no entry"]),
        (Some(b""), &["policy.protected: the file has no entry"]),
    ];
    for (list, words) in cases {
        let ended = leaver(&listed(&world, list)).arg("serve").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{list:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{list:?}: {said}");
        }
    }
    for (value, word) in [("\"jane@example.com\"", "a list"), ("\"env:X\"", "a list"), ("7", "a list")] {
        let config = world.config(&format!("[policy]\nprotected = {value}"));
        let ended = leaver(&config).arg("serve").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{value}: {said}");
        assert!(said.contains("policy.protected: expected") && said.contains(word), "{value}: {said}");
    }
}

#[tokio::test]
async fn the_dry_run_says_whom_it_would_hold() {
    let (world, _) = administrators(1).await;
    world.simulator.organisation(|org| {
        let group = org.add_group("Directors", &[]);
        org.add_person(Person::new("Jane", "jane@example.com").group(&group));
        org.add_person(Person::new("Tom", "tom@example.com").hired("2999-01-01"));
    });
    let config = Config::load(&world.config("[policy]\nprotected = [\"group:Directors\"]")).unwrap();
    let rules = leaver::serve::preview_rules(&config);
    let admin = email(0);
    for (person, reason, detail) in [
        ("jane@example.com", Reason::Protected, "on the list"),
        ("tom@example.com", Reason::Rehired, "later than today"),
        (admin.as_str(), Reason::Protected, "the last administrator"),
    ] {
        let asked = leaver::operate::Asked { person, termination_type: None };
        let shown = leaver::operate::preview(&world.genesys(1_000_000), &rules, asked).await.unwrap();
        let held = &shown.verdict.held_for;
        assert!(
            held.iter().any(|held| held.reason == reason && held.detail.contains(detail)),
            "{person}: {held:?}"
        );
    }
    assert_eq!(world.simulator.changing().len(), 0);
}
