//! What a dry run comes to: whether the engine would carry the offboarding out, what it would hold it for, and what could
//! not be read, so that nobody takes silence for an answer.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::preview::{Effect, ReportPreview, Rules, StepPreview};
use crate::genesys::{Error, Genesys, User, UserState};
use crate::offboarding::Reason;
use crate::offboarding::choices::{self, OffQueue, WhenBusy};
use crate::offboarding::policy::{self, BusyPolicy, Hire, Protection, Released, Stage, Start, Waiting, Work};
use crate::plan::choices::Reporting;
use crate::plan::{self, Look, SHIFT_PERMISSIONS, ShiftEnd, Step, roles_of, standing, standing_of, work_of};

/// The permission that reading roles takes.
const GRANTS: &[&[&str]] = &[&["authorization:grant:view"]];

/// What would become of an offboarding.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdict {
    /// In one sentence.
    pub text: String,
    /// In one word.
    pub expected: Expected,
    /// What it would be held for.
    pub held_for: Vec<HeldFor>,
    /// What could not be read and has a say in it.
    pub unread: Vec<Unread>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
}

/// The verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Everything was read, and nothing holds it.
    CarriedOut,
    /// Everything was read, and something holds it.
    Held,
    /// Something could not be read.
    Unknown,
}

/// One reason for which it would be held.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldFor {
    /// The reason's stable word.
    pub reason: Reason,
    /// What there is.
    pub detail: String,
}

/// Something that could not be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Unread {
    /// The step, the report or the check.
    pub what: String,
    /// What Genesys Cloud answered.
    pub why: String,
    /// The permission that is missing, by Genesys Cloud's name, where it is for lack of one.
    #[schema(required)]
    pub permission: Option<String>,
}

impl Unread {
    /// Names the permission of a refusal: as the answer does, else as published for what was to be read.
    pub(super) fn new(what: &str, error: &Error, published: &[&[&str]]) -> Self {
        let published = || published.first().map(|any_of| any_of.join(" or "));
        let refused = matches!(error, Error::Forbidden { .. });
        let permission = error.missing_permission().map(str::to_owned);
        let permission = if refused { permission.or_else(published) } else { None };
        Self { what: what.to_owned(), why: error.code(), permission }
    }

    /// The same in words.
    pub fn words(&self) -> String {
        match &self.permission {
            Some(permission) => format!("{} ({}: {permission} is missing)", self.what, self.why),
            None => format!("{} ({})", self.what, self.why),
        }
    }
}

/// Puts together what would hold the offboarding, in the order in which the engine meets it.
pub(super) async fn reach(
    look: &Look<'_>,
    rules: &Rules,
    user: &User,
    termination_type: Option<&str>,
    steps: &[StepPreview],
    reports: &[ReportPreview],
) -> Verdict {
    let mut verdict = Verdict::new(steps.iter().filter_map(|step| step.unread.clone()).collect());
    verdict.hire(rules, user);
    verdict.protected(look, rules, user).await;
    verdict.work(look, rules, user, termination_type).await;
    verdict.reports(reports);
    verdict.administrator(look, rules, user).await;
    verdict.inherited(steps);
    verdict.conclude();
    verdict
}

/// Why the person is protected, where they are, and why that can't be told, where it can't.
pub(super) async fn protection_of(
    look: &Look<'_>,
    rules: &Rules,
    user: &User,
) -> (Option<String>, Option<Unread>) {
    let mut verdict = Verdict::new(Vec::new());
    verdict.protected(look, rules, user).await;
    (verdict.held_for.pop().map(|held| held.detail), verdict.unread.pop())
}

impl Verdict {
    fn new(unread: Vec<Unread>) -> Self {
        let (text, expected) = (String::new(), Expected::CarriedOut);
        Self { text, expected, held_for: Vec::new(), unread, notes: Vec::new() }
    }

    async fn protected(&mut self, look: &Look<'_>, rules: &Rules, user: &User) {
        if user.id.as_str() == look.genesys().client_id() {
            self.hold(Reason::Protected, "the service's own user".to_owned());
        }
        let who = standing(look, user, &rules.protected).await.unwrap_or_else(|error| {
            self.unread.push(Unread::new("policy.protected", &error, GRANTS));
            standing_of(user, &[], user.groups.as_deref().unwrap_or_default())
        });
        match policy::protection(&rules.protected, &who) {
            Protection::None => {}
            Protection::Listed => self.hold(Reason::Protected, "on the list policy.protected".to_owned()),
            Protection::Unknown(what) => {
                self.hold(Reason::Protected, format!("may be on the list policy.protected: {what}"));
            }
        }
    }

    /// As the engine does, except that it does not know who else is leaving.
    async fn administrator(&mut self, look: &Look<'_>, rules: &Rules, user: &User) {
        match administrates_last(look, rules, user).await {
            Ok(None) => {}
            Ok(Some(why)) => self.hold(Reason::Protected, why),
            Err(error) => self.unread.push(Unread::new("policy.administrator_roles", &error, GRANTS)),
        }
    }

    fn hire(&mut self, rules: &Rules, user: &User) {
        match policy::hire(user.date_hire.as_deref(), Utc::now(), &rules.time_zone) {
            Hire::NotLater => {}
            Hire::Later => {
                self.hold(
                    Reason::Rehired,
                    "the date of hire in Genesys Cloud is later than today".to_owned(),
                );
            }
            Hire::Unreadable => {
                self.notes.push("the date of hire is unreadable and would not be compared".to_owned());
            }
        }
    }

