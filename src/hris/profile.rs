//! Profiles as data: the built-in ones, and a source's own keys laid over them.
//! What the keys mean is left to the modules that read them.

use toml::{Table, Value};

use super::settings::{Problem, Section, SourceError};

/// Name, text and samples of every built-in profile. The list is data too: no sender's name belongs into the code.
const BUILT_IN: &[(&str, &str, &str)] = &include!("profiles/list.in");

/// Other names of built-in profiles, and which they stand for.
const ALIASES: &[(&str, &str)] = &include!("profiles/aliases.in");

/// Returns the names of the built-in profiles, sorted.
pub fn builtin_profiles() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, ..)| *name)
}

/// Returns the profile's own name where the name is another one of it.
pub(super) fn canonical_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| *name)
}

/// Returns the name and the samples of the built-in profile that a source's own table names.
pub(super) fn samples_of(source: &Section<'_>) -> Result<Option<(&'static str, &'static str)>, SourceError> {
    let name = if source.has("extends") { source.text("extends")? } else { source.text("profile")? };
    let found = BUILT_IN.iter().find(|(known, ..)| name.map(canonical_name) == Some(*known));
    Ok(found.map(|(name, _, samples)| (*name, *samples)))
}

/// Returns the table of a source with its profile underneath: the source's keys win, arrays are replaced whole.
pub(super) fn laid_over_profile(source: &Section<'_>, table: &Table) -> Result<Table, SourceError> {
    if source.has("profile") && source.has("extends") {
        return Err(source.error("extends", Problem::SetTwice("profile")));
    }
    let key = if source.has("extends") { "extends" } else { "profile" };
    let underneath = match source.text(key)? {
        None => Table::new(),
        Some(name) => built_in(name, &mut Vec::new()).map_err(|problem| source.error(key, problem))?,
    };
    Ok(laid_over(underneath, table.clone()))
}

/// Reads a built-in profile with those that it extends underneath.
fn built_in(name: &str, above: &mut Vec<&'static str>) -> Result<Table, Problem> {
    let found = BUILT_IN.iter().find(|(known, ..)| *known == canonical_name(name));
    let known = || builtin_profiles().collect::<Vec<_>>().join(", ");
    let (name, text, _) = found.ok_or_else(|| Problem::UnknownWord(known()))?;
    if above.contains(name) {
        return Err(Problem::Circle);
    }
    above.push(name);
    let broken = |error: toml::de::Error| Problem::BrokenProfile(error.message().to_owned());
    let table: Table = text.parse().map_err(broken)?;
    let underneath = match table.get("extends") {
        None => Table::new(),
        Some(Value::String(name)) => built_in(name, above)?,
        Some(_) => return Err(Problem::BrokenProfile("extends must be a string".to_owned())),
    };
    Ok(laid_over(underneath, table))
}

fn laid_over(mut underneath: Table, mut over: Table) -> Table {
    over.remove("extends");
    for table in [&mut underneath, &mut over] {
        spell_out_event_id(table);
    }
    for table in ["auth", "handshake"] {
        if kind(&over, table).is_some_and(|other| kind(&underneath, table) != Some(other)) {
            // The keys of one kind mean nothing to another.
            underneath.remove(table);
        }
    }
    for (key, other) in [("ptr", "join"), ("join", "ptr")] {
        if event_id(&mut over).is_some_and(|table| table.contains_key(key)) {
            // The sender's own id has one place.
            event_id(&mut underneath).and_then(|table| table.remove(other));
        }
    }
    lay_over(&mut underneath, over);
    underneath
}

fn event_id(table: &mut Table) -> Option<&mut Table> {
    table.get_mut("map")?.get_mut("event_id")?.as_table_mut()
}

fn kind<'a>(table: &'a Table, inner: &str) -> Option<&'a str> {
    table.get(inner)?.get("kind")?.as_str()
}

