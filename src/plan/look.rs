//! One look at a cohort: the reads that several steps share are made once. Expanding a user is given with best effort
//! only; where an expansion is missing, the kind has a read of its own.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Choices;
use crate::genesys::{Error, Genesys, Grant, NamedTeam, User, UserGroup, UserId};
use crate::offboarding::choices::Protected;
use crate::offboarding::policy::{Named, Standing};

/// The reads that a look shares between the steps: the user with everything that can be expanded, and the grants.
pub(super) const SHARED_READS: u32 = 2;

/// Reads for one pass over a cohort. Nothing in it is older than the look.
pub struct Look<'a> {
    genesys: &'a Genesys,
    choices: &'a Choices,
    kinds: HashMap<UserId, String>,
    users: Mutex<HashMap<UserId, Arc<User>>>,
    grants: Mutex<HashMap<UserId, Arc<Vec<Grant>>>>,
    more_reads: AtomicU32,
}

impl<'a> Look<'a> {
    /// A look that has read nothing yet.
    pub fn new(genesys: &'a Genesys, choices: &'a Choices) -> Self {
        Self {
            genesys,
            choices,
            kinds: HashMap::new(),
            users: Mutex::default(),
            grants: Mutex::default(),
            more_reads: AtomicU32::new(0),
        }
    }

    /// Says why somebody leaves, in the HRIS's word.
    #[must_use]
    pub fn leaving_as(mut self, user: UserId, termination_type: Option<&str>) -> Self {
        if let Some(kind) = termination_type {
            self.kinds.insert(user, kind.to_owned());
        }
        self
    }

    /// Takes over a user who was read a moment ago.
    pub fn take_over(&self, user: User) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(user.id.clone(), Arc::new(user));
    }

    /// The client, for a step's own reads.
    pub fn genesys(&self) -> &Genesys {
        self.genesys
    }

    /// What was chosen.
    pub fn choices(&self) -> &Choices {
        self.choices
    }

    /// Why the user leaves, in the HRIS's word.
    pub fn termination_type(&self, user: &UserId) -> Option<&str> {
        self.kinds.get(user).map(String::as_str)
    }

    /// The user, who has to be there: nobody is no proof of anything.
    pub async fn user(&self, id: &UserId) -> Result<Arc<User>, Error> {
        shared(&self.users, id, self.genesys.existing_user(id)).await
    }

    /// All grants that apply to the user.
    pub async fn grants(&self, id: &UserId) -> Result<Arc<Vec<Grant>>, Error> {
        shared(&self.grants, id, self.genesys.grants_of(id)).await
    }

    /// The grants that were read before.
    pub fn known_grants(&self, id: &UserId) -> Option<Arc<Vec<Grant>>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// What the user's expansion gave, or the kind's own read where it gave nothing.
    pub async fn expanded<T: Clone>(
        &self,
        id: &UserId,
        given: impl Fn(&User) -> Option<&T>,
        own_read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if let Some(given) = given(&*self.user(id).await?) {
            return Ok(given.clone());
        }
        self.more_reads.fetch_add(1, Ordering::Relaxed);
        own_read.await
    }

    /// The groups that the user is in.
    pub async fn groups(&self, id: &UserId) -> Result<Vec<UserGroup>, Error> {
        self.expanded(id, |user| user.groups.as_ref(), self.genesys.groups_of(id)).await
    }

    /// The work team that the user is in. That there is none is believed only where something was expanded at all.
    pub async fn team(&self, id: &UserId) -> Result<Option<NamedTeam>, Error> {
        let user = self.user(id).await?;
        if user.is_expanded() {
            return Ok(user.team.clone());
        }
        self.more_reads.fetch_add(1, Ordering::Relaxed);
        self.genesys.team_of(id).await
    }

    /// The reads that were needed because expansions were missing.
    pub fn more_reads(&self) -> u32 {
        self.more_reads.load(Ordering::Relaxed)
    }
}

/// Reads what this list can name the user by: grants only where it names roles, groups only where it names groups and they
/// were not given with the user.
pub async fn standing(look: &Look<'_>, user: &User, list: &[Protected]) -> Result<Standing, Error> {
    let names_a_role = list.iter().any(|protected| matches!(protected, Protected::Role(_)));
    let names_a_group = list.iter().any(|protected| matches!(protected, Protected::Group(_)));
    let grants = if names_a_role { look.grants(&user.id).await? } else { Arc::default() };
    let groups = if names_a_group { look.groups(&user.id).await? } else { Vec::new() };
    Ok(standing_of(user, &grants, &groups))
}

/// What a protected list can name this user by, of what was read.
pub fn standing_of(user: &User, grants: &[Grant], groups: &[UserGroup]) -> Standing {
    let division = user.division_id.as_ref();
    let groups = groups.iter().map(|group| Named { id: group.id.to_string(), name: group.name.clone() });
    Standing {
        email: user.email.clone(),
        id: user.id.to_string(),
        roles: roles_of(grants),
        division: division.map(|id| Named { id: id.to_string(), name: user.division_name.clone() }),
        groups: groups.collect(),
    }
}

/// The roles of these grants.
pub fn roles_of(grants: &[Grant]) -> Vec<Named> {
    let role = |grant: &Grant| Named { id: grant.role_id.to_string(), name: grant.role_name.clone() };
    grants.iter().map(role).collect()
}

/// Reads once; a failure is not kept.
async fn shared<T>(
    known: &Mutex<HashMap<UserId, Arc<T>>>,
    id: &UserId,
    read: impl Future<Output = Result<T, Error>>,
) -> Result<Arc<T>, Error> {
    if let Some(found) = known.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(read.await?);
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::clone(&found));
    Ok(found)
}
