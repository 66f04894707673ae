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
                let mut stream = connect(&public).await;
                let mut request = String::from_utf8(raw_delivery(&public, body.as_bytes())).unwrap();
                request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
                start.wait().await;
                stream.write_all(request.as_bytes()).await.unwrap();
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
    let bodies = (0..SENDERS).map(|number| {
        // Known by the address, by the id, or by both, so that no single key orders them.
        let mut body = termination(&format!("e{number}"), "W1", "jane@example.com");
        match number % 3 {
            0 => drop(body.as_object_mut().unwrap().remove("email")),
            1 => drop(body.as_object_mut().unwrap().remove("workerId")),
            _ => {}
        }
        body.to_string()
    });
    // The first joins address and id; without it two people are two people.
    service.deliver(&termination("first", "W1", "jane@example.com")).await;
    let answers = at_once(&service, bodies.collect()).await;
    assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
    assert_eq!((events(&world).await, offboardings(&world).await), (65, 1));
}
