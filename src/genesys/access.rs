//! Access: what this service's own OAuth client may do. Whether that is enough is left to others.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    Genesys,
    error::{Error, Fault, Trace},
    ids::{SubjectId, UserId, segment},
    send::Request,
};

#[derive(Deserialize)]
struct RawToken {
    #[serde(rename = "OAuthClient")]
    client: RawClient,
    #[serde(rename = "clonedUser")]
    cloned_user: Option<RawUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClient {
    id: SubjectId,
    created_by: Option<RawUser>,
}

#[derive(Deserialize)]
struct RawUser {
    id: Option<String>,
}

#[derive(Deserialize)]
struct RawSubject {
    id: SubjectId,
    grants: Vec<RawGrant>,
}

#[derive(Deserialize)]
struct RawGrant {
    role: RawRole,
}

#[derive(Deserialize)]
struct RawRole {
    policies: Vec<RawPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPolicy {
    domain: String,
    entity_name: String,
    actions: Vec<String>,
}

impl Genesys {
    /// Tells whether this service's own token names the user: as who made the OAuth client, or as whom it stands for. A
    /// client of the grant "client credentials" has no user of its own; Genesys tells no more than this.
    pub async fn is_behind_own_client(&self, user: &UserId) -> Result<bool, Error> {
        let request = Request::get("/api/v2/tokens/me".to_owned());
        let (token, _): (RawToken, Trace) = self.read("this service's token", &request).await?;
        let named = [token.client.created_by, token.cloned_user].into_iter().flatten();
        Ok(named.filter_map(|named| named.id).any(|id| id == user.as_str()))
    }

    /// Reads the permissions of this service's own OAuth client, in whatever divisions, as `domain:entity:action`,
    /// sorted and each once. An entity or an action may be `*`, which stands for all: ask with [`permits`].
    pub async fn own_permissions(&self) -> Result<Vec<String>, Error> {
        let request = Request::get("/api/v2/tokens/me".to_owned());
        let (token, _): (RawToken, Trace) = self.read("this service's token", &request).await?;
        let client = token.client.id;
        let subject = "this service's grants";
        let path = format!("/api/v2/authorization/subjects/{}", segment(client.as_str()));
        let (found, trace): (RawSubject, Trace) = self.read(subject, &Request::get(path)).await?;
        if found.id != client {
            return Err(Error::Malformed { subject, fault: Fault::Foreign, trace });
        }
        let policies = found.grants.into_iter().flat_map(|grant| grant.role.policies);
        let named = policies.flat_map(|policy| {
            let RawPolicy { domain, entity_name, actions } = policy;
            actions.into_iter().map(move |action| format!("{domain}:{entity_name}:{action}"))
        });
        Ok(named.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

/// Tells whether the granted permissions have the wanted one, `*` in a granted one standing for anything. A wanted bare
/// word, as Genesys publishes `admin` for some calls, is all of the domain of this name, or the word itself.
pub fn permits(granted: &[String], wanted: &str) -> bool {
    let wanted = parts(wanted);
    granted.iter().any(|granted| {
        let granted = parts(granted);
        let covers = |(has, wants): (&&str, &&str)| *has == "*" || has == wants;
        granted.len() == wanted.len() && granted.iter().zip(&wanted).all(covers)
    })
}

fn parts(permission: &str) -> Vec<&str> {
    if permission.contains(':') { permission.split(':').collect() } else { vec![permission, "*", "*"] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(granted: &[&str], wanted: &str) -> bool {
        permits(&granted.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), wanted)
    }

    #[test]
    fn a_star_stands_for_anything_in_its_place() {
        for granted in
            ["routing:queue:edit", "routing:queue:*", "routing:*:edit", "routing:*:*", "*:*:*", "routing"]
        {
            assert!(permitted(&["a:b:c", granted], "routing:queue:edit"), "{granted}");
        }
        for granted in ["routing:queue:view", "routing:queue", "routing:queueMember:*", "rout:*:*", "", "*:*"]
        {
            assert!(!permitted(&[granted], "routing:queue:edit"), "{granted}");
        }
        assert!(!permitted(&[], "routing:queue:edit"));
        assert!(!permitted(&["routing:queue:edit"], "routing:queue:*"), "one action is not all of them");
    }

    #[test]
    fn a_bare_word_is_the_whole_domain() {
        for granted in ["admin", "admin:*:*", "*:*:*"] {
            assert!(permitted(&[granted], "admin"), "{granted}");
        }
        for granted in ["admin:user:*", "directory:user:edit", "administrator"] {
            assert!(!permitted(&[granted], "admin"), "{granted}");
        }
    }
}
