//! Tests against the real parts: Postgres, HTTP, the simulator, and the `leaver` program itself.

mod engine;
mod support;
