//! Whom a dry run is about, and what the things are called that they hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::reconcile::Leaver;
use super::{OperateError, Rules};
use crate::genesys::{Genesys, User, UserId, UserState};
use crate::offboarding::event::email_key;
use crate::plan::Look;

/// The one exact match, looked up as the engine does: an inactive user with the same address makes an active one doubtful.
pub(super) async fn find(
    genesys: &Genesys,
    authorities: &BTreeSet<&str>,
    person: &str,
) -> Result<User, OperateError> {
    let living = |user: Option<User>| {
        user.filter(|user| user.state != UserState::Deleted).ok_or_else(|| OperateError::not_one(person, 0))
    };
    if let Some(wanted) = email_key(person) {
        let same = |user: &User| user.email.as_deref().and_then(email_key).as_ref() == Some(&wanted);
        let mut found = genesys.users_by_email(person).await?;
        found.extend(genesys.users_by_email_and_state(person, UserState::Inactive).await?);
        found.retain(|user| same(user) && user.state != UserState::Deleted);
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        let [one] = found.as_slice() else {
            return Err(OperateError::not_one(person, found.len()));
        };
        return living(genesys.user(&one.id).await?);
    }
    // Genesys Cloud writes its ids in small letters.
    if uuid::Uuid::try_parse(person).is_ok()
        && let Ok(id) = person.to_ascii_lowercase().parse()
    {
        return living(genesys.user(&id).await?);
    }
    known_as(genesys, authorities, person).await
}

/// The one user whom the authorities that know this id mean. Two sources may give the same id to different people; which
/// of them is meant nobody can tell.
async fn known_as(genesys: &Genesys, authorities: &BTreeSet<&str>, key: &str) -> Result<User, OperateError> {
    if authorities.is_empty() {
        return Err(OperateError::NoAuthority);
    }
    let mut found: BTreeMap<UserId, User> = BTreeMap::new();
    for authority in authorities {
        let user = genesys.user_by_external_id(authority, key).await?;
        let living = user.filter(|user| user.state != UserState::Deleted);
        found.extend(living.map(|user| (user.id.clone(), user)));
    }
    let count = found.len();
    match found.into_values().next() {
        Some(user) if count == 1 => Ok(user),
        Some(_) | None => Err(OperateError::not_one(key, count)),
    }
}

/// Whom a line of a list means.
pub(super) enum Match {
    /// This user, and nobody else.
    One(Box<User>, Through),
    /// Nobody.
    Nobody,
    /// Nobody can tell.
    Doubtful(String),
}

/// What somebody was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The e-mail address.
    Address,
    /// An id, of Genesys Cloud or of the HRIS.
    Id,
}

/// The one exact match of everything that a list says about somebody, as the engine would have it: by an id where there is one
/// that is known, else by address; and where both are given they have to agree.
pub(super) async fn match_leaver(
    genesys: &Genesys,
    rules: &Rules,
    leaver: &Leaver,
) -> Result<Match, OperateError> {
    let authorities = rules.authorities_of(leaver.source.as_deref());
    let by_id = match (&leaver.genesys_user_id, &leaver.external_id) {
        (Some(id), _) => Some(find(genesys, &authorities, id).await),
        (None, Some(key)) if !authorities.is_empty() => Some(known_as(genesys, &authorities, key).await),
        (None, Some(_) | None) => None,
    };
    match (by_id, &leaver.email) {
        (Some(Ok(user)), Some(email)) if !same_address(email, &user) => {
            Ok(Match::Doubtful("the user has another address than the list".to_owned()))
        }
        (Some(Ok(user)), _) => Ok(Match::One(Box::new(user), Through::Id)),
        // The id in Genesys Cloud is the person; one of the HRIS may not have been entered there.
        (Some(Err(OperateError::NotOne { count: 0, .. })), Some(email))
            if leaver.genesys_user_id.is_none() =>
        {
            by_address(genesys, &authorities, email, leaver.external_id.as_deref()).await
        }
        (Some(Err(error)), _) => unmatched(error),
        (None, Some(email)) => by_address(genesys, &authorities, email, None).await,
        (None, None) => Ok(Match::Nobody),
    }
}

async fn by_address(
    genesys: &Genesys,
    authorities: &BTreeSet<&str>,
    email: &str,
    key: Option<&str>,
) -> Result<Match, OperateError> {
    if email_key(email).is_none() {
        let why = "the address has characters that are never compared";
        return Ok(Match::Doubtful(why.to_owned()));
    }
    let user = match find(genesys, authorities, email).await {
        Ok(user) => user,
        Err(error) => return unmatched(error),
    };
    if let Some(key) = key {
        let ids = genesys.external_ids_of(&user.id).await?;
        let same = |one: &str| authorities.iter().any(|authority| authority.eq_ignore_ascii_case(one));
        if ids.iter().any(|id| same(&id.authority_name) && id.external_key != key) {
            return Ok(Match::Doubtful("the address belongs to somebody with another id".to_owned()));
        }
    }
    Ok(Match::One(Box::new(user), Through::Address))
}

fn unmatched(error: OperateError) -> Result<Match, OperateError> {
    match error {
        OperateError::NotOne { count: 0, .. } => Ok(Match::Nobody),
        OperateError::NotOne { count, .. } => Ok(Match::Doubtful(format!("{count} users match"))),
        error @ (OperateError::Store(_)
        | OperateError::Genesys(_)
        | OperateError::RunsDry
        | OperateError::NoAuthority
        | OperateError::Field(..)
        | OperateError::Gone
        | OperateError::Checkpoints { .. }
        | OperateError::LinkUnreadable(_)) => Err(error),
    }
}

fn same_address(email: &str, user: &User) -> bool {
    let sent = email_key(email);
    sent.is_some() && sent == user.email.as_deref().and_then(email_key)
}

/// The names of what is only known by id where it is held.
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Of what has been read anyway.
    pub(super) fn of(look: &Look<'_>, user: &User) -> Self {
        let mut names = HashMap::new();
        if let (Some(id), Some(name)) = (&user.division_id, &user.division_name) {
            names.insert(id.to_string(), name.clone());
        }
        for group in user.groups.iter().flatten() {
            names.extend(group.name.clone().map(|name| (group.id.to_string(), name)));
        }
        for grant in look.known_grants(&user.id).iter().flat_map(|grants| grants.iter()) {
            names.extend(grant.role_name.clone().map(|name| (grant.role_id.to_string(), name)));
        }
        Self(names)
    }

    /// A role in a division, where the role is known.
    pub(super) fn of_target(&self, target: &str) -> Option<String> {
        let (thing, place) =
            target.split_once(':').map_or((target, None), |(thing, place)| (thing, Some(place)));
        let name = self.0.get(thing)?;
        Some(match place {
            Some(place) => format!("{name} in {}", self.0.get(place).map_or(place, String::as_str)),
            None => name.clone(),
        })
    }

    pub(super) fn of_groups(&self, via: &str) -> String {
        let named = groups_in(via).map(|id| self.0.get(id).map_or(id, String::as_str));
        named.collect::<Vec<_>>().join(" or ")
    }
}

/// The groups of a text that names one or more.
pub(super) fn groups_in(via: &str) -> impl Iterator<Item = &str> {
    via.split(" or ")
}
