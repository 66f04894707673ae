//! `leaver check`: whether the service could do its work as configured, in words, with what to do.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    Failure, Output, callbacks, deliveries, permissions, print, probe, progress, single_sign_on,
    sources as of_sources,
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

/// How far the clocks may be apart: a sender's signature is refused where they differ by minutes.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// What brings the schema to this version.
const MIGRATE: &str = "run `leaver migrate`, with every replica of an older version still able to work";

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
    /// What was checked.
    pub(super) check: String,
    pub(super) ok: bool,
    pub(super) severity: Level,
    /// What was found, and why it matters.
    pub(super) what: String,
    /// What a person does about it.
    #[serde(rename = "do")]
    pub(super) todo: Option<String>,
}

impl Finding {
    fn new(check: &str, severity: Level, what: String) -> Self {
        Self { check: check.to_owned(), ok: severity != Level::Fail, severity, what, todo: None }
    }

    /// Adds what a person does about it.
    pub(super) fn with_advice(self, todo: impl Into<String>) -> Self {
        Self { todo: Some(todo.into()), ..self }
    }

    pub(super) fn good(check: &str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, what.into())
    }

    pub(super) fn doubtful(check: &str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Warn, what.into())
    }

    pub(super) fn bad(check: &str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Fail, what.into())
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
        )
        .with_advice("set policy.mode = \"live\" and restart all processes, once the held ones read as they should")),
    }
    findings.push(match names.is_empty() {
        false => Finding::good("sources", names.join(", ")),
        true => Finding::bad("sources", "none is configured, so no termination can arrive")
            .with_advice("add [sources.NAME] with a profile and secrets: docs/sources.md has each HR system"),
    });
    findings.extend(of_sources::findings(config, &built));
    findings.extend(shared_authority(config));
    findings.extend(callbacks::of_targets(config)?);
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
            "{} all rely on genesys.external_id_authority ({general:?}): where they number people differently, one id means two people",
            sharing.join(", ")
        );
        Finding::doubtful("external ids", detail).with_advice(
            "set sources.NAME.external_id_authority for each, \"\" where its ids are not in Genesys Cloud",
        )
    })
}

/// What only the database and Genesys Cloud can answer.
async fn asked(config: &Config, parts: &Parts, sources: &[Source]) -> Vec<Finding> {
    if let Err(error) = parts.store.reach().await {
        let mut findings = vec![away(&error)];
        findings.extend(single_sign_on::findings(config).await);
        let what = "not asked: the budget of calls is in the database";
        findings.push(Finding::bad("Genesys Cloud", what).with_advice("mend the database first"));
        return findings;
    }
    let mut findings = database(parts).await;
    findings.extend(deliveries::findings(&parts.store, sources).await);
    findings.extend(callbacks::outbox(parts).await);
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
        Err(error) => return vec![away(&error)],
    };
    let mut findings: Vec<_> = settings.iter().map(|(name, setting)| durability(name, setting)).collect();
    findings.push(match parts.store.probe().await {
        Ok(()) => Finding::good("schema", "this version's, and the database takes writes"),
        Err(StoreError::SchemaVersion) => {
            Finding::bad("schema", "another version's, so the service is not ready").with_advice(MIGRATE)
        }
        Err(error) => {
            let what = format!("{}, so nothing can be stored", super::with_causes(&error));
            Finding::bad("schema", what).with_advice(MIGRATE)
        }
    });
    let before = Utc::now();
    if let Ok(standing) = parts.store.standing().await {
        findings.extend(superuser(standing.superuser));
        findings.push(clock(standing.now, before, Utc::now()));
    }
    // Where it can't be asked, the findings before say so.
    findings.extend(unknown_events(&parts.store.unknown_words().await.unwrap_or_default()));
    findings
}

/// Nothing can be done without the database.
fn away(error: &StoreError) -> Finding {
    let what = format!("can't be used ({}), so nothing can be received", super::with_causes(error));
    Finding::bad("database", what).with_advice(
        "is it running, and is database.url right? Host, port, name, user and password stand there",
    )
}

