//! Who somebody is and what they may do, by claims that are to be believed.

use serde_json::Value;

use super::OidcError;
use crate::config::{Claim, Oidc, Role, is_operator_name};

/// The most values of a role's claim that are compared. More groups than this are a mistake of the claim.
const VALUES_MAX: usize = 10_000;

/// Somebody whom the issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account at the issuer; never given to anybody else.
    pub subject: String,
    /// What the issuer calls them at present.
    pub name: String,
    /// The highest role that follows from the claims.
    pub role: Role,
}

/// What was found in the claims so far.
pub(super) struct Found {
    name: Option<String>,
    values: Option<Vec<String>>,
    email_doubted: bool,
}

impl Found {
    pub(super) fn of(settings: &Oidc, claims: &Value) -> Self {
        Self {
            name: at(claims, &settings.name_claim).and_then(Value::as_str).map(str::to_owned),
            values: at(claims, &settings.role_claim).map(texts),
            email_doubted: claims.get("email_verified") == Some(&Value::Bool(false)),
        }
    }

    pub(super) fn lacks_any(&self) -> bool {
        self.name.is_none() || self.values.is_none()
    }

    /// Takes what is missing from other claims of the same person. What the id token says is signed and stays.
    pub(super) fn complete(&mut self, settings: &Oidc, claims: &Value) {
        let more = Self::of(settings, claims);
        self.name = self.name.take().or(more.name);
        self.values = self.values.take().or(more.values);
        self.email_doubted |= more.email_doubted;
    }

    pub(super) fn person(self, settings: &Oidc, subject: &str) -> Result<Person, OidcError> {
        let by_email = settings.name_claim.path == ["email"];
        // Anybody can claim an address that nobody has checked.
        let name = self.name.filter(|_| !(by_email && self.email_doubted)).ok_or(OidcError::NoName)?;
        let linked = settings.operators.iter().any(|(_, known)| known.eq_ignore_ascii_case(&name));
        if !linked && !is_operator_name(&name) {
            return Err(OidcError::NoName);
        }
        let values = self.values.unwrap_or_default();
        let given = settings.roles.iter().filter(|(value, _)| values.contains(value)).map(|(_, role)| *role);
        let role = given.max().ok_or(OidcError::NoRole)?;
        Ok(Person { subject: subject.to_owned(), name, role })
    }
}

fn at<'v>(claims: &'v Value, claim: &Claim) -> Option<&'v Value> {
    claim.path.iter().try_fold(claims, |value, name| value.as_object()?.get(name))
}

/// The strings of a claim: of a list those that are some, and one alone as it stands.
fn texts(value: &Value) -> Vec<String> {
    let one = std::slice::from_ref(value);
    let all = value.as_array().map_or(one, Vec::as_slice);
    all.iter().take(VALUES_MAX).filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(name_claim: &[&str], role_claim: &[&str]) -> Oidc {
        let claim = |path: &[&str]| Claim {
            written: path.join("."),
            path: path.iter().map(|name| (*name).to_owned()).collect(),
        };
        Oidc {
            issuer: "https://login.example.com".to_owned(),
            client_id: "leaver".to_owned(),
            client_secret: None,
            scopes: vec!["openid".to_owned()],
            name_claim: claim(name_claim),
            role_claim: claim(role_claim),
            label: String::new(),
            roles: vec![
                ("look".to_owned(), Role::Viewer),
                ("work".to_owned(), Role::Operator),
                ("release".to_owned(), Role::Approver),
            ],
            operators: vec![("alice".to_owned(), "Alice Smith".to_owned())],
            redirect_url: "https://leaver.example.com/sign-in/oidc/callback".parse().unwrap(),
        }
    }

    fn role(claims: &Value, role_claim: &[&str]) -> Option<Role> {
        let settings = settings(&["sub"], role_claim);
        let mut claims = claims.clone();
        claims["sub"] = json!("jane");
        Found::of(&settings, &claims).person(&settings, "jane").ok().map(|person| person.role)
    }

    #[test]
    fn the_highest_role_that_the_values_give_is_taken_and_without_one_nobody_comes_in() {
        assert_eq!(role(&json!({"roles": ["look", "release", "other"]}), &["roles"]), Some(Role::Approver));
        assert_eq!(role(&json!({"roles": "work"}), &["roles"]), Some(Role::Operator));
        for none in [
            json!({}),
            json!({"roles": []}),
            json!({"roles": ["LOOK", "look ", "lookout"]}),
            json!({"roles": "look work"}),
            json!({"roles": {"look": true}}),
            json!({"roles": [["look"]]}),
            json!({"roles": null}),
        ] {
            assert_eq!(role(&none, &["roles"]), None, "{none}");
        }
    }

    #[test]
    fn a_claim_is_found_below_others() {
        let claims = json!({"realm_access": {"roles": ["look"]}, "a.b": ["release"]});
        assert_eq!(role(&claims, &["realm_access", "roles"]), Some(Role::Viewer));
        assert_eq!(role(&claims, &["a.b"]), Some(Role::Approver));
        assert_eq!(role(&claims, &["realm_access", "roles", "0"]), None);
    }

    #[test]
    fn a_name_that_could_be_taken_for_another_is_refused() {
        let settings = settings(&["preferred_username"], &["roles"]);
        let person = |name: Value| {
            let claims = json!({"preferred_username": name, "roles": ["look"]});
            Found::of(&settings, &claims).person(&settings, "s").map(|person| person.name)
        };
        assert_eq!(person(json!("jane.doe@example.com")).unwrap(), "jane.doe@example.com");
        assert_eq!(
            person(json!("alice smith")).unwrap(),
            "alice smith",
            "whoever is linked is named otherwise"
        );
        for refused in [
            json!(""),
            json!("jane doe"),
            json!("jane (command line)"),
            json!("j\u{e4}ne"),
            json!("\u{430}lice"),
            json!("a".repeat(65)),
            json!(7),
            json!(null),
        ] {
            assert!(matches!(person(refused.clone()), Err(OidcError::NoName)), "{refused}");
        }
    }

    #[test]
    fn an_address_that_nobody_has_checked_names_nobody() {
        let settings = settings(&["email"], &["roles"]);
        let person = |verified: Value| {
            let claims = json!({"email": "jane@example.com", "email_verified": verified, "roles": "look"});
            Found::of(&settings, &claims).person(&settings, "s").is_ok()
        };
        assert!(person(json!(true)) && person(json!(null)) && !person(json!(false)));
    }

    #[test]
    fn what_the_id_token_says_stays_and_what_it_lacks_is_completed() {
        let settings = settings(&["preferred_username"], &["roles"]);
        let mut found = Found::of(&settings, &json!({"roles": ["look"]}));
        assert!(found.lacks_any());
        found.complete(&settings, &json!({"preferred_username": "jane", "roles": ["release"]}));
        assert!(!found.lacks_any());
        let person = found.person(&settings, "s").unwrap();
        assert_eq!((person.name.as_str(), person.role), ("jane", Role::Viewer));
    }
}
