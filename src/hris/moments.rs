//! Every form of a date against an independent date library: no termination starts early, and none later than needed. The
//! library carries a database of zones of its own, so that neither the machine's nor ours is asked twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::dates::{YEARS, effective};
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::policy::effective_moment;

const CASES: usize = 100_000;

/// Any number will do; it is fixed so that a failure can be looked at again.
const SEED: u64 = 20_261_121;

/// Zones of every kind: changes of an hour and of half an hour, at midnight and in the night, on both halves of the earth,
/// a day that was skipped, a change for Ramadan, offsets of quarters of an hour, and none at all.
const ZONES: [&str; 22] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Moscow",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
];

/// The last year in which both databases say the same of a zone, where that is not all of them: ours is of 2025 and does not
/// know yet that Morocco's clocks stay at UTC from September 2026 on.
fn last_year(zone: &str) -> i32 {
    match zone {
        "Africa/Casablanca" => 2025,
        _ => *YEARS.end(),
    }
}

/// One date as a sender may write it, and what the library says that it means at the latest.
struct Case {
    zone: &'static str,
    text: String,
    time_of_day: EffectiveAt,
    latest: Timestamp,
}

struct Generator {
    random: StdRng,
    /// Each zone, and the moments at which its clocks change.
    zones: Vec<(&'static str, TimeZone, Vec<Timestamp>)>,
}

impl Generator {
    fn new() -> Self {
        let zones = ZONES.iter().map(|name| {
            let zone = TimeZone::get(name).unwrap();
            let from = civil::date(1990, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let changes = zone.following(from).map(|change| change.timestamp());
            let year = |at: &Timestamp| i32::from(at.to_zoned(TimeZone::UTC).year());
            let changes = changes.take_while(|at| year(at) <= last_year(name));
            (*name, zone.clone(), changes.collect())
        });
        Self { random: StdRng::seed_from_u64(SEED), zones: zones.collect() }
    }

    /// Three of four dates are near a change of the clocks.
    fn local(&mut self, zone: usize) -> civil::DateTime {
        let random = &mut self.random;
        let (name, time_zone, changes) = &self.zones[zone];
        let years = *YEARS.start()..=last_year(name);
        loop {
            let local = match changes.is_empty() || random.random_ratio(1, 4) {
                true => {
                    let first = civil::date(1990, 1, 1).at(0, 0, 0, 0);
                    first + SignedDuration::from_secs(random.random_range(0..111 * 366 * 86_400))
                }
                false => {
                    let change = changes[random.random_range(0..changes.len())];
                    let near = match random.random_ratio(1, 2) {
                        true => random.random_range(-7_200..=7_200),
                        false => random.random_range(-2 * 86_400..=2 * 86_400),
                    };
                    // By the clock before the change or after it, so that the skipped time is met as well.
                    let side = change + SignedDuration::from_secs(random.random_range(-1..=0));
                    let offset = time_zone.to_offset(side);
                    offset.to_datetime(change) + SignedDuration::from_secs(near)
                }
            };
            let whole = match random.random_range(0..4) {
                0 => local.with().second(0).subsec_nanosecond(0).build().unwrap(),
                1 => local.with().minute(0).second(0).subsec_nanosecond(0).build().unwrap(),
                _ => local.with().subsec_nanosecond(0).build().unwrap(),
            };
            if years.contains(&i32::from(whole.year())) {
                return whole;
            }
        }
    }

    fn case(&mut self) -> Case {
        let zone = self.random.random_range(0..self.zones.len());
        let local = self.local(zone);
        let (name, time_zone, _) = self.zones[zone].clone();
        let day = local.date();
        let minutes = u32::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
        let at = chrono::NaiveTime::from_num_seconds_from_midnight_opt(minutes * 60, 0).unwrap();
        let fraction = self.fraction();
        let exact = local.with().subsec_nanosecond(fraction.1).build().unwrap();
        let written = self.written(local, &fraction.0);
        let date = day.to_string();
        let (text, time_of_day, latest) = match self.random.random_range(0..5) {
            0 => (date, EffectiveAt::StartOfDay, latest(&time_zone, day.at(0, 0, 0, 0))),
            1 => (date, EffectiveAt::EndOfDay, latest(&time_zone, day.tomorrow().unwrap().at(0, 0, 0, 0))),
            2 => {
                let local = day.at(local.hour(), local.minute(), 0, 0);
                (date, EffectiveAt::At(at), latest(&time_zone, local))
            }
            3 => (written, EffectiveAt::EndOfDay, latest(&time_zone, exact)),
            _ => {
                let (offset, suffix) = self.offset();
                (written + &suffix, EffectiveAt::EndOfDay, offset.to_timestamp(exact).unwrap())
            }
        };
        Case { zone: name, text, time_of_day, latest }
    }

    /// A fraction of a second as it is written, and in nanoseconds; the digits beyond these are dropped.
    fn fraction(&mut self) -> (String, i32) {
        let digits = [0, 0, 1, 3, 6, 9, 12][self.random.random_range(0..7)];
        let text: String = (0..digits).map(|_| char::from(self.random.random_range(b'0'..=b'9'))).collect();
        let nanoseconds = format!("{:0<9}", text.chars().take(9).collect::<String>()).parse().unwrap();
        (if text.is_empty() { text } else { format!(".{text}") }, nanoseconds)
    }

    fn written(&mut self, local: civil::DateTime, fraction: &str) -> String {
        let between = ['T', 't', ' '][self.random.random_range(0..3)];
        let (hour, minute, second) = (local.hour(), local.minute(), local.second());
        format!("{}{between}{hour:02}:{minute:02}:{second:02}{fraction}", local.date())
    }

    fn offset(&mut self) -> (Offset, String) {
        let minutes = self.random.random_range(-23 * 60..=23 * 60);
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (i32::abs(minutes) / 60, i32::abs(minutes) % 60);
        match self.random.random_range(0..4) {
            0 => (Offset::UTC, "Z".to_owned()),
            1 => (Offset::UTC, "z".to_owned()),
            2 => (Offset::from_seconds(minutes * 60).unwrap(), format!("{sign}{hours:02}{rest:02}")),
            _ => (Offset::from_seconds(minutes * 60).unwrap(), format!("{sign}{hours:02}:{rest:02}")),
        }
    }
}

/// The latest moment that a local time can mean, as the library has it: the later of two, and in a gap the change itself.
fn latest(zone: &TimeZone, local: civil::DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).unwrap(),
        AmbiguousOffset::Fold { before, after } => {
            before.to_timestamp(local).unwrap().max(after.to_timestamp(local).unwrap())
        }
        AmbiguousOffset::Gap { before, .. } => {
            let behind = before.to_timestamp(local).unwrap() + SignedDuration::from_nanos(1);
            zone.preceding(behind).next().unwrap().timestamp()
        }
    }
}

