//! The path of a patch (RFC 7644, 3.5.2): `[SCHEMA:]attribute[comparison].sub-attribute`.

use serde_json::{Map, Value};

use super::filter::Comparison;
use super::resource::{CORE, is_urn, member, without_core};

/// The schema of companies' attributes, which some clients name as a whole.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What an operation is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// The user as a whole.
    User,
    /// All attributes of another schema.
    Extension(String),
    /// One attribute, of this schema where there is one.
    Attribute {
        /// The schema, where it is not that of users.
        extension: Option<String>,
        /// Its name.
        name: String,
        /// Which elements of a multi-valued one.
        which: Option<Comparison>,
        /// The part of it that is meant.
        sub: Option<String>,
    },
}

impl Target {
    /// Reads a path; `None` where it is none. The user's present attributes tell which schemas it has.
    pub(super) fn parse(text: &str, user: &Map<String, Value>) -> Option<Self> {
        let text = text.trim();
        let whole = |urn: &str| text.eq_ignore_ascii_case(urn);
        if whole(CORE) {
            return Some(Self::User);
        }
        if whole(ENTERPRISE) {
            return Some(Self::Extension(member(user, ENTERPRISE)));
        }
        if is_urn(text) && user.keys().any(|name| whole(name)) {
            return Some(Self::Extension(member(user, text)));
        }
        // Colons, dots and brackets of the comparison are not the path's.
        let (head, comparison, tail) = match text.split_once('[') {
            None => (text, None, ""),
            Some((head, rest)) => {
                let (inside, tail) = rest.rsplit_once(']')?;
                (head, Some(Comparison::parse(inside)?), tail)
            }
        };
        let head = without_core(head);
        let (extension, head) = match head.rsplit_once(':') {
            Some((urn, rest)) if is_urn(head) => (Some(member(user, urn)), rest),
            Some(_) => return None,
            None => (None, head),
        };
        let (name, sub) = match (&comparison, head.split_once('.')) {
            (None, Some((name, sub))) => (name, Some(sub)),
            (None, None) => (head, None),
            (Some(_), Some(_)) => return None,
            (Some(_), None) if tail.is_empty() => (head, None),
            (Some(_), None) => (head, Some(tail.strip_prefix('.')?)),
        };
        if !is_name(name) || !sub.is_none_or(is_name) {
            return None;
        }
        Some(Self::Attribute {
            extension,
            name: name.to_owned(),
            which: comparison,
            sub: sub.map(str::to_owned),
        })
    }
}

/// RFC 7643, 2.1; `$ref` begins with a dollar sign.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'$')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(
        extension: Option<&str>,
        name: &str,
        which: Option<&str>,
        sub: Option<&str>,
    ) -> Option<Target> {
        Some(Target::Attribute {
            extension: extension.map(str::to_owned),
            name: name.to_owned(),
            which: which.map(|text| Comparison::parse(text).unwrap()),
            sub: sub.map(str::to_owned),
        })
    }

    #[test]
    fn each_part_of_a_path_is_found() {
        let parse = |text: &str| Target::parse(text, &Map::new());
        assert_eq!(parse("active"), attribute(None, "active", None, None));
        assert_eq!(parse("name.givenName"), attribute(None, "name", None, Some("givenName")));
        assert_eq!(
            parse(&format!("{CORE}:name.givenName")),
            attribute(None, "name", None, Some("givenName"))
        );
        assert_eq!(
            parse(&format!("{ENTERPRISE}:manager.$ref")),
            attribute(Some(ENTERPRISE), "manager", None, Some("$ref"))
        );
        let work = r#"type eq "work""#;
        assert_eq!(
            parse(&format!("emails[{work}].value")),
            attribute(None, "emails", Some(work), Some("value"))
        );
        assert_eq!(parse(&format!("emails[{work}]")), attribute(None, "emails", Some(work), None));
        let odd = r#"value eq "urn:a.b]:c""#;
        assert_eq!(parse(&format!("emails[{odd}].type")), attribute(None, "emails", Some(odd), Some("type")));
        assert_eq!(parse(ENTERPRISE), Some(Target::Extension(ENTERPRISE.to_owned())));
        assert_eq!(parse(CORE), Some(Target::User));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            " ",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "a b",
            "a:b",
            "emails[",
            "emails[]",
            "emails]",
            "emails[type]",
            r#"emails[type eq "work""#,
            r#"emails[type eq "work"]value"#,
            r#"emails[type eq "work"]."#,
            r#"emails.x[type eq "work"]"#,
            r#"emails[type ne "work"].value"#,
            "urn:",
            "\u{0}",
            r#"emails[type eq "a" or type eq "b"].value"#,
        ] {
            assert_eq!(Target::parse(text, &Map::new()), None, "{text}");
        }
    }
}
