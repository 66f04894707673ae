//! What is read once before the first change and belongs into the record: reports, and the steps that are left out.

use super::person::Person;
use super::runner::Runner;
use super::verdict::Stop;
use crate::genesys::UserId;
use crate::offboarding::choices::Mode;
use crate::offboarding::{Action, Reason};
use crate::plan::choices::Reporting;
use crate::plan::reports::{self, Report};
use crate::store::leases::Release;
use crate::store::progress::Note;
use crate::store::snapshot::Settled;

/// What one report came to.
struct Read {
    notes: Vec<Note>,
    /// There is something to look at, or nobody can say whether there is.
    found: bool,
}

impl Runner {
    /// Writes the reports, until they are settled. Fails where one of them is to hold the offboarding.
    pub(super) async fn report(&self, person: &mut Person, user: &UserId) -> Result<(), Stop> {
        if person.lease.reported {
            return Ok(());
        }
        let plan = &self.settings.plan;
        let left_out = plan.left_out().iter().map(|step| (step.name(), step.phase())).collect();
        let mut notes: Vec<Note> =
            plan.left_out().iter().map(|step| left_out_by_choice(step.name())).collect();
        let mut holding = Vec::new();
        for report in reports::read_under(plan.choices()) {
            self.still_working()?;
            let read = self.read(report, user).await;
            if read.found && report.reporting(plan.choices()) == Reporting::Hold {
                holding.push(report.name());
            }
            notes.extend(read.notes);
        }
        let approved = person.lease.approved.contains(&Reason::ReportFound);
        let goes_on = holding.is_empty() || approved;
        // A dry run may lie long before the first change: they are read again then.
        let settled = match (self.settings.mode, goes_on) {
            (Mode::Live, true) => Settled::Yes,
            (Mode::DryRun, _) | (Mode::Live, false) => Settled::NotYet,
        };
        self.store.report(&self.fence, person.lease.id, left_out, notes, settled).await?;
        if goes_on {
            return Ok(());
        }
        Err(Release::Held(Reason::ReportFound, Some(holding.join(", "))).into())
    }

    async fn read(&self, report: &'static dyn Report, user: &UserId) -> Read {
        let note = |target: Option<String>, text: String| Note {
            action: Action::Reported,
            step: Some(report.name()),
            target,
            text: Some(text),
        };
        match report.read(&self.genesys, user).await {
            Ok(findings) if findings.is_empty() => {
                Read { notes: vec![note(None, "nothing found".to_owned())], found: false }
            }
            Ok(findings) => {
                let notes = findings.into_iter().map(|finding| note(Some(finding.target), finding.text));
                Read { notes: notes.collect(), found: true }
            }
            Err(error) => {
                Read { notes: vec![note(None, format!("could not be read: {}", error.code()))], found: true }
            }
        }
    }
}

fn left_out_by_choice(step: &'static str) -> Note {
    let text = "not carried out under this configuration".to_owned();
    Note { action: Action::StepLeftOut, step: Some(step), target: None, text: Some(text) }
}
