//! `[oidc]`: where people of the company sign in to the console, and what their claims allow; leaves the protocol to `oidc`.

use reqwest::Url;
use secrecy::SecretString;

use super::address;
use super::console::Console;
use super::error::ConfigError;
use super::operators::{NAME_CHARS_MAX, Operator, Role};
use super::section::{Section, Text};

pub(super) const KEYS: &[&str] = &[
    "issuer",
    "client_id",
    "client_secret",
    "scopes",
    "name_claim",
    "role_claim",
    "label",
    "roles",
    "operators",
];
pub(super) const ROLE_KEYS: &[&str] = &["viewer", "operator", "approver"];

/// Where the issuer sends people back to, below `console.url`.
pub const CALLBACK_PATH: &str = "/sign-in/oidc/callback";

/// A label is the text of a link.
const LABEL_CHARS_MAX: usize = 64;

/// Sign-in at an issuer of OpenID Connect.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The issuer, letter by letter as it names itself: https, or plain http to loopback. Required.
    pub issuer: String,
    /// The client at the issuer. Required.
    pub client_id: String,
    /// The client's secret, at least 16 bytes. Default none: a public client, which proves itself by PKCE alone.
    pub client_secret: Option<SecretString>,
    /// What the issuer is asked for. Default openid, profile and email; has openid.
    pub scopes: Vec<String>,
    /// The claim that names the person in the journal. Default preferred_username.
    pub name_claim: Claim,
    /// The claim that says what the person may do. Default roles.
    pub role_claim: Claim,
    /// The words of the link on the page for signing in. Default "Sign in with single sign-on", at most 64 characters.
    pub label: String,
    /// Which value of the role's claim gives which role. Required, at least one; each value once.
    pub roles: Vec<(String, Role)>,
    /// Whose token and whose account at the issuer belong to one person: the operator's name, and the name at the issuer.
    /// Default none.
    pub operators: Vec<(String, String)>,
    /// Where the issuer sends people back to: [`CALLBACK_PATH`] below `console.url`, which is required with this section.
    pub redirect_url: Url,
}

/// Where a claim stands among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// As configured, for messages.
    pub written: String,
    /// The names on the way to it; at least one.
    pub path: Vec<String>,
}

impl Claim {
    /// Reads a name, names joined by dots, or a JSON pointer. A name that is an address has dots of its own.
    fn parse(text: &str) -> Option<Self> {
        let path: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => {
                pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
            }
            None if text.contains("://") => vec![text.to_owned()],
            None => text.split('.').map(str::to_owned).collect(),
        };
        path.iter().all(|name| !name.is_empty()).then(|| Self { written: text.to_owned(), path })
    }
}

impl Oidc {
    /// Reads the section where there is one.
    pub(super) fn read(
        root: &mut Section<'_>,
        console: &Console,
        operators: &[Operator],
    ) -> Result<Option<Self>, ConfigError> {
        if root.peek("oidc").is_none() {
            return Ok(None);
        }
        let mut section = root.section("oidc", KEYS)?;
        let issuer = section.required("issuer")?;
        if address::parse_address(&issuer.value).is_none_or(|url| url.query().is_some()) {
            let problem = format!("expected {} without a query", address::EXPECTED);
            return Err(ConfigError::refused(issuer.key, problem));
        }
        let client_id = section.required("client_id")?.value;
        let client_secret =
            section.peek("client_secret").is_some().then(|| section.secret("client_secret")).transpose()?;
        let scopes = scopes(&mut section)?;
        let name_claim = claim(&mut section, "name_claim", "preferred_username")?;
        let role_claim = claim(&mut section, "role_claim", "roles")?;
        let expected = format!("at most {LABEL_CHARS_MAX} characters");
        let default = "Sign in with single sign-on".to_owned();
        let label = section.parsed("label", default, &expected, |text| {
            (text.chars().count() <= LABEL_CHARS_MAX).then(|| text.to_owned())
        })?;
        let roles = roles(&mut section)?;
        let operators = same_people(&mut section, operators)?;
        let console_url =
            console.url.as_ref().ok_or(ConfigError::MissingKey { key: "console.url".to_owned() })?;
        let redirect_url = console_url
            .join(CALLBACK_PATH)
            .map_err(|_| ConfigError::refused("console.url", "has no room for a path"))?;
        Ok(Some(Self {
            issuer: issuer.value,
            client_id,
            client_secret,
            scopes,
            name_claim,
            role_claim,
            label,
            roles,
            operators,
            redirect_url,
        }))
    }
}

fn scopes(section: &mut Section<'_>) -> Result<Vec<String>, ConfigError> {
    let key = section.key("scopes");
    let Some(texts) = section.list("scopes")? else {
        return Ok(["openid", "profile", "email"].map(str::to_owned).to_vec());
    };
    let mut scopes = Vec::with_capacity(texts.len());
    for text in texts {
        let scope = text.parse("a scope of visible ASCII characters without quotes", |scope| {
            let usable = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            scope.bytes().all(usable).then(|| scope.to_owned())
        })?;
        scopes.push(scope);
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        return Err(ConfigError::refused(key, "lacks openid, without which nobody's name comes back"));
    }
    Ok(scopes)
}

fn claim(section: &mut Section<'_>, name: &str, default: &str) -> Result<Claim, ConfigError> {
    let default = Claim { written: default.to_owned(), path: vec![default.to_owned()] };
    section.parsed(
        name,
        default,
        "a claim such as roles, realm_access.roles or /resource/roles",
        Claim::parse,
    )
}

fn roles(section: &mut Section<'_>) -> Result<Vec<(String, Role)>, ConfigError> {
    let key = section.key("roles");
    let mut table = section.section("roles", ROLE_KEYS)?;
    let mut roles: Vec<(String, Role)> = Vec::new();
    for role in Role::ALL {
        for value in table.list(role.as_str())?.unwrap_or_default() {
            if let Some((_, other)) = roles.iter().find(|(known, _)| *known == value.value) {
                let problem = format!("gives the role {} already", other.as_str());
                return Err(ConfigError::refused(value.key, problem));
            }
            roles.push((value.value, *role));
        }
    }
    if roles.is_empty() {
        return Err(ConfigError::refused(key, "names no value, so nobody could sign in"));
    }
    Ok(roles)
}

/// Nobody may be two people: who asks with a token and approves at the console would approve their own request.
fn same_people(
    section: &mut Section<'_>,
    operators: &[Operator],
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut same: Vec<(String, String)> = Vec::new();
    for (name, Text { key, value, .. }) in section.free_texts("operators")? {
        let Some(operator) = operators.iter().find(|operator| operator.name == name) else {
            return Err(ConfigError::refused(key, "is no name of [[operators]]"));
        };
        if value.len() > NAME_CHARS_MAX * 4 {
            return Err(ConfigError::refused(key, "is too long for a name"));
        }
        if same.iter().any(|(_, known)| known.eq_ignore_ascii_case(&value)) {
            return Err(ConfigError::refused(key, "is the same person as another operator"));
        }
        same.push((operator.name.clone(), value));
    }
    Ok(same)
}
