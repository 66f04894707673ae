//! Tests against the real parts: Postgres, HTTP, the simulator, and the `leaver` program itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod api;
mod architecture;
mod budget;
mod calls;
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
mod lagging;
mod latecomers;
mod lost_answers;
mod malformed;
mod mutations;
mod other_ends;
mod own_step;
mod permissions;
mod policy;
mod preview;
mod privacy;
mod process;
mod refusals;
mod replicas;
mod restore_matrix;
mod restoring;
mod snapshot;
mod stepped;
mod strangers;
mod support;
mod switches;
mod verification;
mod webhooks;
mod whole;
mod whole_plan;
mod witness;
