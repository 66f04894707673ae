//! Which changes are events, and whom they are about.

use serde_json::{Value, json};
use sqlx::Row;

use super::{
    CORE, RECEIVE, call, events, is_at, is_refused, offboardings, patch, provision, set_active, source,
};
use crate::support::World;

#[tokio::test]
async fn each_published_shape_of_a_patch_has_its_effect() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let core = format!("{CORE}:active");
    let deactivations = [
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "replace", "value": {"displayName": "X", "active": false}}),
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "Replace", "path": "active", "value": false}),
        json!({"op": "Add", "path": "active", "value": "false"}),
        json!({"op": "replace", "path": "active", "value": [{"$ref": null, "value": "False"}]}),
        json!({"op": "replace", "path": "active", "value": [false]}),
        json!({"op": "replace", "path": core, "value": false}),
        json!({"op": "replace", "value": {core: "FALSE"}}),
        json!({"op": "REPLACE", "path": "Active", "value": false}),
    ];
    for (number, operation) in deactivations.iter().enumerate() {
        let name = format!("user{number}@example.com");
        let id = provision(&service, json!({"userName": name})).await;
        let answer = patch(&service, &id, json!([operation])).await;
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)), "{operation}");
        let last = offboardings(&service).await.pop().expect("an offboarding");
        is_at(&last, "scheduled", None, Some(&name));
        let back = patch(&service, &id, json!([{"op": "Replace", "path": "active", "value": "True"}])).await;
        assert_eq!((back.status, &back.json()["active"]), (200, &json!(true)));
        is_at(&offboardings(&service).await[number], "cancelled", Some("rescinded"), Some(&name));
    }
    let id = provision(&service, json!({"userName": "last@example.com"})).await;
    let before = call(&service, "GET", &format!("/Users/{id}"), None).await.json();
    let neither = [json!("0"), json!(0), json!(1), json!("no"), json!(""), json!(null), json!({}), json!([])];
    for value in neither {
        let answer = patch(&service, &id, json!([{"op": "replace", "path": "active", "value": value}])).await;
        is_refused(&answer, 400, Some("invalidValue"));
        let both = json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "value": {"active": value}}]);
        is_refused(&patch(&service, &id, both).await, 400, Some("invalidValue"));
    }
    is_refused(
        &patch(&service, &id, json!([{"op": "remove", "path": "active"}])).await,
        400,
        Some("invalidValue"),
    );
    is_refused(
        &patch(&service, &id, json!([{"op": "remove", "path": "userName"}])).await,
        400,
        Some("invalidValue"),
    );
    assert_eq!(
        call(&service, "GET", &format!("/Users/{id}"), None).await.json(),
        before,
        "nothing was changed"
    );
    assert_eq!(events(&world).await, 2 * i64::try_from(deactivations.len()).unwrap());
}

#[tokio::test]
async fn only_a_change_is_an_event_and_each_has_its_own_id() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let id = provision(
        &service,
        json!({"userName": "jane@example.com", "externalId": "7", "password": "s3cret-1"}),
    )
    .await;
    for active in [true, false, false, true, true, false] {
        assert_eq!(set_active(&service, &id, active).await.status, 200);
    }
    patch(&service, &id, json!([{"op": "add", "path": "title", "value": "x"}, {"op": "add", "path": "password", "value": "s3cret-2"}])).await;
    patch(&service, &id, json!([{"op": "replace", "path": "externalId", "value": "8"}])).await;
    let rows = world
        .rows(
            "select event_id, said, body, occurred_at, effective_at, key_index from events order by arrival",
        )
        .await;
    let said: Vec<(String, Option<String>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [(2, "leaves"), (3, "stays"), (4, "leaves")]
        .map(|(version, said)| (format!("scim:{id}:{version}"), Some(said.to_owned())));
    assert_eq!(said, expected);
    for (row, active) in rows.iter().zip([false, true, false]) {
        let body: Value = serde_json::from_slice(&row.get::<Vec<u8>, _>("body")).unwrap();
        assert_eq!(
            (&body["id"], &body["active"], &body["externalId"]),
            (&json!(id), &json!(active), &json!("7"))
        );
        assert!(row.get::<Option<chrono::DateTime<chrono::Utc>>, _>("occurred_at").is_some());
    }
    assert_eq!(world.number("select count(*) from scim_users where resource::text like '%s3cret%'").await, 0);
    let cases = offboardings(&service).await;
    assert_eq!(cases.len(), 2);
    is_at(&cases[0], "cancelled", Some("rescinded"), Some("jane@example.com"));
    is_at(&cases[1], "scheduled", None, Some("jane@example.com"));
}

#[tokio::test]
async fn a_deletion_is_an_event_where_nothing_was_said_before() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    let delete = async |id: &str| call(&service, "DELETE", &format!("/Users/{id}"), None).await.status;
    let active = provision(&service, json!({"userName": "active@example.com"})).await;
    assert_eq!((delete(&active).await, delete(&active).await), (204, 404));
    assert_eq!(events(&world).await, 1);
    is_at(&offboardings(&service).await[0], "scheduled", None, Some("active@example.com"));
    let inactive = provision(&service, json!({"userName": "inactive@example.com"})).await;
    set_active(&service, &inactive, false).await;
    assert_eq!((delete(&inactive).await, events(&world).await), (204, 2));
    let never = provision(&service, json!({"userName": "never@example.com", "active": "False"})).await;
    assert_eq!((events(&world).await, delete(&never).await, events(&world).await), (2, 204, 3));
    is_at(&offboardings(&service).await[2], "scheduled", None, Some("never@example.com"));
    // The name is free again, and whoever gets it is somebody new.
    let again = provision(&service, json!({"userName": "active@example.com"})).await;
    assert_ne!(again, active);
    assert_eq!(events(&world).await, 3);
}

