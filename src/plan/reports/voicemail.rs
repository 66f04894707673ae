//! Voicemail that waits for the person: it stays with the account, and nobody else hears it.

use async_trait::async_trait;

use super::{Finding, Report};
use crate::genesys::{Error, Genesys, UserId};
use crate::offboarding::StepName;

pub(super) struct Voicemail;

#[async_trait]
impl Report for Voicemail {
    fn name(&self) -> StepName {
        "report.voicemail"
    }

    fn title(&self) -> &'static str {
        "voicemail that waits for the person"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["voicemail:voicemail:viewOther"]]
    }

    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error> {
        let waiting = genesys.voicemail_of(user).await?;
        let finding = Finding { target: "messages".to_owned(), text: format!("{waiting} messages") };
        Ok(if waiting == 0 { Vec::new() } else { vec![finding] })
    }
}
