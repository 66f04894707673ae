//! `docs/sources.md` says of each built-in profile what the profile says: its tables and bodies to try are made from the files
//! in `src/hris/profiles/`.
//!
//! After a change of a profile, `LEAVER_WRITE_DOCS=1 cargo test --test it sources_doc::` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use leaver::hris::builtin_profiles;
use serde_json::Value as Json;
use toml::{Table, Value};

/// Says that the page is to be written and not compared. Nothing but a developer's shell sets it.
const WRITE: &str = "LEAVER_WRITE_DOCS";

const ALIASES: &[(&str, &str)] = &include!("../../src/hris/profiles/aliases.in");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A profile with what it extends underneath: its keys win, arrays are replaced whole, another kind of proof brings all of its
/// own keys, and the sender's own id has one place.
pub(crate) fn profile(name: &str) -> Table {
    let text = fs::read_to_string(root(&format!("src/hris/profiles/{name}.toml"))).unwrap();
    let over: Table = text.parse().unwrap();
    let Some(Value::String(base)) = over.get("extends").cloned() else { return over };
    let mut merged = profile(&base);
    if kind(&over).is_some() && kind(&over) != kind(&merged) {
        merged.remove("auth");
    }
    let own = |table: &Table, key: &str| table.get("map")?.get("event_id")?.get(key).map(|_| ());
    for (key, other) in [("ptr", "join"), ("join", "ptr")] {
        if own(&over, key).is_some() {
            let id = merged.get_mut("map").and_then(|map| map.get_mut("event_id"));
            id.and_then(Value::as_table_mut).and_then(|id| id.remove(other));
        }
    }
    lay_over(&mut merged, over);
    merged
}

fn kind(profile: &Table) -> Option<&str> {
    profile.get("auth")?.get("kind")?.as_str()
}

fn lay_over(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => lay_over(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The samples of a profile, which are those of what it extends where it reads nothing else.
pub(crate) fn samples(name: &str) -> Vec<Json> {
    match fs::read_to_string(root(&format!("src/hris/profiles/{name}.samples.json"))) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => samples(profile(name)["extends"].as_str().expect("samples of its own, or of another")),
    }
}

/// A string that is there and not empty: an empty one takes away what is underneath.
fn text<'a>(table: &'a Value, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => vec![text],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn codes(texts: &[&str]) -> String {
    texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(", ")
}

fn proof(auth: &Value) -> String {
    let header = text(auth, "signature_header").unwrap_or("Authorization");
    let signed = || {
        let parts = texts(auth.get("signed")).into_iter().map(|part| match part.split_once(':') {
            Some(("header", name)) => code(name),
            Some((_, literal)) => format!("the text `{literal}`"),
            None => "the raw body".to_owned(),
        });
        parts.collect::<Vec<_>>().join(", ")
    };
    let place = || {
        let prefix =
            text(auth, "prefix").map(|prefix| format!(" after {}", code(prefix))).unwrap_or_default();
        let list =
            text(auth, "version").map(|version| format!(", in a list as {}", code(&format!("{version},…"))));
        format!(
            "{} in {}{prefix}{}",
            auth["encoding"].as_str().unwrap(),
            code(header),
            list.unwrap_or_default()
        )
    };
    match auth["kind"].as_str().unwrap() {
        "hmac" => {
            let algorithm = auth["algorithm"].as_str().unwrap().to_uppercase().replace("SHA", "SHA-");
            format!("HMAC-{algorithm} over {}; {}", signed(), place())
        }
        "ed25519" => format!("ed25519 over {}; {}", signed(), place()),
        "header" => format!("the secret itself in {}", code(header)),
        "bearer" => format!("{}, the secret being the token", code(&format!("{header}: Bearer …"))),
        "basic" => format!("{}, the secret being `user:password`", code(&format!("{header}: Basic …"))),
        other => panic!("{other}"),
    }
}

fn window(auth: &Value) -> String {
    match text(auth, "timestamp_header") {
        None => "none: there is no timestamp".to_owned(),
        Some(header) => {
            let limit = |key, default: &'static str| text(auth, key).unwrap_or(default).to_owned();
            format!(
                "{} back and {} ahead, by {}",
                limit("max_age", "5m"),
                limit("max_future", "60s"),
                code(header)
            )
        }
    }
}

fn identity(map: &Value) -> String {
    let Some(id) = map.get("event_id") else { return "the whole item".to_owned() };
    let mut ways = Vec::new();
    if let Some(pointer) = id.as_str().or_else(|| text(id, "ptr")) {
        ways.push(format!("the sender's own, {}", code(pointer)));
    }
    let join = texts(id.get("join"));
    if !join.is_empty() {
        ways.push(format!(
            "the sender's own, {}",
            join.iter().map(|part| code(part)).collect::<Vec<_>>().join(" with ")
        ));
    }
    let derive = texts(id.get("derive"));
    if !derive.is_empty() {
        let window =
            text(id, "window").map(|window| format!("; the same again after {window} is another event"));
        ways.push(format!("made from {}{}", codes(&derive), window.unwrap_or_default()));
    }
    ways.join(", else ")
}

fn who(map: &Value) -> String {
    let named = |key, word: &str| text(map, key).map(|pointer| format!("{word} {}", code(pointer)));
    let found: Vec<_> =
        [named("email", "address"), named("external_id", "id")].into_iter().flatten().collect();
    let pick = map.get("pick").map(|pick| {
        let of = texts(pick.get("where"));
        let (array, name) = (pick["array"].as_str().unwrap(), pick["as"].as_str().unwrap());
        format!("; `#{name}` is the only element of {} whose {} is {}", code(array), code(of[0]), code(of[1]))
    });
    match found.is_empty() {
        true => "nobody".to_owned(),
        false => format!("{}{}", found.join(", "), pick.unwrap_or_default()),
    }
}

fn handshake(handshake: &Value) -> String {
    match handshake["kind"].as_str().unwrap() {
        "challenge" => format!("a GET with {} is answered", code(handshake["header"].as_str().unwrap())),
        "ping" => "an unsigned ping is answered, and nothing stored".to_owned(),
        "token" => format!(
            "an unsigned {} is kept for the operator until the first authentic delivery",
            code(handshake["member"].as_str().unwrap())
        ),
        "consent" => "an OPTIONS request of an origin in `allowed_origins` is answered".to_owned(),
        other => panic!("{other}"),
    }
}

fn condition(condition: &Value) -> String {
    let parts = condition.as_array().unwrap();
    let place = parts[0].as_str().unwrap();
    let words = |joint| {
        let words = parts[2].as_array().unwrap().iter();
        words
            .map(|word| code(word.as_str().map_or(word.to_string(), str::to_owned).as_str()))
            .collect::<Vec<_>>()
            .join(joint)
    };
    match parts[1].as_str().unwrap() {
        "in" if place == "event" => words(" or "),
        "in" => format!("{} is {}", code(place), words(" or ")),
        "contains_any" => format!("{} has {}", code(place), words(" or ")),
        "absent" => format!("there is no {}", code(place)),
        "matches" if place == "event" => format!("whatever matches {}", words(" or ")),
        "matches" => format!("{} matches {}", code(place), words(" or ")),
        other => panic!("{other}"),
    }
}

fn rules(profile: &Table) -> Vec<(String, String)> {
    let rules = profile["rules"].as_array().unwrap().iter().map(|rule| {
        let when = rule["when"].as_array().unwrap();
        let conditions = when.iter().map(condition).collect::<Vec<_>>().join(", and ");
        let what = if when.is_empty() { "everything".to_owned() } else { conditions };
        (what, format!("**{}**", rule["do"].as_str().unwrap()))
    });
    rules.collect()
}

/// A page's table, whose cells may have strokes in them.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line =
        |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut page = line(&mut head.iter().map(|cell| (*cell).to_owned()));
    page.push_str(&line(&mut head.iter().map(|_| "---".to_owned())));
    for row in rows {
        page.push_str(&line(&mut row.iter().map(|cell| cell.replace('|', "\\|"))));
    }
    page
}

