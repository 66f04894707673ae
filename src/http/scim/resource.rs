//! A user's attributes (RFC 7643, 4.1): names without case, the few that are understood checked, passwords never kept.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::store::scim::ScimUser;

/// The schema of users, which may stand before the names of its attributes.
pub(super) const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// Longer than any address, and what an index can hold.
const USER_NAME_CHARS_MAX: usize = 320;

/// Longer than any provider's id, and what an index can hold.
const EXTERNAL_ID_CHARS_MAX: usize = 256;

/// Values of one document, arrays and objects included: a hundred times what a user has.
const VALUES_MAX: usize = 5_000;

/// The attributes of a user under their own spelling: clients may write them in any case (RFC 7643, 2.1), and the
/// pointers of a source's map may not.
const NAMES: [&str; 24] = [
    "id",
    "externalId",
    "meta",
    "schemas",
    "userName",
    "name",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "password",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
];

/// What the service says itself; what a client writes there is passed over.
const OURS: [&str; 3] = ["id", "meta", "schemas"];

/// Attributes that have one value, which some clients wrap as if they had several.
const WRAPPED: [&str; 3] = ["active", "userName", "externalId"];

/// A user's attributes, checked, without what the service says itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// Reads the body of a request that gives a whole user.
    pub(super) fn read(body: Value) -> Result<Self, Refusal> {
        match body {
            Value::Object(members) => Self::checked(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Refusal::Syntax("a user is an object"))
            }
        }
    }

    /// Checks attributes after a change.
    pub(super) fn checked(members: Map<String, Value>) -> Result<Self, Refusal> {
        let mut checked = Map::new();
        let mut spellings = HashSet::new();
        for (name, mut value) in members {
            let name = spelt(without_core(&name));
            if OURS.contains(&name.as_str()) || is_password(&name) {
                continue;
            }
            if WRAPPED.contains(&name.as_str()) {
                value = unwrapped(value);
            }
            without_passwords(&mut value);
            // Two spellings of one name: nobody can tell which one counts.
            if !spellings.insert(name.to_ascii_lowercase()) {
                return Err(Refusal::Syntax("the same attribute twice"));
            }
            checked.insert(name, value);
        }
        if let Some(active) = checked.get_mut("active") {
            *active = boolean(active).ok_or(Refusal::Value("active has to be true or false"))?.into();
        }
        if checked.get("externalId").is_some_and(Value::is_null) {
            checked.remove("externalId");
        }
        let attributes = Self(checked);
        let fits = |value: &Value, chars_max| {
            let text = value.as_str().unwrap_or_default();
            !text.trim().is_empty()
                && text.chars().count() <= chars_max
                && !text.chars().any(char::is_control)
        };
        if !attributes.0.get("userName").is_some_and(|name| fits(name, USER_NAME_CHARS_MAX)) {
            return Err(Refusal::Value("userName has to be a text of at most 320 characters"));
        }
        if attributes.0.get("externalId").is_some_and(|id| !fits(id, EXTERNAL_ID_CHARS_MAX)) {
            return Err(Refusal::Value("externalId has to be a text of at most 256 characters"));
        }
        Ok(attributes)
    }

    /// The attributes as they are kept.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    pub(super) fn user_name(&self) -> &str {
        self.0.get("userName").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn external_id(&self) -> Option<&str> {
        self.0.get("externalId").and_then(Value::as_str)
    }

    /// Whether the account is in use, where that is said.
    pub(super) fn active(&self) -> Option<bool> {
        self.0.get("active").and_then(Value::as_bool)
    }

    /// Gives an attribute a value where it has none.
    pub(super) fn or_else(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.entry(name).or_insert(value);
        }
        self
    }
}

/// A user as clients see it.
pub(super) fn shown(source: &str, user: &ScimUser) -> Value {
    let attributes = user.resource.as_object().cloned().unwrap_or_default();
    let mut schemas = vec![CORE.to_owned()];
    schemas.extend(attributes.keys().filter(|name| is_urn(name)).cloned());
    let mut shown = attributes;
    shown.insert("schemas".to_owned(), json!(schemas));
    shown.insert("id".to_owned(), json!(user.id));
    let meta = json!({
        "resourceType": "User",
        "created": moment(user.created_at),
        "lastModified": moment(user.updated_at),
        "location": location(source, user),
    });
    shown.insert("meta".to_owned(), meta);
    Value::Object(shown)
}

