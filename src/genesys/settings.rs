//! What the client has to be told, and the check of it; reading the configuration file is left to others.

use std::{net::IpAddr, time::Duration};

use reqwest::{Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// The suffixes of the hosts of Genesys Cloud (list of regions in the Developer Center): an address made from a
/// region can't lead anywhere else.
const REGION_HOSTS: [&str; 7] = [
    "mypurecloud.com",
    "mypurecloud.ie",
    "mypurecloud.de",
    "mypurecloud.com.au",
    "mypurecloud.jp",
    "pure.cloud",
    "us-gov-pure.cloud",
];

/// Tells the client whom to call, as whom, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Platform API, for example `https://api.mypurecloud.com`.
    pub api_url: Url,
    /// The login service, for example `https://login.mypurecloud.com`.
    pub login_url: Url,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: SecretString,
    /// How long one HTTP call may take, from its beginning to the last byte of its answer.
    pub timeout: Duration,
    /// The `User-Agent`, for example `leaver/0.1.0`.
    pub user_agent: String,
    /// How long the client waits after failures.
    pub waits: Waits,
}

/// Says how long the client waits after failures; tests make it short, everybody else takes the default.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The upper end of the first random wait before a read is tried again.
    pub retry_base: Duration,
    /// The upper end that the doubling stops at.
    pub retry_max: Duration,
    /// The shortest pause after a 429.
    pub throttle_min: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            retry_base: Duration::from_millis(200),
            retry_max: Duration::from_secs(5),
            throttle_min: super::pacing::THROTTLE_MIN,
        }
    }
}

/// Reports why no client can be made from the settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The region is none of Genesys Cloud.
    #[error("the region is not one of Genesys Cloud, such as mypurecloud.com or euw2.pure.cloud")]
    UnknownRegion,
    /// The URL is not https, and its host is not this machine.
    #[error("{which} must begin with https:// (http is accepted for this machine's own addresses only)")]
    NotHttps {
        /// The setting.
        which: &'static str,
    },
    /// The URL has a part that a base address can't have.
    #[error("{which} must not have a user name, a password, a query or a fragment")]
    NotABaseUrl {
        /// The setting.
        which: &'static str,
    },
    /// A text can't be sent in a header, or is empty.
    #[error("{which} is empty or has characters that cannot be sent")]
    Unsendable {
        /// The setting.
        which: &'static str,
    },
    /// The time limit is zero.
    #[error("the time limit of a call must be longer than zero")]
    NoTimeout,
    /// The process has not chosen its TLS implementation.
    #[error("no TLS provider is installed in this process")]
    NoTlsProvider,
    /// The HTTP client could not be made, for example because the machine has no root certificates.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// Gives the API's and the login service's address of a region such as `mypurecloud.com`.
/// Fails with [`BuildError::UnknownRegion`] for a host that is not Genesys's.
pub fn region_urls(region: &str) -> Result<(Url, Url), BuildError> {
    let is_host =
        region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let is_genesys = REGION_HOSTS.iter().any(|host| {
        region
            .strip_suffix(host)
            .is_some_and(|rest| rest.is_empty() || (rest.len() > 1 && rest.ends_with('.')))
    });
    if !(is_host && is_genesys) {
        return Err(BuildError::UnknownRegion);
    }
    let url =
        |name: &str| Url::parse(&format!("https://{name}.{region}")).map_err(|_| BuildError::UnknownRegion);
    Ok((url("api")?, url("login")?))
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        check_url("api_url", &self.api_url)?;
        check_url("login_url", &self.login_url)?;
        // RFC 7617: a colon in the name would move the border between name and password.
        if self.client_id.is_empty()
            || self.client_id.contains(':')
            || self.client_id.contains(char::is_control)
        {
            return Err(BuildError::Unsendable { which: "client_id" });
        }
        if self.client_secret.expose_secret().is_empty() {
            return Err(BuildError::Unsendable { which: "client_secret" });
        }
        if self.user_agent.is_empty() || HeaderValue::from_str(&self.user_agent).is_err() {
            return Err(BuildError::Unsendable { which: "user_agent" });
        }
        if self.timeout.is_zero() {
            return Err(BuildError::NoTimeout);
        }
        Ok(())
    }
}

fn check_url(which: &'static str, url: &Url) -> Result<(), BuildError> {
    let has_extras = !url.username().is_empty() || url.password().is_some();
    if has_extras || url.query().is_some() || url.fragment().is_some() {
        return Err(BuildError::NotABaseUrl { which });
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if is_loopback(host) => Ok(()),
        _ => Err(BuildError::NotHttps { which }),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<(), BuildError> {
        check_url("api_url", &Url::parse(url).unwrap())
    }

    #[test]
    fn only_https_and_this_machine_are_called() {
        for url in
            ["https://api.mypurecloud.com", "http://127.0.0.1:9100", "http://[::1]:1/", "http://localhost:1"]
        {
            assert!(check(url).is_ok(), "{url}");
        }
        let refused = [
            "http://api.mypurecloud.com",
            "http://169.254.169.254/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
        ];
        for url in
            refused.into_iter().chain(["http://127.0.0.1.evil.example/", "http://localhost.evil.example/"])
        {
            assert!(matches!(check(url), Err(BuildError::NotHttps { .. })), "{url}");
        }
    }

    #[test]
    fn addresses_with_a_user_a_query_or_a_fragment_are_refused() {
        for url in ["https://a@b.c", "https://:p@b.c", "https://b.c/?q", "https://b.c/#f", "https://a:p@b.c"]
        {
            assert!(matches!(check(url), Err(BuildError::NotABaseUrl { .. })), "{url}");
        }
    }

    #[test]
    fn a_region_leads_to_hosts_of_genesys_only() {
        let (api, login) = region_urls("euw2.pure.cloud").unwrap();
        assert_eq!(api.as_str(), "https://api.euw2.pure.cloud/");
        assert_eq!(login.as_str(), "https://login.euw2.pure.cloud/");
        assert!(region_urls("mypurecloud.com").is_ok());
        for region in
            ["", "evil.example", "evilmypurecloud.com", ".pure.cloud", "a/b.pure.cloud", "A.pure.cloud"]
        {
            assert!(region_urls(region).is_err(), "{region}");
        }
    }
}