fn facts(name: &str) -> String {
    let profile = profile(name);
    let (auth, map) = (&profile["auth"], &profile["map"]);
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |what: &str, says: String| rows.push((what.to_owned(), says));
    let aliases: Vec<_> = ALIASES.iter().filter(|(_, own)| *own == name).map(|(alias, _)| *alias).collect();
    let also = if aliases.is_empty() { String::new() } else { format!(", or {}", codes(&aliases)) };
    row("profile", format!("{}{also}", code(name)));
    row(
        "verified",
        match profile.get("unverified").and_then(Value::as_str) {
            None => "yes".to_owned(),
            Some(why) => format!("**no.** {why}"),
        },
    );
    row("proof", proof(auth));
    if let Some(prefix) = text(auth, "key_prefix") {
        row("secret", format!("base64 after {}", code(prefix)));
    } else if text(auth, "key_encoding") == Some("base64") {
        row("secret", "base64".to_owned());
    }
    if matches!(auth["kind"].as_str(), Some("hmac" | "ed25519")) {
        row("window", window(auth));
    }
    let status = profile.get("auth_failure_status").and_then(Value::as_integer).unwrap_or(401);
    row(
        "a wrong proof",
        format!("{status}{}", if status == 401 { "" } else { ": to this sender a 4xx is final" }),
    );
    if let Some(stored) = profile.get("stored_status").and_then(Value::as_integer) {
        row("stored", format!("{stored} instead of 202"));
    }
    if let Some(shake) = profile.get("handshake") {
        row("handshake", handshake(shake));
    }
    let format = profile["format"].as_str().unwrap().to_uppercase().replace("FORM", "form");
    let items = text(map, "items").map(|items| format!(", several people in {}", code(items)));
    row("body", format!("{format}{}", items.unwrap_or_default()));
    row("event", text(map, "event").map_or("has no name".to_owned(), code));
    row("who", who(map));
    let effective = texts(map.get("effective"));
    row("when", if effective.is_empty() { "not said".to_owned() } else { codes(&effective) });
    row("identity", identity(map));
    rows.extend(rules(&profile));
    let rows: Vec<_> = rows.into_iter().map(|(what, says)| vec![what, says]).collect();
    table(&["", ""], &rows)
}

