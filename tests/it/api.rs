//! The operator API: who may do what, lists and their pages, one offboarding in full, decisions, the dry run.

use leaver::offboarding::OffboardingId;
use leaver::plan::{Choices, PLAN, Plan};
use leaver_simulator::{AccountState, Person, presets};
use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::run;
use crate::edge::{Answer, put};
use crate::support::{ALICE, BOB, Service, World, client, termination};

const VERA: &str = "vera-token-0123456789";

fn serve(world: &World) -> Service {
    let vera = format!("[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"");
    world.serve(&vera, &["serve", "--no-worker"])
}

async fn call(service: &Service, method: Method, path: &str, token: Option<&str>) -> Answer {
    let request = client().request(method, format!("{}{path}", service.admin));
    Answer::to(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

async fn get(service: &Service, path: &str) -> Value {
    let (status, body) = service.api(Method::GET, path, VERA).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Opens an offboarding and returns its id.
async fn open(service: &Service, event: &str, email: &str) -> String {
    let (status, receipt) = service.deliver(&termination(event, event, email)).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["offboardings"][0]["id"].as_str().expect("an id").to_owned()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn each_route_wants_its_role_and_no_route_works_without_a_token() {
    let world = World::new().await;
    let service = serve(&world);
    let nobody = OffboardingId::new();
    let routes = [
        (Method::GET, "/api/v1/offboardings".to_owned(), "viewer"),
        (Method::GET, format!("/api/v1/offboardings/{nobody}"), "viewer"),
        (Method::GET, "/api/v1/plan?person=nobody@example.com".to_owned(), "viewer"),
        (Method::POST, format!("/api/v1/offboardings/{nobody}/retry"), "operator"),
        (Method::POST, format!("/api/v1/offboardings/{nobody}/cancel"), "operator"),
        (Method::POST, format!("/api/v1/offboardings/{nobody}/restore"), "operator"),
        (Method::POST, format!("/api/v1/offboardings/{nobody}/approve"), "approver"),
    ];
    let rank = |role: &str| ["viewer", "operator", "approver"].iter().position(|known| *known == role);
    for (method, path, role) in routes {
        for token in [None, Some("an-unknown-token-0123456789"), Some("")] {
            let refused = call(&service, method.clone(), &path, token).await;
            refused.is_problem(401, "token-needed");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        }
        for (token, has) in [(VERA, "viewer"), (ALICE, "operator"), (BOB, "approver")] {
            let answer = call(&service, method.clone(), &path, Some(token)).await;
            if rank(has) < rank(role) {
                answer.is_problem(403, "role-needed");
                assert!(answer.text().contains(role), "{}", answer.text());
            } else {
                let expected = if path.ends_with("/offboardings") { 200 } else { 404 };
                assert_eq!(answer.status, expected, "{method} {path} as {has}: {}", answer.text());
            }
        }
        let wrong = if method == Method::GET { Method::DELETE } else { Method::GET };
        call(&service, wrong, &path, Some(BOB)).await.is_problem(405, "method-not-allowed");
    }
    call(&service, Method::GET, "/api/v1/nothing", Some(BOB)).await.is_problem(404, "not-found");
    let elsewhere = format!("{}/api/v1/offboardings", service.public);
    Answer::to(client().get(elsewhere).bearer_auth(BOB)).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_list_is_filtered_by_status_person_and_source() {
    let world = World::new().await;
    let service = serve(&world);
    let jane = open(&service, "e1", "jane@example.com").await;
    let john = open(&service, "e2", "john@example.com").await;
    let mut undated = termination("e3", "e3", "omar@example.com");
    undated.as_object_mut().unwrap().remove("terminationDate");
    let omar = service.deliver(&undated).await.1["offboardings"][0]["id"].as_str().unwrap().to_owned();
    world.sql("update offboardings set source = 'other' where external_id = 'e2'").await;
    world.sql("update offboardings set genesys_user_id = 'g-1' where external_id = 'e1'").await;
    let user = "update offboardings set genesys_user_id = '4c3c9f7e-9a0b-4d6d-9e0e-0a1b2c3d4e5f' where external_id = 'e2'";
    world.sql(user).await;
    let cases = [
        ("", vec![&omar, &john, &jane]),
        ("?status=scheduled", vec![&john, &jane]),
        ("?status=held", vec![&omar]),
        ("?status=done", vec![]),
        ("?person=JANE@example.com", vec![&jane]),
        ("?person=e2", vec![&john]),
        ("?person=g-1", vec![&jane]),
        ("?person=4C3C9F7E-9A0B-4D6D-9E0E-0A1B2C3D4E5F", vec![&john]),
        ("?person=E2", vec![]),
        ("?person=%25", vec![]),
        ("?source=other", vec![&john]),
        ("?source=workday&status=scheduled", vec![&jane]),
    ];
    for (query, expected) in cases {
        let page = get(&service, &format!("/api/v1/offboardings{query}")).await;
        assert_eq!(ids(&page), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
        assert_eq!(page["next"], Value::Null);
        assert!(page["items"].as_array().unwrap().iter().all(|item| item.get("journal").is_none()));
    }
}

#[tokio::test]
async fn pages_have_every_row_once_also_while_new_ones_arrive() {
    let world = World::new().await;
    let service = serve(&world);
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.insert(0, open(&service, &format!("e{number}"), &format!("p{number}@example.com")).await);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for page_number in 0.. {
        let page = get(&service, &format!("/api/v1/offboardings?limit=3{after}")).await;
        seen.extend(ids(&page));
        open(&service, &format!("late-{page_number}"), &format!("late{page_number}@example.com")).await;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, expected);
    let exact = get(&service, "/api/v1/offboardings?limit=10").await;
    assert_eq!((ids(&exact).len(), &exact["next"]), (10, &Value::Null), "no page that would be empty");
}

#[tokio::test]
async fn the_largest_page_says_that_there_is_another() {
    let world = World::new().await;
    let service = serve(&world);
    world
        .sql(
            "insert into offboardings (id, status, reason, source, effective_at, available_at)
             select gen_random_uuid(), 'held', 'unreadable', 'workday', now(), now() from generate_series(1, 201)",
        )
        .await;
    let page = get(&service, "/api/v1/offboardings?limit=200").await;
    assert_eq!(ids(&page).len(), 200);
    let rest = get(
        &service,
        &format!("/api/v1/offboardings?limit=200&after={}", page["next"].as_str().expect("a next page")),
    )
    .await;
    assert_eq!((ids(&rest).len(), &rest["next"]), (1, &Value::Null));
    for more in ["201", "99999999999999999999999"] {
        assert_eq!(get(&service, &format!("/api/v1/offboardings?limit={more}")).await, page, "{more}");
    }
    let listed = run(&world.config(""), &["list", "--limit", "1000", "--json"]).await.done().json();
    assert_eq!(listed, page);
    for list in ["events", "callbacks"] {
        run(&world.config(""), &[list, "--limit", "201"]).await.done();
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_understood_is_named() {
    let world = World::new().await;
    let service = serve(&world);
    let cases = [
        ("offboardings?limit=0", "limit"),
        ("offboardings?limit=-1", "limit"),
        ("offboardings?limit=many", "limit"),
        ("offboardings?limit=%201", "limit"),
        ("offboardings?status=running", "status"),
        ("offboardings?after=yesterday", "after"),
        ("plan", "person"),
        ("plan?person=", "person"),
        ("plan?person=%20", "person"),
        ("plan?person=a%00b", "person"),
    ];
    for (path, parameter) in cases {
        let answer = call(&service, Method::GET, &format!("/api/v1/{path}"), Some(VERA)).await;
        answer.is_problem(400, "bad-parameter");
        assert!(answer.text().contains(&format!("parameter {parameter} ")), "{path}: {}", answer.text());
    }
    let nobody = OffboardingId::new();
    for path in [
        "offboardings?limit=1&limit=2",
        "offboardings/%ff",
        "offboardings?statsu=",
        "offboardings?status=&status=held",
        &format!("offboardings/{nobody}?x=1"),
        "audit/verify?x=1",
        "pause?x=1",
    ] {
        let answer = call(&service, Method::GET, &format!("/api/v1/{path}"), Some(VERA)).await;
        answer.is_problem(400, "malformed-address");
    }
    call(&service, Method::GET, "/api/v1/offboardings/yesterday", Some(VERA))
        .await
        .is_problem(404, "not-found");
}

#[tokio::test]
async fn a_parameter_without_a_value_is_left_out() {
    let world = World::new().await;
    let service = serve(&world);
    let jane = open(&service, "e1", "jane@example.com").await;
    for query in ["status=&person=&source=&after=&limit=", "person", "limit=&person=jane@example.com&"] {
        let page = get(&service, &format!("/api/v1/offboardings?{query}")).await;
        assert_eq!(ids(&page), std::slice::from_ref(&jane), "{query}");
    }
    for path in
        ["events?source=&disposition=&event=", "callbacks?status=&offboarding=&after=", "layoffs?after="]
    {
        get(&service, &format!("/api/v1/{path}")).await;
    }
}

#[tokio::test]
async fn a_dry_run_of_nobody_of_several_and_of_none_given_are_told_apart() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        org.add_person(Person::new("Jane Doe", "jane@example.com"));
        org.add_person(Person::new("Other Jane", "jane@example.com").state(AccountState::Inactive))
    });
    let service = serve(&world);
    let plan =
        async |query: &str| call(&service, Method::GET, &format!("/api/v1/plan{query}"), Some(VERA)).await;
    for nobody in ["nobody@example.com", "00000000-0000-4000-8000-000000000000"] {
        plan(&format!("?person={nobody}")).await.is_problem(404, "person-not-found");
    }
    let several = plan("?person=jane@example.com").await;
    several.is_problem(409, "ambiguous-person");
    assert!(several.text().contains("2 users") && !several.text().contains("jane"), "{}", several.text());
    for none in ["", "?person=", "?type=voluntary"] {
        let missing = plan(none).await;
        missing.is_problem(400, "bad-parameter");
        assert!(missing.text().contains("the parameter person is missing"), "{none}: {}", missing.text());
    }
}

#[tokio::test]
async fn somebody_who_is_worked_on_is_not_retried_and_it_is_said_why() {
    let world = World::new().await;
    let service = serve(&world);
    let id = open(&service, "e1", "jane@example.com").await;
    world
        .sql(
            "update offboardings set lease_token = gen_random_uuid(), lease_worker = 'worker:1',
                 available_at = now() + interval '1 minute'",
        )
        .await;
    let path = format!("/api/v1/offboardings/{id}/retry");
    let refused = call(&service, Method::POST, &path, Some(ALICE)).await;
    refused.is_problem(409, "not-possible");
    assert!(refused.text().contains("a worker is at it"), "{}", refused.text());
    run(&world.config(""), &["retry", &id]).await.failed(1, &["a worker is at it"]);
}

#[tokio::test]
async fn one_offboarding_is_shown_with_every_step_of_the_plan_and_its_journal() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1").to_string()
    });
    let service = serve(&world);
    let id = open(&service, "e1", "jane@example.com").await;
    let path = format!("/api/v1/offboardings/{id}");
    let names: Vec<_> = PLAN.iter().map(|step| json!(step.name())).collect();
    let before = get(&service, &path).await;
    let steps = |view: &Value, key: &str| -> Vec<Value> {
        view["steps"].as_array().unwrap().iter().map(|step| step[key].clone()).collect()
    };
    assert_eq!(steps(&before, "name"), names);
    assert!(steps(&before, "status").iter().all(|status| status == "pending"));
    world.work_to_the_end(&world.engine(), id.parse().map(OffboardingId).unwrap()).await;
    let after = get(&service, &path).await;
    assert_eq!(steps(&after, "name"), names);
    let plan = Plan::new(Choices::default());
    let ended = |name: &str| if plan.step(name).is_some() { "done" } else { "skipped" };
    let expected: Vec<_> = PLAN.iter().map(|step| json!(ended(step.name()))).collect();
    assert_eq!(steps(&after, "status"), expected, "{}", after["steps"]);
    assert_eq!(
        after["steps"][0],
        json!({"name": names[0], "phase": "strip", "status": "done", "removed": 5})
    );
    assert_eq!((&after["status"], &after["outcome"]), (&json!("done"), &json!("offboarded")));
    assert_eq!((&after["person"]["genesys_user_id"], &after["goal"]), (&json!(jane), &json!("offboarded")));
    assert!(after["completed_at"].is_string() && after["next_attempt_at"].is_null());
    let journal = after["journal"].as_array().unwrap();
    assert_eq!(
        (&journal[0]["actor"], &journal[0]["action"]),
        (&json!("hris:workday"), &json!("event_accepted"))
    );
    // As moments: a fraction of whole milliseconds is written with three digits.
    let times: Vec<chrono::DateTime<chrono::Utc>> =
        journal.iter().map(|entry| entry["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let sent: Vec<_> = world.simulator.changing().into_iter().map(|e| json!(e.request.request_id)).collect();
    for finished in journal.iter().filter(|entry| entry["action"] == "call_finished") {
        assert!(sent.contains(&finished["request_id"]), "{finished}");
        assert!(finished["correlation_id"].is_string(), "{finished}");
    }
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

/// An offboarding in a status, a decision about it, and what is answered: the new status, or a problem.
const DECISIONS: &[(&str, &str, &str, Result<&str, u16>)] = &[
    ("scheduled", "", "retry", Ok("scheduled")),
    ("scheduled", "", "cancel", Ok("cancelled")),
    ("scheduled", "", "approve", Err(409)),
    ("held", "person_not_found", "retry", Ok("scheduled")),
    ("held", "permission_missing", "retry", Ok("scheduled")),
    ("held", "brake", "retry", Err(409)),
    ("held", "protected", "retry", Err(409)),
    ("held", "stale_event", "retry", Err(409)),
    ("held", "brake", "approve", Ok("scheduled")),
    ("held", "stale_event", "approve", Ok("scheduled")),
    ("held", "lookup_required", "approve", Ok("scheduled")),
    ("held", "lookup_required", "retry", Err(409)),
    ("held", "unreadable", "approve", Err(409)),
    ("held", "lookup_required", "cancel", Ok("cancelled")),
    ("failed", "attempts_exhausted", "retry", Ok("scheduled")),
    ("failed", "attempts_exhausted", "approve", Err(409)),
    ("failed", "attempts_exhausted", "cancel", Ok("cancelled")),
    ("done", "", "retry", Err(409)),
    ("done", "", "approve", Err(409)),
    ("done", "", "cancel", Err(409)),
    ("cancelled", "rescinded", "retry", Err(409)),
    ("cancelled", "rescinded", "approve", Err(409)),
    ("cancelled", "rescinded", "cancel", Err(409)),
    ("scheduled", "", "restore", Err(409)),
    ("held", "brake", "restore", Err(409)),
    ("done", "", "restore", Err(409)),
];

#[tokio::test]
async fn a_decision_is_carried_out_where_the_status_allows_it_and_refused_elsewhere() {
    let world = World::new().await;
    let service = serve(&world);
    for (number, (status, reason, decision, expected)) in DECISIONS.iter().enumerate() {
        let id = open(&service, &format!("e{number}"), &format!("p{number}@example.com")).await;
        let reason = if reason.is_empty() { None } else { Some(*reason) };
        put(&world, &id, status, reason).await;
        let path = format!("/api/v1/offboardings/{id}/{decision}");
        let answer = call(&service, Method::POST, &path, Some(BOB)).await;
        let what = format!("{decision} of {status} {reason:?}: {}", answer.text());
        let view = get(&service, &format!("/api/v1/offboardings/{id}")).await;
        let journal = view["journal"].as_array().unwrap();
        match expected {
            Ok(next) => {
                assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(next)), "{what}");
                assert_eq!(answer.json(), view, "{what}");
                let entry = journal.last().unwrap();
                let actions = json!({"retry": "retried", "cancel": "cancelled", "approve": "approved"});
                assert_eq!((&entry["actor"], &entry["action"]), (&json!("operator:bob"), &actions[decision]));
            }
            Err(_) => {
                answer.is_problem(409, "not-possible");
                assert_eq!((&view["status"], &view["reason"]), (&json!(status), &json!(reason)), "{what}");
                assert_eq!(journal.len(), 1, "{what}");
            }
        }
    }
    assert_eq!(world.simulator.journal().len(), 0);
}

#[tokio::test]
async fn nobody_approves_what_they_asked_for_themselves() {
    let world = World::new().await;
    let service = serve(&world);
    let id = open(&service, "e1", "jane@example.com").await;
    put(&world, &id, "held", Some("brake")).await;
    world.sql("update offboardings set requested_by = 'operator:bob'").await;
    let path = format!("/api/v1/offboardings/{id}/approve");
    call(&service, Method::POST, &path, Some(BOB)).await.is_problem(403, "own-request");
    world.sql("update offboardings set requested_by = 'operator:alice'").await;
    assert_eq!(call(&service, Method::POST, &path, Some(BOB)).await.status, 200);
}

#[tokio::test]
async fn a_dry_run_shows_what_would_go_and_changes_nothing() {
    let world = World::new().await;
    let (jane, priya) = world.simulator.organisation(|org| {
        let jane = presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1").to_string();
        (jane, presets::agent_with_inherited(org, "Priya Nair", "priya@example.com", "W2").to_string())
    });
    let service = serve(&world);
    let before = world.simulator.everybody();
    let plan = get(&service, "/api/v1/plan?person=Jane@Example.com").await;
    assert_eq!((&plan["genesys_user_id"], &plan["state"]), (&json!(jane), &json!("active")));
    let names: Vec<_> = plan["steps"].as_array().unwrap().iter().map(|step| step["name"].clone()).collect();
    assert_eq!(names, PLAN.iter().map(|step| json!(step.name())).collect::<Vec<_>>());
    assert_eq!(plan["steps"][0]["remove"].as_array().unwrap().len(), 5, "{plan}");
    assert_eq!(get(&service, &format!("/api/v1/plan?person={jane}")).await, plan);
    let inherited = get(&service, &format!("/api/v1/plan?person={priya}")).await;
    assert!(inherited["steps"].as_array().unwrap().iter().any(|step| step["hold"] != json!([])));
    assert_eq!(inherited["verdict"]["held_for"][0]["reason"], "inherited_access");
    assert!(world.simulator.changing().is_empty());
    assert_eq!(world.simulator.everybody(), before);
    assert_eq!(world.number("select count(*) from offboardings").await, 0);
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_operator_has_everything_put_back_and_is_told_what_did_not_come_back() {
    let world = World::new().await;
    let jane = world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1").to_string()
    });
    let before = world.simulator.person(&jane).unwrap();
    let service = serve(&world);
    let id = open(&service, "e1", "jane@example.com").await;
    let path = format!("/api/v1/offboardings/{id}");
    let restore = format!("{path}/restore");
    let (engine, key) = (world.engine(), id.parse().map(OffboardingId).unwrap());
    world.work_to_the_end(&engine, key).await;
    assert!(world.simulator.person(&jane).unwrap().queues.is_empty());
    call(&service, Method::POST, &restore, Some(VERA)).await.is_problem(403, "role-needed");
    let (status, view) = service.api(Method::POST, &restore, ALICE).await;
    assert_eq!((status, &view["goal"], &view["status"]), (200, &json!("restored"), &json!("scheduled")));
    let asked = view["journal"].as_array().unwrap().last().unwrap();
    assert_eq!((&asked["action"], &asked["actor"]), (&json!("restore_requested"), &json!("operator:alice")));
    call(&service, Method::POST, &restore, Some(ALICE)).await.is_problem(409, "not-possible");
    world.work_to_the_end(&engine, key).await;
    let restored = get(&service, &path).await;
    assert_eq!((&restored["status"], &restored["outcome"]), (&json!("done"), &json!("restored")));
    let after = world.simulator.person(&jane).unwrap();
    assert_eq!((after.queues, after.grants, after.state), (before.queues, before.grants, before.state));
    let shown = run(&world.config(""), &["show", &id]).await;
    for words in ["goal       restored", "never: the person logs in again", "DID NOT COME BACK"] {
        assert!(shown.done().out.contains(words), "{words}: {}", shown.out);
    }
    let (_, lost) = shown.out.split_once("DID NOT COME BACK").unwrap();
    assert!(lost.lines().nth(1).unwrap().starts_with("deactivate.tokens "), "{lost}");
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_offboarding_stays_down_while_another_of_the_same_person_is_open() {
    let world = World::new().await;
    let service = serve(&world);
    let first = open(&service, "e1", "jane.doe@example.com").await;
    world.sql("update offboardings set status = 'failed', reason = 'attempts_exhausted'").await;
    let second = open(&service, "e2", "jane.doe@example.com").await;
    assert_ne!(first, second);
    let retry = format!("/api/v1/offboardings/{first}/retry");
    let (status, problem) = service.api(Method::POST, &retry, ALICE).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["title"].as_str().is_some_and(|title| title.contains(&second)), "{problem}");
    let cancel = format!("/api/v1/offboardings/{second}/cancel");
    assert_eq!(service.api(Method::POST, &cancel, ALICE).await.0, 200);
    assert_eq!(service.api(Method::POST, &retry, ALICE).await.0, 200);
}
