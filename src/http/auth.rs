//! Operators and their bearer tokens: compared in constant time, held in memory only as hashes.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::config::{Operator, Role};
use crate::offboarding::Actor;

/// Everybody who may call the operator API.
#[derive(Clone)]
pub struct Operators(Arc<Vec<Known>>);

struct Known {
    name: String,
    role: Role,
    token_hash: [u8; 32],
}

/// The operator who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As configured.
    pub name: String,
    /// Includes the roles before it.
    pub role: Role,
}

impl Caller {
    /// The name in the journal.
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.name.clone())
    }

    /// Fails where the role is not enough.
    pub fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role { Ok(()) } else { Err(Problem::RoleNeeded(role.as_str())) }
    }
}

impl Operators {
    /// Takes the configured operators and keeps only the hashes of their tokens.
    pub fn new(operators: &[Operator]) -> Self {
        let known = operators.iter().map(|operator| Known {
            name: operator.name.clone(),
            role: operator.role,
            token_hash: Sha256::digest(operator.token.expose_secret()).into(),
        });
        Self(Arc::new(known.collect()))
    }

    /// The operator whose token the request carries.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::TokenNeeded);
        };
        let (scheme, token) = value.as_bytes().split_at(value.len().min("Bearer ".len()));
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return Err(Problem::TokenNeeded);
        }
        self.of_token(token).ok_or(Problem::TokenNeeded)
    }

    /// The operator who has this token.
    pub fn of_token(&self, token: &[u8]) -> Option<Caller> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        // Every token is compared, so that the time tells neither whose it nearly was nor how many there are.
        let mut found = None;
        for known in self.0.iter() {
            if bool::from(known.token_hash.ct_eq(&hash)) {
                found = Some(Caller { name: known.name.clone(), role: known.role });
            }
        }
        found
    }

    /// The hash of the token that the operator of this name and role has at present.
    pub(super) fn token_hash(&self, caller: &Caller) -> Option<&[u8; 32]> {
        let same = |known: &&Known| known.name == caller.name && known.role == caller.role;
        self.0.iter().find(same).map(|known| &known.token_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operators() -> Operators {
        let operator =
            |name: &str, role, token: &str| Operator { name: name.to_owned(), role, token: token.into() };
        Operators::new(&[
            operator("vera", Role::Viewer, "viewer-token-0123456789"),
            operator("alice", Role::Approver, "approver-token-0123456789"),
        ])
    }

    fn caller(values: &[&str]) -> Result<Caller, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        operators().caller(&headers)
    }

    #[test]
    fn only_a_whole_token_names_an_operator() {
        assert_eq!(caller(&["Bearer viewer-token-0123456789"]).unwrap().name, "vera");
        assert_eq!(caller(&["bearer approver-token-0123456789"]).unwrap().role, Role::Approver);
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer viewer-token-012345678", "Basic viewer-token-0123456789"]
        {
            assert_eq!(caller(&[wrong]), Err(Problem::TokenNeeded), "{wrong:?}");
        }
        assert_eq!(caller(&[]), Err(Problem::TokenNeeded));
    }

    #[test]
    fn two_tokens_at_once_are_none() {
        let both = ["Bearer viewer-token-0123456789", "Bearer approver-token-0123456789"];
        assert_eq!(caller(&both), Err(Problem::TokenNeeded));
    }

    #[test]
    fn a_role_includes_the_ones_before_it() {
        let vera = caller(&["Bearer viewer-token-0123456789"]).unwrap();
        assert_eq!(vera.needs(Role::Operator), Err(Problem::RoleNeeded("operator")));
        assert!(caller(&["Bearer approver-token-0123456789"]).unwrap().needs(Role::Operator).is_ok());
    }
}
