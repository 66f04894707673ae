//! Patches of a user (RFC 7644, 3.5.2), in the shapes in which providers write them: with and without a path, a value
//! wrapped in an array, paths as names of members, words in any case.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::filter::Comparison;
use super::path::Target;
use super::refusal::Refusal;
use super::resource::member;

/// Operations of one patch: far more than a user has attributes.
const OPERATIONS_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

type Members = Map<String, Value>;

/// Returns a user's attributes after a patch; what they come to is checked by the caller.
pub(super) fn patched(user: &Members, patch: &Value) -> Result<Members, Refusal> {
    let operations = patch.as_object().and_then(|patch| patch.get(&member(patch, "Operations")));
    let operations = operations.and_then(Value::as_array).filter(|operations| !operations.is_empty());
    let operations = operations.ok_or(Refusal::Syntax("a patch has an array Operations"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(Refusal::Syntax("at most 1000 operations"));
    }
    let mut user = user.clone();
    for operation in operations {
        let operation = operation.as_object().ok_or(Refusal::Syntax("an operation is an object"))?;
        carry_out(&mut user, operation)?;
    }
    Ok(user)
}

fn carry_out(user: &mut Members, operation: &Members) -> Result<(), Refusal> {
    let part = |name: &str| operation.get(&member(operation, name));
    let verb = match part("op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        Some(_) | None => return Err(Refusal::Syntax("op is add, replace or remove")),
    };
    let target = match part("path") {
        None | Some(Value::Null) => Target::User,
        Some(Value::String(path)) => Target::parse(path, user).ok_or(Refusal::Path)?,
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(Refusal::Path);
        }
    };
    let value = part("value");
    match (verb, value) {
        (Verb::Remove, _) if target == Target::User => Err(Refusal::NoTarget),
        (Verb::Add | Verb::Replace, None) => Err(Refusal::Syntax("add and replace have a value")),
        (Verb::Remove | Verb::Add | Verb::Replace, _) => {
            change(user, verb, &target, value.unwrap_or(&Value::Null))
        }
    }
}

fn change(user: &mut Members, verb: Verb, target: &Target, value: &Value) -> Result<(), Refusal> {
    match target {
        Target::User => change_each(user, verb, value),
        Target::Extension(urn) => {
            match (verb, value) {
                (Verb::Remove, _) => drop(user.remove(urn)),
                (Verb::Add | Verb::Replace, Value::Object(members)) => {
                    within(user, urn, |inside| {
                        members.iter().for_each(|(name, value)| set(inside, verb, name, value));
                    });
                }
                (Verb::Add | Verb::Replace, _) => {
                    return Err(Refusal::Value("of a whole schema has to be an object"));
                }
            }
            Ok(())
        }
        Target::Attribute { extension, name, which, sub } => {
            let change = |parent: &mut Members| {
                change_attribute(parent, verb, name, which.as_ref(), sub.as_deref(), value);
            };
            match extension {
                None => change(user),
                Some(urn) if verb == Verb::Remove && !user.contains_key(urn) => {}
                Some(urn) => within(user, urn, change),
            }
            Ok(())
        }
    }
}

/// Without a path every member of the value is an operation of its own; its name may be a path.
fn change_each(user: &mut Members, verb: Verb, value: &Value) -> Result<(), Refusal> {
    let members = value.as_object().ok_or(Refusal::Syntax("without a path the value is an object"))?;
    let mut targets: Vec<(Target, &Value)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let target = match Target::parse(name, user) {
            Some(Target::User) => return Err(Refusal::Path),
            Some(target) => target,
            None => Target::Attribute { extension: None, name: name.clone(), which: None, sub: None },
        };
        targets.push((target, value));
    }
    // Two spellings of one place: nobody can tell which one counts.
    let places: HashSet<String> =
        targets.iter().map(|(target, _)| format!("{target:?}").to_ascii_lowercase()).collect();
    if places.len() < targets.len() {
        return Err(Refusal::Syntax("the same attribute twice"));
    }
    targets.into_iter().try_for_each(|(target, value)| change(user, verb, &target, value))
}

fn change_attribute(
    parent: &mut Members,
    verb: Verb,
    name: &str,
    which: Option<&Comparison>,
    sub: Option<&str>,
    value: &Value,
) {
    let name = member(parent, name);
    let Some(which) = which else {
        return match sub {
            None => set(parent, verb, &name, value),
            Some(sub) => set_sub(parent, verb, &name, sub, value),
        };
    };
    let mut elements = match parent.remove(&name) {
        Some(Value::Array(elements)) => elements,
        // One value without its array.
        Some(single @ Value::Object(_)) => vec![single],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
    };
    let is_meant = |element: &Value| element.as_object().is_some_and(|element| which.holds(element));
    if verb == Verb::Remove && sub.is_none() {
        elements.retain(|element| !is_meant(element));
    } else if verb != Verb::Remove && !elements.iter().any(is_meant) {
        // Also for replace, which the specification would refuse: with it a deactivation in the same patch would be lost.
        let named = Map::from_iter([(which.attribute.clone(), which.literal.clone())]);
        elements.push(Value::Object(named));
    }
    for element in elements.iter_mut().filter(|element| is_meant(element)) {
        let Value::Object(element) = element else { continue };
        match (sub, value) {
            (Some(sub), _) => set(element, verb, sub, value),
            (None, Value::Object(members)) => {
                members.iter().for_each(|(name, value)| set(element, verb, name, value));
            }
            (None, _) => set(element, verb, "value", value),
        }
    }
    if !elements.is_empty() {
        parent.insert(name, Value::Array(elements));
    }
}