    async fn work(&mut self, look: &Look<'_>, rules: &Rules, user: &User, termination_type: Option<&str>) {
        if user.state == UserState::Inactive {
            let ends =
                "the account is inactive already: what is left on it goes, and it ends as already_inactive";
            return self.notes.push(ends.to_owned());
        }
        let busy = rules.busy.of(&rules.immediate_types, termination_type, Released::No);
        match work_of(look.genesys(), user).await {
            Ok(Work::Free) => {}
            Ok(work) => self.busy(look.genesys(), rules, user, work, busy).await,
            Err(error) if busy.when_busy != WhenBusy::Now => {
                self.unread.push(Unread::new("the routing status", &error, &[]));
            }
            Err(_) => {}
        }
    }

    async fn busy(&mut self, genesys: &Genesys, rules: &Rules, user: &User, work: Work, busy: BusyPolicy) {
        let words = work.words();
        if !busy.counts(work, Stage::BeforeTheStrip) {
            return self.notes.push(match work {
                Work::InInteraction => format!("{words}, which would be cut off"),
                Work::OnQueue | Work::Free => format!("{words}, which is not waited for"),
            });
        }
        match policy::start(work, busy, Stage::BeforeTheStrip, Waiting::default()) {
            Start::Hold(reason) => return self.hold(reason, words.to_owned()),
            Start::Proceed => return self.notes.push(format!("{words}, which would be cut off")),
            Start::RecheckIn(_) => self.notes.push(format!(
                "{words}: its end would be waited for, {} at the most",
                for_people(busy.wait_max)
            )),
        }
        if busy.off_queue == OffQueue::Unjoin && rules.plan.step(plan::OffQueue.name()).is_some() {
            self.notes
                .push("would be taken off queue meanwhile: set unjoined in all their queues".to_owned());
        }
        if busy.shift_end == choices::ShiftEnd::Wait {
            self.shift(genesys, user, busy).await;
        }
    }

    /// When the shift would end the waiting.
    async fn shift(&mut self, genesys: &Genesys, user: &User, busy: BusyPolicy) {
        let grace = TimeDelta::from_std(busy.shift_grace).unwrap_or_default();
        let unknown = match plan::shift_end_of(genesys, &user.id, Utc::now(), grace).await {
            Ok(ShiftEnd::At(end)) => {
                let until = (end + grace).to_rfc3339_opts(SecondsFormat::Secs, true);
                let after = for_people(busy.shift_grace);
                return self
                    .notes
                    .push(format!("would wait until {until} at the latest: {after} after the shift"));
            }
            Ok(ShiftEnd::NotScheduled) => "workforce management does not know the person".to_owned(),
            Ok(ShiftEnd::NoShift) => "no shift of theirs runs now".to_owned(),
            Ok(ShiftEnd::Elsewhere) => "the schedule would come later or as a download".to_owned(),
            Err(error) => Unread::new("the shift", &error, SHIFT_PERMISSIONS).words(),
        };
        self.notes.push(format!("no end of a shift would end the waiting: {unknown}"));
    }

    fn reports(&mut self, reports: &[ReportPreview]) {
        let holds = |report: &&ReportPreview| report.reporting == Reporting::Hold.as_str();
        let found = |report: &&ReportPreview| report.findings.as_ref().is_none_or(|found| !found.is_empty());
        let names: Vec<_> = reports.iter().filter(holds).filter(found).map(|report| report.name).collect();
        if !names.is_empty() {
            self.hold(Reason::ReportFound, names.join(", "));
        }
    }

    fn inherited(&mut self, steps: &[StepPreview]) {
        let counted = steps
            .iter()
            .map(|step| (step.hold.iter().filter(|held| held.effect == Effect::Held).count(), step.title));
        let counted: Vec<_> = counted
            .filter(|(count, _)| *count > 0)
            .map(|(count, title)| format!("{count} {title}"))
            .collect();
        if !counted.is_empty() {
            self.hold(Reason::InheritedAccess, format!("{} through groups", counted.join(", ")));
        }
    }

    fn hold(&mut self, reason: Reason, detail: String) {
        self.held_for.push(HeldFor { reason, detail });
    }

    fn conclude(&mut self) {
        let reasons: Vec<_> =
            self.held_for.iter().map(|held| format!("{} ({})", held.reason, held.detail)).collect();
        let held = format!("would be held: {}", reasons.join("; "));
        let unread: Vec<_> = self.unread.iter().map(Unread::words).collect();
        (self.expected, self.text) = match (unread.is_empty(), reasons.is_empty()) {
            (true, true) => (Expected::CarriedOut, "would be carried out".to_owned()),
            (true, false) => (Expected::Held, held),
            (false, true) => {
                (Expected::Unknown, format!("can't be told: could not read {}", unread.join("; ")))
            }
            (false, false) => {
                (Expected::Unknown, format!("{held}; and could not read {}", unread.join("; ")))
            }
        };
    }
}

/// Why the person is needed as an administrator.
async fn administrates_last(look: &Look<'_>, rules: &Rules, user: &User) -> Result<Option<String>, Error> {
    if rules.administrator_roles.is_empty() {
        return Ok(None);
    }
    let (genesys, roles) = (look.genesys(), roles_of(&look.grants(&user.id).await?));
    let held = policy::administrator_roles(&rules.administrator_roles, &roles);
    for role in &held {
        let name = role.name.as_ref().unwrap_or(&role.id);
        let Ok(id) = role.id.parse() else {
            return Ok(Some(format!("the role {name} has a damaged id")));
        };
        let mut others = genesys.users_of_role(&id).await?;
        others.retain(|other| *other != user.id);
        if !genesys.any_active(&others).await? {
            return Ok(Some(format!("the last administrator: nobody else who is active has {name}")));
        }
    }
    let own = !held.is_empty() && genesys.is_behind_own_client(&user.id).await?;
    Ok(own.then(|| "the service's own user: its OAuth client was made by them".to_owned()))
}

/// A duration in its largest whole unit.
fn for_people(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
