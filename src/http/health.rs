//! `/livez` and `/readyz`: the first says that this process answers, the second that a delivery would be stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::problem::{Kind, Problem};
use crate::offboarding::choices::Mode;
use crate::store::{Store, StoreError};

/// How long a successful write speaks for the database.
const PROBE_GOOD_FOR: Duration = Duration::from_millis(500);

/// How long the database may take for the probe.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// What readiness depends on. Genesys Cloud is not among it: its outage changes nothing for ingest.
#[derive(Clone, Debug)]
pub struct Health {
    store: Store,
    stopping: CancellationToken,
    mode: Mode,
    written: Arc<Mutex<Option<Instant>>>,
}

impl Health {
    /// Ready until `stopping`, as long as the database takes writes.
    pub fn new(store: Store, stopping: CancellationToken, mode: Mode) -> Self {
        Self { store, stopping, mode, written: Arc::default() }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok\n").fallback(super::wrong_method))
            .route("/readyz", get(ready).fallback(super::wrong_method))
            .with_state(self)
    }

    /// Whether a delivery would be stored.
    pub(super) async fn is_ready(&self) -> bool {
        self.trouble().await.is_none()
    }

    async fn trouble(&self) -> Option<String> {
        if self.stopping.is_cancelled() {
            return Some("the process is stopping".to_owned());
        }
        // Around the lock as well: who asks while another's probe hangs would else be told only after it.
        match tokio::time::timeout(PROBE_DEADLINE, self.write()).await {
            Ok(Ok(())) => None,
            // Senders read this: what the database said stays in the log.
            Ok(Err(StoreError::Database(_))) => Some("the database does not take a write".to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database does not take a write in time".to_owned()),
        }
    }

    /// Lets the database take a write, or trusts one of a moment ago.
    async fn write(&self) -> Result<(), StoreError> {
        // The lock lets one caller probe for all who ask at the same time.
        let mut written = self.written.lock().await;
        if written.is_some_and(|at| at.elapsed() < PROBE_GOOD_FOR) {
            return Ok(());
        }
        *written = None;
        self.store.probe().await?;
        *written = Some(Instant::now());
        Ok(())
    }
}

async fn ready(State(health): State<Health>) -> Response {
    match health.trouble().await {
        None => match health.mode {
            Mode::Live => "ready\n".into_response(),
            Mode::DryRun => "ready (dry run: nothing is changed in Genesys Cloud)\n".into_response(),
        },
        Some(reason) => {
            let mut response = Problem::Unavailable.into_response();
            *response.body_mut() = serde_json::json!({
                "type": Kind::NotReady.uri(),
                "title": reason,
                "status": StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            })
            .to_string()
            .into();
            response
        }
    }
}
