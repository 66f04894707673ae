//! Who the person is in Genesys Cloud, and whether anything may be done to them now. Reads only.

use std::time::Duration;

use super::person::Person;
use super::runner::Runner;
use super::verdict::{Stop, wait};
use crate::genesys::{Error, User, UserState};
use crate::offboarding::choices::{PersonNotFound, Protected};
use crate::offboarding::event::email_key;
use crate::offboarding::policy;
use crate::offboarding::{Outcome, Reason};
use crate::plan::standing_of;
use crate::store::leases::Release;
use crate::store::progress::Claim;

/// When an offboarding looks again whose user another open one is already about. Two at once would be two writers.
const TWIN_RECHECK: Duration = Duration::from_secs(60);

impl Runner {
    /// Finds the one exact match, and asks the policy whether the first change may be made now.
    pub(super) async fn prepare(&self, person: &mut Person) -> Result<(), Stop> {
        if person.lease.attempt >= self.settings.attempts_max {
            return Err(refused(Reason::AttemptsExhausted, "its workers ended without an outcome"));
        }
        let user = match &person.lease.genesys_user_id {
            Some(id) => self.read_again(person, id).await?,
            None => self.find(person).await?,
        };
        self.check_address(person, &user)?;
        let untouched = !person.lease.strip_began;
        let inactive = user.state == UserState::Inactive;
        self.check_protected(person, &user).await?;
        // Before the strip the state is somebody else's doing, and may change; after it, it may be ours.
        let found_inactive = untouched.then_some(inactive).or(person.lease.found_inactive);
        match self.store.resolved(&self.fence, person.lease.id, user.id.as_str(), found_inactive).await? {
            Claim::Ours => person.lease.found_inactive = found_inactive,
            Claim::LeaseLost => return Err(Stop::LeaseLost),
            Claim::Others => return Err(wait(TWIN_RECHECK, "another offboarding of the same user is open")),
        }
        person.user = Some(user.id.clone());
        person.cut_off = inactive;
        if !inactive {
            self.check_work(person, &user).await?;
        }
        if untouched {
            self.report(person, &user.id).await?;
        }
        person.just_read = Some(user);
        Ok(())
    }

    async fn read_again(&self, person: &Person, id: &str) -> Result<User, Stop> {
        let id =
            id.parse().map_err(|_| refused(Reason::RefusedByGenesys, "the stored user id is damaged"))?;
        let stop = |error: Error| self.stop_for(person, &error);
        match self.genesys.user(&id).await.map_err(stop)? {
            Some(user) if user.state != UserState::Deleted => Ok(user),
            Some(_) => Err(Release::Done(Outcome::NotInGenesys).into()),
            // A single "not found" is no proof: the user is in the bin, or there is a second look.
            None => match self.genesys.deleted_user(&id).await.map_err(stop)? {
                Some(_) => Err(Release::Done(Outcome::NotInGenesys).into()),
                None => Err(self.nobody(person).await?),
            },
        }
    }

    async fn find(&self, person: &Person) -> Result<User, Stop> {
        if let Some(user) = self.by_external_id(person).await? {
            return Ok(user);
        }
        let candidates = self.candidates(person).await?;
        let mut living = candidates.into_iter().filter(|user| user.state != UserState::Deleted);
        match (living.next(), living.next()) {
            (None, _) => Err(self.nobody(person).await?),
            (Some(_), Some(_)) => Err(held(Reason::AmbiguousPerson, "more than one user matches")),
            // The search index lags and expands nothing: what decides is the user itself.
            (Some(user), None) => self.read_again(person, user.id.as_str()).await,
        }
    }

    /// The living user whom the external id names, where such ids are configured. It is the user itself that is read.
    async fn by_external_id(&self, person: &Person) -> Result<Option<User>, Stop> {
        let (Some(authority), Some(key)) =
            (&self.settings.external_id_authority, &person.lease.person.external_id)
        else {
            return Ok(None);
        };
        let found = self.genesys.user_by_external_id(authority, key).await;
        let found = found.map_err(|error| self.stop_for(person, &error))?;
        match found {
            Some(user) if user.state == UserState::Deleted => Err(self.nobody(person).await?),
            found => Ok(found),
        }
    }

    /// The users that match exactly, by address.
    async fn candidates(&self, person: &Person) -> Result<Vec<User>, Stop> {
        let stop = |error: Error| self.stop_for(person, &error);
        let who = &person.lease.person;
        let Some(email) = &who.email else {
            return match (&self.settings.external_id_authority, &who.external_id) {
                (Some(_), Some(_)) => Ok(Vec::new()),
                (None, _) | (_, None) => {
                    Err(held(Reason::LookupRequired, "no address to look the person up by"))
                }
            };
        };
        let Some(wanted) = email_key(email) else {
            return Err(held(Reason::AmbiguousPerson, "the address has characters that are never compared"));
        };
        let same = |user: &User| user.email.as_deref().and_then(email_key).as_ref() == Some(&wanted);
        let mut found = self.genesys.users_by_email(email).await.map_err(stop)?;
        // Whether the search covers inactive users by default is not documented; one of them makes an active user with
        // the same address just as doubtful as another active one.
        found.extend(self.genesys.users_by_email_and_state(email, UserState::Inactive).await.map_err(stop)?);
        found.retain(same);
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// Nobody matches: a search index may lag behind, so it counts only at a second look.
    async fn nobody(&self, person: &Person) -> Result<Stop, Stop> {
        let since = self.store.not_found(&self.fence, person.lease.id).await?;
        let Some(since) = since else {
            return Ok(Stop::LeaseLost);
        };
        let recheck = self.settings.not_found_recheck;
        let first_look = person.lease.not_found_at.is_none();
        if first_look || since < recheck {
            return Ok(wait(recheck.saturating_sub(since), "nobody matches; a second look follows"));
        }
        Ok(match self.settings.not_found {
            PersonNotFound::Done => Release::Done(Outcome::NotInGenesys).into(),
            PersonNotFound::Hold => held(Reason::PersonNotFound, "nobody matches"),
        })
    }

    /// The address of the event and of the user must agree before the strip, whatever found the user. After it
    /// the stored id alone counts: an address that changes in between is a renaming.
    fn check_address(&self, person: &Person, user: &User) -> Result<(), Stop> {
        let Some(sent) = &person.lease.person.email else {
            return Ok(());
        };
        if person.lease.strip_began {
            return Ok(());
        }
        let (sent, found) = (email_key(sent), user.email.as_deref().and_then(email_key));
        if sent.is_some() && sent == found {
            Ok(())
        } else {
            Err(held(Reason::AmbiguousPerson, "the user has another address than the event"))
        }
    }

    async fn check_protected(&self, person: &Person, user: &User) -> Result<(), Stop> {
        if self.settings.protected.is_empty() || person.lease.approved.contains(&Reason::Protected) {
            return Ok(());
        }
        let by_role = self.settings.protected.iter().any(|p| matches!(p, Protected::Role(_)));
        let roles = match by_role {
            true => self.genesys.grants_of(&user.id).await.map_err(|e| self.stop_for(person, &e))?,
            false => Vec::new(),
        };
        let protected = policy::is_protected(&self.settings.protected, &standing_of(user, &roles));
        if protected { Err(held(Reason::Protected, "on the protected list")) } else { Ok(()) }
    }
}

fn held(reason: Reason, detail: &str) -> Stop {
    Release::Held(reason, Some(detail.to_owned())).into()
}

fn refused(reason: Reason, detail: &str) -> Stop {
    Release::Failed(reason, Some(detail.to_owned())).into()
}
