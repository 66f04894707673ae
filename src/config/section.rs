//! Typed reading of one table of the file, with the key's path in every error; leaves to each section which keys it has
//! and what they mean.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use toml::{Table, Value};

use super::address;
use super::duration::{self, format_duration, parse_duration};
use super::error::ConfigError;
use super::load::{Context, is_reference, join};

/// 128 bits: even a search with all the world's machines doesn't guess them.
pub(super) const SECRET_BYTES_MIN: usize = 16;

/// Longer texts are cut in error messages, so that these stay readable.
const FOUND_CHARS_MAX: usize = 60;

/// One table, of which a section takes its values key by key.
pub(super) struct Section<'a> {
    context: &'a Context<'a>,
    path: String,
    table: Table,
}

/// A string after its reference was followed.
pub(super) struct Text {
    pub(super) key: String,
    pub(super) value: String,
    /// What an error may say about it: what a reference led to may be a secret in the wrong place.
    found: String,
}

impl<'a> Section<'a> {
    /// Opens the file's root table. Unknown keys come before all other errors: a mistyped key is better news than the
    /// missing one that it stands for.
    pub(super) fn root(context: &'a Context<'a>, table: Table, keys: &[&str]) -> Result<Self, ConfigError> {
        Self::open(context, String::new(), table, keys)
    }

    fn open(
        context: &'a Context<'a>,
        path: String,
        table: Table,
        keys: &[&str],
    ) -> Result<Self, ConfigError> {
        match table.keys().find(|name| !keys.contains(&name.as_str())) {
            Some(name) => Err(ConfigError::unknown(join(&path, name), name, keys)),
            None => Ok(Self { context, path, table }),
        }
    }

