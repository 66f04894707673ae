//! Reads of a user whom nobody is, for where the OAuth client can't be asked what it may do: a read that it may not make is
//! refused before anybody looks for the user. What it may change can't be tried out.

use uuid::Uuid;

use super::check::Finding;
use crate::config::Config;
use crate::genesys::{Error, Genesys, UserId};
use crate::plan::{Look, Plan, reports};

/// An address that exists nowhere (RFC 2606).
const NOBODY: &str = "nobody@leaver.invalid";

/// Makes every read of the plan once; each that is refused is a finding.
pub(super) async fn refused_reads(config: &Config, genesys: &Genesys) -> Vec<Finding> {
    let plan = Plan::new(config.plan.clone());
    let look = Look::new(genesys, plan.choices());
    let Ok(nobody) = Uuid::new_v4().to_string().parse::<UserId>() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let found = genesys.users_by_email(NOBODY).await;
    findings.extend(refusal("finding people", found.err(), &[&["directory:user:view"]]));
    for step in plan.all() {
        for observed in step.observe(&look, std::slice::from_ref(&nobody)).await {
            findings.extend(refusal(step.name(), observed.err(), step.permissions()));
        }
    }
    for report in reports::read_under(plan.choices()) {
        let read = report.read(genesys, &nobody).await;
        findings.extend(refusal(report.name(), read.err(), report.permissions()));
    }
    findings
}

fn refusal(who: &str, error: Option<Error>, permissions: &[&[&str]]) -> Option<Finding> {
    let Some(Error::Forbidden { permission, .. }) = error else {
        // Nobody is there, which is the answer that was to be expected.
        return None;
    };
    let one_of = || permissions.iter().map(|any_of| any_of.join(" or ")).collect::<Vec<_>>().join(", ");
    let what = format!("permission {}", permission.unwrap_or_else(one_of));
    Some(
        Finding::bad(&what, format!("missing: Genesys Cloud refuses a read that {who} needs"))
            .with_advice(super::permissions::WHERE),
    )
}
