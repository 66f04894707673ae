//! Profiles as data: the built-in ones, and a source's own keys laid over them.
//! What the keys mean is left to the modules that read them.

use toml::{Table, Value};

use super::settings::{Problem, Section, SourceError};

/// Name and text of every built-in profile. The list is data too: no sender's name belongs into the code.
const BUILT_IN: &[(&str, &str)] = &include!("profiles/list.in");

/// Returns the names of the built-in profiles, sorted.
pub fn builtin_profiles() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// Returns the table of a source with its profile underneath: the source's keys win, arrays are replaced whole.
pub(super) fn laid_over_profile(source: &Section<'_>, table: &Table) -> Result<Table, SourceError> {
    let mut merged = match source.text("profile")? {
        None => Table::new(),
        Some(name) => {
            let found = BUILT_IN.iter().find(|(known, _)| *known == name);
            let known = || builtin_profiles().collect::<Vec<_>>().join(", ");
            let (_, text) = found.ok_or_else(|| source.error("profile", Problem::UnknownWord(known())))?;
            let broken = |error: toml::de::Error| Problem::BrokenProfile(error.message().to_owned());
            text.parse().map_err(|error| source.error("profile", broken(error)))?
        }
    };
    let mut over = table.clone();
    for table in [&mut merged, &mut over] {
        spell_out_event_id(table);
    }
    if kind(&over).is_some_and(|kind| kind != kind_of(&merged)) {
        // The keys of one kind of proof mean nothing to another.
        merged.remove("auth");
    }
    lay_over(&mut merged, over);
    Ok(merged)
}

fn kind(table: &Table) -> Option<&str> {
    table.get("auth")?.get("kind")?.as_str()
}

fn kind_of(table: &Table) -> &str {
    kind(table).unwrap_or("")
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
    }

    #[test]
    fn an_unknown_profile_is_refused_with_the_known_ones() {
        let table: Table = "profile = 'nobody-terminated'".parse().unwrap();
        let refused = laid_over_profile(&Section::new("sources.acme", &table), &table).unwrap_err();
        assert!(refused.to_string().starts_with("sources.acme.profile: must be one of "), "{refused}");
        assert!(refused.to_string().contains("generic-user-terminated"));
    }
}
