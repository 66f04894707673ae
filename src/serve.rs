//! Start and orderly stop: joins configuration, database, edge and worker, and ends them in the right order.

mod checkpoints;
mod secret_files;
mod signals;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::genesys::{self, Genesys};
use crate::hris::{Source, SourceError};
use crate::http;
use crate::http::api::Api;
use crate::http::audit::Audit;
use crate::http::auth::Operators;
use crate::http::console::Console;
use crate::http::health::Health;
use crate::http::metrics::{Facts, Metrics};
use crate::http::oidc::SingleSignOn;
use crate::http::scim::Scim;
use crate::http::session::Sessions;
use crate::http::webhooks::Webhooks;
use crate::lookup::{self, LookUps};
use crate::notify::{self, Notifier, Target, TargetError};
use crate::offboarding::choices::Mode;
use crate::offboarding::policy::BusyPolicy;
use crate::oidc;
use crate::operate;
use crate::pacing::SharedPacer;
use crate::plan::Plan;
use crate::store::progress::BrakeLimits;
use crate::store::{Store, StoreError};
use crate::telemetry;
use crate::worker::{Engine, Settings};

pub use checkpoints::witness;
use signals::StopSignals;
use workers::{Workers, background};

/// How long the worker may take in all, and the pools: a silent database must not keep the process from ending.
const BACKGROUND_DRAIN_MAX: Duration = Duration::from_secs(18);
const POOLS_CLOSE_MAX: Duration = Duration::from_secs(1);

/// The pause between two looks for answers that are too old to be kept.
const FORGET_PAUSE: Duration = Duration::from_secs(600);

/// How long open connections may take to end; with the worker's share an orderly stop ends within 25 s.
const CONNECTIONS_DRAIN_MAX: Duration = Duration::from_secs(4);

