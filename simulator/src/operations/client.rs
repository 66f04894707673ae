//! The OAuth client as it sees itself: its token, its one role, what the role permits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Call, Operations, user_json};
use crate::answer::{Answer, Problem};
use crate::definition::definition;
use crate::organisation::Organisation;
use crate::rules::{OwnGrants, Rules};

pub(super) const OPERATIONS: Operations = &[("getTokensMe", get_token)];

const CLIENT_NAME: &str = "Leaver";
const ROLE_NAME: &str = "Leaver service";

fn get_token(organisation: &mut Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    let own = json!({"id": organisation.own_id(), "name": "Simulated organisation"});
    let idles = call.wall_clock + call.rules.token_lifetime;
    let mut token = json!({
        "organization": own,
        "homeOrganization": own,
        "authorizedScope": [],
        "dateTokenIdles": idles.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "OAuthClient": {
            "id": organisation.client,
            "name": CLIENT_NAME,
            "authorizedGrantType": "CLIENT-CREDENTIALS",
            "scope": [],
            "roleDivisions": [{"roleId": organisation.client_role(), "divisionId": organisation.home()}],
            "state": "active",
            "organization": own,
        },
    });
    if let Some(id) = &organisation.client_made_by {
        token["OAuthClient"]["createdBy"] = json!({"id": id, "selfUri": format!("/api/v2/users/{id}")});
    }
    Ok(Answer::json(token))
}

/// Gives the client as a subject: one role, in the Home division, with a policy for each kind of thing it may touch.
pub(super) fn subject(organisation: &Organisation, call: &Call<'_>) -> Result<Answer, Problem> {
    match call.rules.own_grants {
        OwnGrants::Readable => {}
        OwnGrants::NotFound => return Err(Problem::not_found()),
    }
    let (id, role) = (&organisation.client, organisation.client_role());
    let mut division = user_json::division(organisation, &organisation.home());
    division["description"] = Value::from("");
    division["homeDivision"] = Value::from(true);
    Ok(Answer::json(json!({
        "id": id,
        "name": CLIENT_NAME,
        "grants": [{
            "subjectId": id,
            "division": division,
            "role": {
                "id": role,
                "name": ROLE_NAME,
                "description": "",
                "policies": policies(call.rules),
                "default": false,
                "selfUri": format!("/api/v2/authorization/roles/{role}"),
            },
            "grantMadeAt": call.date(),
        }],
        "version": 1,
        "selfUri": format!("/api/v2/authorization/subjects/{id}"),
    })))
}

/// Groups the permissions the client holds, `domain:entity:action` each, by domain and entity.
fn policies(rules: &Rules) -> Vec<Value> {
    let mut actions: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for permission in held(rules) {
        // Names without three parts, like `admin`, are older than policies and stand in none.
        if let [domain, entity, action] = permission.split(':').collect::<Vec<_>>()[..] {
            let key = (domain.to_owned(), entity.to_owned());
            actions.entry(key).or_default().insert(action.to_owned());
        }
    }
    let policies = actions.into_iter();
    policies
        .map(
            |((domain, entity), actions)| json!({"domain": domain, "entityName": entity, "actions": actions}),
        )
        .collect()
}

/// Gives what the client was given, or else everything any operation needs, without what is withheld.
fn held(rules: &Rules) -> BTreeSet<String> {
    let given = match &rules.client_permissions {
        Some(given) => given.clone(),
        None => {
            definition().operations.iter().flat_map(|operation| &operation.permissions).cloned().collect()
        }
    };
    given.into_iter().filter(|permission| rules.client_holds(permission)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Probe;

    /// Gives the permissions the client reads about itself.
    async fn own_permissions(probe: &Probe) -> BTreeSet<String> {
        let client = probe.get("/api/v2/tokens/me").await.body["OAuthClient"]["id"].clone();
        let path = format!("/api/v2/authorization/subjects/{}", client.as_str().unwrap());
        let subject = probe.get(&path).await;
        assert_eq!(subject.body["grants"].as_array().unwrap().len(), 1);
        let mut permissions = BTreeSet::new();
        for policy in subject.body["grants"][0]["role"]["policies"].as_array().unwrap() {
            for action in policy["actions"].as_array().unwrap() {
                let part = |value: &Value| value.as_str().unwrap().to_owned();
                let (domain, entity) = (part(&policy["domain"]), part(&policy["entityName"]));
                permissions.insert(format!("{domain}:{entity}:{}", part(action)));
            }
        }
        permissions
    }

    #[tokio::test]
    async fn the_token_names_the_client_its_role_and_its_organisation() {
        let probe = Probe::start().await;
        let token = probe.get("/api/v2/tokens/me").await;
        assert_eq!(token.body["OAuthClient"]["id"], probe.simulator.client_id());
        assert_eq!(token.body["organization"], token.body["homeOrganization"]);
        let home = probe.simulator.organisation(|org| org.home());
        assert_eq!(token.body["OAuthClient"]["roleDivisions"][0]["divisionId"], home.as_str());
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn the_client_holds_what_any_operation_needs_except_what_is_withheld() {
        let probe = Probe::start().await;
        let all = own_permissions(&probe).await;
        for operation in &definition().operations {
            let missing = operation.permissions.iter().find(|p| p.contains(':') && !all.contains(*p));
            assert_eq!(missing, None, "{}", operation.id);
        }
        probe.simulator.withhold_permission("oauth:token:delete");
        let fewer = own_permissions(&probe).await;
        assert_eq!(all.difference(&fewer).collect::<Vec<_>>(), ["oauth:token:delete"]);
        probe.assert_no_violations();
    }

    #[tokio::test]
    async fn a_client_with_few_permissions_reads_exactly_them_and_is_refused_the_rest() {
        let probe = Probe::start().await;
        let few = BTreeSet::from(["authorization:grant:view".to_owned(), "routing:queue:view".to_owned()]);
        probe.simulator.rules(|rules| rules.client_permissions = Some(few.clone()));
        assert_eq!(own_permissions(&probe).await, few);
        let stranger = probe.simulator.organisation(|org| org.stranger());
        assert_eq!(probe.get(&format!("/api/v2/users/{stranger}/queues")).await.status, 200);
        let refused = probe.delete(&format!("/api/v2/tokens/{stranger}")).await;
        assert_eq!((refused.status, &refused.body["code"]), (403, &json!("missing.any.permissions")));
    }

    #[tokio::test]
    async fn the_client_is_no_subject_where_the_rules_say_so() {
        let probe = Probe::start().await;
        probe.simulator.rules(|rules| rules.own_grants = OwnGrants::NotFound);
        let path = format!("/api/v2/authorization/subjects/{}", probe.simulator.client_id());
        assert_eq!(probe.get(&path).await.status, 404);
        assert_eq!(probe.get("/api/v2/tokens/me").await.status, 200);
    }
}
