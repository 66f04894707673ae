//! Calls that put something back or set it: what is sent, and what does not count as done.

use wiremock::matchers::{body_json, query_param, query_param_is_missing};

use super::{changing::expect_call, *};
use crate::genesys::{
    Activation, CallFailed, CallOutcome, DivisionId, Done, Effect, GroupId, LanguageId, LicenceChange,
    OneCall, QueueId, RoleId, SkillId, StationId, TeamId,
};

fn queue() -> QueueId {
    QueueId::new("q").unwrap()
}

fn group() -> GroupId {
    GroupId::new("g").unwrap()
}

fn team() -> TeamId {
    TeamId::new("t").unwrap()
}

fn put(at: &str, body: &Value) -> wiremock::MockBuilder {
    Mock::given(method("PUT")).and(path(at.to_owned())).and(body_json(body))
}

fn patch(at: &str, body: &Value) -> wiremock::MockBuilder {
    Mock::given(method("PATCH")).and(path(at.to_owned())).and(body_json(body))
}

fn post(at: &str, body: &Value) -> wiremock::MockBuilder {
    Mock::given(method("POST")).and(path(at.to_owned())).and(body_json(body))
}

fn delete(at: &str) -> wiremock::MockBuilder {
    Mock::given(method("DELETE")).and(path(at.to_owned()))
}

#[tokio::test]
async fn queues_are_given_back_with_their_ring() {
    let (jane, queue) = (jane(), queue());
    let add = post("/api/v2/routing/queues/q/members", &json!([{"id": "u-jane"}]));
    expect_call(add.and(query_param_is_missing("delete")), |c| c.add_queue_member(&queue, &jane)).await;
    for (activation, joined) in [(Activation::Joined, true), (Activation::NotJoined, false)] {
        let body = json!({"id": "u-jane", "joined": joined, "ringNumber": 3});
        let update = patch("/api/v2/routing/queues/q/members/u-jane", &body);
        expect_call(update, |c| c.update_queue_member(&queue, &jane, activation, 3)).await;
    }
}

#[tokio::test]
async fn many_queues_are_left_unjoined_with_one_call() {
    let (jane, queues) = (jane(), [queue(), QueueId::new("q-2").unwrap()]);
    let body = json!([{"id": "q", "joined": false}, {"id": "q-2", "joined": false}]);
    let call = patch(&format!("{JANE}/queues"), &body);
    expect_call(call, |c| c.set_joined(&jane, &queues, Activation::NotJoined)).await;
}

#[tokio::test]
async fn skills_and_languages_are_given_back_with_their_levels() {
    let jane = jane();
    let skills = [(SkillId::new("s-1").unwrap(), 3.5), (SkillId::new("s-2").unwrap(), 0.0)];
    let body = json!([{"id": "s-1", "proficiency": 3.5}, {"id": "s-2", "proficiency": 0.0}]);
    let mock = patch(&format!("{JANE}/routingskills/bulk"), &body);
    expect_call(mock, |c| c.add_routing_skills(&jane, &skills)).await;
    let languages = [(LanguageId::new("l-1").unwrap(), 5.0)];
    let mock = patch(&format!("{JANE}/routinglanguages/bulk"), &json!([{"id": "l-1", "proficiency": 5.0}]));
    expect_call(mock, |c| c.add_routing_languages(&jane, &languages)).await;
}

#[tokio::test]
async fn grants_are_given_back_together() {
    let grants = [(RoleId::new("r").unwrap(), DivisionId::new("*").unwrap())];
    let body = json!({"grants": [{"roleId": "r", "divisionId": "*"}]});
    let mock = post("/api/v2/authorization/subjects/u-jane/bulkadd", &body);
    let jane = jane();
    expect_call(mock, |c| c.add_grants(&jane, &grants)).await;
}

