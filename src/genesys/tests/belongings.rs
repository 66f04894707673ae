//! Reads of what else a user has, and of what this service may do.

use chrono::{DateTime, Utc};
use wiremock::matchers::{body_json, query_param};

use super::*;
use crate::genesys::{Completeness, Fault, GroupId};

const BACKUP: &str = "/api/v2/routing/users/u-jane/directroutingbackup/settings";
const PHONES: &str = "/api/v2/telephony/providers/edges/phones";
const DIDS: &str = "/api/v2/telephony/providers/edges/didpools/dids";
const UNIT: &str = "/api/v2/workforcemanagement/agents/u-jane/managementunit";
const CONSUMERS: &str = "/api/v2/architect/dependencytracking/consumingresources";
const VOICEMAIL: &str = "/api/v2/voicemail/users/u-jane/messages";

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn group() -> GroupId {
    GroupId::new("g").unwrap()
}

#[tokio::test]
async fn a_group_is_read_with_its_version() {
    let good = json!({"id": "g", "name": "Sales", "version": 4, "rolesEnabled": true});
    let bench = Bench::new().await;
    bench.answer("GET", "/api/v2/groups/g", ok(good.clone())).await;
    let found = bench.genesys.existing_group(&group()).await.unwrap();
    assert_eq!((found.name.as_deref(), found.version, found.roles_enabled), (Some("Sales"), 4, Some(true)));
    check_fields(good, &["/id", "/version"], &["/name", "/rolesEnabled"], |genesys| async move {
        genesys.existing_group(&group()).await
    })
    .await;
}

