//! Reconciliation: who has left by the HRIS's list and is still there in Genesys Cloud. It reads; where it is asked to, it opens
//! for each gap an operator's own termination, and changes nothing itself.

mod finding;
mod judge;
mod leavers;

use chrono::{DateTime, Utc};

use self::judge::{judge, tell_one_user_apart, under_way};
use super::own::{self, OwnRules, OwnTermination, Taken};
use super::person::{Match, Through, match_leaver};
use super::preview::{self, Effect, StepPreview};
use super::verdict::{Unread, protection_of};
use super::{OperateError, Rules};
use crate::genesys::{Error, Genesys, User, UserId, UserState};
use crate::offboarding::event::email_key;
use crate::offboarding::{Actor, Phase};
use crate::plan::Look;
use crate::store::Store;
use crate::store::earlier::About;

pub use finding::{Finding, Found, Reconciliation, Totals, Weight};
pub use leavers::{BYTES_MAX, Leaver, Leavers, read_leavers};

/// After so many people in a row whom Genesys Cloud gave no answer about, it is not asked any more.
const FAILURES_MAX: u32 = 5;

/// What a reconciliation asks, and by which rules.
pub struct Reconciler<'a> {
    /// The database.
    pub store: &'a Store,
    /// The client of Genesys Cloud; one that only reads is enough.
    pub genesys: &'a Genesys,
    /// Whom an event would mean, and what would be taken away.
    pub rules: &'a Rules,
    /// What an operator's own termination goes by.
    pub own_rules: &'a OwnRules,
    /// Told how many of [`turns`] are over.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

/// What is done about the gaps.
#[derive(Clone, Debug)]
pub enum Gaps {
    /// They are shown.
    Shown,
    /// For each an offboarding is opened, as asked for by this operator, who gives these words as the reason.
    Closed {
        /// Who asks.
        by: Actor,
        /// What the list is called.
        list: String,
    },
}

/// Somebody of the list with the one user who is them.
struct Matched {
    user: UserId,
    email_key: Option<String>,
    through: Through,
}

/// How often somebody of the list has their turn: everybody is found first, and then looked at.
pub fn turns(list: &Leavers) -> usize {
    list.people.len() * 2
}

