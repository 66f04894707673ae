//! `leaver send`: signs a body as a source would and posts it, to try a source before the HRIS does.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::Utc;
use reqwest::Url;
use serde_json::{Value, json};

use super::{Failure, Output, known_source, print};
use crate::config::{Config, Environment};
use crate::hris::{SignError, Signing, Source};

/// The service answers within 3 s of the request's end.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// What `leaver send` is asked for.
#[derive(Debug)]
pub struct SendArguments {
    /// The source's name in the configuration.
    pub source: String,
    /// The body; `-` is standard input.
    pub file: PathBuf,
    /// Where to, instead of the configured listener; without a path that of the source.
    pub url: Option<String>,
    /// What to sign with, instead of the source's newest secret: the value, `env:NAME` or `file:/path`.
    pub secret: Option<String>,
    /// `NAME=VALUE`: headers that only the sender knows.
    pub headers: Vec<String>,
}

/// Posts the file and prints the answer; fails for an answer other than 2xx.
pub async fn send(config: &Config, arguments: SendArguments, output: Output) -> Result<(), Failure> {
    let source = source(config, &arguments.source)?;
    let url = match &arguments.url {
        Some(url) => target(url, source.name())?,
        None => {
            let url = format!("http://{}/webhooks/{}", config.server.listen, source.name());
            Url::parse(&url).map_err(Failure::other)?
        }
    };
    let body = read(&arguments.file)?;
    let headers = headers(&source, &body, &arguments)?;
    let client =
        reqwest::Client::builder().timeout(ANSWER_DEADLINE).no_proxy().build().map_err(Failure::other)?;
    // What stands behind the host may be a secret.
    let place = url.origin().ascii_serialization();
    let unanswered = |error: reqwest::Error| {
        let why = super::with_causes(&error.without_url());
        Failure::Failed(format!("no answer of {place}: {why}"))
    };
    let request = client.post(url).headers(headers).body(body);
    let answer =
        super::progress::shown("waiting for the answer", request.send()).await.map_err(unanswered)?;
    let status = answer.status();
    let text = answer.text().await.map_err(unanswered)?;
    match output {
        Output::Json => {
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            print::json(&json!({ "status": status.as_u16(), "body": body }));
        }
        Output::Text => print::lines(&format!("{status}\n{text}")),
    }
    if status.is_success() { Ok(()) } else { Err(Failure::Failed(format!("the answer was {status}"))) }
}

/// Where it is posted: the address as it was given, with the source's path where it has none.
fn target(text: &str, source: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.ok_or_else(|| {
        Failure::Usage(format!("--url: expected http://HOST:PORT/webhooks/{source}, found {text:?}"))
    })?;
    if url.path() == "/" {
        url.set_path(&format!("/webhooks/{source}"));
    }
    Ok(url)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().lock().read_to_end(&mut body).map(|_| body),
        Some(_) | None => std::fs::read(file),
    };
    read.map_err(|error| Failure::Usage(format!("--file: {} can't be read: {error}", file.display())))
}

fn source(config: &Config, name: &str) -> Result<Source, Failure> {
    let source = known_source(config, "--source", name)?;
    if source.scim().is_some() {
        let problem = format!(
            "--source: {name} speaks SCIM and takes no single deliveries; docs/scim.md tries it with curl"
        );
        return Err(Failure::Usage(problem));
    }
    Ok(source)
}

/// The headers with which the sender would post this body: its content type, its proof, and what was given.
fn headers(source: &Source, body: &[u8], arguments: &SendArguments) -> Result<HeaderMap, Failure> {
    let resolve = |raw: &String| Environment::of_process().resolve("--secret", raw.clone());
    let secret = arguments.secret.as_ref().map(resolve).transpose().map_err(Failure::configuration)?;
    let given: Vec<_> = arguments.headers.iter().map(|text| given(text)).collect::<Result<_, _>>()?;
    let signing = Signing { secret: secret.as_deref(), headers: &given, now: Utc::now() };
    let signed = source.sign_as(body, &signing).map_err(unsigned)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(source.format().content_type()));
    for (name, value) in signed {
        let unusable = |_| Failure::Usage(format!("--header {name}: is no header"));
        let key = HeaderName::try_from(&name)
            .map_err(|_| Failure::Usage(format!("--header {name}: is no header")))?;
        headers.insert(key, HeaderValue::try_from(value).map_err(unusable)?);
    }
    Ok(headers)
}

fn given(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::Usage(format!("--header: expected NAME=VALUE, found {text:?}")))?;
    Ok((name.to_lowercase(), value.to_owned()))
}

fn unsigned(error: SignError) -> Failure {
    let advice = match error {
        SignError::HeaderUnknown(_) => ": give it as --header NAME=VALUE",
        SignError::PrivateKeyNeeded => ": give it as --secret env:NAME",
        SignError::BadPrivateKey | SignError::BadSecret(_) => "",
    };
    Failure::Usage(format!("{error}{advice}"))
}
