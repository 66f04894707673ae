//! What Genesys Cloud says about a person's work: whether they are in an interaction, and when their shift ends.

use chrono::{DateTime, TimeDelta, Utc};

use crate::genesys::{Error, Genesys, RoutingStatus, Shift, Shifts, User, UserId};
use crate::offboarding::policy::{self, Routing, Signs, Work};

/// How far around the present the shift is looked for: longer than any shift.
const AROUND: TimeDelta = TimeDelta::days(1);

/// What the OAuth client has to be permitted to read a shift, by Genesys Cloud's names: of each entry one is enough. The
/// management unit is read under any of them too.
pub const SHIFT_PERMISSIONS: &[&[&str]] = &[&["wfm:publishedSchedule:view", "wfm:schedule:view"]];

/// What is known of the end of the shift that somebody works now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftEnd {
    /// It ends, or has ended within the grace, at this moment.
    At(DateTime<Utc>),
    /// Workforce management doesn't know them.
    NotScheduled,
    /// They work in no shift now.
    NoShift,
    /// Genesys Cloud gives the schedule only later.
    Elsewhere,
}

/// Judges the work of a user who was just read. Where the routing status did not come with the user, it is read alone.
pub async fn work_of(genesys: &Genesys, user: &User) -> Result<Work, Error> {
    let conversations = user.active_conversations.unwrap_or_default();
    // Whoever is in a conversation is in one, whatever their status; it need not be asked for.
    let routing = match conversations {
        0 => routing(&genesys.routing_status(user).await?),
        _ => Routing::Engaged,
    };
    Ok(policy::work(Signs { routing, conversations, presence: user.presence.as_deref() }))
}

fn routing(status: &RoutingStatus) -> Routing {
    match status {
        RoutingStatus::OffQueue => Routing::OffQueue,
        RoutingStatus::Idle | RoutingStatus::NotResponding => Routing::Waiting,
        RoutingStatus::Interacting | RoutingStatus::Communicating | RoutingStatus::Unknown(_) => {
            Routing::Engaged
        }
    }
}

/// Reads when the shift ends in which the user works at `now`; one that ended counts for as long as the grace lasts.
pub async fn shift_end_of(
    genesys: &Genesys,
    user: &UserId,
    now: DateTime<Utc>,
    grace: TimeDelta,
) -> Result<ShiftEnd, Error> {
    let Some(unit) = genesys.management_unit_of(user).await? else {
        return Ok(ShiftEnd::NotScheduled);
    };
    Ok(match genesys.shifts_of(user, &unit.id, now - AROUND, now + AROUND).await? {
        Shifts::Elsewhere => ShiftEnd::Elsewhere,
        Shifts::Found(shifts) => present_end(&shifts, now, grace).map_or(ShiftEnd::NoShift, ShiftEnd::At),
    })
}

/// The latest end of the shifts that run, or have ended no longer ago than the grace.
fn present_end(shifts: &[Shift], now: DateTime<Utc>, grace: TimeDelta) -> Option<DateTime<Utc>> {
    let present = shifts.iter().filter(|shift| shift.start <= now && now < shift.end + grace);
    present.map(|shift| shift.end).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_not_published_is_no_proof_of_being_free() {
        let table = [
            ("OFF_QUEUE", Routing::OffQueue),
            ("IDLE", Routing::Waiting),
            ("NOT_RESPONDING", Routing::Waiting),
            ("INTERACTING", Routing::Engaged),
            ("COMMUNICATING", Routing::Engaged),
            ("DANCING", Routing::Engaged),
        ];
        for (word, expected) in table {
            assert_eq!(routing(&RoutingStatus::from(word.to_owned())), expected, "{word}");
        }
    }

    #[test]
    fn the_shift_that_counts_is_the_one_that_runs_or_has_just_ended() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let shift = |start: &str, end: &str| Shift { start: at(start), end: at(end) };
        let morning = shift("2026-06-15T06:00:00Z", "2026-06-15T12:00:00Z");
        let evening = shift("2026-06-15T16:00:00Z", "2026-06-15T20:00:00Z");
        let end = |now: &str| present_end(&[evening, morning], at(now), TimeDelta::minutes(30));
        assert_eq!(end("2026-06-15T05:59:59Z"), None);
        assert_eq!(end("2026-06-15T06:00:00Z"), Some(morning.end));
        assert_eq!(end("2026-06-15T12:29:59Z"), Some(morning.end));
        assert_eq!(end("2026-06-15T12:30:00Z"), None);
        assert_eq!(end("2026-06-15T17:00:00Z"), Some(evening.end));
    }
}
