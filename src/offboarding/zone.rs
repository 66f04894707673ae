//! A time zone, and which moment a local time means in it. The rules are built in, so that no machine's are asked; the library
//! behind it shows nowhere else.

use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Timelike, Utc};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, civil};

/// A zone of the IANA database, by its name there. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The text is no [`Zone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an IANA time zone such as Europe/Berlin")]
pub struct UnknownZone;

impl Zone {
    /// Coordinated universal time.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The latest moment that a local time can mean: of two in an overlap the later one, and in a gap the moment at which
    /// the clocks have jumped, because acting early locks a working person out. `None` where the calendar ends, with the
    /// year 9999.
    pub fn latest(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let seconds = whole_seconds(local)?;
        match self.0.to_ambiguous_timestamp(seconds).offset() {
            AmbiguousOffset::Unambiguous { offset } => moment(local, offset),
            AmbiguousOffset::Fold { after, .. } => moment(local, after),
            // By the clock before it, a skipped time is at the jump or after it.
            AmbiguousOffset::Gap { before, .. } => {
                let second_after = before.to_timestamp(seconds).ok()?.as_second() + 1;
                let jump = self.0.preceding(Timestamp::from_second(second_after).ok()?).next()?;
                DateTime::from_timestamp(jump.timestamp().as_second(), 0)
            }
        }
    }

    /// The date on the calendar at a moment; beyond the year 9999 that in UTC.
    pub fn date_of(&self, moment: DateTime<Utc>) -> NaiveDate {
        let offset =
            Timestamp::from_second(moment.timestamp()).ok().and_then(|at| fixed(self.0.to_offset(at)));
        offset.map_or_else(|| moment.date_naive(), |offset| moment.with_timezone(&offset).date_naive())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Takes a name as it is written in the database; the library alone would also take `europe/berlin`, and a zone that
    /// stands for an unknown one.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownZone)?;
        if zone.iana_name() == Some(name) { Ok(Self(zone)) } else { Err(UnknownZone) }
    }
}

/// Clocks never jump within a second, and the fraction stays with the local time: no rounding, no leap second lost.
fn whole_seconds(local: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    let (month, day) = (small(local.month())?, small(local.day())?);
    let (hour, minute, second) = (small(local.hour())?, small(local.minute())?, small(local.second())?);
    civil::DateTime::new(i16::try_from(local.year()).ok()?, month, day, hour, minute, second, 0).ok()
}

fn moment(local: NaiveDateTime, offset: Offset) -> Option<DateTime<Utc>> {
    local.and_local_timezone(fixed(offset)?).single().map(|at| at.with_timezone(&Utc))
}

fn fixed(offset: Offset) -> Option<FixedOffset> {
    FixedOffset::east_opt(offset.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn latest(name: &str, local: &str) -> String {
        let at = zone(name).latest(local.parse().unwrap()).unwrap();
        at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    #[test]
    fn a_name_is_one_of_the_database_and_nothing_else() {
        for name in
            ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+7", "US/Pacific", "EST5EDT"]
        {
            assert!(name.parse::<Zone>().is_ok(), "{name}");
        }
        for text in [
            "",
            "Berlin",
            "europe/berlin",
            "utc",
            " UTC",
            "EST5EDT,M3.2.0,M11.1.0",
            "CET-1",
            "+01:00",
            "Etc/Unknown",
        ] {
            assert_eq!(text.parse::<Zone>(), Err(UnknownZone), "{text}");
        }
        assert_eq!(zone("UTC"), Zone::utc());
        assert_ne!(zone("Europe/Berlin"), zone("Europe/Paris"));
    }

    #[test]
    fn every_name_of_another_edition_is_known() {
        let unknown = chrono_tz::TZ_VARIANTS.iter().filter(|tz| tz.name().parse::<Zone>().is_err());
        assert_eq!(unknown.collect::<Vec<_>>(), [] as [&chrono_tz::Tz; 0]);
    }

    #[test]
    fn a_local_time_means_its_latest_moment() {
        assert_eq!(latest("Europe/Berlin", "2026-01-31T17:00:00"), "2026-01-31T16:00:00Z");
        assert_eq!(
            latest("Europe/Berlin", "2026-10-25T02:30:00.25"),
            "2026-10-25T01:30:00.250Z",
            "the later of two"
        );
        let odd = latest("Europe/Berlin", "2026-03-29T02:17:09.5");
        assert_eq!(odd, "2026-03-29T01:00:00Z", "no later than the jump");
        for (edge, expected) in [
            ("2026-03-29T01:59:59.999999999", "2026-03-29T00:59:59.999999999Z"),
            ("2026-03-29T02:00:00", "2026-03-29T01:00:00Z"),
            ("2026-03-29T02:59:59.999999999", "2026-03-29T01:00:00Z"),
            ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
        ] {
            assert_eq!(latest("Europe/Berlin", edge), expected, "{edge}");
        }
        assert_eq!(
            latest("Pacific/Apia", "2011-12-30T12:00:00"),
            "2011-12-30T10:00:00Z",
            "a day that was skipped"
        );
        // The table of single changes ends before; the rule for all years to come counts.
        assert_eq!(latest("America/New_York", "2150-07-01T12:00:00"), "2150-07-01T16:00:00Z");
        assert_eq!(
            latest("America/New_York", "2150-03-08T02:30:00"),
            "2150-03-08T07:00:00Z",
            "a gap by that rule"
        );
    }

    /// With the rules of 2025 the first would be an hour early: Morocco's clocks stay at UTC since September 2026. The
    /// second would be an hour late: British Columbia's stay at seven hours behind.
    #[test]
    fn the_rules_are_those_of_2026() {
        assert_eq!(latest("Africa/Casablanca", "2026-11-21T17:00:00"), "2026-11-21T17:00:00Z");
        assert_eq!(latest("America/Vancouver", "2026-12-21T17:00:00"), "2026-12-22T00:00:00Z");
    }

    #[test]
    fn a_date_is_that_of_the_zone_also_at_the_calendars_ends() {
        let date = |name: &str, at: &str| zone(name).date_of(at.parse().unwrap()).to_string();
        assert_eq!(date("Europe/Berlin", "2026-05-01T21:59:59.999999Z"), "2026-05-01");
        assert_eq!(date("Europe/Berlin", "2026-05-01T22:00:00Z"), "2026-05-02");
        assert_eq!(date("America/New_York", "2026-06-16T03:00:00Z"), "2026-06-15");
        let berlin = zone("Europe/Berlin");
        assert_eq!(berlin.date_of(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MAX_UTC.date_naive());
        assert_eq!(berlin.date_of(DateTime::<Utc>::MIN_UTC), DateTime::<Utc>::MIN_UTC.date_naive());
        assert_eq!(berlin.latest(NaiveDateTime::MAX), None);
        assert_eq!(berlin.latest(NaiveDateTime::MIN), None);
    }
}
