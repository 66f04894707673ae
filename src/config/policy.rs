//! `[policy]`: when an offboarding starts, waits, asks or is held; leaves the decisions to `offboarding::policy`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::ConfigError;
use super::section::Section;
use crate::offboarding::Zone;
pub use crate::offboarding::choices::{
    EffectiveAt, Mode, OffQueue, OnQueue, Order, PersonNotFound, Protected, ShiftEnd, WhenBusy,
};

pub(super) const KEYS: &[&str] = &[
    "mode",
    "time_zone",
    "effective_at",
    "order",
    "order_by_type",
    "when_busy",
    "busy_recheck",
    "busy_wait_max",
    "on_queue",
    "off_queue",
    "shift_end",
    "shift_grace",
    "immediate_types",
    "person_not_found",
    "not_found_recheck",
    "protected",
    "administrator_roles",
    "changes_per_hour_max",
    "changes_per_day_max",
    "approval_valid",
    "verify_reads",
    "attempts_max",
];

/// Each look is one call per waiting person; rarer than hourly, an agent who became free keeps working.
const BUSY_RECHECK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3_600);

/// Zero doesn't wait at all; after a week "wait" has become "never".
const BUSY_WAIT_MAX: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(7 * 86_400);

/// Zero ends the waiting with the shift; nobody is on the phone for a day after it.
const SHIFT_GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

/// The second look has to be later than the first; after a day the person has been active for too long.
const NOT_FOUND_RECHECK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

/// Zero holds everybody for an approver; the largest organisations have fewer agents than the upper end.
const CHANGES_MAX: RangeInclusive<u32> = 0..=100_000;

/// Shorter than a minute, no worker could be in time; after a week nobody remembers what was looked at.
const APPROVAL_VALID: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// Without one complete read nothing is verified; with more than ten, one person takes up a minute's calls.
const VERIFY_READS: RangeInclusive<u32> = 1..=10;

/// With `retry_max` at its default a thousand attempts take about ten days.
const ATTEMPTS_MAX: RangeInclusive<u32> = 1..=1000;

/// The rules by which an offboarding goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether anything is changed in Genesys Cloud. Default live.
    pub mode: Mode,
    /// The zone of dates and times that name none. Default UTC; a name of the IANA database.
    pub time_zone: Zone,
    /// When on a date without a time a termination takes effect. Default the end of the day.
    pub effective_at: EffectiveAt,
    /// What comes first, the strip or the account. Default the strip.
    pub order: Order,
    /// What comes first for single termination types, in the HRIS's words. Default as `order` for all.
    pub order_by_type: BTreeMap<String, Order>,
    /// What happens to an agent who is in an interaction. Default to wait.
    pub when_busy: WhenBusy,
    /// How often a busy agent is looked at again. Default 60 s, 100 ms to 1 h.
    pub busy_recheck: Duration,
    /// How long an interaction is waited for before the offboarding goes ahead. Default 4 h, 0 s to 7 days.
    pub busy_wait_max: Duration,
    /// Whether an agent on queue without an interaction counts like one in an interaction. Default not.
    pub on_queue: OnQueue,
    /// Whether whoever is waited for is set unjoined in their queues. Default not.
    pub off_queue: OffQueue,
    /// Whether the waiting ends with the shift in workforce management. Default not.
    pub shift_end: ShiftEnd,
    /// How long after the shift the waiting ends. Default 30 min, 0 s to 1 day.
    pub shift_grace: Duration,
    /// The termination types that never wait for an interaction's end. Default `involuntary`.
    pub immediate_types: Vec<String>,
    /// What becomes of an offboarding of somebody whom Genesys doesn't know. Default done.
    pub person_not_found: PersonNotFound,
    /// How much later the second look comes, without which nobody counts as not found. Default 15 min, 100 ms to 1 day.
    pub not_found_recheck: Duration,
    /// Whom nobody is to take out without an approval. Default nobody.
    pub protected: Vec<Protected>,
    /// The roles, by name or id, that nobody loses without an approval who is the last active user to have them. Default
    /// `Master Admin` and `Admin`; empty: nobody is looked for.
    pub administrator_roles: Vec<String>,
    /// People changed within an hour, over all replicas; more are held. Default 10, 0 to 100 000.
    pub changes_per_hour_max: u32,
    /// People changed within a day, over all replicas; more are held. Default 25, 0 to 100 000.
    pub changes_per_day_max: u32,
    /// How long an approval is valid that has not led to the first change. Default 1 h, 1 min to 7 days.
    pub approval_valid: Duration,
    /// Complete reads in a row that find nothing before the account is deactivated. Default 2, 1 to 10.
    pub verify_reads: u32,
    /// Attempts before an offboarding has failed. Default 12, 1 to 1000.
    pub attempts_max: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            time_zone: Zone::utc(),
            effective_at: EffectiveAt::EndOfDay,
            order: Order::StripFirst,
            order_by_type: BTreeMap::new(),
            when_busy: WhenBusy::Wait,
            busy_recheck: Duration::from_secs(60),
            busy_wait_max: Duration::from_secs(4 * 3_600),
            on_queue: OnQueue::Go,
            off_queue: OffQueue::Leave,
            shift_end: ShiftEnd::Ignore,
            shift_grace: Duration::from_secs(30 * 60),
            immediate_types: vec!["involuntary".to_owned()],
            person_not_found: PersonNotFound::Done,
            not_found_recheck: Duration::from_secs(15 * 60),
            protected: Vec::new(),
            administrator_roles: ["Master Admin", "Admin"].map(str::to_owned).to_vec(),
            changes_per_hour_max: 10,
            changes_per_day_max: 25,
            approval_valid: Duration::from_secs(3_600),
            verify_reads: 2,
            attempts_max: 12,
        }
    }
}

