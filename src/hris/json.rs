//! Strict JSON: one document, no repeated member, no NUL, bounded depth; and its canonical form for digests.
//! Which of its values matter is left to the profile.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Levels of arrays and objects; the deepest known delivery has six.
pub const DEPTH_MAX: usize = 32;

/// Why an authentic body could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The bytes are no UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// There is a NUL, raw or escaped, which Postgres can't store in a text.
    #[error("the body contains a NUL")]
    Nul,
    /// The text is no JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The text is no form of names and values.
    #[error("the body is not a form")]
    NotForm,
    /// The text is no XML, or it has a document type.
    #[error("the body is not XML without a document type")]
    NotXml,
    /// An object has the same member twice, and parsers differ on which one counts (RFC 8259, 4).
    #[error("an object of the body has the same member twice")]
    DuplicateMember,
    /// Something follows the document.
    #[error("something follows the JSON document")]
    TrailingData,
    /// Arrays and objects are nested deeper than [`DEPTH_MAX`].
    #[error("the body is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// There are more members or elements than any sender has.
    #[error("the body has too many members or elements")]
    TooLarge,
    /// There is no array where the profile says that the items are.
    #[error("the items are not an array")]
    ItemsNotArray,
    /// There are more items than the source may send at once.
    #[error("more than {0} items")]
    TooManyItems(usize),
    /// An item, or the document where there are no items, is no object and has no fields.
    #[error("an item is not an object")]
    NotAnObject,
}

impl ReadError {
    /// Returns the word for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::Nul => "nul",
            Self::NotJson => "not_json",
            Self::NotForm => "not_form",
            Self::NotXml => "not_xml",
            Self::DuplicateMember => "duplicate_member",
            Self::TrailingData => "trailing_data",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::ItemsNotArray => "items_not_array",
            Self::TooManyItems(_) => "too_many_items",
            Self::NotAnObject => "not_an_object",
        }
    }
}

/// Reads the one document that a body must be.
///
/// # Errors
/// Fails for everything on which parsers differ, and for what Postgres can't store.
pub fn parse(body: &[u8]) -> Result<Value, ReadError> {
    let text = std::str::from_utf8(body).map_err(|_| ReadError::NotUtf8)?;
    if body.contains(&0) {
        return Err(ReadError::Nul);
    }
    let cause = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0, cause: &cause }.deserialize(&mut deserializer);
    let value = value.map_err(|_| cause.take().unwrap_or(ReadError::NotJson))?;
    deserializer.end().map_err(|_| ReadError::TrailingData)?;
    Ok(value)
}

/// Writes a value without spaces and with sorted members, so that equal values have equal bytes.
pub(super) fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(values) => {
            out.push(b'[');
            for value in values {
                canonical(value, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (name, value) in sorted {
                out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                out.push(b':');
                canonical(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

/// Builds a value at a depth. The cause travels beside serde's error, which carries only text.
#[derive(Clone, Copy)]
struct Strict<'c> {
    depth: usize,
    cause: &'c Cell<Option<ReadError>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, cause: ReadError) -> E {
        let error = E::custom(&cause);
        self.cause.set(Some(cause));
        error
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.refuse(ReadError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn text<E: serde::de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') {
            return Err(self.refuse(ReadError::Nul));
        }
        Ok(text)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let name = self.text(name)?;
            let value = map.next_value_seed(inside)?;
            if members.insert(name, value).is_some() {
                return Err(self.refuse(ReadError::DuplicateMember));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_ambiguity_is_refused_with_its_cause() {
        let cases: [(&[u8], ReadError); 11] = [
            (b"{\"a\":\"\xff\"}", ReadError::NotUtf8),
            (b"{\"a\":\"x\0\"}", ReadError::Nul),
            (br#"{"a":"x\u0000"}"#, ReadError::Nul),
            (br#"{"a\u0000":1}"#, ReadError::Nul),
            (b"", ReadError::NotJson),
            (b"{\"a\":1", ReadError::NotJson),
            (b"\xef\xbb\xbf{}", ReadError::NotJson),
            (br#"{"a":1,"b":{"c":1,"c":2}}"#, ReadError::DuplicateMember),
            (br#"{"email":1,"\u0065mail":2}"#, ReadError::DuplicateMember),
            (b"{}{}", ReadError::TrailingData),
            (br#"{"a":"\ud800"}"#, ReadError::NotJson),
        ];
        for (body, cause) in cases {
            assert_eq!(parse(body), Err(cause), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_deepest_document_is_read_and_one_level_more_is_not() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(ReadError::TooDeep));
        assert_eq!(parse(nested(60_000).as_bytes()), Err(ReadError::TooDeep));
        assert_eq!(parse("{\"a\":".repeat(10_000).as_bytes()), Err(ReadError::TooDeep));
    }

    #[test]
    fn the_canonical_form_forgets_order_and_spaces_and_nothing_else() {
        let form = |text: &str| {
            let mut out = Vec::new();
            canonical(&parse(text.as_bytes()).unwrap(), &mut out);
            out
        };
        assert_eq!(form(r#"{"b":1,"a":[1,2]}"#), form(r#" { "a" : [1, 2], "b" : 1 } "#));
        assert_ne!(form(r#"{"a":"1"}"#), form(r#"{"a":1}"#));
        assert_ne!(form("[[1],[2]]"), form("[[1,2]]"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&body));
        }
    }
}
