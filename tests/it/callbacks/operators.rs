//! What operators see of the outbox and do with it, and targets that want another body.

use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::*;
use crate::edge::Answer;
use crate::support::{ALICE, leaver};

const VERA: &str = "vera-token-0123456789";

fn ran(config: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = leaver(config).args(arguments).output().expect("a process");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn operators_see_what_was_told_and_have_it_told_once_more() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let more = target("hris", &receiver)
        + &format!("[[operators]]\nname = \"vera\"\nrole = \"viewer\"\ntoken = \"{VERA}\"\n");
    let notifier = announced(&world, &more).await;
    let id = held(&world, "brake").await;
    hold(&world, id, "busy").await;
    receiver.next(&[Reply::of(410)]);
    drain(&notifier).await;
    let service = world.serve(&more, &["serve", "--no-worker"]);
    let get = async |query: &str| service.api(Method::GET, &format!("/api/v1/callbacks{query}"), VERA).await;
    let (status, page) = get("?limit=1").await;
    assert_eq!((status, &page["items"][0]["told"]), (200, &json!("busy")));
    let (_, second) = get(&format!("?limit=1&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((&second["items"][0]["told"], &second["next"]), (&json!("brake"), &Value::Null));
    let (_, given_up) = get(&format!("?status=gave_up&offboarding={id}")).await;
    assert_eq!(given_up["items"].as_array().unwrap().len(), 1);
    let callback = &given_up["items"][0];
    assert_eq!(callback["last_result"], "answers 410: it is gone for good");
    assert_eq!((&callback["target"], &callback["attempts"]), (&json!("hris"), &json!(1)));
    for wrong in ["?status=lost", "?offboarding=1", "?after=x", "?limit=0"] {
        assert_eq!(get(wrong).await.0, 400, "{wrong}");
    }
    let path = format!("/api/v1/callbacks/{}/repeat", callback["id"].as_str().unwrap());
    assert_eq!(service.api(Method::POST, &path, VERA).await.0, 403);
    assert_eq!(service.api(Method::GET, &path, ALICE).await.0, 405);
    let unknown = format!("/api/v1/callbacks/{}/repeat", uuid::Uuid::new_v4());
    assert_eq!(service.api(Method::POST, &unknown, ALICE).await.0, 404);
    let (status, repeated) = service.api(Method::POST, &path, ALICE).await;
    assert_eq!((status, &repeated["status"], &repeated["attempts"]), (200, &json!("waiting"), &json!(0)));
    assert_eq!(drain(&notifier).await, 1);
    // The process that repeated it died before its answer: whoever asks again is told, and nobody a third time.
    let keyed = async || {
        let request = crate::support::client().post(format!("{}{path}", service.admin));
        Answer::to(request.bearer_auth(ALICE).header("idempotency-key", "k")).await
    };
    assert_eq!(keyed().await.status, 200);
    assert_eq!(drain(&notifier).await, 1);
    crate::idempotency::lose_the_answers(&world).await;
    let again = keyed().await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("delivered")));
    assert_eq!(drain(&notifier).await, 0);
    let ids: Vec<_> = receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.iter().filter(|one| **one == callback["id"].as_str().unwrap()).count(), 3);
    let journal = world.view(id).await.journal.unwrap();
    let entry = journal.iter().find(|entry| entry.action == "callback_repeated").unwrap();
    assert_eq!((entry.actor.as_str(), entry.target.as_deref()), ("operator:alice", Some("hris")));
    let other = Receiver::start().await;
    nobody_has_said_so_lately(&world).await;
    announced(&world, &target("other", &other)).await;
    let (status, problem) = service.api(Method::POST, &path, ALICE).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:leaver:problem:not-possible")));
}