/// A part of an attribute; of every element, where it has several.
fn set_sub(parent: &mut Members, verb: Verb, name: &str, sub: &str, value: &Value) {
    match parent.get_mut(name) {
        Some(Value::Array(elements)) => {
            for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                set(element, verb, sub, value);
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))
        | None => {
            if verb != Verb::Remove || parent.contains_key(name) {
                within(parent, name, |inside| set(inside, verb, sub, value));
            }
        }
    }
}

fn set(parent: &mut Members, verb: Verb, name: &str, value: &Value) {
    let name = member(parent, name);
    match (verb, parent.get_mut(&name), value) {
        (Verb::Remove, Some(Value::Array(present)), Value::Array(removed)) => {
            present.retain(|element| !removed.iter().any(|gone| same_element(element, gone)));
        }
        (Verb::Remove, _, _) => drop(parent.remove(&name)),
        // Parts that are not named stay.
        (Verb::Add | Verb::Replace, Some(Value::Object(present)), Value::Object(members)) => {
            for (part, value) in members {
                present.insert(member(present, part), value.clone());
            }
        }
        (Verb::Add, Some(Value::Array(present)), Value::Array(added)) => {
            for element in added {
                add(present, element);
            }
        }
        (Verb::Add, Some(Value::Array(present)), element) => add(present, element),
        (Verb::Add | Verb::Replace, _, _) => drop(parent.insert(name, value.clone())),
    }
}

fn add(elements: &mut Vec<Value>, element: &Value) {
    if !elements.contains(element) {
        elements.push(element.clone());
    }
}

/// Some clients name what they remove by its value alone.
fn same_element(element: &Value, named: &Value) -> bool {
    let by_value = || element.get("value").zip(named.get("value")).is_some_and(|(one, other)| one == other);
    element == named || by_value()
}

