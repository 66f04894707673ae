//! The configuration: every setting with its meaning, default and check, read from one TOML file and the environment;
//! leaves the language of a source's profile to `hris`.

mod address;
mod audit;
mod callbacks;
mod console;
mod duration;
mod error;
mod genesys;
mod load;
mod oidc;
mod operators;
mod overrides;
mod plan;
mod policy;
mod secret_files;
mod section;
mod sources;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use toml::Table;

pub use address::parse_address;
pub use audit::Audit;
pub use callbacks::{Callback, CallbackEvent, Method, Share, signing_key};
pub use console::Console;
pub use duration::{format_duration, parse_duration};
pub use error::ConfigError;
pub use genesys::{Genesys, REGIONS};
pub use load::Environment;
pub use oidc::{CALLBACK_PATH, Claim, Oidc};
pub use operators::{Operator, Role, is_operator_name};
pub use policy::{
    EffectiveAt, Mode, OffQueue, OnQueue, Order, PersonNotFound, Policy, Protected, ShiftEnd, WhenBusy,
};
pub use secret_files::SecretFile;

use crate::plan::choices::Choices;
use overrides::Overrides;
use section::Section;

const KEYS: &[&str] = &[
    "server",
    "database",
    "genesys",
    "sources",
    "policy",
    "plan",
    "worker",
    "operators",
    "callbacks",
    "console",
    "audit",
    "telemetry",
    "oidc",
];
const SERVER_KEYS: &[&str] = &["listen", "admin_listen", "body_limit", "stop_delay"];
const DATABASE_KEYS: &[&str] = &["url"];
const WORKER_KEYS: &[&str] = &["concurrency", "lease", "poll", "retry_base", "retry_max"];

/// One termination event fits into a kilobyte; a body is held in memory as a whole, once per connection.
const BODY_LIMIT: RangeInclusive<usize> = 1024..=1024 * 1024;

/// An orderly stop has 25 s in all, and connections are given some of them afterwards.
const STOP_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(15);

/// Each has a database connection at times, and Postgres gives out a hundred by default.
const CONCURRENCY: RangeInclusive<usize> = 1..=64;

/// Shorter, and a slow database loses leases of live workers; longer, and a dead worker's people wait.
const LEASE: RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(600);

/// Shorter only loads the database; longer, and what is due waits where a notification got lost.
const POLL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// Shorter is no pause at all; after a day without an attempt nobody remembers what the error was.
const RETRY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);

/// Everything that can be set. A value of this type was checked as a whole.
#[derive(Clone)]
pub struct Config {
    /// `[server]`: where requests are taken.
    pub server: Server,
    /// `[database]`: where everything is kept.
    pub database: Database,
    /// `[genesys]`: the organisation in Genesys Cloud.
    pub genesys: Genesys,
    /// `[sources.NAME]`: who sends webhooks. References are followed and each has secrets of at least 16 bytes; the
    /// rest of each table is checked by `hris`. The tables hold secrets in the clear and must not be printed.
    pub sources: BTreeMap<String, Table>,
    /// `[sources.NAME] external_id_authority`: the authority under which Genesys keeps the ids of this source; empty: its
    /// ids are never looked up. Default `genesys.external_id_authority`.
    pub external_id_authorities: BTreeMap<String, String>,
    /// The secrets of sources that stand in files, which are read again when they change.
    pub secret_files: Vec<SecretFile>,
    /// `[sources.NAME] samples`: the files with bodies of the sources that have some of their own. Relative ones are beside
    /// the configuration file.
    pub sample_files: BTreeMap<String, PathBuf>,
    /// `[policy]`: the rules by which an offboarding goes on.
    pub policy: Policy,
    /// `[plan]`: what is taken away, and how.
    pub plan: Choices,
    /// `[worker]`: how the engine takes up work.
    pub worker: Worker,
    /// `[telemetry]`: where traces are sent; nowhere by default.
    pub telemetry: crate::telemetry::traces::Settings,
    /// `[[operators]]`: who may use the operator API.
    pub operators: Vec<Operator>,
    /// `[[callbacks]]`: who is told about an offboarding's end.
    pub callbacks: Vec<Callback>,
    /// `[console]`: where people reach the console, and how long they stay signed in.
    pub console: Console,
    /// `[audit]`: signed checkpoints of the audit chain.
    pub audit: Audit,
    /// `[oidc]`: where people of the company sign in to the console. Default none: by their tokens alone.
    pub oidc: Option<Oidc>,
}

