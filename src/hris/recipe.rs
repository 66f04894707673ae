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
