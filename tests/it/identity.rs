//! Whose id, whose address, and since when: ids of several sources, addresses that were given to somebody else, people who
//! were hired again.

use leaver::offboarding::policy::Intake;
use leaver::offboarding::{OffboardingId, Outcome, PersonRef, Reason, Status};
use leaver::operate;
use leaver::store::decisions::Decision;
use leaver::store::events::{Accepted, Delivery, Item};
use leaver::store::views::View;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, ExternalId, Id, Person, presets};

use crate::stepped::{changes_of, decide, ended, step, to_the_end};
use crate::support::World;

const JANE: &str = "jane@example.com";

fn authorities() -> Settings {
    let by_source = [("bamboo", "bamboohr"), ("csv", "")];
    let by_source = by_source.map(|(source, authority)| (source.to_owned(), authority.to_owned()));
    Settings {
        external_id_authority: Some(presets::AUTHORITY.to_owned()),
        external_id_authority_by_source: by_source.into(),
        ..World::settings()
    }
}

fn named(email: Option<&str>, external_id: Option<&str>) -> PersonRef {
    PersonRef { email: email.map(str::to_owned), external_id: external_id.map(str::to_owned) }
}

async fn terminate_by(world: &World, source: &str, person: PersonRef) -> OffboardingId {
    let item = Item {
        event_id: uuid::Uuid::new_v4().to_string(),
        content_digest: [0; 32],
        again_after: None,
        person,
        termination_type: None,
        sequence: None,
        occurred_at: None,
        intake: Intake::Schedule(chrono::Utc::now() - chrono::TimeDelta::seconds(1)),
        look_up: false,
        noted: Default::default(),
    };
    let delivery = Delivery {
        source: source.to_owned(),
        key_index: 0,
        body: b"{}".to_vec(),
        items: vec![item],
        headers: Default::default(),
        asked: None,
    };
    match world.store.accept_termination(delivery).await.unwrap() {
        Accepted::New(receipt) => receipt.offboardings[0].id,
        other @ (Accepted::Held(_) | Accepted::Ignored(_) | Accepted::Duplicate(_) | Accepted::Conflict) => {
            panic!("not accepted: {other:?}")
        }
    }
}

/// Tom, whom the one system knows by the id by which the other knows Jane.
async fn tom_and_jane() -> (World, Id, Id) {
    let world = World::new().await;
    let (tom, jane) = world.simulator.organisation(|org| {
        let tom = Person::new("Tom", "tom@example.com").external_id(presets::AUTHORITY, "5");
        let jane = Person::new("Jane", JANE).external_id("bamboohr", "5").tokens(1);
        (org.add_person(tom.tokens(1)), org.add_person(jane))
    });
    (world, tom, jane)
}

fn state(world: &World, user: &str) -> AccountState {
    world.simulator.person(user).unwrap().state
}

fn untouched(world: &World, user: &str) -> bool {
    changes_of(world, user).is_empty()
}

fn note_of(view: &View, action: &str) -> Option<String> {
    let journal = view.journal.as_ref().unwrap();
    journal.iter().filter(|entry| entry.action == action).find_map(|entry| entry.result.clone())
}

#[tokio::test]
async fn the_same_id_of_two_sources_means_two_people() {
    for (source, bamboo_leaves) in [("bamboo", true), ("workday", false), ("operator", false)] {
        let (world, tom, jane) = tom_and_jane().await;
        let id = terminate_by(&world, source, named(None, Some("5"))).await;
        let view = to_the_end(&world, &world.engine_with(authorities()), id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{source} {:#?}", view.journal);
        let (leaver, other) = if bamboo_leaves { (jane, tom) } else { (tom, jane) };
        assert_eq!(state(&world, &leaver), AccountState::Inactive, "{source}");
        assert!(untouched(&world, &other), "{source}");
    }
}

#[tokio::test]
async fn ids_of_a_source_without_an_authority_are_never_looked_up() {
    let (world, tom, jane) = tom_and_jane().await;
    let alone = terminate_by(&world, "csv", named(None, Some("5"))).await;
    let view = to_the_end(&world, &world.engine_with(authorities()), alone).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::LookupRequired)));
    // With an address beside it the id says nothing, not even that it is somebody else's.
    let both = terminate_by(&world, "csv", named(Some(JANE), Some("6"))).await;
    let view = to_the_end(&world, &world.engine_with(authorities()), both).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
    assert_eq!((state(&world, &jane), untouched(&world, &tom)), (AccountState::Inactive, true));
    let by_id = ["getUsersExternalidAuthorityNameExternalKey", "getUserExternalid"];
    let looked_up = |entry: &leaver_simulator::Entry| {
        entry.request.operation.is_some_and(|operation| by_id.contains(&operation))
    };
    assert!(!world.simulator.journal().iter().any(looked_up));
}

