//! Configurations that must not start, each with the one line that names its key.
//! The guards of a running source are left to `guards`.

use super::source::Source;

const GENERIC: &str = "profile = 'generic-worker-terminated'\nsecrets = ['a secret of enough bytes']";

/// Lays each text over a good source and compares the refusal.
fn refused(cases: &[(&str, &str)]) {
    for (rest, message) in cases {
        refused_whole(&format!("{GENERIC}\n{rest}"), message);
    }
}

fn refused_whole(toml: &str, message: &str) {
    let refusal = Source::build("acme", &toml.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(refusal, format!("sources.acme.{message}"), "{toml}");
}

#[test]
fn a_source_without_proof_or_secret_is_refused() {
    refused_whole("profile = 'generic-worker-terminated'", "secrets: missing");
    refused_whole("map = {}\nrules = []", "auth: a source without authentication is refused");
    let basic = "secrets = ['user-without-colon']\nmap = {}\nauth.kind = 'basic'";
    refused_whole(basic, "auth.secrets: must be of the form user:password");
    refused(&[
        ("auth.kind = 'none'", "auth.kind: a source without authentication is refused"),
        ("auth.kind = 'rsa'", "auth.kind: must be one of hmac, ed25519, header, bearer, basic"),
        ("auth.kind = 'header'", "auth.signature_header: missing"),
        ("auth.secrets = ['another secret, long']", "secrets: is set twice, here and as auth.secrets"),
        ("auth.signature_header = ''", "auth.signature_header: missing"),
    ]);
}

#[test]
fn a_public_key_that_is_none_or_proves_anything_is_refused_by_position() {
    let good = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let refused = |second: &str, rest: &str, message: &str| {
        refused_whole(
            &format!(
                "secrets = ['{good}', '{second}']\nmap.email = '/email'\nrules = [{{ when = [], do = 'hold' }}]\n[auth]\n\
                 kind = 'ed25519'\nencoding = 'base64'\nkey_prefix = 'whpk_'\nsignature_header = 'x-s'\nsigned = ['body']\n\
                 {rest}"
            ),
            message,
        );
    };
    let base64 = "key_encoding = 'base64'";
    let key =
        "auth.secrets[1]: must be an ed25519 public key: base64 of 32 bytes that are a point of large order";
    refused("whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", base64, key);
    refused("whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", base64, key);
    refused("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcH", base64, key);
    let private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    refused(private, base64, "secrets[1]: must be base64, as key_encoding says");
    refused(good, "", "auth.key_encoding: must be base64, the form of public keys");
    refused(good, &format!("{base64}\nalgorithm = 'sha256'"), "auth.algorithm: unknown key");
}

#[test]
fn unknown_keys_and_words_are_refused_wherever_they_stand() {
    refused(&[
        ("secret = 'x'", "secret: unknown key"),
        ("auth.signatur_header = 'X'", "auth.signatur_header: unknown key"),
        ("map.mail = '/email'", "map.mail: unknown key"),
        ("rules = [{ if = [], when = [], do = 'hold' }]", "rules[0].if: unknown key"),
        ("format = 'yaml'", "format: must be one of json, form, xml"),
        ("auth.algorithm = 'sha1'", "auth.algorithm: must be one of sha256, sha512"),
        ("auth.encoding = 'base32'", "auth.encoding: must be one of hex, base64, base64url"),
        ("auth.key_encoding = 'hex'", "auth.key_encoding: must be one of utf8, base64"),
        ("auth.list = 'comma'", "auth.list: must be one of space"),
        ("auth_failure_status = 200", "auth_failure_status: must be 401 or 503"),
        ("extends = 'generic-worker-terminated'", "extends: is set twice, here and as profile"),
        ("verified = 'no'", "verified: must be true or false"),
        ("verified = false", "verified: needs unverified, one sentence why"),
        ("unverified = 'Why.'", "unverified: needs verified = false"),
        ("stored_status = 201", "stored_status: must be 200, 202 or 204"),
        ("handshake = { kind = 'ping', body = 'x' }", "handshake.body: unknown key"),
        ("max_items = 0", "max_items: must be from 1 to 10000"),
        ("date_zone = 'Berlin'", "date_zone: must be an IANA time zone such as Europe/Berlin"),
        ("effective_at = '25:00'", "effective_at: must be start_of_day, end_of_day or a time such as 17:00"),
    ]);
}

#[test]
fn a_signature_that_would_prove_less_than_it_seems_is_refused() {
    let duration = "auth.max_age: must be a duration such as 30s, 5m or 3h30m, at most 3650d";
    refused(&[
        ("auth.signature_header = 'a b'", "auth.signature_header: must be the name of a header"),
        ("auth.max_age = '5'", duration),
        ("auth.max_age = '3651d'", duration),
        ("auth.max_age = 300", "auth.max_age: must be a string"),
        ("auth.max_age = '0s'", "auth.max_age: must be longer than nothing"),
        (
            "auth.signed = ['body']",
            "auth.timestamp_header: the header x-timestamp is not among the signed parts",
        ),
        ("auth.id_header = 'x-id'", "auth.id_header: the header x-id is not among the signed parts"),
        ("auth.signed = ['header:X-Timestamp']", "auth.signed: must be a few parts with body exactly once"),
        ("auth.signed = ['body', 'header:']", "auth.signed[1]: must be the name of a header"),
        (
            "auth.signed = ['body', 'header:x-signature']",
            "auth.signed[1]: must be another header than the signature's own",
        ),
        ("auth.signed = ['body', 'query']", "auth.signed[1]: must be body, header:NAME or lit:TEXT"),
        ("auth.version = 'v1'", "auth.version: needs list"),
        ("auth.list = 'space'", "auth.list: needs version"),
    ]);
}

#[test]
fn a_map_that_could_name_the_wrong_person_or_event_is_refused() {
    refused(&[
        ("map.email = 'email'", "map.email: must be a pointer: /x, ^/x, @header or #pick/x"),
        ("map.effective = ['/a', 'b']", "map.effective: must be a pointer: /x, ^/x, @header or #pick/x"),
        ("map.event_id = '@x-id'", "map: the header x-id is not among the signed parts"),
        (
            "map.sequence = '@X-Signature'",
            "map: the header x-signature proves who the sender is, and nothing is read from it",
        ),
        (
            "rules = [{ when = [['@authorization', 'absent']], do = 'hold' }]",
            "rules: the header authorization proves who the sender is, and nothing is read from it",
        ),
        ("map.event_id = { derive = ['@x-id'] }", "map.event_id.derive[0]: must be a pointer into the body"),
        (
            "map.items = '/people'\nmap.event_id = '^/id'",
            "map.event_id.ptr: must differ from item to item: a pointer without ^ or @",
        ),
        (
            "map.items = '/people'\nmap.event_id = { join = ['^/a', '^/b'] }",
            "map.event_id.join: must differ from item to item: a pointer without ^ or @",
        ),
        (
            "map.items = '/a'\nmap.pick = { array = '^/b', where = ['/c', 'd'], as = 'e' }\nmap.event_id = '#e/id'",
            "map.event_id.ptr: must differ from item to item: a pointer without ^ or @",
        ),
        ("map.event_id = { ptr = '/a', join = ['/b'] }", "map.event_id.join: is set twice, here and as ptr"),
        (
            "map.event_id = { join = ['b'] }",
            "map.event_id.join[0]: must be a pointer: /x, ^/x, @header or #pick/x",
        ),
        (
            "map.event_id = { window = '3651d' }",
            "map.event_id.window: must be a duration such as 30s, 5m or 3h30m, at most 3650d",
        ),
        ("map.event_id = { window = '0s' }", "map.event_id.window: must be longer than nothing"),
        ("map.event_id = { window = '1d', derive = [] }", "map.event_id.window: needs derive"),
        ("map.email = '#who/mail'", "map.email: names the pick who, which the map does not have"),
        ("map.items = '#who/mail'", "map.items: must be a pointer into the body"),
        (
            "rules = [{ when = [['#who/a', 'absent']], do = 'hold' }]",
            "rules[0].when[0]: names the pick who, which the map does not have",
        ),
    ]);
}

#[test]
fn a_rule_that_could_never_hold_as_written_is_refused() {
    let form = "rules[0].when[0]: must be an array of a pointer, an operator and an array of words: strings, true, false or \
                whole numbers";
    let operators = "rules[0].when[0]: must be one of in, contains_any, absent, matches";
    refused(&[
        ("rules = []", "rules: missing"),
        ("rules = [{ do = 'terminate' }]", "rules[0].when: missing"),
        (
            "rules = [{ when = [], do = 'fire' }]",
            "rules[0].do: must be one of terminate, rescind, lookup, hold, ignore",
        ),
        ("rules = [{ when = [['/a', 'is', ['b']]], do = 'hold' }]", operators),
        ("rules = [{ when = [['/a', 'in', []]], do = 'hold' }]", form),
        ("rules = [{ when = [['/a', 'in', [1.5]]], do = 'hold' }]", form),
        (
            "rules = [{ when = [['/a', 'matches', ['(']]], do = 'hold' }]",
            "rules[0].when[0]: must be regular expressions",
        ),
        (
            "rules = [{ when = [['/a', 'matches', ['(x{1000}){1000}']]], do = 'hold' }]",
            "rules[0].when[0]: must be regular expressions",
        ),
        (
            "rules = [{ when = [['/a', 'absent', ['b']]], do = 'hold' }]",
            "rules[0].when[0]: must be absent without words",
        ),
        ("rules = [{ when = ['/a', 'in', ['b']], do = 'hold' }]", form),
        (
            "rules = [{ when = [['a', 'in', ['b']]], do = 'hold' }]",
            "rules[0].when[0]: must be a pointer: /x, ^/x, @header or #pick/x",
        ),
        (
            "rules = [{ when = [['@x-a', 'in', ['b']]], do = 'hold' }]",
            "rules: the header x-a is not among the signed parts",
        ),
        (
            "map.type = ''\nrules = [{ when = [['type', 'absent']], do = 'hold' }]",
            "rules[0].when[0]: names the field type, which the map does not have",
        ),
    ]);
}
