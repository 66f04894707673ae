//! Leaver takes people who have left the company out of Genesys Cloud.

pub mod config;
pub mod genesys;
pub mod offboarding;
pub mod pacing;
pub mod plan;
pub mod store;
pub mod worker;
