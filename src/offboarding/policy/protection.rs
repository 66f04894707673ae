//! Whom nobody takes out without an approval.

use crate::offboarding::choices::Protected;
use crate::offboarding::event::email_key;

/// What a protected list can name somebody by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The address in Genesys Cloud.
    pub email: Option<String>,
    /// The Genesys user's id.
    pub id: String,
    /// The ids and names of the roles that apply to the person, through groups too.
    pub roles: Vec<String>,
    /// The id and the name of the division.
    pub divisions: Vec<String>,
}

/// Whether the list names this person.
pub fn is_protected(list: &[Protected], who: &Standing) -> bool {
    let address = who.email.as_deref().and_then(email_key);
    list.iter().any(|protected| match protected {
        Protected::Email(email) => address.is_some() && email_key(email) == address,
        Protected::Id(id) => *id == who.id,
        Protected::Role(role) => who.roles.contains(role),
        Protected::Division(division) => who.divisions.contains(division),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_protected_by_address_id_role_or_division() {
        let who = Standing {
            email: Some("Jane@Example.com".to_owned()),
            id: "7".to_owned(),
            roles: vec!["r1".to_owned(), "Master Admin".to_owned()],
            divisions: vec!["d1".to_owned(), "Board".to_owned()],
        };
        let named = |text: &str| is_protected(&[text.parse().unwrap()], &who);
        for text in
            ["jane@example.com", "id:7", "role:r1", "role:Master Admin", "division:d1", "division:Board"]
        {
            assert!(named(text), "{text}");
        }
        for text in ["john@example.com", "id:8", "role:Admin", "division:d2"] {
            assert!(!named(text), "{text}");
        }
        let nobody = Standing { id: "8".to_owned(), ..Standing::default() };
        assert!(!is_protected(&["jane@example.com".parse().unwrap()], &nobody) && !is_protected(&[], &who));
    }
}
