//! One person of a cohort and how far they are within an attempt.

use std::time::Instant;

use super::judge::key;
use super::verdict::{Progress, Stop};
use crate::genesys::{User, UserId};
use crate::offboarding::choices::Order;
use crate::offboarding::{Action, Assignment, Inherited, Reason, StepName};
use crate::plan::Batch;
use crate::plan::choices::InheritedAccess;
use crate::store::leases::{Lease, Release};
use crate::store::progress::Note;
use crate::store::snapshot::Known;

/// One person of a cohort.
pub(super) struct Person {
    pub(super) lease: Lease,
    /// Of the attempt.
    pub(super) span: tracing::Span,
    pub(super) begun: Instant,
    pub(super) user: Option<UserId>,
    /// As they were read when the attempt began, for the first pass.
    pub(super) just_read: Option<User>,
    pub(super) order: Order,
    pub(super) progress: Progress,
    /// A whole pass found nothing.
    pub(super) clean: bool,
    /// When that pass began, and the user as it was read first in it.
    pub(super) found_empty: Option<(Instant, User)>,
    /// What is known of their assignments from earlier passes; read at the first need.
    pub(super) known: Option<Known>,
    pub(super) inherited: Vec<Inherited>,
    /// What Genesys Cloud refused for good in this attempt; the rest is stripped all the same.
    refused: Vec<(StepName, String)>,
    /// Of these what belongs to somebody else: it is inherited access.
    kept: Vec<Inherited>,
    /// How the attempt ends because of the first such refusal.
    blocked: Option<Release>,
    /// The reads that the last complete read took beyond the plan's own.
    pub(super) more_reads: u32,
    /// Whether it is certain in this attempt that an administrator stays.
    pub(super) administrator_checked: bool,
    /// They were not free at the last look, so that something may have come since.
    pub(super) look_again: bool,
    /// The account is inactive: there is no work any more that could be cut off.
    pub(super) cut_off: bool,
    stop: Option<Stop>,
}

/// The people of one: most of a closing concerns a single person.
pub(super) fn alone(person: &mut Person) -> &mut [Person] {
    std::slice::from_mut(person)
}

impl Person {
    pub(super) fn new(lease: Lease, order: Order, span: tracing::Span) -> Self {
        Self {
            lease,
            span,
            begun: Instant::now(),
            user: None,
            just_read: None,
            order,
            progress: Progress::None,
            clean: false,
            found_empty: None,
            known: None,
            inherited: Vec::new(),
            refused: Vec::new(),
            kept: Vec::new(),
            blocked: None,
            more_reads: 0,
            administrator_checked: false,
            look_again: false,
            cut_off: false,
            stop: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stop.is_none()
    }

    /// Whether the account was inactive before anything was changed.
    pub(super) fn was_inactive(&self) -> bool {
        self.lease.found_inactive == Some(true)
    }

    /// Fails where something comes through a group, unless it may stay.
    pub(super) fn holds_nothing_inherited(&self, choice: InheritedAccess) -> Result<(), Stop> {
        let accepted =
            choice == InheritedAccess::Pass || self.lease.approved.contains(&Reason::InheritedAccess);
        let names: Vec<_> = self.all_inherited().map(|i| format!("{} through {}", i.target, i.via)).collect();
        if names.is_empty() || accepted {
            return Ok(());
        }
        Err(Release::Held(Reason::InheritedAccess, Some(names.join(", "))).into())
    }

    fn all_inherited(&self) -> impl Iterator<Item = &Inherited> {
        self.inherited.iter().chain(&self.kept)
    }

    /// What stays although the offboarding ends well, for the journal.
    pub(super) fn left_in_place(&self) -> Vec<Note> {
        let inherited = self.all_inherited().map(|inherited| Note {
            action: Action::LeftInPlace,
            step: Some(inherited.step),
            target: Some(inherited.target.clone()),
            text: Some(format!("comes through {}", inherited.via)),
        });
        let refused = self.refused.iter().filter(|(step, target)| !self.keeps(step, target));
        let refused = refused.map(|(step, target)| Note {
            action: Action::LeftInPlace,
            step: Some(step),
            target: Some(target.clone()),
            text: Some("Genesys Cloud does not take it from an inactive account".to_owned()),
        });
        inherited.chain(refused).collect()
    }

    /// What may still be tried of what was found. Where nothing is, the work on the person ends with the first refusal;
    /// only an account that was inactive before goes on, because nobody can use what is left on it. A permission that is
    /// missing is no refusal of what is left: it ends there too.
    pub(super) fn not_refused(&mut self, found: Vec<Assignment>) -> Vec<Assignment> {
        let refused =
            |a: &Assignment| self.refused.iter().any(|(step, target)| *step == a.step && *target == a.target);
        let open: Vec<_> = found.into_iter().filter(|assignment| !refused(assignment)).collect();
        let passes = self.was_inactive() && !matches!(self.blocked, Some(Release::Held(..)));
        if open.is_empty()
            && !passes
            && let Some(release) = self.blocked.take()
        {
            self.end(release.into());
        }
        open
    }

    /// Whether something of a step was refused for good.
    pub(super) fn was_refused(&self, step: StepName) -> bool {
        self.refused.iter().any(|(of, target)| *of == step && !self.keeps(of, target))
    }

    fn keeps(&self, step: &str, target: &str) -> bool {
        self.kept.iter().any(|kept| kept.step == step && kept.target == target)
    }

    /// Notes that somebody else owns what was refused for good.
    pub(super) fn keep(&mut self, batch: &Batch, owner: &str) {
        let user = self.user_id();
        for assignment in batch.assignments().iter().filter(|assignment| assignment.user == user) {
            let (step, target, via) = (assignment.step, assignment.target.clone(), owner.to_owned());
            self.refused.push((step, target.clone()));
            self.kept.push(Inherited { step, target, via });
        }
    }

    /// Notes that a batch was refused for good.
    pub(super) fn block(&mut self, batch: &Batch, release: impl FnOnce(Option<String>) -> Release) {
        let user = self.user_id();
        let mine = batch.assignments().iter().filter(|assignment| assignment.user == user);
        self.refused.extend(mine.map(|assignment| (assignment.step, assignment.target.clone())));
        let what = self.refused.last().map(|(step, target)| format!("{step} {target}"));
        let release = release(what);
        // Whom a person has to help comes before what can't be helped.
        let outweighs = matches!((&self.blocked, &release), (Some(Release::Failed(..)), Release::Held(..)));
        if self.blocked.is_none() || outweighs {
            self.blocked = Some(release);
        }
    }

    /// Whether something of the batch was taken from them before.
    pub(super) fn has_lost(&self, batch: &Batch) -> bool {
        let known = |assignment: &Assignment| self.known.as_ref()?.get(&key(assignment))?.removed;
        batch.assignments().iter().any(|assignment| known(assignment).is_some())
    }

    pub(super) fn end(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }

    /// Why the work on the person ended.
    pub(super) fn take_stop(&mut self) -> Stop {
        self.stop.take().unwrap_or(Stop::LeaseLost)
    }

    /// How the attempt ended, where it has.
    pub(super) fn into_stop(self) -> Option<Stop> {
        self.stop
    }

    /// The Genesys user's id, or nothing before the person is resolved.
    pub(super) fn user_id(&self) -> String {
        self.user.as_ref().map(UserId::to_string).unwrap_or_default()
    }
}
