//! `leaver send`: signs a body as a source would and posts it, to try a source before the HRIS does.

use std::path::Path;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use chrono::Utc;

use super::Failure;
use crate::config::Config;
use crate::hris::Source;

/// The service answers within 3 s of the request's end.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// Posts the file and prints the answer; fails for an answer other than 2xx.
pub async fn send(config: &Config, source: &str, file: &Path, url: Option<&str>) -> Result<(), Failure> {
    let known = || config.sources.keys().cloned().collect::<Vec<_>>().join(", ");
    let table = config.sources.get(source).ok_or_else(|| {
        Failure::Usage(format!("--source: {source:?} is not configured; there is {}", known()))
    })?;
    let source = Source::build(source, table).map_err(|error| Failure::Usage(error.to_string()))?;
    if source.scim().is_some() {
        let name = source.name();
        let problem = format!(
            "--source: {name} speaks SCIM and takes no single deliveries; docs/scim.md tries it with curl"
        );
        return Err(Failure::Usage(problem));
    }
    let body = std::fs::read(file)
        .map_err(|error| Failure::Usage(format!("--file: {} can't be read: {error}", file.display())))?;
    let url = match url {
        Some(url) => url.to_owned(),
        None => format!("http://{}/webhooks/{}", config.server.listen, source.name()),
    };
    let headers = source.sign(&body, Utc::now()).map_err(|error| Failure::Usage(error.to_string()))?;
    let client =
        reqwest::Client::builder().timeout(ANSWER_DEADLINE).no_proxy().build().map_err(Failure::other)?;
    let mut request = client.post(&url).header(CONTENT_TYPE, source.format().content_type()).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| Failure::other(error.without_url()))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| Failure::other(error.without_url()))?;
    println!("{status}\n{text}");
    if status.is_success() { Ok(()) } else { Err(Failure::Failed(format!("the answer was {status}"))) }
}
