//! What makes two events the same one: the sender's own id where it is trusted, else a digest of chosen fields.
//! Never of transport headers or the time of receipt, which differ with every attempt of one delivery.

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::json::canonical;
use super::mapping::Mapping;
use super::pointer::{Pointer, Scope};
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::PersonRef;

/// Characters of a sender's own id; the longest known has 73.
const ID_CHARS_MAX: usize = 200;

const DERIVED: &str = "derived:";
const BODY: &str = "body:";

/// How the idempotency key is found.
#[derive(Debug, Default)]
pub(super) struct EventId {
    own: Option<Pointer>,
    derive: Vec<Pointer>,
}

impl EventId {
    /// Reads `map.event_id`, a table with `ptr`, `derive` or both. Without any, the whole item is the identity.
    pub(super) fn build(map: &Section<'_>, mapping: &Mapping) -> Result<Self, SourceError> {
        let Some(section) = map.section("event_id")? else {
            return Ok(Self::default());
        };
        section.only(&["ptr", "derive"])?;
        let own = match section.text("ptr")? {
            None => None,
            Some(text) => mapping.place(&section.path("ptr"), text)?.pop(),
        };
        if mapping.items().is_some() && matches!(own, Some(Pointer::Root(_) | Pointer::Header(_))) {
            return Err(section.error("ptr", Problem::SharedByItems));
        }
        let mut derive = Vec::new();
        for (index, text) in section.texts("derive")?.unwrap_or_default().into_iter().enumerate() {
            let path = section.path(&format!("derive[{index}]"));
            let place = mapping.place(&path, text)?;
            if place.iter().any(|pointer| matches!(pointer, Pointer::Header(_))) {
                return Err(SourceError::new(path, Problem::Malformed("a pointer into the body")));
            }
            derive.extend(place);
        }
        Ok(Self { own, derive })
    }

    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.own.iter().chain(&self.derive)
    }

    /// Returns the id and the digest of what must be equal when the id comes again.
    pub(super) fn of(&self, scope: &Scope<'_>, person: &PersonRef) -> (String, [u8; 32]) {
        let own = self.own.as_ref().and_then(|pointer| pointer.find(scope)).and_then(|value| trusted(&value));
        if let Some(own) = own {
            return (own, digest([Some(Cow::Borrowed(scope.item))].into_iter()));
        }
        let mut values: Vec<_> = self.derive.iter().map(|pointer| pointer.find(scope)).collect();
        if person.is_empty() || values.iter().all(Option::is_none) {
            // What the profile knows may be the same for everybody; only the whole item tells two apart.
            values = vec![Some(Cow::Borrowed(scope.item))];
        }
        let digest = digest(values.into_iter());
        (format!("{DERIVED}{}", hex::encode(digest)), digest)
    }
}

/// Returns the id and the digest of a body as a whole.
pub(super) fn of_body(body: &[u8]) -> (String, [u8; 32]) {
    let digest: [u8; 32] = Sha256::digest(body).into();
    (format!("{BODY}{}", hex::encode(digest)), digest)
}

/// An id that can be shown and stored, and that can't be taken for one of ours.
fn trusted(value: &Value) -> Option<String> {
    if value.is_i64() || value.is_u64() {
        return Some(value.to_string());
    }
    let text = value.as_str()?;
    let plain =
        !text.is_empty() && text.chars().count() <= ID_CHARS_MAX && !text.chars().any(char::is_control);
    let ours = text.starts_with(DERIVED) || text.starts_with(BODY);
    (plain && !ours).then(|| text.to_owned())
}

/// Every value is preceded by its length, and an absent one differs from every present one: no two lists of
/// values have the same bytes.
fn digest<'a>(values: impl Iterator<Item = Option<Cow<'a, Value>>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut form = Vec::new();
    for value in values {
        form.clear();
        match value {
            None => hash.update([0]),
            Some(value) => {
                canonical(&value, &mut form);
                hash.update([1]);
                hash.update((form.len() as u64).to_be_bytes());
                hash.update(&form);
            }
        }
    }
    hash.finalize().into()
}
