//! A simulated Genesys Cloud: what Leaver is tried against.
//!
//! It is written from the published interface of the platform alone and shares no type with Leaver's client, so that it
//! can't repeat the client's misreadings. It speaks real HTTP on a real socket, keeps true state, checks every request
//! against the published definition, writes a journal, and fails on demand.
//!
//! In reading order: [`Simulator`] is the running server, [`Control`] what a test holds in its hand, [`Organisation`] the
//! true state, [`Rules`] the switches for everything that is not confirmed about the platform, [`Fault`] a failure to come,
//! [`presets`] people worth trying things on.

mod admission;
mod answer;
mod control;
mod credentials;
mod definition;
mod exchange;
mod faults;
mod journal;
mod limiter;
mod operations;
mod organisation;
pub mod postgres;
pub mod presets;
pub mod proxy;
mod rules;
mod schema;
mod server;
mod text;

pub use control::Control;
pub use faults::{Action, Fault, FaultId, Hook, Matcher, Moment, Rewrite, Then};
pub use journal::{Answered, Effect, Entry, Intent, RequestInfo};
pub use organisation::{
    AccountState, Actor, AuditRecord, Callback, CallbackState, ExternalId, Grant, Group, GroupKind, Id,
    Joining, Media, MemberBy, Organisation, Person, PersonState, PropertyChange, QueueMembership,
    RoutingStatus, Shift,
};
pub use rules::{
    AcceptedGroupWrites, Deactivation, DependencyTracking, EmptyBulkreplace, Expansions, GroupWrites,
    InactiveWrites, Kind, Lag, LicenceAssignment, Options, OwnGrants, PutStateVersion, QueuesOnInactive,
    RevokingNothing, Rules, Schedules, SearchScope, StaleVersion, StateCompany, VersionRise,
};
pub use server::{Simulator, StartError};

#[cfg(test)]
mod probe;
