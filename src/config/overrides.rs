//! `LEAVER__SECTION__KEY`: lays variables of the environment over the file's tables; leaves checks to the sections, to
//! which an overridden value looks like one from the file.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::ConfigError;
use super::load::{Environment, is_reference, join};
use super::section::type_name;

/// With two underscores, so that `LEAVER_CONFIG` is none.
const PREFIX: &str = "LEAVER__";

/// The deepest setting, a field of a source's map, has five; tables are made on the way down, one call for each.
const SEGMENTS_MAX: usize = 8;

/// Which settings were overridden.
#[derive(Default)]
pub(super) struct Overrides {
    by_key: BTreeMap<String, Override>,
}

struct Override {
    variable: String,
    text: String,
}

impl Overrides {
    /// Lays every override of the environment over the file's root table.
    pub(super) fn apply(environment: &Environment, root: &mut Table) -> Result<Self, ConfigError> {
        let mut overrides = Self::default();
        for (variable, text) in environment.iter() {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let text = text.ok_or_else(|| ConfigError::refused(variable, "is not UTF-8"))?;
            let segments: Vec<String> = name.split("__").map(str::to_ascii_lowercase).collect();
            if !(2..=SEGMENTS_MAX).contains(&segments.len()) || segments.iter().any(String::is_empty) {
                return Err(ConfigError::refused(variable, "names no setting (LEAVER__SECTION__KEY)"));
            }
            let key = place(root, "", &segments, text).map_err(|problem| overridden(variable, problem))?;
            overrides.by_key.insert(key, Override { variable: variable.to_owned(), text: text.to_owned() });
        }
        Ok(overrides)
    }

    /// The text of the variable that set this key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.by_key.get(key).map(|found| found.text.as_str())
    }

    /// Adds the variable's name to an error about a key that a variable set, or a section that only it made.
    pub(super) fn blame(&self, problem: ConfigError) -> ConfigError {
        let variable = problem.key().and_then(|key| {
            let below = |path: &str| {
                path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            self.by_key.iter().find(|(path, _)| below(path)).map(|(_, found)| found.variable.clone())
        });
        match variable {
            Some(variable) => overridden(&variable, problem),
            None => problem,
        }
    }
}

fn overridden(variable: &str, problem: ConfigError) -> ConfigError {
    ConfigError::Overridden { variable: variable.to_owned(), problem: Box::new(problem) }
}

/// Puts one text where the segments lead, making tables on the way, and returns the key's path.
fn place(table: &mut Table, path: &str, segments: &[String], text: &str) -> Result<String, ConfigError> {
    let Some((segment, rest)) = segments.split_first() else {
        return Ok(path.to_owned());
    };
    // A variable's name can't have a dash in a shell, a source's can, and no source's name has an underscore.
    let name = if path == "sources" { segment.replace('_', "-") } else { segment.clone() };
    let key = join(path, &name);
    // An override alters a source. A new one is a mistyped name: it would lack its profile and its secrets.
    if path == "sources" && !table.contains_key(&name) {
        let known: Vec<&str> = table.keys().map(String::as_str).collect();
        return Err(ConfigError::unknown(key, &name, &known));
    }
    match table.get_mut(&name) {
        Some(existing) => place_in_value(existing, &key, rest, text),
        None if rest.is_empty() => {
            table.insert(name, scalar(text));
            Ok(key)
        }
        None => {
            let mut below = Table::new();
            let placed = place(&mut below, &key, rest, text)?;
            table.insert(name, Value::Table(below));
            Ok(placed)
        }
    }
}

fn place_in_value(value: &mut Value, key: &str, rest: &[String], text: &str) -> Result<String, ConfigError> {
    let Some((segment, below)) = rest.split_first() else {
        *value = typed_like(value, key, text)?;
        return Ok(key.to_owned());
    };
    match value {
        Value::Table(table) => place(table, key, rest, text),
        Value::Array(items) => {
            let item_key = format!("{key}[{segment}]");
            match segment.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                Some(item) => place_in_value(item, &item_key, below, text),
                None => Err(ConfigError::unknown(item_key, segment, &[])),
            }
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Err(ConfigError::unknown(join(key, segment), segment, &[]))
        }
    }
}

/// Reads the text as the type of the value that it replaces.
fn typed_like(existing: &Value, key: &str, text: &str) -> Result<Value, ConfigError> {
    match existing {
        Value::String(_) => Ok(Value::String(text.to_owned())),
        Value::Table(_) | Value::Array(_) => Err(ConfigError::refused(
            key,
            "only a single value can be set by the environment, not a table or a list",
        )),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            // A reference leads to a value of the same type, which its reader checks.
            let value = if is_reference(text) { Value::String(text.to_owned()) } else { scalar(text) };
            if value.same_type(existing) || is_reference(text) {
                Ok(value)
            } else {
                Err(ConfigError::refused(key, format!("expected {}, found {text:?}", type_name(existing))))
            }
        }
    }
}

/// Reads the text as TOML would after an equals sign; what isn't a scalar there is a string.
fn scalar(text: &str) -> Value {
    match text.parse::<Value>() {
        Ok(Value::Array(_) | Value::Table(_)) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    }
}
