//! Replays the published and computed signature vectors through sources built from the vectors' own profile tables.
//! Single guards of the signature are tested beside them.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Value;
use toml::Table;

use super::keys::Keys;
use super::settings::Problem;
use super::source::Source;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hris-signature-vectors.json"));

/// Lays a vector's secrets and window over its scheme's table. Six of the vectors have an old secret that is shorter
/// than a source may have: these alone are built without that limit.
fn source(scheme: &Value, vector: &Value) -> Option<Source> {
    let mut auth: Table = serde_json::from_value(scheme["profile"].clone()).unwrap();
    auth.insert("secrets".to_owned(), toml::Value::try_from(&vector["secrets"]).unwrap());
    for (key, limit) in [("max_age", "max_age_s"), ("max_future", "max_future_s")] {
        if let Some(seconds) = vector[limit].as_u64() {
            auth.insert(key.to_owned(), toml::Value::from(format!("{seconds}s")));
        }
    }
    let mut table: Table = "map.email = '/email'\nrules = [{ when = [], do = 'hold' }]".parse().unwrap();
    table.insert("auth".to_owned(), toml::Value::Table(auth));
    match Source::build("vector", &table) {
        Ok(source) => Some(source),
        Err(error) if matches!(error.problem(), Problem::ShortSecret(_)) && vector["expect"] == "accept" => {
            Some(
                Source::build_with("vector", &table, |secrets, auth| Keys::of_length(1, secrets, auth))
                    .unwrap(),
            )
        }
        Err(error) => {
            assert!(
                error.key().starts_with("sources.vector.auth.secrets"),
                "only secrets may be wrong: {error}"
            );
            None
        }
    }
}

/// `None` where HTTP itself carries no such header.
fn headers(vector: &Value) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in vector["headers"].as_array().unwrap() {
        let name = HeaderName::try_from(pair[0].as_str().unwrap()).unwrap();
        headers.append(name, HeaderValue::from_bytes(pair[1].as_str().unwrap().as_bytes()).ok()?);
    }
    Some(headers)
}

fn accepted(scheme: &Value, vector: &Value) -> bool {
    let body = STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap();
    let now: DateTime<Utc> = DateTime::from_timestamp(vector["now"].as_i64().unwrap(), 0).unwrap();
    match (source(scheme, vector), headers(vector)) {
        (Some(source), Some(headers)) => source.verify(&headers, &body, now).is_ok(),
        (_, _) => false,
    }
}

/// A request that is to be accepted, with the source that accepts it.
pub(super) struct Authentic {
    /// The scheme's own table, `auth`.
    pub(super) auth: Table,
    pub(super) source: Source,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) now: DateTime<Utc>,
}

/// Returns every request of the vectors that is to be accepted.
pub(super) fn authentic() -> Vec<Authentic> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut requests = Vec::new();
    for scheme in vectors["schemes"].as_array().unwrap() {
        for vector in
            scheme["vectors"].as_array().unwrap().iter().filter(|vector| vector["expect"] == "accept")
        {
            requests.push(Authentic {
                auth: serde_json::from_value(scheme["profile"].clone()).unwrap(),
                source: source(scheme, vector).unwrap(),
                headers: headers(vector).unwrap(),
                body: STANDARD.decode(vector["body_base64"].as_str().unwrap()).unwrap(),
                now: DateTime::from_timestamp(vector["now"].as_i64().unwrap(), 0).unwrap(),
            });
        }
    }
    requests
}

#[test]
fn every_signature_vector_is_accepted_or_refused_as_published() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut accepts, mut rejects, mut either) = (0, 0, 0);
    for scheme in vectors["schemes"].as_array().unwrap() {
        for vector in scheme["vectors"].as_array().unwrap() {
            let accepted = accepted(scheme, vector);
            let place = || format!("{} {}: {}", scheme["id"], vector["name"], vector["why"]);
            match vector["expect"].as_str().unwrap() {
                "accept" => {
                    assert!(accepted, "{}", place());
                    accepts += 1;
                }
                "reject" => {
                    assert!(!accepted, "{}", place());
                    rejects += 1;
                }
                _ => either += 1,
            }
        }
    }
    println!(
        "{} vectors replayed: {accepts} accept, {rejects} reject, {either} either",
        accepts + rejects + either
    );
    assert_eq!((accepts, rejects, either), (121, 196, 9));
}
