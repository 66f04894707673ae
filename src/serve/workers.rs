//! What a process does in the background: the schema first, then offboardings, look-ups, callbacks and checkpoints, until it
//! is stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::checkpoints::Checkpoints;
use super::{Migrate, Parts, ServeError, tell_durability};
use crate::config::Config;
use crate::hris::Source;
use crate::lookup::LookUps;
use crate::notify::Notifier;
use crate::worker::Engine;

/// The pause between two tries to reach a database that is away at the start.
const MIGRATION_PAUSE: Duration = Duration::from_secs(1);

/// What works in the background.
pub(super) struct Workers {
    engine: Engine,
    look_ups: LookUps,
    checkpoints: Option<Checkpoints>,
    notifier: Notifier,
}

impl Workers {
    pub(super) fn new(config: &Config, parts: &Parts, sources: &[Arc<Source>]) -> Result<Self, ServeError> {
        Ok(Self {
            engine: parts.engine(config),
            look_ups: parts.look_ups(config, sources)?,
            notifier: parts.notifier(config)?,
            checkpoints: Checkpoints::new(&config.audit, &parts.store),
        })
    }
}

/// Brings the schema to this version as soon as the database is there, then works.
pub(super) async fn background(
    parts: Parts,
    workers: Option<Workers>,
    migrate: Migrate,
    stop: CancellationToken,
) {
    while migrate == Migrate::AtStart && !stop.is_cancelled() {
        let migrated =
            tokio::select! { migrated = parts.store.migrate() => migrated, () = stop.cancelled() => return };
        match migrated {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the schema is not at this version yet"
                );
                tokio::select! { () = tokio::time::sleep(MIGRATION_PAUSE) => {} () = stop.cancelled() => return }
            }
        }
    }
    tell_durability(&parts.store).await;
    match workers {
        Some(Workers { engine, look_ups, notifier, checkpoints }) => {
            let signed = async {
                if let Some(checkpoints) = checkpoints {
                    checkpoints.run(stop.clone()).await
                }
            };
            tokio::join!(
                engine.run(stop.clone()),
                look_ups.run(stop.clone()),
                notifier.run(stop.clone()),
                signed
            );
        }
        None => stop.cancelled().await,
    }
}