/// Jane has the address now; by these ids she is known.
async fn recycled(ids: &[(&str, &str)], settings: Settings) -> (World, Id, View) {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        let jane = ids.iter().fold(Person::new("Jane", JANE).tokens(1), |jane, (authority, key)| {
            jane.external_id(authority, key)
        });
        org.add_person(jane)
    });
    let id = world.terminate_as(named(Some(JANE), Some("E-1")), None).await;
    let view = to_the_end(&world, &world.engine_with(settings), id).await;
    (world, jane, view)
}

#[tokio::test]
async fn an_address_that_was_given_to_somebody_with_another_id_is_held() {
    for ids in [&[(presets::AUTHORITY, "E-2")][..], &[("WORKDAY", "E-2")], &[("workday", "e-1")]] {
        let (world, jane, view) = recycled(ids, authorities()).await;
        assert_eq!(
            ended(&view),
            (Status::Held, Some(Reason::AmbiguousPerson)),
            "{ids:?} {:#?}",
            view.journal
        );
        assert_eq!(note_of(&view, "held").unwrap(), "the address belongs to somebody with another id");
        assert!(untouched(&world, &jane), "{ids:?}");
    }
}

#[tokio::test]
async fn an_address_of_somebody_without_an_id_of_this_kind_is_enough() {
    for ids in [&[][..], &[("bamboohr", "E-2")]] {
        let (world, jane, view) = recycled(ids, authorities()).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{ids:?} {:#?}", view.journal);
        assert_eq!(state(&world, &jane), AccountState::Inactive);
    }
    // Where ids are never looked up, nobody asks for them.
    let (_, _, view) = recycled(&[(presets::AUTHORITY, "E-2")], World::settings()).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded));
}

#[tokio::test]
async fn ids_that_can_not_be_read_are_no_consent() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| org.add_person(Person::new("Jane", JANE)));
    let matcher = leaver_simulator::Matcher::operation("getUserExternalid").always();
    let broken = leaver_simulator::Action::mutate(|_| serde_json::json!({"nothing": true}));
    world.simulator.inject(leaver_simulator::Fault::after(matcher, broken));
    let id = world.terminate_as(named(Some(JANE), Some("E-1")), None).await;
    let engine = world.engine_with(authorities());
    step(&world, &engine).await;
    assert_ne!(world.view(id).await.status, Status::Done);
    assert!(untouched(&world, &jane));
}

#[tokio::test]
async fn an_address_that_moved_between_two_looks_is_held() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        org.add_person(Person::new("Jane", JANE).conversations(leaver_simulator::Media::Call, 1).tokens(1))
    });
    let id = world.terminate(JANE).await;
    step(&world, &world.engine()).await;
    assert_eq!(world.view(id).await.person.genesys_user_id.as_ref(), Some(&jane));
    world.simulator.organisation(|org| {
        org.edit(&jane, |person| {
            "jane.roe@example.com".clone_into(&mut person.email);
            person.conversations.clear();
        });
        org.add_person(Person::new("Another Jane", JANE))
    });
    let before = world.simulator.everybody();
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(ended(&view), (Status::Held, Some(Reason::AmbiguousPerson)));
    assert_eq!(world.simulator.everybody(), before);
}

/// Jane, who was hired on this date, leaves at noon on 15 June 2026.
async fn hired(date: &str) -> (World, Id, OffboardingId) {
    let world = World::new().await;
    let jane =
        world.simulator.organisation(|org| org.add_person(Person::new("Jane", JANE).hired(date).tokens(1)));
    let id = world.terminate(JANE).await;
    world.sql("update offboardings set effective_at = '2026-06-15T12:00:00Z'").await;
    (world, jane, id)
}

