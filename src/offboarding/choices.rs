//! What whoever runs the service can choose: the words of the policy. What follows from them is in `policy`.

use std::str::FromStr;

use chrono::NaiveTime;

/// Whether the service changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It carries out what it accepts.
    Live,
    /// It accepts, decides and looks, writes down what it would do, and changes nothing in Genesys Cloud.
    DryRun,
}

impl Mode {
    pub(crate) const ALL: &[Self] = &[Self::Live, Self::DryRun];

    /// The word in the configuration and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::DryRun => "dry_run",
        }
    }
}

/// When on a date without a time a termination takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectiveAt {
    /// At the date's first moment, written `start_of_day`.
    StartOfDay,
    /// At the next date's first moment, written `end_of_day`.
    EndOfDay,
    /// At a local time, written `17:00`.
    At(NaiveTime),
}

impl EffectiveAt {
    pub(crate) const EXPECTED: &str = "start_of_day, end_of_day or a time such as 17:00";
}

/// The text is no [`EffectiveAt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", EffectiveAt::EXPECTED)]
pub struct UnknownEffectiveAt;

impl FromStr for EffectiveAt {
    type Err = UnknownEffectiveAt;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "start_of_day" => Ok(Self::StartOfDay),
            "end_of_day" => Ok(Self::EndOfDay),
            // chrono also takes `7:5` and signs; two digits each leave no doubt about what was meant.
            time if time.len() == "17:00".len() => {
                NaiveTime::parse_from_str(time, "%H:%M").map(Self::At).map_err(|_| UnknownEffectiveAt)
            }
            _ => Err(UnknownEffectiveAt),
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Assignments first, then the account, so that no interaction is routed to somebody who can't answer.
    StripFirst,
    /// Account and tokens first, then the strip.
    AccessFirst,
}

impl Order {
    pub(crate) const ALL: &[Self] = &[Self::StripFirst, Self::AccessFirst];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StripFirst => "strip_first",
            Self::AccessFirst => "access_first",
        }
    }
}

/// What happens to an agent who is in an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// Wait for the interaction's end.
    Wait,
    /// Hold the offboarding until a person has decided.
    Ask,
    /// Go on; the interaction is cut off.
    Now,
}

impl WhenBusy {
    pub(crate) const ALL: &[Self] = &[Self::Wait, Self::Ask, Self::Now];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Ask => "ask",
            Self::Now => "now",
        }
    }
}

/// Whether an agent who is on queue without an interaction counts like one in an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnQueue {
    /// They do not: only an interaction counts.
    Go,
    /// They do, for waiting and for asking.
    Wait,
}

impl OnQueue {
    pub(crate) const ALL: &[Self] = &[Self::Go, Self::Wait];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Wait => "wait",
        }
    }
}

/// What happens to the queues of somebody who is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffQueue {
    /// Nothing: new interactions may come.
    Leave,
    /// They are set unjoined, so that no new interaction is routed; the memberships stay.
    Unjoin,
}

impl OffQueue {
    pub(crate) const ALL: &[Self] = &[Self::Leave, Self::Unjoin];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Unjoin => "unjoin",
        }
    }
}

/// Whether the end of the shift in workforce management ends the waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftEnd {
    /// It is not looked up.
    Ignore,
    /// It is waited for, and a grace after it; then the offboarding goes ahead.
    Wait,
}

impl ShiftEnd {
    pub(crate) const ALL: &[Self] = &[Self::Ignore, Self::Wait];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Wait => "wait",
        }
    }
}

/// What becomes of an offboarding of somebody whom Genesys doesn't know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonNotFound {
    /// It is done: there is nothing to take away.
    Done,
    /// It is held until a person has looked.
    Hold,
}

impl PersonNotFound {
    pub(crate) const ALL: &[Self] = &[Self::Done, Self::Hold];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Hold => "hold",
        }
    }
}

/// Somebody whom nobody is to take out without an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protected {
    /// The person with this address, written `a@b.c`.
    Email(String),
    /// The Genesys user with this id, written `id:ID`.
    Id(String),
    /// Everybody who has the role of this name, written `role:NAME`.
    Role(String),
    /// Everybody in the division of this name, written `division:NAME`.
    Division(String),
    /// Everybody in the group of this name or id, written `group:NAME`.
    Group(String),
}

impl Protected {
    pub(crate) const EXPECTED: &str = "an e-mail address, id:ID, role:NAME, division:NAME or group:NAME";
}

/// The text is no [`Protected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Protected::EXPECTED)]
pub struct UnknownProtected;

impl FromStr for Protected {
    type Err = UnknownProtected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (variant, name): (fn(String) -> Self, &str) = match text.split_once(':') {
            Some(("id", name)) => (Self::Id, name),
            Some(("role", name)) => (Self::Role, name),
            Some(("division", name)) => (Self::Division, name),
            Some(("group", name)) => (Self::Group, name),
            None if is_address(text) => (Self::Email, text),
            // No address of a person has a colon; taking `rolle:x@y` for one would protect nobody.
            Some(_) | None => return Err(UnknownProtected),
        };
        if name.trim().is_empty() || name.trim() != name {
            return Err(UnknownProtected);
        }
        Ok(variant(name.to_owned()))
    }
}

fn is_address(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    plain && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