impl Reconciler<'_> {
    /// Looks everybody of the list up, one after the other, and says what is found.
    pub async fn reconcile(&self, list: &Leavers, gaps: &Gaps) -> Result<Reconciliation, OperateError> {
        let now = Utc::now();
        let mut items = Vec::with_capacity(list.people.len());
        let mut failures = 0;
        for (number, leaver) in list.people.iter().enumerate() {
            items.push(self.look_up(leaver, now, &mut failures).await?);
            (self.progress)(number + 1);
        }
        tell_one_user_apart(&mut items);
        let mut found = Vec::with_capacity(items.len());
        for (number, (mut item, matched)) in items.into_iter().enumerate() {
            if let (Some(matched), Finding::StillActive) = (&matched, item.finding) {
                self.inspect(&mut item, matched, now, &mut failures).await?;
                self.close_gap(&mut item, matched, gaps).await?;
            }
            found.push(item);
            (self.progress)(list.people.len() + number + 1);
        }
        Ok(Reconciliation::of(found, list))
    }

    /// Finds the one user. Whoever has one counts as still active until more is known.
    async fn look_up(
        &self,
        leaver: &Leaver,
        now: DateTime<Utc>,
        failures: &mut u32,
    ) -> Result<(Found, Option<Matched>), OperateError> {
        if let Some(line) = leaver.same_as {
            return Ok((Found::new(leaver, Finding::Duplicate, format!("the same as line {line}")), None));
        }
        if *failures >= FAILURES_MAX {
            return Ok((Found::new(leaver, Finding::Unread, not_asked()), None));
        }
        let matched = match_leaver(self.genesys, self.rules, leaver).await;
        let not_due = leaver.left_at.is_some_and(|at| at > now);
        Ok(match answered(matched, failures)? {
            // Whoever is to leave is looked up as well: of somebody who has left by another line that is doubtful then.
            Ok(Match::Nobody | Match::Doubtful(_)) if not_due => {
                (Found::new(leaver, Finding::NotDue, None), None)
            }
            Err(error) => (Found::new(leaver, Finding::Unread, error.code()), None),
            Ok(Match::Nobody) => (Found::new(leaver, Finding::NotFound, None), None),
            Ok(Match::Doubtful(why)) => (Found::new(leaver, Finding::Ambiguous, why), None),
            Ok(Match::One(user, through)) => {
                let finding = if not_due { Finding::NotDue } else { Finding::StillActive };
                let mut found = Found::new(leaver, finding, None);
                (found.user, found.state) = (Some(user.id.to_string()), Some(user.state.as_str()));
                let email_key = user.email.as_deref().and_then(email_key);
                (found, Some(Matched { user: user.id, email_key, through }))
            }
        })
    }

    /// Finds out whether somebody is still there, and whether anything is done about it already.
    async fn inspect(
        &self,
        found: &mut Found,
        matched: &Matched,
        now: DateTime<Utc>,
        failures: &mut u32,
    ) -> Result<(), OperateError> {
        let leaver = found.leaver.clone();
        let about = About {
            user: matched.user.to_string(),
            email_key: matched.email_key.clone(),
            external_id: leaver.source.clone().zip(leaver.external_id.clone()),
        };
        let earlier = self.store.offboarding_about(&about).await?;
        if let Some(earlier) = &earlier {
            (found.offboarding, found.offboarding_status) = (Some(earlier.id), Some(earlier.status));
            if let Some((finding, words)) = under_way(earlier) {
                found.is_now(finding);
                found.says(words);
                return Ok(());
            }
        }
        if *failures >= FAILURES_MAX {
            found.is_now(Finding::Unread);
            found.says(not_asked());
            return Ok(());
        }
        let held = self.holdings(&matched.user, leaver.termination_type.as_deref()).await;
        let held = match answered(held.map_err(OperateError::from), failures)? {
            Err(error) => {
                found.is_now(Finding::Unread);
                found.says(error.code());
                return Ok(());
            }
            Ok(None) => {
                found.is_now(Finding::NotFound);
                return Ok(());
            }
            Ok(Some(held)) => held,
        };
        (found.state, found.holds) = (Some(held.user.state.as_str()), Some(held.count));
        judge(found, &held, earlier.as_ref(), now);
        if found.weight == Weight::Gap {
            self.check_protection(found, &held.user).await;
        }
        Ok(())
    }

    /// Reads what an offboarding would strip; nothing where the user does not exist any more.
    async fn holdings(&self, user: &UserId, kind: Option<&str>) -> Result<Option<Held>, Error> {
        let Some(user) = self.genesys.user(user).await?.filter(|user| user.state != UserState::Deleted)
        else {
            return Ok(None);
        };
        let look = Look::new(self.genesys, self.rules.plan.choices()).leaving_as(user.id.clone(), kind);
        look.take_over(user.clone());
        let steps = preview::see(&look, self.rules, &user).await;
        let strip: Vec<_> = steps.into_iter().filter(|step| step.phase == Phase::Strip.as_str()).collect();
        let count = strip.iter().map(would_strip).sum();
        let unread = strip.into_iter().filter_map(|step| step.unread).collect();
        Ok(Some(Held { user, count, unread }))
    }

    /// Whoever is protected is a gap too, which an approver has to release.
    async fn check_protection(&self, found: &mut Found, user: &User) {
        let look = Look::new(self.genesys, self.rules.plan.choices());
        look.take_over(user.clone());
        let (why, unread) = protection_of(&look, self.rules, user).await;
        if let Some(why) = why {
            found.is_now(Finding::Protected);
            found.says(why);
        }
        if let Some(unread) = unread {
            found.says(format!("could not read {}", unread.words()));
        }
    }

    async fn close_gap(&self, found: &mut Found, matched: &Matched, gaps: &Gaps) -> Result<(), OperateError> {
        let (Weight::Gap, Gaps::Closed { by, list }) = (found.weight, gaps) else {
            return Ok(());
        };
        let leaver = &found.leaver;
        // Where the address found the user it is what everybody knows the person by; else the user is named itself.
        let by_address = leaver.email.clone().filter(|_| matched.through == Through::Address);
        let asked = OwnTermination {
            person: by_address.unwrap_or_else(|| matched.user.to_string()),
            reason: format!("reconciliation: line {} of {list}", leaver.line),
            at: leaver.left_on.clone(),
            termination_type: leaver.termination_type.clone(),
        };
        let view = match own::offboard(self.store, self.own_rules, &asked, None, by).await? {
            Taken::New(view) | Taken::Known(view) => view,
            Taken::KeyReused => return Err(OperateError::Gone),
        };
        found.opened = true;
        (found.offboarding, found.offboarding_status) = (Some(view.id), Some(view.status));
        match view.reason {
            Some(reason) => found.says(format!("opened {}, held for {reason}", view.id)),
            None => found.says(format!("opened {}", view.id)),
        }
        Ok(())
    }
}

/// What somebody holds.
struct Held {
    user: User,
    count: usize,
    unread: Vec<Unread>,
}

fn not_asked() -> String {
    format!("not asked: Genesys Cloud gave no answer {FAILURES_MAX} times in a row")
}

/// What of a step would go, or would hold an offboarding because it can't.
fn would_strip(step: &StepPreview) -> usize {
    let through_groups = step.hold.iter().filter(|held| match held.effect {
        Effect::Held | Effect::Leaves => true,
        Effect::Passed => false,
    });
    step.remove.len() + through_groups.count()
}

/// Parts trouble with Genesys Cloud, which is about one person, from trouble that ends everything.
fn answered<T>(
    result: Result<T, OperateError>,
    failures: &mut u32,
) -> Result<Result<T, Error>, OperateError> {
    match result {
        Ok(answer) => {
            *failures = 0;
            Ok(Ok(answer))
        }
        Err(OperateError::Genesys(error)) => {
            *failures += 1;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}
