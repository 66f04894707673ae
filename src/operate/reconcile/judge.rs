//! What the facts about somebody come to: two lines of one user, an offboarding that there is, what is still held.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{Finding, Found};
use super::{Held, Matched};
use crate::genesys::UserState;
use crate::offboarding::policy::STALE_AFTER_DAYS;
use crate::offboarding::{Goal, Status};
use crate::operate::Unread;
use crate::store::earlier::Earlier;

/// Two lines that mean one user say the same, or nobody can tell which of them holds.
pub(super) fn tell_one_user_apart(items: &mut [(Found, Option<Matched>)]) {
    let mut lines: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, (_, matched)) in items.iter().enumerate() {
        if let Some(matched) = matched {
            lines.entry(matched.user.to_string()).or_default().push(index);
        }
    }
    for same in lines.into_values().filter(|same| same.len() > 1) {
        let said = |index: &usize| items.get(*index).map(|(found, _)| found.leaver.left_at);
        let agree = same.iter().map(said).all(|at| at == same.first().and_then(said));
        let numbers: Vec<_> =
            same.iter().filter_map(|index| items.get(*index)).map(|item| item.0.leaver.line).collect();
        for (place, index) in same.iter().enumerate() {
            let Some((found, _)) = items.get_mut(*index) else { continue };
            let other = numbers.get(usize::from(place == 0)).copied().unwrap_or_default();
            match (agree, place) {
                (true, 0) => {}
                (true, _) => {
                    found.is_now(Finding::Duplicate);
                    found.says(format!("the same user as line {other}"));
                }
                (false, _) => {
                    found.is_now(Finding::Ambiguous);
                    found.says(format!("line {other} gives another date for the same user"));
                }
            }
        }
    }
}

/// What an offboarding that has not come to its end means.
pub(super) fn under_way(earlier: &Earlier) -> Option<(Finding, String)> {
    let Earlier { id, status, reason, goal, effective_at } = earlier;
    let reason = reason.map(|reason| format!(" for {reason}")).unwrap_or_default();
    match (goal, status) {
        (Goal::Restored, Status::Scheduled | Status::Held | Status::Failed) => {
            Some((Finding::Restored, format!("{id} is to put them back ({status}{reason})")))
        }
        (Goal::Offboarded, Status::Scheduled) => {
            let at = effective_at.format("%Y-%m-%d %H:%M UTC");
            Some((Finding::InHand, format!("{id} takes effect at {at}")))
        }
        (Goal::Offboarded, Status::Held) => Some((Finding::Held, format!("{id} is held{reason}"))),
        (Goal::Offboarded, Status::Failed) => {
            Some((Finding::Failed, format!("{id} failed{reason}: `leaver retry {id}`")))
        }
        (Goal::Offboarded | Goal::Restored, Status::Done | Status::Cancelled) => None,
    }
}

/// What is found of somebody about whom nothing is under way.
pub(super) fn judge(found: &mut Found, held: &Held, earlier: Option<&Earlier>, now: DateTime<Utc>) {
    let unread: Vec<_> = held.unread.iter().map(Unread::words).collect();
    let could_not = (!unread.is_empty()).then(|| format!("could not read {}", unread.join(", ")));
    match (held.user.state == UserState::Active, held.count, could_not) {
        (true, _, could_not) => found.detail = could_not,
        (false, 0, Some(could_not)) => {
            found.is_now(Finding::Unread);
            return found.says(could_not);
        }
        (false, 0, None) => return found.is_now(Finding::Gone),
        (false, _, could_not) => {
            found.is_now(Finding::StillHolds);
            found.detail = could_not;
        }
    }
    if let Some(Earlier { id, goal, status, .. }) = earlier {
        match (goal, status) {
            (Goal::Restored, Status::Done) => {
                found.is_now(Finding::Restored);
                return found.says(format!("{id} has put them back"));
            }
            // Somebody decided, or the HR system said, that they stay; a list of before knows nothing of it.
            (Goal::Offboarded, Status::Cancelled) => {
                found.is_now(Finding::Cancelled);
                return found.says(format!(
                    "{id} was cancelled; `leaver offboard` where they have left all the same"
                ));
            }
            (Goal::Offboarded, Status::Done) => found.says(format!("{id} ended before")),
            (Goal::Offboarded | Goal::Restored, _) => {}
        }
    }
    if found.leaver.left_at.is_some_and(|at| at < now - TimeDelta::days(STALE_AFTER_DAYS)) {
        found.is_now(Finding::Stale);
        found.says(format!("{}, left more than {STALE_AFTER_DAYS} days back", held.user.state.as_str()));
    }
}
