//! Many deliveries at one instant: one row, one offboarding, an answer for everybody.

use std::collections::BTreeSet;
use std::sync::Arc;

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
