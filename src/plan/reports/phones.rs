//! WebRTC phones and direct numbers of the person: deleting them can't be undone, so they stay until somebody decides.

use async_trait::async_trait;

use super::{Finding, Report};
use crate::genesys::{Error, Genesys, UserId};
use crate::offboarding::StepName;

pub(super) struct Phones;

#[async_trait]
impl Report for Phones {
    fn name(&self) -> StepName {
        "report.phones"
    }

    fn title(&self) -> &'static str {
        "WebRTC phones and direct numbers"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["telephony:plugin:all"]]
    }

    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error> {
        let phones = genesys.phones_of(user).await?;
        let numbers = genesys.dids_of(user).await?;
        let finding = |target: String, text: &str| Finding { target, text: text.to_owned() };
        let phones = phones.into_iter().map(|phone| finding(phone.id.to_string(), "WebRTC phone"));
        // The numbers themselves are personal, and Genesys Cloud lists them by the person.
        let numbers = (!numbers.is_empty())
            .then(|| finding("numbers".to_owned(), &format!("{} direct numbers", numbers.len())));
        Ok(phones.chain(numbers).collect())
    }
}