/// Nobody can keep a superuser from changing the record.
fn superuser(superuser: bool) -> Option<Finding> {
    let what =
        "a superuser: whoever has its password may change the record, and every other database of the server";
    let todo = "create role leaver login password '…'; alter database NAME owner to leaver; then name it in database.url";
    superuser.then(|| Finding::doubtful("database user", what).with_advice(todo))
}

/// Leases go by the database's clock, and the moment of a termination by this machine's: the two have to agree.
fn clock(database: DateTime<Utc>, before: DateTime<Utc>, after: DateTime<Utc>) -> Finding {
    let ahead = (before - database).max(database - after).max(TimeDelta::zero());
    if ahead < CLOCK_SKEW_MAX {
        return Finding::good("clock", "this machine and the database agree");
    }
    let what = format!(
        "this machine and the database are {} s apart, so deliveries may be refused as stale and people taken out at another time",
        ahead.num_seconds()
    );
    Finding::bad("clock", what)
        .with_advice("let both take their time from NTP: compare `date -u` on both machines")
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
    let check = format!("database {name}");
    let fine = match name {
        "server_version_num" => setting.parse::<u32>().is_ok_and(|version| version >= SERVER_VERSION_MIN),
        _ => setting != "off" && setting != "local",
    };
    match (fine, name) {
        (true, _) => Finding::good(&check, setting),
        (false, "server_version_num") => {
            Finding::bad(&check, format!("{setting}: Leaver is tried with Postgres 15 and newer only"))
                .with_advice(
                    "move the database to a server of Postgres 15 or newer, with pg_dump and pg_restore",
                )
        }
        (false, _) => {
            let what = format!("{setting}: a crash of the server may lose acknowledged events");
            let todo = format!("switch it on: alter system set {name} = 'on'; select pg_reload_conf()");
            Finding::bad(&check, what).with_advice(todo)
        }
    }
}

async fn genesys(parts: &Parts) -> Finding {
    match parts.genesys.authenticate().await {
        Ok(()) => Finding::good("Genesys Cloud", "a token was issued to the OAuth client"),
        Err(error) => {
            let (why, todo) = if error.is_our_access() && !error.is_transient() {
                (
                    "the OAuth client or its secret is wrong, so nobody can be taken out",
                    "in Genesys Cloud, Admin > Integrations > OAuth, open the client: its grant type has to be Client Credentials; put its id and secret into genesys.client_id and genesys.client_secret",
                )
            } else if matches!(error, Error::NoPermit(_)) {
                ("the budget of calls is in the database", "mend the database first")
            } else {
                (
                    "it could not be asked, so nobody can be taken out",
                    "is genesys.region (or login_url) right, and may this machine reach it on port 443?",
                )
            };
            Finding::bad("Genesys Cloud", format!("{}: {why}", error.code())).with_advice(todo)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_or_forgets_fails_with_what_to_do() {
        for (name, setting, words) in [
            ("server_version_num", "140012", "Postgres 15"),
            ("fsync", "off", "set fsync = 'on'"),
            ("synchronous_commit", "local", "set synchronous_commit = 'on'"),
        ] {
            let finding = durability(name, setting);
            assert!(
                !finding.ok && finding.todo.as_ref().is_some_and(|todo| todo.contains(words)),
                "{finding:?}"
            );
        }
        assert!(durability("server_version_num", "150000").ok && durability("fsync", "on").ok);
    }

    #[test]
    fn clocks_that_disagree_are_told_and_a_slow_answer_is_no_disagreement() {
        let now = DateTime::UNIX_EPOCH;
        let far = CLOCK_SKEW_MAX;
        assert!(clock(now, now, now).ok && clock(now, now - far, now + far).ok);
        for (database, before) in [(now + far, now), (now - far, now)] {
            let finding = clock(database, before, before);
            assert!(!finding.ok && finding.what.contains("5 s apart"), "{finding:?}");
        }
    }

    #[test]
    fn a_superuser_is_a_warning() {
        assert!(superuser(false).is_none());
        assert_eq!(superuser(true).unwrap().severity, Level::Warn);
    }
}