#[tokio::test]
async fn call_forwarding_is_given_on_as_it_is() {
    let good = json!({"id": "x", "enabled": false, "user": {"id": "u-jane"}, "calls": [{"targets": []}]});
    let bench = Bench::new().await;
    bench.answer("GET", &format!("{JANE}/callforwarding"), ok(good.clone())).await;
    assert_eq!(bench.genesys.call_forwarding_of(&jane()).await.unwrap(), Some(good.clone()));
    check_fields(good, &["/enabled"], &["/user"], |genesys| async move {
        genesys.call_forwarding_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn a_backup_for_direct_routing_is_given_on_as_it_is() {
    let good = json!({"queueId": "q", "userId": "u", "waitForAgent": true, "agentWaitSeconds": 60, "backedUpUsers": []});
    let bench = Bench::new().await;
    bench.answer("GET", BACKUP, ok(good.clone())).await;
    assert_eq!(bench.genesys.direct_routing_backup_of(&jane()).await.unwrap(), Some(good.clone()));
    let fields = ["/queueId", "/userId", "/waitForAgent", "/agentWaitSeconds"];
    check_fields(
        good,
        &[],
        &fields,
        |genesys| async move { genesys.direct_routing_backup_of(&jane()).await },
    )
    .await;
}

#[tokio::test]
async fn a_management_unit_is_read_by_its_agent() {
    let good =
        json!({"user": {"id": "u-jane"}, "managementUnit": {"id": "mu", "selfUri": "/x", "name": "North"}});
    let bench = Bench::new().await;
    bench.answer("GET", UNIT, ok(good.clone())).await;
    let found = bench.genesys.management_unit_of(&jane()).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.name.as_deref()), ("mu", Some("North")));
    let needed = ["/managementUnit", "/managementUnit/id"];
    check_fields(good, &needed, &["/user", "/managementUnit/name"], |genesys| async move {
        genesys.management_unit_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn licences_are_read_by_their_names() {
    let good = json!({"id": "u-jane", "licenses": [{"id": "cloudCX3"}, {"id": "wemUpgrade2"}]});
    let bench = Bench::new().await;
    bench.answer("GET", "/api/v2/license/users/u-jane", ok(good.clone())).await;
    let found = bench.genesys.licences_of(&jane()).await.unwrap();
    assert_eq!(found.iter().map(|licence| licence.as_str()).collect::<Vec<_>>(), ["cloudCX3", "wemUpgrade2"]);
    check_fields(good, &["/id", "/licenses", "/licenses/0", "/licenses/0/id"], &[], |genesys| async move {
        genesys.licences_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn none_is_what_genesys_itself_does_not_know() {
    for (answer, is_none) in [(failing(404, "not.found"), true), (ResponseTemplate::new(404), false)] {
        let bench = Bench::new().await;
        Mock::given(path_regex("^/api/")).respond_with(answer).mount(&bench.server).await;
        let (genesys, jane) = (&bench.genesys, jane());
        let found = [
            genesys.call_forwarding_of(&jane).await.map(|found| found.is_none()),
            genesys.direct_routing_backup_of(&jane).await.map(|found| found.is_none()),
            genesys.management_unit_of(&jane).await.map(|found| found.is_none()),
        ];
        for (number, found) in found.into_iter().enumerate() {
            assert_eq!(found.is_ok_and(|is_none| is_none), is_none, "{number}");
        }
        let group = genesys.existing_group(&group()).await;
        assert_eq!(matches!(group, Err(Error::NotFound { .. })), is_none);
        // Everybody has a list of licences, of voicemail and of what uses them, be it empty.
        assert!(genesys.licences_of(&jane).await.is_err());
        assert!(genesys.voicemail_of(&jane).await.is_err());
        assert!(genesys.consumers_of(&jane).await.is_err());
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_no_answer() {
    let bench = Bench::new().await;
    let john = json!({
        "id": "u-john", "user": {"id": "u-john"}, "enabled": true, "version": 1, "licenses": [],
        "managementUnit": {"id": "mu"}, "entities": [{"eventDate": "2026-01-01T00:00:00Z", "entity": {"id": "u-john"}}],
    });
    Mock::given(path_regex("^/api/")).respond_with(ok(john)).mount(&bench.server).await;
    let (genesys, jane) = (&bench.genesys, jane());
    let now = moment("2026-01-01T00:00:00Z");
    let errors = [
        genesys.existing_group(&group()).await.err(),
        genesys.call_forwarding_of(&jane).await.err(),
        genesys.management_unit_of(&jane).await.err(),
        genesys.licences_of(&jane).await.err(),
        genesys.changes_of("u-jane", now, now).await.err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(Error::Malformed { fault: Fault::Foreign, .. })), "{error:?}");
    }
}

#[tokio::test]
async fn phones_that_name_somebody_else_are_left_out() {
    let bench = Bench::new().await;
    let phones = json!([
        {"id": "p-1", "name": "Desk", "webRtcUser": {"id": "u-jane"}},
        {"id": "p-2", "webRtcUser": {"id": "u-john"}},
        {"id": "p-3", "name": null, "webRtcUser": null},
    ]);
    Mock::given(path(PHONES))
        .and(query_param("webRtcUserId", "u-jane"))
        .and(query_param("pageSize", "50"))
        .respond_with(ok(json!({"entities": phones, "total": 3, "pageCount": 1})))
        .mount(&bench.server)
        .await;
    let found = bench.genesys.phones_of(&jane()).await.unwrap();
    let found: Vec<_> = found.iter().map(|phone| (phone.id.as_str(), phone.name.as_deref())).collect();
    assert_eq!(found, [("p-1", Some("Desk")), ("p-3", None)]);
    let good = json!({"entities": [{"id": "p", "name": "x", "webRtcUser": {"id": "u-jane"}}], "total": 1});
    let needed = ["/entities", "/entities/0/id", "/entities/0/webRtcUser/id"];
    check_fields(good, &needed, &["/entities/0/name", "/entities/0/webRtcUser"], |genesys| async move {
        genesys.phones_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn numbers_are_the_users_only_when_they_say_so() {
    let bench = Bench::new().await;
    let number = |number: &str, owner: Value, kind: Value| json!({"number": number, "assigned": !owner.is_null(), "owner": owner, "ownerType": kind});
    let numbers = [
        number("+491", json!({"id": "u-jane"}), json!("USER")),
        number("+492", json!({"id": "u-john"}), json!("USER")),
        number("+493", json!({"id": "u-jane"}), json!("PHONE")),
        number("+494", json!(null), json!(null)),
        number("+495", json!({"id": "u-jane"}), json!(null)),
    ];
    Mock::given(path(DIDS))
        .and(query_param("type", "ASSIGNED_AND_UNASSIGNED"))
        .respond_with(ok(json!({"entities": numbers, "total": 5})))
        .mount(&bench.server)
        .await;
    assert_eq!(bench.genesys.dids_of(&jane()).await.unwrap(), ["+491", "+495"]);

    let good = json!({"entities": [numbers[0]], "total": 1});
    let needed = ["/entities", "/entities/0/number", "/entities/0/owner", "/entities/0/owner/id"];
    check_fields(good, &needed, &["/entities/0/assigned", "/entities/0/ownerType"], |genesys| async move {
        genesys.dids_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn the_newest_changes_come_first() {
    let bench = Bench::new().await;
    let asked = json!({
        "interval": "2026-01-01T00:00:00.000Z/2026-01-02T10:30:00.500Z",
        "filters": [{"property": "EntityId", "value": "q"}],
        "sort": [{"name": "Timestamp", "sortOrder": "descending"}],
        "pageNumber": 1, "pageSize": 100,
    });
    let log = json!({"entities": [
        {"eventDate": "2026-01-01T01:00:00Z", "user": null, "client": {"id": "client"}, "entity": {"id": "q"}},
        {"eventDate": "2026-01-01T03:00:00.250Z", "user": {"id": "u-boss"}, "client": {"id": "client"},
         "action": "Update", "serviceName": "ContactCenter"},
        {"eventDate": "2026-01-01T02:00:00Z"},
    ], "total": 250});
    Mock::given(method("POST"))
        .and(path("/api/v2/audits/query/realtime"))
        .and(body_json(asked))
        .respond_with(ok(log))
        .expect(1)
        .mount(&bench.server)
        .await;
    let (since, until) = (moment("2026-01-01T00:00:00Z"), moment("2026-01-02T10:30:00.5Z"));
    let found = bench.genesys.changes_of("q", since, until).await.unwrap();
    let who: Vec<_> = found.iter().map(|entry| entry.who.as_deref()).collect();
    assert_eq!(who, [Some("u-boss"), None, Some("client")]);
    assert_eq!(found[0].at, moment("2026-01-01T03:00:00.250Z"));
    assert_eq!(
        (found[0].action.as_deref(), found[0].service.as_deref()),
        (Some("Update"), Some("ContactCenter"))
    );
}

#[tokio::test]
async fn a_change_without_its_time_is_no_entry() {
    let entry = json!({
        "eventDate": "2026-01-01T01:00:00Z", "user": {"id": "u"}, "client": {"id": "c"}, "entity": {"id": "q"},
        "action": "Update", "serviceName": "x",
    });
    let needed = ["/entities", "/entities/0", "/entities/0/eventDate"];
    let optional = ["/entities/0/user", "/entities/0/client", "/entities/0/entity", "/entities/0/action"];
    check_fields(json!({ "entities": [entry] }), &needed, &optional, |genesys| async move {
        let now = moment("2026-01-01T00:00:00Z");
        genesys.changes_of("q", now, now).await
    })
    .await;
}

#[tokio::test]
async fn what_uses_a_user_is_listed_once_and_says_whether_it_is_all() {
    for (status, complete) in [(200, Completeness::Whole), (206, Completeness::Partial)] {
        let bench = Bench::new().await;
        let flow = |id: &str, version: &str| json!({"id": id, "name": "Main", "type": "INBOUNDCALLFLOW", "version": version});
        let pages = [
            vec![flow("f-2", "1"), flow("f-1", "1")],
            vec![flow("f-1", "2"), json!({"id": "f-3", "deleted": true})],
        ];
        for (number, entities) in (1..).zip(pages) {
            // Only one of the pages need be partial.
            let status = if number == 1 { status } else { 200 };
            let body = json!({"entities": entities, "total": 4, "pageNumber": number, "pageCount": 2});
            Mock::given(path(CONSUMERS))
                .and(query_param("id", "u-jane"))
                .and(query_param("objectType", "USER"))
                .and(query_param("pageNumber", number.to_string()))
                .respond_with(ResponseTemplate::new(status).set_body_json(body))
                .expect(1)
                .mount(&bench.server)
                .await;
        }
        let found = bench.genesys.consumers_of(&jane()).await.unwrap();
        assert_eq!(found.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["f-1", "f-2"]);
        assert_eq!(found.items[0].kind.as_deref(), Some("INBOUNDCALLFLOW"));
        assert_eq!(found.complete, complete);
    }
}

#[tokio::test]
async fn dependency_tracking_that_is_away_is_an_error() {
    let bench = Bench::new().await;
    bench.answer("GET", CONSUMERS, failing(410, "gone")).await;
    let error = bench.genesys.consumers_of(&jane()).await.unwrap_err();
    assert_eq!((error.code().as_str(), error.is_transient()), ("410 gone", false));
    let good = json!({"entities": [{"id": "f", "name": "x", "type": "x", "version": "1", "deleted": false}], "total": 1});
    let optional = ["/entities/0/name", "/entities/0/type", "/entities/0/version", "/entities/0/deleted"];
    check_fields(good, &["/entities", "/entities/0/id"], &optional, |genesys| async move {
        genesys.consumers_of(&jane()).await
    })
    .await;
}

#[tokio::test]
async fn voicemail_is_counted_without_being_read() {
    let bench = Bench::new().await;
    let one = ok(json!({"entities": [{"id": "v"}], "total": 12, "pageSize": 1}));
    let one = Mock::given(path(VOICEMAIL)).and(query_param("pageSize", "1")).respond_with(one);
    one.up_to_n_times(1).mount(&bench.server).await;
    bench.answer_once("GET", VOICEMAIL, ok(json!({"entities": [], "total": 0}))).await;
    bench.answer("GET", VOICEMAIL, ok(json!({"entities": [{"id": "v"}], "total": 0}))).await;
    assert_eq!(bench.genesys.voicemail_of(&jane()).await.unwrap(), 12);
    assert_eq!(bench.genesys.voicemail_of(&jane()).await.unwrap(), 0);
    let error = bench.genesys.voicemail_of(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::PagesContradict, .. }));
    let good = json!({"entities": [{"id": "v"}], "total": 12});
    check_fields(good, &["/entities", "/total"], &[], |genesys| async move {
        genesys.voicemail_of(&jane()).await
    })
    .await;
}

/// One answer for both reads of this service's permissions.
fn own_access() -> Value {
    let policy = |entity: &str, actions: &[&str]| json!({"domain": "routing", "entityName": entity, "actions": actions});
    json!({
        "OAuthClient": {"id": "client"}, "id": "client", "grants": [
            {"role": {"id": "r-1", "policies": [policy("queue", &["view", "edit"]), policy("skill", &["*"])]}},
            {"role": {"id": "r-2", "policies": [policy("queue", &["edit"])]}},
        ],
    })
}

#[tokio::test]
async fn this_services_own_permissions_are_listed_each_once() {
    let bench = Bench::new().await;
    bench.answer("GET", "/api/v2/tokens/me", ok(json!({"OAuthClient": {"id": "client", "name": "x"}}))).await;
    bench.answer("GET", "/api/v2/authorization/subjects/client", ok(own_access())).await;
    let found = bench.genesys.own_permissions().await.unwrap();
    assert_eq!(found, ["routing:queue:edit", "routing:queue:view", "routing:skill:*"]);
    let needed = [
        "/OAuthClient",
        "/OAuthClient/id",
        "/id",
        "/grants",
        "/grants/0/role",
        "/grants/0/role/policies",
        "/grants/0/role/policies/0/domain",
        "/grants/0/role/policies/0/entityName",
        "/grants/0/role/policies/0/actions",
    ];
    check_fields(own_access(), &needed, &[], |genesys| async move { genesys.own_permissions().await }).await;
}

#[tokio::test]
async fn the_permissions_of_another_client_are_no_answer() {
    let bench = Bench::new().await;
    let other = with_field(&own_access(), "/id", Some(json!("other")));
    Mock::given(path_regex("^/api/")).respond_with(ok(other)).mount(&bench.server).await;
    let error = bench.genesys.own_permissions().await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::Foreign, .. }));
}
