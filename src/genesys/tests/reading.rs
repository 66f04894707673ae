//! Reads: what is asked, what is understood, and what is never taken for "nothing there".

use wiremock::matchers::{body_json, query_param};

use super::*;
use crate::genesys::{Fault, Level, RoutingStatus, UserState};

#[tokio::test]
async fn a_user_is_read_with_all_that_genesys_expands() {
    let bench = Bench::new().await;
    let answer = json!({
        "id": "u-jane", "state": "active", "version": 12, "email": "jane@example.com", "name": "Jane Doe",
        "division": {"id": "d-1", "name": "Home"},
        "routingStatus": {"userId": "u-jane", "status": "COMMUNICATING"},
        "presence": {"presenceDefinition": {"id": "p", "systemPresence": "On Queue"}},
        "conversationSummary": {
            "userId": "u-jane",
            "call": {"contactCenter": {"active": 1, "acw": 0}, "enterprise": {"active": 2}},
            "hologram": {"contactCenter": {"active": 4}},
            "email": {}, "chat": null,
        },
        "groups": [{"id": "g-1", "name": "Sales"}, {"id": "g-2"}],
        "skills": [{"id": "s-1", "name": "Billing", "proficiency": 3.5, "state": "active"}],
        "languages": [],
        "station": {"associatedStation": {"id": "st-1", "name": "Desk"}, "defaultStation": null},
        "team": {"id": "t-1", "name": "North"},
    });
    let expand = query_param(
        "expand",
        "routingStatus,presence,conversationSummary,groups,skills,languages,station,team,employerInfo",
    );
    Mock::given(path(JANE)).and(expand).respond_with(ok(answer)).mount(&bench.server).await;
    let user = bench.genesys.user(&jane()).await.unwrap().unwrap();
    assert_eq!((user.state, user.version, user.active_conversations), (UserState::Active, 12, Some(7)));
    assert_eq!(user.routing_status, Some(RoutingStatus::Communicating));
    assert_eq!(user.presence.as_deref(), Some("On Queue"));
    assert_eq!(user.division_id.unwrap().as_str(), "d-1");
    let groups: Vec<_> = user.groups.iter().flatten().map(|g| (g.id.as_str(), g.name.as_deref())).collect();
    assert_eq!(groups, [("g-1", Some("Sales")), ("g-2", None)]);
    let skills: Vec<_> = user.skills.iter().flatten().map(|s| (s.id.as_str(), s.proficiency)).collect();
    assert_eq!((skills, user.languages), (vec![("s-1", Some(3.5))], Some(vec![])));
    let stations = user.stations.unwrap();
    assert_eq!((stations.associated.unwrap().id.as_str(), stations.default_station), ("st-1", None));
    let team = user.team.unwrap();
    assert_eq!((team.id.as_str(), team.name.as_deref()), ("t-1", Some("North")));
}

#[tokio::test]
async fn what_genesys_does_not_expand_is_unknown_and_not_idle() {
    let bench = Bench::new().await;
    let mut nulls = user("u-jane");
    for field in ["routingStatus", "conversationSummary", "groups", "skills", "languages", "station", "team"]
    {
        nulls[field] = Value::Null;
    }
    bench.answer_once("GET", JANE, ok(user("u-jane"))).await;
    bench.answer("GET", JANE, ok(nulls)).await;
    for _ in 0..2 {
        let user = bench.genesys.user(&jane()).await.unwrap().unwrap();
        assert_eq!((user.routing_status, user.active_conversations, user.groups), (None, None, None));
        assert_eq!((user.skills, user.languages, user.stations, user.team), (None, None, None, None));
    }
    assert_eq!(RoutingStatus::from("DANCING".to_owned()), RoutingStatus::Unknown("DANCING".to_owned()));
}

#[tokio::test]
async fn the_routing_status_is_read_alone_and_only_of_the_person_asked_for() {
    let bench = Bench::new().await;
    let at = format!("{JANE}/routingstatus");
    bench.answer_once("GET", &at, ok(json!({"userId": "u-jane", "status": "IDLE"}))).await;
    bench.answer("GET", &at, ok(json!({"userId": "u-john", "status": "IDLE"}))).await;
    assert_eq!(bench.genesys.routing_status_of(&jane()).await.unwrap(), RoutingStatus::Idle);
    let error = bench.genesys.routing_status_of(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::Foreign, .. }));
    assert_eq!(RoutingStatus::from("DANCING".to_owned()), RoutingStatus::Unknown("DANCING".to_owned()));
}

