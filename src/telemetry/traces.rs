//! Traces: spans of requests, transactions, attempts and calls, sent as OTLP over HTTP to a collector. Off unless one is
//! configured. A collector that is away or hangs costs spans and nothing else: they wait in a bounded queue, and a thread of
//! its own sends them.

use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter as Exports,
};
use reqwest::Url;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Where the collector takes spans, below its address (OTLP 1.x, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Spans that wait for the collector; more are dropped. Some megabytes at most.
const QUEUE_MAX: usize = 4_096;

/// Spans of one request to the collector.
const BATCH_MAX: usize = 512;

/// How long a batch is collected.
const BATCH_PAUSE: Duration = Duration::from_secs(1);

/// How long the collector may take for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an orderly stop waits for the last spans: an orderly stop as a whole takes 25 s at most.
const FLUSH_MAX: Duration = Duration::from_millis(800);

/// Whether and how spans are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The collector, as whose path `/v1/traces` is added; `None`: no traces.
    pub otlp_endpoint: Option<Url>,
    /// What the spans say whose they are.
    pub service_name: String,
    /// The share of traces that is sent, 0 to 1.
    pub sample_ratio: f64,
}

/// Why traces can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The HTTP client can't be made.
    #[error("telemetry.otlp_endpoint: the client for traces can't be made")]
    Client(#[source] reqwest::Error),
    /// The exporter can't be made.
    #[error("telemetry.otlp_endpoint: the exporter of traces can't be made")]
    Exporter(#[source] ExporterBuildError),
    /// A thread can't be started.
    #[error("the thread for traces can't be started")]
    Thread,
}

/// What sends the spans; nothing where there is no collector.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left, for a moment at most. For the end of the process.
    pub async fn flush(self) {
        let Some(provider) = self.0 else { return };
        let (done, flushed) = tokio::sync::oneshot::channel();
        // A plain thread: the runtime would wait at its end for a blocking task.
        std::thread::spawn(move || {
            let _ = provider.shutdown_with_timeout(FLUSH_MAX);
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(FLUSH_MAX, flushed).await;
    }
}

/// Makes what turns this crate's spans into a collector's, and what sends them.
pub(super) fn layer<S>(settings: &Settings) -> Result<(Option<impl Layer<S>>, Traces), TracesError>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let provider = settings.otlp_endpoint.as_ref().map(|url| provider(settings, url)).transpose()?;
    let layer = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("leaver"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Spans alone: an event is a line of the log, which has a place of its own. And ours alone: what libraries
            // write into theirs is nothing that we have looked at. Asked anew for each span: where a library only asks whether an
            // event would be enabled, a remembered answer is taken for that of the next span.
            .with_filter(dynamic_filter_fn(|metadata, _| is_ours(metadata)))
    });
    Ok((layer, Traces(provider)))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().split("::").next() == Some("leaver")
}

fn provider(settings: &Settings, url: &Url) -> Result<SdkTracerProvider, TracesError> {
    let endpoint = format!("{}{PATH}", url.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(TracesError::Exporter)?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(BATCH_PAUSE)
        .build();
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", settings.service_name.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    Ok(SdkTracerProvider::builder()
        // By the trace's id alone: neither does a caller's flag fill the collector, nor does it hide a request.
        .with_sampler(Sampler::TraceIdRatioBased(settings.sample_ratio))
        .with_resource(resource)
        .with_span_processor(
            BatchSpanProcessor::builder(Counted(exporter)).with_batch_config(batches).build(),
        )
        .build())
}

/// The client, made on a plain thread: inside a runtime the blocking one panics.
fn client() -> Result<reqwest::blocking::Client, TracesError> {
    let build = || {
        reqwest::blocking::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(EXPORT_TIMEOUT)
            .build()
    };
    let made = std::thread::spawn(build).join().map_err(|_| TracesError::Thread)?;
    made.map_err(TracesError::Client)
}

/// Counts what became of each batch: nothing else tells that a collector is away.
#[derive(Debug)]
struct Counted(SpanExporter);

impl Exports for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.0.export(batch).await;
        let result = if exported.is_ok() { "ok" } else { "failed" };
        ::metrics::counter!("leaver_trace_exports_total", "result" => result).increment(1);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Lets a span belong to the trace of the request that it serves, where the request names one (W3C Trace Context).
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Traceparent(headers));
    // Fails only where nobody traces.
    let _ = span.set_parent(parent);
}

/// The header `traceparent` alone, and only where it is there once. `tracestate` is a stranger's text and goes nowhere.
struct Traceparent<'a>(&'a HeaderMap);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all("traceparent").iter();
        let (Some(value), None, "traceparent") = (values.next(), values.next(), key) else { return None };
        value.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
