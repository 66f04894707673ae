//! Which web addresses may be called: https anywhere, plain http on this machine alone; makes no calls.

use std::net::IpAddr;

use reqwest::Url;

/// What an error message says an address looks like. The address found is not shown: it may carry a token.
pub(super) const EXPECTED: &str = "an https:// address (plain http:// is for loopback alone)";

/// Reads an address that secrets may be sent to; `None` for anything that would send them in the clear.
///
/// Credentials in the address are refused too: they would end up in logs.
pub fn parse_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let protected = match url.scheme() {
        "https" => true,
        "http" => is_loopback(url.host_str()?),
        _ => false,
    };
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (protected && bare && url.has_host()).then_some(url)
}

/// Whether the address is a server as a whole, without a path or a query.
pub(super) fn is_origin(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none()
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for text in [
            "https://x.example",
            "http://127.0.0.1:9100",
            "http://127.8.9.1",
            "http://[::1]:1",
            "http://LOCALHOST:1/a",
        ] {
            assert!(parse_address(text).is_some(), "{text}");
        }
        for text in [
            "http://x.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://localhost.example",
            "http://localhost@x.example",
            "http://[::ffff:127.0.0.1]",
            "ftp://localhost",
            "https://user:word@x.example",
            "https://x.example/#part",
            "file:///etc/passwd",
            "x.example",
            "",
        ] {
            assert!(parse_address(text).is_none(), "{text}");
        }
    }
}
