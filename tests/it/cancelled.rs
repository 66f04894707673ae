//! Senders that hang up while Postgres is far away: a transaction that nobody waits for any more must neither stay open
//! nor swallow what the next sender is told is stored.

use std::collections::BTreeSet;
use std::time::Duration;

use leaver_simulator::proxy::Proxy;
use sqlx::Row;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::edge::{connect, eventually, raw_delivery, ready};
use crate::support::{Service, World, termination};

/// As a database in another region: every answer is this late.
const DISTANCE: Duration = Duration::from_millis(20);

/// Senders that hang up, in waves that find connections of the pool free.
const WAVES: u64 = 4;
const SENDERS: u64 = 12;

/// Far below the ten seconds after which Postgres itself ends an idle transaction, and above what the deliveries take
/// that are stored although their senders have gone.
const TIDY_MAX: Duration = Duration::from_secs(6);

/// Deliveries after the storm, more than there are connections in the pool.
const AFTER: usize = 16;

/// Sends a delivery and breaks the connection a while later without reading; true where it was acknowledged before.
async fn hang_up(public: String, event: String, patience: Duration) -> Option<String> {
    let body = termination(&event, &event, &format!("{event}@example.com")).to_string();
    let mut stream = connect(&public).await;
    stream.write_all(&raw_delivery(body.as_bytes())).await.expect("a sent delivery");
    let mut said = vec![0; 1024];
    match tokio::time::timeout(patience, stream.read(&mut said)).await {
        Ok(Ok(length)) => said[..length].starts_with(b"HTTP/1.1 20").then_some(event),
        Ok(Err(_)) | Err(_) => {
            // With a reset, as a sender that was killed, or a load balancer that gave up.
            stream.set_zero_linger().expect("a socket option");
            None
        }
    }
}

/// Delivers until it is acknowledged: after a storm the pool may be busy for a moment.
async fn deliver(service: &Service, event: &str) -> String {
    let body = termination(event, event, &format!("{event}@example.com"));
    let body = &body;
    eventually("the delivery is acknowledged", Duration::from_secs(15), || async move {
        let (status, _) = service.deliver(body).await;
        [200, 202].contains(&status).then_some(())
    })
    .await;
    event.to_owned()
}

/// Waits until no session has a transaction open, and only for a time in which nothing but the service itself could
/// have ended it: neither the sessions' own time-outs nor the next transaction on the same connection.
async fn nothing_stays_open(world: &World) {
    eventually("no transaction is open", TIDY_MAX, || async {
        let open = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'leaver' and xact_start is not null";
        (world.number(open).await == 0).then_some(())
    })
    .await;
}

async fn storm(world: &World, service: &Service) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for wave in 0..WAVES {
        let senders = (0..SENDERS).map(|sender| {
            // From before the first answer of the database to a few answers later: `begin` is among them.
            let patience = Duration::from_millis(4 + 4 * sender);
            tokio::spawn(hang_up(service.public.clone(), format!("storm-{wave}-{sender}"), patience))
        });
        for sender in senders.collect::<Vec<_>>() {
            acknowledged.extend(sender.await.expect("a sender"));
        }
        // Also leaves the pool free, so that the next wave reaches `begin` and not only the queue before it.
        nothing_stays_open(world).await;
    }
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_senders_hang_up_on_a_distant_database() {
    let world = World::new().await;
    let proxy = Proxy::start(world.database.url()).unwrap();
    let through = proxy.url_for(world.database.url()).unwrap();
    let service = world.serve_edited("", &["serve", "--no-worker"], |text| {
        text.replace(&format!("{:?}", world.database.url()), &format!("{through:?}"))
    });
    ready(&service).await;
    proxy.set_answer_delay(DISTANCE);
    let mut acknowledged = storm(&world, &service).await;
    let after: Vec<String> = (0..AFTER).map(|number| format!("after-{number}")).collect();
    acknowledged
        .extend(futures_util::future::join_all(after.iter().map(|event| deliver(&service, event))).await);
    proxy.set_answer_delay(Duration::ZERO);
    nothing_stays_open(&world).await;
    let rows = world.rows("select event_id from events where offboarding_id is not null").await;
    let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(acknowledged.len() >= AFTER, "{acknowledged:?}");
}
