//! The dry run: what an offboarding of somebody would take away, leave, and be held by, found by reading alone. Whether it
//! would be carried out is said in `verdict`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::own::PERSON_CHARS_MAX;
use super::person::{Names, find, groups_in};
use super::verdict::{self, Unread, Verdict};
use super::{OperateError, when};
use crate::genesys::{Error, Genesys, User};
use crate::offboarding::choices::{Order, Protected};
use crate::offboarding::policy::{self, BusyPolicy};
use crate::offboarding::{Assignment, Inherited, Phase, StepName, Zone};
use crate::plan::choices::{InheritedAccess, Reporting};
use crate::plan::reports::{self, Report};
use crate::plan::{self, GROUPS, Look, PLAN, Plan, Return, Step};

/// What a dry run needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What is carried out.
    pub plan: Plan,
    /// What goes first.
    pub order: Order,
    /// What goes first for single termination types.
    pub order_by_type: BTreeMap<String, Order>,
    /// Who is protected.
    pub protected: Vec<Protected>,
    /// What is done about somebody in an interaction.
    pub busy: BusyPolicy,
    /// Termination types that never wait for an interaction.
    pub immediate_types: Vec<String>,
    /// The roles of which somebody has to stay.
    pub administrator_roles: Vec<String>,
    /// The zone in which the dates of hire and of termination are compared.
    pub time_zone: Zone,
    /// The authority of external ids, where people are looked up by them.
    pub external_id_authority: Option<String>,
    /// The same for single sources; empty: their ids are never looked up.
    pub external_id_authority_by_source: BTreeMap<String, String>,
}

impl Rules {
    /// Every authority under which somebody may be known.
    fn authorities(&self) -> BTreeSet<&str> {
        let by_source = self.external_id_authority_by_source.values();
        let all = by_source.chain(&self.external_id_authority).map(String::as_str);
        all.filter(|authority| !authority.is_empty()).collect()
    }

    /// Those under which an id of this source may be known; every one where no source is named.
    pub(super) fn authorities_of(&self, source: Option<&str>) -> BTreeSet<&str> {
        let general = self.external_id_authority.as_deref();
        match source {
            Some(source) => policy::authority_for(general, &self.external_id_authority_by_source, source)
                .into_iter()
                .collect(),
            None => self.authorities(),
        }
    }
}

/// Whom a dry run is about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// An address, a Genesys user id or an external id.
    pub person: &'a str,
    /// Why they would leave, in the HRIS's word; order and waiting may depend on it.
    pub termination_type: Option<&'a str>,
}

/// What an offboarding of this person would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The one exact match.
    pub genesys_user_id: String,
    /// `active` or `inactive`.
    pub state: &'static str,
    /// What goes first.
    pub order: OrderView,
    /// Every step of the plan, also those that are switched off.
    pub steps: Vec<StepPreview>,
    /// Every report that is read.
    pub reports: Vec<ReportPreview>,
    /// Whether it would be carried out.
    pub verdict: Verdict,
    /// All steps together.
    pub summary: Summary,
}

/// What goes first, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// `strip_first` or `access_first`.
    pub first: &'static str,
    /// The setting that says so.
    pub because: String,
    /// What goes first for single termination types.
    pub by_type: BTreeMap<String, &'static str>,
}

/// What one step would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepPreview {
    /// `PHASE.KIND`.
    #[schema(value_type = String)]
    pub name: StepName,
    /// `strip` or `deactivate`.
    #[schema(value_type = Phase)]
    pub phase: &'static str,
    /// What it takes away, in words.
    pub title: &'static str,
    /// `on` or `off`.
    pub status: &'static str,
    /// `whole`, `except: …` or `never: …`.
    pub comes_back: String,
    /// What would be removed.
    pub remove: Vec<Removed>,
    /// What is of this kind and would stay.
    pub keep: Vec<Kept>,
    /// What can't be taken from the person alone.
    pub hold: Vec<Held>,
    /// Why something of it could not be read; absent where everything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}

/// One thing that would be removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    /// What tells it apart.
    pub target: String,
    /// Its name, where one is known.
    #[schema(required)]
    pub name: Option<String>,
    /// What a restore would put back.
    pub detail: Value,
}

/// One thing that would stay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kept {
    /// What tells it apart.
    pub target: String,
    /// Its name, where one is known.
    #[schema(required)]
    pub name: Option<String>,
    /// Why it stays.
    pub why: &'static str,
}

