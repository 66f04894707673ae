//! Planning a layoff: the list is read line by line, nothing of it is guessed, and its digest binds the approval to it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::own::{Named, OwnRules, REASON_CHARS_MAX, named, reason};
use super::{OperateError, one_more, page, when};
use crate::offboarding::choices::EffectiveAt;
use crate::offboarding::event::email_key;
use crate::offboarding::{Actor, policy};
use crate::store::Store;
use crate::store::layoffs::{Layoff, LayoffDecided, LayoffDecision, LayoffFilter, LayoffId, Listed, Plan};

/// The longest window, in days: what is planned for longer is no event but a state.
const WINDOW_DAYS_MAX: i64 = 31;

/// The longest list.
pub const PEOPLE_MAX: usize = 10_000;

/// The most characters of one line.
const LINE_CHARS_MAX: usize = 254;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LayoffPlan {
    /// Why, in the requester's words.
    #[schema(schema_with = reason)]
    pub reason: String,
    /// When it begins: RFC 3339, or a date (its first moment) or a local time in the policy's zone.
    pub from: String,
    /// When it is over, written in the same way; of a date its last moment.
    pub until: String,
    /// Who: each an e-mail address, a Genesys user id, or an external id as `SOURCE:ID`.
    #[schema(min_items = 1, max_items = 10_000)]
    pub people: Vec<String>,
    /// The most of them that pass; all where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub count: Option<u32>,
}

/// Stores a layoff and shows it.
pub async fn plan_layoff(
    store: &Store,
    rules: &OwnRules,
    asked: &LayoffPlan,
    actor: &Actor,
) -> Result<Layoff, OperateError> {
    let plan = checked(rules, asked)?;
    let id = store.plan_layoff(plan, actor).await?;
    one(store, id).await
}

/// A page of layoffs.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayoffPage {
    /// Newest first.
    pub items: Vec<Layoff>,
    /// Where the next page begins, or nothing at the end.
    #[schema(required)]
    pub next: Option<LayoffId>,
}

/// Lists a page of layoffs.
pub async fn layoffs(store: &Store, filter: &LayoffFilter) -> Result<LayoffPage, OperateError> {
    let items = store.layoffs(LayoffFilter { limit: one_more(filter.limit), ..*filter }).await?;
    let (items, next) = page(items, filter.limit, |layoff| layoff.id);
    Ok(LayoffPage { items, next })
}

/// Carries out a decision about a layoff; shows it where that was possible.
pub async fn decide_layoff(
    store: &Store,
    id: LayoffId,
    decision: LayoffDecision,
    actor: &Actor,
) -> Result<Result<Layoff, LayoffDecided>, OperateError> {
    match store.decide_layoff(id, decision, actor).await? {
        LayoffDecided::Yes => Ok(Ok(one(store, id).await?)),
        refused @ (LayoffDecided::Unknown
        | LayoffDecided::OwnRequest
        | LayoffDecided::OtherList
        | LayoffDecided::AlreadyApproved
        | LayoffDecided::AlreadyCancelled
        | LayoffDecided::Over) => Ok(Err(refused)),
    }
}

/// Reads a digest as it is shown.
pub fn read_digest(text: &str) -> Result<[u8; 32], OperateError> {
    let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| OperateError::field("digest", "expected 64 hexadecimal digits"))
}

async fn one(store: &Store, id: LayoffId) -> Result<Layoff, OperateError> {
    store.layoffs(LayoffFilter::one(id)).await?.pop().ok_or(OperateError::Gone)
}

fn checked(rules: &OwnRules, asked: &LayoffPlan) -> Result<Plan, OperateError> {
    let why = when::words("reason", &asked.reason, REASON_CHARS_MAX)?;
    let from = moment("from", &asked.from, rules, EffectiveAt::StartOfDay)?;
    let until = moment("until", &asked.until, rules, EffectiveAt::EndOfDay)?;
    if until <= from {
        return Err(OperateError::field("until", "is not later than `from`"));
    }
    if until - from > TimeDelta::days(WINDOW_DAYS_MAX) {
        return Err(OperateError::field(
            "until",
            format!("is more than {WINDOW_DAYS_MAX} days after `from`"),
        ));
    }
    if asked.people.is_empty() || asked.people.len() > PEOPLE_MAX {
        return Err(OperateError::field("people", format!("expected 1 to {PEOPLE_MAX} people")));
    }
    let mut people = BTreeSet::new();
    for (index, line) in asked.people.iter().enumerate() {
        let listed = listed(line).ok_or_else(|| {
            let expected = "expected an e-mail address, a Genesys user id or SOURCE:ID";
            OperateError::field("people", format!("number {}: {expected}", index + 1))
        })?;
        people.insert(listed);
    }
    let all = u32::try_from(people.len()).unwrap_or(u32::MAX);
    let count = asked.count.unwrap_or(all);
    if !(1..=all).contains(&count) {
        return Err(OperateError::field("count", format!("expected 1 to {all}, the length of the list")));
    }
    let people: Vec<_> = people.into_iter().collect();
    Ok(Plan { why, from, until, digest: digest(&people), people, count })
}

fn moment(
    field: &'static str,
    text: &str,
    rules: &OwnRules,
    of_date: EffectiveAt,
) -> Result<DateTime<Utc>, OperateError> {
    let effective = when::read(field, text)?;
    policy::effective_moment(&effective, &rules.zone, of_date)
        .ok_or_else(|| OperateError::field(field, "is no moment in the policy's zone"))
}

/// One line of the list, or nothing where it could be more than one thing.
fn listed(line: &str) -> Option<Listed> {
    let line = when::words("people", line, LINE_CHARS_MAX).ok()?;
    match named(&line) {
        Named::Email(email) => Some(Listed::Email(email_key(&email)?)),
        Named::User(id) => Some(Listed::User(id)),
        Named::External(id) => {
            let (source, id) = id.split_once(':')?;
            let whole = !source.is_empty() && !id.is_empty();
            whole.then(|| Listed::External { source: source.to_owned(), id: id.to_owned() })
        }
    }
}

/// SHA-256 over the lines as they are compared, sorted by their bytes, each once and with a line feed: of a list of addresses
/// it is what `tr A-Z a-z < list | LC_ALL=C sort -u | sha256sum` says.
fn digest(people: &[Listed]) -> [u8; 32] {
    let lines: BTreeSet<String> = people
        .iter()
        .map(|listed| match listed {
            Listed::Email(email) => email.clone(),
            Listed::User(user) => user.clone(),
            Listed::External { source, id } => format!("{source}:{id}"),
        })
        .collect();
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(format!("{line}\n"));
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_sorted_lines() {
        let lines = ["b@x.y", "A@x.y", "a@x.y"].map(|line| listed(line).unwrap());
        // printf 'a@x.y\nb@x.y\n' | sha256sum
        let expected = "681d8323a95a6d2e70b06a67d31b763080e35829a969a4dd8f022ba9291efe0c";
        assert_eq!(hex::encode(digest(&lines)), expected);
    }

    #[test]
    fn a_line_names_one_person_or_is_refused() {
        assert_eq!(listed(" A@b.c "), Some(Listed::Email("a@b.c".to_owned())));
        let external = Listed::External { source: "hr".to_owned(), id: "7:8".to_owned() };
        assert_eq!(listed("hr:7:8"), Some(external));
        for line in ["", "W1", "hr:", ":7", "\u{212A}ate@example.com", "@", "two\nlines"] {
            assert_eq!(listed(line), None, "{line:?}");
        }
    }
}
