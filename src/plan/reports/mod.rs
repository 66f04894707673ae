//! Reports: what names a leaver or waits for them and isn't changed. They are read once before the first change and written
//! into the journal. They never block unless they are configured to; one that can't be read says so instead.

mod architect;
pub mod callbacks;
mod phones;
mod recordings;
mod voicemail;

use async_trait::async_trait;

use super::Choices;
use super::choices::Reporting;
use crate::genesys::{Error, Genesys, UserId};
use crate::offboarding::StepName;

/// Every report, in the order in which they are read.
pub const REPORTS: &[&dyn Report] = &[
    &callbacks::Callbacks,
    &architect::Architect,
    &phones::Phones,
    &voicemail::Voicemail,
    &recordings::Recordings,
];

/// One thing that a report found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What tells it apart, for example a flow's id.
    pub target: String,
    /// What it is, in words; never a person's name or address.
    pub text: String,
}

/// One kind of thing that belongs into the record.
#[async_trait]
pub trait Report: Send + Sync {
    /// The stable name, `report.KIND`.
    fn name(&self) -> StepName;

    /// What it is about, in words.
    fn title(&self) -> &'static str;

    /// What its findings do under these choices.
    fn reporting(&self, choices: &Choices) -> Reporting {
        choices.reports.get(self.name()).copied().unwrap_or(Reporting::Off)
    }

    /// What the OAuth client has to be permitted; of each entry one permission is enough.
    fn permissions(&self) -> &'static [&'static [&'static str]];

    /// Reads what there is about one person.
    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error>;
}

/// The reports that are read under these choices.
pub fn read_under(choices: &Choices) -> impl Iterator<Item = &'static dyn Report> {
    REPORTS.iter().copied().filter(|report| report.reporting(choices) != Reporting::Off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_callbacks_are_reported_unless_more_is_chosen() {
        let read = |choices: &Choices| read_under(choices).map(|report| report.name()).collect::<Vec<_>>();
        assert_eq!(read(&Choices::default()), ["report.callbacks"]);
        let mut choices = Choices::default();
        choices.reports.insert("report.voicemail".to_owned(), Reporting::Hold);
        choices.reports.insert("report.callbacks".to_owned(), Reporting::Off);
        assert_eq!(read(&choices), ["report.voicemail"]);
    }
}