/// `event_id = "/x"` is short for `event_id = { ptr = "/x" }`, and must not replace the profile's `derive`.
fn spell_out_event_id(table: &mut Table) {
    let Some(Value::Table(map)) = table.get_mut("map") else {
        return;
    };
    if let Some(Value::String(pointer)) = map.get("event_id") {
        let spelt = Table::from_iter([("ptr".to_owned(), Value::String(pointer.clone()))]);
        map.insert("event_id".to_owned(), Value::Table(spelt));
    }
}

pub(super) fn lay_over(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => lay_over(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(toml: &str) -> Table {
        let table: Table = toml.parse().unwrap();
        laid_over_profile(&Section::new("sources.acme", &table), &table).unwrap()
    }

    #[test]
    fn the_list_of_profiles_is_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/hris/profiles");
        let files =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            files.filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
        names.sort();
        assert_eq!(builtin_profiles().collect::<Vec<_>>(), names);
    }

    #[test]
    fn every_other_name_stands_for_a_profile_and_is_none_itself() {
        for (alias, name) in ALIASES {
            assert!(builtin_profiles().any(|known| known == *name), "{alias} -> {name}");
            assert!(builtin_profiles().all(|known| known != *alias), "{alias}");
            assert_eq!(
                laid(&format!("profile = '{alias}'"))["auth"],
                laid(&format!("profile = '{name}'"))["auth"]
            );
        }
    }

    #[test]
    fn the_place_of_an_id_is_replaced_and_not_added_to() {
        let underneath: Table = "map.event_id = { join = ['/a', '/b'], derive = ['/c'] }".parse().unwrap();
        let over =
            |toml: &str| laid_over(underneath.clone(), toml.parse().unwrap())["map"]["event_id"].clone();
        assert_eq!(
            over("map.event_id = '/id'").as_table().unwrap().keys().collect::<Vec<_>>(),
            ["derive", "ptr"]
        );
        assert_eq!(over("map.email = '/mail'").as_table().unwrap().len(), 2);
    }

    #[test]
    fn a_source_may_extend_a_profile_instead_of_being_one() {
        let table = laid("extends = 'generic-worker-terminated'\n[map]\nemail = '/mail'");
        assert_eq!(table["map"]["email"].as_str(), Some("/mail"));
        assert!(!table.contains_key("extends") && table["rules"].is_array());
    }

    #[test]
    fn a_sources_keys_win_and_the_profiles_others_stay() {
        let table = laid(
            "profile = 'generic-worker-terminated'\n[auth]\nsignature_header = 'X-Acme'\n[map]\nemail = '/worker/mail'\n\
             event_id = '/uid'",
        );
        assert_eq!(table["auth"]["signature_header"].as_str(), Some("X-Acme"));
        assert_eq!(table["auth"]["algorithm"].as_str(), Some("sha256"));
        assert_eq!(table["map"]["email"].as_str(), Some("/worker/mail"));
        assert_eq!(table["map"]["external_id"].as_str(), Some("/workerId"));
        assert_eq!(table["map"]["event_id"]["ptr"].as_str(), Some("/uid"));
        assert!(table["map"]["event_id"]["derive"].is_array());
    }

    #[test]
    fn another_kind_of_proof_brings_all_of_its_own_keys() {
        let table = laid("profile = 'generic-worker-terminated'\n[auth]\nkind = 'bearer'");
        assert_eq!(table["auth"].as_table().unwrap().len(), 1);
        let table = laid("profile = 'okta-event-hook'\n[handshake]\nkind = 'consent'");
        assert_eq!(table["handshake"].as_table().unwrap().len(), 1);
    }

    #[test]
    fn an_unknown_profile_is_refused_with_the_known_ones() {
        let table: Table = "profile = 'nobody-terminated'".parse().unwrap();
        let refused = laid_over_profile(&Section::new("sources.acme", &table), &table).unwrap_err();
        assert!(refused.to_string().starts_with("sources.acme.profile: must be one of "), "{refused}");
        assert!(refused.to_string().contains("generic-user-terminated"));
    }
}
