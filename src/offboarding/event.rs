//! A termination event: what an HRIS said about one person, after it was understood.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// What the sender's event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// The person leaves.
    Terminate,
    /// An earlier termination is taken back.
    Rescind,
    /// Something changed, and the event does not say what: the HRIS has to be asked.
    Lookup,
    /// A person has to decide.
    Hold,
    /// Nothing to act on.
    Ignore,
}

impl Directive {
    /// The word for it in a profile and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Rescind => "rescind",
            Self::Lookup => "lookup",
            Self::Hold => "hold",
            Self::Ignore => "ignore",
        }
    }
}

/// How an event was recognised, for whoever looks at it later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The sender's own word for what happened: at most a hundred characters, none of them a control character.
    pub word: Option<String>,
    /// What the matching rule of the profile asks for; `None` where no rule matched.
    pub rule: Option<Directive>,
}

/// How the sender names the person. At least one of the two, or the event names nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonRef {
    /// The e-mail address as it was sent, without the white space around it.
    pub email: Option<String>,
    /// The person's id in the HRIS as it was sent, without the white space around it.
    pub external_id: Option<String>,
}

impl PersonRef {
    /// The address in the form in which addresses are compared: ASCII letters folded, and nothing for an address
    /// with any other character, because Unicode case folding makes different mailboxes equal.
    pub fn email_key(&self) -> Option<String> {
        self.email.as_deref().and_then(email_key)
    }

    /// Whether the event names anybody.
    pub fn is_empty(&self) -> bool {
        self.email.is_none() && self.external_id.is_none()
    }
}

/// Folds an address for comparison; `None` where it has a character outside printable ASCII or no `@`.
pub fn email_key(address: &str) -> Option<String> {
    let plain = address.bytes().all(|b| b.is_ascii_graphic());
    let shaped =
        address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    (plain && shaped).then(|| address.to_ascii_lowercase())
}

/// When the termination takes effect, as far as the sender said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effective {
    /// A moment.
    At(DateTime<Utc>),
    /// A calendar date without a time; the policy's zone and `effective_at` make it a moment.
    On(NaiveDate),
    /// A local date and time without a zone; the policy's zone makes it a moment.
    Local(chrono::NaiveDateTime),
    /// The sender said nothing.
    Missing,
    /// The sender said something that has no single meaning.
    Unreadable,
}

/// One person's part of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct TerminationEvent {
    /// The idempotency key within its source: the sender's own id, or one derived from the event's fields.
    pub event_id: String,
    /// SHA-256 of what must be equal when the same `event_id` arrives again.
    pub content_digest: [u8; 32],
    /// How much later the same `event_id` is another event, for senders that give none and no time; `None`: never.
    pub again_after: Option<TimeDelta>,
    /// What is asked for.
    pub directive: Directive,
    /// Who.
    pub person: PersonRef,
    /// When.
    pub effective: Effective,
    /// The sender's own count of its events; orders events of one source.
    pub sequence: Option<i64>,
    /// When the sender says that it happened; orders events where there is no count.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The kind of termination, for example `involuntary`.
    pub termination_type: Option<String>,
    /// How it was recognised.
    pub heard: Heard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_only_unicode_folding_makes_equal_stay_apart() {
        assert_eq!(email_key("Kate@Example.com").as_deref(), Some("kate@example.com"));
        assert_eq!(email_key("\u{212A}ate@example.com"), None, "the Kelvin sign is not a K");
        assert_eq!(email_key("ka\u{0131}@example.com"), None);
        assert_eq!(email_key("kate example@x.y"), None);
        assert_eq!(email_key("@x.y"), None);
    }
}