// The receiver has to answer while the command waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_list_repeat_and_try() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let more = target("hris", &receiver)
        + &format!(
            "[[callbacks]]\nname = \"note\"\nurl = \"{}/{{external_id}}\"\nbody = '{{}}'\n",
            receiver.url
        );
    let config = world.config(&more);
    let notifier = announced(&world, &target("hris", &receiver)).await;
    held(&world, "brake").await;
    drain(&notifier).await;
    let (code, out, _) = ran(&config, &["callbacks", "--status", "delivered", "--json"]);
    let page: Value = serde_json::from_str(&out).unwrap();
    let id = page["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((code, &page["items"][0]["event"]), (Some(0), &json!("offboarding.held")));
    let (_, out, _) = ran(&config, &["callbacks", "--limit", "1"]);
    assert!(!out.contains("there are more"), "{out}");
    held(&world, "busy").await;
    let (_, out, _) = ran(&config, &["callbacks", "--limit", "1"]);
    assert!(out.contains("there are more: --after "), "{out}");
    assert_eq!(drain(&notifier).await, 1);
    let (code, out, _) = ran(&config, &["callbacks", "repeat", &id]);
    assert!(code == Some(0) && out.contains("waiting") && out.contains("offboarding.held (brake)"), "{out}");
    assert_eq!(drain(&notifier).await, 1);
    let (code, out, err) = ran(&config, &["callbacks", "test", "hris"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "hris answers 204\n", ""));
    let last = receiver.got().pop().unwrap();
    assert!(last.is_proven_with(NEW_KEY) && last.json()["type"] == "leaver.test", "{last:?}");
    receiver.next(&[Reply::of(401)]);
    let (code, _, err) = ran(&config, &["callbacks", "test", "hris"]);
    assert_eq!((code, err.as_str()), (Some(1), "leaver: hris: refuses it (401)\n"));
    let (code, _, err) = ran(&config, &["callbacks", "test", "note"]);
    assert_eq!((code, err.contains("its address names a person")), (Some(2), true), "{err}");
    let (code, _, err) = ran(&config, &["callbacks", "test", "nobody"]);
    assert_eq!((code, err.contains("there is hris, note")), (Some(2), true), "{err}");
    let (code, _, err) = ran(&config, &["callbacks", "--status", "lost"]);
    assert_eq!((code, err.contains("waiting, delivered or gave_up")), (Some(2), true), "{err}");
    let calls = receiver.got().len();
    let (_, out, _) = ran(&config, &["check"]);
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["callbacks hris", "signed with 2 keys", "callbacks note", "not signed", "set console.url"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert_eq!(receiver.got().len(), calls, "a check calls nobody");
}

#[tokio::test]
async fn a_body_of_ones_own_is_sent_as_its_receiver_wants_it() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let url = &receiver.url;
    let more = format!(
        "[[callbacks]]\nname = \"field\"\nurl = \"{url}/people/{{external_id}}/fields?by={{source}}\"\nmethod = \"PUT\"\n\
         headers = {{ Authorization = \"Basic hushhush-credential\" }}\n\
         body = '{{\"{{field}}\": \"{{status}} {{result}} {{external_id}}\"}}'\nwith = {{ field = \"a \\\"field\\\"\" }}\n\
         [[callbacks]]\nname = \"chat\"\nurl = \"{url}/chat\"\ntemplate = \"slack\"\n"
    );
    let notifier = announced(&world, &more).await;
    let id = held(&world, "brake").await;
    change(&world, id, r#"external_id = '../x"}<!channel>&y', source = 'a&b'"#).await;
    assert_eq!(drain(&notifier).await, 2);
    let got = receiver.got();
    let field = got.iter().find(|got| got.method == Method::PUT).unwrap();
    assert_eq!(field.path, "/people/..%2Fx%22%7D%3C%21channel%3E%26y/fields?by=a%26b");
    assert_eq!(field.json(), json!({"a \"field\"": "held brake ../x\"}<!channel>&y"}));
    assert_eq!(field.header("authorization"), "Basic hushhush-credential");
    assert!(field.headers.contains_key("webhook-id") && !field.headers.contains_key("webhook-signature"));
    let chat = got.iter().find(|got| got.path == "/chat").unwrap();
    assert!(chat.json()["text"].as_str().unwrap().contains("held (brake)"), "{}", chat.body);
    assert!(!chat.body.contains("channel") && !chat.body.contains(CANARY));
    // Without the id there is no address.
    let nameless = world.terminate("nobody@example.com").await;
    hold(&world, nameless, "brake").await;
    drain(&notifier).await;
    let given_up = outbox(&world).await.into_iter().find(|view| view.status.as_str() == "gave_up").unwrap();
    assert_eq!(given_up.last_result.as_deref(), Some("its address needs external_id, which is not known"));
}

#[tokio::test]
async fn a_target_that_can_not_be_used_keeps_the_service_from_starting() {
    let world = World::new().await;
    let config =
        world.config("[[callbacks]]\nurl = \"https://x.example/hushhush\"\nbody = '{\"a\": \"{persn}\"}'\n");
    for command in [&["serve"][..], &["serve", "--no-worker"], &["worker"], &["check"]] {
        let (code, _, err) = ran(&config, command);
        assert_eq!(code, Some(2), "{command:?}: {err}");
        assert!(err.starts_with("leaver: callbacks[0].body: {persn} is no place"), "{err}");
        assert!(err.lines().count() == 1 && !err.contains("hushhush"), "{err}");
    }
}

#[tokio::test]
async fn logs_name_the_offboarding_and_the_target_and_nothing_else() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.always(Reply::of(500));
    let more = format!(
        "{}person = \"full\"\n[worker]\npoll = \"20ms\"\n[[callbacks]]\nname = \"chat\"\nurl = \"{}/hushhush-token\"\n\
         headers = {{ Authorization = \"Bearer hushhush-credential\" }}\nbody = '{{\"a\": \"{{status}}\"}}'\n",
        target("hris", &receiver),
        receiver.url
    );
    announced(&world, &more).await;
    let id = held(&world, "brake").await;
    let service = world.serve(&more, &["serve"]);
    crate::process::until("both were tried", std::time::Duration::from_secs(60), async || {
        let tried = service.log_lines().into_iter().filter(|line| line["fields"]["offboarding"] == json!(id));
        tried.count() >= 2
    })
    .await;
    let log = std::fs::read_to_string(&service.log).unwrap();
    for secret in [CANARY, "W-17", "hushhush", NEW_KEY, OLD_KEY, "127.0.0.1:"] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "{secret}: {lines:?}");
    }
}
