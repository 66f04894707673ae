//! Standard Webhooks against that project's own library, on random requests: both believe the same ones.
//!
//! Where the library is wrong it is not asked: it takes an empty secret, counts with timestamps before it looks at them, takes
//! the first of two headers, and refuses bodies that are not UTF-8. It reads a timestamp before it signs it, so only plain
//! decimal numbers are the same text to both; and it uses the machine's clock, so that nothing is asked at the edge of its
//! window of five minutes.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use proptest::prelude::*;
use standardwebhooks::Webhook;

use super::source::Source;

fn source(secret: &str) -> Source {
    let toml = format!(
        "secrets = ['{secret}']\nmap.email = '/email'\nrules = [{{ when = [], do = 'hold' }}]\n[auth]\nkind = 'hmac'\n\
         algorithm = 'sha256'\nencoding = 'base64'\nkey_encoding = 'base64'\nkey_prefix = 'whsec_'\nlist = 'space'\n\
         version = 'v1'\nsignature_header = 'webhook-signature'\nid_header = 'webhook-id'\n\
         timestamp_header = 'webhook-timestamp'\nmax_future = '5m'\n\
         signed = ['header:webhook-id', 'lit:.', 'header:webhook-timestamp', 'lit:.', 'body']"
    );
    Source::build("acme", &toml.parse().unwrap()).unwrap()
}

/// A time from now, in seconds, that is within the window for both or for neither.
fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -240_i64..240, 1 => 360_i64..100_000, 1 => -100_000_i64..-360]
}

/// One entry of the list beside or instead of the right one, which is `None`.
fn entry() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        2 => Just(None),
        1 => prop::collection::vec(any::<u8>(), 32).prop_map(|tag| Some(format!("v1,{}", STANDARD.encode(tag)))),
        1 => prop::collection::vec(any::<u8>(), 64).prop_map(|tag| Some(format!("v1a,{}", STANDARD.encode(tag)))),
        1 => "[ -~]{0,12}".prop_map(Some),
        1 => "v[12],[A-Za-z0-9+/]{43}=".prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn both_believe_the_same_requests(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        other_key in prop::collection::vec(any::<u8>(), 24..=64),
        with_other_key in prop::bool::weighted(0.1),
        id in "[!-~]{1,40}",
        body in "\\PC{0,80}",
        changed in prop::bool::weighted(0.1),
        later in offset(),
        entries in prop::collection::vec(entry(), 0..4),
        missing in prop::option::weighted(0.1, 0_usize..3),
    ) {
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let now = Utc::now();
        let sent = now.timestamp() + later;
        let theirs = Webhook::new(&secret).unwrap();
        let signer = if with_other_key { Webhook::from_bytes(other_key).unwrap() } else { Webhook::new(&secret).unwrap() };
        let right = signer.sign(&id, sent, body.as_bytes()).unwrap();
        let list: Vec<String> = entries.into_iter().map(|entry| entry.unwrap_or_else(|| right.clone())).collect();
        let list = list.join(" ");
        let mut headers = HeaderMap::new();
        let pairs = [("webhook-id", id.as_str()), ("webhook-timestamp", &sent.to_string()), ("webhook-signature", &list)];
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            if missing != Some(index) {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let body = if changed { format!("{body} ") } else { body };
        let ours = source(&secret).verify(&headers, body.as_bytes(), now).is_ok();
        prop_assert_eq!(ours, theirs.verify(body.as_bytes(), &headers).is_ok(), "{:?}", headers);
    }

    #[test]
    fn what_one_signs_the_other_believes(key in prop::collection::vec(any::<u8>(), 24..=64), body in "\\PC{0,200}") {
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let ours = source(&secret);
        let mut headers = HeaderMap::new();
        for (name, value) in ours.sign(body.as_bytes(), Utc::now()).unwrap() {
            headers.insert(axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        prop_assert!(Webhook::new(&secret).unwrap().verify(body.as_bytes(), &headers).is_ok());
    }
}