#[tokio::test]
async fn batches_and_levels_out_of_bounds_are_not_sent() {
    let bench = Bench::new().await;
    let call = async || bench.genesys.prepare_call().await.unwrap();
    let skill = |level| (SkillId::new("s").unwrap(), level);
    let language = |level| (LanguageId::new("l").unwrap(), level);
    let grant = (RoleId::new("r").unwrap(), DivisionId::new("d").unwrap());
    let mut failures = vec![
        call().await.add_grants(&jane(), &[]).await,
        call().await.add_grants(&jane(), &vec![grant; 1001]).await,
    ];
    for skills in [vec![], vec![skill(1.0); 51], vec![skill(5.1)], vec![skill(-1.0)], vec![skill(f64::NAN)]] {
        failures.push(call().await.add_routing_skills(&jane(), &skills).await);
    }
    for languages in [vec![], vec![language(1.0); 51], vec![language(f64::INFINITY)]] {
        failures.push(call().await.add_routing_languages(&jane(), &languages).await);
    }
    for nothing in [json!(null), json!([]), json!("x"), json!({}), json!({"level": "Agent", "enabled": null})]
    {
        failures.push(call().await.put_utilization(&jane(), &nothing).await);
        failures.push(call().await.put_call_forwarding(&jane(), &nothing).await);
        failures.push(call().await.put_direct_routing_backup(&jane(), &nothing).await);
    }
    for failed in failures {
        assert_eq!(failed.unwrap_err().outcome(), CallOutcome::NotSent);
    }
    assert!(bench.requests("/api").await.is_empty());
}

#[tokio::test]
async fn of_settings_that_were_read_only_what_can_be_set_is_sent() {
    let jane = jane();
    let read = json!({
        "level": "Agent", "maxInboundCalls": 2, "selfUri": "/x",
        "utilization": {"call": {"maximumCapacity": 1, "includeNonAcd": true}},
        "labelUtilizations": {"label": {"maximumCapacity": 3, "interruptingLabelIds": [], "labelName": "VIP"}},
    });
    let sent = json!({
        "maxInboundCalls": 2,
        "utilization": {"call": {"maximumCapacity": 1, "includeNonAcd": true}},
        "labelUtilizations": {"label": {"maximumCapacity": 3, "interruptingLabelIds": []}},
    });
    let mock = put("/api/v2/routing/users/u-jane/utilization", &sent);
    expect_call(mock, |c| c.put_utilization(&jane, &read)).await;

    let read = json!({
        "id": "u-jane", "user": {"id": "u-jane"}, "selfUri": "/x", "modifiedDate": "2026-01-01T00:00:00Z",
        "name": null, "enabled": false, "phoneNumber": "+4930123", "calls": [{"targets": []}], "voicemail": "NONE",
    });
    let sent =
        json!({"enabled": false, "phoneNumber": "+4930123", "calls": [{"targets": []}], "voicemail": "NONE"});
    let mock = put(&format!("{JANE}/callforwarding"), &sent);
    expect_call(mock, |c| c.put_call_forwarding(&jane, &read)).await;

    let read = json!({"queueId": "q", "userId": null, "waitForAgent": true, "agentWaitSeconds": 60, "backedUpUsers": ["u"]});
    let sent = json!({"queueId": "q", "waitForAgent": true, "agentWaitSeconds": 60});
    let at = "/api/v2/routing/users/u-jane/directroutingbackup/settings";
    expect_call(put(at, &sent), |c| c.put_direct_routing_backup(&jane, &read)).await;
    expect_call(delete(at), |c| c.delete_direct_routing_backup(&jane)).await;
}

#[tokio::test]
async fn stations_are_given_back_without_a_body() {
    let (jane, station) = (jane(), StationId::new("st").unwrap());
    for kind in ["associatedstation", "defaultstation"] {
        let bench = Bench::new().await;
        let at = format!("{JANE}/station/{kind}/st");
        bench.answer("PUT", &at, ResponseTemplate::new(202)).await;
        let call = bench.genesys.prepare_call().await.unwrap();
        let done = match kind {
            "associatedstation" => call.put_associated_station(&jane, &station).await,
            _ => call.put_default_station(&jane, &station).await,
        };
        assert_eq!(done.unwrap().effect, Effect::Applied);
        assert!(bench.requests(&at).await[0].body.is_empty());
    }
}

