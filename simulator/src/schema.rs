//! Checks a JSON value against a published schema; which schema belongs to which operation is the definition's business.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Nesting followed before a value counts as too deep; the deepest published request body has nine levels.
const DEPTH_MAX: u32 = 32;

/// The part of a published schema that decides whether a body is right.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Schema {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) required: Vec<String>,
    #[serde(rename = "enum")]
    pub(crate) values: Vec<String>,
    pub(crate) items: Option<Box<Schema>>,
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) additional_properties: Option<Box<Schema>>,
}

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A property the definition doesn't know; Genesys may ignore it.
    Unknown(String),
    /// A missing property or a wrong type or value; Genesys answers 400.
    Broken(String),
}

impl Flaw {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Unknown(text) | Self::Broken(text) => text,
        }
    }
}

/// Lists every flaw of the value, each with the place where it is.
pub(crate) fn check(schemas: &BTreeMap<String, Schema>, schema: &Schema, value: &Value) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    walk(schemas, schema, value, "body", DEPTH_MAX, &mut flaws);
    flaws
}

fn walk(
    schemas: &BTreeMap<String, Schema>,
    schema: &Schema,
    value: &Value,
    place: &str,
    depth_left: u32,
    flaws: &mut Vec<Flaw>,
) {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        flaws.push(Flaw::Broken(format!("{place} is nested too deeply")));
        return;
    };
    // Every published `allOf` wraps exactly one reference, to hang a description on it.
    if let Some(target) = schema.reference.as_ref().and_then(|name| schemas.get(name)) {
        return walk(schemas, target, value, place, depth_left, flaws);
    }
    for part in &schema.all_of {
        walk(schemas, part, value, place, depth_left, flaws);
    }
    if let Some(kind) = &schema.kind
        && !is_of(kind, value)
    {
        flaws.push(Flaw::Broken(format!("{place} is not of type {kind}")));
        return;
    }
    if let Some(text) = value.as_str()
        && !schema.values.is_empty()
        && !schema.values.iter().any(|allowed| allowed == text)
    {
        flaws.push(Flaw::Broken(format!("{place} is \"{text}\", allowed are {}", schema.values.join(", "))));
    }
    if let (Some(items), Some(list)) = (&schema.items, value.as_array()) {
        for (index, item) in list.iter().enumerate() {
            walk(schemas, items, item, &format!("{place}[{index}]"), depth_left, flaws);
        }
    }
    if let Some(object) = value.as_object() {
        for name in schema.required.iter().filter(|name| object.get(*name).is_none_or(Value::is_null)) {
            flaws.push(Flaw::Broken(format!("{place}.{name} is required")));
        }
        for (name, inner) in object {
            let place = format!("{place}.{name}");
            if let Some(property) = schema.properties.get(name) {
                if !inner.is_null() {
                    walk(schemas, property, inner, &place, depth_left, flaws);
                }
            } else if let Some(any) = &schema.additional_properties {
                walk(schemas, any, inner, &place, depth_left, flaws);
            } else if !schema.properties.is_empty() {
                flaws.push(Flaw::Unknown(format!("{place} is not in the definition")));
            }
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        serde_json::from_value(json!({"type": "object", "required": ["version"], "properties": {
            "version": {"type": "integer"},
            "state": {"type": "string", "enum": ["active", "inactive"]},
            "list": {"type": "array", "items": {"type": "number"}}}}))
        .unwrap()
    }

    fn flaws(value: &Value) -> Vec<String> {
        check(&BTreeMap::new(), &schema(), value).iter().map(|flaw| flaw.text().to_owned()).collect()
    }

    #[test]
    fn a_value_that_fits_has_no_flaw() {
        assert!(flaws(&json!({"version": 3, "state": "inactive", "list": [1, 2.5]})).is_empty());
    }

    #[test]
    fn a_missing_required_property_is_named() {
        assert_eq!(flaws(&json!({"state": "active"})), ["body.version is required"]);
    }

    #[test]
    fn wrong_types_values_and_unknown_properties_are_named_with_their_place() {
        let found = flaws(&json!({"version": "3", "state": "INACTIVE", "list": ["x"], "status": 1}));
        assert_eq!(found.len(), 4);
        assert!(found.contains(&"body.list[0] is not of type number".to_owned()));
        assert!(found.contains(&"body.status is not in the definition".to_owned()));
    }
}
