//! Pointers into a delivery: `/x` from the item, `^/x` from the document's root (both RFC 6901), `@name` to a header,
//! `#name/x` from what was picked for the item.
//! What is done with the value is left to those who ask; nothing here searches.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::auth::single;
use super::pick::{self, Picked};

/// A place in a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// From the item, which is the root where a delivery has only one.
    Item(String),
    /// From the root, also where there are items.
    Root(String),
    /// A request header.
    Header(HeaderName),
    /// From the element that the pick of this name found.
    Picked(String, String),
}

/// One item of a delivery and what surrounds it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) root: &'a Value,
    pub(super) item: &'a Value,
    pub(super) headers: &'a HeaderMap,
    pub(super) picked: &'a [Picked<'a>],
}

impl Pointer {
    /// Reads a pointer; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix('@') {
            return HeaderName::try_from(name).ok().map(Self::Header);
        }
        if let Some((name, _)) = text.strip_prefix('#').and_then(|rest| rest.split_once('/')) {
            let path = &text[1 + name.len()..];
            return (!name.is_empty() && tildes_are_escapes(path))
                .then(|| Self::Picked(name.to_owned(), path.to_owned()));
        }
        let (path, from): (_, fn(String) -> Self) = match text.strip_prefix('^') {
            Some(path) => (path, Self::Root),
            None => (text, Self::Item),
        };
        (path.starts_with('/') && tildes_are_escapes(path)).then(|| from(path.to_owned()))
    }

    /// Returns the value there; `None` where there is nothing, null, or an empty string.
    pub(super) fn find<'a>(&self, scope: &Scope<'a>) -> Option<Cow<'a, Value>> {
        let found = match self {
            Self::Item(path) => Cow::Borrowed(scope.item.pointer(path)?),
            Self::Root(path) => Cow::Borrowed(scope.root.pointer(path)?),
            Self::Picked(name, path) => Cow::Borrowed(pick::find(scope, name, path)?),
            // A repeated header has no one value, so it counts as absent.
            Self::Header(name) => Cow::Owned(Value::from(single(scope.headers, name).ok()?)),
        };
        (!found.is_null() && found.as_str() != Some("")).then_some(found)
    }

    /// Returns the value of the first pointer that has one.
    pub(super) fn first<'a>(pointers: &[Self], scope: &Scope<'a>) -> Option<Cow<'a, Value>> {
        pointers.iter().find_map(|pointer| pointer.find(scope))
    }
}

impl fmt::Display for Pointer {
    /// As it is written in a profile.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(path) => f.write_str(path),
            Self::Root(path) => write!(f, "^{path}"),
            Self::Header(name) => write!(f, "@{name}"),
            Self::Picked(name, path) => write!(f, "#{name}{path}"),
        }
    }
}

fn tildes_are_escapes(path: &str) -> bool {
    path.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_are_whole_or_refused() {
        for wrong in
            ["", "email", "^", "^email", "/a~", "/a~2", "@", "@a b", "$.email", "#", "#a", "#/x", "#a/~"]
        {
            assert_eq!(Pointer::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_base_finds_its_own_value() {
        let root = json!({"n": "root", "a/b": {"~": 1}, "items": [{"n": "item"}]});
        let mut headers = HeaderMap::new();
        headers.append("x-id", "one".parse().unwrap());
        headers.append("x-twice", "one".parse().unwrap());
        headers.append("x-twice", "two".parse().unwrap());
        let scope = Scope {
            root: &root,
            item: &root["items"][0],
            headers: &headers,
            picked: &[("p", Some(&root["items"][0])), ("q", None)],
        };
        let find = |text: &str| Pointer::parse(text).unwrap().find(&scope).map(Cow::into_owned);
        assert_eq!(find("/n"), Some(json!("item")));
        assert_eq!(find("^/n"), Some(json!("root")));
        assert_eq!(find("^/a~1b/~0"), Some(json!(1)));
        assert_eq!(find("@X-Id"), Some(json!("one")));
        assert_eq!(find("@x-twice"), None);
        assert_eq!(find("#p/n"), Some(json!("item")));
        assert_eq!(find("#q/n"), None);
    }

    #[test]
    fn null_and_the_empty_string_are_nothing() {
        let root = json!({"a": null, "b": "", "c": 0});
        let scope = Scope { root: &root, item: &root, headers: &HeaderMap::new(), picked: &[] };
        let find = |text: &str| Pointer::parse(text).unwrap().find(&scope).is_some();
        assert_eq!([find("/a"), find("/b"), find("/c"), find("/d")], [false, false, true, false]);
    }
}
