//! What a complete read means: what is removed now, what only lags behind a removal, what keeps coming back, and what comes
//! through a group.

use chrono::{TimeDelta, Utc};

use super::person::Person;
use super::runner::Runner;
use super::verdict::{Stop, wait};
use crate::genesys::Error;
use crate::offboarding::{Assignment, Inherited, Reason, StepName};
use crate::plan::{GROUPS, Look, Refusal};
use crate::store::leases::Release;
use crate::store::snapshot::{Known, Seen};

/// How long a read may still show what was removed once: Genesys Cloud's queue members take about ten seconds. Until then
/// it is neither removed again nor taken for gone.
const LAG_WINDOW: TimeDelta = TimeDelta::seconds(15);

/// How much longer each further removal is waited for. The windows add up to more than the ten minutes after which reads
/// have been seen to catch up.
const LAG_GROWTH: i32 = 4;

/// The longest window: whoever waits longer than this does not wait for a lag.
const LAG_WINDOW_MAX: TimeDelta = TimeDelta::seconds(600);

/// When a lagging read is repeated.
pub(super) const LAG_RECHECK: std::time::Duration = std::time::Duration::from_secs(3);

/// How often the same assignment is taken away again before a person has to find out who keeps assigning it.
const RETURNS_MAX: u32 = 3;

/// How far back it is looked up who assigned something.
const CULPRIT_LOOK_BACK: TimeDelta = TimeDelta::hours(1);

/// What one look left to do.
pub(super) enum Left {
    /// The person holds nothing that can be taken from them.
    Nothing,
    /// These are removed now.
    Removable(Vec<Assignment>),
}

/// What a lagging or returning assignment means.
enum Standing {
    Removable,
    Lagging,
    KeepsReturning,
}

impl Runner {
    /// Stores what is new of a complete read of these steps, and decides what is removed now.
    pub(super) async fn judge(
        &self,
        person: &mut Person,
        look: &Look<'_>,
        steps: Vec<StepName>,
        mut seen: Vec<Assignment>,
    ) -> Result<Left, Stop> {
        self.check_administrator(person, look).await?;
        let id = person.lease.id;
        let known = match person.known.take() {
            Some(known) => known,
            None => self.store.known(id).await?,
        };
        self.inspect_new(person, look, &known, &mut seen).await?;
        let known = self.store.remember(&self.fence, id, steps, seen.clone()).await?;
        let (through_groups, own): (Vec<_>, Vec<_>) = seen
            .into_iter()
            .map(|one| (self.held_through(&known, &one), one))
            .partition(|(via, _)| via.is_some());
        person.inherited.extend(
            through_groups
                .into_iter()
                .filter_map(|(via, one)| Some(Inherited { step: one.step, target: one.target, via: via? })),
        );
        let (mut removable, mut lagging) = (Vec::new(), false);
        for (_, assignment) in own {
            match standing(known.get(&key(&assignment))) {
                Standing::Removable => removable.push(assignment),
                Standing::Lagging => lagging = true,
                Standing::KeepsReturning => match self.owner_of(&assignment) {
                    Some(via) => person.inherited.push(Inherited {
                        step: assignment.step,
                        target: assignment.target,
                        via: via.to_owned(),
                    }),
                    None => return Err(self.keeps_returning(person, &assignment).await),
                },
            }
        }
        // A group that was left a moment ago may still hand on what is shown.
        let group_lags =
            !person.inherited.is_empty() && known.iter().any(|(key, seen)| lags_as_group(key, seen));
        person.known = Some(known);
        match (removable.is_empty(), lagging || group_lags) {
            (false, _) => Ok(Left::Removable(removable)),
            (true, false) => Ok(Left::Nothing),
            (true, true) => Err(wait(LAG_RECHECK, "a removal does not show yet")),
        }
    }

    async fn inspect_new(
        &self,
        person: &Person,
        look: &Look<'_>,
        known: &Known,
        seen: &mut [Assignment],
    ) -> Result<(), Stop> {
        for step in self.settings.plan.all() {
            let mut new: Vec<&mut Assignment> = seen
                .iter_mut()
                .filter(|one| one.step == step.name() && !known.contains_key(&key(one)))
                .collect();
            let mut details: Vec<Assignment> = new.iter().map(|one| (**one).clone()).collect();
            if details.is_empty() {
                continue;
            }
            step.inspect(look, &mut details).await.map_err(|error| self.stop_for(person, &error))?;
            for (one, detailed) in new.iter_mut().zip(details) {
                **one = detailed;
            }
        }
        Ok(())
    }

