//! Many deliveries at one instant: one row, one offboarding, an answer for everybody.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::Row;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Barrier;

use super::{RECEIVE, events, offboardings};
use crate::edge::{connect, raw_delivery};
use crate::support::{Service, World, termination};

/// As many senders as a gateway that lost its answers would repeat at once, and more than there are connections to
/// the database.
const SENDERS: usize = 64;

/// Sends each body over a connection of its own, all at one instant; the status lines with the bodies.
async fn at_once(service: &Service, bodies: Vec<String>) -> Vec<(u16, serde_json::Value)> {
    let start = Arc::new(Barrier::new(bodies.len()));
    let senders: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let (start, public) = (Arc::clone(&start), service.public.clone());
            tokio::spawn(async move {
                let request = raw_delivery(body.as_bytes());
                let mut stream = connect(&public).await;
                start.wait().await;
                stream.write_all(&request).await.unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                let (head, body) = said.split_once("\r\n\r\n").unwrap();
                (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
            })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.push(sender.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_repeated_many_times_at_one_instant_is_one_event() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    let body = termination("e1", "W1", "jane@example.com").to_string();
    let answers = at_once(&service, vec![body; SENDERS]).await;
    let accepted = answers.iter().filter(|(status, _)| *status == 202).count();
    let duplicates = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((accepted, duplicates), (1, SENDERS - 1), "{answers:?}");
    let ids: BTreeSet<_> =
        answers.iter().map(|(_, receipt)| receipt["offboardings"][0]["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!((events(&world).await, offboardings(&world).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_about_one_person_at_one_instant_are_one_offboarding() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    // Nobody is there before them, so that without an order among them each would open one.
    let bodies = (0..SENDERS).map(|number| {
        let letters = if number % 2 == 0 { "jane@example.com" } else { "Jane@Example.com" };
        termination(&format!("e{number}"), "W1", letters).to_string()
    });
    let answers = at_once(&service, bodies.collect()).await;
    assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
    assert_eq!((events(&world).await, offboardings(&world).await), (64, 1));
}

/// A termination without an id of its own, of a sender that gives no time either.
fn anonymous() -> String {
    let mut body = termination("", "W1", "jane@example.com");
    body.as_object_mut().unwrap().remove("eventId");
    body.to_string()
}

async fn event_ids(world: &World) -> Vec<String> {
    let rows = world.rows("select event_id from events order by received_at, event_id").await;
    rows.iter().map(|row| row.get("event_id")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_derived_id_after_the_window_is_one_new_event_however_often_it_comes() {
    let world = World::new().await;
    let service = world.serve("[sources.workday.map.event_id]\nwindow = \"7d\"", RECEIVE);
    let status = async || service.deliver_bytes(anonymous().as_bytes()).await.0;
    assert_eq!([status().await, status().await], [202, 200]);
    world.sql("update events set received_at = received_at - interval '6 days 23 hours'").await;
    assert_eq!(status().await, 200, "within the window");
    world.sql("update events set received_at = received_at - interval '2 hours'").await;
    let answers = at_once(&service, vec![anonymous(); SENDERS]).await;
    let statuses = |wanted: u16| answers.iter().filter(|(status, _)| *status == wanted).count();
    assert_eq!((statuses(202), statuses(200)), (1, SENDERS - 1), "{answers:?}");
    let ids = event_ids(&world).await;
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[1], format!("{}~2", ids[0]));
    assert!(answers.iter().all(|(_, receipt)| receipt["event_id"] == ids[1].as_str()), "{answers:?}");
    world.sql("update events set received_at = received_at - interval '8 days'").await;
    assert_eq!([status().await, status().await], [202, 200]);
    assert_eq!(event_ids(&world).await[2], format!("{}~3", ids[0]));
    assert_eq!(offboardings(&world).await, 1, "it is still open");
}

#[tokio::test]
async fn without_a_window_the_same_derived_id_never_is_a_new_event() {
    let world = World::new().await;
    let service = world.serve("", RECEIVE);
    assert_eq!(service.deliver_bytes(anonymous().as_bytes()).await.0, 202);
    world.sql("update events set received_at = received_at - interval '5 years'").await;
    assert_eq!(service.deliver_bytes(anonymous().as_bytes()).await.0, 200);
    assert_eq!(events(&world).await, 1);
}