/// Whether a document has few enough values to be compared with itself within a moment.
pub(super) fn is_handy(document: &Value) -> bool {
    fn count(value: &Value, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        match value {
            Value::Array(values) => values.iter().try_fold(left, |left, value| count(value, left)),
            Value::Object(members) => members.values().try_fold(left, |left, value| count(value, left)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(left),
        }
    }
    count(document, VALUES_MAX).is_some()
}

/// Where a user is. Without scheme and host: those are the load balancer's, and a header that names them may be forged.
pub(super) fn location(source: &str, user: &ScimUser) -> String {
    format!("/scim/v2/{source}/Users/{}", user.id)
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The name of an attribute in an object, as it is written there; a new one in its own spelling.
pub(super) fn member(members: &Map<String, Value>, name: &str) -> String {
    let known = members.keys().find(|known| known.eq_ignore_ascii_case(name));
    known.cloned().unwrap_or_else(|| spelt(name))
}

pub(super) fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

/// Takes the schema of users away before an attribute's name.
pub(super) fn without_core(name: &str) -> &str {
    match (name.get(..CORE.len()), name.get(CORE.len()..).and_then(|rest| rest.strip_prefix(':'))) {
        (Some(urn), Some(rest)) if urn.eq_ignore_ascii_case(CORE) => rest,
        (_, _) => name,
    }
}

fn spelt(name: &str) -> String {
    let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

/// `True` and `False` as text are what one provider writes; 0, 1, yes and null are never guessed at.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(active) => Some(*active),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::String(_) | Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Takes the one value out of `[{"value": x}]`, `[x]` and `{"value": x}`; everything else stays as it is.
fn unwrapped(mut value: Value) -> Value {
    if let Value::Array(values) = &mut value
        && values.len() == 1
    {
        value = values.swap_remove(0);
    }
    let inner = value.as_object_mut().and_then(|members| members.remove("value"));
    inner.unwrap_or(value)
}

/// Also behind a schema's name or a parent's.
fn is_password(name: &str) -> bool {
    let last = name.rsplit([':', '.']).next().unwrap_or(name);
    last.eq_ignore_ascii_case("password")
}

fn without_passwords(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_password(name));
            members.values_mut().for_each(without_passwords);
        }
        Value::Array(values) => values.iter_mut().for_each(without_passwords),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<Attributes, Refusal> {
        Attributes::read(body)
    }

    #[test]
    fn active_is_true_or_false_also_as_a_word_and_nothing_else() {
        let active = |value: Value| read(json!({"userName": "a", "active": value})).map(|user| user.active());
        for (written, meant) in [(json!(true), true), (json!("TRUE"), true), (json!("False"), false)] {
            assert_eq!(active(written.clone()), Ok(Some(meant)));
            assert_eq!(active(json!([{"value": written, "$ref": null}])), Ok(Some(meant)));
            assert_eq!(active(json!([written])), Ok(Some(meant)));
        }
        for other in [
            json!(0),
            json!(1),
            json!("0"),
            json!("no"),
            json!(""),
            json!(" true"),
            json!(null),
            json!([]),
            json!([true, false]),
            json!({}),
            json!([{"value": 1}]),
        ] {
            assert!(matches!(active(other.clone()), Err(Refusal::Value(_))), "{other}");
        }
        assert_eq!(read(json!({"userName": "a"})).unwrap().active(), None);
    }

    #[test]
    fn names_have_one_spelling_and_ours_are_passed_over() {
        let core = format!("{CORE}:ACTIVE");
        let user =
            read(json!({"USERNAME": "a", core: false, "Id": 7, "META": 7, "schemas": [], "x": 1})).unwrap();
        assert_eq!(Value::Object(user.0), json!({"userName": "a", "active": false, "x": 1}));
        let twice = read(json!({"userName": "a", "active": true, "Active": false}));
        assert_eq!(twice, Err(Refusal::Syntax("the same attribute twice")));
    }

    #[test]
    fn no_password_is_kept_wherever_it_stands() {
        let user = read(json!({
            "userName": "a", "password": "x", "Password": "y", "urn:x:User:password": "z", "name.passWord": "z",
            "urn:x": {"password": "z", "deep": [{"PASSWORD": "z", "kept": 1}]},
        }))
        .unwrap();
        assert_eq!(Value::Object(user.0), json!({"userName": "a", "urn:x": {"deep": [{"kept": 1}]}}));
    }

    #[test]
    fn a_user_has_a_name_that_can_be_kept() {
        for name in [json!(null), json!(""), json!("  "), json!(7), json!("a\nb"), json!("x".repeat(321))] {
            assert!(matches!(read(json!({"userName": name})), Err(Refusal::Value(_))), "{name}");
        }
        assert!(matches!(read(json!({})), Err(Refusal::Value(_))));
        assert!(matches!(read(json!({"userName": "a", "externalId": 7})), Err(Refusal::Value(_))));
        assert_eq!(read(json!({"userName": "a", "externalId": null})).unwrap().external_id(), None);
        assert!(matches!(read(json!([{"userName": "a"}])), Err(Refusal::Syntax(_))));
    }
}
