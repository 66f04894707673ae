//! Everything in Postgres: the only SQL of the crate. Pools, the one way to run a transaction, migrations, readiness.
//! What the rows mean is said by `offboarding`; who acts on them is `worker` and `operate`.

pub mod approvals;
mod asked;
pub mod audit;
pub mod brake;
pub mod budget;
pub mod callbacks;
mod cases;
pub mod claims;
pub mod completions;
pub mod console;
pub mod decisions;
mod dry_run;
pub mod earlier;
pub mod event_views;
pub mod events;
pub mod figures;
pub mod idempotency;
pub mod journal;
pub mod keys;
pub mod layoffs;
pub mod leases;
mod leaving;
pub mod look_ups;
pub mod pause;
pub mod population;
pub mod progress;
mod reach;
pub mod readings;
pub mod replays;
pub mod scim;
pub mod sessions;
pub mod sign_ins;
pub mod snapshot;
pub mod tokens;
pub mod views;
mod waits;
mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

/// The schema of this version.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The channel on which an event that is due at once wakes the workers.
const WAKE_CHANNEL: &str = "leaver_wake";

/// Connections for what the senders say, for the worker, for the readiness probe and for all that operators ask and decide
/// (with what scrapers read) are apart, so that none of them starves another: whoever looks holds up no delivery.
const INGEST_CONNECTIONS: u32 = 5;
const WORKER_CONNECTIONS: u32 = 10;
const PROBE_CONNECTIONS: u32 = 1;
const OPERATORS_CONNECTIONS: u32 = 5;

/// How long a caller waits for a connection: an answer is due within 3 s.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a transaction is run again after a deadlock or a serialisation failure before it counts as trouble.
const TRANSACTION_TRIES: u32 = 4;

/// What goes wrong between this process and its database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, refuses the statement or took too long.
    #[error("the database did not do what was asked: {0}")]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought to this version.
    #[error("the database could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The transaction's task ended without an answer.
    #[error("the database task ended early")]
    TaskEnded(#[from] tokio::task::JoinError),
    /// A row holds a word that this version does not know.
    #[error("the database holds a value that this version does not know, in {column}")]
    UnknownValue {
        /// The column, as `table.column`.
        column: &'static str,
    },
    /// An event id is known with other content; the transaction is rolled back and the first stays.
    #[error("the event id is known with other content")]
    EventIdReused,
    /// The lease is somebody else's; the transaction is rolled back.
    #[error("the lease is no longer this worker's")]
    LeaseLost,
    /// The request is carried out by somebody else by now; the transaction is rolled back.
    #[error("another process carries the request out")]
    ClaimLost,
    /// The schema is another version's.
    #[error("the database's schema is not this version's: run `leaver migrate`")]
    SchemaVersion,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // A schema, table, column or function that is not there: every statement is checked against this version's schema.
        const NOT_THERE: [&str; 4] = ["3F000", "42P01", "42703", "42883"];
        let code = error.as_database_error().and_then(|database| database.code());
        let not_there = code.is_some_and(|code| NOT_THERE.contains(&&*code));
        if not_there { Self::SchemaVersion } else { Self::Database(error) }
    }
}

/// The service's database.
#[derive(Clone, Debug)]
pub struct Store {
    options: PgConnectOptions,
    ingest: PgPool,
    worker: PgPool,
    probe: PgPool,
    operators: PgPool,
    /// How long an approval that is given through this store is valid.
    approval_valid: Duration,
    /// The sources whose HRIS is asked before anything is changed.
    asked_sources: Arc<[String]>,
}

/// What the service is to its database.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Nothing is forbidden to it there, the record included.
    pub superuser: bool,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// A transaction of ours, always inside a task of its own.
pub(crate) type Tx<'t> = &'t mut Transaction<'static, Postgres>;

