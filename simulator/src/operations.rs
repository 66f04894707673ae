//! What each published operation does with the organisation: one file per kind of data, each with its list of operations.
//! A new kind is one file and one entry in `KINDS`.

mod account;
mod audits;
mod call_forwarding;
mod client;
mod conversations;
mod direct_routing_backup;
mod grants;
mod groups;
mod interval;
mod licences;
mod paging;
mod proficiencies;
mod queue_members;
mod reports;
mod search;
mod stations;
mod teams;
mod tokens;
mod user_json;
mod user_queues;
mod users;
mod utilization;
mod workforce;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::answer::{Answer, Problem};
use crate::definition::{Operation, PathValues};
use crate::organisation::{AccountState, Id, Organisation, PersonState};
use crate::rules::{InactiveWrites, Kind, Rules};

/// One admitted request.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    pub(crate) path: &'a str,
    pub(crate) values: &'a PathValues,
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: &'a Value,
    pub(crate) rules: &'a Rules,
    pub(crate) now: Instant,
    pub(crate) wall_clock: DateTime<Utc>,
}

type Handler = fn(&mut Organisation, &Call<'_>) -> Result<Answer, Problem>;

/// The operations of one kind of data, by their published ids.
type Operations = &'static [(&'static str, Handler)];

const KINDS: &[Operations] = &[
    account::OPERATIONS,
    audits::OPERATIONS,
    client::OPERATIONS,
    conversations::OPERATIONS,
    grants::OPERATIONS,
    licences::OPERATIONS,
    proficiencies::OPERATIONS,
    queue_members::OPERATIONS,
    reports::OPERATIONS,
    search::OPERATIONS,
    stations::OPERATIONS,
    tokens::OPERATIONS,
    user_queues::OPERATIONS,
    users::OPERATIONS,
    utilization::OPERATIONS,
    call_forwarding::OPERATIONS,
    direct_routing_backup::OPERATIONS,
    groups::OPERATIONS,
    teams::OPERATIONS,
    workforce::OPERATIONS,
];

/// Operations an inactive user must accept under every rule: otherwise nobody could ever be reactivated or locked out.
const ALWAYS_ACCEPTED: &[&str] = &["patchUser", "putUserState", "deleteUser", "deleteToken"];

/// Carries a call out. An operation that exists but is not simulated answers 501, which no client can mistake for success.
pub(crate) fn run(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let id = call.operation.id.as_str();
    let Some((_, handler)) = KINDS.iter().copied().flatten().find(|(name, _)| *name == id) else {
        organisation.remarks.push(format!("{id} is not simulated"));
        return Err(Problem::new(501, "simulator.not.simulated", format!("{id} is not simulated")));
    };
    refuse_inactive(organisation, call)?;
    audits::begin(organisation, call);
    handler(organisation, call)
}

fn refuse_inactive(organisation: &Organisation, call: &Call<'_>) -> Result<(), Problem> {
    let exempt = ALWAYS_ACCEPTED.contains(&call.operation.id.as_str());
    if call.rules.inactive_writes == InactiveWrites::Accepted || !call.operation.changes || exempt {
        return Ok(());
    }
    let subject = call.values.iter().find(|(name, _)| ["userId", "subjectId", "memberId"].contains(name));
    let state = subject.and_then(|(_, id)| organisation.truth(id)).map(|person| person.state);
    if state == Some(AccountState::Inactive) {
        return Err(Problem::bad_request("The user is not active."));
    }
    Ok(())
}

impl Call<'_> {
    /// Gives a variable of the path.
    fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// Gives a query parameter.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Gives a boolean query parameter.
    fn flag(&self, name: &str) -> Option<bool> {
        self.parameter(name).map(|value| value == "true")
    }

    /// Gives a list, sent as repeated keys or joined by commas.
    fn list(&self, name: &str) -> Vec<String> {
        let values = self.query.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect()
    }

    /// Gives the items of a body that is a list, and refuses more than the published limit.
    fn items(&self, max: usize) -> Result<&[Value], Problem> {
        let items = self.body.as_array().map_or(&[][..], Vec::as_slice);
        if items.len() > max {
            return Err(Problem::bad_request(&format!("At most {max} items can be sent at a time.")));
        }
        Ok(items)
    }

    /// Reads a person who isn't deleted, as this kind of read sees them.
    fn read(
        &self,
        organisation: &mut Organisation,
        kind: Kind,
        id: &str,
    ) -> Result<Arc<PersonState>, Problem> {
        organisation
            .read(kind, id, self.now)
            .filter(|person| person.state != AccountState::Deleted)
            .ok_or_else(Problem::not_found)
    }

    /// Reads everybody for whom it holds and who isn't deleted, as this kind of read sees them.
    fn read_where(
        &self,
        organisation: &mut Organisation,
        kind: Kind,
        holds: impl Fn(&PersonState) -> bool,
    ) -> Vec<Arc<PersonState>> {
        // As they are seen and as they truly are: a change that isn't visible yet must age by this read too.
        let concerned: Vec<Id> = organisation
            .views(kind)
            .filter(|seen| holds(seen) || organisation.truth(&seen.id).is_some_and(&holds))
            .map(|person| person.id.clone())
            .collect();
        let seen = concerned.iter().filter_map(|id| organisation.read(kind, id, self.now));
        seen.filter(|person| person.state != AccountState::Deleted && holds(person)).collect()
    }

    /// Changes the true state of a person who isn't deleted.
    fn change<R>(
        &self,
        organisation: &mut Organisation,
        id: &str,
        kinds: &[Kind],
        change: impl FnOnce(&mut PersonState) -> R,
    ) -> Result<R, Problem> {
        if organisation.truth(id).is_none_or(|person| person.state == AccountState::Deleted) {
            return Err(Problem::not_found());
        }
        organisation.change(id, kinds, self.rules, self.now, change).ok_or_else(Problem::not_found)
    }

    fn date(&self) -> Value {
        Value::from(self.wall_clock.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Gives a text field of a JSON object, or nothing.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
