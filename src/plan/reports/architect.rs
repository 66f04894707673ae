//! Architect's flows and other objects that name the person: they go on transferring to somebody who has left.

use async_trait::async_trait;

use super::{Finding, Report};
use crate::genesys::{Completeness, Error, Genesys, UserId};
use crate::offboarding::StepName;

pub(super) struct Architect;

#[async_trait]
impl Report for Architect {
    fn name(&self) -> StepName {
        "report.architect"
    }

    fn title(&self) -> &'static str {
        "Architect objects that name the person"
    }

    fn permissions(&self) -> &'static [&'static [&'static str]] {
        &[&["architect:dependencyTracking:view"]]
    }

    async fn read(&self, genesys: &Genesys, user: &UserId) -> Result<Vec<Finding>, Error> {
        let found = genesys.consumers_of(user).await?;
        let mut findings: Vec<_> = found
            .items
            .into_iter()
            .map(|item| {
                let words = [item.kind, item.name];
                let text = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
                Finding { target: item.id.to_string(), text }
            })
            .collect();
        if found.complete == Completeness::Partial {
            let text = "Architect is still building its list; there may be more".to_owned();
            findings.push(Finding { target: "incomplete".to_owned(), text });
        }
        Ok(findings)
    }
}