    /// The whole path of one of this table's keys.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// A value as it stands, its references not followed.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.table.get(name)
    }

    /// A table below this one; an absent one is empty, so that errors name the key that is missing and not its table.
    pub(super) fn section(&mut self, name: &str, keys: &[&str]) -> Result<Section<'a>, ConfigError> {
        let key = self.key(name);
        let table = match self.table.remove(name) {
            None => Table::new(),
            Some(value) => table_of(&key, value, &format!("a section [{name}]"))?,
        };
        Self::open(self.context, key, table, keys)
    }

    /// A list of tables; absent is empty.
    pub(super) fn sections(&mut self, name: &str, keys: &[&str]) -> Result<Vec<Section<'a>>, ConfigError> {
        let key = self.key(name);
        let expected = format!("a list of sections [[{name}]]");
        let Some(value) = self.table.remove(name) else {
            return Ok(Vec::new());
        };
        let Value::Array(items) = value else {
            return Err(mistyped(key, &expected, &value));
        };
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let key = format!("{key}[{index}]");
                let table = table_of(&key, item, &expected)?;
                Self::open(self.context, key, table, keys)
            })
            .collect()
    }

    /// Tables with names of the operator's choice, their references followed; absent is empty.
    pub(super) fn free_tables(&mut self, name: &str) -> Result<Vec<(String, Table)>, ConfigError> {
        let path = self.key(name);
        let Some(value) = self.table.remove(name) else {
            return Ok(Vec::new());
        };
        table_of(&path, value, &format!("sections [{path}.NAME]"))?
            .into_iter()
            .map(|(name, value)| {
                let key = join(&path, &name);
                let table = table_of(&key, value, &format!("a section [{key}]"))?;
                Ok((name, self.context.resolve_table(&key, table)?))
            })
            .collect()
    }

    /// Strings under names of the operator's choice; absent is none.
    pub(super) fn free_texts(&mut self, name: &str) -> Result<Vec<(String, Text)>, ConfigError> {
        let path = self.key(name);
        let Some(value) = self.table.remove(name) else {
            return Ok(Vec::new());
        };
        table_of(&path, value, &format!("a section [{path}]"))?
            .into_iter()
            .map(|(name, value)| {
                let text = self.text_of(join(&path, &name), value, "a string")?;
                Ok((name, text))
            })
            .collect()
    }

    /// A string that isn't empty.
    pub(super) fn text(&mut self, name: &str, expected: &str) -> Result<Option<Text>, ConfigError> {
        let key = self.key(name);
        self.table.remove(name).map(|value| self.text_of(key, value, expected)).transpose()
    }

    /// A string without a default.
    pub(super) fn required(&mut self, name: &str) -> Result<Text, ConfigError> {
        let key = self.key(name);
        self.text(name, "a string")?.ok_or(ConfigError::MissingKey { key })
    }

    /// A secret without a default, of at least [`SECRET_BYTES_MIN`] bytes.
    pub(super) fn secret(&mut self, name: &str) -> Result<SecretString, ConfigError> {
        let text = self.required(name)?;
        check_secret(&text.key, text.value.len())?;
        Ok(text.value.into())
    }

    /// A list of strings that aren't empty.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Text>>, ConfigError> {
        let key = self.key(name);
        let Some(value) = self.table.remove(name) else {
            return Ok(None);
        };
        let Value::Array(items) = value else {
            return Err(mistyped(key, "a list of strings", &value));
        };
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.text_of(format!("{key}[{index}]"), item, "a string"))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A list of strings, or `file:/path` of a file with one in each line. Empty lines and those that begin with `#` are
    /// passed over; a file that leaves nothing over is refused, because that is more often an accident than a wish.
    pub(super) fn list_or_file(&mut self, name: &str) -> Result<Option<Vec<Text>>, ConfigError> {
        let key = self.key(name);
        let raw = match self.table.get(name) {
            Some(Value::String(raw)) if raw.starts_with("file:") => raw.clone(),
            Some(Value::String(_)) => {
                let problem = "expected a list of strings or file:/path, found another string";
                return Err(ConfigError::refused(key, problem));
            }
            Some(_) | None => return self.list(name),
        };
        self.table.remove(name);
        let text = self.context.resolve(&key, raw)?;
        let lines = text.lines().map(str::trim).enumerate();
        let entries = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let entries: Vec<Text> = entries
            .map(|(index, line)| Text {
                key: format!("{key} (line {} of its file)", index + 1),
                value: line.to_owned(),
                found: quoted(line),
            })
            .collect();
        if entries.is_empty() {
            return Err(ConfigError::refused(key, "the file has no entry"));
        }
        Ok(Some(entries))
    }

    /// A string that `parse` can read, or the default.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.text(name, expected)?.map_or(Ok(default), |text| text.parse(expected, parse))
    }

    /// One of a few words, or the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        default: T,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Result<T, ConfigError> {
        self.parsed(name, default, &words(all, word), |text| find_word(text, all, word))
    }

    /// A whole number within a range, or the default.
    pub(super) fn integer<T>(
        &mut self,
        name: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let in_range = |number: i64| T::try_from(number).ok().filter(|number| range.contains(number));
        let key = self.key(name);
        match self.table.remove(name) {
            None => Ok(default),
            Some(Value::Integer(number)) => in_range(number)
                .ok_or_else(|| ConfigError::refused(key, format!("expected {expected}, found {number}"))),
            Some(Value::String(raw)) if is_reference(&raw) || self.context.overrides.text(&key).is_some() => {
                self.text_of(key, Value::String(raw), &expected)?
                    .parse(&expected, |text| text.parse().ok().and_then(in_range))
            }
            Some(other) => Err(mistyped(key, &expected, &other)),
        }
    }

    /// A number within a range, or the default.
    pub(super) fn fraction(
        &mut self,
        name: &str,
        default: f64,
        range: RangeInclusive<f64>,
    ) -> Result<f64, ConfigError> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let in_range = |number: f64| Some(number).filter(|number| range.contains(number));
        let key = self.key(name);
        let number = match self.table.remove(name) {
            None => return Ok(default),
            Some(Value::Float(number)) => number,
            Some(Value::Integer(0)) => 0.0,
            Some(Value::Integer(1)) => 1.0,
            Some(Value::Integer(number)) => {
                return Err(ConfigError::refused(key, format!("expected {expected}, found {number}")));
            }
            Some(Value::String(raw)) if is_reference(&raw) || self.context.overrides.text(&key).is_some() => {
                let text = self.text_of(key, Value::String(raw), &expected)?;
                return text.parse(&expected, |text| text.parse().ok().and_then(in_range));
            }
            Some(other) => return Err(mistyped(key, &expected, &other)),
        };
        in_range(number)
            .ok_or_else(|| ConfigError::refused(key, format!("expected {expected}, found {number}")))
    }

    /// A duration within a range, or the default.
    pub(super) fn duration(
        &mut self,
        name: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let Some(text) = self.text(name, duration::EXPECTED)? else {
            return Ok(default);
        };
        let duration = text.parse(duration::EXPECTED, parse_duration)?;
        let expected = format!(
            "a duration from {} to {}",
            format_duration(*range.start()),
            format_duration(*range.end())
        );
        text.parse(&expected, |_| range.contains(&duration).then_some(duration))
    }

    /// An address that may be called.
    pub(super) fn address(&mut self, name: &str) -> Result<Option<Url>, ConfigError> {
        let Some(text) = self.text(name, address::EXPECTED)? else {
            return Ok(None);
        };
        address::parse_address(&text.value)
            .map(Some)
            .ok_or_else(|| ConfigError::refused(text.key, format!("expected {}", address::EXPECTED)))
    }

    fn text_of(&self, key: String, value: Value, expected: &str) -> Result<Text, ConfigError> {
        let raw = match (value, self.context.overrides.text(&key)) {
            (Value::String(raw), _) => raw,
            // A variable has no type: what looks like a number may be a password.
            (_, Some(text)) => text.to_owned(),
            (other, None) => return Err(mistyped(key, expected, &other)),
        };
        let reference = is_reference(&raw).then(|| format!("the value of {}", raw.escape_debug()));
        let value = self.context.resolve(&key, raw)?;
        if value.trim().is_empty() {
            return Err(ConfigError::refused(key, "is empty"));
        }
        let found = reference.unwrap_or_else(|| quoted(&value));
        Ok(Text { key, value, found })
    }
}

