//! `leaver check`: whether the service could do its work as configured, in words, with what to do.

use serde::Serialize;

use super::{
    Failure, Output, deliveries, permissions, print, probe, progress, single_sign_on, sources as of_sources,
};
use crate::config::Config;
use crate::genesys::Error;
use crate::hris::Source;
use crate::offboarding::choices::Mode;
use crate::serve::{Parts, sources};
use crate::store::StoreError;
use crate::store::event_views::UnknownWord;

/// The oldest Postgres that the service is tried with.
const SERVER_VERSION_MIN: u32 = 150_000;

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Level {
    /// As it should be.
    #[serde(rename = "ok")]
    Ok,
    /// Worth a look; nothing fails by it.
    #[serde(rename = "warn")]
    Warn,
    /// The service could not do its work.
    #[serde(rename = "FAIL")]
    Fail,
}

impl Level {
    /// The word that is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) ok: bool,
    pub(super) level: Level,
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn good(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), ok: true, level: Level::Ok, detail: detail.into() }
    }

    pub(super) fn doubtful(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), ok: true, level: Level::Warn, detail: detail.into() }
    }

    pub(super) fn bad(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), ok: false, level: Level::Fail, detail: detail.into() }
    }
}

/// Checks everything, prints all findings, and fails if one of them is bad.
pub async fn check(config: &Config, output: Output) -> Result<(), Failure> {
    let parts = Parts::new(config)?;
    let built = sources(config).map_err(|error| Failure::Usage(error.to_string()))?;
    let names: Vec<_> =
        built.iter().map(|s| format!("{} ({})", s.name(), s.profile_name().unwrap_or("own"))).collect();
    let mut findings =
        vec![Finding::good("configuration", "every key is understood and every secret is there")];
    match config.policy.mode {
        Mode::Live => {}
        Mode::DryRun => findings.push(Finding::doubtful(
            "policy.mode",
            "dry_run: what is accepted is decided and written down, and nothing is changed in Genesys Cloud",
        )),
    }
    findings.push(match names.is_empty() {
        false => Finding::good("sources", names.join(", ")),
        true => {
            Finding::bad("sources", "none is configured, so no termination can arrive: add [sources.NAME]")
        }
    });
    findings.extend(of_sources::findings(config, &built));
    findings.extend(shared_authority(config));
    if !config.callbacks.is_empty() {
        findings.push(Finding::bad("callbacks", "this version does not send them: take [[callbacks]] out"));
    }
    findings.extend(progress::shown("checking", asked(config, &parts, &built)).await);
    match output {
        Output::Json => print::json(&findings),
        Output::Text => {
            print::mode(config.policy.mode);
            print::findings(&findings);
        }
    }
    match findings.iter().filter(|finding| !finding.ok).count() {
        0 => Ok(()),
        bad => Err(Failure::Failed(format!("{bad} of {} checks failed", findings.len()))),
    }
}

/// Sources that number people differently must not share an authority: the same id would mean two people.
fn shared_authority(config: &Config) -> Option<Finding> {
    let general = config.genesys.external_id_authority.as_ref()?;
    let has_own = |name: &&String| config.external_id_authorities.contains_key(*name);
    let sharing: Vec<&str> =
        config.sources.keys().filter(|name| !has_own(name)).map(String::as_str).collect();
    (sharing.len() > 1).then(|| {
        let detail = format!(
            "{} all rely on genesys.external_id_authority ({general:?}): where they number people differently, set sources.NAME.external_id_authority for each, \"\" where its ids are not in Genesys Cloud",
            sharing.join(", ")
        );
        Finding::doubtful("external ids", detail)
    })
}

/// What only the database and Genesys Cloud can answer.
async fn asked(config: &Config, parts: &Parts, sources: &[Source]) -> Vec<Finding> {
    let mut findings = database(parts).await;
    findings.extend(deliveries::findings(&parts.store, sources).await);
    findings.extend(single_sign_on::findings(config).await);
    let login = genesys(parts).await;
    let logged_in = login.ok;
    findings.push(login);
    if logged_in {
        let granted = parts.genesys.own_permissions().await;
        if granted.as_ref().map_or(true, Vec::is_empty) {
            findings.extend(probe::refused_reads(config, &parts.genesys).await);
        }
        findings.extend(permissions::findings(config, granted));
    }
    findings
}

async fn database(parts: &Parts) -> Vec<Finding> {
    let settings = match parts.store.durability().await {
        Ok(settings) => settings,
        Err(error) => {
            let detail = format!(
                "can't be used ({}): is it running, and is database.url right?",
                super::with_causes(&error)
            );
            return vec![Finding::bad("database", detail)];
        }
    };
    let mut findings: Vec<_> = settings.iter().map(|(name, setting)| durability(name, setting)).collect();
    findings.push(match parts.store.probe().await {
        Ok(()) => Finding::good("schema", "this version's, and the database takes writes"),
        Err(StoreError::SchemaVersion) => Finding::bad("schema", "another version's: run `leaver migrate`"),
        Err(error) => Finding::bad("schema", format!("{}: run `leaver migrate`", super::with_causes(&error))),
    });
    // Where it can't be asked, the findings before say so.
    findings.extend(unknown_events(&parts.store.unknown_words().await.unwrap_or_default()));
    findings
}

/// What senders tell of which nothing follows: mostly as it should be, and at times a rule that is missing.
fn unknown_events(words: &[UnknownWord]) -> Vec<Finding> {
    let of_source = |words: &[UnknownWord]| {
        let told = words.iter().map(|word| {
            format!("{:?} {}x, last {}", word.word, word.count, word.last_at.format("%Y-%m-%d %H:%M UTC"))
        });
        let (source, told) = (words.first()?.source.as_str(), told.collect::<Vec<_>>().join("; "));
        let what = format!("events of {source}");
        Some(Finding::good(&what, format!("no rule of its profile is about {told} (within 30 days)")))
    };
    words.chunk_by(|one, other| one.source == other.source).filter_map(of_source).collect()
}

fn durability(name: &str, setting: &str) -> Finding {
    let what = format!("database {name}");
    let fine = match name {
        "server_version_num" => setting.parse::<u32>().is_ok_and(|version| version >= SERVER_VERSION_MIN),
        _ => setting != "off" && setting != "local",
    };
    match (fine, name) {
        (true, _) => Finding::good(&what, setting),
        (false, "server_version_num") => {
            Finding::bad(&what, format!("{setting}: Postgres 15 or newer is needed"))
        }
        (false, _) => {
            Finding::bad(&what, format!("{setting}: a crash may lose acknowledged events; switch it on"))
        }
    }
}

async fn genesys(parts: &Parts) -> Finding {
    match parts.genesys.authenticate().await {
        Ok(()) => Finding::good("Genesys Cloud", "a token was issued to the OAuth client"),
        Err(error) => {
            let advice = if error.is_our_access() && !error.is_transient() {
                "the OAuth client or its secret is wrong: Admin > Integrations > OAuth, grant type Client Credentials"
            } else if matches!(error, Error::NoPermit(_)) {
                "the budget of calls is in the database: mend the database first"
            } else {
                "is genesys.region (or login_url) right, and can this machine reach it?"
            };
            Finding::bad("Genesys Cloud", format!("{}: {advice}", error.code()))
        }
    }
}
