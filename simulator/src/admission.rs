//! Whether a request is let in: known call, token, rate limit, permission, definition, in this order.
//! What an admitted request does is left to `operations`.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri, header};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::answer::{Answer, Problem};
use crate::control::{Control, World};
use crate::definition::{Match, Need, Operation, PathValues, definition};
use crate::journal::{Effect, Intent, RequestInfo};
use crate::limiter::Standing;
use crate::operations::{self, Call};
use crate::organisation::Clock;
use crate::rules::Rules;
use crate::text;

/// A request with everything that can be said about it without looking at the organisation.
pub(crate) struct Arrival {
    method: String,
    path: String,
    raw_query: String,
    headers: HeaderMap,
    pub(crate) body: Bytes,
    operation: Option<(&'static Operation, PathValues)>,
    query: Vec<(String, String)>,
    json: Value,
    pub(crate) violations: Vec<String>,
    /// The first reason not to let it in.
    pub(crate) refusal: Option<Problem>,
}

impl Arrival {
    pub(crate) fn new(method: &Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Self {
        let raw_query = uri.query().unwrap_or_default().to_owned();
        let mut arrival = Self {
            method: method.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: text::pairs(&raw_query),
            raw_query,
            headers,
            body,
            operation: None,
            json: Value::Null,
            violations: Vec::new(),
            refusal: None,
        };
        arrival.compare_with_definition();
        arrival
    }

    fn compare_with_definition(&mut self) {
        match definition().find(&self.method, &self.path) {
            Match::Operation(operation, values) => {
                let content_type =
                    self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let verdict = definition().check(operation, &self.query, content_type, &self.body);
                self.operation = Some((operation, values));
                self.violations = verdict.violations;
                self.refusal = verdict.refusal;
                self.json = verdict.body;
            }
            Match::OtherMethod => {
                self.violations.push("the path exists, but not with this method".to_owned());
                let message = "The method is not allowed for the requested resource.";
                self.refusal = Some(Problem::new(405, "method.not.allowed", message));
            }
            Match::Invented(real) => {
                self.violations.push(format!("an invented call; the real one is {real}"));
                self.refusal = Some(Problem::not_found());
            }
            Match::Unknown => {
                self.violations.push("the path is not in the definition".to_owned());
                self.refusal = Some(Problem::not_found());
            }
        }
    }

    pub(crate) fn describe(&self, sequence: u64, now: Instant, wall_clock: DateTime<Utc>) -> RequestInfo {
        let changes = match &self.operation {
            Some((operation, _)) => operation.changes,
            None => self.method != "GET",
        };
        RequestInfo {
            sequence,
            arrived: now,
            arrived_at: wall_clock,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.raw_query.clone(),
            body: self.body.clone(),
            user_agent: self.header("user-agent").map(str::to_owned),
            request_id: self.header("x-request-id").map(str::to_owned),
            operation: self.operation.as_ref().map(|(operation, _)| operation.id.as_str()),
            intent: if changes { Intent::Changes } else { Intent::Reads },
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn asks_for_token(&self) -> bool {
        self.operation.as_ref().is_some_and(|(operation, _)| operation.id == "oauthToken")
    }
}

/// Checks token, rate limit and permissions; leaves the refusal that comes first in the arrival.
pub(crate) fn admit(world: &mut World, arrival: &mut Arrival) -> (Option<u64>, Standing) {
    let now = world.now();
    if arrival.asks_for_token() {
        let (standing, _) = world.limiter.count(None, &world.rules, now);
        return (None, standing);
    }
    let token = world.credentials.token(arrival.header("authorization"), now);
    let number = token.as_ref().ok().copied();
    let (standing, over_limit) = world.limiter.count(number, &world.rules, now);
    let unknown_call = arrival.operation.is_none();
    if unknown_call {
        return (number, standing);
    }
    let forbidden = arrival.operation.as_ref().and_then(|(operation, _)| forbidden(operation, &world.rules));
    arrival.refusal = token.err().or(over_limit).or(forbidden).or(arrival.refusal.take());
    (number, standing)
}

fn forbidden(operation: &Operation, rules: &Rules) -> Option<Problem> {
    let withheld = |permission: &&String| !rules.client_holds(permission);
    let missing: Vec<String> = operation.permissions.iter().filter(withheld).cloned().collect();
    match operation.need {
        Need::All if !missing.is_empty() => Some(Problem::missing_permissions(
            "missing.permissions",
            "Unable to perform the requested action. You are missing the following permission(s): {permissions}",
            &missing,
        )),
        Need::Any if missing.len() == operation.permissions.len() => Some(Problem::missing_permissions(
            "missing.any.permissions",
            "Unable to perform the requested action. You must have at least one of the following permissions assigned: {permissions}",
            &missing,
        )),
        Need::None | Need::Any | Need::All => None,
    }
}

/// Carries an arrival out, unless it was refused, and notes its effect in the journal.
pub(crate) fn perform(control: &Control, arrival: &Arrival, sequence: u64, correlation_id: &str) -> Answer {
    if let Some(problem) = &arrival.refusal {
        return problem.clone().into_answer(correlation_id);
    }
    let Some((operation, values)) = &arrival.operation else {
        return Problem::not_found().into_answer(correlation_id);
    };
    let mut guard = control.world();
    let world = &mut *guard;
    let now = world.now();
    if arrival.asks_for_token() {
        let authorization = arrival.header("authorization");
        return world.credentials.answer(authorization, &arrival.body, &world.rules, now);
    }
    let call = Call {
        operation,
        path: &arrival.path,
        values,
        query: &arrival.query,
        body: &arrival.json,
        rules: &world.rules,
        now,
        wall_clock: world.wall_clock(),
    };
    let organisation = &mut world.organisation;
    organisation.tick(Clock { now: call.now, wall: call.wall_clock }, &world.rules);
    organisation.effect = Effect::None;
    let answer =
        operations::run(organisation, &call).unwrap_or_else(|problem| problem.into_answer(correlation_id));
    let effect = organisation.effect;
    let method_and_path = format!("#{sequence} {} {}", arrival.method, arrival.path);
    let remarks = organisation.remarks.drain(..).map(|remark| format!("{method_and_path}: {remark}"));
    world.violations.extend(remarks);
    if effect == Effect::Changed
        && let Some(entry) = world.journal.get_mut(sequence)
    {
        entry.effect = effect;
    }
    answer
}

#[cfg(test)]
mod tests;
