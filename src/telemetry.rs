//! Logs: one JSON object per line on standard error, with ids and never with names, addresses, secrets or bodies.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is logged; without it, what an operator needs.
pub fn start() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=error,hyper=warn"));
    let started =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    if started.is_ok() {
        // A panic's message may hold data; where it happened is enough to find it.
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(at, "a task panicked");
        }));
    }
}