/// The same through the code that is shipped, where the source has a zone and where the policy's counts.
fn ours(case: &Case) -> [Option<DateTime<Utc>>; 2] {
    let zone: Tz = case.zone.parse().unwrap();
    [Some(zone), None].map(|of_source| {
        let read = effective(Some(&json!(case.text)), of_source);
        effective_moment(&read, zone, case.time_of_day)
    })
}

fn as_chrono(moment: Timestamp) -> DateTime<Utc> {
    let nanoseconds = u32::try_from(moment.subsec_nanosecond().rem_euclid(1_000_000_000)).unwrap();
    let seconds = moment.as_nanosecond().div_euclid(1_000_000_000);
    DateTime::from_timestamp(i64::try_from(seconds).unwrap(), nanoseconds).unwrap()
}

#[test]
fn no_date_means_a_moment_before_the_latest_that_it_can_mean_nor_after_it() {
    let mut generator = Generator::new();
    let (mut early, mut late, mut wrong) = (0, 0, BTreeMap::<&str, Vec<String>>::new());
    for _ in 0..CASES {
        let case = generator.case();
        let latest = as_chrono(case.latest);
        for at in ours(&case) {
            early += usize::from(at.is_some_and(|at| at < latest));
            late += usize::from(at.is_none_or(|at| at > latest));
            if at != Some(latest) {
                let words = format!("{} {:?}: {at:?} and not {latest}", case.text, case.time_of_day);
                wrong.entry(case.zone).or_default().push(words);
            }
        }
    }
    println!("dates: {CASES} cases, {early} early");
    for (zone, wrong) in &mut wrong {
        wrong.sort();
        println!("{zone}: {} wrong, from {} to {}", wrong.len(), wrong[0], wrong[wrong.len() - 1]);
    }
    assert_eq!((early, late), (0, 0));
}