impl Policy {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let zone = "a time zone such as UTC or Europe/Berlin";
        Ok(Self {
            mode: section.choice("mode", default.mode, Mode::ALL, Mode::as_str)?,
            time_zone: section.parsed("time_zone", default.time_zone, zone, |text| text.parse().ok())?,
            effective_at: section.parsed(
                "effective_at",
                default.effective_at,
                EffectiveAt::EXPECTED,
                |text| text.parse().ok(),
            )?,
            order: section.choice("order", default.order, Order::ALL, Order::as_str)?,
            order_by_type: section
                .free_texts("order_by_type")?
                .into_iter()
                .map(|(kind, text)| Ok((kind, text.choice(Order::ALL, Order::as_str)?)))
                .collect::<Result<_, ConfigError>>()?,
            when_busy: section.choice("when_busy", default.when_busy, WhenBusy::ALL, WhenBusy::as_str)?,
            busy_recheck: section.duration("busy_recheck", default.busy_recheck, BUSY_RECHECK)?,
            busy_wait_max: section.duration("busy_wait_max", default.busy_wait_max, BUSY_WAIT_MAX)?,
            on_queue: section.choice("on_queue", default.on_queue, OnQueue::ALL, OnQueue::as_str)?,
            off_queue: section.choice("off_queue", default.off_queue, OffQueue::ALL, OffQueue::as_str)?,
            shift_end: section.choice("shift_end", default.shift_end, ShiftEnd::ALL, ShiftEnd::as_str)?,
            shift_grace: section.duration("shift_grace", default.shift_grace, SHIFT_GRACE)?,
            immediate_types: section
                .list("immediate_types")?
                .map_or(default.immediate_types, |types| types.into_iter().map(|one| one.value).collect()),
            person_not_found: section.choice(
                "person_not_found",
                default.person_not_found,
                PersonNotFound::ALL,
                PersonNotFound::as_str,
            )?,
            not_found_recheck: section.duration(
                "not_found_recheck",
                default.not_found_recheck,
                NOT_FOUND_RECHECK,
            )?,
            protected: section
                .list_or_file("protected")?
                .unwrap_or_default()
                .iter()
                .map(|text| text.parse(Protected::EXPECTED, |text| text.parse().ok()))
                .collect::<Result<_, _>>()?,
            administrator_roles: section
                .list("administrator_roles")?
                .map_or(default.administrator_roles, |roles| {
                    roles.into_iter().map(|one| one.value).collect()
                }),
            changes_per_hour_max: section.integer(
                "changes_per_hour_max",
                default.changes_per_hour_max,
                CHANGES_MAX,
            )?,
            changes_per_day_max: section.integer(
                "changes_per_day_max",
                default.changes_per_day_max,
                CHANGES_MAX,
            )?,
            approval_valid: section.duration("approval_valid", default.approval_valid, APPROVAL_VALID)?,
            verify_reads: section.integer("verify_reads", default.verify_reads, VERIFY_READS)?,
            attempts_max: section.integer("attempts_max", default.attempts_max, ATTEMPTS_MAX)?,
        })
    }
}
