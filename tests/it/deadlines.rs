//! Slow and strange connections, spoken by hand: each is ended in its time, and none keeps another from being served.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::edge::{Answer, connect, ready, say};
use crate::process::until;
use crate::support::{Service, World, termination};

/// More slow connections than there are connections to the database or threads.
const SLOW_CONNECTIONS: usize = 50;

/// Between the bytes of a sender that never stands still, and never gets anywhere.
const TRICKLE_EVERY: Duration = Duration::from_millis(300);

const HEAD: &str = "POST /webhooks/workday HTTP/1.1\r\nhost: leaver\r\ncontent-type: application/json\r\n";

fn seconds(duration: Duration, expected: std::ops::Range<u64>, what: &str) {
    let range = Duration::from_secs(expected.start)..Duration::from_secs(expected.end);
    assert!(range.contains(&duration), "{what}: {duration:?}");
}

/// Sends the beginning, then one byte after the other until the service closes the connection.
async fn trickle(service: &Service, beginning: &str) -> (Duration, String) {
    let (mut from, mut to) = connect(&service.public).await.into_split();
    to.write_all(beginning.as_bytes()).await.unwrap();
    let started = Instant::now();
    let mut said = Vec::new();
    let mut tick = tokio::time::interval(TRICKLE_EVERY);
    let sending = async {
        loop {
            tick.tick().await;
            if to.write_all(b"x").await.is_err() {
                return std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! { _ = from.read_to_end(&mut said) => {} () = sending => {} }
    (started.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

/// What everybody else sees meanwhile.
async fn others_are_served(service: &Service) {
    let mut slow = Vec::new();
    for _ in 0..SLOW_CONNECTIONS {
        let mut stream = connect(&service.public).await;
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let started = Instant::now();
    let (status, _) = service.deliver(&termination("e1", "W1", "jane@example.com")).await;
    assert_eq!(status, 202);
    assert_eq!(Answer::get(format!("{}/livez", service.public)).await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_slow_sender_is_cut_off_in_time_and_holds_up_nobody() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let half_head = say(&service.public, HEAD.as_bytes());
    let open_head = format!("{HEAD}x-padding: ");
    let trickled_head = trickle(&service, &open_head);
    let half_body = format!("{HEAD}content-length: 100\r\n\r\n{{\"event\":");
    let stalled_body = say(&service.public, half_body.as_bytes());
    let trickled_body = trickle(&service, &half_body);
    let silence = say(&service.public, b"");
    let (half_head, trickled_head, stalled_body, trickled_body, silence, ()) = tokio::join!(
        half_head,
        trickled_head,
        stalled_body,
        trickled_body,
        silence,
        others_are_served(&service)
    );
    seconds(half_head.0, 4..8, "half a head");
    seconds(trickled_head.0, 4..8, "a head that trickles");
    seconds(silence.0, 4..8, "not a word");
    for (took, said) in [stalled_body, trickled_body] {
        seconds(took, 9..13, "half a body");
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("urn:leaver:problem:too-slow"), "{said}");
    }
    assert_eq!(world.number("select count(*) from events").await, 1);
}

/// Whether the service still has its end of this connection, by the kernel's table of connections.
fn is_kept(stream: &TcpStream) -> bool {
    let (own, peer) = (stream.local_addr().unwrap().port(), stream.peer_addr().unwrap().port());
    let (from, to) = (format!(":{peer:04X}"), format!(":{own:04X}"));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let mut ends = line.split_whitespace().skip(1);
        ends.next().is_some_and(|end| end.ends_with(&from))
            && ends.next().is_some_and(|end| end.ends_with(&to))
    })
}

#[tokio::test]
async fn a_peer_that_takes_nothing_of_its_answer_is_given_up() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    let mut stream = connect(&service.admin).await;
    // Answers of many times what both ends keep for a peer that is only slow.
    let asked = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: leaver\r\n\r\n".repeat(400);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let started = Instant::now();
    assert!(is_kept(&stream));
    until("the service ends the connection", Duration::from_secs(60), async || !is_kept(&stream)).await;
    assert!(
        started.elapsed() > Duration::from_secs(10),
        "{:?}: a slow peer is not cut off",
        started.elapsed()
    );
    others_are_served(&service).await;
}

#[tokio::test]
async fn a_request_without_exactly_one_host_is_refused() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    ready(&service).await;
    for hosts in ["", "host: a\r\nhost: b\r\n", "host: a\r\nHost: a\r\n"] {
        for listener in [&service.public, &service.admin] {
            let request = format!("GET /livez HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
            let (_, said) = say(listener, request.as_bytes()).await;
            assert!(said.starts_with("HTTP/1.1 400 "), "{hosts:?}: {said}");
            assert!(said.contains("application/problem+json") && said.contains("host-needed"), "{said}");
        }
    }
    // Some load balancers still ask as HTTP/1.0 does, which knows no `Host`.
    for (hosts, status) in [("", " 200 "), ("host: a\r\n", " 200 "), ("host: a\r\nhost: b\r\n", " 400 ")] {
        for path in ["/livez", "/readyz"] {
            let request = format!("GET {path} HTTP/1.0\r\n{hosts}\r\n");
            let (_, said) = say(&service.public, request.as_bytes()).await;
            assert!(said.starts_with("HTTP/1.") && said[8..].starts_with(status), "{hosts:?}: {said}");
        }
    }
    let one = "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(say(&service.public, one.as_bytes()).await.1.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_header_of_more_than_sixteen_kibibytes_is_refused() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let of = |bytes: usize| {
        format!(
            "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-padding: {}\r\n\r\n",
            "x".repeat(bytes)
        )
    };
    let (took, said) = say(&service.public, of(17 * 1024).as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 431 ") || said.is_empty(), "{said}");
    assert!(took < Duration::from_secs(4), "not by a deadline: {took:?}");
    assert!(say(&service.public, of(12 * 1024).as_bytes()).await.1.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_length_that_is_told_in_two_ways_is_refused_and_the_connection_closed() {
    let world = World::new().await;
    let service = world.serve("", &["serve", "--no-worker"]);
    let smuggled = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    for lengths in ["content-length: 5\r\ncontent-length: 6", "content-length: +5", "transfer-encoding: gzip"]
    {
        let (took, said) =
            say(&service.public, format!("{HEAD}{lengths}\r\n\r\nhello{smuggled}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{lengths}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{lengths}: {said}");
        assert!(took < Duration::from_secs(4), "{lengths}: {took:?}");
    }
}
