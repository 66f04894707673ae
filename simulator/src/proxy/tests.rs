//! Tries the proxy in front of a real server, with a real client and with a client that speaks the protocol
//! by hand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use sqlx::{Connection, PgConnection};

use super::*;
use crate::postgres::{Database, Durability, Server};

/// Long enough to stand out from a query, which takes about a millisecond.
const DELAY: Duration = Duration::from_millis(150);
/// After this a client by hand gives up.
const READ_LIMIT: Duration = Duration::from_secs(20);
/// How often to cancel: a request that overtakes its query finds nothing to cancel.
const CANCEL_ATTEMPTS: u32 = 50;

#[tokio::test]
async fn a_client_logs_in_over_tcp_to_a_server_that_has_only_a_unix_socket() {
    let (database, proxy) = database_behind_a_proxy().await;
    let mut connection = connect(&proxy, &database).await.unwrap();
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, database.name());
    assert_eq!((proxy.connections_accepted(), proxy.connections_open()), (1, 1));
}

#[tokio::test]
async fn answers_are_late_by_the_delay_and_on_time_again_without_it() {
    let (database, proxy) = database_behind_a_proxy().await;
    let mut connection = connect(&proxy, &database).await.unwrap();
    proxy.set_answer_delay(DELAY);
    let started = Instant::now();
    connection.ping().await.unwrap();
    assert!(started.elapsed() >= DELAY);
    proxy.set_answer_delay(Duration::ZERO);
    let started = Instant::now();
    connection.ping().await.unwrap();
    assert!(started.elapsed() < DELAY);
}

#[tokio::test]
async fn a_cut_breaks_what_is_open_and_nothing_later() {
    let (database, proxy) = database_behind_a_proxy().await;
    let mut cut = connect(&proxy, &database).await.unwrap();
    proxy.cut_all().unwrap();
    assert_eq!(proxy.connections_open(), 0);
    cut.ping().await.unwrap_err();
    connect(&proxy, &database).await.unwrap().ping().await.unwrap();
    assert_eq!(proxy.connections_accepted(), 2);
}

#[tokio::test]
async fn a_proxy_that_is_down_refuses_new_connections_keeps_the_old_and_comes_back_at_its_port() {
    let (database, proxy) = database_behind_a_proxy().await;
    let mut old = connect(&proxy, &database).await.unwrap();
    for _ in 0..3 {
        proxy.set_availability(Availability::Down).unwrap();
        let refused = connect(&proxy, &database).await.unwrap_err();
        let sqlx::Error::Io(error) = refused else { panic!("{refused}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        old.ping().await.unwrap();
        proxy.set_availability(Availability::Up).unwrap();
        connect(&proxy, &database).await.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_cancel_request_reaches_the_query_it_is_meant_for() {
    let server = Server::start_private(Durability::Throwaway).await.unwrap();
    let database = server.create_database("by_hand").await.unwrap();
    let proxy = Proxy::start(database.url()).unwrap();
    let (mut client, key) = log_in_by_hand(&proxy, &database);
    client.write_all(&message(b"Q", b"select pg_sleep(60)\0")).unwrap();
    for _ in 0..CANCEL_ATTEMPTS {
        let mut cancel = TcpStream::connect(proxy.address).unwrap();
        cancel.set_read_timeout(Some(READ_LIMIT)).unwrap();
        cancel.write_all(&message(b"", &[&80_877_102_u32.to_be_bytes(), &key[..]].concat())).unwrap();
        assert_eq!(cancel.read(&mut [0]).unwrap(), 0, "the server closes a cancel request without a word");
        client.set_read_timeout(Some(DELAY)).unwrap();
        if client.peek(&mut [0]).is_ok() {
            break;
        }
    }
    let answers = [next_message(&mut client), next_message(&mut client)];
    let error = answers.iter().find(|(kind, _)| *kind == b'E').unwrap();
    assert!(String::from_utf8_lossy(&error.1).contains("57014"), "{answers:?}");
}

#[tokio::test]
async fn a_client_that_has_closed_its_half_still_gets_its_late_answer() {
    let server = Server::start_private(Durability::Throwaway).await.unwrap();
    let database = server.create_database("by_hand").await.unwrap();
    let proxy = Proxy::start(database.url()).unwrap();
    let (mut client, _) = log_in_by_hand(&proxy, &database);
    proxy.set_answer_delay(DELAY);
    client.write_all(&message(b"Q", b"select 'late'\0")).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.windows(4).any(|bytes| bytes == b"late"), "{answer:?}");
}

async fn database_behind_a_proxy() -> (Database, Proxy) {
    let database = Server::shared_for_tests().await.unwrap().create_database("proxy").await.unwrap();
    let proxy = Proxy::start(database.url()).unwrap();
    (database, proxy)
}

async fn connect(proxy: &Proxy, database: &Database) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(&proxy.url_for(database.url()).unwrap()).await
}

/// Logs in without a library, to a private server because that asks for no password. Returns what a cancel
/// request has to name: the process and its secret.
fn log_in_by_hand(proxy: &Proxy, database: &Database) -> (TcpStream, Vec<u8>) {
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.set_read_timeout(Some(READ_LIMIT)).unwrap();
    let parameters = format!("user\0postgres\0database\0{}\0\0", database.name());
    client.write_all(&message(b"", &[&196_608_u32.to_be_bytes(), parameters.as_bytes()].concat())).unwrap();
    let mut key = Vec::new();
    loop {
        match next_message(&mut client) {
            (b'K', body) => key = body,
            (b'Z', _) => return (client, key),
            (b'E', body) => panic!("{}", String::from_utf8_lossy(&body)),
            _ => {}
        }
    }
}

fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [kind, &length.to_be_bytes(), body].concat()
}

fn next_message(client: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    client.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    client.read_exact(&mut body).unwrap();
    (head[0], body)
}
