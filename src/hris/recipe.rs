//! Recipes as data: how a known HRIS is asked, and a source's own keys laid over it.

use toml::{Table, Value};

use super::profile::lay_over;
use super::settings::{Problem, Section, SourceError};
use super::template::with_values;

/// Name and text of every built-in recipe. No vendor's name belongs into the code.
const BUILT_IN: &[(&str, &str)] = &include!("look_ups/list.in");

/// Returns the names of the built-in recipes, sorted.
pub fn look_up_recipes() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// Returns the table of a look-up with its recipe underneath, and what `with` says put into the address.
pub(super) fn laid_over_recipe(look_up: &Section<'_>) -> Result<Table, SourceError> {
    let mut merged = match look_up.text("recipe")? {
        None => Table::new(),
        Some(name) => {
            let found = BUILT_IN.iter().find(|(known, _)| *known == name);
            let known = || look_up_recipes().collect::<Vec<_>>().join(", ");
            let (_, text) = found.ok_or_else(|| look_up.error("recipe", Problem::UnknownWord(known())))?;
            let broken = |error: toml::de::Error| Problem::BrokenProfile(error.message().to_owned());
            text.parse().map_err(|error| look_up.error("recipe", broken(error)))?
        }
    };
    lay_over(&mut merged, look_up.table().clone());
    let values = match look_up.section("with")? {
        None => Vec::new(),
        Some(with) => {
            let named = with.keys().map(|name| Ok((name, with.required_text(name)?)));
            named.collect::<Result<Vec<_>, SourceError>>()?
        }
    };
    if let Some(Value::String(url)) = merged.get_mut("url") {
        *url = with_values(url, &values).map_err(|problem| look_up.error("with", problem))?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hris::{LookUpAnswer, Source};
    use crate::offboarding::{Effective, PersonRef, TerminationEvent};
    use serde_json::{Value as Json, json};

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/hris/look_ups");

    fn source(recipe: &str) -> Source {
        let toml = format!(
            "profile = 'generic-worker-terminated'\nsecrets = ['a secret of enough bytes']\n\
             [lookup]\nrecipe = '{recipe}'\nwith = {{ company = 'acme' }}\n\
             [lookup.auth]\nkind = 'bearer'\nsecret = 'a secret of enough bytes'"
        );
        Source::build("sample", &toml.parse().unwrap()).unwrap()
    }

    fn shown(answer: &LookUpAnswer) -> Json {
        let of = |word: &str, event: &TerminationEvent| {
            let effective = match &event.effective {
                Effective::At(moment) => json!(moment.to_rfc3339()),
                Effective::On(date) => json!(date.to_string()),
                Effective::Local(local) => json!(local.to_string()),
                Effective::Missing => Json::Null,
                Effective::Unreadable => json!("unreadable"),
            };
            json!({"answer": word, "email": event.person.email, "external_id": event.person.external_id,
                   "effective": effective})
        };
        match answer {
            LookUpAnswer::Left(event) => of("left", event),
            LookUpAnswer::NotYet(event) => of("not_yet", event),
            LookUpAnswer::Stays(event) => of("stays", event),
            LookUpAnswer::NoAnswer => json!({"answer": "no_answer"}),
            LookUpAnswer::Unclear(_) => json!({"answer": "unclear"}),
        }
    }

    #[test]
    fn every_recipe_reads_its_samples_as_expected() {
        for recipe in look_up_recipes() {
            let source = source(recipe);
            let look_up = source.look_up().unwrap();
            let text = std::fs::read_to_string(format!("{FOLDER}/{recipe}.samples.json")).unwrap();
            let samples: Vec<Json> = serde_json::from_str(&text).unwrap();
            let mut answers = Vec::new();
            for sample in &samples {
                let asked =
                    PersonRef { email: None, external_id: sample["asked"].as_str().map(str::to_owned) };
                let answer = shown(&look_up.read(&asked, sample["body"].to_string().as_bytes()));
                assert_eq!(answer, sample["expect"], "{recipe}: {}", sample["name"]);
                answers.push(answer["answer"].as_str().unwrap().to_owned());
                let request = look_up.request(&asked).unwrap();
                let named = format!("{} {}", request.url, request.body.unwrap_or_default());
                assert!(named.contains(sample["asked"].as_str().unwrap()), "{recipe}: {named}");
                assert!(!named.contains(['{', '}']) || named.contains("\":"), "{recipe}: {named}");
            }
            for word in ["left", "not_yet", "stays"] {
                assert!(answers.iter().any(|answer| answer == word), "{recipe} has no sample for {word}");
            }
        }
    }

    #[test]
    fn the_list_of_recipes_is_the_folder() {
        let files = std::fs::read_dir(FOLDER).unwrap();
        let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            names.filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
        names.sort();
        assert_eq!(look_up_recipes().collect::<Vec<_>>(), names);
    }
}
