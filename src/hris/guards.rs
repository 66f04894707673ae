//! The guards of the proof, each tested at its edge and with arbitrary bytes.
//! Known values are left to the vectors, what is refused at the start to `refusals`.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::auth::Refusal;
use super::keys::KeyIndex;
use super::replays;
use super::source::Source;

const NOW: i64 = 1_767_225_600;
const BODY: &[u8] = br#"{"event":"worker.terminated","workerId":"WRK-1"}"#;
const GENERIC: &str =
    "profile = 'generic-worker-terminated'\nsecrets = ['the newest secret, long', 'the older secret, too']";

fn source(toml: &str) -> Source {
    Source::build("acme", &toml.parse().unwrap()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn signed(source: &Source, body: &[u8], seconds: i64) -> HeaderMap {
    let pairs = source.sign(body, at(seconds)).unwrap().into_iter();
    pairs.map(|(name, value)| (HeaderName::try_from(name).unwrap(), value.parse().unwrap())).collect()
}

/// Every kind of proof that signs with what it verifies with, as tables of their own or of a built-in profile.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let whole = |auth: &str| {
        source(&format!(
            "secrets = ['c2VjcmV0OiBsb25nIGVub3VnaCBmb3IgYWxs']\nmap.email = '/email'\nrules = [{{ when = [], do = 'hold' }}]\n\
             [auth]\n{auth}"
        ))
    };
    let mut sources: Vec<_> = super::builtin_profiles().map(replays::source).collect();
    // Users are provisioned with a constant credential, which is tried below.
    sources.retain(|source| source.scim().is_none() && source.sign(BODY, at(NOW)).is_ok());
    sources.push(whole(
        "kind = 'hmac'\nalgorithm = 'sha256'\nencoding = 'base64'\nkey_encoding = 'base64'\nsignature_header = 'x-s'\n\
         id_header = 'x-id'\ntimestamp_header = 'x-t'\nsigned = ['header:x-id', 'lit:.', 'header:x-t', 'lit:.', 'body']\n\
         list = 'space'\nversion = 'v1'",
    ));
    sources.push(whole(
        "kind = 'hmac'\nalgorithm = 'sha512'\nencoding = 'base64url'\nsignature_header = 'x-s'\nsigned = ['body']",
    ));
    sources.push(whole("kind = 'header'\nsignature_header = 'x-key'"));
    sources.push(whole("kind = 'bearer'"));
    sources
});

/// Those whose proof covers the body.
static SIGNING: LazyLock<Vec<&Source>> = LazyLock::new(|| {
    let covers_body = |source: &&Source| source.verify(&signed(source, BODY, NOW), b"{}", at(NOW)).is_err();
    SOURCES.iter().filter(covers_body).collect()
});

#[test]
fn what_a_source_signs_it_believes_with_its_newest_key() {
    for source in SOURCES.iter() {
        assert_eq!(source.verify(&signed(source, BODY, NOW), BODY, at(NOW)), Ok(KeyIndex(0)), "{source:?}");
    }
}

#[test]
fn while_a_key_is_rotated_both_are_believed_and_told_apart() {
    let old = source("profile = 'generic-worker-terminated'\nsecrets = ['the older secret, too']");
    let headers = signed(&old, BODY, NOW);
    assert_eq!(source(GENERIC).verify(&headers, BODY, at(NOW)), Ok(KeyIndex(1)));
    let new = source("profile = 'generic-worker-terminated'\nsecrets = ['the newest secret, long']");
    assert_eq!(new.verify(&headers, BODY, at(NOW)), Err(Refusal::WrongSignature));
}

#[test]
fn a_key_that_is_configured_twice_counts_as_the_newer_one() {
    let twice = source(
        "profile = 'generic-worker-terminated'\nsecrets = ['the same secret, long', 'the same secret, long']",
    );
    assert_eq!(twice.verify(&signed(&twice, BODY, NOW), BODY, at(NOW)), Ok(KeyIndex(0)));
}

#[test]
fn sixteen_signatures_of_a_list_are_tried_and_a_seventeenth_refuses_them_all() {
    let source = source(
        "secrets = ['a secret of enough bytes']\nmap.email = '/email'\nrules = [{ when = [], do = 'hold' }]\n[auth]\n\
         kind = 'hmac'\nalgorithm = 'sha256'\nencoding = 'hex'\nsignature_header = 'x-s'\nsigned = ['body']\n\
         list = 'space'\nversion = 'v1'",
    );
    let mut headers = signed(&source, BODY, NOW);
    let good = headers["x-s"].to_str().unwrap().to_owned();
    headers.insert("x-s", format!("{}{good}", "v1,00 ".repeat(15)).parse().unwrap());
    assert_eq!(source.verify(&headers, BODY, at(NOW)), Ok(KeyIndex(0)));
    headers.insert("x-s", format!("{}{good}", "v1,00 ".repeat(16)).parse().unwrap());
    assert_eq!(source.verify(&headers, BODY, at(NOW)), Err(Refusal::Malformed));
}