impl Text {
    /// Reads the string, or says what was expected of it.
    pub(super) fn parse<T>(
        &self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        parse(&self.value).ok_or_else(|| {
            ConfigError::refused(&self.key, format!("expected {expected}, found {}", self.found))
        })
    }

    /// Reads one of a few words, or says which there are.
    pub(super) fn choice<T: Copy>(&self, all: &[T], word: fn(T) -> &'static str) -> Result<T, ConfigError> {
        self.parse(&words(all, word), |text| find_word(text, all, word))
    }
}

/// Refuses a secret of too few bytes, without showing it.
pub(super) fn check_secret(key: &str, bytes: usize) -> Result<(), ConfigError> {
    if bytes < SECRET_BYTES_MIN {
        let problem = format!("has {bytes} bytes, but a secret needs at least {SECRET_BYTES_MIN}");
        return Err(ConfigError::refused(key, problem));
    }
    Ok(())
}

fn table_of(key: &str, value: Value, expected: &str) -> Result<Table, ConfigError> {
    if let Value::Table(table) = value { Ok(table) } else { Err(mistyped(key.to_owned(), expected, &value)) }
}

/// Refuses a value by its type alone, because the value may be a secret.
pub(super) fn mistyped(key: String, expected: &str, found: &Value) -> ConfigError {
    ConfigError::refused(key, format!("expected {expected}, found {}", type_name(found)))
}

/// A TOML type with its article.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or a time without quotes",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn find_word<T: Copy>(text: &str, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> String {
    let names: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

fn quoted(text: &str) -> String {
    if text.chars().count() <= FOUND_CHARS_MAX {
        return format!("{text:?}");
    }
    let cut: String = text.chars().take(FOUND_CHARS_MAX).collect();
    format!("{:?}", cut + "…")
}