#[tokio::test]
async fn whoever_was_hired_after_the_termination_is_held_until_somebody_approves() {
    for date in ["2026-06-16", "2026-06-16T00:00:00.000Z", "2027-01-01"] {
        let (world, jane, id) = hired(date).await;
        let view = to_the_end(&world, &world.engine(), id).await;
        assert_eq!(ended(&view), (Status::Held, Some(Reason::Rehired)), "{date} {:#?}", view.journal);
        assert!(untouched(&world, &jane), "{date}");
        decide(&world, id, Decision::Approve).await;
        let view = to_the_end(&world, &world.engine(), id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{date} {:#?}", view.journal);
    }
}

#[tokio::test]
async fn a_hire_before_or_on_the_day_of_the_termination_is_none_since() {
    for date in ["2026-06-15", "2026-06-14", "1999-12-31", ""] {
        let (world, jane, id) = hired(date).await;
        let view = to_the_end(&world, &world.engine(), id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{date} {:#?}", view.journal);
        assert_eq!(state(&world, &jane), AccountState::Inactive, "{date}");
        assert_eq!(note_of(&view, "person_resolved"), None, "{date}");
    }
}

#[tokio::test]
async fn an_unreadable_date_of_hire_is_noted_and_passed_over() {
    for date in ["15/07/2026", "soon"] {
        let (world, _, id) = hired(date).await;
        let view = to_the_end(&world, &world.engine(), id).await;
        assert_eq!(view.outcome, Some(Outcome::Offboarded), "{date} {:#?}", view.journal);
        assert!(note_of(&view, "person_resolved").unwrap().contains("unreadable"), "{date}");
    }
}

#[tokio::test]
async fn the_days_of_hire_and_termination_are_those_of_the_zone() {
    // 15 June, 23:00 in New York is 16 June, 03:00 in UTC.
    for (zone, held) in [("America/New_York", true), ("UTC", false)] {
        let (world, _, id) = hired("2026-06-16").await;
        world.sql("update offboardings set effective_at = '2026-06-16T03:00:00Z'").await;
        let settings = Settings { time_zone: zone.parse().unwrap(), ..World::settings() };
        let view = to_the_end(&world, &world.engine_with(settings), id).await;
        assert_eq!(view.reason == Some(Reason::Rehired), held, "{zone} {:#?}", view.journal);
    }
}

#[tokio::test]
async fn a_hire_that_is_entered_after_the_first_change_stops_nothing_half_way() {
    let (world, jane, id) = hired("2020-01-01").await;
    world.sql("update offboardings set changes_began_at = now()").await;
    world
        .simulator
        .organisation(|org| org.edit(&jane, |person| person.date_hire = Some("2027-01-01".into())));
    let view = to_the_end(&world, &world.engine(), id).await;
    assert_eq!(view.outcome, Some(Outcome::Offboarded), "{:#?}", view.journal);
}

#[tokio::test]
async fn nobody_is_evidence() {
    let world = World::new().await;
    let settings = Settings { not_found_recheck: std::time::Duration::ZERO, ..World::settings() };
    let id = world.terminate("nobody@example.com").await;
    let view = to_the_end(&world, &world.engine_with(settings), id).await;
    assert_eq!(view.outcome, Some(Outcome::NotInGenesys));
    assert_eq!(note_of(&view, "nobody_found").unwrap(), "nobody matches at the second look");
    let (counts, _) = world.store.overview().await.unwrap();
    let counted: Vec<_> =
        counts.iter().map(|one| (one.status.as_str(), one.outcome.as_str(), one.count)).collect();
    assert_eq!(counted, [("done", "not_in_genesys", 1)]);
}

async fn dry_run(world: &World, more: &str, person: &str) -> Result<String, operate::OperateError> {
    let path = world.edited_config(more, |text| {
        text.replace(
            "[[operators]]\nname = \"alice\"",
            "external_id_authority = \"bamboohr\"\n[[operators]]\nname = \"alice\"",
        )
    });
    let rules = leaver::serve::preview_rules(&leaver::config::Config::load(&path).unwrap());
    let asked = operate::Asked { person, termination_type: None };
    let shown = operate::preview(&world.genesys(1_000_000), &rules, asked).await?;
    Ok(shown.genesys_user_id)
}

#[tokio::test]
async fn the_dry_run_asks_every_authority_and_refuses_an_id_of_several_people() {
    let (world, tom, jane) = tom_and_jane().await;
    let general = "external_id_authority = \"workday\"";
    let several = dry_run(&world, general, "5").await.unwrap_err();
    assert!(matches!(several, operate::OperateError::NotOne { count: 2, .. }), "{several:?}");
    assert_eq!(dry_run(&world, "", "5").await.unwrap(), jane);
    let nobody = dry_run(&world, general, "6").await.unwrap_err();
    assert!(matches!(nobody, operate::OperateError::NotOne { count: 0, .. }), "{nobody:?}");
    world.simulator.organisation(|org| {
        org.edit(&tom, |person| {
            person.external_ids.push(ExternalId { authority: "bamboohr".into(), key: "8".into() })
        });
        org.edit(&tom, |person| {
            person.external_ids.push(ExternalId { authority: "workday".into(), key: "8".into() })
        });
    });
    assert_eq!(dry_run(&world, general, "8").await.unwrap(), tom);
}

#[tokio::test]
async fn the_check_warns_of_sources_that_share_an_authority() {
    let world = World::new().await;
    let source = |more: &str| {
        let secret = crate::support::HRIS_SECRET;
        format!(
            "external_id_authority = \"workday\"\nrequests_per_minute = 3000\n[sources.bamboo]\nprofile = \"generic-worker-terminated\"\nsecrets = [\"{secret}\"]\n{more}"
        )
    };
    let told = async |more: &str| {
        let run = crate::commands::run(&world.config(&source(more)), &["check", "--json"]).await;
        run.json().as_array().unwrap().iter().find(|one| one["check"] == "external ids").cloned()
    };
    let warned = told("").await.unwrap();
    assert_eq!(warned["severity"], "warn");
    let [what, todo] = ["what", "do"].map(|key| warned[key].as_str().unwrap());
    assert!(what.contains("bamboo, workday"), "{warned}");
    assert!(todo.contains("sources.NAME.external_id_authority"), "{warned}");
    for own in ["external_id_authority = \"bamboohr\"", "external_id_authority = \"\""] {
        assert_eq!(told(own).await, None, "{own}");
    }
}
