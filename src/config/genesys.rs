//! `[genesys]`: which organisation is called, as whom and how often; leaves the calls to `crate::genesys`.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::address::is_origin;
use super::error::{ConfigError, DidYouMean, nearest};
use super::section::Section;

pub(super) const KEYS: &[&str] = &[
    "region",
    "api_url",
    "login_url",
    "client_id",
    "client_secret",
    "external_id_authority",
    "requests_per_minute",
    "timeout",
];

/// Genesys Cloud's regions: `https://api.REGION` and `https://login.REGION`.
///
/// Source: the developer centre's page "Platform API regions". A region that is newer than this list is reached with
/// `api_url` and `login_url`.
pub const REGIONS: &[&str] = &[
    "mypurecloud.com",
    "use2.us-gov-pure.cloud",
    "usw2.pure.cloud",
    "cac1.pure.cloud",
    "mxc1.pure.cloud",
    "sae1.pure.cloud",
    "mypurecloud.ie",
    "euw2.pure.cloud",
    "mypurecloud.de",
    "euc2.pure.cloud",
    "edee1.eusc-pure.cloud",
    "mec1.pure.cloud",
    "aps1.pure.cloud",
    "apne2.pure.cloud",
    "apne3.pure.cloud",
    "apse1.pure.cloud",
    "mypurecloud.jp",
    "mypurecloud.com.au",
];

/// With fewer than 12 the last read and the deactivation would not fit into the seconds that the proof is good for; 3000
/// is `org.user.rate.per.minute`, the highest limit that Genesys publishes.
const REQUESTS_PER_MINUTE: RangeInclusive<u32> = 12..=3000;

/// Below 50 ms every call over the internet fails; above a minute one stuck call outlasts most leases.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);

/// The organisation in Genesys Cloud, and the OAuth client that works in it.
#[derive(Clone, Debug)]
pub struct Genesys {
    api_url: Url,
    login_url: Url,
    /// The id of an OAuth client with the grant "client credentials". Required.
    pub client_id: String,
    /// That client's secret. Required, at least 16 bytes.
    pub client_secret: SecretString,
    /// The authority name under which people's external ids of the HRIS are kept, for sources that name none of their
    /// own; absent: people are looked up by address alone.
    pub external_id_authority: Option<String>,
    /// Calls in any minute over all replicas; a lower limit that Genesys announces wins. Default 240, 12 to 3000.
    pub requests_per_minute: u32,
    /// The longest that one call may take as a whole. Default 15 s, 50 ms to 1 minute.
    pub timeout: Duration,
}

impl Genesys {
    /// The origin of the platform API, with an empty path.
    pub fn api_url(&self) -> &Url {
        &self.api_url
    }

    /// The origin of the login service, which gives out tokens, with an empty path.
    pub fn login_url(&self) -> &Url {
        &self.login_url
    }

    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let (api_url, login_url) = read_origins(&mut section)?;
        Ok(Self {
            api_url,
            login_url,
            client_id: section.required("client_id")?.value,
            client_secret: section.secret("client_secret")?,
            external_id_authority: section.text("external_id_authority", "a string")?.map(|text| text.value),
            requests_per_minute: section.integer("requests_per_minute", 240, REQUESTS_PER_MINUTE)?,
            timeout: section.duration("timeout", Duration::from_secs(15), TIMEOUT)?,
        })
    }
}

fn read_origins(section: &mut Section<'_>) -> Result<(Url, Url), ConfigError> {
    let region = section.text("region", "a string")?;
    let api_url = read_origin(section, "api_url")?;
    let login_url = read_origin(section, "login_url")?;
    match (region, api_url, login_url) {
        (Some(region), None, None) => {
            let hint = nearest(&region.value, REGIONS).unwrap_or(REGIONS[0]);
            let expected = format!("a region of Genesys Cloud{}", DidYouMean(Some(hint)));
            region.parse(&expected, origins_of)
        }
        (None, Some(api_url), Some(login_url)) => Ok((api_url, login_url)),
        (Some(region), _, _) => {
            Err(ConfigError::refused(region.key, "give either region or api_url and login_url, not both"))
        }
        (None, Some(_), None) => Err(ConfigError::MissingKey { key: section.key("login_url") }),
        (None, None, Some(_)) => Err(ConfigError::MissingKey { key: section.key("api_url") }),
        (None, None, None) => Err(ConfigError::MissingKey { key: section.key("region") }),
    }
}

fn origins_of(region: &str) -> Option<(Url, Url)> {
    let origin = |host: &str| Url::parse(&format!("https://{host}.{region}")).ok();
    REGIONS.contains(&region).then(|| Some((origin("api")?, origin("login")?))).flatten()
}

fn read_origin(section: &mut Section<'_>, name: &str) -> Result<Option<Url>, ConfigError> {
    match section.address(name)? {
        Some(url) if !is_origin(&url) => {
            Err(ConfigError::refused(section.key(name), "expected an address without a path or a query"))
        }
        found => Ok(found),
    }
}
