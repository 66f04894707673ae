//! `docs/configuration.md` is what the code accepts: each setting of `leaver.example.toml` with the default that the code has
//! and the values that the code says it expects, both found by asking it.
//!
//! After a change, `LEAVER_WRITE_DOCS=1 cargo test --test it configuration_doc::` writes the page anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use leaver::config::{Config, Environment};
use leaver::plan::reports::REPORTS;
use leaver::plan::{Choices, Plan};
use toml::{Table, Value};

/// Says that the page is to be written and not compared. Nothing but a developer's shell sets it.
const WRITE: &str = "LEAVER_WRITE_DOCS";

const EXAMPLE: &str = include_str!("../../leaver.example.toml");

const MINIMAL: &str = r#"
[database]
url = "postgres://leaver@localhost/leaver"
[genesys]
region = "mypurecloud.com"
client_id = "client"
client_secret = "a-secret-of-the-page-0123456789"
"#;

/// The beginning of a chapter of the example.
const RULE: &str = "# -----";

/// A value of each kind that no setting of another kind accepts: the refusal says what is accepted. The last are the ends of ranges.
fn nonsense() -> [Value; 6] {
    let text = |text: &str| Value::String(text.to_owned());
    [text("366d"), Value::Integer(-1), text("\u{1}"), text("~"), text("#"), Value::Boolean(true)]
}

fn variables() -> Environment {
    let names = EXAMPLE.match_indices("\"env:").filter_map(|(at, _)| EXAMPLE[at + 5..].split('"').next());
    let scheme = |name: &str| if name == "DATABASE_URL" { "postgres" } else { "https" };
    names.map(|name| (name, format!("{}://a-value-of-it.example", scheme(name)))).collect()
}

/// What the code makes of a configuration, or its refusal. The switches of steps and reports count as what they come to.
fn load(table: &Table) -> Result<String, String> {
    let text = toml::to_string(table).expect("TOML");
    let config = Config::from_toml(&text, &variables()).map_err(|error| error.to_string())?;
    let plan = Plan::new(config.plan.clone());
    let steps: Vec<_> = plan.all().iter().map(|step| step.name()).collect();
    let reports: Vec<_> = REPORTS.iter().map(|report| report.reporting(&config.plan)).collect();
    let plan = Choices { steps: BTreeMap::new(), reports: BTreeMap::new(), ..config.plan.clone() };
    let config = Config { plan, ..config };
    Ok(format!("{config:?} {steps:?} {reports:?}"))
}

/// One setting as the example shows it.
struct Setting {
    key: String,
    value: String,
    meaning: String,
}

/// What the example says under one header.
struct Section {
    /// With its brackets.
    header: String,
    prose: String,
    settings: Vec<Setting>,
    /// As it stands, for a section whose keys are a language of their own.
    text: String,
}

/// Takes the example apart: chapters, headers, comments, settings, also those that are switched off.
fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut shared = String::new();
    let first = EXAMPLE.find(RULE).expect("chapters");
    for line in EXAMPLE[first..].lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let header = bare.starts_with('[') && bare.ends_with(']') && !bare.contains(' ');
        if line.starts_with(RULE) {
            comment.clear();
        } else if header {
            let prose = std::mem::take(&mut comment).join(" ").trim().to_owned();
            // Several of a list show more keys of one section.
            match sections.iter().position(|section| section.header == bare) {
                Some(known) => {
                    let again = sections.remove(known);
                    sections.push(again);
                }
                None => {
                    let text = format!("{line}\n");
                    sections.push(Section { header: bare.to_owned(), prose, settings: Vec::new(), text });
                }
            }
            shared.clear();
        } else if let (Some((key, rest)), Some(section)) = (setting(bare), sections.last_mut()) {
            if !comment.is_empty() {
                shared = std::mem::take(&mut comment).join(" ");
            }
            let (value, aside) = rest.split_once("  #").unwrap_or((rest, ""));
            let meaning = format!("{shared} {}", aside.trim()).trim().to_owned();
            let value = value.trim().to_owned();
            if section.settings.iter().all(|setting| setting.key != key) {
                section.settings.push(Setting { key: key.to_owned(), value, meaning });
            }
        } else if line.is_empty() {
            comment.clear();
            shared.clear();
        } else {
            comment.push(bare.trim_start_matches('#').trim());
        }
        if let (false, Some(section)) = (header || line.starts_with(RULE), sections.last_mut()) {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    sections
}

/// `key = value`, and not a sentence with an equals sign in it.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(" = ")?;
    let plain = key.trim_matches('"').bytes().all(|byte| byte.is_ascii_lowercase() || b"_*".contains(&byte));
    plain.then_some((key, value))
}

/// A copy of `table` with `value`, or without the setting. `[[name]]` is the first of its list.
fn with(table: &Table, header: &str, key: &str, value: Option<Value>) -> Table {
    let mut copy = table.clone();
    let list = header.starts_with("[[");
    let mut place = &mut copy;
    for part in header.trim_matches(['[', ']']).split('.') {
        let entry = place.entry(part).or_insert_with(|| match list {
            true => Value::Array(vec![Value::Table(Table::new())]),
            false => Value::Table(Table::new()),
        });
        place = if let Value::Array(items) = entry { &mut items[0] } else { entry }
            .as_table_mut()
            .expect("a table");
    }
    match value {
        Some(value) => place.insert(key.to_owned(), value),
        None => place.remove(key),
    };
    copy
}