    fn held_through(&self, known: &Known, assignment: &Assignment) -> Option<String> {
        let stored = known.get(&key(assignment))?;
        self.settings.plan.step(assignment.step)?.held_through(&stored.detail)
    }

    /// Who else owns what Genesys Cloud does not take away, where that is known of its kind.
    pub(super) fn owner_of(&self, assignment: &Assignment) -> Option<&'static str> {
        match self.settings.plan.step(assignment.step)?.when_refused() {
            Refusal::Fails => None,
            Refusal::SomebodyElses(owner) => Some(owner),
        }
    }

    /// Somebody assigns faster than we remove: says who, where Genesys Cloud tells.
    pub(super) async fn keeps_returning(&self, person: &Person, assignment: &Assignment) -> Stop {
        let mut what = format!("{} {}", assignment.step, assignment.target);
        match self.who_assigned(person).await {
            Ok(Some(who)) => what.push_str(&format!(", assigned by {who}")),
            Ok(None) => what.push_str(", the audit names nobody else"),
            Err(error) => what.push_str(&format!(", and the audit can't be read: {}", error.code())),
        }
        Release::Held(Reason::KeepsReturning, Some(what)).into()
    }

    /// Who else changed the person last.
    async fn who_assigned(&self, person: &Person) -> Result<Option<String>, Error> {
        let Some(user) = &person.user else { return Ok(None) };
        let now = Utc::now();
        let changes = self.genesys.changes_of(user.as_str(), now - CULPRIT_LOOK_BACK, now).await?;
        let others = changes.into_iter().filter_map(|change| change.who);
        Ok(others.into_iter().find(|who| who != self.genesys.client_id()))
    }
}

pub(super) fn key(assignment: &Assignment) -> (String, String) {
    (assignment.step.to_owned(), assignment.target.clone())
}

fn standing(known: Option<&Seen>) -> Standing {
    match known {
        None | Some(Seen { removed: None, .. }) => Standing::Removable,
        Some(Seen { removed: Some((at, now)), removals, returned, .. }) => {
            if !*returned && *now - *at < lag_window(*removals) {
                Standing::Lagging
            } else if *removals > RETURNS_MAX {
                Standing::KeepsReturning
            } else {
                Standing::Removable
            }
        }
    }
}

/// How long it is waited for a change to show that was made so many times.
pub(super) fn lag_window(changes: u32) -> TimeDelta {
    let growth = LAG_GROWTH.saturating_pow(changes.saturating_sub(1).min(8));
    (LAG_WINDOW * growth).min(LAG_WINDOW_MAX)
}

fn lags_as_group((step, _): &(String, String), seen: &Seen) -> bool {
    step == GROUPS && seen.removed.is_some_and(|(at, now)| now - at < lag_window(seen.removals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(seconds_ago: i64, removals: u32, returned: bool) -> Seen {
        let now = Utc::now();
        let removed = Some((now - TimeDelta::seconds(seconds_ago), now));
        Seen { removed, removals, returned, detail: serde_json::Value::Null }
    }

    fn word(seen: Option<&Seen>) -> &'static str {
        match standing(seen) {
            Standing::Removable => "removable",
            Standing::Lagging => "lagging",
            Standing::KeepsReturning => "keeps returning",
        }
    }

    #[test]
    fn a_removal_that_does_not_show_yet_is_not_repeated_and_not_taken_for_gone() {
        assert_eq!(word(None), "removable");
        assert_eq!(word(Some(&removed(5, 1, false))), "lagging");
        assert_eq!(word(Some(&removed(16, 1, false))), "removable");
    }

    #[test]
    fn each_further_removal_is_waited_for_longer_up_to_more_than_ten_minutes_in_all() {
        let windows: Vec<_> = (1..=4).map(|n| lag_window(n).num_seconds()).collect();
        assert_eq!(windows, [15, 60, 240, 600]);
        assert!(windows.iter().sum::<i64>() > 600);
    }

    #[test]
    fn what_came_back_is_removed_again_at_once_and_held_in_the_end() {
        assert_eq!(word(Some(&removed(1, RETURNS_MAX, true))), "removable");
        assert_eq!(word(Some(&removed(1, RETURNS_MAX + 1, true))), "keeps returning");
        assert_eq!(word(Some(&removed(1, RETURNS_MAX + 1, false))), "lagging");
        assert_eq!(word(Some(&removed(601, RETURNS_MAX + 1, false))), "keeps returning");
    }
}
