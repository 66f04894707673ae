//! Many requests at one instant, contradictory ones too, and a database that is away.

use std::sync::Arc;
use std::time::Duration;

use leaver_simulator::proxy::{Availability, Proxy};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::sync::Barrier;

use super::{RECEIVE, call, events, is_at, is_refused, offboardings, provision, request, set_active, source};
use crate::edge::{Answer, eventually, ready};
use crate::support::{HRIS_SECRET, Service, World, signed, termination};

const SENDERS: usize = 64;

/// Sends all at one instant; the answers in their order.
async fn at_once(requests: Vec<reqwest::RequestBuilder>) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(requests.len()));
    let senders: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                Answer::to(request).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.push(sender.await.unwrap());
    }
    answers
}

fn patch_of(service: &Service, id: &str, active: bool) -> reqwest::RequestBuilder {
    let body = json!({"Operations": [{"op": "replace", "path": "active", "value": active}]});
    request(service, "PATCH", &format!("/Users/{id}"), Some(&body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivation_repeated_many_times_at_one_instant_is_one_event() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(&service, json!({"userName": "jane@example.com"})).await;
    let answers = at_once((0..SENDERS).map(|_| patch_of(&service, &id, false)).collect()).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)), "{}", answer.text());
        assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
    }
    assert_eq!((events(&world).await, offboardings(&service).await.len()), (1, 1));
    let deletes = (0..8).map(|_| request(&service, "DELETE", &format!("/Users/{id}"), None)).collect();
    let mut statuses: Vec<u16> = at_once(deletes).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[204].as_slice(), &[404; 7]].concat());
    assert_eq!(events(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contradictory_changes_at_one_instant_leave_what_the_last_one_said() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = by(&service, "jane@example.com").await;
    let requests = || (0..24).map(|number| patch_of(&service, &id, number % 2 == 0));
    let answers = at_once(requests().collect()).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let user = call(&service, "GET", &format!("/Users/{id}"), None).await.json();
    let open = offboardings(&service).await.iter().filter(|case| case["status"] == "scheduled").count();
    assert_eq!(open, usize::from(user["active"] == false), "{user}");
    // Webhooks speak of the same person all the while, and nobody waits for the other in a circle.
    let webhooks = (0..8).map(|number| {
        let body = termination(&format!("e{number}"), "W1", "jane@example.com").to_string();
        signed(&service.public, body.as_bytes(), HRIS_SECRET)
    });
    let answers = at_once(requests().chain(webhooks).collect()).await;
    assert!(answers.iter().all(|answer| [200, 202].contains(&answer.status)), "{answers:?}");
    let rows = world.rows("select said from events where source = 'idp' order by arrival").await;
    let said: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(
        said.iter().enumerate().all(|(at, said)| (said == "leaves") == (at % 2 == 0)),
        "in turns: {said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_users_of_one_name_at_one_instant_are_one() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let user = |name: &str| request(&service, "POST", "/Users", Some(&json!({"userName": name})));
    let requests = (0..16).map(|number| user(if number % 2 == 0 { "a@b.c" } else { "A@b.c" })).collect();
    let answers = at_once(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        is_refused(answer, 409, Some("uniqueness"));
    }
    // Two that take each other's name: whatever comes of it, nobody waits for ever and both are there.
    let one = by(&service, "one@b.c").await;
    let two = by(&service, "two@b.c").await;
    let rename = |id: &str, name: &str| {
        let body = json!({"Operations": [{"op": "replace", "value": {"userName": name}}]});
        request(&service, "PATCH", &format!("/Users/{id}"), Some(&body))
    };
    let answers = at_once(vec![rename(&one, "two@b.c"), rename(&two, "one@b.c")]).await;
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)), "{answers:?}");
    assert_eq!(world.number("select count(*) from scim_users").await, 3);
}

async fn by(service: &Service, name: &str) -> String {
    provision(service, json!({"userName": name})).await
}

#[tokio::test]
async fn user_and_event_are_committed_together_or_not_at_all() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = by(&service, "jane@example.com").await;
    world
        .sql(
            "create function fail() returns trigger language plpgsql as 'begin raise exception ''no''; end';
             create trigger events_fail before insert on events for each row execute function fail()",
        )
        .await;
    is_refused(&set_active(&service, &id, false).await, 503, None);
    is_refused(&call(&service, "DELETE", &format!("/Users/{id}"), None).await, 503, None);
    let shown = call(&service, "GET", &format!("/Users/{id}"), None).await.json();
    assert_eq!(shown["active"], true, "the provider comes back, and finds it undone");
    world.sql("drop trigger events_fail on events").await;
    assert_eq!(set_active(&service, &id, false).await.status, 200);
    assert_eq!(events(&world).await, 1);
}