/// The smallest configuration in which this section is there: of a list, or where a key is required, all that the example shows.
fn base(section: &Section) -> Table {
    let minimal: Table = MINIMAL.parse().expect("TOML");
    let required = |table: &Table, setting: &Setting| {
        let refused = load(&with(table, &section.header, &setting.key, None)).err();
        refused.is_some_and(|line| line.ends_with("is missing"))
    };
    let probe =
        section.settings.first().map(|first| with(&minimal, &section.header, &first.key, Some(value(first))));
    let alone = probe.is_some_and(|table| {
        load(&table).is_ok() || minimal.contains_key(section.header.trim_matches(['[', ']']))
    });
    if alone && !section.header.starts_with("[[") {
        return minimal;
    }
    let whole = section
        .settings
        .iter()
        .fold(minimal, |table, setting| with(&table, &section.header, &setting.key, Some(value(setting))));
    let needless: Vec<_> = section.settings.iter().filter(|setting| !required(&whole, setting)).collect();
    needless.iter().fold(whole, |table, setting| with(&table, &section.header, &setting.key, None))
}

fn value(setting: &Setting) -> Value {
    let table: Table =
        format!("it = {}", setting.value).parse().unwrap_or_else(|error| panic!("{}: {error}", setting.key));
    table["it"].clone()
}

/// What the code does without the setting.
fn default_of(base: &Table, header: &str, setting: &Setting) -> String {
    let without = with(base, header, &setting.key, None);
    match load(&without) {
        Err(line) if line.ends_with("is missing") || line.contains("give either") => "required".to_owned(),
        Err(line) => panic!("{header} {}: {line}", setting.key),
        Ok(without) => {
            let same = load(&with(base, header, &setting.key, Some(value(setting)))) == Ok(without);
            if same { format!("`{}`", setting.value) } else { "–".to_owned() }
        }
    }
}

/// What the code says that it expects, in its own words.
fn accepted_by(base: &Table, header: &str, setting: &Setting) -> String {
    let mut words: Vec<String> = Vec::new();
    for nonsense in nonsense() {
        let Err(line) = load(&with(base, header, &setting.key, Some(nonsense))) else { continue };
        let Some((_, problem)) = line.split_once(": ") else { continue };
        let found = problem.strip_prefix("expected ").map(|rest| {
            let rest = rest.split(", found").next().unwrap_or(rest);
            rest.split(" (did you mean").next().unwrap_or(rest)
        });
        let short =
            problem.split_once("needs at least").map(|(_, rest)| format!("a secret of at least{rest} bytes"));
        words.extend(found.map(str::to_owned).or(short));
    }
    // A range says more than its kind, and a list of words more than "a string".
    let best = words
        .iter()
        .find(|word| word.contains(" from "))
        .or_else(|| words.iter().find(|word| *word != "a string"));
    best.cloned().unwrap_or_else(|| "a string".to_owned())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\u{1}', "")
}

fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\nEvery setting, as the code has it: this page is made by asking the code, and a test compares it. \
         [`leaver.example.toml`](../leaver.example.toml) is the same as a file to copy.\n\nOne TOML file: `--config FILE`, or \
         `LEAVER_CONFIG`, or `leaver.toml`. Any string may be `env:NAME` or `file:/path` instead of the value. Every scalar can be \
         overridden by the environment as `LEAVER__SECTION__KEY`. What is wrong ends the start with exit code 2 and one line that \
         names the key. Durations are one whole number and one of ms, s, m, h, d.\n",
    );
    for section in sections() {
        let name = section.header.trim_matches(['[', ']']);
        if name.starts_with("sources.") {
            if name == "sources.workday" {
                let _ = write!(
                    page,
                    "\n## [sources.NAME]\n\n{}\n\nThe keys of a source are a language of their own: \
                     [sources](sources.md), [look-ups](look-ups.md), [SCIM](scim.md).\n",
                    section.prose
                );
            }
            continue;
        }
        let level = if name.contains('.') { "###" } else { "##" };
        let _ = write!(page, "\n{level} {}\n\n{}\n", section.header, section.prose);
        if section.settings.iter().any(|setting| setting.key.contains('*')) || free(&section) {
            let _ =
                write!(page, "\n```toml\n{}\n```\n", section.text.split("\n\n").next().unwrap_or_default());
            continue;
        }
        page.push_str("\n| key | default | accepts | meaning |\n| --- | --- | --- | --- |\n");
        let base = base(&section);
        for setting in &section.settings {
            let default = default_of(&base, &section.header, setting);
            let accepts = accepted_by(&base, &section.header, setting);
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                setting.key,
                cell(&default),
                cell(&accepts),
                cell(&setting.meaning)
            );
        }
    }
    page
}

/// Whether the keys are the installer's own words: then a key that nobody knows is accepted.
fn free(section: &Section) -> bool {
    let minimal: Table = MINIMAL.parse().expect("TOML");
    let Some(first) = section.settings.first() else { return true };
    load(&with(&minimal, &section.header, "a_word_of_their_own", Some(value(first)))).is_ok()
}

#[test]
fn the_page_of_settings_is_what_the_code_accepts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let made = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("the page");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (written, made)) in written.lines().zip(made.lines()).enumerate() {
        assert_eq!(
            written,
            made,
            "docs/configuration.md, line {}: LEAVER_WRITE_DOCS=1 writes it anew",
            line + 1
        );
    }
    assert_eq!(
        written.lines().count(),
        made.lines().count(),
        "docs/configuration.md is not as long as it should be"
    );
}
