//! What a request about a user means: its next state, and the event where it changes whether the person is active.
//! Only such a change is an event: the same state said again, a new name, a new title are none.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::patch::patched;
use super::refusal::Refusal;
use super::resource::{Attributes, is_handy, shown};
use crate::hris::{Ending, KeyIndex, Source};
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::{Directive, Effective, PersonRef, TerminationEvent, Zone, policy};
use crate::store::events::{Delivery, Item};
use crate::store::scim::{Change, Deactivation, Decision, ScimUser, State};

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// The user is this.
    Put(Attributes),
    /// The user is changed like this.
    Patch(Value),
    /// The user is gone.
    Delete,
}

/// Who asks, and how large a user may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) source: &'a Source,
    pub(super) key: KeyIndex,
    pub(super) user_bytes_max: usize,
}

/// What is said about a person.
struct Said {
    directive: Directive,
    person: PersonRef,
}

impl Asker<'_> {
    /// Decides about a user as it is, at this moment.
    pub(super) fn decide(
        self,
        wish: &Wish,
        user: &ScimUser,
        now: DateTime<Utc>,
    ) -> Result<Decision, Refusal> {
        let attributes = match wish {
            Wish::Put(attributes) => with_what_is_kept(attributes.clone(), user),
            Wish::Patch(patch) => {
                let present = user.resource.as_object().cloned().unwrap_or_default();
                Attributes::checked(patched(&present, patch)?)?
            }
            Wish::Delete => return self.delete(user, now),
        };
        // A patch may remove it; what that means can't be told.
        let active = attributes.active().ok_or(Refusal::Value("active can't be removed"))?;
        let next = ScimUser {
            version: user.version + 1,
            active,
            resource: attributes.clone().into_value(),
            updated_at: now,
            ..user.clone()
        };
        self.check_size(&next.resource)?;
        let after = self.person(&next)?;
        if next.resource == user.resource {
            return Ok(Decision { change: Change::Keep, delivery: None });
        }
        let (said, deactivation) = match (user.active, active) {
            (true, false) => {
                let (said, deactivation) = self.deactivated(user, after)?;
                (Some(said), Some(deactivation))
            }
            (false, true) => (Some(self.reactivated(user, after)), None),
            (true, true) | (false, false) => (None, user.deactivation.clone()),
        };
        let delivery = said.map(|said| self.delivery(&next, said, now)).transpose()?;
        let state = State {
            user_name: attributes.user_name().to_owned(),
            external_id: attributes.external_id().map(str::to_owned),
            active,
            deactivation,
            resource: next.resource,
        };
        Ok(Decision { change: Change::Replace(Box::new(state)), delivery })
    }

    /// The state of a new user. Nothing is said by it: whoever is provisioned as inactive may never have been here.
    pub(super) fn provision(self, attributes: Attributes, now: DateTime<Utc>) -> Result<State, Refusal> {
        let attributes = attributes.or_else("active", Some(Value::Bool(true)));
        let user = ScimUser {
            id: uuid::Uuid::nil(),
            version: 1,
            active: attributes.active().unwrap_or(true),
            deactivation: None,
            resource: attributes.clone().into_value(),
            created_at: now,
            updated_at: now,
        };
        self.check_size(&user.resource)?;
        self.person(&user)?;
        Ok(State {
            user_name: attributes.user_name().to_owned(),
            external_id: attributes.external_id().map(str::to_owned),
            active: user.active,
            deactivation: None,
            resource: user.resource,
        })
    }

    fn check_size(self, resource: &Value) -> Result<(), Refusal> {
        if resource.to_string().len() > self.user_bytes_max {
            return Err(Refusal::UserTooLarge(self.user_bytes_max));
        }
        if is_handy(resource) { Ok(()) } else { Err(Refusal::Syntax("too many values")) }
    }

    fn deactivated(self, user: &ScimUser, after: PersonRef) -> Result<(Said, Deactivation), Refusal> {
        let before = self.person(user)?;
        let ending = self.source.scim().map_or(Ending::Hold, |scim| scim.inactive);
        // Some providers rename whom they delete, so that the new name is nobody's; others correct a name. Which of both
        // Genesys Cloud knows can't be told.
        let (directive, person) = if renamed(&before, &after) {
            let directive = if ending == Ending::Ignore { ending } else { Ending::Hold }.directive();
            (directive, before)
        } else {
            let email = after.email.or(before.email);
            (ending.directive(), PersonRef { email, external_id: after.external_id.or(before.external_id) })
        };
        let deactivation = Deactivation {
            led_to: ending.as_str().to_owned(),
            email: person.email.clone(),
            external_id: person.external_id.clone(),
        };
        Ok((Said { directive, person }, deactivation))
    }

    /// Takes back what the deactivation said, about whomever it named: the user may have another name by now.
    fn reactivated(self, user: &ScimUser, after: PersonRef) -> Said {
        let Some(deactivation) = &user.deactivation else {
            return Said { directive: Directive::Rescind, person: after };
        };
        match Ending::parse(&deactivation.led_to) {
            Some(Ending::Ignore) => Said { directive: Directive::Ignore, person: after },
            Some(Ending::Hold | Ending::Terminate) | None => {
                Said { directive: Directive::Rescind, person: named_by(deactivation) }
            }
        }
    }

    /// A deletion says something where it says more than the deactivation before it.
    fn delete(self, user: &ScimUser, now: DateTime<Utc>) -> Result<Decision, Refusal> {
        let ending = self.source.scim().map_or(Ending::Hold, |scim| scim.deleted);
        let person = match &user.deactivation {
            // Also of whoever was provisioned as inactive: nothing was said about them yet.
            None => Some(self.person(user)?),
            Some(earlier) if Ending::parse(&earlier.led_to).is_some_and(|led_to| led_to < ending) => {
                Some(named_by(earlier))
            }
            Some(_) => None,
        };
        let said = person.map(|person| Said { directive: ending.directive(), person });
        let last = ScimUser { version: user.version + 1, ..user.clone() };
        let delivery = said.map(|said| self.delivery(&last, said, now)).transpose()?;
        Ok(Decision { change: Change::Remove, delivery })
    }

    fn person(self, user: &ScimUser) -> Result<PersonRef, Refusal> {
        Ok(self.read(user)?.person)
    }

    fn read(self, user: &ScimUser) -> Result<TerminationEvent, Refusal> {
        self.source.read_resource(&shown(self.source.name(), user)).map_err(Refusal::Unreadable)
    }

    /// The event of a change, with the user after it as evidence. Its id is the change's own.
    fn delivery(self, user: &ScimUser, said: Said, now: DateTime<Utc>) -> Result<Delivery, Refusal> {
        let effective = match said.directive {
            Directive::Terminate | Directive::Hold | Directive::Lookup => Effective::At(now),
            Directive::Rescind | Directive::Ignore => Effective::Missing,
        };
        let event = TerminationEvent {
            event_id: format!("scim:{}:{}", user.id, user.version),
            directive: said.directive,
            person: said.person,
            effective,
            occurred_at: Some(now),
            ..self.read(user)?
        };
        let intake = policy::intake(&event, &Zone::utc(), EffectiveAt::EndOfDay, now);
        Ok(Delivery {
            source: self.source.name().to_owned(),
            key_index: self.key.0,
            body: shown(self.source.name(), user).to_string().into_bytes(),
            headers: Default::default(),
            items: vec![Item {
                event_id: event.event_id,
                content_digest: event.content_digest,
                again_after: None,
                look_up: false,
                noted: Default::default(),
                person: event.person,
                termination_type: event.termination_type,
                sequence: event.sequence,
                occurred_at: event.occurred_at,
                intake,
            }],
            asked: None,
        })
    }
}

/// A PUT replaces everything but what tells who and whether: left out, these stay (RFC 7644, 3.5.1).
fn with_what_is_kept(attributes: Attributes, user: &ScimUser) -> Attributes {
    let kept = |name: &str| user.resource.get(name).cloned();
    attributes.or_else("active", Some(Value::Bool(user.active))).or_else("externalId", kept("externalId"))
}

fn named_by(deactivation: &Deactivation) -> PersonRef {
    PersonRef { email: deactivation.email.clone(), external_id: deactivation.external_id.clone() }
}

/// Whether both name somebody and not the same one.
fn renamed(before: &PersonRef, after: &PersonRef) -> bool {
    let differ = |one: &Option<String>, other: &Option<String>| {
        one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| !one.eq_ignore_ascii_case(other))
    };
    differ(&before.email, &after.email) || differ(&before.external_id, &after.external_id)
}