#[tokio::test]
async fn what_an_end_leads_to_is_the_operators_choice() {
    let world = World::new().await;
    let held = source("scim = { inactive = \"hold\" }");
    let ignored = source("scim = { inactive = \"ignore\", deleted = \"hold\" }").replace("idp", "idp2");
    let service = world.serve(&format!("{held}\n{ignored}"), RECEIVE);
    let id = provision(&service, json!({"userName": "held@example.com"})).await;
    set_active(&service, &id, false).await;
    is_at(&offboardings(&service).await[0], "held", Some("lookup_required"), Some("held@example.com"));
    set_active(&service, &id, true).await;
    is_at(&offboardings(&service).await[0], "cancelled", Some("rescinded"), Some("held@example.com"));
    set_active(&service, &id, false).await;
    // The deletion says more than the deactivation did: it is certain now.
    assert_eq!(call(&service, "DELETE", &format!("/Users/{id}"), None).await.status, 204);
    is_at(&offboardings(&service).await[1], "scheduled", None, Some("held@example.com"));

    let other = async |method: &str, path: &str, body: Option<&Value>| {
        let request = super::request(&service, method, path, body).build().unwrap();
        let url = request.url().to_string().replace("/idp/", "/idp2/");
        let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default().to_vec();
        let request = crate::support::client()
            .request(request.method().clone(), url)
            .headers(request.headers().clone());
        crate::edge::Answer::to(request.body(body)).await
    };
    let user = json!({"userName": "ignored@example.com"});
    let id = other("POST", "/Users", Some(&user)).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    for active in [false, true, false] {
        let put = json!({"userName": "ignored@example.com", "active": active});
        assert_eq!(other("PUT", &path, Some(&put)).await.status, 200);
    }
    assert_eq!(offboardings(&service).await.len(), 2);
    assert_eq!(
        world.number("select count(*) from events where disposition = 'ignored' and said is null").await,
        3
    );
    assert_eq!(other("DELETE", &path, None).await.status, 204);
    is_at(&offboardings(&service).await[2], "held", Some("lookup_required"), Some("ignored@example.com"));
}

#[tokio::test]
async fn a_person_is_named_by_the_map_and_never_by_what_is_found() {
    let world = World::new().await;
    let more = "map = { email = \"/emails/0/value\", external_id = \"/employee\" }";
    let service = world.serve(&source(more), RECEIVE);
    let user = json!({"userName": "login7", "emails": [{"value": "jane@example.com", "type": "work"}]});
    let id = provision(&service, user).await;
    // What the request leaves out still names the person.
    let put = json!({"userName": "login7", "active": false});
    assert_eq!(call(&service, "PUT", &format!("/Users/{id}"), Some(&put)).await.status, 200);
    is_at(&offboardings(&service).await[0], "scheduled", None, Some("jane@example.com"));
    let user = json!({"userName": "nobody@example.com", "externalId": "7", "mail": "nobody@example.com"});
    let id = provision(&service, user).await;
    assert_eq!(set_active(&service, &id, false).await.status, 200);
    let last = offboardings(&service).await.pop().unwrap();
    is_at(&last, "held", Some("unreadable"), None);
    assert_eq!(last["person"]["external_id"], Value::Null);
}

#[tokio::test]
async fn whoever_is_renamed_is_not_guessed_at() {
    let world = World::new().await;
    let service = world.serve(&source(""), RECEIVE);
    // Renamed while being deactivated: a provider that deletes somebody may do so, and so may a correction.
    let id = provision(&service, json!({"userName": "jane@example.com"})).await;
    let both = json!([{"op": "replace", "value": {"userName": "0f3ajane@example.com", "active": false}}]);
    assert_eq!(patch(&service, &id, both).await.status, 200);
    is_at(&offboardings(&service).await[0], "held", Some("lookup_required"), Some("jane@example.com"));
    // Renamed between a deactivation and its withdrawal: the withdrawal is about whomever the deactivation named.
    let id = provision(&service, json!({"userName": "john@example.com"})).await;
    set_active(&service, &id, false).await;
    patch(&service, &id, json!([{"op": "replace", "path": "userName", "value": "john.roe@example.com"}]))
        .await;
    set_active(&service, &id, true).await;
    is_at(&offboardings(&service).await[1], "cancelled", Some("rescinded"), Some("john@example.com"));
    // The case of letters is no other name.
    let id = provision(&service, json!({"userName": "Mia@example.com"})).await;
    let put = json!({"userName": "mia@example.com", "active": false});
    assert_eq!(call(&service, "PUT", &format!("/Users/{id}"), Some(&put)).await.status, 200);
    is_at(&offboardings(&service).await[2], "scheduled", None, Some("mia@example.com"));
}