#[tokio::test]
async fn groups_and_teams_are_left_and_joined_by_one_person() {
    let (jane, group, team) = (jane(), group(), team());
    let leave = delete("/api/v2/groups/g/members").and(query_param("ids", "u-jane"));
    expect_call(leave, |c| c.remove_group_member(&group, &jane)).await;
    let join = post("/api/v2/groups/g/members", &json!({"memberIds": ["u-jane"], "version": 4}));
    expect_call(join, |c| c.add_group_member(&group, &jane, 4)).await;
    let leave = delete("/api/v2/teams/t/members").and(query_param("id", "u-jane"));
    expect_call(leave, |c| c.remove_team_member(&team, &jane)).await;
}

#[tokio::test]
async fn units_and_licences_are_changed_for_one_person() {
    let jane = jane();
    let unit = "mu".parse().unwrap();
    let at = "/api/v2/workforcemanagement/agents";
    let body = json!({"userIds": ["u-jane"], "destinationManagementUnitId": null});
    expect_call(post(at, &body), |c| c.move_agent(&jane, None)).await;
    let body = json!({"userIds": ["u-jane"], "destinationManagementUnitId": "mu"});
    expect_call(post(at, &body), |c| c.move_agent(&jane, Some(&unit))).await;

    let licence = "cloudCX3".parse().unwrap();
    let both = [
        (LicenceChange::Add, json!(["u-jane"]), json!([])),
        (LicenceChange::Remove, json!([]), json!(["u-jane"])),
    ];
    for (change, add, remove) in both {
        let one = json!({"licenseId": "cloudCX3", "userIdsAdd": add, "userIdsRemove": remove});
        let mock = post("/api/v2/license/organization", &json!({ "assignments": [one] }));
        expect_call(mock, |c| c.change_licence(&jane, &licence, change)).await;
    }
}

async fn join_team(answer: ResponseTemplate) -> Result<Done, CallFailed> {
    let bench = Bench::new().await;
    let mock = post("/api/v2/teams/t/members", &json!({"memberIds": ["u-jane"]}));
    mock.respond_with(answer).mount(&bench.server).await;
    bench.genesys.prepare_call().await.unwrap().add_team_member(&team(), &jane()).await
}

#[tokio::test]
async fn a_team_that_takes_the_person_says_no_failure_of_theirs() {
    let other = json!([{"id": "u-john", "reason": "UserNotFound"}]);
    for failures in [json!(null), json!([]), other] {
        let done = join_team(ok(json!({"entities": [], "failures": failures}))).await.unwrap();
        assert_eq!(done.effect, Effect::Applied);
    }
    assert!(join_team(ok(json!({"entities": [{"id": "u-jane"}]}))).await.is_ok());
}