#[test]
fn the_generic_window_is_five_minutes_back_and_one_ahead() {
    let source = source(GENERIC);
    let check = |sent| source.verify(&signed(&source, BODY, sent), BODY, at(NOW)).map(|_| ());
    assert_eq!(check(NOW - 300), Ok(()));
    assert_eq!(check(NOW - 301), Err(Refusal::Stale));
    assert_eq!(check(NOW + 60), Ok(()));
    assert_eq!(check(NOW + 61), Err(Refusal::Future));
}

#[test]
fn each_header_of_the_proof_must_be_there_once() {
    for source in SOURCES.iter() {
        let good = signed(source, BODY, NOW);
        for name in good.keys() {
            let mut repeated = good.clone();
            repeated.append(name, good[name].clone());
            assert_eq!(
                source.verify(&repeated, BODY, at(NOW)),
                Err(Refusal::RepeatedHeader),
                "{name} {source:?}"
            );
            let mut missing = good.clone();
            missing.remove(name);
            assert_eq!(
                source.verify(&missing, BODY, at(NOW)),
                Err(Refusal::MissingHeader),
                "{name} {source:?}"
            );
            let mut foreign = good.clone();
            foreign.insert(name, HeaderValue::from_bytes(b"\xef\xbc\x91").unwrap());
            assert_eq!(source.verify(&foreign, BODY, at(NOW)), Err(Refusal::Malformed), "{name} {source:?}");
        }
    }
}

#[test]
fn a_digit_that_moves_from_the_timestamp_into_the_body_is_noticed() {
    let source = source(
        "secrets = ['a secret of enough bytes']\nmap.email = '/email'\nrules = [{ when = [], do = 'hold' }]\n[auth]\n\
         kind = 'hmac'\nalgorithm = 'sha256'\nencoding = 'hex'\nsignature_header = 'x-s'\ntimestamp_header = 'x-t'\n\
         signed = ['body', 'header:x-t']",
    );
    let mut headers = signed(&source, b"1", 1_767_225_600);
    headers.insert("x-t", HeaderValue::from_static("767225600"));
    let then = at(767_225_600);
    assert_eq!(
        source.verify(&headers, b"11", then),
        Err(Refusal::Malformed),
        "the text and the window are right"
    );
}

#[test]
fn debug_output_of_a_source_shows_no_secret() {
    let shown = format!("{:?}", source(GENERIC));
    assert!(!shown.contains("secret, long"), "{shown}");
    assert!(!shown.contains("[116, 104, 101"), "{shown}");
}

/// A header value in which one byte is another one; `None` if HTTP can't carry it.
fn flipped(value: &HeaderValue, at: usize, mask: u8) -> Option<HeaderValue> {
    let mut bytes = value.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] ^= mask;
    HeaderValue::from_bytes(&bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_flipped_byte_anywhere_is_never_believed(
        which in any::<usize>(), body in prop::collection::vec(any::<u8>(), 1..200), place in any::<usize>(), mask in 1_u8..=255,
    ) {
        let source = SIGNING[which % SIGNING.len()];
        let good = signed(source, &body, NOW);
        let mut changed = body.clone();
        let at_byte = place % body.len();
        changed[at_byte] ^= mask;
        prop_assert!(source.verify(&good, &changed, at(NOW)).is_err());
        for name in good.keys() {
            let Some(value) = flipped(&good[name], place, mask) else { continue };
            // Hexadecimal digits in the other case are the same bytes.
            if value.as_bytes().eq_ignore_ascii_case(good[name].as_bytes()) {
                continue;
            }
            let mut headers = good.clone();
            headers.insert(name, value);
            prop_assert!(source.verify(&headers, &body, at(NOW)).is_err(), "{} {:?}", name, headers);
        }
    }

    #[test]
    fn arbitrary_header_bytes_are_refused_without_a_panic(
        which in any::<usize>(), first in prop::collection::vec(any::<u8>(), 0..100), second in "[ -~]{0,60}",
    ) {
        let source = &SOURCES[which % SOURCES.len()];
        let good = signed(source, BODY, NOW);
        let values = [HeaderValue::from_bytes(&first).ok(), HeaderValue::from_str(&second).ok()];
        for (name, value) in good.keys().flat_map(|name| values.iter().flatten().map(move |value| (name, value))) {
            let mut headers = good.clone();
            headers.insert(name, value.clone());
            prop_assert!(source.verify(&headers, BODY, at(NOW)).is_err());
        }
    }
}
