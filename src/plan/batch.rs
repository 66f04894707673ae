//! What one call removes or puts back, and how assignments are divided into such calls.

use std::str::FromStr;

use serde_json::Value;

use crate::genesys::CallFailed;
use crate::offboarding::Assignment;

/// What one changing call removes: assignments of one step, of one or more people. Never empty.
#[derive(Clone, Debug)]
pub struct Batch(Vec<Assignment>);

impl Batch {
    /// The assignments.
    pub fn assignments(&self) -> &[Assignment] {
        &self.0
    }

    /// The part of the batch that is about these users; `None` where nothing is left.
    pub fn only(&self, users: &[&str]) -> Option<Self> {
        let part: Vec<_> = self.0.iter().filter(|a| users.contains(&a.user.as_str())).cloned().collect();
        (!part.is_empty()).then_some(Self(part))
    }

    /// The first assignment.
    pub fn first(&self) -> &Assignment {
        &self.0[0]
    }

    /// The same assignments in batches of at most `size`.
    pub(super) fn chunks(self, size: usize) -> Vec<Self> {
        self.0.chunks(size).map(|chunk| Self(chunk.to_vec())).collect()
    }
}

/// One thing that is missing, or not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct PutBack {
    /// As it was stored before the first change.
    pub stored: Assignment,
    /// The details of what is there now under the same target, if anything is.
    pub present: Option<Value>,
}

/// What one changing call puts back: things of one step and one person. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct PutBacks(Vec<PutBack>);

impl PutBacks {
    /// What is put back.
    pub fn items(&self) -> &[PutBack] {
        &self.0
    }

    /// The first of them.
    pub fn first(&self) -> &PutBack {
        &self.0[0]
    }

    /// The user whose things these are.
    pub fn user(&self) -> &str {
        &self.first().stored.user
    }

    /// The same things, each for a call of its own.
    pub fn each_alone(self) -> Vec<Self> {
        each_put_back_alone(self.0)
    }
}

/// One call per assignment.
pub fn each_alone(assignments: Vec<Assignment>) -> Vec<Batch> {
    assignments.into_iter().map(|assignment| Batch(vec![assignment])).collect()
}

/// One call per person.
pub fn each_person(assignments: Vec<Assignment>) -> Vec<Batch> {
    grouped(assignments, |assignment| assignment.user.clone())
}

/// One call per group, in the order in which the groups first appear.
pub(super) fn grouped(assignments: Vec<Assignment>, key: impl Fn(&Assignment) -> String) -> Vec<Batch> {
    let mut groups: Vec<(String, Vec<Assignment>)> = Vec::new();
    for assignment in assignments {
        let key = key(&assignment);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(assignment),
            None => groups.push((key, vec![assignment])),
        }
    }
    groups.into_iter().map(|(_, group)| Batch(group)).collect()
}

/// Each thing with a call of its own.
pub(super) fn each_put_back_alone(missing: Vec<PutBack>) -> Vec<PutBacks> {
    missing.into_iter().map(|one| PutBacks(vec![one])).collect()
}

/// At most `size` things with each call.
pub(super) fn put_back_in_chunks(missing: &[PutBack], size: usize) -> Vec<PutBacks> {
    missing.chunks(size).map(|chunk| PutBacks(chunk.to_vec())).collect()
}

/// Reads back an id that an observation wrote. It can't fail for what `observe` returned; a damaged row is not sent.
pub fn id<T: FromStr>(text: &str) -> Result<T, CallFailed> {
    text.parse().map_err(|_| CallFailed::not_sent_for("an id in the plan is damaged"))
}

/// Reads back a text of stored details; a damaged row is not sent.
pub(super) fn text<'a>(detail: &'a Value, field: &str) -> Result<&'a str, CallFailed> {
    detail[field].as_str().ok_or_else(|| CallFailed::not_sent_for("a detail of the snapshot is damaged"))
}