impl Config {
    /// Reads the file, and this process's environment for references and overrides.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in one line that names the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::from_toml(&load::read_config(path)?, &Environment::of_process())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in config.sample_files.values_mut() {
            *file = folder.join(&*file);
        }
        Ok(config)
    }

    /// Reads a file's text with any environment. Files that `file:` names are read; those of samples stay as written.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn from_toml(text: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let mut table = load::parse_toml(text)?;
        let overrides = Overrides::apply(environment, &mut table)?;
        let context = load::Context { environment, overrides };
        Self::read(&context, table).map_err(|problem| context.overrides.blame(problem))
    }

    fn read(context: &load::Context<'_>, table: Table) -> Result<Self, ConfigError> {
        let mut root = Section::root(context, table, KEYS)?;
        let server = Server::read(root.section("server", SERVER_KEYS)?)?;
        let database = Database::read(root.section("database", DATABASE_KEYS)?)?;
        let genesys = Genesys::read(root.section("genesys", genesys::KEYS)?)?;
        let sources::Sources { tables, authorities, secret_files, samples } = sources::read(&mut root)?;
        let operators = operators::read(root.sections("operators", operators::KEYS)?)?;
        let console = Console::read(root.section("console", console::KEYS)?)?;
        let oidc = Oidc::read(&mut root, &console, &operators)?;
        Ok(Self {
            server,
            database,
            genesys,
            sources: tables,
            external_id_authorities: authorities,
            secret_files,
            sample_files: samples,
            policy: Policy::read(root.section("policy", policy::KEYS)?)?,
            plan: plan::read(root.section("plan", plan::KEYS)?)?,
            worker: Worker::read(root.section("worker", WORKER_KEYS)?)?,
            telemetry: telemetry::read(root.section("telemetry", telemetry::KEYS)?)?,
            operators,
            callbacks: callbacks::read(root.sections("callbacks", callbacks::KEYS)?)?,
            console,
            oidc,
            audit: Audit::read(root.section("audit", audit::KEYS)?)?,
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole, so that a new field can't be forgotten here.
        let Self {
            server,
            database,
            genesys,
            sources,
            external_id_authorities,
            secret_files,
            sample_files,
            policy,
            plan,
            worker,
            telemetry,
            operators,
            callbacks,
            console,
            audit,
            oidc,
        } = self;
        f.debug_struct("Config")
            .field("server", server)
            .field("database", database)
            .field("genesys", genesys)
            // The names alone: the tables hold secrets in the clear.
            .field("sources", &sources.keys())
            .field("external_id_authorities", external_id_authorities)
            .field("secret_files", secret_files)
            .field("sample_files", sample_files)
            .field("policy", policy)
            .field("plan", plan)
            .field("worker", worker)
            .field("telemetry", telemetry)
            .field("operators", operators)
            .field("callbacks", callbacks)
            .field("console", console)
            .field("audit", audit)
            .field("oidc", oidc)
            .finish()
    }
}

/// Where requests are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Webhooks and health. Default 127.0.0.1:8080; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Operator API, console and metrics. Default 127.0.0.1:8081; port 0 takes any free one.
    pub admin_listen: SocketAddr,
    /// The longest body of a webhook, in bytes. Default 65536, 1 KiB to 1 MiB.
    pub body_limit: usize,
    /// For how long deliveries are taken at least once the process is to stop and says so at `/readyz`: until every load
    /// balancer has noticed. Default 3 s, up to 15 s.
    pub stop_delay: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            body_limit: 65_536,
            stop_delay: Duration::from_secs(3),
        }
    }
}

impl Server {
    fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let expected = "an IP address and a port such as 127.0.0.1:8080";
        let listen = section.parsed("listen", default.listen, expected, |text| text.parse().ok())?;
        let admin_key = section.key("admin_listen");
        let admin_listen =
            section.parsed("admin_listen", default.admin_listen, expected, |text| text.parse().ok())?;
        if listen == admin_listen && listen.port() != 0 {
            return Err(ConfigError::refused(admin_key, "is the same as server.listen"));
        }
        let body_limit = section.integer("body_limit", default.body_limit, BODY_LIMIT)?;
        let stop_delay = section.duration("stop_delay", default.stop_delay, STOP_DELAY)?;
        Ok(Self { listen, admin_listen, body_limit, stop_delay })
    }
}

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct Database {
    /// Postgres's connection string, `postgres://USER:PASSWORD@HOST/NAME`. Required; secret because of the password.
    pub url: SecretString,
}

impl Database {
    fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let url = section.required("url")?;
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.value.starts_with(scheme)) {
            return Err(ConfigError::refused(url.key, "expected postgres://USER:PASSWORD@HOST/NAME"));
        }
        Ok(Self { url: url.value.into() })
    }
}

/// How the engine takes up work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Offboardings that one replica works on at the same time. Default 8, 1 to 64.
    pub concurrency: usize,
    /// How long an offboarding stays with a worker that gives no sign of life. Default 30 s, 250 ms to 10 min.
    pub lease: Duration,
    /// How often due work is looked for without a notification. Default 1 s, 10 ms to 1 min.
    pub poll: Duration,
    /// The first pause after a failed attempt, doubled each time with full jitter. Default 2 s, 10 ms to 1 day.
    pub retry_base: Duration,
    /// The longest pause after a failed attempt, at least `retry_base`. Default 15 min, 10 ms to 1 day.
    pub retry_max: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 8,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(15 * 60),
        }
    }
}

impl Worker {
    fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let worker = Self {
            concurrency: section.integer("concurrency", default.concurrency, CONCURRENCY)?,
            lease: section.duration("lease", default.lease, LEASE)?,
            poll: section.duration("poll", default.poll, POLL)?,
            retry_base: section.duration("retry_base", default.retry_base, RETRY)?,
            retry_max: section.duration("retry_max", default.retry_max, RETRY)?,
        };
        if worker.retry_max < worker.retry_base {
            let shorter = format!(
                "{} is shorter than worker.retry_base, {}",
                format_duration(worker.retry_max),
                format_duration(worker.retry_base)
            );
            return Err(ConfigError::refused(section.key("retry_max"), shorter));
        }
        Ok(worker)
    }
}

#[cfg(test)]
mod tests;
