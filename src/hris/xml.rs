//! Strict XML as a tree of values by local names: no document type, so no entities of its own, bounded depth and size.
//! Which of its elements matter is left to the profile.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

use super::json::{DEPTH_MAX, ReadError};

/// Elements, texts and comments of a document; the longest known delivery has under a hundred for each item.
const NODES_MAX: u32 = 100_000;

/// Declarations of name spaces: the parser copies those in force to every element that adds one.
const NAMESPACES_MAX: usize = 2_000;

/// The member for text that stands beside attributes or elements.
const TEXT: &str = "#text";

/// Reads the one document that a body must be. It is an object with one member, the root element. An element with
/// nothing but text is a string without the white space around it; attributes are members `@name`, repeated
/// elements are an array.
pub(super) fn parse(body: &[u8]) -> Result<Value, ReadError> {
    let text = std::str::from_utf8(body).map_err(|_| ReadError::NotUtf8)?;
    if body.contains(&0) {
        return Err(ReadError::Nul);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !says_utf8(text) {
        return Err(ReadError::NotUtf8);
    }
    if text.matches("xmlns").count() > NAMESPACES_MAX {
        return Err(ReadError::TooLarge);
    }
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        if matches!(error, roxmltree::Error::NodesLimitReached) {
            ReadError::TooLarge
        } else {
            ReadError::NotXml
        }
    })?;
    let root = document.root_element();
    Ok(Value::Object(Map::from_iter([(root.tag_name().name().to_owned(), element(root, 1)?)])))
}

/// A declaration of another encoding would make other characters of the same bytes.
fn says_utf8(text: &str) -> bool {
    let Some(declaration) = text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) else {
        return true;
    };
    let Some((_, encoding)) = declaration.0.split_once("encoding") else {
        return true;
    };
    let encoding = encoding.trim_matches(|c: char| c.is_ascii_whitespace() || c == '=');
    let quote = if encoding.starts_with('\'') { '\'' } else { '"' };
    let named = encoding.split(quote).nth(1).unwrap_or_default();
    named.eq_ignore_ascii_case("utf-8") || named.eq_ignore_ascii_case("us-ascii")
}

fn element(node: Node<'_, '_>, depth: usize) -> Result<Value, ReadError> {
    if depth > DEPTH_MAX {
        return Err(ReadError::TooDeep);
    }
    let mut members = Map::new();
    for attribute in node.attributes() {
        let value = Value::from(attribute.value());
        if members.insert(format!("@{}", attribute.name()), value).is_some() {
            return Err(ReadError::DuplicateMember);
        }
    }
    let mut text = String::new();
    for child in node.children() {
        if child.is_element() {
            add(&mut members, child.tag_name().name(), element(child, depth + 1)?);
        } else if child.is_text() {
            // A comment within a text doesn't end it.
            text.push_str(child.text().unwrap_or_default());
        }
    }
    let text = text.trim();
    if members.is_empty() {
        return Ok(Value::from(text));
    }
    if !text.is_empty() {
        members.insert(TEXT.to_owned(), Value::from(text));
    }
    Ok(Value::Object(members))
}

/// No element is an array by itself, so an array is what repeated elements have become.
fn add(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        None => {
            members.insert(name.to_owned(), value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_document_is_a_tree_by_local_names() {
        let body = r#"<?xml version="1.0" encoding="utf-8"?>
            <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body id="7" s:kind="x">
              <n:type xmlns:n="urn:n"> a.<!-- not the end -->b.Termination </n:type>
              <key><name>seq</name><value>1</value></key><key><name>userId</name><value>103045</value></key>
              <only><one/></only> beside <![CDATA[<it>&]]> &amp;&#233;
            </s:Body></s:Envelope>"#;
        let expected = json!({"Envelope": {"Body": {
            "@id": "7", "@kind": "x", "type": "a.b.Termination",
            "key": [{"name": "seq", "value": "1"}, {"name": "userId", "value": "103045"}],
            "only": {"one": ""}, "#text": "beside <it>& &é",
        }}});
        assert_eq!(parse(body.as_bytes()), Ok(expected));
        assert_eq!(parse("\u{feff}<a/>".as_bytes()), Ok(json!({"a": ""})));
    }

    #[test]
    fn every_ambiguity_is_refused_with_its_cause() {
        let cases: [(&[u8], ReadError); 15] = [
            (b"", ReadError::NotXml),
            (b"{}", ReadError::NotXml),
            (b"<a>", ReadError::NotXml),
            (b"<a/><b/>", ReadError::NotXml),
            (b"<a></b>", ReadError::NotXml),
            (b"<!DOCTYPE a><a/>", ReadError::NotXml),
            (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", ReadError::NotXml),
            (b"<a>&x;</a>", ReadError::NotXml),
            (b"<a b='1' b='2'/>", ReadError::NotXml),
            (b"<a xmlns:n='u' b='1' n:b='2'/>", ReadError::DuplicateMember),
            (b"<a>\0</a>", ReadError::Nul),
            (b"<a>&#0;</a>", ReadError::NotXml),
            (b"<a>\xff</a>", ReadError::NotUtf8),
            (b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", ReadError::NotUtf8),
            (b"<?xml version=\"1.0\" encoding = \"utf-16\" ?><a/>", ReadError::NotUtf8),
        ];
        for (body, cause) in cases {
            assert_eq!(parse(body), Err(cause), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_deepest_document_is_read_and_one_level_more_is_not() {
        let nested = |depth: usize| ("<a>".repeat(depth) + &"</a>".repeat(depth)).into_bytes();
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(parse(&nested(DEPTH_MAX + 1)), Err(ReadError::TooDeep));
        assert_eq!(parse(&nested(90_000)), Err(ReadError::TooDeep));
        assert_eq!(parse(&nested(150_000)), Err(ReadError::TooLarge));
        let spaces = "<a xmlns:b='c'>".repeat(2_001) + &"</a>".repeat(2_001);
        assert_eq!(parse(spaces.as_bytes()), Err(ReadError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/a&;'= !\\[\\]-]{0,60}") {
            drop(parse(&body));
            drop(parse(text.as_bytes()));
        }
    }
}
