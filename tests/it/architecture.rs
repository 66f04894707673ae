//! The house rules that a compiler doesn't know: which module may use which, where SQL and HTTP clients live, and what
//! every file begins with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use leaver::plan::PLAN;

/// Who may use whom. None of these arrows goes back.
const ARROWS: &[(&str, &[&str])] = &[
    ("offboarding", &[]),
    ("genesys", &[]),
    ("telemetry", &[]),
    ("config", &["offboarding", "plan", "telemetry"]),
    ("hris", &["offboarding"]),
    ("store", &["offboarding"]),
    ("pacing", &["genesys", "store"]),
    ("lookup", &["hris", "offboarding", "store"]),
    ("notify", &["config", "offboarding", "store"]),
    ("oidc", &["config"]),
    ("plan", &["genesys", "offboarding"]),
    ("worker", &["genesys", "offboarding", "plan", "store"]),
    ("operate", &["genesys", "offboarding", "plan", "store"]),
    ("http", &["config", "genesys", "hris", "offboarding", "oidc", "operate", "plan", "store", "telemetry"]),
    ("serve", &EVERYTHING),
    ("commands", &EVERYTHING),
    ("main", &["commands", "config", "operate", "serve", "store"]),
    ("lib", &[]),
];

/// What the start of the service and its commands bring together.
const EVERYTHING: [&str; 16] = [
    "commands",
    "config",
    "genesys",
    "hris",
    "http",
    "lookup",
    "notify",
    "offboarding",
    "oidc",
    "operate",
    "pacing",
    "plan",
    "serve",
    "store",
    "telemetry",
    "worker",
];

/// The longest file that can be read in one go.
const LINES_MAX: usize = 500;

/// Senders are data: their names have no place in the program.
const VENDORS: [&str; 13] = [
    "bamboo",
    "workday",
    "okta",
    "hibob",
    "gusto",
    "rippling",
    "personio",
    "deel",
    "finch",
    "kombo",
    "paylocity",
    "successfactors",
    "workable",
];

struct Source {
    /// Below `src`, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The module at the crate's root that the file belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/tests/") || name == "tests.rs"
    }

    /// The lines of code that are shipped, with their numbers: no comments, and nothing from the unit tests on, which
    /// are last in every file.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.is_test() { "" } else { self.text.as_str() }.lines();
        let until_tests = lines.take_while(|line| !line.starts_with("#[cfg(test)]"));
        let code = until_tests.map(|line| line.split("//").next().unwrap_or_default());
        code.enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The modules of ours that the shipped code names, with the lines in which it does.
    fn used(&self) -> Vec<(usize, String)> {
        let root = if self.module() == "main" { "leaver::" } else { "crate::" };
        let code: String = self.shipped().map(|(_, line)| format!("{line}\n")).collect();
        let mut used = Vec::new();
        for (at, _) in code.match_indices(root) {
            let line = code[..at].lines().count();
            let names = first_names(&code[at + root.len()..]);
            used.extend(names.into_iter().map(|name| (line, name)));
        }
        used
    }
}

/// The first names of a path, or of each path of a list in braces.
fn first_names(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else { return vec![first_name(rest)] };
    let (mut depth, mut paths) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => paths.push(String::new()),
            _ => {}
        }
        if let Some(path) = paths.last_mut() {
            path.push(c);
        }
    }
    let names = paths.iter().map(|path| first_name(path.trim_start_matches(',')));
    names.filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 50, "the sources are somewhere else");
    sources
}

/// The lines of shipped code in which one of the words stands, outside the places where it may.
fn lines_with(words: &[&str], may: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !may(source)) {
        for (number, line) in source.shipped() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

const NONE: [&str; 0] = [];

#[test]
fn modules_use_each_other_along_the_arrows_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{} has no arrows", source.path));
            continue;
        };
        let foreign = source.used().into_iter().filter(|(_, used)| used != module);
        let forbidden = foreign.filter(|(_, used)| !allowed.contains(&used.as_str()));
        wrong.extend(forbidden.map(|(line, used)| format!("{}:{line}: {module} -> {used}", source.path)));
    }
    assert_eq!(wrong, NONE);
}

#[test]
fn a_list_of_uses_is_read_to_its_end() {
    assert_eq!(first_names("store::{self, x};"), ["store"]);
    assert_eq!(first_names("{\n    plan::{a, b},\n    store, worker::c,\n};"), ["plan", "store", "worker"]);
}

#[test]
fn no_two_arrows_lead_in_a_circle() {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    // Whoever starts things uses each other; everything below is in layers.
    let mut rest: Vec<_> = ARROWS.iter().filter(|(_, uses)| *uses != EVERYTHING.as_slice()).collect();
    rest.retain(|(name, _)| *name != "main");
    while !rest.is_empty() {
        let before = rest.len();
        rest.retain(|(name, uses)| {
            let ready = uses.iter().all(|used| placed.contains(used));
            if ready {
                placed.insert(name);
            }
            !ready
        });
        assert!(rest.len() < before, "a circle among {rest:?}");
    }
}

#[test]
fn sql_is_in_the_store_only() {
    assert_eq!(lines_with(&["sqlx::query"], |source| source.module() == "store"), NONE);
}

#[test]
fn an_http_client_is_where_another_system_is_spoken_to_only() {
    let may = |source: &Source| {
        ["genesys", "lookup", "notify", "oidc"].contains(&source.module())
            || ["commands/send.rs", "telemetry/traces.rs"].contains(&source.path.as_str())
    };
    assert_eq!(lines_with(&["reqwest::Client", "reqwest::get", "reqwest::blocking"], may), NONE);
}

#[test]
fn moments_of_dates_are_decided_with_one_database_of_zones() {
    // The second place is a test, which holds it against another database.
    let may = |source: &Source| ["offboarding/zone.rs", "hris/moments.rs"].contains(&source.path.as_str());
    assert_eq!(lines_with(&["jiff", "chrono_tz", "chrono::Local"], may), NONE);
}

#[test]
fn no_sender_is_named_in_the_program() {
    let mut found = Vec::new();
    for source in sources() {
        // Also in comments, because what a comment says about one sender belongs to its profile.
        let shipped = if source.is_test() { "" } else { source.text.as_str() };
        let lines = shipped.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        for line in lines.filter(|line| VENDORS.iter().any(|name| line.to_lowercase().contains(name))) {
            found.push(format!("{}: {}", source.path, line.trim()));
        }
    }
    assert_eq!(found, NONE);
}

#[test]
fn every_file_says_first_what_it_is_for_and_can_be_read_in_one_go() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines", source.path));
        }
    }
    assert_eq!(wrong, NONE);
}

#[test]
fn the_documentation_names_every_step_of_the_plan() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    let missing = PLAN.iter().map(|step| step.name()).filter(|name| !page.contains(&format!("`{name}`")));
    assert_eq!(missing.collect::<Vec<_>>(), NONE);
}
