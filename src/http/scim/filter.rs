//! The one comparison that filters and paths of patches may have: `attribute eq literal` (RFC 7644, 3.4.2.2).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusal::Refusal;
use super::resource::{member, without_core};
use crate::store::scim::Wanted;

/// An attribute and the value that it has to have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) attribute: String,
    pub(super) literal: Value,
}

impl Comparison {
    /// Reads `attribute eq literal`; `None` for everything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (attribute, rest) = text.trim().split_once(char::is_whitespace)?;
        let (operator, literal) = rest.trim_start().split_once(char::is_whitespace)?;
        let named = !attribute.is_empty() && !attribute.contains(['"', '(', '[']);
        if !named || !operator.eq_ignore_ascii_case("eq") {
            return None;
        }
        // A whole document or nothing: what follows it would be another comparison.
        let literal: Value = serde_json::from_str(literal).ok()?;
        text_of(&literal)?;
        Some(Self { attribute: attribute.to_owned(), literal })
    }

    /// Whether an element of a multi-valued attribute is meant.
    pub(super) fn holds(&self, element: &Map<String, Value>) -> bool {
        let value = element.get(&member(element, &self.attribute));
        let (Some(value), Some(literal)) = (value.and_then(text_of), text_of(&self.literal)) else {
            return false;
        };
        value.eq_ignore_ascii_case(&literal)
    }
}

/// A literal as text: some clients write booleans as strings. `None` for arrays, objects, null, and strings with control
/// characters, which no attribute that is compared can have.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.chars().any(char::is_control)).then(|| text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads the filter of a list of users.
pub(super) fn wanted(filter: Option<&str>) -> Result<Wanted, Refusal> {
    let Some(filter) = filter else {
        return Ok(Wanted::All);
    };
    let comparison = Comparison::parse(filter).ok_or(Refusal::Filter)?;
    let Value::String(text) = comparison.literal else {
        return Err(Refusal::Filter);
    };
    match without_core(&comparison.attribute).to_ascii_lowercase().as_str() {
        "username" => Ok(Wanted::UserName(text)),
        "externalid" => Ok(Wanted::ExternalId(text)),
        // What is no id of ours is nobody's.
        "id" => Ok(Wanted::Id(text.parse().unwrap_or(Uuid::nil()))),
        _ => Err(Refusal::Filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_one_comparison_for_equality_and_nothing_else() {
        let name = |text: &str| Ok(Wanted::UserName(text.to_owned()));
        assert_eq!(wanted(Some(r#"userName eq "a@b.c""#)), name("a@b.c"));
        assert_eq!(wanted(Some(r#" USERNAME  Eq  "a\"b" "#)), name("a\"b"));
        let qualified = r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x""#;
        assert_eq!(wanted(Some(qualified)), name("x"));
        assert_eq!(wanted(Some(r#"externalId eq "7""#)), Ok(Wanted::ExternalId("7".to_owned())));
        assert_eq!(wanted(Some(r#"id eq "7""#)), Ok(Wanted::Id(Uuid::nil())));
        assert_eq!(wanted(None), Ok(Wanted::All));
        for other in [
            "",
            "userName",
            "userName eq",
            "userName eq a@b.c",
            "userName eq 'a'",
            r#"userName eq "a"#,
            r#"userName eq "a" or userName eq "b""#,
            r#"userName eq "a" and active eq true"#,
            r#"not (userName eq "a")"#,
            r#"userName sw "a""#,
            "userName pr",
            r#"userName ne "a""#,
            "userName eq true",
            "userName eq null",
            r#"userName eq ["a"]"#,
            r#"userName eq "a\u0000b""#,
            r#"emails eq "a""#,
            r#"emails[type eq "work"] eq "a""#,
        ] {
            assert_eq!(wanted(Some(other)), Err(Refusal::Filter), "{other}");
        }
    }
}