impl Store {
    /// Opens the pools without connecting: a service whose database is away starts, and says that it is not ready.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("leaver");
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(|connection, _| Box::pin(prepare_session(connection)))
                .after_release(|connection, _| Box::pin(leave_no_transaction(connection)))
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            ingest: pool(INGEST_CONNECTIONS),
            worker: pool(WORKER_CONNECTIONS),
            probe: pool(PROBE_CONNECTIONS),
            operators: pool(OPERATORS_CONNECTIONS),
            options,
            approval_valid: approvals::VALID_DEFAULT,
            asked_sources: Arc::default(),
        })
    }

    /// The same store, through which approvals are given for this long.
    pub fn with_approvals_valid_for(self, approval_valid: Duration) -> Self {
        Self { approval_valid, ..self }
    }

    /// The same store, through which nobody of these sources is worked on before their HRIS has confirmed it.
    pub fn with_asked_sources(self, sources: Vec<String>) -> Self {
        Self { asked_sources: sources.into(), ..self }
    }

    /// Brings the schema to this version; does nothing where it is there already. Safe beside other replicas: an
    /// advisory lock lets one at a time. On a connection of its own, which is closed afterwards: the lock goes with it,
    /// and the limits of the other pools are too short for waiting until another migrator has finished.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = match pool.connect_with(self.options.clone()).await {
            Ok(pool) => pool,
            // A pool only says that it waited in vain.
            Err(error) => return Err(self.reach().await.err().unwrap_or(error.into())),
        };
        let migrated = MIGRATIONS.run(&pool).await;
        pool.close().await;
        Ok(migrated?)
    }

    /// Writes one row and compares the schema's version.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or_default();
        let found = in_transaction(&self.probe, |tx| {
            Box::pin(async move {
                // probe
                sqlx::query!("update readiness_probe set probed_at = now()").execute(&mut **tx).await?;
                let version = sqlx::query_scalar!("select max(version) from _sqlx_migrations where success")
                    .fetch_one(&mut **tx);
                Ok(version.await?)
            })
        })
        .await?;
        if found == Some(newest) { Ok(()) } else { Err(StoreError::SchemaVersion) }
    }

    /// Listens for events that are due at once.
    pub async fn listen(&self) -> Result<PgListener, StoreError> {
        let mut listener = PgListener::connect_with(&self.worker).await?;
        listener.listen(WAKE_CHANNEL).await?;
        Ok(listener)
    }

    /// The settings that decide whether an acknowledged event survives a crash, each with its value.
    pub async fn durability(&self) -> Result<Vec<(String, String)>, StoreError> {
        in_transaction(&self.probe, |tx| {
            Box::pin(async move {
                let rows = sqlx::query!(
                    // durability
                    r#"select name as "name!", setting as "setting!" from pg_settings
                       where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'server_version_num')
                       order by name"#
                )
                .fetch_all(&mut **tx)
                .await?;
                Ok(rows.into_iter().map(|r| (r.name, r.setting)).collect())
            })
        })
        .await
    }

    /// What the service is to its database: whether it is a superuser there, and what time it is there.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        in_transaction(&self.probe, |tx| {
            Box::pin(async move {
                let row = sqlx::query_as!(
                    Standing,
                    // standing
                    r#"select current_setting('is_superuser') = 'on' as "superuser!", clock_timestamp() as "now!""#
                );
                Ok(row.fetch_one(&mut **tx).await?)
            })
        })
        .await
    }

    /// Closes all connections, waiting for what is in flight.
    pub async fn close(&self) {
        self.ingest.close().await;
        self.worker.close().await;
        self.probe.close().await;
        self.operators.close().await;
    }
}

/// Runs one transaction to its end in a task that nobody cancels, again after a deadlock.
///
/// Why a task: when the future of `begin()` is dropped between `BEGIN` and its answer, the connection goes back to the
/// pool inside a transaction, and what the next user writes there is acknowledged and lost.
pub(crate) async fn in_transaction<T, W>(pool: &PgPool, work: W) -> Result<T, StoreError>
where
    T: Send + 'static,
    W: for<'t> Fn(Tx<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
{
    let pool = pool.clone();
    let claim = idempotency::present();
    let task = async move {
        let mut tries = 1;
        loop {
            match run_once(&pool, &work).await {
                Err(error) if tries < TRANSACTION_TRIES && wants_another_try(&error) => tries += 1,
                result => return result,
            }
        }
    };
    tokio::spawn(idempotency::with(claim, task)).await?
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that begins a transaction, inside a task of its own"
)]
async fn run_once<T, W>(pool: &PgPool, work: &W) -> Result<T, StoreError>
where
    W: for<'t> Fn(Tx<'t>) -> BoxFuture<'t, Result<T, StoreError>> + Sync,
{
    let asked = Instant::now();
    let begun = pool.begin().await;
    // Also where none came: that is the wait that matters.
    metrics::histogram!("leaver_pool_wait_seconds").record(asked.elapsed());
    let mut tx = begun?;
    let result = work(&mut tx).await?;
    tx.commit().await?;
    Ok(result)
}

fn wants_another_try(error: &StoreError) -> bool {
    const SERIALIZATION_FAILURE: &str = "40001";
    const DEADLOCK_DETECTED: &str = "40P01";
    let StoreError::Database(sqlx::Error::Database(database)) = error else {
        return false;
    };
    database.code().is_some_and(|code| code == SERIALIZATION_FAILURE || code == DEADLOCK_DETECTED)
}

/// Bounds what a session may hold up, and never commits with less durability than `on`.
async fn prepare_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection
        .execute(
            "set lock_timeout = '2s'; set statement_timeout = '10s';
             set idle_in_transaction_session_timeout = '10s'; set time zone 'UTC';
             select set_config('synchronous_commit', 'on', false)
             where current_setting('synchronous_commit') in ('off', 'local')",
        )
        .await?;
    Ok(())
}

/// The last net under a cancelled `begin()`: no connection goes back into a pool with a transaction open.
async fn leave_no_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    connection.execute("rollback").await?;
    connection.ping().await?;
    Ok(true)
}

/// Whether one of these is in no row: Postgres keeps no text with a NUL, and can't compare one either.
pub(crate) fn matches_nothing<'a>(texts: impl IntoIterator<Item = &'a Option<String>>) -> bool {
    texts.into_iter().flatten().any(|text| text.contains('\0'))
}

/// Reads a stored word back into its type.
pub(crate) fn word<T: std::str::FromStr>(text: &str, column: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::UnknownValue { column })
}
