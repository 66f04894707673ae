//! Every form of a date against an independent date library: no termination starts early, and none later than needed. The
//! library carries a database of zones of its own, so that neither the machine's nor ours is asked twice.

use std::collections::BTreeMap;

use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta,
    TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::dates::{YEARS, effective};
use crate::offboarding::Zone;
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::policy::effective_moment;

const CASES: usize = 100_000;

/// Any number will do; it is fixed so that a failure can be looked at again.
const SEED: u64 = 20_261_121;

/// Zones of every kind: changes of an hour and of half an hour, at midnight and in the night, on both halves of the earth,
/// a day that was skipped, a change for Ramadan, offsets of quarters of an hour, and none at all.
const ZONES: [&str; 23] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Moscow",
    "America/New_York",
    "America/Los_Angeles",
    "America/Vancouver",
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

/// The last year in which both databases say the same of a zone, where that is not all of them. The library's is of 2025 and
/// does not know that in 2026 Morocco's clocks stay at UTC from September on, nor that those of British Columbia are not put
/// back in November.
fn last_year(zone: &str) -> i32 {
    match zone {
        "Africa/Casablanca" | "America/Vancouver" => 2025,
        _ => *YEARS.end(),
    }
}

/// One date as a sender may write it, and what the library says that it means at the latest.
struct Case {
    zone: &'static str,
    text: String,
    time_of_day: EffectiveAt,
    latest: DateTime<Utc>,
}

struct Generator {
    random: StdRng,
    /// Each zone, and the moments at which its clocks change.
    zones: Vec<(&'static str, Tz, Vec<DateTime<Utc>>)>,
}

fn first_of(year: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap()
}

fn offset_at(zone: Tz, at: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix()
}

/// The clocks of these zones never change twice within a day.
fn changes(zone: Tz, last_year: i32) -> Vec<DateTime<Utc>> {
    let (mut day, end) = (first_of(*YEARS.start()), first_of(last_year + 1));
    let mut changes = Vec::new();
    while day < end {
        let next = day + TimeDelta::days(1);
        let before = offset_at(zone, day);
        if offset_at(zone, next) != before {
            changes.push(first_second(day, next, |at| offset_at(zone, at) != before));
        }
        day = next;
    }
    changes
}

/// The first whole second at which something holds that does not at `not_yet` and does at `already`.
fn first_second(
    mut not_yet: DateTime<Utc>,
    mut already: DateTime<Utc>,
    holds: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    while (already - not_yet).num_seconds() > 1 {
        let middle = not_yet + TimeDelta::seconds((already - not_yet).num_seconds() / 2);
        if holds(middle) { already = middle } else { not_yet = middle }
    }
    already
}

impl Generator {
    fn new() -> Self {
        let zones = ZONES.iter().map(|name| {
            let zone: Tz = name.parse().unwrap();
            (*name, zone, changes(zone, last_year(name)))
        });
        Self { random: StdRng::seed_from_u64(SEED), zones: zones.collect() }
    }

    /// Three of four dates are near a change of the clocks.
    fn local(&mut self, zone: usize) -> NaiveDateTime {
        let random = &mut self.random;
        let (name, time_zone, changes) = &self.zones[zone];
        let years = *YEARS.start()..=last_year(name);
        loop {
            let local = match changes.is_empty() || random.random_ratio(1, 4) {
                true => {
                    let first = first_of(*YEARS.start()).naive_utc();
                    first + TimeDelta::seconds(random.random_range(0..111 * 366 * 86_400))
                }
                false => {
                    let change = changes[random.random_range(0..changes.len())];
                    let near = match random.random_ratio(1, 2) {
                        true => random.random_range(-7_200..=7_200),
                        false => random.random_range(-2 * 86_400..=2 * 86_400),
                    };
                    // By the clock before the change or after it, so that the skipped time is met as well.
                    let side = change + TimeDelta::seconds(random.random_range(-1..=0));
                    change.naive_utc() + offset_at(*time_zone, side) + TimeDelta::seconds(near)
                }
            };
            let whole = match random.random_range(0..4) {
                0 => local.with_second(0).unwrap(),
                1 => local.with_second(0).unwrap().with_minute(0).unwrap(),
                _ => local,
            };
            if years.contains(&whole.year()) {
                return whole;
            }
        }
    }

