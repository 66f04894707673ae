//! Whom a dry run is about, and what the things are called that they hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::OperateError;
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
        user.filter(|user| user.state != UserState::Deleted).ok_or(OperateError::NotOne(0))
    };
    if let Some(wanted) = email_key(person) {
        let same = |user: &User| user.email.as_deref().and_then(email_key).as_ref() == Some(&wanted);
        let mut found = genesys.users_by_email(person).await?;
        found.extend(genesys.users_by_email_and_state(person, UserState::Inactive).await?);
        found.retain(|user| same(user) && user.state != UserState::Deleted);
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        let [one] = found.as_slice() else {
            return Err(OperateError::NotOne(found.len()));
        };
        return living(genesys.user(&one.id).await?);
    }
    if uuid::Uuid::try_parse(person).is_ok()
        && let Ok(id) = person.parse()
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
        Some(_) | None => Err(OperateError::NotOne(count)),
    }
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
