//! Whole conversations, in the words of the providers' own documentation, and what comes of them.

use std::time::Duration;

use leaver_simulator::presets;
use serde_json::{Value, json};

use super::{
    CORE, ENTERPRISE, RECEIVE, by_name, call, events, is_at, offboardings, patch, provision, request,
    set_active, source,
};
use crate::edge::{Answer, eventually};
use crate::support::{World, leaver};

#[tokio::test]
async fn oktas_conversation_ends_in_one_termination() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    // The test of the connection.
    for path in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
        let list = call(&service, "GET", path, None).await;
        assert_eq!((list.status, list.header("content-type")), (200, Some("application/scim+json")));
        let empty = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0,
                           "startIndex": 1, "itemsPerPage": 0, "Resources": []});
        assert_eq!(list.json(), empty);
    }
    assert_eq!(by_name(&service, "test.user@okta.local").await["totalResults"], 0);
    let user = json!({
        "schemas": [CORE], "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "groups": [],
        "password": "1mz050nq", "active": true,
    });
    let created = call(&service, "POST", "/Users", Some(&user)).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let shown = created.json();
    let id = shown["id"].as_str().unwrap();
    let location = format!("/scim/v2/idp/Users/{id}");
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert!(uuid::Uuid::parse_str(id).is_ok());
    assert_eq!(shown["meta"]["location"], location);
    assert_eq!(shown["meta"]["resourceType"], "User");
    assert!(shown["meta"]["created"].is_string() && shown["meta"]["lastModified"].is_string());
    assert_eq!((&shown["active"], &shown["schemas"]), (&json!(true), &json!([CORE])));
    assert_eq!(shown["name"], user["name"]);
    assert!(!created.text().contains("1mz050nq"), "a password is shown to nobody");
    // Linked again from another application of the provider, in another case.
    let found = by_name(&service, "Test.User@OKTA.local").await;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(call(&service, "GET", &format!("/Users/{id}"), None).await.json(), found["Resources"][0]);
    // A profile is pushed: a PUT with everything, and nothing is said by it.
    let mut pushed = user.clone();
    pushed["id"] = json!(id);
    pushed["title"] = json!("Agent");
    pushed["userName"] = json!("test.user2@okta.local");
    let put = call(&service, "PUT", &format!("/Users/{id}"), Some(&pushed)).await;
    assert_eq!((put.status, &put.json()["title"]), (200, &json!("Agent")), "{}", put.text());
    assert_eq!(events(&world).await, 0);
    // Deactivated: an integration of the catalogue patches, said twice.
    for _ in 0..2 {
        let answer = set_active(&service, id, false).await;
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)), "{}", answer.text());
    }
    let offboardings = offboardings(&service).await;
    assert_eq!((offboardings.len(), events(&world).await), (1, 1));
    is_at(&offboardings[0], "scheduled", None, Some("test.user2@okta.local"));
    assert_eq!(offboardings[0]["person"]["external_id"], "00ujl29u0le5T6Aj10h7");
    assert_eq!(
        (&offboardings[0]["source"], &offboardings[0]["event_ids"]),
        (&json!("idp"), &json!([format!("scim:{id}:3")]))
    );
    let stored = world
        .number("select count(*) from events where position('1mz050nq' in encode(body, 'escape')) > 0")
        .await;
    assert_eq!(stored, 0);
    let stored = world.number("select count(*) from scim_users where resource::text like '%1mz050nq%'").await;
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn a_custom_application_of_okta_deactivates_by_put() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(&service, json!({"userName": "test.user@okta.local", "externalId": "00u1"})).await;
    let put = json!({"schemas": [CORE], "id": id, "userName": "test.user@okta.local", "active": false});
    for _ in 0..2 {
        let answer = call(&service, "PUT", &format!("/Users/{id}"), Some(&put)).await;
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)), "{}", answer.text());
        assert_eq!(answer.json()["externalId"], "00u1", "what tells who it is stays where it is left out");
    }
    let cases = offboardings(&service).await;
    assert_eq!((cases.len(), events(&world).await), (1, 1));
    is_at(&cases[0], "scheduled", None, Some("test.user@okta.local"));
    // Whether somebody is active is not said, and so stays.
    let silent = json!({"schemas": [CORE], "userName": "test.user@okta.local"});
    let answer = call(&service, "PUT", &format!("/Users/{id}"), Some(&silent)).await;
    assert_eq!((answer.status, &answer.json()["active"], events(&world).await), (200, &json!(false), 1));
    let back = json!({"schemas": [CORE], "userName": "test.user@okta.local", "active": true});
    assert_eq!(call(&service, "PUT", &format!("/Users/{id}"), Some(&back)).await.status, 200);
    is_at(&offboardings(&service).await[0], "cancelled", Some("rescinded"), Some("test.user@okta.local"));
}

