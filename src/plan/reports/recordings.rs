//! Recorded conversations of the person: they stay, for as long as the organisation's retention policies say. Genesys Cloud
//! knows no legal hold for a person.

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};

use super::{Finding, Report};
use crate::genesys::{Error, Genesys, UserId};
use crate::offboarding::StepName;

/// How far back they are counted; the longest interval that one query may ask for.
const LOOK_BACK: TimeDelta = TimeDelta::days(31);

pub(super) struct Recordings;

#[async_trait]
impl Report for Recordings {
    fn name(&self) -> StepName {
        "report.recordings"
    }

    fn title(&self) -> &'static str {
        "recorded conversations that retention policies keep"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["analytics:conversationDetail:view", "analytics:agentConversationDetail:view"]]
    }

    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error> {
        let now = Utc::now();
        let recorded = genesys.recorded_conversations_of(user, now - LOOK_BACK, now).await?;
        let text = format!("{recorded} in the last {} days", LOOK_BACK.num_days());
        let finding = Finding { target: "recorded".to_owned(), text };
        Ok(if recorded == 0 { Vec::new() } else { vec![finding] })
    }
}
