//! Postgres away, hanging, or cut off in the middle of a commit: the sender is told to come back, and nothing that was
//! acknowledged is lost.

use std::time::Duration;

use leaver_simulator::postgres::{Durability, Server};
use leaver_simulator::proxy::{Availability, Proxy};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::{RECEIVE, events, offboardings};
use crate::edge::{Answer, eventually, ready};
use crate::support::{HRIS_SECRET, Service, World, client, signed, termination};

/// Every answer of a delivery comes within this time, also of a machine that is busy with other tests.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Readiness has to turn within this time.
const READINESS_MAX: Duration = Duration::from_secs(2);

/// An answer of the database that never comes in time.
const NEVER: Duration = Duration::from_secs(60);

/// A service whose database is reached by another URL than the world's.
fn serve_with(world: &World, url: &str) -> Service {
    world.serve_edited("", RECEIVE, |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{url:?}"))
    })
}

fn delivery(service: &Service, event: &str) -> reqwest::RequestBuilder {
    let body = termination(event, event, &format!("{event}@example.com")).to_string();
    signed(&service.public, body.as_bytes(), HRIS_SECRET)
}

async fn deliver(service: &Service, event: &str) -> Answer {
    Answer::to(delivery(service, event)).await
}

/// Asserts what a service without its database says, to several callers at once.
async fn says_that_it_cant(service: &Service) {
    eventually("the service is not ready", READINESS_MAX, || async {
        (Answer::get(format!("{}/readyz", service.public)).await.status == 503).then_some(())
    })
    .await;
    // Every request is made before the first is sent: making a client takes a while, and none of the service's time.
    let get = |path: &str| client().get(format!("{}{path}", service.public));
    let events = ["x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"];
    let (deliveries, probes) = (events.map(|event| delivery(service, event)), events.map(|_| get("/readyz")));
    let refused = futures_util::future::join_all(deliveries.map(Answer::to));
    let probes = futures_util::future::join_all(probes.map(Answer::to));
    let alive = Answer::to(get("/livez"));
    let (refused, probes, alive) = tokio::join!(refused, probes, alive);
    for answer in refused {
        answer.is_problem(503, "unavailable");
        assert!(answer.took <= ANSWER_MAX, "{:?}", answer.took);
    }
    for answer in probes {
        answer.is_problem(503, "not-ready");
        assert!(answer.took <= READINESS_MAX, "{:?}", answer.took);
    }
    assert_eq!((alive.status, alive.text().as_str()), (200, "ok\n"));
    assert!(alive.took < Duration::from_secs(1), "{:?}", alive.took);
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_to_the_sender_and_everything_recovers() {
    let world = World::new().await;
    let server = Server::start_private(Durability::Throwaway).await.unwrap();
    let database = server.create_database("outage").await.unwrap();
    let service = serve_with(&world, database.url());
    ready(&service).await;
    assert_eq!(deliver(&service, "before").await.status, 202);
    server.stop_immediately().await.unwrap();
    says_that_it_cant(&service).await;
    let metrics = Answer::get(format!("{}/metrics", service.admin)).await.text();
    assert!(metrics.contains("leaver_database_up 0\n"), "{metrics}");
    server.restart().await.unwrap();
    ready(&service).await;
    let again = deliver(&service, "before").await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("duplicate")), "acknowledged, so kept");
    assert_eq!(deliver(&service, "x1").await.status, 202);
    assert_eq!(deliver(&service, "after").await.status, 202);
    server.end().await;
}

#[tokio::test]
async fn a_database_that_refuses_or_hangs_is_told_to_the_sender_in_time() {
    let world = World::new().await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    let service = serve_with(&world, &proxy.url_for(world.database.url()).unwrap());
    ready(&service).await;
    assert_eq!(deliver(&service, "before").await.status, 202);
    proxy.set_availability(Availability::Down).unwrap();
    proxy.cut_all().unwrap();
    says_that_it_cant(&service).await;
    proxy.set_availability(Availability::Up).unwrap();
    ready(&service).await;
    assert_eq!(deliver(&service, "between").await.status, 202);
    proxy.set_answer_delay(NEVER);
    says_that_it_cant(&service).await;
    proxy.set_answer_delay(Duration::ZERO);
    proxy.cut_all().unwrap();
    ready(&service).await;
    assert_eq!(deliver(&service, "after").await.status, 202);
    for event in ["before", "between", "after"] {
        assert_eq!(deliver(&service, event).await.status, 200, "{event}");
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_a_duplicate_when_it_is_sent_again() {
    let world = World::new().await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    let service = serve_with(&world, &proxy.url_for(world.database.url()).unwrap());
    ready(&service).await;
    // Lets the commit itself wait, so that its answer and no other can be held back.
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
    let cut = async {
        eventually("the commit waits", ANSWER_MAX, || async {
            let waiting =
                world.number("select count(*) from pg_locks where locktype = 'advisory' and not granted");
            (waiting.await == 1).then_some(())
        })
        .await;
        proxy.set_answer_delay(NEVER);
        gate.execute("select pg_advisory_unlock(4711)").await.unwrap();
        eventually("the event is committed", ANSWER_MAX, || async {
            (events(&world).await == 1).then_some(())
        })
        .await;
        proxy.cut_all().unwrap();
        proxy.set_answer_delay(Duration::ZERO);
    };
    let (lost, ()) = tokio::join!(deliver(&service, "e1"), cut);
    lost.is_problem(503, "unavailable");
    ready(&service).await;
    let again = deliver(&service, "e1").await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("duplicate")));
    assert_eq!(again.json()["offboardings"][0]["status"], "scheduled");
    assert_eq!((events(&world).await, offboardings(&world).await), (1, 1));
}
