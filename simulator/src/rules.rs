//! The switches of the simulator: what is not confirmed about Genesys Cloud is a switch here, never a guess in code.
//! What the switches do is left to the operations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How a simulator starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address it listens on; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// The seed of every id: the same seed and the same calls give the same organisation.
    pub seed: u64,
    /// The id of the only OAuth client.
    pub client_id: String,
    /// The secret of the only OAuth client.
    pub client_secret: String,
    /// The rules it starts with.
    pub rules: Rules,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            client_id: "leaver".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            rules: Rules::default(),
        }
    }
}

impl Options {
    /// Gives options without a rate limit that a test could reach (a million requests a minute).
    #[must_use]
    pub fn roomy() -> Self {
        Self { rules: Rules { requests_allowed: 1_000_000, ..Rules::default() }, ..Self::default() }
    }
}

/// How the simulated platform behaves; may be changed while it runs.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long an access token lives; Genesys allows 300 to 172,800 seconds, 86,400 unless set.
    pub token_lifetime: Duration,
    /// Requests allowed per token and window; 300 a minute unless Genesys raised it.
    pub requests_allowed: u32,
    /// The length of the fixed window of the rate limit.
    pub rate_window: Duration,
    /// Permissions that the OAuth client lacks; everything else is granted.
    pub withheld_permissions: BTreeSet<String>,
    /// How late writes of each kind become visible to reads; a kind that is missing has no lag.
    pub lags: BTreeMap<Kind, Lag>,
    /// Which changes raise a user's version.
    pub version_rise: VersionRise,
    /// How a stale version is refused.
    pub stale_version: StaleVersion,
    /// What happens to fields that are sent together with `state`.
    pub state_company: StateCompany,
    /// Whether `PUT /users/{id}/state` looks at the version.
    pub put_state_version: PutStateVersion,
    /// Whether deactivation takes the queues too.
    pub queues_on_inactive: QueuesOnInactive,
    /// Whether a user who still has queues can be deactivated.
    pub deactivation: Deactivation,
    /// Whether routing, telephony and authorization calls accept an inactive user.
    pub inactive_writes: InactiveWrites,
    /// Which states a search without a criterion on `state` covers.
    pub search_scope: SearchScope,
    /// Whether `bulkreplace` accepts an empty list.
    pub empty_bulkreplace: EmptyBulkreplace,
    /// The answer to revoking the tokens of a user who has none.
    pub revoking_nothing: RevokingNothing,
    /// What writes do to the members of a group that rules or an identity provider fill.
    pub group_writes: GroupWrites,
    /// What becomes of a write to the members of a group that was accepted.
    pub accepted_group_writes: AcceptedGroupWrites,
    /// Whether users come with the expansions asked for.
    pub expansions: Expansions,
    /// The only permissions the OAuth client holds; nothing means all of them. Those withheld are missing in any case.
    pub client_permissions: Option<BTreeSet<String>>,
    /// Whether the OAuth client can read its own grants.
    pub own_grants: OwnGrants,
    /// Whether licences follow the roles.
    pub licence_assignment: LicenceAssignment,
    /// How far dependency tracking has come.
    pub dependency_tracking: DependencyTracking,
    /// How searches for schedules are answered.
    pub schedules: Schedules,
    /// The longest interval of a query for conversation details, in days; no limit is published.
    pub details_interval_days_max: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            token_lifetime: Duration::from_secs(86_400),
            requests_allowed: 300,
            rate_window: Duration::from_secs(60),
            withheld_permissions: BTreeSet::new(),
            lags: BTreeMap::new(),
            version_rise: VersionRise::EveryChange,
            stale_version: StaleVersion::Conflict,
            state_company: StateCompany::Refused,
            put_state_version: PutStateVersion::CheckedWhenSent,
            queues_on_inactive: QueuesOnInactive::Kept,
            deactivation: Deactivation::Always,
            inactive_writes: InactiveWrites::Accepted,
            search_scope: SearchScope::ActiveAndInactive,
            empty_bulkreplace: EmptyBulkreplace::Accepted,
            revoking_nothing: RevokingNothing::NoContent,
            group_writes: GroupWrites::Refused,
            accepted_group_writes: AcceptedGroupWrites::CarriedOut,
            expansions: Expansions::Given,
            client_permissions: None,
            own_grants: OwnGrants::Readable,
            licence_assignment: LicenceAssignment::Automatic,
            dependency_tracking: DependencyTracking::Operational,
            schedules: Schedules::AtOnce,
            details_interval_days_max: None,
        }
    }
}

