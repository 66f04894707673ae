//! `leaver health`: asks a running service whether it is ready. An image without a shell has nothing else to ask with.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::json;

use super::print;
use super::{Failure, Output};
use crate::config::Config;

/// The service answers within a second, whatever its database does.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks the configured listener; one that listens everywhere is asked over loopback.
pub fn health_of(config: &Config, output: Output) -> Result<(), Failure> {
    let mut address = config.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    told(address, &address.to_string(), output)
}

/// Asks the service at a plain `http://HOST:PORT`; fails where it is not ready, with its reason.
pub fn health(url: &str, output: Output) -> Result<(), Failure> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let host =
        host.filter(|host| !host.contains(['/', '?', '@', '#']) && !host.chars().any(char::is_control));
    let host =
        host.ok_or_else(|| Failure::Usage(format!("--url: expected http://HOST:PORT, found {url:?}")))?;
    let found = host.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let address = found.ok_or_else(|| Failure::Failed(format!("{host} is no known HOST:PORT")))?;
    told(address, host, output)
}

fn told(address: SocketAddr, host: &str, output: Output) -> Result<(), Failure> {
    let answer =
        asked(address, host).map_err(|error| Failure::Failed(format!("no answer of {host}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let ready = head.split(' ').nth(1) == Some("200");
    match output {
        Output::Json => print::json(&json!({ "ready": ready, "reason": (!ready).then_some(&body) })),
        Output::Text if ready => print::lines(&body),
        Output::Text => {}
    }
    if ready { Ok(()) } else { Err(Failure::Failed(format!("not ready: {}", print::cleaned(&body)))) }
}

fn asked(address: SocketAddr, host: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
