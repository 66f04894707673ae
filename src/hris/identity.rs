//! What makes two events the same one: the sender's own id where it is trusted, else a digest of chosen fields.
//! Never of transport headers or the time of receipt, which differ with every attempt of one delivery.

use std::borrow::Cow;

use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::json::canonical;
use super::mapping::Mapping;
use super::pointer::{Pointer, Scope};
use super::settings::{Problem, Section, SourceError};
use crate::offboarding::PersonRef;
use crate::offboarding::policy::LOOKED_UP;

/// Characters of a sender's own id; the longest known has 73.
const ID_CHARS_MAX: usize = 200;

const DERIVED: &str = "derived:";
const BODY: &str = "body:";

/// What tells one event from another.
pub(super) struct Identity {
    /// The idempotency key.
    pub(super) event_id: String,
    /// SHA-256 of what must be equal when the id comes again.
    pub(super) content_digest: [u8; 32],
    /// How much later the same id is another event, where the id is derived and the profile says so.
    pub(super) again_after: Option<TimeDelta>,
}

/// How the idempotency key is found.
#[derive(Debug, Default)]
pub(super) struct EventId {
    /// The parts of the sender's own id; one alone is the id as it is.
    own: Vec<Pointer>,
    derive: Vec<Pointer>,
    window: Option<TimeDelta>,
    /// What may differ from one delivery of an event to the next, as RFC 6901 pointers to members of the item.
    except: Vec<String>,
}

impl EventId {
    /// Reads `map.event_id`, a table with `ptr` or `join`, and `derive` with or without `window`. Without any, the
    /// whole item is the identity.
    pub(super) fn build(map: &Section<'_>, mapping: &Mapping) -> Result<Self, SourceError> {
        let Some(section) = map.section("event_id")? else {
            return Ok(Self::default());
        };
        section.only(&["ptr", "join", "derive", "window", "except"])?;
        let mut own = match section.text("ptr")? {
            None => Vec::new(),
            Some(text) => mapping.place(&section.path("ptr"), text)?.into_iter().take(1).collect(),
        };
        let key = if own.is_empty() { "join" } else { "ptr" };
        for (index, text) in section.texts("join")?.unwrap_or_default().into_iter().enumerate() {
            if key == "ptr" {
                return Err(section.error("join", Problem::SetTwice("ptr")));
            }
            let path = section.path(&format!("join[{index}]"));
            let place = mapping.place(&path, text)?;
            if place.len() != 1 {
                return Err(SourceError::new(path, Problem::UnmappedField(text.to_owned())));
            }
            own.extend(place);
        }
        let shared = |pointer| mapping.picks().is_shared(pointer);
        if mapping.items().is_some() && !own.is_empty() && own.iter().all(shared) {
            return Err(section.error(key, Problem::SharedByItems));
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
        let window = match section.seconds("window")? {
            Some(_) if derive.is_empty() => return Err(section.error("window", Problem::Needs("derive"))),
            Some(0) => return Err(section.error("window", Problem::Malformed("longer than nothing"))),
            Some(seconds) => Some(TimeDelta::seconds(seconds)),
            None => None,
        };
        Ok(Self { own, derive, window, except: except(&section)? })
    }

    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.own.iter().chain(&self.derive)
    }

    /// Returns every pointer with its key.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, &Pointer)> {
        let own = if self.own.len() == 1 { "ptr" } else { "join" };
        let own = self.own.iter().map(move |pointer| (format!("map.event_id.{own}"), pointer));
        own.chain(self.derive.iter().map(|pointer| ("map.event_id.derive".to_owned(), pointer)))
    }

    /// Returns what tells this item from others.
    pub(super) fn of(&self, scope: &Scope<'_>, person: &PersonRef) -> Identity {
        if let Some(event_id) = self.own(scope) {
            let content_digest = digest([Some(self.what_stays(scope.item))].into_iter());
            return Identity { event_id, content_digest, again_after: None };
        }
        let mut values: Vec<_> = self.derive.iter().map(|pointer| pointer.find(scope)).collect();
        if person.is_empty() || values.iter().all(Option::is_none) {
            // What the profile knows may be the same for everybody; only the whole item tells two apart.
            values = vec![Some(Cow::Borrowed(scope.item))];
        }
        let content_digest = digest(values.into_iter());
        let event_id = format!("{DERIVED}{}", hex::encode(content_digest));
        Identity { event_id, content_digest, again_after: self.window }
    }

    /// The item without what may differ.
    fn what_stays<'a>(&self, item: &'a Value) -> Cow<'a, Value> {
        let mut item = Cow::Borrowed(item);
        for path in &self.except {
            if item.pointer(path).is_some() {
                remove(item.to_mut(), path);
            }
        }
        item
    }

    /// The sender's own id, of which every part has to be there.
    fn own(&self, scope: &Scope<'_>) -> Option<String> {
        let mut id = String::new();
        for (index, pointer) in self.own.iter().enumerate() {
            let part = plain(pointer.find(scope)?.as_ref())?;
            if index == 0 {
                id.push_str(&part);
            } else {
                // Only the first part may have a colon of its own, or two lists of parts could be the same id.
                id.push(':');
                id.push_str(&part.replace('%', "%25").replace(':', "%3A"));
            }
        }
        let ours = [DERIVED, BODY, LOOKED_UP].iter().any(|prefix| id.starts_with(prefix));
        (!id.is_empty() && id.chars().count() <= ID_CHARS_MAX && !ours).then_some(id)
    }
}

fn except(event_id: &Section<'_>) -> Result<Vec<String>, SourceError> {
    let mut paths = Vec::new();
    for (index, text) in event_id.texts("except")?.unwrap_or_default().into_iter().enumerate() {
        match Pointer::parse(text) {
            Some(Pointer::Item(path)) => paths.push(path),
            Some(Pointer::Root(_) | Pointer::Header(_) | Pointer::Picked(..)) | None => {
                let path = event_id.path(&format!("except[{index}]"));
                return Err(SourceError::new(path, Problem::Malformed("a pointer into the item: /x")));
            }
        }
    }
    Ok(paths)
}

/// Takes a member out of its object.
fn remove(item: &mut Value, path: &str) {
    let Some((parent, member)) = path.rsplit_once('/') else { return };
    let member = member.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(members)) = item.pointer_mut(parent) {
        members.remove(&member);
    }
}

/// Returns the id and the digest of a body as a whole.
pub(super) fn of_body(body: &[u8]) -> (String, [u8; 32]) {
    let digest: [u8; 32] = Sha256::digest(body).into();
    (format!("{BODY}{}", hex::encode(digest)), digest)
}

/// A string or whole number that can be shown and stored.
fn plain(value: &Value) -> Option<String> {
    if value.is_i64() || value.is_u64() {
        return Some(value.to_string());
    }
    let text = value.as_str()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
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