/// One thing that is held through a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Held {
    /// What tells it apart.
    pub target: String,
    /// Its name, where one is known.
    #[schema(required)]
    pub name: Option<String>,
    /// The group, by its name where that is known.
    pub via: String,
    /// What it does to the offboarding.
    pub effect: Effect,
    /// The same in words.
    pub why: &'static str,
}

/// What something that comes through a group does to an offboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It holds it.
    Held,
    /// It stays, and the offboarding goes on.
    Passed,
    /// It goes with the group, out of which the person is taken.
    Leaves,
}

impl Effect {
    const fn why(self) -> &'static str {
        match self {
            Self::Held => "held: an approver has to accept that it stays (plan.inherited_access)",
            Self::Passed => "passed: it stays, and the journal says so (plan.inherited_access)",
            Self::Leaves => "leaves: the person is taken out of the group",
        }
    }
}

/// What one report says.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportPreview {
    /// `report.KIND`.
    #[schema(value_type = String)]
    pub name: StepName,
    /// What it is about, in words.
    pub title: &'static str,
    /// `note` or `hold`.
    pub reporting: &'static str,
    /// What it found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<ReportFinding>>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Unread>,
}

/// One thing that a report found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportFinding {
    /// What tells it apart.
    pub target: String,
    /// What it is.
    pub text: String,
}

/// How many things of all steps would go, stay, and hold the offboarding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Would be removed, or go with a group.
    pub remove: usize,
    /// Would stay.
    pub keep: usize,
    /// Would hold the offboarding.
    pub hold: usize,
}

/// Reads what an offboarding would do. Fails where not exactly one user matches; what can't be read of that user is said
/// in the preview instead.
pub async fn preview(genesys: &Genesys, rules: &Rules, asked: Asked<'_>) -> Result<Preview, OperateError> {
    let person = when::words("person", asked.person, PERSON_CHARS_MAX)?;
    let user = match find(genesys, &rules.authorities(), &person).await {
        // What can't stand in a request is nobody's id.
        Err(OperateError::Genesys(Error::Unsendable(_))) => return Err(OperateError::not_one(&person, 0)),
        found => found?,
    };
    let look = Look::new(genesys, rules.plan.choices()).leaving_as(user.id.clone(), asked.termination_type);
    look.take_over(user.clone());
    let steps = see(&look, rules, &user).await;
    let mut reports = Vec::new();
    for report in reports::read_under(rules.plan.choices()) {
        reports.push(read_report(report, genesys, &user, rules.plan.choices()).await);
    }
    let verdict = verdict::reach(&look, rules, &user, asked.termination_type, &steps, &reports).await;
    Ok(Preview {
        genesys_user_id: user.id.to_string(),
        state: user.state.as_str(),
        order: order(rules, asked.termination_type),
        summary: summary(&steps),
        steps,
        reports,
        verdict,
    })
}

/// What every step of the plan would do about a user.
pub(super) async fn see(look: &Look<'_>, rules: &Rules, user: &User) -> Vec<StepPreview> {
    let mut seen = Vec::with_capacity(PLAN.len());
    for step in PLAN {
        seen.push(match rules.plan.step(step.name()) {
            Some(step) => Seen::read(step, look, user).await,
            None => Seen::default(),
        });
    }
    let names = Names::of(look, user);
    let leaving: HashSet<String> = PLAN
        .iter()
        .zip(&seen)
        .filter(|(step, _)| step.name() == GROUPS)
        .flat_map(|(_, seen)| seen.own.iter().map(|one| one.target.clone()))
        .collect();
    PLAN.iter().zip(seen).map(|(step, seen)| seen.shown(*step, &rules.plan, &names, &leaving)).collect()
}

fn order(rules: &Rules, termination_type: Option<&str>) -> OrderView {
    let order = policy::order_for(rules.order, &rules.order_by_type, termination_type);
    let because = match termination_type.filter(|kind| rules.order_by_type.contains_key(*kind)) {
        Some(kind) => format!("policy.order_by_type.{kind}"),
        None => "policy.order".to_owned(),
    };
    let by_type = rules.order_by_type.iter().map(|(kind, order)| (kind.clone(), order.as_str()));
    OrderView { first: order.as_str(), because, by_type: by_type.collect() }
}

