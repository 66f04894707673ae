//! `[telemetry]`: where traces are sent; leaves the sending to `crate::telemetry`.

use std::ops::RangeInclusive;

use crate::telemetry::traces::Settings;

use super::error::ConfigError;
use super::section::Section;

pub(super) const KEYS: &[&str] = &["otlp_endpoint", "service_name", "sample_ratio"];

/// None, or all of them.
const RATIO: RangeInclusive<f64> = 0.0..=1.0;

/// Reads the section: without `otlp_endpoint` nothing is traced. Defaults: `service_name` "leaver", `sample_ratio` 1.
pub(super) fn read(mut section: Section<'_>) -> Result<Settings, ConfigError> {
    let otlp_endpoint = section.address("otlp_endpoint")?;
    if otlp_endpoint.as_ref().is_some_and(|url| url.query().is_some()) {
        let problem = "expected an address without a query";
        return Err(ConfigError::refused(section.key("otlp_endpoint"), problem));
    }
    let service_name =
        section.parsed("service_name", "leaver".to_owned(), "a string", |text| Some(text.to_owned()))?;
    let sample_ratio = section.fraction("sample_ratio", 1.0, RATIO)?;
    Ok(Settings { otlp_endpoint, service_name, sample_ratio })
}