    fn case(&mut self) -> Case {
        let zone = self.random.random_range(0..self.zones.len());
        let local = self.local(zone);
        let (name, time_zone, _) = self.zones[zone].clone();
        let day = local.date();
        let minute = local.time().with_second(0).unwrap();
        let fraction = self.fraction();
        let exact = local.with_nanosecond(fraction.1).unwrap();
        let written = self.written(local, &fraction.0);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN);
        let date = day.to_string();
        let (text, time_of_day, latest) = match self.random.random_range(0..5) {
            0 => (date, EffectiveAt::StartOfDay, latest(time_zone, midnight(day))),
            1 => (date, EffectiveAt::EndOfDay, latest(time_zone, midnight(day.succ_opt().unwrap()))),
            2 => (date, EffectiveAt::At(minute), latest(time_zone, day.and_time(minute))),
            3 => (written, EffectiveAt::EndOfDay, latest(time_zone, exact)),
            _ => {
                let (offset, suffix) = self.offset();
                let moment = offset.from_local_datetime(&exact).unwrap().with_timezone(&Utc);
                (written + &suffix, EffectiveAt::EndOfDay, moment)
            }
        };
        Case { zone: name, text, time_of_day, latest }
    }

    /// A fraction of a second as it is written, and in nanoseconds; the digits beyond these are dropped.
    fn fraction(&mut self) -> (String, u32) {
        let digits = [0, 0, 1, 3, 6, 9, 12][self.random.random_range(0..7)];
        let text: String = (0..digits).map(|_| char::from(self.random.random_range(b'0'..=b'9'))).collect();
        let nanoseconds = format!("{:0<9}", text.chars().take(9).collect::<String>()).parse().unwrap();
        (if text.is_empty() { text } else { format!(".{text}") }, nanoseconds)
    }

    fn written(&mut self, local: NaiveDateTime, fraction: &str) -> String {
        let between = ['T', 't', ' '][self.random.random_range(0..3)];
        let (hour, minute, second) = (local.hour(), local.minute(), local.second());
        format!("{}{between}{hour:02}:{minute:02}:{second:02}{fraction}", local.date())
    }

    fn offset(&mut self) -> (FixedOffset, String) {
        let minutes = self.random.random_range(-23 * 60..=23 * 60);
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (i32::abs(minutes) / 60, i32::abs(minutes) % 60);
        let (utc, there) = (FixedOffset::east_opt(0).unwrap(), FixedOffset::east_opt(minutes * 60).unwrap());
        match self.random.random_range(0..4) {
            0 => (utc, "Z".to_owned()),
            1 => (utc, "z".to_owned()),
            2 => (there, format!("{sign}{hours:02}{rest:02}")),
            _ => (there, format!("{sign}{hours:02}:{rest:02}")),
        }
    }
}

/// The latest moment that a local time can mean, as the library has it: the later of two, and in a gap the first moment at
/// which the clock shows a later time.
fn latest(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => at.with_timezone(&Utc),
        MappedLocalTime::Ambiguous(one, other) => one.max(other).with_timezone(&Utc),
        MappedLocalTime::None => {
            // No clock is further from UTC than this.
            let far = TimeDelta::hours(26);
            let around = local.with_nanosecond(0).unwrap().and_utc();
            first_second(around - far, around + far, |at| at.with_timezone(&zone).naive_local() > local)
        }
    }
}

/// The same through the code that is shipped, where the source has a zone and where the policy's counts.
fn ours(case: &Case) -> [Option<DateTime<Utc>>; 2] {
    let zone: Zone = case.zone.parse().unwrap();
    [Some(&zone), None].map(|of_source| {
        let read = effective(Some(&json!(case.text)), of_source);
        effective_moment(&read, &zone, case.time_of_day)
    })
}

#[test]
fn no_date_means_a_moment_before_the_latest_that_it_can_mean_nor_after_it() {
    let mut generator = Generator::new();
    let (mut early, mut late, mut wrong) = (0, 0, BTreeMap::<&str, Vec<String>>::new());
    for _ in 0..CASES {
        let case = generator.case();
        let latest = case.latest;
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