/// The first sample as a file, and the command that posts it. Headers that the sender alone knows have to be given.
fn to_try(name: &str) -> String {
    let sample = &samples(name)[0];
    let mut page = format!(
        "\n```sh\ncat > event <<'END'\n{}\nEND\nleaver send --source NAME --file event",
        sample["body"].as_str().unwrap()
    );
    for (header, value) in given_headers(name, sample) {
        let _ = write!(page, " \\\n  --header {header}={value}");
    }
    if profile(name)["auth"]["kind"].as_str() == Some("ed25519") {
        page.push_str(" --secret env:PRIVATE_KEY");
    }
    page.push_str("\n```\n");
    page
}

/// The headers of a sample that `leaver send` does not make by itself: not those of the proof.
pub(crate) fn given_headers(name: &str, sample: &Json) -> Vec<(String, String)> {
    let profile = profile(name);
    let made: BTreeSet<_> = ["id_header", "timestamp_header", "signature_header"]
        .iter()
        .filter_map(|key| text(&profile["auth"], key))
        .map(str::to_lowercase)
        .collect();
    let headers = sample["headers"].as_object().unwrap().iter();
    headers
        .filter(|(header, _)| !made.contains(&header.to_lowercase()))
        .map(|(header, value)| (header.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// The profiles of deliveries; users are provisioned by another, which has a page of its own.
fn senders() -> impl Iterator<Item = &'static str> {
    builtin_profiles().filter(|name| !profile(name).contains_key("protocol"))
}

fn overview() -> String {
    let mut rows = Vec::new();
    for name in senders() {
        let profile = profile(name);
        let map = &profile["map"];
        let says = |key, word| (!texts(map.get(key)).is_empty()).then_some(word);
        let who: Vec<_> =
            [says("email", "address"), says("external_id", "id")].into_iter().flatten().collect();
        let who = if who.is_empty() { "nobody".to_owned() } else { who.join(", ") };
        let mut does: Vec<&str> = Vec::new();
        for rule in profile["rules"].as_array().unwrap() {
            let does_this = rule["do"].as_str().unwrap();
            if does_this != "ignore" && !does.contains(&does_this) {
                does.push(does_this);
            }
        }
        let when = says("effective", "yes").unwrap_or("no").to_owned();
        let verified = if profile.contains_key("unverified") { "**no**" } else { "yes" };
        rows.push(vec![code(name), who, when, does.join(", "), verified.to_owned()]);
    }
    table(&["profile", "names the person by", "says when", "leads to", "verified"], &rows)
}

fn blocks() -> Vec<(String, String)> {
    let of = |name: &str| (name.to_owned(), format!("{}{}", facts(name), to_try(name)));
    std::iter::once(("overview".to_owned(), overview())).chain(senders().map(of)).collect()
}

/// The page with each block between its marks as it is made now.
fn filled(page: &str, blocks: &[(String, String)]) -> String {
    let mut page = page.to_owned();
    for (name, block) in blocks {
        let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
        let from = page.find(&begin).unwrap_or_else(|| panic!("no place for {name}")) + begin.len();
        let to = from + page[from..].find(end).unwrap_or_else(|| panic!("no end of {name}"));
        page.replace_range(from..to, block);
    }
    page
}

#[test]
fn the_page_says_what_the_profiles_say() {
    let path = root("docs/sources.md");
    let page = fs::read_to_string(&path).unwrap();
    let blocks = blocks();
    assert_eq!(page.matches("<!-- generated: ").count(), blocks.len(), "a mark without a profile");
    let now = filled(&page, &blocks);
    if std::env::var_os(WRITE).is_some() {
        return fs::write(&path, now).unwrap();
    }
    let first = now.lines().zip(page.lines()).find(|(now, page)| now != page);
    assert!(
        now == page,
        "docs/sources.md is not what the profiles say: {WRITE}=1 writes it anew; {first:#?}"
    );
}

#[test]
fn a_block_that_differs_is_seen() {
    let page = fs::read_to_string(root("docs/sources.md")).unwrap();
    let mut blocks = blocks();
    assert_eq!(filled(&page, &blocks), page);
    for at in 0..blocks.len() {
        let was = std::mem::replace(&mut blocks[at].1, "something else\n".to_owned());
        assert_ne!(filled(&page, &blocks), page, "{}", blocks[at].0);
        blocks[at].1 = was;
    }
}

#[test]
fn every_section_about_a_sender_says_what_a_look_up_would_add() {
    let page = fs::read_to_string(root("docs/sources.md")).unwrap();
    for section in page.split("\n## ").skip(1).filter(|section| section.contains("<!-- generated: ")) {
        let title = section.lines().next().unwrap();
        if title != "For all of them" {
            assert_eq!(section.matches("**Look-up.**").count(), 1, "{title}");
        }
    }
}
