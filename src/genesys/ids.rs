//! The names of things in Genesys Cloud, checked where they enter; what they are used for is left to the calls.

use std::{fmt, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest id that is accepted, in characters: real ones are UUIDs of 36, and a longer one is no id of Genesys.
pub const ID_LENGTH_MAX: usize = 64;

/// RFC 3986's unreserved characters stay readable, every other one is escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Escapes one segment of a path, so that no `/`, `?` or `#` in it can reach another resource.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Says why a text is not an id. It leaves the text out: it comes from outside and may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 letters, digits, dots, underscores or hyphens, and is not a path's `.` or `..`")]
pub struct InvalidId;

fn is_plain_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(plain) && text != "." && text != ".."
}

/// "All divisions" is the one id of Genesys that is not plain.
fn is_division_id(text: &str) -> bool {
    text == "*" || is_plain_id(text)
}

/// Licences have names instead of UUIDs, such as `cloudCX3`, and stand in no path.
fn is_licence_id(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident if $check:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts a text that can be an id. Fails with [`InvalidId`] for any other.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err(InvalidId) }
            }

            /// Gives the id as Genesys wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// Names a user. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    UserId if is_plain_id;
    /// Names a queue. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    QueueId if is_plain_id;
    /// Names a routing skill. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    SkillId if is_plain_id;
    /// Names a routing language. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    LanguageId if is_plain_id;
    /// Names a role. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    RoleId if is_plain_id;
    /// Names a division. Real ones are UUIDs, and `*` is Genesys's name for all divisions together.
    DivisionId if is_division_id;
    /// Names a station. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    StationId if is_plain_id;
    /// Names a group. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    GroupId if is_plain_id;
    /// Names a work team. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    TeamId if is_plain_id;
    /// Names a phone as it is administered. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    PhoneId if is_plain_id;
    /// Names a conversation. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    ConversationId if is_plain_id;
    /// Names somebody's or something's part in a conversation. Real ones are UUIDs; 1 to 64 characters of
    /// `[A-Za-z0-9._-]` are accepted.
    ParticipantId if is_plain_id;
    /// Names a management unit of workforce management. Real ones are UUIDs; 1 to 64 characters of `[A-Za-z0-9._-]`
    /// are accepted.
    ManagementUnitId if is_plain_id;
    /// Names a licence, such as `cloudCX3`: a text and no UUID. 1 to 64 visible ASCII characters are accepted.
    LicenceId if is_licence_id;
    /// Names a resource that uses a user, such as a flow. 1 to 64 characters of `[A-Za-z0-9._-]` are accepted.
    ConsumerId if is_plain_id;
    /// Names whoever holds a grant: a user, a group that passes it on to its members, or an OAuth client.
    SubjectId if is_plain_id;
}

impl From<&UserId> for SubjectId {
    fn from(user: &UserId) -> Self {
        Self(user.0.clone())
    }
}

/// Names one HTTP call; sent as `X-Request-Id`, a UUID of version 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl RequestId {
    pub(super) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_texts_are_no_ids() {
        let long = "a".repeat(ID_LENGTH_MAX + 1);
        let hostile = [
            "", ".", "..", "../x", "a/b", "%2e%2e", "a%2fb", "a b", "a?b", "a#b", "a\\b", "a\0", "*", "ä",
            &long,
        ];
        for text in hostile {
            assert_eq!(UserId::new(text), Err(InvalidId), "{text:?}");
            assert!(serde_json::from_value::<QueueId>(text.into()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn uuids_and_the_id_of_all_divisions_are_ids() {
        assert!(UserId::new("5f0b4c2e-8d8e-4a53-9f5e-2f4d3f0a1b2c").is_ok());
        assert_eq!(DivisionId::new("*").map(|d| segment(d.as_str())), Ok("%2A".to_owned()));
        assert!(DivisionId::new("**").is_err());
    }

    #[test]
    fn a_licence_is_any_visible_text() {
        assert!(LicenceId::new("cloudCX3").is_ok() && LicenceId::new("wem:upgrade/2").is_ok());
        for text in ["", "a b", "a\n", "ä", &"a".repeat(ID_LENGTH_MAX + 1)] {
            assert_eq!(LicenceId::new(text), Err(InvalidId), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_path_that_was_not_meant(text in "[./%\\\\?#a-f0-9A-F:;@ ]{0,8}|\\PC{0,12}") {
            let path = |segment: &str| {
                let url = reqwest::Url::parse(&format!("https://x/api/{segment}/end")).unwrap();
                (url.path().to_owned(), url.query().is_none() && url.fragment().is_none())
            };
            if let Ok(id) = UserId::new(text.as_str()) {
                prop_assert_eq!(path(&segment(id.as_str())), (format!("/api/{text}/end"), true));
            }
            // The two that no escaping saves are refused where keys enter.
            if !matches!(text.as_str(), "." | "..") {
                let (path, is_alone) = path(&segment(&text));
                prop_assert!(is_alone && path.starts_with("/api/") && path.ends_with("/end"), "{}", path);
                prop_assert_eq!(path.matches('/').count(), 3);
            }
        }
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("../a?b#c%2f d"), "..%2Fa%3Fb%23c%252f%20d");
    }
}