#[tokio::test]
async fn only_genesys_itself_can_say_that_there_is_no_such_user() {
    let bench = Bench::new().await;
    bench.answer_once("GET", JANE, failing(404, "general.resource.not.found")).await;
    bench.answer_once("GET", JANE, ResponseTemplate::new(404).set_body_string("<h1>Not Found</h1>")).await;
    assert_eq!(bench.genesys.user(&jane()).await.unwrap(), None);
    assert_eq!(bench.genesys.user(&jane()).await.unwrap_err().code(), "404");
}

#[tokio::test]
async fn a_deleted_user_is_asked_for_as_such() {
    let bench = Bench::new().await;
    let answer = json!({"id": "u-jane", "state": "deleted", "version": 3});
    Mock::given(query_param("state", "deleted")).respond_with(ok(answer)).mount(&bench.server).await;
    let user = bench.genesys.deleted_user(&jane()).await.unwrap().unwrap();
    assert_eq!(user.state, UserState::Deleted);
}

#[tokio::test]
async fn another_persons_answer_is_no_answer() {
    let bench = Bench::new().await;
    bench.answer("GET", JANE, ok(user("u-john"))).await;
    let subject = json!({"id": "u-john", "grants": []});
    bench.answer("GET", "/api/v2/authorization/subjects/u-jane", ok(subject)).await;
    let of_user = bench.genesys.user(&jane()).await.unwrap_err();
    let of_grants = bench.genesys.grants_of(&jane()).await.unwrap_err();
    for error in [of_user, of_grants] {
        assert!(matches!(error, Error::Malformed { fault: Fault::Foreign, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_external_key_cannot_leave_its_place_in_the_path() {
    let bench = Bench::new().await;
    Mock::given(path_regex("^/api/v2/users/externalid/"))
        .respond_with(ok(user("u-jane")))
        .mount(&bench.server)
        .await;
    bench.genesys.user_by_external_id("hr", "../a/b?c#d%2f").await.unwrap().unwrap();
    let asked = bench.requests("/api").await[0].url.path().to_owned();
    assert_eq!(asked, "/api/v2/users/externalid/hr/..%2Fa%2Fb%3Fc%23d%252f");
    for key in ["", ".", ".."] {
        let error = bench.genesys.user_by_external_id("hr", key).await.unwrap_err();
        assert!(matches!(error, Error::Unsendable(_)) && !error.is_transient());
    }
    assert_eq!(bench.requests("/api").await.len(), 1);
}

#[tokio::test]
async fn a_search_asks_for_exactly_one_address_and_reads_all_results() {
    let bench = Bench::new().await;
    let criterion = json!({"type": "EXACT", "fields": ["email"], "value": "jane@example.com"});
    for (number, id) in [(1, "u-1"), (2, "u-2")] {
        let asked = json!({"pageSize": 25, "pageNumber": number, "query": [criterion]});
        let found =
            json!({"results": [user(id)], "total": 2, "pageCount": 2, "pageSize": 1, "pageNumber": number});
        let mock = Mock::given(method("POST")).and(path("/api/v2/users/search")).and(body_json(asked));
        mock.respond_with(ok(found)).expect(1).mount(&bench.server).await;
    }
    let found = bench.genesys.users_by_email("jane@example.com").await.unwrap();
    assert_eq!(found.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["u-1", "u-2"]);

    let state = json!({"type": "EXACT", "fields": ["state"], "values": ["deleted"]});
    let asked = json!({"pageSize": 25, "pageNumber": 1, "query": [criterion, state]});
    let none = json!({"results": [], "total": 0, "pageCount": 0, "pageSize": 25, "pageNumber": 1, "types": ["users"]});
    Mock::given(body_json(asked)).respond_with(ok(none)).expect(1).mount(&bench.server).await;
    let found = bench.genesys.users_by_email_and_state("jane@example.com", UserState::Deleted).await.unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn queues_are_read_joined_and_not_joined_to_their_last_page() {
    let bench = Bench::new().await;
    let pages = [
        ("true", 1, vec!["q-1", "q-2"], 3),
        ("true", 2, vec!["q-3"], 3),
        ("false", 1, vec!["q-4", "q-2"], 2),
    ];
    for (joined, number, ids, total) in pages {
        let queues: Vec<_> = ids.iter().map(|id| json!({"id": id, "joined": joined == "true"})).collect();
        let body = json!({"entities": queues, "total": total, "pageNumber": number, "pageSize": 2});
        Mock::given(path(format!("{JANE}/queues")))
            .and(query_param("joined", joined))
            .and(query_param("pageNumber", number.to_string()))
            .and(query_param("pageSize", "50"))
            .respond_with(ok(body))
            .expect(1)
            .mount(&bench.server)
            .await;
    }
    let queues = bench.genesys.queues_of(&jane()).await.unwrap();
    let seen: Vec<_> = queues.iter().map(|queue| (queue.id.as_str(), queue.joined)).collect();
    assert_eq!(seen, [("q-1", true), ("q-2", false), ("q-3", true), ("q-4", false)]);
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let bench = Bench::new().await;
    let endless = |request: &wiremock::Request| {
        let number = request.url.query_pairs().find(|(name, _)| name == "pageNumber").unwrap().1.into_owned();
        ok(json!({"entities": [{"id": format!("s-{number}")}], "nextUri": "/x"}))
    };
    Mock::given(path(format!("{JANE}/routingskills"))).respond_with(endless).mount(&bench.server).await;
    let error = bench.genesys.routing_skills_of(&jane()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::TooManyPages, .. }), "{error:?}");
}

#[tokio::test]
async fn grants_tell_direct_ones_from_those_of_groups() {
    let bench = Bench::new().await;
    let grant = |subject: &str, division: &str| json!({"subjectId": subject, "role": {"id": "r", "name": "Agent"}, "division": {"id": division}});
    let answer = json!({"id": "u-jane", "grants": [grant("u-jane", "*"), grant("g-1", "d")]});
    Mock::given(query_param("includeDuplicates", "true")).respond_with(ok(answer)).mount(&bench.server).await;
    let grants = bench.genesys.grants_of(&jane()).await.unwrap();
    assert_eq!(grants.iter().map(|grant| grant.is_direct(&jane())).collect::<Vec<_>>(), [true, false]);
    assert_eq!(grants[0].division_id.as_str(), "*");
}

#[tokio::test]
async fn utilization_keeps_what_setting_it_again_needs() {
    let bench = Bench::new().await;
    let answer = json!({"level": "Agent", "utilization": {"call": {"maximumCapacity": 2}}});
    bench.answer("GET", "/api/v2/routing/users/u-jane/utilization", ok(answer)).await;
    let found = bench.genesys.utilization_of(&jane()).await.unwrap();
    assert_eq!(found.level, Level::Agent);
    assert_eq!(found.settings, json!({"utilization": {"call": {"maximumCapacity": 2}}}));
}

#[tokio::test]
async fn stations_that_are_absent_or_null_are_none() {
    let bench = Bench::new().await;
    let at = format!("{JANE}/station");
    bench
        .answer(
            "GET",
            &at,
            ok(json!({"associatedStation": {"id": "s-1", "name": "x"}, "defaultStation": null})),
        )
        .await;
    let stations = bench.genesys.stations_of(&jane()).await.unwrap();
    assert_eq!(stations.associated.unwrap().id.as_str(), "s-1");
    assert_eq!(stations.default_station, None);
}

/// Answers everything with `answer` and collects what each reader makes of it.
async fn read_all(answer: ResponseTemplate) -> Vec<(&'static str, Option<Error>)> {
    let bench = Bench::new().await;
    Mock::given(path_regex("^/api/")).respond_with(answer).mount(&bench.server).await;
    let (genesys, jane) = (&bench.genesys, jane());
    vec![
        ("user", genesys.user(&jane).await.err()),
        ("routing status", genesys.routing_status_of(&jane).await.err()),
        ("deleted user", genesys.deleted_user(&jane).await.err()),
        ("external id", genesys.user_by_external_id("hr", "1").await.err()),
        ("search", genesys.users_by_email("jane@example.com").await.err()),
        ("queues", genesys.queues_of(&jane).await.err()),
        ("skills", genesys.routing_skills_of(&jane).await.err()),
        ("languages", genesys.routing_languages_of(&jane).await.err()),
        ("utilization", genesys.utilization_of(&jane).await.err()),
        ("grants", genesys.grants_of(&jane).await.err()),
        ("stations", genesys.stations_of(&jane).await.err()),
    ]
}

#[tokio::test]
async fn an_answer_that_is_no_json_object_is_never_empty() {
    let raw =
        |body: &str, kind: &str| ResponseTemplate::new(200).set_body_raw(body.as_bytes().to_vec(), kind);
    let answers = [
        ("nothing", ResponseTemplate::new(200)),
        ("no content", ResponseTemplate::new(204)),
        ("html", raw("<html></html>", "text/html")),
        ("json labelled as html", raw("{}", "text/html")),
        ("html labelled as json", raw("<html></html>", "application/json")),
        ("half", raw("{\"entities\": [], \"results\"", "application/json")),
        (
            "not UTF-8",
            raw("", "application/json")
                .set_body_raw(b"{\"entities\":[],\"x\":\"\xff\"}".to_vec(), "application/json"),
        ),
        ("two", raw("{}{}", "application/json")),
        ("null", ok(json!(null))),
        ("list", ok(json!([]))),
        ("list of nulls", ok(json!([null, null]))),
        ("text", ok(json!("x"))),
        ("number", ok(json!(0))),
    ];
    for (what, answer) in answers {
        for (reader, error) in read_all(answer).await {
            assert!(matches!(error, Some(Error::Malformed { .. })), "{what}, {reader}: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_object_without_what_was_asked_for_is_never_empty() {
    let entries =
        |entry: Value| ok(json!({"entities": [entry], "total": 1, "id": "u-jane", "grants": [entry]}));
    let answers = [
        ("empty object", ok(json!({}))),
        (
            "null lists",
            ok(json!({"entities": null, "total": 0, "grants": null, "id": "u-jane", "level": null})),
        ),
        (
            "lists of other types",
            ok(json!({"entities": {}, "total": 0, "grants": "", "id": "u-jane", "level": "Moon"})),
        ),
        ("null entry", entries(Value::Null)),
        ("entry without id", entries(json!({"name": "x"}))),
        ("entry with null id", entries(json!({"id": null}))),
        ("entry with a number as id", entries(json!({"id": 7}))),
        ("entry with a hostile id", entries(json!({"id": "../x"}))),
        ("an error body", ok(json!({"code": "x", "message": "y", "status": 500}))),
    ];
    for (what, answer) in answers {
        for (reader, error) in read_all(answer).await {
            // A person without phones is an empty object.
            let is_malformed = matches!(error, Some(Error::Malformed { .. }));
            assert!(is_malformed || reader == "stations", "{what}, {reader}: {error:?}");
        }
    }
}

#[tokio::test]
async fn every_needed_field_of_a_user_and_a_grant_is_needed() {
    let fields = [
        ("state", json!("asleep")),
        ("version", json!("7")),
        ("id", json!(7)),
        ("groups", json!([{}])),
        ("groups", json!({})),
        ("skills", json!([{"name": "x"}])),
        ("skills", json!("Billing")),
        ("languages", json!([{"id": "l", "proficiency": "5"}])),
        ("station", json!([null, null])),
        ("station", json!({"associatedStation": {"name": "x"}})),
        ("team", json!({"name": "x"})),
        ("team", json!(["t-1", "North"])),
        ("routingStatus", json!({"userId": "u-john"})),
    ];
    for (field, wrong) in fields {
        let bench = Bench::new().await;
        let mut answer = user("u-jane");
        answer[field] = wrong;
        bench.answer("GET", JANE, ok(answer)).await;
        assert!(matches!(bench.genesys.user(&jane()).await, Err(Error::Malformed { .. })), "{field}");
    }
    for field in ["state", "version", "id"] {
        let bench = Bench::new().await;
        let mut answer = user("u-jane");
        answer[field] = Value::Null;
        bench.answer("GET", JANE, ok(answer)).await;
        assert!(matches!(bench.genesys.user(&jane()).await, Err(Error::Malformed { .. })), "{field}");
    }
    for field in ["subjectId", "role", "division"] {
        let bench = Bench::new().await;
        let mut grant = json!({"subjectId": "u-jane", "role": {"id": "r"}, "division": {"id": "d"}});
        grant[field] = Value::Null;
        let answer = json!({"id": "u-jane", "grants": [grant]});
        bench.answer("GET", "/api/v2/authorization/subjects/u-jane", ok(answer)).await;
        assert!(matches!(bench.genesys.grants_of(&jane()).await, Err(Error::Malformed { .. })), "{field}");
    }
}

#[tokio::test]
async fn an_error_about_an_answer_does_not_quote_it() {
    let bench = Bench::new().await;
    let mut answer = user("u-jane");
    answer["version"] = "Jane Doe <jane@example.com>".into();
    bench.answer("GET", JANE, ok(answer)).await;
    let error = bench.genesys.user(&jane()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Jane"));
    assert_eq!(error.code(), "malformed");
}