/// Changes the object under a name; what is no object makes room for one.
fn within(parent: &mut Members, name: &str, change: impl FnOnce(&mut Members)) {
    let name = member(parent, name);
    let mut inside = match parent.remove(&name) {
        Some(Value::Object(members)) => members,
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | None => {
            Map::new()
        }
    };
    change(&mut inside);
    parent.insert(name, Value::Object(inside));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::scim::path::ENTERPRISE;
    use serde_json::json;

    fn user() -> Members {
        let user = json!({
            "userName": "a@b.c", "active": true, "name": {"givenName": "Ann", "familyName": "Bell"},
            "emails": [{"type": "work", "value": "a@b.c", "primary": true}, {"type": "home", "value": "h@b.c"}],
        });
        user.as_object().unwrap().clone()
    }

    fn after(operations: Value) -> Result<Value, Refusal> {
        patched(&user(), &json!({"Operations": operations})).map(Value::Object)
    }

    #[track_caller]
    fn sets(operation: Value, pointer: &str, expected: Value) {
        let after = after(json!([operation])).unwrap();
        assert_eq!(after.pointer(pointer).cloned().unwrap_or(Value::Null), expected, "{operation}: {after}");
    }

    #[test]
    fn one_place_is_reached_in_every_shape() {
        for op in ["replace", "Replace", "add", "Add", "REPLACE"] {
            sets(json!({"op": op, "path": "active", "value": "False"}), "/active", json!("False"));
            sets(json!({"op": op, "value": {"active": false}}), "/active", json!(false));
            sets(json!({"OP": op, "Path": "Active", "VALUE": false}), "/active", json!(false));
            sets(
                json!({"op": op, "path": "name.givenName", "value": "Eve"}),
                "/name/givenName",
                json!("Eve"),
            );
            sets(json!({"op": op, "value": {"name.givenName": "Eve"}}), "/name/givenName", json!("Eve"));
            sets(
                json!({"op": op, "value": {"name": {"givenName": "Eve"}}}),
                "/name/familyName",
                json!("Bell"),
            );
            let work = r#"emails[type eq "work"].value"#;
            sets(json!({"op": op, "path": work, "value": "n@b.c"}), "/emails/0/value", json!("n@b.c"));
            sets(json!({"op": op, "path": work, "value": "n@b.c"}), "/emails/1/value", json!("h@b.c"));
            sets(json!({"op": op, "value": {work: "n@b.c"}}), "/emails/0/value", json!("n@b.c"));
            let primary = r#"emails[primary eq "True"]"#;
            sets(
                json!({"op": op, "path": primary, "value": {"value": "n@b.c"}}),
                "/emails/0/type",
                json!("work"),
            );
        }
        sets(
            json!({"op": "add", "path": "active", "value": [{"value": "False"}]}),
            "/active/0/value",
            json!("False"),
        );
    }

    #[test]
    fn what_is_not_there_yet_is_made() {
        let other = r#"emails[type eq "other"].value"#;
        for op in ["add", "replace"] {
            let made = json!({"type": "other", "value": "o@b.c"});
            sets(json!({"op": op, "path": other, "value": "o@b.c"}), "/emails/2", made);
            sets(json!({"op": op, "path": "title", "value": "Agent"}), "/title", json!("Agent"));
            let department = format!("{ENTERPRISE}:department");
            let pointer = format!("/{ENTERPRISE}/department");
            sets(json!({"op": op, "path": department, "value": "D"}), &pointer, json!("D"));
            sets(json!({"op": op, "value": {department: "D"}}), &pointer, json!("D"));
            sets(json!({"op": op, "value": {ENTERPRISE: {"department": "D"}}}), &pointer, json!("D"));
            sets(json!({"op": op, "path": ENTERPRISE, "value": {"department": "D"}}), &pointer, json!("D"));
            let manager = json!({"op": op, "path": format!("{ENTERPRISE}:manager.value"), "value": "7"});
            sets(manager, &format!("/{ENTERPRISE}/manager/value"), json!("7"));
        }
        sets(json!({"op": "add", "value": {"no path": 1, "a.b.c": 2}}), "/no path", json!(1));
        let twice = json!([{"type": "home", "value": "h@b.c"}, {"value": "x@b.c"}]);
        sets(json!({"op": "add", "path": "emails", "value": twice}), "/emails/2", json!({"value": "x@b.c"}));
        sets(json!({"op": "replace", "path": "emails", "value": [{"value": "x"}]}), "/emails/1", Value::Null);
    }

    #[test]
    fn what_is_removed_is_gone_and_nothing_else() {
        sets(json!({"op": "remove", "path": "name"}), "/name", Value::Null);
        sets(json!({"op": "Remove", "path": "name.givenName"}), "/name", json!({"familyName": "Bell"}));
        let home = json!({"type": "home", "value": "h@b.c"});
        sets(json!({"op": "remove", "path": r#"emails[type eq "work"]"#}), "/emails", json!([home]));
        sets(
            json!({"op": "remove", "path": r#"emails[type eq "home"].value"#}),
            "/emails/1",
            json!({"type": "home"}),
        );
        sets(
            json!({"op": "remove", "path": "emails", "value": [{"value": "a@b.c"}]}),
            "/emails",
            json!([home]),
        );
        for nothing in
            ["title", "title.x", r#"emails[type eq "other"]"#, r#"roles[type eq "x"].value"#, ENTERPRISE]
        {
            assert_eq!(
                after(json!([{"op": "remove", "path": nothing}])),
                Ok(Value::Object(user())),
                "{nothing}"
            );
        }
        let department = format!("{ENTERPRISE}:department");
        assert_eq!(after(json!([{"op": "remove", "path": department}])), Ok(Value::Object(user())));
    }

    #[test]
    fn operations_follow_each_other_and_one_that_fails_fails_all() {
        let both = json!([{"op": "replace", "path": "active", "value": false},
                          {"op": "replace", "path": "active", "value": true}]);
        assert_eq!(after(both).unwrap()["active"], json!(true));
        let value = |operation: Value| after(json!([{"op": "add", "value": {"active": false}}, operation]));
        assert_eq!(value(json!({"op": "replace", "path": "a b", "value": 1})), Err(Refusal::Path));
        assert_eq!(value(json!({"op": "replace", "path": 7, "value": 1})), Err(Refusal::Path));
        assert_eq!(value(json!({"op": "remove"})), Err(Refusal::NoTarget));
        for wrong in [
            json!(7),
            json!({"op": "move", "path": "a", "value": 1}),
            json!({"path": "a", "value": 1}),
            json!({"op": "add", "path": "a"}),
            json!({"op": "add", "value": "a"}),
            json!({"op": "add", "value": {"active": false, "ACTIVE": true}}),
            json!({"op": "add", "value": {"active": false, "urn:ietf:params:scim:schemas:core:2.0:User:active": true}}),
        ] {
            assert!(matches!(value(wrong.clone()), Err(Refusal::Syntax(_))), "{wrong}");
        }
        for wrong in [json!({}), json!([]), json!(null)] {
            assert!(matches!(after(wrong.clone()), Err(Refusal::Syntax(_))), "{wrong}");
        }
        let many = vec![json!({"op": "add", "path": "active", "value": true}); OPERATIONS_MAX + 1];
        assert!(matches!(after(json!(many)), Err(Refusal::Syntax(_))));
    }
}