#[tokio::test]
async fn entras_conversation_ends_in_one_termination() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    for path in ["/Schemas", "/ServiceProviderConfig", "/ResourceTypes"] {
        assert_eq!(call(&service, "GET", path, None).await.status, 200, "{path}");
    }
    assert_eq!(by_name(&service, "5b5f0a4c-not-there").await["Resources"], json!([]));
    let user = json!({
        "schemas": [CORE, ENTERPRISE], "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee", "active": true,
        "emails": [{"primary": true, "type": "work", "value": "ann@contoso.com"}],
        "meta": {"resourceType": "User"}, "name": {"formatted": "givenName familyName"}, "roles": [],
        ENTERPRISE: {"department": "Service"},
    });
    let id = provision(&service, user).await;
    let patched = patch(&service, &id, json!([
        {"op": "Replace", "path": r#"emails[type eq "work"].value"#, "value": "updated@contoso.com"},
        {"op": "Add", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": [{"$ref": "http://x", "value": "7"}]},
        {"op": "Remove", "path": format!("{ENTERPRISE}:department")},
        {"op": "Add", "value": {"displayName": "Ann", format!("{ENTERPRISE}:employeeNumber"): "E7"}},
    ]))
    .await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    let shown = patched.json();
    assert_eq!(shown["emails"][0], json!({"primary": true, "type": "work", "value": "updated@contoso.com"}));
    assert_eq!(shown["name"]["familyName"], "updatedFamilyName");
    let manager = json!([{"$ref": "http://x", "value": "7"}]);
    assert_eq!(shown[ENTERPRISE], json!({"employeeNumber": "E7", "manager": manager}));
    assert_eq!(shown["schemas"], json!([CORE, ENTERPRISE]));
    assert_eq!(events(&world).await, 0);
    let disabled = patch(&service, &id, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
    assert_eq!((disabled.status, &disabled.json()["active"]), (200, &json!(false)));
    is_at(&offboardings(&service).await[0], "scheduled", None, Some("Test_User_ab6490ee"));
    // Thirty days later the user is deleted there.
    let gone = call(&service, "DELETE", &format!("/Users/{id}"), None).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    for method in ["GET", "DELETE"] {
        super::is_refused(&call(&service, method, &format!("/Users/{id}"), None).await, 404, None);
    }
    assert_eq!((events(&world).await, offboardings(&service).await.len()), (1, 1), "said once");
}

#[tokio::test]
async fn a_deactivation_offboards_and_one_that_is_taken_back_does_not() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
        presets::fully_assigned_agent(org, "John Roe", "john@example.com", "W2");
    });
    let service = world.serve(&source(""), RECEIVE);
    let john = provision(&service, json!({"userName": "john@example.com"})).await;
    assert_eq!(set_active(&service, &john, false).await.status, 200);
    assert_eq!(set_active(&service, &john, true).await.status, 200);
    is_at(&offboardings(&service).await[0], "cancelled", Some("rescinded"), Some("john@example.com"));
    drop(service);

    let service = world.serve(&format!("requests_per_minute = 3000\n{}", source("")), &["serve"]);
    let jane = provision(&service, json!({"userName": "jane@example.com"})).await;
    assert_eq!(set_active(&service, &jane, false).await.status, 200);
    let done = eventually("Jane is offboarded", Duration::from_secs(60), || async {
        let jane = offboardings(&service).await.pop()?;
        (jane["status"] == "done").then_some(jane)
    })
    .await;
    assert_eq!(
        (&done["outcome"], &done["person"]["email"]),
        (&json!("offboarded"), &json!("jane@example.com"))
    );
    // Restored and active again at the provider: nothing is put back by itself; the next leaving is another event.
    assert_eq!(set_active(&service, &jane, true).await.status, 200);
    assert_eq!(offboardings(&service).await.len(), 2);
    let changed: Vec<Value> = world
        .simulator
        .journal()
        .iter()
        .filter(|entry| format!("{entry:?}").contains("john@example.com"))
        .map(|entry| json!(format!("{entry:?}")))
        .collect();
    assert_eq!(changed, Vec::<Value>::new(), "nobody looked John up");
}