fn summary(steps: &[StepPreview]) -> Summary {
    let mut summary = Summary::default();
    for step in steps {
        summary.remove += step.remove.len();
        summary.keep += step.keep.len();
        for held in &step.hold {
            match held.effect {
                Effect::Held => summary.hold += 1,
                Effect::Passed => summary.keep += 1,
                Effect::Leaves => summary.remove += 1,
            }
        }
    }
    summary
}

/// What one step saw.
#[derive(Default)]
struct Seen {
    own: Vec<Assignment>,
    /// With the name, where the details had one.
    inherited: Vec<(Inherited, Option<String>)>,
    kept: Vec<plan::Kept>,
    error: Option<Error>,
}

impl Seen {
    async fn read(step: &dyn Step, look: &Look<'_>, user: &User) -> Self {
        let mut seen = Self::default();
        for observed in step.observe(look, std::slice::from_ref(&user.id)).await {
            match observed {
                Ok(observed) => {
                    seen.own.extend(observed.assignments);
                    seen.inherited.extend(observed.inherited.into_iter().map(|one| (one, None)));
                }
                Err(error) => seen.error = Some(error),
            }
        }
        if seen.error.is_some() {
            return seen;
        }
        if let Err(error) = step.inspect(look, &mut seen.own).await {
            seen.error = Some(error);
        }
        for one in std::mem::take(&mut seen.own) {
            match step.held_through(&one.detail) {
                Some(via) => {
                    let name = name_in(&one.detail);
                    seen.inherited.push((Inherited { step: one.step, target: one.target, via }, name));
                }
                None => seen.own.push(one),
            }
        }
        match step.keeps(look, &user.id).await {
            Ok(kept) => seen.kept = kept,
            Err(error) => seen.error = seen.error.or(Some(error)),
        }
        seen
    }

    fn shown(self, step: &dyn Step, plan: &Plan, names: &Names, leaving: &HashSet<String>) -> StepPreview {
        let remove = self.own.into_iter().map(|one| Removed {
            name: names.of_target(&one.target).or_else(|| name_in(&one.detail)),
            target: one.target,
            detail: one.detail,
        });
        let hold = self.inherited.into_iter().map(|(one, name)| {
            let effect = effect_of(&one, plan.choices().inherited_access, leaving);
            let (name, via) = (name.or_else(|| names.of_target(&one.target)), names.of_groups(&one.via));
            Held { target: one.target, name, via, effect, why: effect.why() }
        });
        let keep =
            self.kept.into_iter().map(|kept| Kept { target: kept.target, name: kept.name, why: kept.why });
        StepPreview {
            name: step.name(),
            phase: step.phase().as_str(),
            title: step.title(),
            status: if plan.step(step.name()).is_some() { "on" } else { "off" },
            comes_back: comes_back(step),
            remove: remove.collect(),
            keep: keep.collect(),
            hold: hold.collect(),
            unread: self.error.map(|error| Unread::new(step.name(), &error, step.permissions())),
        }
    }
}

/// Through several groups it goes only when all of them are left.
fn effect_of(inherited: &Inherited, choice: InheritedAccess, leaving: &HashSet<String>) -> Effect {
    if groups_in(&inherited.via).all(|group| leaving.contains(group)) {
        return Effect::Leaves;
    }
    match choice {
        InheritedAccess::Hold => Effect::Held,
        InheritedAccess::Pass => Effect::Passed,
    }
}

fn name_in(detail: &Value) -> Option<String> {
    detail.get("name").and_then(Value::as_str).map(str::to_owned)
}

fn comes_back(step: &dyn Step) -> String {
    match step.comes_back() {
        Return::Whole => "whole".to_owned(),
        Return::Except(what) => format!("except: {what}"),
        Return::Never(why) => format!("never: {why}"),
    }
}

async fn read_report(
    report: &dyn Report,
    genesys: &Genesys,
    user: &User,
    choices: &plan::Choices,
) -> ReportPreview {
    let reporting: Reporting = report.reporting(choices);
    let (findings, error) = match report.read(genesys, &user.id).await {
        Ok(found) => {
            let found = found.into_iter().map(|one| ReportFinding { target: one.target, text: one.text });
            (Some(found.collect()), None)
        }
        Err(error) => (None, Some(Unread::new(report.name(), &error, report.permissions()))),
    };
    ReportPreview {
        name: report.name(),
        title: report.title(),
        reporting: reporting.as_str(),
        findings,
        error,
    }
}
