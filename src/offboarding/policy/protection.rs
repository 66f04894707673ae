//! Whom nobody takes out without an approval.

use crate::offboarding::choices::Protected;
use crate::offboarding::event::email_key;

/// Something that a protected list can name by its id or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name, where Genesys Cloud gave one.
    pub name: Option<String>,
}

impl Named {
    fn is_called(&self, text: &str) -> bool {
        self.id == text || self.name.as_deref() == Some(text)
    }
}

/// What a protected list can name somebody by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The address in Genesys Cloud.
    pub email: Option<String>,
    /// The Genesys user's id.
    pub id: String,
    /// The roles that apply to the person, through groups too.
    pub roles: Vec<Named>,
    /// The division.
    pub division: Option<Named>,
    /// The groups that the person is in.
    pub groups: Vec<Named>,
}

/// What a list says about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It does not name them.
    None,
    /// It names them.
    Listed,
    /// It may name them: Genesys Cloud does not tell the name of something that they have.
    Unknown(&'static str),
}

/// Whether the list names this person. Ids and names are compared exactly, addresses with ASCII letters folded.
pub fn protection(list: &[Protected], who: &Standing) -> Protection {
    let of_all = list.iter().map(|protected| by(protected, who));
    of_all.fold(Protection::None, |sum, one| match (sum, one) {
        (Protection::Listed, _) | (_, Protection::Listed) => Protection::Listed,
        (unknown @ Protection::Unknown(_), _) | (Protection::None, unknown) => unknown,
    })
}

fn by(protected: &Protected, who: &Standing) -> Protection {
    let listed = |named| if named { Protection::Listed } else { Protection::None };
    match protected {
        Protected::Email(email) => {
            let address = who.email.as_deref().and_then(email_key);
            listed(address.is_some() && email_key(email) == address)
        }
        Protected::Id(id) => listed(*id == who.id),
        Protected::Role(role) => among(role, &who.roles, "a role has no name"),
        Protected::Division(division) => among(division, who.division.as_slice(), "the division has no name"),
        Protected::Group(group) => among(group, &who.groups, "a group has no name"),
    }
}

fn among(text: &str, all: &[Named], nameless: &'static str) -> Protection {
    if all.iter().any(|one| one.is_called(text)) {
        Protection::Listed
    } else if all.iter().any(|one| one.name.is_none()) {
        Protection::Unknown(nameless)
    } else {
        Protection::None
    }
}

/// Those of the person's roles that make an administrator, each once.
pub fn administrator_roles<'a>(names: &[String], roles: &'a [Named]) -> Vec<&'a Named> {
    let mut found: Vec<&Named> = Vec::new();
    for role in roles {
        if names.iter().any(|name| role.is_called(name)) && found.iter().all(|known| known.id != role.id) {
            found.push(role);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Named {
        Named { id: id.to_owned(), name: Some(name.to_owned()) }
    }

    fn jane() -> Standing {
        Standing {
            email: Some("Jane@Example.com".to_owned()),
            id: "7".to_owned(),
            roles: vec![named("r1", "Master Admin"), named("r2", "Agent"), named("r1", "Master Admin")],
            division: Some(named("d1", "Board")),
            groups: vec![named("g1", "Directors")],
        }
    }

    fn asked(text: &str, who: &Standing) -> Protection {
        protection(&["id:9".parse().unwrap(), text.parse().unwrap()], who)
    }

    #[test]
    fn somebody_is_protected_by_address_id_role_division_or_group() {
        for text in [
            "jane@example.com",
            "id:7",
            "role:r1",
            "role:Master Admin",
            "division:d1",
            "division:Board",
            "group:g1",
            "group:Directors",
        ] {
            assert_eq!(asked(text, &jane()), Protection::Listed, "{text}");
        }
        for text in ["john@example.com", "id:8", "role:Admin", "role:master admin", "division:d2", "group:r1"]
        {
            assert_eq!(asked(text, &jane()), Protection::None, "{text}");
        }
        let nobody = Standing { id: "8".to_owned(), ..Standing::default() };
        assert_eq!(asked("jane@example.com", &nobody), Protection::None);
        assert_eq!(protection(&[], &jane()), Protection::None);
    }

    #[test]
    fn a_name_that_is_not_told_may_be_the_one() {
        let nameless = Named { id: "x".to_owned(), name: None };
        let mut who = jane();
        who.groups.push(nameless.clone());
        assert_eq!(asked("group:Board", &who), Protection::Unknown("a group has no name"));
        assert_eq!(asked("group:Directors", &who), Protection::Listed);
        assert_eq!(asked("role:Chief", &who), Protection::None);
        who.division = Some(nameless);
        assert_eq!(asked("division:Board", &who), Protection::Unknown("the division has no name"));
        assert_eq!(asked("division:x", &who), Protection::Listed);
    }

    #[test]
    fn a_role_makes_an_administrator_by_its_name_or_its_id() {
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            administrator_roles(&names, &jane().roles).iter().map(|role| role.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(&["Master Admin", "Admin"]), ["r1"]);
        assert_eq!(of(&["r2"]), ["r2"]);
        assert_eq!(of(&["Admin", "agent"]), Vec::<String>::new());
        assert_eq!(of(&[]), Vec::<String>::new());
    }
}
