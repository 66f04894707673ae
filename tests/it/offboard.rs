//! Operators' own terminations: through the same policy, brake and record as an event of the HRIS.

use chrono::{TimeDelta, Utc};
use leaver::offboarding::choices::{Protected, WhenBusy};
use leaver::offboarding::policy::BusyPolicy;
use leaver::offboarding::{OffboardingId, Outcome, Reason, Status};
use leaver::store::progress::BrakeLimits;
use leaver::worker::Settings;
use leaver_simulator::{AccountState, Media, Person, RoutingStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::approvals::post;
use crate::brake::tiny_agent;
use crate::commands::run;
use crate::edge::Answer;
use crate::stepped::{ended, step, to_the_end};
use crate::support::{ALICE, BOB, Service, World, client, leaver, termination};

const JANE: &str = "jane@example.com";

/// Something of a reason that is in no log.
const WORDS: &str = "took the stapler";

fn serve(world: &World) -> Service {
    let more = "external_id_authority = \"hris\"\n[policy]\ntime_zone = \"Europe/Berlin\"\neffective_at = \"17:00\"\n";
    world.serve(more, &["serve", "--no-worker"])
}

fn key(view: &Value) -> OffboardingId {
    view["id"].as_str().unwrap().parse().map(OffboardingId).unwrap()
}

async fn offboard(service: &Service, body: &Value) -> Value {
    let answer = post(service, "/offboardings", ALICE, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn with_key(service: &Service, idempotency_key: &str, body: &Value) -> Answer {
    let request = client().post(format!("{}/api/v1/offboardings", service.admin)).bearer_auth(ALICE);
    Answer::to(request.header("idempotency-key", idempotency_key).body(body.to_string())).await
}

#[tokio::test]
async fn a_person_is_taken_out_by_address_by_external_id_or_by_user_id() {
    let world = World::new().await;
    let service = serve(&world);
    let config = world.config("external_id_authority = \"hris\"\n");
    let settings = Settings { external_id_authority: Some("hris".to_owned()), ..World::settings() };
    for by in ["address", "external id", "user id"] {
        for way in ["api", "command"] {
            let email = format!("{}.{way}@example.com", by.replace(' ', "."));
            let user = world.simulator.organisation(|org| {
                let skill = org.add_skill(&email);
                org.add_person(
                    Person::new(&email, &email)
                        .skill(&skill, 3.0)
                        .external_id("hris", &format!("{by}-{way}")),
                )
            });
            let person = match by {
                "address" => email.to_uppercase(),
                "external id" => format!("{by}-{way}"),
                _ => user.to_uppercase(),
            };
            let (view, actor) = match way {
                "api" => {
                    let body = json!({"person": person, "reason": WORDS, "type": "involuntary"});
                    (offboard(&service, &body).await, "operator:alice")
                }
                _ => {
                    let command = ["offboard", &person, "--reason", WORDS, "--type", "involuntary", "--json"];
                    (run(&config, &command).await.done().json(), "operator:carol (command line)")
                }
            };
            assert_eq!((&view["status"], &view["source"]), (&json!("scheduled"), &json!("operator")));
            let entry = &view["journal"][0];
            assert_eq!((&entry["actor"], &entry["action"]), (&json!(actor), &json!("event_accepted")));
            assert_eq!(entry["result"], WORDS);
            let ended = to_the_end(&world, &world.engine_with(settings.clone()), key(&view)).await;
            assert_eq!(ended.outcome, Some(Outcome::Offboarded), "{by} {way}: {:#?}", ended.journal);
            assert_eq!(world.simulator.person(&user).unwrap().state, AccountState::Inactive);
        }
    }
    let requesters = "select count(*) from offboardings
        where requested_by in ('operator:alice', 'operator:carol (command line)') and termination_type = 'involuntary'";
    assert_eq!(world.number(requesters).await, 6);
    let bodies = world.rows("select body from events order by received_at").await;
    let body: Vec<u8> = sqlx::Row::get(&bodies[0], 0);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["reason"], WORDS);
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains("stapler") && !log.contains("example.com"), "{log}");
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_same_key_is_the_same_offboarding_and_never_another() {
    let world = World::new().await;
    let service = serve(&world);
    let body = json!({"person": JANE, "reason": "left"});
    let (one, other) = tokio::join!(with_key(&service, "k-1", &body), with_key(&service, "k-1", &body));
    // Whoever comes while the first is carried out is told so.
    assert!([one.status, other.status].iter().all(|status| [201, 409].contains(status)));
    let again = with_key(&service, "k-1", &body).await;
    let id = key(&again.json());
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    for answer in [one, other].iter().filter(|answer| answer.status == 201) {
        assert_eq!(key(&answer.json()), id);
    }
    // The event's id is the key, also after the answer is forgotten.
    world.sql("delete from idempotency_keys").await;
    let later = with_key(&service, "k-1", &body).await;
    assert_eq!((later.status, key(&later.json())), (200, id));
    for changed in [
        json!({"person": JANE, "reason": "left early"}),
        json!({"person": "john@example.com", "reason": "left"}),
    ] {
        with_key(&service, "k-1", &changed).await.is_problem(409, "key-reused");
    }
    assert_eq!(world.number("select count(*) from offboardings").await, 1);
    assert_eq!(
        world
            .number(
                "select count(*) from events where source = 'operator' and event_id = 'operator:alice:k-1'"
            )
            .await,
        1
    );
    // A key is its operator's own: another's same word is about somebody else.
    let other = client().post(format!("{}/api/v1/offboardings", service.admin)).bearer_auth(BOB);
    let body_of_bob = json!({"person": "john@example.com", "reason": "left"}).to_string();
    assert_eq!(Answer::to(other.header("idempotency-key", "k-1").body(body_of_bob)).await.status, 201);
    with_key(&service, &"x".repeat(256), &body).await.is_problem(400, "bad-parameter");
    let twice = client().post(format!("{}/api/v1/offboardings", service.admin)).bearer_auth(ALICE);
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b").body(body.to_string());
    Answer::to(twice).await.is_problem(400, "bad-parameter");
}

#[tokio::test]
async fn what_is_not_understood_is_named_and_stored_nowhere() {
    let world = World::new().await;
    let service = serve(&world);
    let config = world.config("");
    let long = "x".repeat(501);
    let cases: [(&str, &[&str], Value); 8] = [
        ("person", &["", "--reason", "left"], json!({"person": " ", "reason": "left"})),
        ("person", &["a\nb@c.d", "--reason", "left"], json!({"person": "a\nb@c.d", "reason": "left"})),
        ("reason", &[JANE, "--reason", ""], json!({"person": JANE, "reason": ""})),
        ("reason", &[JANE, "--reason", &long], json!({"person": JANE, "reason": long})),
        ("reason", &[JANE, "--reason", "a\u{7}"], json!({"person": JANE, "reason": "a\u{7}"})),
        (
            "at",
            &[JANE, "--reason", "left", "--at", "06/07/2026"],
            json!({"person": JANE, "reason": "left", "at": "06/07/2026"}),
        ),
        (
            "type",
            &[JANE, "--reason", "left", "--type", ""],
            json!({"person": JANE, "reason": "left", "type": ""}),
        ),
        ("reason", &[JANE], json!({"person": JANE})),
    ];
    for (field, arguments, body) in cases {
        let answer = post(&service, "/offboardings", ALICE, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.json()["title"].as_str().unwrap().contains(field), "{field}: {}", answer.text());
        let command: Vec<_> = ["offboard"].into_iter().chain(arguments.iter().copied()).collect();
        let argument = if field == "person" { "PERSON".to_owned() } else { format!("--{field}") };
        run(&config, &command).await.failed(2, &[&argument]);
    }
    let strange = json!({"person": JANE, "reason": "left", "when": "now"});
    post(&service, "/offboardings", ALICE, &strange).await.is_problem(400, "bad-body");
    run(&config, &["offboard", "W1", "--reason", "left"]).await.failed(2, &["genesys.external_id_authority"]);
    assert_eq!(world.number("select count(*) from events").await, 0);
}

#[tokio::test]
async fn only_an_operator_may() {
    const VERA: &str = "vera-token-0123456789";
    let world = World::new().await;
    let vera = format!("[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"");
    let service = world.serve(&vera, &["serve", "--no-worker"]);
    let body = json!({"person": JANE, "reason": "left"});
    post(&service, "/offboardings", VERA, &body).await.is_problem(403, "role-needed");
    post(&service, "/offboardings", "an-unknown-token-0123456789", &body)
        .await
        .is_problem(401, "token-needed");
    assert_eq!(post(&service, "/offboardings", BOB, &body).await.status, 201);
}

#[tokio::test]
async fn a_date_means_what_it_means_in_an_event() {
    let world = World::new().await;
    let service = serve(&world);
    for (number, (at, expected)) in [
        ("2095-06-15", "2095-06-15T15:00:00Z"),
        ("2095-06-15T09:30", "2095-06-15T07:30:00Z"),
        ("2095-06-15T09:30:00+05:00", "2095-06-15T04:30:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"person": format!("p{number}@example.com"), "reason": "left", "at": at});
        assert_eq!(offboard(&service, &body).await["effective_at"], expected, "{at}");
    }
    let now: chrono::DateTime<Utc> =
        offboard(&service, &json!({"person": JANE, "reason": "left"})).await["effective_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
    assert!((Utc::now() - now).num_seconds() < 60);
    let old = (Utc::now() - TimeDelta::days(31)).to_rfc3339();
    let stale = offboard(&service, &json!({"person": "omar@example.com", "reason": "left", "at": old})).await;
    assert_eq!((&stale["status"], &stale["reason"]), (&json!("held"), &json!("stale_event")));
}

#[tokio::test]
async fn protection_and_brake_hold_it_and_who_asked_does_not_release_it() {
    let world = World::new().await;
    let service = serve(&world);
    let boss = tiny_agent(&world, "boss@example.com");
    let none = BrakeLimits { per_hour: 0, per_day: 0 };
    let busy = BusyPolicy { when_busy: WhenBusy::Ask, ..World::settings().busy };
    tiny_agent(&world, JANE);
    let agent = tiny_agent(&world, "agent@example.com");
    world.simulator.organisation(|org| {
        org.edit(&agent, |person| {
            person.routing_status = RoutingStatus::Interacting;
            person.conversations.insert(Media::Call, 1);
        })
    });
    for (person, settings, reason) in [
        (
            boss.as_str(),
            Settings { protected: vec![Protected::Id(boss.clone())], ..World::settings() },
            Reason::Protected,
        ),
        (JANE, Settings { brake: none, ..World::settings() }, Reason::Brake),
        ("agent@example.com", Settings { busy, ..World::settings() }, Reason::Busy),
    ] {
        let view =
            post(&service, "/offboardings", BOB, &json!({"person": person, "reason": "left"})).await.json();
        step(&world, &world.engine_with(settings)).await;
        assert_eq!(ended(&world.view(key(&view)).await), (Status::Held, Some(reason)));
        let single = format!("/api/v1/offboardings/{}/approve", view["id"].as_str().unwrap());
        assert_eq!(service.api(Method::POST, &single, BOB).await.0, 403, "{person}");
    }
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn it_joins_the_open_offboarding_of_the_person_and_moves_its_date() {
    let world = World::new().await;
    let service = serve(&world);
    let user = tiny_agent(&world, JANE);
    let mut later = termination("e1", "W1", JANE);
    later["terminationDate"] = json!("2095-06-15");
    let id = service.deliver(&later).await.1["offboardings"][0]["id"].clone();
    let joined = offboard(&service, &json!({"person": JANE, "reason": "left"})).await;
    assert_eq!((&joined["id"], &joined["source"]), (&id, &json!("workday")));
    assert!(joined["effective_at"].as_str().unwrap() < "2095");
    let by = "select count(*) from offboardings where requested_by = 'operator:alice'";
    assert_eq!(world.number(by).await, 1);
    // The worker has found out who it is: the user's id names the same person.
    let asking = BusyPolicy { when_busy: WhenBusy::Ask, ..World::settings().busy };
    world
        .simulator
        .organisation(|org| org.edit(&user, |person| person.routing_status = RoutingStatus::Interacting));
    step(&world, &world.engine_with(Settings { busy: asking, ..World::settings() })).await;
    let again = offboard(&service, &json!({"person": user, "reason": "left"})).await;
    assert_eq!((&again["id"], &again["status"]), (&id, &json!("held")));
    assert_eq!(world.number("select count(*) from offboardings").await, 1);
    assert_eq!(world.number(by).await, 1);
    // Whoever asks too, though later, can't approve it either.
    post(&service, "/offboardings", BOB, &json!({"person": JANE, "reason": "left"})).await;
    let approve = format!("/api/v1/offboardings/{}/approve", id.as_str().unwrap());
    assert_eq!(service.api(Method::POST, &approve, BOB).await.0, 403);
}

#[tokio::test]
async fn a_date_that_moves_by_user_id_keeps_the_user() {
    let world = World::new().await;
    let service = serve(&world);
    let user = tiny_agent(&world, JANE);
    let body = |at: &str| json!({"person": user, "reason": "left", "at": at});
    let first = offboard(&service, &body("2095-06-15")).await;
    let moved = offboard(&service, &body("2094-06-15")).await;
    assert_eq!((&first["id"], &moved["effective_at"]), (&moved["id"], &json!("2094-06-15T15:00:00Z")));
    assert_eq!(moved["person"], json!({"email": null, "external_id": null, "genesys_user_id": user}));
    let (one, other) = (body("2093-06-15"), body("2092-06-15"));
    let (one, other) = tokio::join!(offboard(&service, &one), offboard(&service, &other));
    assert_eq!((&one["id"], &other["id"]), (&first["id"], &first["id"]));
}

#[tokio::test]
async fn two_offboardings_that_turn_out_to_be_about_one_user_never_work_at_once() {
    let world = World::new().await;
    let service = serve(&world);
    let user = tiny_agent(&world, JANE);
    let hr = key(&service.deliver(&termination("e1", "W1", JANE)).await.1["offboardings"][0]);
    let own = key(&offboard(&service, &json!({"person": user, "reason": "left"})).await);
    assert_ne!(hr, own, "nobody knew yet that the address is this user's");
    let engine = world.engine();
    for _ in 0..20 {
        step(&world, &engine).await;
    }
    let mut outcomes = [world.view(hr).await.outcome, world.view(own).await.outcome];
    outcomes.sort_by_key(|outcome| outcome.map(Outcome::as_str));
    assert_eq!(outcomes, [Some(Outcome::AlreadyInactive), Some(Outcome::Offboarded)]);
    assert_eq!(crate::stepped::deactivations(&world, &user).len(), 1);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_id_of_nobody_is_nobody() {
    let world = World::new().await;
    let service = serve(&world);
    let nobody = uuid::Uuid::new_v4().to_string();
    let view = offboard(&service, &json!({"person": nobody, "reason": "left"})).await;
    let engine = world.engine();
    step(&world, &engine).await;
    world.sql("update offboardings set not_found_at = now() - interval '1 hour'").await;
    step(&world, &engine).await;
    assert_eq!(world.view(key(&view)).await.outcome, Some(Outcome::NotInGenesys));
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn no_source_has_the_name_of_the_operators_own() {
    let world = World::new().await;
    let config = world.edited_config("", |text| text.replace("[sources.workday]", "[sources.operator]"));
    let output = leaver(&config).arg("check").output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(line.starts_with("leaver: sources.operator: is reserved"), "{line}");
}
