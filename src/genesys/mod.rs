//! The client of Genesys Cloud: what is there, and one call for each thing that can be taken away. It uses nothing
//! else of this crate; which calls are made, in which order, and what is recorded of them is left to the engine.
//!
//! * [`settings`]: whom to call, and as whom
//! * [`ids`]: names of things, checked where they enter
//! * [`pacing`]: when a call may begin
//! * [`error`], `meaning`, `refusal`: what went wrong, and what that means
//! * `send`: one HTTP exchange, `operation`: what it is named
//! * `token`, `login`: the one token that all calls share
//! * `read`, `page`: reads, repeated until they are whole or fail
//! * [`call`]: changing calls, one intention for each
//! * [`users`], [`activity`]: who somebody is, and whether they are in a conversation
//! * [`queues`], [`routing`]: what work reaches them
//! * [`authorization`], [`groups`], [`teams`]: what they may do, by themselves and by belonging
//! * [`telephony`]: where they can be called
//! * [`callbacks`], [`workforce`], [`licences`]: what else is theirs and can be given to others
//! * [`audit`], [`reports`], [`recordings`]: what can only be told
//! * [`access`]: what this service itself may do

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::header::HeaderMap;

pub mod access;
pub mod activity;
pub mod audit;
pub mod authorization;
pub mod call;
pub mod callbacks;
pub mod error;
pub mod groups;
pub mod identity;
pub mod ids;
pub mod licences;
mod login;
mod meaning;
mod operation;
pub mod pacing;
mod page;
pub mod queues;
mod read;
pub mod recordings;
mod refusal;
pub mod reports;
pub mod routing;
mod send;
pub mod settings;
pub mod teams;
pub mod telephony;
#[cfg(test)]
mod tests;
mod token;
pub mod users;
pub mod workforce;

pub use access::permits;
pub use activity::RoutingStatus;
pub use audit::AuditEntry;
pub use authorization::Grant;
pub use call::{Done, Effect, OneCall};
pub use callbacks::OpenCallback;
pub use error::{CallFailed, CallOutcome, Error, Fault, Lapse, Trace};
pub use groups::Group;
pub use identity::ExternalId;
pub use ids::{
    ConsumerId, ConversationId, DivisionId, GroupId, InvalidId, LanguageId, LicenceId, ManagementUnitId,
    ParticipantId, PhoneId, QueueId, RequestId, RoleId, SkillId, StationId, SubjectId, TeamId, UserId,
};
pub use licences::LicenceChange;
pub use pacing::{Notice, Pacer, PacerError, Permits};
pub use page::Completeness;
pub use queues::{Activation, MemberBy, QUEUES_PER_CALL, QueueMember, UserQueue};
pub use read::READ_TRIES;
pub use reports::{Consumer, Consumers};
pub use routing::{Level, UserLanguage, UserSkill, Utilization};
pub use settings::{BuildError, Settings, Waits, region_urls};
pub use telephony::{Phone, Station, Stations};
pub use users::{NamedTeam, StateChangeReason, UnknownReason, User, UserGroup, UserState};
pub use workforce::{ManagementUnitRef, Shift, Shifts};

use pacing::{Gate, Stash};

/// How often a permit that lapsed before its use is replaced. More often means that this machine is so slow, or the
/// permits so short, that waiting longer changes nothing.
const PERMIT_TRIES: u32 = 4;

/// The longest pause that is waited out inside a call. A longer one goes back to the engine, which can put the
/// offboarding down instead of holding its lease.
const INNER_WAIT_MAX: Duration = Duration::from_secs(20);

/// Speaks with one organization of Genesys Cloud. Clones share token, connections and pauses.
#[derive(Clone)]
pub struct Genesys {
    inner: Arc<Inner>,
    stash: Option<Arc<Stash>>,
    reach: Reach,
}

/// What a handle can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Reads and changing calls.
    Everything,
    /// Reads alone: no changing call can be prepared.
    ReadsOnly,
}

struct Inner {
    settings: Settings,
    http: reqwest::Client,
    pacer: Arc<dyn Pacer>,
    gate: Gate,
    allowance: Allowance,
    outage: read::Outage,
    token: token::TokenSource,
}

