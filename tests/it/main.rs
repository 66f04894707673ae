//! Tests against the real parts: Postgres, HTTP, the simulator, and the `leaver` program itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod api;
mod architecture;
mod budget;
mod cancelled;
mod cohort;
mod commands;
mod configuration;
mod corrections;
mod crash;
mod deadlines;
mod edge;
mod engine;
mod evidence;
mod failure_matrix;
mod fencing;
mod health;
mod latecomers;
mod lost_answers;
mod malformed;
mod mutations;
mod other_ends;
mod own_step;
mod policy;
mod privacy;
mod process;
mod refusals;
mod replicas;
mod restore_matrix;
mod snapshot;
mod stepped;
mod strangers;
mod support;
mod verification;
mod webhooks;
mod whole;
mod witness;
