//! `[plan]`: what of a leaver is taken away, and how; leaves what the words mean to `plan::choices`.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::section::Section;
use crate::plan::choices::{
    CallbackChoice, Choices, InheritedAccess, Reporting, RingNumbers, StateChangeReason, Switch,
};
use crate::plan::reports::REPORTS;
use crate::plan::{PLAN, kind_of};

pub(super) const KEYS: &[&str] = &[
    "ring_numbers",
    "removable_groups",
    "inherited_access",
    "callbacks",
    "steps",
    "state_reasons",
    "reports",
];

pub(super) fn read(mut section: Section<'_>) -> Result<Choices, ConfigError> {
    let default = Choices::default();
    let groups = section.list("removable_groups")?.unwrap_or_default();
    Ok(Choices {
        ring_numbers: section.choice(
            "ring_numbers",
            default.ring_numbers,
            RingNumbers::ALL,
            RingNumbers::as_str,
        )?,
        removable_groups: groups.into_iter().map(|group| group.value).collect(),
        inherited_access: section.choice(
            "inherited_access",
            default.inherited_access,
            InheritedAccess::ALL,
            InheritedAccess::as_str,
        )?,
        callbacks: section
            .parsed("callbacks", default.callbacks, CallbackChoice::EXPECTED, |text| text.parse().ok())?,
        steps: steps(&mut section)?,
        state_reasons: section
            .free_texts("state_reasons")?
            .into_iter()
            .map(|(kind, text)| Ok((kind, text.choice(StateChangeReason::ALL, StateChangeReason::as_str)?)))
            .collect::<Result<_, ConfigError>>()?,
        reports: reports(&mut section)?,
    })
}

/// Only what is said: the default differs from step to step.
fn steps(section: &mut Section<'_>) -> Result<BTreeMap<String, Switch>, ConfigError> {
    let kinds: Vec<_> = PLAN.iter().map(|step| kind_of(step.name())).collect();
    let mut table = section.section("steps", &kinds)?;
    let mut steps = BTreeMap::new();
    for step in PLAN {
        if let Some(text) = table.text(kind_of(step.name()), "on or off")? {
            steps.insert(step.name().to_owned(), text.choice(Switch::ALL, Switch::as_str)?);
        }
    }
    Ok(steps)
}

fn reports(section: &mut Section<'_>) -> Result<BTreeMap<String, Reporting>, ConfigError> {
    let kinds: Vec<_> = REPORTS.iter().map(|report| kind_of(report.name())).collect();
    let mut table = section.section("reports", &kinds)?;
    let mut reports = BTreeMap::new();
    for report in REPORTS {
        if let Some(text) = table.text(kind_of(report.name()), "off, note or hold")? {
            reports.insert(report.name().to_owned(), text.choice(Reporting::ALL, Reporting::as_str)?);
        }
    }
    Ok(reports)
}
