//! Addresses and bodies with places for a person's keys. The host and everything else is fixed by the configuration: what
//! stands in a place can't reach beyond it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::settings::Problem;
use crate::offboarding::PersonRef;

/// Everything but the unreserved characters (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest key that is asked for.
const VALUE_CHARS_MAX: usize = 256;

/// A key of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    ExternalId,
    Email,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A text with places for the keys of a person.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

/// How a value is written where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// As one segment or one value of an address.
    Address,
    /// Inside a string of a JSON document.
    Json,
}

impl Template {
    /// Reads `{external_id}` and `{email}`; `{{` has no meaning of its own, so JSON braces stay what they are.
    pub(super) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, place, length)) = next_place(rest) {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            pieces.push(Piece::Place(place));
            rest = &rest[at + length..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    /// Whether anything of the person stands in it.
    pub(super) fn names_person(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Place(_)))
    }

    /// The text before the first place.
    pub(super) fn fixed_start(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Place(_)) | None => "",
        }
    }

    /// Fills the places; `None` where the person lacks one of the keys, or it is one that can't be asked for.
    pub(super) fn fill(&self, person: &PersonRef, writing: Writing) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Place(place) => {
                    let value = match place {
                        Place::ExternalId => person.external_id.as_deref(),
                        Place::Email => person.email.as_deref(),
                    };
                    filled.push_str(&written(value?, writing)?);
                }
            }
        }
        Some(filled)
    }

    /// Fills every place with a stand-in, to check the rest.
    pub(super) fn sample(&self, writing: Writing) -> String {
        let person = PersonRef { email: Some("a@b.c".to_owned()), external_id: Some("1".to_owned()) };
        self.fill(&person, writing).unwrap_or_default()
    }
}

fn next_place(text: &str) -> Option<(usize, Place, usize)> {
    let names = [("{external_id}", Place::ExternalId), ("{email}", Place::Email)];
    let found = names.iter().filter_map(|(name, place)| Some((text.find(name)?, *place, name.len())));
    found.min_by_key(|(at, ..)| *at)
}

/// Dots alone would be a step up in a path, escaped or not.
fn written(value: &str, writing: Writing) -> Option<String> {
    let usable = !value.is_empty()
        && value.chars().count() <= VALUE_CHARS_MAX
        && !value.chars().any(char::is_control)
        && !value.bytes().all(|byte| byte == b'.');
    if !usable {
        return None;
    }
    Some(match writing {
        Writing::Address => utf8_percent_encode(value, ESCAPED).to_string(),
        Writing::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
    })
}

/// Puts what the configuration says into `{name}` places of a recipe: letters, digits, dots, dashes and underscores only.
pub(super) fn with_values(text: &str, values: &[(&str, &str)]) -> Result<String, Problem> {
    let mut filled = text.to_owned();
    for (name, value) in values {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if value.is_empty() || !value.bytes().all(plain) || value.bytes().all(|byte| byte == b'.') {
            return Err(Problem::Malformed("letters, digits, dots, dashes and underscores"));
        }
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(external_id: &str) -> PersonRef {
        PersonRef { email: Some("o'hara+x@b.c".to_owned()), external_id: Some(external_id.to_owned()) }
    }

    #[test]
    fn what_stands_in_a_place_never_reaches_beyond_it() {
        let template = Template::parse("https://hr.example/v1/{external_id}/x?mail={email}&y=1");
        let cases = [
            ("42", Some("42")),
            ("../admin", Some("..%2Fadmin")),
            ("a?b=c&d#e", Some("a%3Fb%3Dc%26d%23e")),
            ("a/b\\c", Some("a%2Fb%5Cc")),
            ("%2e%2e", Some("%252e%252e")),
            ("@evil.example", Some("%40evil.example")),
            ("Zoë", Some("Zo%C3%AB")),
            ("..", None),
            (".", None),
            ("", None),
            ("a\nb", None),
        ];
        for (id, expected) in cases {
            let filled = template.fill(&person(id), Writing::Address);
            let expected =
                expected.map(|id| format!("https://hr.example/v1/{id}/x?mail=o%27hara%2Bx%40b.c&y=1"));
            assert_eq!(filled, expected, "{id}");
        }
        let json = Template::parse(r#"{"ids":["{external_id}"]}"#);
        let filled = json.fill(&person(r#"a"],"b":["c\"#), Writing::Json).unwrap();
        let value: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(value, serde_json::json!({"ids": [r#"a"],"b":["c\"#]}));
    }

    #[test]
    fn a_person_without_the_key_is_not_asked_for() {
        let nobody = PersonRef::default();
        assert_eq!(Template::parse("x{email}").fill(&nobody, Writing::Address), None);
        assert!(!Template::parse("{id} {{external}}").names_person());
    }
}
