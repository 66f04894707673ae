//! Whom nobody takes out without an approval: people on the list, the service's own user, the last administrator.

use super::person::Person;
use super::resolve::held;
use super::runner::Runner;
use super::verdict::Stop;
use crate::genesys::{Error, RoleId, User, UserId};
use crate::offboarding::Reason;
use crate::offboarding::policy::{Named, Protection, administrator_roles, protection};
use crate::plan::{Look, roles_of, standing};

impl Runner {
    /// The list, and the service's own user as far as its id tells. Grants and groups are read only where the list names
    /// any.
    pub(super) async fn check_protected(&self, person: &Person, user: &User) -> Result<(), Stop> {
        if is_settled(person) {
            return Ok(());
        }
        // A client of the grant "client credentials" has no user, but it is a subject like one.
        if user.id.as_str() == self.genesys.client_id() {
            return Err(held(Reason::Protected, "the service's own user"));
        }
        let list = &self.settings.protected;
        if list.is_empty() {
            return Ok(());
        }
        let look = self.look_at(&self.genesys, &[]);
        look.take_over(user.clone());
        let who = standing(&look, user, list).await.map_err(|error| self.stop_for(person, &error))?;
        match protection(list, &who) {
            Protection::None => Ok(()),
            Protection::Listed => Err(held(Reason::Protected, "on the protected list")),
            Protection::Unknown(what) => {
                Err(held(Reason::Protected, &format!("may be on the protected list: {what}")))
            }
        }
    }

    /// Whether somebody else who is active and stays has each of the administrator roles that the person has. It is asked
    /// once in an attempt, of the grants that its first complete read gave anyway, so that it costs calls for
    /// administrators only.
    pub(super) async fn check_administrator(&self, person: &mut Person, look: &Look<'_>) -> Result<(), Stop> {
        if person.administrator_checked || is_settled(person) || self.settings.administrator_roles.is_empty()
        {
            return Ok(());
        }
        let Some(user) = person.user.clone() else { return Ok(()) };
        let stop = |error: Error| self.stop_for(person, &error);
        let roles = roles_of(&look.grants(&user).await.map_err(stop)?);
        let held_roles = administrator_roles(&self.settings.administrator_roles, &roles);
        for role in &held_roles {
            if !self.somebody_keeps(person, &user, role).await? {
                let name = role.name.as_ref().unwrap_or(&role.id);
                let text = format!("the last administrator: nobody else who is active and stays has {name}");
                return Err(held(Reason::Protected, &text));
            }
        }
        // Whoever made the client had to be an administrator; agents cost no call here.
        if !held_roles.is_empty() && self.genesys.is_behind_own_client(&user).await.map_err(stop)? {
            return Err(held(Reason::Protected, "the service's own user: its OAuth client was made by them"));
        }
        person.administrator_checked = true;
        Ok(())
    }

    async fn somebody_keeps(&self, person: &Person, leaver: &UserId, role: &Named) -> Result<bool, Stop> {
        let stop = |error: Error| self.stop_for(person, &error);
        let id: RoleId =
            role.id.parse().map_err(|_| held(Reason::Protected, "an administrator role has a damaged id"))?;
        let others = self.genesys.users_of_role(&id).await.map_err(stop)?;
        let others: Vec<UserId> = others.into_iter().filter(|other| other != leaver).collect();
        let asked = others.iter().map(ToString::to_string).collect();
        let leaving = self.store.leaving_among(person.lease.id, asked).await?;
        let staying: Vec<UserId> =
            others.into_iter().filter(|other| !leaving.iter().any(|user| user == other.as_str())).collect();
        self.genesys.any_active(&staying).await.map_err(stop)
    }
}

/// Whether it is too late to ask, or an approver has answered.
fn is_settled(person: &Person) -> bool {
    person.lease.strip_began || person.lease.approved.contains(&Reason::Protected)
}
