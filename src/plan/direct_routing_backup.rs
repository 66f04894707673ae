//! The backup of direct routing: who takes a leaver's calls when they don't, and whether callers wait for them first.

use async_trait::async_trait;
use serde_json::Value;

use super::{Batch, Echo, Look, PutBacks, Step, id};
use crate::genesys::{CallFailed, Done, Error, OneCall, UserId};
use crate::offboarding::{Observation, Phase, StepName};

/// What Genesys Cloud only tells: whom this person is the backup of.
const READ_ONLY: &str = "backedUpUsers";

pub(super) struct DirectRoutingBackup;

#[async_trait]
impl Step for DirectRoutingBackup {
    fn name(&self) -> StepName {
        "strip.direct_routing_backup"
    }

    fn phase(&self) -> Phase {
        Phase::Strip
    }

    fn title(&self) -> &'static str {
        "direct-routing backup"
    }

    fn echo(&self, _batch: &Batch) -> Echo {
        Echo::TellsGone
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:directRoutingBackup:view"], &["routing:directRoutingBackup:delete"]]
    }

    fn restore_permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["routing:directRoutingBackup:edit"]]
    }

    fn own_reads(&self) -> u32 {
        1
    }

    async fn observe(&self, look: &Look<'_>, cohort: &[UserId]) -> Vec<Result<Observation, Error>> {
        let mut seen = Vec::with_capacity(cohort.len());
        for user in cohort {
            seen.push(look.genesys().direct_routing_backup_of(user).await.map(|settings| match settings {
                None => Observation::default(),
                Some(settings) => Observation::one(user.as_str(), self.name(), "settings", settings),
            }));
        }
        seen
    }

    async fn remove(&self, _look: &Look<'_>, call: OneCall, batch: &Batch) -> Result<Done, CallFailed> {
        call.delete_direct_routing_backup(&id::<UserId>(&batch.first().user)?).await
    }

    fn is_as_before(&self, stored: &Value, present: &Value) -> bool {
        let writable = |settings: &Value| {
            let mut settings = settings.clone();
            settings.as_object_mut().map(|fields| fields.remove(READ_ONLY));
            settings
        };
        writable(stored) == writable(present)
    }

    async fn restore(&self, _look: &Look<'_>, call: OneCall, missing: &PutBacks) -> Result<Done, CallFailed> {
        let stored = &missing.first().stored.detail;
        call.put_direct_routing_backup(&id::<UserId>(missing.user())?, stored).await
    }
}