#[tokio::test]
async fn a_failure_inside_a_success_is_a_refusal() {
    let reasons = [
        (json!("UserGroupLimitExceeded"), "declined UserGroupLimitExceeded"),
        (json!("Jane Doe <jane@example.com>"), "declined"),
        (json!(null), "declined"),
    ];
    for (reason, code) in reasons {
        let failures = json!([{"id": "u-john"}, {"id": "u-jane", "reason": reason}]);
        let failed = join_team(ok(json!({ "failures": failures }))).await.unwrap_err();
        assert_eq!((failed.error().code().as_str(), failed.outcome()), (code, CallOutcome::Refused));
        let error = failed.error();
        assert!(error.is_about_the_content() && error.counts_against_attempts() && !error.is_transient());
        assert!(error.request_id().is_some() && !error.is_our_access() && error.retry_after().is_none());
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_it_open_whether_the_team_took_the_person() {
    let answers = [
        ok(json!([])),
        ok(json!({"failures": {}})),
        ok(json!({"failures": [{"reason": "UserNotFound"}]})),
        ResponseTemplate::new(200),
    ];
    for answer in answers {
        let failed = join_team(answer).await.unwrap_err();
        assert_eq!((failed.error().code().as_str(), failed.outcome()), ("malformed", CallOutcome::Unknown));
    }
}

type Calls = Vec<(&'static str, Result<Done, CallFailed>)>;

/// Makes every call that takes something away whose absence is success (first), and every one that brings or sets
/// something (second).
async fn all_calls(bench: &Bench) -> (Calls, Calls) {
    let (jane, queue, group, team) = (&jane(), &queue(), &group(), &team());
    let (station, unit, licence) = (&"st".parse().unwrap(), &"mu".parse().unwrap(), &"l".parse().unwrap());
    let (conversation, participant) = (&"c".parse().unwrap(), &"p".parse().unwrap());
    let (skills, languages) = ([("s".parse().unwrap(), 1.0)], [("l".parse().unwrap(), 1.0)]);
    let grants = [("r".parse().unwrap(), "d".parse().unwrap())];
    let settings = json!({"enabled": true, "maxInboundCalls": 1, "queueId": "q"});
    let call = async || -> OneCall { bench.genesys.prepare_call().await.unwrap() };
    let taking = vec![
        ("leave group", call().await.remove_group_member(group, jane).await),
        ("leave team", call().await.remove_team_member(team, jane).await),
        ("drop backup", call().await.delete_direct_routing_backup(jane).await),
    ];
    let bringing = vec![
        ("reactivate", call().await.reactivate(jane, 1).await),
        ("join queue", call().await.add_queue_member(queue, jane).await),
        ("update member", call().await.update_queue_member(queue, jane, Activation::Joined, 1).await),
        ("skills", call().await.add_routing_skills(jane, &skills).await),
        ("languages", call().await.add_routing_languages(jane, &languages).await),
        ("utilization", call().await.put_utilization(jane, &settings).await),
        ("backup", call().await.put_direct_routing_backup(jane, &settings).await),
        ("grants", call().await.add_grants(jane, &grants).await),
        ("join group", call().await.add_group_member(group, jane, 1).await),
        ("join team", call().await.add_team_member(team, jane).await),
        ("associated station", call().await.put_associated_station(jane, station).await),
        ("default station", call().await.put_default_station(jane, station).await),
        ("forwarding", call().await.put_call_forwarding(jane, &settings).await),
        ("reassign", call().await.reassign_callback(conversation, jane, None).await),
        ("to queue", call().await.callback_to_queue(conversation, participant, queue).await),
        ("unit", call().await.move_agent(jane, Some(unit)).await),
        ("licence", call().await.change_licence(jane, licence, LicenceChange::Add).await),
    ];
    (taking, bringing)
}

#[tokio::test]
async fn what_is_brought_back_is_applied_and_what_is_taken_is_removed() {
    let bench = Bench::new().await;
    Mock::given(path_regex("^/api/")).respond_with(ok(json!({}))).mount(&bench.server).await;
    let (taking, bringing) = all_calls(&bench).await;
    for (calls, effect) in [(taking, Effect::Removed), (bringing, Effect::Applied)] {
        for (what, done) in calls {
            assert_eq!(done.unwrap().effect, effect, "{what}");
        }
    }
}

#[tokio::test]
async fn a_404_is_success_only_for_what_should_be_gone() {
    let bench = Bench::new().await;
    Mock::given(path_regex("^/api/")).respond_with(failing(404, "not.found")).mount(&bench.server).await;
    let (taking, bringing) = all_calls(&bench).await;
    for (what, done) in taking {
        assert_eq!(done.unwrap().effect, Effect::AlreadyGone, "{what}");
    }
    for (what, failed) in bringing {
        let failed = failed.unwrap_err();
        assert!(matches!(failed.error(), Error::NotFound { .. }), "{what}");
        assert_eq!(failed.outcome(), CallOutcome::Refused, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_and_is_not_repeated() {
    for (status, outcome) in
        [(400, CallOutcome::Refused), (403, CallOutcome::Refused), (503, CallOutcome::Unknown)]
    {
        let bench = Bench::new().await;
        Mock::given(path_regex("^/api/")).respond_with(failing(status, "x")).mount(&bench.server).await;
        let (taking, bringing) = all_calls(&bench).await;
        let made = taking.len() + bringing.len();
        for (what, failed) in taking.into_iter().chain(bringing) {
            assert_eq!(failed.unwrap_err().outcome(), outcome, "{what}, {status}");
        }
        assert_eq!(bench.requests("/api").await.len(), made);
    }
}
