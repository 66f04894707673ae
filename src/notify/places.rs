//! Texts with places, `{offboarding}` for example, and how a value is written where it stands: what a person's record holds
//! never reaches beyond its place.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest value that goes into an address.
const ADDRESS_CHARS_MAX: usize = 256;

/// How a value is written where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// As one segment or one value of an address.
    Address,
    /// Inside a string of a JSON document.
    Json,
    /// As a name or a value of a form.
    Form,
    /// As text or as an attribute of an XML document.
    Xml,
    /// As it is, on one line.
    Plain,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Place(String),
}

/// A text with places.
#[derive(Clone, Debug)]
pub(super) struct Places(Vec<Piece>);

/// A value is missing, or it is one that can't stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing(pub(super) String);

impl Places {
    /// Reads a text. A place is a name of small letters, digits and underscores in braces; every other brace is itself, so
    /// that JSON stays what it is.
    pub(super) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let (mut done, mut from) = (0, 0);
        while let Some(open) = text[from..].find('{').map(|at| from + at) {
            let rest = &text[open + 1..];
            let length =
                rest.bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
            let length = length.count();
            if length > 0 && rest[length..].starts_with('}') {
                pieces.push(Piece::Text(text[done..open].to_owned()));
                pieces.push(Piece::Place(rest[..length].to_owned()));
                done = open + length + 2;
                from = done;
            } else {
                from = open + 1;
            }
        }
        pieces.push(Piece::Text(text[done..].to_owned()));
        Self(pieces)
    }

    /// The names of its places.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Fills the places. What is not known is left empty, but in an address: there it would be another one.
    pub(super) fn fill(
        &self,
        writing: Writing,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Missing> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Place(name) => {
                    let value = value(name).unwrap_or_default();
                    filled.push_str(&written(&value, writing).ok_or_else(|| Missing(name.clone()))?);
                }
            }
        }
        Ok(filled)
    }
}

fn written(value: &str, writing: Writing) -> Option<String> {
    Some(match writing {
        Writing::Address => {
            // Dots alone would be a step up in a path, escaped or not.
            let usable = !value.is_empty()
                && value.chars().count() <= ADDRESS_CHARS_MAX
                && !value.chars().any(char::is_control)
                && !value.bytes().all(|byte| byte == b'.');
            if !usable {
                return None;
            }
            utf8_percent_encode(value, ESCAPED).to_string()
        }
        Writing::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Writing::Form => utf8_percent_encode(value, ESCAPED).to_string(),
        Writing::Xml => value.chars().map(in_xml).collect(),
        Writing::Plain => value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    })
}

fn in_xml(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&apos;".to_owned(),
        // Most of them are not allowed there, however they are written.
        '\u{fffe}' | '\u{ffff}' => "\u{fffd}".to_owned(),
        c if c.is_control() => "\u{fffd}".to_owned(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &[&str] = &[
        r#"","admin":true,"x":""#,
        "\\",
        "\"}]}",
        "</value><admin/>",
        "]]>&lt;&#0;",
        "a&b=c&d[]=e",
        "line\r\nanother: header\u{0}\u{2028}\u{7f}",
        "{offboarding}",
        "../..//?#%2e",
        "Zoë \u{1f600} \u{202e}",
    ];

    fn fill(text: &str, writing: Writing, value: &str) -> Result<String, Missing> {
        Places::parse(text).fill(writing, |name| (name == "email").then(|| value.to_owned()))
    }

    #[test]
    fn whatever_a_value_holds_stays_in_its_place() {
        for hostile in HOSTILE {
            let json = fill(r#"{"a":[{"b":"<{email}>"}],"{email}":1}"#, Writing::Json, hostile).unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["a"][0]["b"], format!("<{hostile}>"));
            assert_eq!(json[hostile], 1);
            assert_eq!(json.as_object().unwrap().len(), 2);
            let form = fill("a={email}&b=2", Writing::Form, hostile).unwrap();
            let pairs = reqwest::Url::parse(&format!("http://x/?{form}")).unwrap();
            let pairs: Vec<_> = pairs.query_pairs().into_owned().collect();
            assert_eq!(pairs, [("a".into(), (*hostile).to_owned()), ("b".into(), "2".to_owned())]);
            let xml = fill("<a><b c=\"{email}\">{email}</b></a>", Writing::Xml, hostile).unwrap();
            let xml = roxmltree::Document::parse(&xml).unwrap();
            assert_eq!(xml.descendants().filter(|node| node.is_element()).count(), 2);
            assert_eq!(fill("{email}", Writing::Plain, hostile).unwrap().lines().count(), 1);
            if let Ok(address) = fill("https://hr.example/a/{email}/b?c={email}", Writing::Address, hostile) {
                let url = reqwest::Url::parse(&address).unwrap();
                assert_eq!(url.path_segments().unwrap().count(), 3, "{address}");
                assert_eq!(url.host_str(), Some("hr.example"));
                assert_eq!(url.query_pairs().count(), 1);
            }
        }
    }

    #[test]
    fn an_address_needs_its_values_and_a_body_does_without() {
        for unusable in ["", ".", "..", "a\nb", &"x".repeat(257)] {
            assert_eq!(
                fill("https://x/{email}", Writing::Address, unusable),
                Err(Missing("email".to_owned())),
                "{unusable}"
            );
        }
        assert_eq!(fill("{email}-{reason}", Writing::Json, "a").unwrap(), "a-");
    }

    #[test]
    fn only_names_in_braces_are_places() {
        let text = r#"{"a": {"b": "{email}"}, "c": {}, "d": "{ email }{Email}{{reason}}{"}"#;
        let places = Places::parse(text);
        assert_eq!(places.names().collect::<Vec<_>>(), ["email", "reason"]);
        let filled = places.fill(Writing::Json, |name| Some(name.to_uppercase())).unwrap();
        assert_eq!(filled, r#"{"a": {"b": "EMAIL"}, "c": {}, "d": "{ email }{Email}{REASON}{"}"#);
    }
}
