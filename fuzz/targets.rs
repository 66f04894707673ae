//! What the fuzzer and the tests call: any bytes, and what must hold for every result.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::DateTime;
use leaver::hris::{Reading, Source};

/// The receiver's time, and that of the seeds.
const NOW: i64 = 1_767_225_600;

const RULES: &str =
    "rules = [{ when = [['/a', 'in', ['b', true, 1]]], do = 'terminate' }, { when = [], do = 'hold' }]";

fn source(rest: &str) -> Source {
    match rest.parse().map(|table| Source::build("fuzz", &table)) {
        Ok(Ok(source)) => source,
        Ok(Err(error)) => panic!("{error}"),
        Err(error) => panic!("{error}"),
    }
}

/// One for each kind of proof and each form of a signature.
static PROVED: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let hmac = |rest: &str| {
        source(&format!(
            "secrets = ['fuzz-secret-0123456789']\nmap.email = '/email'\n{RULES}\n[auth]\nkind = 'hmac'\n{rest}"
        ))
    };
    vec![
        hmac(
            "algorithm = 'sha256'\nencoding = 'hex'\nsignature_header = 's'\ntimestamp_header = 't'\nsigned = ['body', 'header:t']\ntimestamp_format = 'unix-or-rfc3339'",
        ),
        hmac(
            "algorithm = 'sha512'\nencoding = 'base64url'\nsignature_header = 's'\nprefix = 'x='\nsigned = ['lit:POST', 'body']",
        ),
        hmac(
            "algorithm = 'sha256'\nencoding = 'base64'\nsignature_header = 's'\nid_header = 'i'\ntimestamp_header = 't'\nlist = 'space'\nversion = 'v1'\nsigned = ['header:i', 'lit:.', 'header:t', 'lit:.', 'body']",
        ),
        source(&format!(
            "secrets = ['11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=']\nmap.email = '/email'\n{RULES}\n[auth]\nkind = 'ed25519'\n\
             key_encoding = 'base64'\nencoding = 'base64'\nsignature_header = 's'\nlist = 'space'\nversion = 'v1a'\nsigned = ['body']"
        )),
        source(&format!(
            "secrets = ['fuzz-secret-0123456789']\nmap.email = '/email'\n{RULES}\n[auth]\nkind = 'bearer'\nsignature_header = 's'"
        )),
        source(&format!(
            "secrets = ['fuzz:secret-0123456789']\nmap.email = '/email'\n{RULES}\n[auth]\nkind = 'basic'\nsignature_header = 's'"
        )),
        source(&format!(
            "secrets = ['fuzz-secret-0123456789']\nmap.email = '/email'\n{RULES}\n[auth]\nkind = 'header'\nsignature_header = 's'"
        )),
    ]
});

/// One for each format, with everything that a map can have.
static READ: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let read = |format: &str, items: &str| {
        source(&format!(
            "secrets = ['fuzz-secret-0123456789']\nformat = '{format}'\n{RULES}\nauth = {{ kind = 'bearer' }}\n[map]\n{items}\n\
             event = '/type'\nemail = '/email'\nexternal_id = '#p/id'\neffective = ['/date', '^/date']\noccurred_at = '/at'\n\
             sequence = '/seq'\ntype = '/kind'\npick = {{ array = '/who', where = ['/t', 'U'], as = 'p' }}\n\
             event_id = {{ join = ['^/id', '/id'], derive = ['event', 'external_id', '/x'], window = '7d' }}"
        ))
    };
    vec![
        read("json", ""),
        read("json", "items = '/items'"),
        read("form", ""),
        read("xml", "items = '/E/items/item'"),
        source(
            "profile = 'generic-worker-terminated'\nsecrets = ['fuzz-secret-0123456789']\ndate_zone = 'Europe/Berlin'",
        ),
        source("profile = 'bamboohr-field-based'\nsecrets = ['fuzz-secret-0123456789']"),
    ]
});

/// Lines of `name:value` up to an empty one, then the body. Nothing that the seeds don't know a key for is believed, and
/// whoever does not know one can't guess it; so what is believed must be believed twice.
pub(crate) fn verify(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let source = &PROVED[usize::from(*which) % PROVED.len()];
    let mut headers = HeaderMap::new();
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(name, value);
        }
    }
    let now = DateTime::from_timestamp(NOW, 0).unwrap_or_default();
    let first = source.verify(&headers, rest, now);
    assert_eq!(first, source.verify(&headers, rest, now));
    if headers.is_empty() {
        assert!(first.is_err(), "without any header");
    }
}

/// The first byte says by which source the rest is read. Events are storable, and reading is a function of the bytes.
pub(crate) fn read(data: &[u8]) {
    let Some((which, body)) = data.split_first() else { return };
    let source = &READ[usize::from(*which) % READ.len()];
    let reading = source.read(&HeaderMap::new(), body);
    assert_eq!(reading, source.read(&HeaderMap::new(), body));
    let Reading::Events(events) = reading else { return };
    assert!(!events.is_empty());
    for event in events {
        let texts =
            [Some(event.event_id), event.person.email, event.person.external_id, event.termination_type];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && text.len() <= 4 * 320 && !text.contains('\0'), "{text:?}");
        }
    }
}

/// The TOML of a source. Whatever is refused is refused in one line that begins with its key; whatever is not refused
/// verifies and reads anything.
pub(crate) fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(table) = text.parse() else { return };
    match Source::build("fuzz", &table) {
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("sources.fuzz"), "{line}");
        }
        Ok(source) => {
            let now = DateTime::from_timestamp(NOW, 0).unwrap_or_default();
            assert!(source.verify(&HeaderMap::new(), b"{}", now).is_err());
            drop(source.read(&HeaderMap::new(), br#"{"a":{"b":[{"c":"d"}]}}"#));
            drop(source.sign(b"{}", now));
        }
    }
}