#[tokio::test]
async fn a_slow_commit_is_told_in_time_and_said_again_it_is_still_one_event() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = by(&service, "jane@example.com").await;
    world
        .sql(
            "create function dawdle() returns trigger language plpgsql as
                 'begin perform pg_sleep(4); return new; end';
             create trigger events_dawdle before insert on events for each row execute function dawdle()",
        )
        .await;
    let answer = set_active(&service, &id, false).await;
    is_refused(&answer, 503, None);
    assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
    // Waits until the commit is through.
    world.sql("drop trigger events_dawdle on events").await;
    assert_eq!(events(&world).await, 1);
    let again = set_active(&service, &id, false).await;
    assert_eq!((again.status, &again.json()["active"]), (200, &json!(false)));
    assert_eq!((events(&world).await, offboardings(&service).await.len()), (1, 1));
}

#[tokio::test]
async fn a_deactivation_that_is_killed_before_its_commit_is_made_again() {
    let world = World::new().await;
    let mut service = world.serve(&source(""), RECEIVE);
    let id = by(&service, "jane@example.com").await;
    // Lets the commit itself wait, so that the process can be killed in it.
    let mut gate = PgConnection::connect(world.database.url()).await.unwrap();
    gate.execute(
        "create function wait_at_gate() returns trigger language plpgsql as
             'begin perform pg_advisory_xact_lock(4711); return null; end';
         create constraint trigger events_wait after insert on events deferrable initially deferred
             for each row execute function wait_at_gate();
         select pg_advisory_lock(4711)",
    )
    .await
    .unwrap();
    let lost = tokio::spawn(patch_of(&service, &id, false).send());
    eventually("the commit waits", Duration::from_secs(10), || async {
        let waiting =
            world.number("select count(*) from pg_locks where locktype = 'advisory' and not granted");
        (waiting.await == 1).then_some(())
    })
    .await;
    service.kill();
    assert!(lost.await.unwrap().is_err());
    gate.execute("select pg_advisory_unlock(4711)").await.unwrap();
    drop(gate);
    world.sql("drop trigger events_wait on events").await;
    let service = world.serve(&source(""), RECEIVE);
    ready(&service).await;
    for _ in 0..2 {
        assert_eq!(set_active(&service, &id, false).await.status, 200);
    }
    assert_eq!(
        (events(&world).await, offboardings(&service).await.len()),
        (1, 1),
        "once, committed before or not"
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_told_in_time_and_nothing_is_lost() {
    let world = World::new().await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    let url = proxy.url_for(world.database.url()).unwrap();
    let service = world.serve_edited(&source(""), RECEIVE, |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{url:?}"))
    });
    ready(&service).await;
    let id = by(&service, "jane@example.com").await;
    let path = format!("/Users/{id}");
    let user = json!({"userName": "john@example.com"});
    let requests = || {
        let methods: [(&str, &str, Option<&Value>); 4] = [
            ("GET", "/Users", None),
            ("POST", "/Users", Some(&user)),
            ("GET", &path, None),
            ("DELETE", &path, None),
        ];
        let mut requests: Vec<_> =
            methods.map(|(method, path, body)| request(&service, method, path, body)).into();
        requests.push(patch_of(&service, &id, false));
        requests
    };
    proxy.set_availability(Availability::Down).unwrap();
    proxy.cut_all().unwrap();
    for answer in at_once(requests()).await {
        is_refused(&answer, 503, None);
        assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
    }
    proxy.set_availability(Availability::Up).unwrap();
    ready(&service).await;
    assert_eq!(set_active(&service, &id, false).await.status, 200);
    assert_eq!(events(&world).await, 1);
    proxy.set_answer_delay(Duration::from_secs(60));
    let answer = Answer::to(patch_of(&service, &id, true)).await;
    is_refused(&answer, 503, None);
    assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
    proxy.set_answer_delay(Duration::ZERO);
    proxy.cut_all().unwrap();
    ready(&service).await;
    assert_eq!(set_active(&service, &id, true).await.status, 200);
    assert_eq!(events(&world).await, 2);
    is_at(&offboardings(&service).await[0], "cancelled", Some("rescinded"), Some("jane@example.com"));
}