/// What keeps the service from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A source is not usable as configured.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The database's URL can't be used.
    #[error("database.url: not a usable Postgres URL")]
    Database(#[source] StoreError),
    /// The client of Genesys Cloud can't be made.
    #[error("genesys: {0}")]
    Genesys(#[from] genesys::BuildError),
    /// The client for look-ups can't be made.
    #[error("{0}")]
    LookUps(#[from] lookup::BuildError),
    /// A target of callbacks is not usable as configured.
    #[error("{0}")]
    Callback(#[from] TargetError),
    /// The client for callbacks can't be made.
    #[error("{0}")]
    Callbacks(#[from] notify::BuildError),
    /// The client for the issuer of the sign-in can't be made.
    #[error("{0}")]
    Oidc(#[from] oidc::BuildError),
    /// A listener can't be bound.
    #[error("server.{key}: {address} can't be bound")]
    Bind {
        /// `listen` or `admin_listen`.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The signals that stop the process can't be heard.
    #[error("signals can't be heard")]
    Signals(#[source] std::io::Error),
    /// Metrics can't be collected.
    #[error("metrics can't be collected")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The thread that watches the files of secrets can't be started.
    #[error("the files of secrets can't be watched")]
    SecretFiles(#[source] std::io::Error),
}

impl ServeError {
    /// Whether the configuration has to be mended, as against the machine.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Source(_) | Self::Database(_) | Self::Genesys(_) | Self::Callback(_) => true,
            Self::LookUps(_)
            | Self::Oidc(_)
            | Self::Callbacks(_)
            | Self::Bind { .. }
            | Self::Metrics(_)
            | Self::Signals(_)
            | Self::SecretFiles(_) => false,
        }
    }
}

/// Whether the process works on offboardings besides receiving them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It does.
    Here,
    /// Other processes do.
    Elsewhere,
}

/// Whether the process brings the schema to its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// Before anything else.
    AtStart,
    /// `leaver migrate` does.
    Never,
}

/// The parts that every command is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The client of Genesys Cloud, paced by the database.
    pub genesys: Genesys,
    /// Stops new calls.
    pub stop: CancellationToken,
}

impl Parts {
    /// Makes the parts without connecting anywhere.
    pub fn new(config: &Config) -> Result<Self, ServeError> {
        let store = Store::open(config.database.url.expose_secret()).map_err(ServeError::Database)?;
        let store = store.with_approvals_valid_for(config.policy.approval_valid);
        let stop = CancellationToken::new();
        let pacer = SharedPacer::new(store.clone(), config.genesys.requests_per_minute, stop.clone());
        let settings = genesys::Settings {
            api_url: config.genesys.api_url().clone(),
            login_url: config.genesys.login_url().clone(),
            client_id: config.genesys.client_id.clone(),
            client_secret: config.genesys.client_secret.clone(),
            // A call must not outlast the lease under which it was begun.
            timeout: config.genesys.timeout.min(config.worker.lease / 2),
            user_agent: concat!("leaver/", env!("CARGO_PKG_VERSION")).to_owned(),
            waits: genesys::Waits::default(),
        };
        let genesys = Genesys::new(settings, Arc::new(pacer))?;
        let genesys = match config.policy.mode {
            Mode::Live => genesys,
            Mode::DryRun => genesys.reading_only(),
        };
        Ok(Self { store, genesys, stop })
    }

    /// The engine over these parts. It leaves alone whom the HRIS has to be asked about first.
    pub fn engine(&self, config: &Config) -> Engine {
        let asked = config.sources.iter().filter(|(_, table)| table.contains_key("lookup"));
        let store = self.store.clone().with_asked_sources(asked.map(|(name, _)| name.clone()).collect());
        Engine::new(store, self.genesys.clone(), engine_settings(config))
    }

    /// What asks the HRIS of these sources.
    pub fn look_ups(&self, config: &Config, sources: &[Arc<Source>]) -> Result<LookUps, ServeError> {
        let look_ups = sources.iter().filter_map(|s| Some((s.name().to_owned(), Arc::clone(s.look_up()?))));
        let settings = lookup::Settings {
            look_ups: look_ups.collect(),
            zone: config.policy.time_zone.clone(),
            effective_at: config.policy.effective_at,
            poll: config.worker.poll,
            retry_base: config.worker.retry_base,
            retry_max: config.worker.retry_max,
            attempts_max: config.policy.attempts_max,
            second_look: config.policy.not_found_recheck,
        };
        Ok(LookUps::new(self.store.clone(), lookup::Client::new()?, settings))
    }

    /// What tells others of offboardings.
    pub fn notifier(&self, config: &Config) -> Result<Notifier, ServeError> {
        let (targets, console) = (callback_targets(config)?, config.console.url.clone());
        Ok(Notifier::new(self.store.clone(), targets, console, config.worker.poll)?)
    }
}

/// What a dry run needs of the configuration.
pub fn preview_rules(config: &Config) -> operate::Rules {
    let policy = &config.policy;
    operate::Rules {
        plan: Plan::new(config.plan.clone()),
        order: policy.order,
        order_by_type: policy.order_by_type.clone(),
        protected: policy.protected.clone(),
        busy: busy_policy(config),
        immediate_types: policy.immediate_types.clone(),
        administrator_roles: policy.administrator_roles.clone(),
        time_zone: policy.time_zone.clone(),
        external_id_authority: config.genesys.external_id_authority.clone(),
        external_id_authority_by_source: config.external_id_authorities.clone(),
    }
}

/// What an operator's own termination needs of the configuration.
pub fn own_rules(config: &Config) -> operate::OwnRules {
    operate::OwnRules {
        zone: config.policy.time_zone.clone(),
        effective_at: config.policy.effective_at,
        external_ids: match config.genesys.external_id_authority {
            Some(_) => operate::ExternalIds::Known,
            None => operate::ExternalIds::Unknown,
        },
    }
}

/// Builds every configured source, and holds each that has samples of its own to them.
pub fn sources(config: &Config) -> Result<Vec<Source>, SourceError> {
    let build = |(name, table): (&String, &toml::Table)| {
        let source = Source::build(name, table)?;
        if let Some(file) = config.sample_files.get(name) {
            source.replay_file(file)?;
        }
        Ok(source)
    };
    config.sources.iter().map(build).collect()
}

/// Checks everybody who is told of offboardings.
pub fn callback_targets(config: &Config) -> Result<Vec<Target>, TargetError> {
    config.callbacks.iter().map(Target::new).collect()
}

/// Everything that receives and reads deliveries of the configured sources.
pub fn webhooks(config: &Config, parts: &Parts, sources: &[Arc<Source>]) -> Webhooks {
    let policy = &config.policy;
    let posting = sources.iter().filter(|source| source.scim().is_none());
    Webhooks::new(
        parts.store.clone(),
        posting.cloned().collect(),
        config.server.body_limit,
        policy.time_zone.clone(),
        policy.effective_at,
        policy.mode,
    )
}

/// Serves webhooks, health and the operator API, and works where `work` says so, until a signal. `announce` is given
/// the line that says where.
pub async fn serve(
    config: &Config,
    work: Work,
    migrate: Migrate,
    announce: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let stop = StopSignals::listen().map_err(ServeError::Signals)?;
    let parts = Parts::new(config)?;
    let sources: Vec<_> = sources(config)?.into_iter().map(Arc::new).collect();
    // Also where others send: a mistake is told at the start of whatever reads the configuration.
    callback_targets(config)?;
    let workers = match work {
        Work::Here => Some(Workers::new(config, &parts, &sources)?),
        Work::Elsewhere => None,
    };
    let recorder = telemetry::metrics::install()?;
    let _watching = secret_files::watch(config, &sources).map_err(ServeError::SecretFiles)?;
    let public = bind("listen", config.server.listen).await?;
    let admin = bind("admin_listen", config.server.admin_listen).await?;
    if let (Ok(public), Ok(admin)) = (public.local_addr(), admin.local_addr()) {
        announce(&format!("listening on http://{public} (webhooks), http://{admin} (admin)"));
    }
    say_the_mode(config);
    let stopping = CancellationToken::new();
    let closing = CancellationToken::new();
    let webhooks = webhooks(config, &parts, &sources);
    let provisioning = sources.iter().filter(|source| source.scim().is_some()).cloned().collect();
    let scim = Scim::new(parts.store.clone(), provisioning, config.server.body_limit);
    let health = Health::new(parts.store.clone(), stopping.clone(), config.policy.mode);
    let metrics = Metrics::new(recorder.clone(), parts.store.clone(), health.clone(), facts(config));
    let api = api(config, &parts, webhooks.clone(), metrics)?;
    let console =
        Console::new(api.clone(), config.console.clone(), &sources, scim.clone(), closing.clone()).router();
    let routes = webhooks.router().merge(scim.router()).merge(health.clone().router());
    let public = tokio::spawn(http::serve(public, routes, closing.clone()));
    let admin = tokio::spawn(http::serve(admin, api.router().merge(console), closing.clone()));
    let background = tokio::spawn(background(parts.clone(), workers, migrate, stopping.clone()));
    let upkeep = tokio::spawn(telemetry::metrics::upkeep(recorder));
    let forgetting = tokio::spawn(forget_answers(parts.store.clone()));
    stop.first().await;
    upkeep.abort();
    forgetting.abort();
    // In this order: not ready, no new work, the running calls, and the listeners last: deliveries are taken until then.
    stopping.cancel();
    parts.stop.cancel();
    let drained = tokio::time::timeout(BACKGROUND_DRAIN_MAX, background);
    // At least until whoever sends deliveries here has noticed.
    let _ = tokio::join!(drained, tokio::time::sleep(config.server.stop_delay));
    closing.cancel();
    let listeners = async { tokio::join!(public, admin) };
    if tokio::time::timeout(CONNECTIONS_DRAIN_MAX, listeners).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    let _ = tokio::time::timeout(POOLS_CLOSE_MAX, parts.store.close()).await;
    Ok(())
}

/// Works until a signal.
pub async fn work(config: &Config, migrate: Migrate) -> Result<(), ServeError> {
    let stop = StopSignals::listen().map_err(ServeError::Signals)?;
    let parts = Parts::new(config)?;
    let workers =
        Workers::new(config, &parts, &sources(config)?.into_iter().map(Arc::new).collect::<Vec<_>>())?;
    say_the_mode(config);
    let stopping = CancellationToken::new();
    let background = tokio::spawn(background(parts.clone(), Some(workers), migrate, stopping.clone()));
    stop.first().await;
    stopping.cancel();
    parts.stop.cancel();
    let _ = tokio::time::timeout(BACKGROUND_DRAIN_MAX, background).await;
    let _ = tokio::time::timeout(POOLS_CLOSE_MAX, parts.store.close()).await;
    Ok(())
}

/// Deletes the answers to operators' requests that are older than they are kept for, also where no new request comes.
async fn forget_answers(store: Store) {
    loop {
        // A database that is away is asked again the next time.
        while let Ok(true) = store.forget_keys().await {}
        tokio::time::sleep(FORGET_PAUSE).await;
    }
}

/// An acknowledged event survives a crash only with these settings.
async fn tell_durability(store: &Store) {
    let settings = store.durability().await.unwrap_or_default();
    for (name, setting) in settings {
        if matches!(name.as_str(), "fsync" | "full_page_writes" | "synchronous_commit") && setting == "off" {
            tracing::error!(name, "the database may lose what was acknowledged: this setting is off");
        }
    }
}

/// Whoever reads the log must not take a dry run for the real thing.
fn say_the_mode(config: &Config) {
    match config.policy.mode {
        Mode::Live => {}
        Mode::DryRun => {
            tracing::warn!(
                "policy.mode is dry_run: what would be done is written down, and nothing is changed"
            );
        }
    }
}

fn api(config: &Config, parts: &Parts, webhooks: Webhooks, metrics: Metrics) -> Result<Api, ServeError> {
    let operators = Operators::new(&config.operators);
    let sessions = Sessions::new(parts.store.clone(), operators.clone(), config.console.clone());
    let single_sign_on = SingleSignOn::configured(config)?;
    let sessions = match &config.oidc {
        Some(issuer) => sessions.also_by(issuer),
        None => sessions,
    };
    Ok(Api {
        store: parts.store.clone(),
        mode: config.policy.mode,
        genesys: parts.genesys.clone(),
        preview_rules: preview_rules(config),
        own_rules: own_rules(config),
        brake: brake_limits(config),
        operators,
        sessions,
        single_sign_on,
        webhooks,
        audit: Audit::new(witness(&config.audit)),
        metrics,
    })
}

/// What the metrics say of the configuration.
fn facts(config: &Config) -> Facts {
    Facts {
        mode: config.policy.mode,
        brake: brake_limits(config),
        calls_per_minute: config.genesys.requests_per_minute,
        checkpoints: config.audit.checkpoint_key.is_some(),
        sources: config.sources.keys().cloned().collect(),
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Bind { key, address, cause })
}

fn busy_policy(config: &Config) -> BusyPolicy {
    let policy = &config.policy;
    BusyPolicy {
        when_busy: policy.when_busy,
        on_queue: policy.on_queue,
        off_queue: policy.off_queue,
        shift_end: policy.shift_end,
        shift_grace: policy.shift_grace,
        recheck: policy.busy_recheck,
        wait_max: policy.busy_wait_max,
    }
}

fn brake_limits(config: &Config) -> BrakeLimits {
    BrakeLimits { per_hour: config.policy.changes_per_hour_max, per_day: config.policy.changes_per_day_max }
}

fn engine_settings(config: &Config) -> Settings {
    let (policy, worker) = (&config.policy, &config.worker);
    Settings {
        mode: policy.mode,
        concurrency: worker.concurrency,
        lease: worker.lease,
        poll: worker.poll,
        retry_base: worker.retry_base,
        retry_max: worker.retry_max,
        attempts_max: policy.attempts_max,
        verify_reads: policy.verify_reads,
        order: policy.order,
        order_by_type: policy.order_by_type.clone(),
        plan: Plan::new(config.plan.clone()),
        busy: busy_policy(config),
        immediate_types: policy.immediate_types.clone(),
        not_found: policy.person_not_found,
        not_found_recheck: policy.not_found_recheck,
        protected: policy.protected.clone(),
        brake: brake_limits(config),
        administrator_roles: policy.administrator_roles.clone(),
        time_zone: policy.time_zone.clone(),
        external_id_authority: config.genesys.external_id_authority.clone(),
        external_id_authority_by_source: config.external_id_authorities.clone(),
    }
}
