//! Whoever is not the one exact match is never touched: not by a search that finds too much, not by an address that
//! only looks the same, not because there is nobody else.

use std::collections::BTreeMap;

use leaver::offboarding::choices::PersonNotFound;
use leaver::offboarding::{OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{
    AccountState, Action, Fault, Id, Lag, Matcher, Person, PersonState, SearchScope, presets,
};
use serde_json::{Value, json};

use crate::stepped::{ended, slim_agent, step, to_the_end, without};
use crate::support::World;

fn with_authority() -> Settings {
    Settings { external_id_authority: Some(presets::AUTHORITY.to_owned()), ..World::settings() }
}

fn named(email: Option<&str>, external_id: Option<&str>) -> PersonRef {
    PersonRef { email: email.map(str::to_owned), external_id: external_id.map(str::to_owned) }
}

fn agent(world: &World, email: &str) -> Id {
    world.simulator.organisation(|org| slim_agent(org, email))
}

fn agent_known_as(world: &World, email: &str, external_id: &str) -> Id {
    world.simulator.organisation(|org| presets::fully_assigned_agent(org, email, email, external_id))
}

/// Ends as wanted, with everybody but `leaver` exactly as before.
async fn assert_spared(
    world: &World,
    settings: Settings,
    id: OffboardingId,
    leaver: Option<&str>,
    wanted: (Status, Option<Reason>),
) -> View {
    let before = world.simulator.everybody();
    let view = to_the_end(world, &world.engine_with(settings), id).await;
    assert_eq!(ended(&view), wanted, "{:#?}", view.journal);
    let spared = |people: BTreeMap<Id, PersonState>| match leaver {
        Some(leaver) => without(people, leaver),
        None => people,
    };
    assert_eq!(spared(world.simulator.everybody()), spared(before));
    if let Some(leaver) = leaver {
        assert_eq!(world.simulator.person(leaver).unwrap().state, AccountState::Inactive);
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
    view
}

const DONE: (Status, Option<Reason>) = (Status::Done, None);
const AMBIGUOUS: (Status, Option<Reason>) = (Status::Held, Some(Reason::AmbiguousPerson));

#[tokio::test]
async fn two_users_with_the_address_are_held_whatever_state_and_case_they_have() {
    for scope in [SearchScope::ActiveAndInactive, SearchScope::ActiveOnly, SearchScope::Everybody] {
        for state in [AccountState::Active, AccountState::Inactive] {
            let world = World::new().await;
            world.simulator.rules(|rules| rules.search_scope = scope);
            agent(&world, "Jane.Doe@example.com");
            let twin = agent(&world, "jane.doe@EXAMPLE.com");
            world.simulator.organisation(|org| org.edit(&twin, |person| person.state = state));
            let id = world.terminate("jane.doe@example.com").await;
            assert_spared(&world, World::settings(), id, None, AMBIGUOUS).await;
        }
    }
}

#[tokio::test]
async fn a_deleted_namesake_is_nobody() {
    let world = World::new().await;
    world.simulator.rules(|rules| rules.search_scope = SearchScope::Everybody);
    let jane = agent(&world, "jane@example.com");
    let gone = agent(&world, "jane@example.com");
    world.simulator.organisation(|org| org.edit(&gone, |person| person.state = AccountState::Deleted));
    let id = world.terminate("jane@example.com").await;
    assert_spared(&world, World::settings(), id, Some(&jane), DONE).await;
}

/// Puts people into every answer of the search, before or behind those who were found.
fn add_to_search(world: &World, more: Vec<PersonState>, place: Place) {
    let rewrite = move |mut answer: Value| {
        let added = more.iter().map(|person| {
            json!({"id": person.id, "name": person.name, "email": person.email, "version": person.version,
                   "state": person.state.as_str(), "division": {"id": person.division}})
        });
        let found = answer["results"].as_array().cloned().unwrap_or_default();
        let is_new = |user: &Value| found.iter().all(|known| known["id"] != user["id"]);
        let added: Vec<Value> = added.filter(is_new).collect();
        let all = match place {
            Place::First => [added, found].concat(),
            Place::Last => [found, added].concat(),
        };
        answer["total"] = all.len().into();
        answer["pageCount"] = 1.into();
        answer["results"] = all.into();
        answer
    };
    let matcher = Matcher::operation("postUsersSearch").always();
    world.simulator.inject(Fault::after(matcher, Action::mutate(rewrite)));
}

#[derive(Clone, Copy)]
enum Place {
    First,
    Last,
}

#[tokio::test]
async fn a_search_that_finds_everybody_harms_nobody_else() {
    for place in [Place::First, Place::Last] {
        let world = World::new().await;
        for email in ["jane.doe@example.com.evil.example", "xjane.doe@example.com", "jane.do@example.com"] {
            agent(&world, email);
        }
        let jane = agent(&world, "Jane.Doe@example.com");
        let everybody = world.simulator.everybody().into_values().collect();
        add_to_search(&world, everybody, place);
        let id = world.terminate("jane.doe@example.com").await;
        assert_spared(&world, World::settings(), id, Some(&jane), DONE).await;
    }
}

#[tokio::test]
async fn a_search_that_finds_strangers_only_finds_nobody() {
    let world = World::new().await;
    let stranger = world.simulator.organisation(|org| org.stranger());
    let prefix = agent(&world, "jane.doe@example.community");
    let found = [stranger, prefix].map(|id| world.simulator.person(&id).unwrap());
    add_to_search(&world, found.to_vec(), Place::First);
    let id = world.terminate("jane.doe@example.com").await;
    let settings = Settings { not_found_recheck: std::time::Duration::ZERO, ..World::settings() };
    let view = assert_spared(&world, settings, id, None, DONE).await;
    assert_eq!(view.outcome, Some(Outcome::NotInGenesys));
}

#[tokio::test]
async fn a_search_hit_that_has_another_address_by_now_is_held() {
    let world = World::new().await;
    let other = agent(&world, "john.roe@example.com");
    let mut stale = world.simulator.person(&other).unwrap();
    "jane.doe@example.com".clone_into(&mut stale.email);
    add_to_search(&world, vec![stale], Place::First);
    let id = world.terminate("jane.doe@example.com").await;
    assert_spared(&world, World::settings(), id, None, AMBIGUOUS).await;
}

#[tokio::test]
async fn somebody_is_found_by_external_id_alone() {
    let world = World::new().await;
    agent_known_as(&world, "tom@example.com", "e-1");
    let jane = agent_known_as(&world, "jane@example.com", "E-1");
    let id = world.terminate_as(named(None, Some("E-1")), None).await;
    assert_spared(&world, with_authority(), id, Some(&jane), DONE).await;
    let search = |entry: &leaver_simulator::Entry| entry.request.operation == Some("postUsersSearch");
    assert!(!world.simulator.journal().iter().any(search));
}

#[tokio::test]
async fn an_external_id_that_genesys_does_not_know_leaves_the_address() {
    let world = World::new().await;
    agent_known_as(&world, "tom@example.com", "E-1");
    let jane = agent(&world, "jane@example.com");
    let id = world.terminate_as(named(Some("jane@example.com"), Some("E-3")), None).await;
    assert_spared(&world, with_authority(), id, Some(&jane), DONE).await;
}

#[tokio::test]
async fn an_external_id_and_an_address_of_different_people_are_held() {
    let world = World::new().await;
    agent_known_as(&world, "tom@example.com", "E-1");
    agent_known_as(&world, "jane@example.com", "E-2");
    let id = world.terminate_as(named(Some("jane@example.com"), Some("E-1")), None).await;
    assert_spared(&world, with_authority(), id, None, AMBIGUOUS).await;
}

#[tokio::test]
async fn an_external_id_without_an_authority_is_no_way_to_look_anybody_up() {
    let world = World::new().await;
    agent_known_as(&world, "tom@example.com", "E-1");
    let id = world.terminate_as(named(None, Some("E-1")), None).await;
    let held = (Status::Held, Some(Reason::LookupRequired));
    assert_spared(&world, World::settings(), id, None, held).await;
}

/// Makes the first look an hour older.
async fn an_hour_passes(world: &World) {
    world.sql("update offboardings set not_found_at = not_found_at - interval '1 hour'").await;
}

#[tokio::test]
async fn nobody_is_not_found_at_the_first_look() {
    for (policy, wanted) in
        [(PersonNotFound::Done, DONE), (PersonNotFound::Hold, (Status::Held, Some(Reason::PersonNotFound)))]
    {
        let world = World::new().await;
        let engine = world.engine_with(Settings { not_found: policy, ..World::settings() });
        let before = world.simulator.everybody();
        let id = world.terminate("jane@example.com").await;
        for _ in 0..2 {
            assert_eq!(step(&world, &engine).await, 1);
            assert_eq!((world.view(id).await.status, world.view(id).await.attempt), (Status::Scheduled, 0));
        }
        an_hour_passes(&world).await;
        step(&world, &engine).await;
        let view = world.view(id).await;
        assert_eq!(ended(&view), wanted);
        assert_eq!(view.outcome, (policy == PersonNotFound::Done).then_some(Outcome::NotInGenesys));
        assert_eq!((world.simulator.everybody(), world.simulator.changing().len()), (before, 0));
        assert_eq!(world.simulator.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn whoever_appears_between_the_two_looks_is_offboarded() {
    let world = World::new().await;
    let engine = world.engine();
    let id = world.terminate("jane@example.com").await;
    step(&world, &engine).await;
    an_hour_passes(&world).await;
    let jane = agent(&world, "jane@example.com");
    assert_spared(&world, World::settings(), id, Some(&jane), DONE).await;
}

#[tokio::test]
async fn an_index_that_still_shows_a_deleted_user_leads_to_nobody() {
    let world = World::new().await;
    let jane = agent(&world, "jane@example.com");
    world.simulator.set_lag(leaver_simulator::Kind::Search, Lag::Reads(100));
    let shown = world.simulator.person(&jane).unwrap();
    world.simulator.organisation(|org| org.edit(&jane, |person| person.state = AccountState::Deleted));
    add_to_search(&world, vec![shown], Place::First);
    let id = world.terminate("jane@example.com").await;
    let view = assert_spared(&world, World::settings(), id, None, DONE).await;
    assert_eq!(view.outcome, Some(Outcome::NotInGenesys));
}

#[tokio::test]
async fn somebody_who_holds_nothing_is_deactivated_and_nobody_else_is() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| org.add_person(Person::new("Jane", "jane@example.com")));
    agent(&world, "tom@example.com");
    let id = world.terminate("JANE@example.com").await;
    assert_spared(&world, World::settings(), id, Some(&jane), DONE).await;
}
