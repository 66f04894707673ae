//! Who the person is in Genesys Cloud, and whether anything may be done to them now. Reads only.

use std::time::Duration;

use super::person::Person;
use super::runner::Runner;
use super::verdict::{Stop, wait};
use crate::genesys::{Error, User, UserState};
use crate::offboarding::choices::PersonNotFound;
use crate::offboarding::event::email_key;
use crate::offboarding::policy::{self, Hire};
use crate::offboarding::{Action, Outcome, Reason};
use crate::store::claims::Claim;
use crate::store::leases::{AttemptCount, Release};
use crate::store::progress::Note;

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
        let note = self.check_hire(person, &user)?;
        let untouched = !person.lease.strip_began;
        let inactive = user.state == UserState::Inactive;
        self.check_protected(person, &user).await?;
        // Before the strip the state is somebody else's doing, and may change; after it, it may be ours.
        let found_inactive = untouched.then_some(inactive).or(person.lease.found_inactive);
        match self
            .store
            .resolved(&self.fence, person.lease.id, user.id.as_str(), found_inactive, note)
            .await?
        {
            Claim::Ours => person.lease.found_inactive = found_inactive,
            Claim::LeaseLost => return Err(Stop::LeaseLost),
            Claim::Others => return Err(wait(TWIN_RECHECK, "another offboarding of the same user is open")),
        }
        person.user = Some(user.id.clone());
        if untouched && !inactive {
            self.check_history(person, &user).await?;
        }
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
            Some(_) => Err(self.not_in_genesys(person, "the user is deleted").await?),
            // A single "not found" is no proof: the user is in the bin, or there is a second look.
            None => match self.genesys.deleted_user(&id).await.map_err(stop)? {
                Some(_) => Err(self.not_in_genesys(person, "the user is deleted").await?),
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
            (Some(user), None) => {
                let user = self.read_again(person, user.id.as_str()).await?;
                self.check_other_ids(person, &user).await?;
                Ok(user)
            }
        }
    }

    /// An address that was given to somebody else: the event names an id that Genesys Cloud does not know, and whoever has
    /// the address now is known by another id of the same kind.
    async fn check_other_ids(&self, person: &Person, user: &User) -> Result<(), Stop> {
        let (Some(authority), Some(key)) = (self.authority(person), &person.lease.person.external_id) else {
            return Ok(());
        };
        let ids = self.genesys.external_ids_of(&user.id).await.map_err(|e| self.stop_for(person, &e))?;
        // Whether the case of an authority matters is not documented; where it might be the same one, it is.
        let mut of_kind = ids.iter().filter(|id| id.authority_name.eq_ignore_ascii_case(authority));
        if of_kind.any(|id| id.external_key != *key) {
            return Err(held(Reason::AmbiguousPerson, "the address belongs to somebody with another id"));
        }
        Ok(())
    }

    /// The authority of the external id, where the ids of its source are looked up.
    fn authority(&self, person: &Person) -> Option<&str> {
        let settings = &self.settings;
        let general = settings.external_id_authority.as_deref();
        policy::authority_for(general, &settings.external_id_authority_by_source, &person.lease.source)
    }

    /// The living user whom the external id names, where such ids are configured. It is the user itself that is read.
    async fn by_external_id(&self, person: &Person) -> Result<Option<User>, Stop> {
        let (Some(authority), Some(key)) = (self.authority(person), &person.lease.person.external_id) else {
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
            return match (self.authority(person), &who.external_id) {
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
            PersonNotFound::Done => self.not_in_genesys(person, "nobody matches at the second look").await?,
            PersonNotFound::Hold => held(Reason::PersonNotFound, "nobody matches at the second look"),
        })
    }

    /// The end of most offboardings of an HRIS: it is no trouble, but it is evidence.
    async fn not_in_genesys(&self, person: &Person, how: &str) -> Result<Stop, Stop> {
        let note = Note { action: Action::NobodyFound, step: None, target: None, text: Some(how.to_owned()) };
        self.store.mark(&self.fence, person.lease.id, Vec::new(), vec![note]).await?;
        Ok(Release::Done(Outcome::NotInGenesys).into())
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

    /// Whoever was hired after the termination took effect has come back, or works under another contract. Says what is to
    /// be noted.
    fn check_hire(&self, person: &Person, user: &User) -> Result<Option<&'static str>, Stop> {
        let lease = &person.lease;
        match policy::hire(user.date_hire.as_deref(), lease.effective_at, &self.settings.time_zone) {
            Hire::NotLater => Ok(None),
            Hire::Unreadable => Ok(Some("the date of hire is unreadable and was not compared")),
            Hire::Later if lease.strip_began => Ok(None),
            Hire::Later if lease.approved.contains(&Reason::Rehired) => Ok(None),
            Hire::Later => Err(held(Reason::Rehired, "hired after the termination took effect")),
        }
    }

    /// A termination that comes again after it was carried out finds the person active only where somebody has taken them
    /// back meanwhile.
    async fn check_history(&self, person: &Person, user: &User) -> Result<(), Stop> {
        if person.lease.approved.contains(&Reason::Reactivated) {
            return Ok(());
        }
        match self.store.carried_out_before(person.lease.id, user.id.as_str()).await? {
            true => Err(held(Reason::Reactivated, "carried out before, and the account is active again")),
            false => Ok(()),
        }
    }
}

pub(super) fn held(reason: Reason, detail: &str) -> Stop {
    Release::Held(reason, Some(detail.to_owned())).into()
}

fn refused(reason: Reason, detail: &str) -> Stop {
    Release::Failed(reason, Some(detail.to_owned()), AttemptCount::Keep).into()
}
