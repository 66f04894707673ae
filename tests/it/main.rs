//! Tests against the real parts: Postgres, HTTP, the simulator, and the `leaver` program itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cancelled;
mod deadlines;
mod edge;
mod engine;
mod health;
mod support;
mod webhooks;