impl std::fmt::Debug for Genesys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Genesys")
            .field("api_url", &self.inner.settings.api_url.as_str())
            .finish_non_exhaustive()
    }
}

impl Genesys {
    /// Makes a client; sends nothing yet. Fails when the settings can't be used.
    pub fn new(settings: Settings, pacer: Arc<dyn Pacer>) -> Result<Self, BuildError> {
        settings.check()?;
        let http = send::client(&settings)?;
        let inner = Inner {
            settings,
            http,
            pacer,
            gate: Gate::default(),
            allowance: Allowance::default(),
            outage: read::Outage::default(),
            token: token::TokenSource::default(),
        };
        Ok(Self { inner: Arc::new(inner), stash: None, reach: Reach::Everything })
    }

    /// Gives up changing anything: with this handle, and those made of it, [`Genesys::prepare_call`] fails with
    /// [`Error::ReadingOnly`]. There is no way back. The request for a token changes nothing and is made as ever.
    #[must_use]
    pub fn reading_only(self) -> Self {
        Self { reach: Reach::ReadsOnly, ..self }
    }

    /// Waits for a token and for permits for `calls` requests together, and gives a handle whose calls use these
    /// permits first. Fails when either is not to be had.
    pub async fn prepaid(&self, calls: u32) -> Result<Self, Error> {
        // The token first: its request needs a permit too, and might take long enough for the others to lapse.
        self.bearer().await?;
        let permits = self.inner.pacer.reserve(calls).await.map_err(Error::NoPermit)?;
        let stash = Some(Arc::new(Stash::new(permits)));
        Ok(Self { inner: Arc::clone(&self.inner), stash, reach: self.reach })
    }

    /// Gives this handle where it has permits for so many requests left, else a new one that has.
    pub async fn with_permits(&self, calls: u32) -> Result<Self, Error> {
        match self.stash.as_ref().is_some_and(|stash| stash.has(calls, Instant::now())) {
            true => Ok(self.clone()),
            false => self.prepaid(calls).await,
        }
    }

    /// Gets a token if there is none, and nothing else: tells whether the credentials are right.
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.bearer().await.map(drop)
    }

    /// The id of the OAuth client as whom the calls are made.
    pub fn client_id(&self) -> &str {
        &self.inner.settings.client_id
    }

    async fn bearer(&self) -> Result<Arc<login::Bearer>, Error> {
        self.inner.token.get(self).await
    }

    /// Takes one permit for one HTTP request that begins now, and gives the moment until which it is good.
    async fn permit(&self) -> Result<Instant, Error> {
        for _ in 0..PERMIT_TRIES {
            let valid_until = self.any_permit().await?;
            if let Some(pause) = self.inner.gate.closed_for(Instant::now()) {
                if pause > INNER_WAIT_MAX {
                    return Err(Error::HeldBack { retry_after: pause });
                }
                tokio::time::sleep(pause).await;
            }
            let now = Instant::now();
            if valid_until > now && self.inner.gate.closed_for(now).is_none() {
                return Ok(valid_until);
            }
        }
        Err(Error::Lapsed(Lapse::Permit))
    }

    async fn any_permit(&self) -> Result<Instant, Error> {
        if let Some(valid_until) = self.stash.as_ref().and_then(|stash| stash.take(Instant::now())) {
            // Another replica may have been told to wait since these permits were reserved.
            let pause = self.inner.pacer.pause().await.map_err(Error::NoPermit)?;
            if !pause.is_zero() {
                self.inner.gate.close_for(pause, Instant::now());
            }
            return Ok(valid_until);
        }
        let permits = self.inner.pacer.reserve(1).await.map_err(Error::NoPermit)?;
        Ok(permits.valid_until)
    }
}

/// Remembers the limit that Genesys announced last.
#[derive(Default)]
struct Allowance(AtomicU32);

impl Allowance {
    /// Gives the limit in the headers when it is another than last time. A limit of 0 is a mistake: it would stop
    /// everything for good, and a real stop comes as a 429.
    fn changed(&self, headers: &HeaderMap) -> Option<u32> {
        let allowed = headers.get("inin-ratelimit-allowed")?.to_str().ok()?.trim().parse().ok()?;
        (allowed > 0 && self.0.swap(allowed, Ordering::Relaxed) != allowed).then_some(allowed)
    }
}