impl Rules {
    /// Tells whether the OAuth client holds a permission.
    #[must_use]
    pub fn client_holds(&self, permission: &str) -> bool {
        let given = self.client_permissions.as_ref().is_none_or(|given| given.contains(permission));
        given && !self.withheld_permissions.contains(permission)
    }
}

/// A kind of data that can lag behind its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The index behind `POST /users/search`.
    Search,
    /// The user itself: name, state, version.
    Account,
    /// Queue memberships, read from either side.
    Queues,
    /// Routing skills.
    Skills,
    /// Routing languages.
    Languages,
    /// The utilization override.
    Utilization,
    /// Role grants.
    Grants,
    /// Associated and default station.
    Stations,
    /// The members of groups.
    Groups,
    /// The members of work teams.
    Team,
    /// The call forwarding.
    CallForwarding,
    /// The direct routing backup.
    DirectRoutingBackup,
    /// Conversations as analytics show them; what conversations themselves show has no lag.
    Callbacks,
    /// The management unit of workforce management.
    ManagementUnit,
    /// Licences.
    Licences,
    /// Audit records: the lag between a change and its record.
    Audits,
}

/// How late a write becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// At once.
    None,
    /// After so many further reads of the same kind and person.
    Reads(u32),
    /// After so long, by the simulator's clock.
    For(Duration),
}

/// Which changes raise a user's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionRise {
    /// Each change to the user or to what is assigned to them.
    EveryChange,
    /// Changes to the account itself only.
    AccountOnly,
}

/// How a stale version is refused; both have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleVersion {
    /// 409 `general.conflict`.
    Conflict,
    /// 400 `bad.request` with the same text.
    BadRequest,
}

/// What happens to fields sent together with `state` ("it is the only modifiable field").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateCompany {
    /// The call is refused with 400.
    Refused,
    /// The state is set, the others are ignored.
    Ignored,
}

/// Whether `PUT /users/{id}/state` looks at the version; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutStateVersion {
    /// A missing version is accepted, a stale one refused.
    CheckedWhenSent,
    /// A missing version is refused too.
    Required,
    /// The version is ignored.
    Ignored,
}

/// Whether deactivation takes the queues too; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueuesOnInactive {
    /// Memberships stay, as "all other information remains intact" says.
    Kept,
    /// Direct memberships go with the roles.
    Removed,
}

/// Whether a user who still has queues can be deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deactivation {
    /// Yes: no source names an error for it.
    Always,
    /// 400 while a queue membership is left, as one tutorial claims.
    NeedsEmptyRouting,
}

/// Whether routing, telephony and authorization calls accept an inactive user; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InactiveWrites {
    /// They do.
    Accepted,
    /// They answer 400.
    Refused,
}

/// Which states a search without a criterion on `state` covers; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchScope {
    /// Active and inactive users.
    ActiveAndInactive,
    /// Active users only.
    ActiveOnly,
    /// Deleted users too.
    Everybody,
}

/// Whether `bulkreplace` accepts an empty list; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyBulkreplace {
    /// It removes every direct grant.
    Accepted,
    /// It answers 400.
    Refused,
}

/// The answer to `DELETE /tokens/{userId}` for a user without tokens; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokingNothing {
    /// 204 as always.
    NoContent,
    /// 404.
    NotFound,
}

/// What writes do to the members of a group that rules or an identity provider fill; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupWrites {
    /// They answer 400.
    Refused,
    /// They answer 202, and nothing happens.
    SilentlyIgnored,
}

/// What becomes of a write to the members of any group after its 202; both have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedGroupWrites {
    /// It is carried out.
    CarriedOut,
    /// It fails in the directory, and nobody is told.
    FailLater,
}

/// Whether users come with the expansions asked for: they are best effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expansions {
    /// They do.
    Given,
    /// The fields are missing, as if nobody had asked.
    Withheld,
}

/// Whether the OAuth client can read its own grants, as a subject; not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnGrants {
    /// It can.
    Readable,
    /// It is no subject: 404.
    NotFound,
}

/// Whether licences follow the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenceAssignment {
    /// They go with the last role and return with the next; changes by hand have no effect while there is a role.
    Automatic,
    /// They are assigned and removed by hand.
    ByHand,
}

/// How far dependency tracking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyTracking {
    /// Its answers are complete.
    Operational,
    /// It is being built: answers are 206 and tell nothing.
    Building,
    /// There is none: 410.
    Gone,
}

/// How searches for schedules are answered; published are all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedules {
    /// With the schedules.
    AtOnce,
    /// With an operation whose result comes by a notification.
    Later,
    /// With an address from which they can be downloaded.
    Download,
}
