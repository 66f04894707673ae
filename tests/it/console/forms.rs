//! A form counts only from a page of the session that it came with.

use super::{Visitor, client, held, scheduled, serve};
use crate::edge::Answer;
use crate::support::{ALICE, BOB, World};

#[tokio::test]
async fn a_form_without_the_token_of_its_own_session_is_refused() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let (alice, bob) = (Visitor::sign_in(&service, ALICE).await, Visitor::sign_in(&service, BOB).await);
    let paths = ["cancel", "retry", "restore"].map(|word| format!("/offboardings/{id}/{word}"));
    let others = [
        "/held/approve",
        "/sign-out",
        "/offboardings/new",
        "/events/x/replay",
        "/pause",
        "/resume",
        "/callbacks/x/repeat",
        "/layoffs/x/approve",
        "/layoffs/x/cancel",
    ];
    let others = others.map(str::to_owned);
    for path in paths.iter().chain(&others) {
        for csrf in [None, Some(""), Some("wrong"), Some(bob.csrf.as_str())] {
            let fields: Vec<_> =
                csrf.map(|csrf| ("csrf", csrf)).into_iter().chain([("reason", "because")]).collect();
            let answer = alice.post_as(path, &fields, Some(&service.admin)).await;
            assert_eq!(answer.status, 403, "{path} {csrf:?}: {}", answer.text());
        }
    }
    assert_eq!(world.number("select count(*) from offboardings where status = 'held'").await, 1);
    assert_eq!(world.number("select count(*) from pause where paused").await, 0);
    assert_eq!(alice.get("/").await.status, 200, "and nobody was signed out");
}

#[tokio::test]
async fn a_form_from_another_origin_is_refused_also_with_the_right_token() {
    let world = World::new().await;
    let service = serve(&world);
    let id = scheduled(&service, "e1", "jane@example.com").await;
    let alice = Visitor::sign_in(&service, ALICE).await;
    let path = format!("/offboardings/{id}/cancel");
    let fields = [("csrf", alice.csrf.as_str())];
    let foreign = ["https://evil.example.com", "null", "http://127.0.0.1:1", "http://localhost", ""];
    for origin in foreign {
        let answer = alice.post_as(&path, &fields, Some(origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    let guessed = alice.post_as(&path, &[("csrf", "guessed")], None).await;
    assert_eq!(guessed.status, 403, "whoever says nothing has to know the session's secret");
    for site in ["cross-site", "same-site", "none"] {
        let request = alice.request(reqwest::Method::POST, &path).header("sec-fetch-site", site);
        let request = request.header("origin", &service.admin).form(&fields);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 403, "{site}");
    }
    for second in [service.admin.as_str(), "https://evil.example.com"] {
        let request = alice.request(reqwest::Method::POST, &path).header("origin", &service.admin);
        let two = request.header("origin", second).form(&fields);
        assert_eq!(two.send().await.unwrap().status().as_u16(), 403, "two origins, the second {second}");
    }
    assert_eq!(world.number("select count(*) from offboardings where status = 'scheduled'").await, 1);
    let request = alice.request(reqwest::Method::POST, &path).header("sec-fetch-site", "same-origin");
    assert_eq!(request.form(&fields).send().await.unwrap().status().as_u16(), 303);
    assert_eq!(world.number("select count(*) from offboardings where status = 'cancelled'").await, 1);
}

/// Whoever is signed in by somebody else's page works under somebody else's name.
#[tokio::test]
async fn a_sign_in_from_another_origin_opens_no_session() {
    let world = World::new().await;
    let service = serve(&world);
    let address = format!("{}/sign-in", service.admin);
    for origin in ["https://evil.example.com", "null", "http://127.0.0.1:1"] {
        let request = client().post(&address).form(&[("token", ALICE)]);
        let answer = Answer::to(request.header("origin", origin)).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{origin:?}");
    }
    let request = client().post(&address).form(&[("token", ALICE)]).header("origin", &service.admin);
    let answer = Answer::to(request.header("sec-fetch-site", "cross-site")).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    assert_eq!(world.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn whoever_is_no_browser_signs_in_and_acts_without_an_origin() {
    let world = World::new().await;
    let service = serve(&world);
    let request = client().post(format!("{}/sign-in", service.admin));
    let answer = Answer::to(request.form(&[("token", ALICE)])).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.text());
    let alice = Visitor::sign_in(&service, ALICE).await;
    assert_eq!(alice.post_as("/sign-out", &[("csrf", &alice.csrf)], None).await.status, 303);
}

#[tokio::test]
async fn a_browser_that_vouches_for_the_page_is_believed_behind_a_proxy_that_changes_the_host() {
    let world = World::new().await;
    let service = serve(&world);
    let request = client().post(format!("{}/sign-in", service.admin));
    let request = request.header("origin", "https://leaver.example.com").form(&[("token", ALICE)]);
    assert_eq!(Answer::to(request.try_clone().unwrap()).await.status, 403);
    assert_eq!(Answer::to(request.header("sec-fetch-site", "same-origin")).await.status, 303);
}

#[tokio::test]
async fn the_address_from_outside_is_an_own_origin_behind_a_proxy() {
    let world = World::new().await;
    let more = format!("{}[console]\nurl = \"https://leaver.example.com\"", super::WITH_VERA);
    let service = world.serve(&more, &["serve", "--no-worker"]);
    let alice = Visitor::sign_in(&service, ALICE).await;
    let fields = [("csrf", alice.csrf.as_str())];
    let other = alice.post_as("/sign-out", &fields, Some("https://other.example.com")).await;
    assert_eq!(other.status, 403);
    assert_eq!(alice.post_as("/sign-out", &fields, Some("https://leaver.example.com")).await.status, 303);
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let world = World::new().await;
    let service = serve(&world);
    let alice = Visitor::sign_in(&service, ALICE).await;
    let request = alice.request(reqwest::Method::POST, "/sign-out").header("origin", &service.admin);
    let json = request.json(&serde_json::json!({ "csrf": alice.csrf }));
    assert_eq!(json.send().await.unwrap().status().as_u16(), 415);
    let long = "x".repeat(65 * 1024);
    assert_eq!(alice.post("/sign-out", &[("more", &long)]).await.status, 413);
}