#[tokio::test]
async fn what_is_offered_can_be_discovered() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let get = async |path: &str| call(&service, "GET", path, None).await;
    let provider = get("/ServiceProviderConfig").await.json();
    assert_eq!(
        (&provider["patch"]["supported"], &provider["bulk"]["supported"], &provider["filter"]["maxResults"]),
        (&json!(true), &json!(false), &json!(200))
    );
    assert_eq!(provider["authenticationSchemes"][0]["type"], "oauthbearertoken");
    let types = get("/ResourceTypes").await.json();
    assert_eq!((&types["totalResults"], &types["Resources"][0]["schema"]), (&json!(1), &json!(CORE)));
    assert_eq!(get("/ResourceTypes/User").await.json(), types["Resources"][0]);
    let schemas = get("/Schemas").await.json();
    assert_eq!(schemas["totalResults"], 2);
    for schema in schemas["Resources"].as_array().unwrap() {
        assert_eq!(&get(&format!("/Schemas/{}", schema["id"].as_str().unwrap())).await.json(), schema);
    }
    for path in ["/Schemas/urn:x", "/ResourceTypes/Group", "/Groups/1", "/Bulk", "/Me", "/Users/", "/"] {
        let answer = get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let config = world.config(&source(""));
    let mut check = leaver(&config);
    let said = check.args(["check", "--json"]).output().expect("a process");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("idp (scim)"), "{said}");
    let file = config.with_extension("json");
    std::fs::write(&file, "{}").unwrap();
    let mut send = leaver(&config);
    let sent = send.args(["send", "--source", "idp", "--file"]).arg(&file).output().expect("a process");
    assert_eq!(sent.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&sent.stderr).contains("speaks SCIM"));
}

#[tokio::test]
async fn users_are_listed_in_pages_and_found_by_what_names_them() {
    let world = World::new().await;
    let service = world.serve(&format!("{}\n{}", source(""), source("").replace("idp", "idp2")), RECEIVE);
    let mut ids = Vec::new();
    for number in 0..5 {
        let user = json!({"userName": format!("u{number}@example.com"), "externalId": format!("X{number}")});
        ids.push(provision(&service, user).await);
    }
    let list = async |query: &[(&str, &str)]| {
        let answer = Answer::to(request(&service, "GET", "/Users", None).query(query)).await;
        assert_eq!(answer.status, 200, "{query:?}: {}", answer.text());
        let list = answer.json();
        let found: Vec<String> = list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(list["itemsPerPage"], found.len());
        (list["totalResults"].as_i64().unwrap(), list["startIndex"].as_i64().unwrap(), found)
    };
    assert_eq!(list(&[]).await, (5, 1, ids.clone()));
    assert_eq!(list(&[("startIndex", "2"), ("count", "2")]).await, (5, 2, ids[1..3].to_vec()));
    assert_eq!(list(&[("startIndex", "-7"), ("count", "1")]).await, (5, 1, ids[..1].to_vec()));
    assert_eq!(list(&[("startIndex", "9223372036854775807")]).await, (5, i64::MAX, vec![]));
    assert_eq!(list(&[("count", "0")]).await, (5, 1, vec![]));
    assert_eq!(list(&[("count", "-3")]).await, (5, 1, vec![]));
    assert_eq!(list(&[("filter", r#"externalId eq "X3""#)]).await, (1, 1, ids[3..4].to_vec()));
    assert_eq!(list(&[("filter", r#"externalId eq "x3""#)]).await, (0, 1, vec![]), "ids have a case");
    assert_eq!(list(&[("filter", &format!(r#"id eq "{}""#, ids[2]))]).await, (1, 1, ids[2..3].to_vec()));
    assert_eq!(list(&[("filter", r#"id eq "7""#)]).await, (0, 1, vec![]));
    // Neither SQL nor patterns nor another source's.
    for odd in ["' or 1=1 --", "%", "u_@example.com", r#"\" or \""#, "\u{212A}"] {
        let filter = format!("userName eq \"{odd}\"");
        assert_eq!(list(&[("filter", &filter)]).await, (0, 1, vec![]), "{odd}");
    }
    let other = request(&service, "GET", "/Users", None).build().unwrap();
    let url = other.url().to_string().replace("/idp/", "/idp2/");
    let other = crate::support::client().get(url).bearer_auth(super::TOKEN);
    assert_eq!(Answer::to(other).await.json()["totalResults"], 0);
}
