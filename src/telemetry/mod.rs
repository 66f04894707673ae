//! What the service tells about itself while it runs. Logs: one JSON object per line on standard error, with ids and never
//! with names, addresses, secrets or bodies. [`metrics`]: the list of all of them. [`traces`]: spans, where a collector is
//! configured.

pub mod metrics;
pub mod traces;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use traces::{Traces, TracesError};

/// Starts logging, and traces where the settings name a collector. `RUST_LOG` chooses what is logged; without it, what an
/// operator needs.
///
/// # Errors
/// Where the traces' client can't be made.
pub fn start(settings: &traces::Settings) -> Result<Traces, TracesError> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=error,hyper=warn"));
    let (layer, traces) = traces::layer(settings)?;
    let started = match layer {
        // Each with a filter of its own: what is logged does not decide what is traced.
        Some(layer) => {
            tracing_subscriber::registry().with(lines().with_filter(filter)).with(layer).try_init()
        }
        None => tracing_subscriber::registry().with(filter).with(lines()).try_init(),
    };
    if started.is_ok() {
        // A panic's message may hold data; where it happened is enough to find it.
        std::panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(at, "a task panicked");
        }));
    }
    Ok(traces)
}

/// A line is readable alone: spans are for traces.
fn lines<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fmt::layer().json().with_current_span(false).with_span_list(false).with_writer(std::io::stderr)
}
