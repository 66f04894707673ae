//! Leaver takes people who have left the company out of Genesys Cloud: everything that is assigned to them first
//! (*strip*), then the account itself (*deactivate*), with the proof in between and the record of it all.
//!
//! In reading order:
//!
//! * [`offboarding`]: the vocabulary and the rules, without I/O
//! * [`hris`]: from the bytes of a webhook to a termination event
//! * [`genesys`]: the client of Genesys Cloud, [`pacing`] its share of a common budget
//! * [`plan`]: what is removed, in which order
//! * [`store`]: everything in Postgres
//! * [`lookup`]: asks the HRIS, [`oidc`] the issuer of the sign-in
//! * [`worker`]: the engine
//! * [`notify`]: tells others what became of it
//! * [`operate`]: what an operator may do
//! * [`http`]: the edge
//! * [`config`], [`serve`], [`commands`], [`telemetry`]: how it is started, stopped and watched

pub mod commands;
pub mod config;
pub mod genesys;
pub mod hris;
pub mod http;
pub mod lookup;
pub mod notify;
pub mod offboarding;
pub mod oidc;
pub mod operate;
pub mod pacing;
pub mod plan;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod worker;
