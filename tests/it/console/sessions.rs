//! Signing in and out, and everything that ends a session.

use super::{VERA, Visitor, WITH_VERA, client, held, post_token, serve};
use crate::edge::Answer;
use crate::support::{ALICE, BOB, World};

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts() {
    let world = World::new().await;
    let service = serve(&world);
    let cookie = post_token(&service, ALICE).await.header("set-cookie").expect("a cookie").to_owned();
    let (value, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
    let value = value.strip_prefix("leaver_session=").expect("its name");
    assert_eq!(value.len(), 43, "32 bytes: {value}");
    assert!(!cookie.contains(ALICE));
    let behind_tls =
        world.serve("[console]\nurl = \"https://leaver.example.com\"", &["serve", "--no-worker"]);
    let cookie = post_token(&behind_tls, ALICE).await.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn the_database_has_neither_what_is_in_the_cookie_nor_the_token() {
    let world = World::new().await;
    let service = serve(&world);
    let visitor = Visitor::sign_in(&service, ALICE).await;
    let rows = world.number("select count(*) from sessions where octet_length(id_hash) = 32").await;
    assert_eq!(rows, 1);
    let dumped: String = {
        use sqlx::Row;
        world.rows("select sessions::text from sessions").await[0].get(0)
    };
    assert!(
        !dumped.contains(visitor.cookie.split('=').nth(1).unwrap()) && !dumped.contains(ALICE),
        "{dumped}"
    );
    assert!(dumped.contains("alice"));
}

#[tokio::test]
async fn every_failure_to_sign_in_has_the_same_answer_and_guessing_is_slowed_down() {
    let world = World::new().await;
    let service = serve(&world);
    let first = post_token(&service, "not-a-token-0123456789").await;
    assert_eq!((first.status, first.header("set-cookie")), (401, None));
    for wrong in ["", " ", "alice", "Bearer alice-token-0123456789", "alice-token-012345678", "' or true --"]
    {
        let answer = post_token(&service, wrong).await;
        assert_eq!((answer.status, answer.text()), (401, first.text()), "{wrong:?}");
    }
    for _ in 0..3 {
        post_token(&service, "not-a-token-0123456789").await;
    }
    let right = post_token(&service, ALICE).await;
    assert_eq!((right.status, right.text()), (401, first.text()), "too many tries");
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(log.contains("nobody was signed in") && !log.contains("not-a-token"), "{log}");
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let world = World::new().await;
    let service = serve(&world);
    let id = uuid::Uuid::now_v7();
    let pages = ["/", "/offboardings", "/offboardings/new", "/held", "/held/approve", "/events", "/sources"];
    let pages = pages.into_iter().chain(["/callbacks", "/layoffs", "/pause", "/resume"]);
    let more = [
        format!("/layoffs/{id}/approve"),
        format!("/offboardings/{id}"),
        format!("/offboardings/{id}/approve"),
        format!("/events/{id}"),
    ];
    for path in pages.chain(more.iter().map(String::as_str)) {
        for cookie in [
            "",
            "leaver_session=",
            "leaver_session=AAAA",
            "leaver_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let request = client().get(format!("{}{path}", service.admin)).header("cookie", cookie);
            let answer = Answer::to(request).await;
            let over = if cookie.len() > 50 { vec!["over=session".to_owned()] } else { Vec::new() };
            let next = path.replace('/', "%2F").replace('-', "%2D");
            let next = (path != "/").then(|| format!("next={next}"));
            let query = over.into_iter().chain(next).collect::<Vec<_>>().join("&");
            let to = if query.is_empty() { "/sign-in".to_owned() } else { format!("/sign-in?{query}") };
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, Some(to.as_str())),
                "{path} {cookie}"
            );
        }
    }
    let token = client().get(format!("{}/", service.admin)).bearer_auth(ALICE);
    assert_eq!(Answer::to(token).await.status, 303, "a token of the API opens no page");
    assert_eq!(Answer::get(format!("{}/", service.public)).await.status, 404, "not on the public listener");
}

#[tokio::test]
async fn a_sign_in_leads_back_to_the_page_that_was_asked_for_and_nowhere_else() {
    let world = World::new().await;
    let service = serve(&world);
    let page =
        Answer::get(format!("{}/sign-in?next=%2Foffboardings%3Fstatus%3Dheld", service.admin)).await.text();
    assert!(page.contains("name=\"next\" value=\"/offboardings?status=held\""), "{page}");
    let cases = [
        ("/offboardings?status=held", "/offboardings?status=held"),
        ("//evil.example.com", "/"),
        ("/.//evil.example.com", "/"),
        ("/\\evil.example.com", "/"),
        ("https://evil.example.com/", "/"),
        ("/sign-in", "/"),
        ("", "/"),
    ];
    for (next, to) in cases {
        let request = client().post(format!("{}/sign-in", service.admin)).header("origin", &service.admin);
        let answer = Answer::to(request.form(&[("token", VERA), ("next", next)])).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(to)), "{next}");
        let page =
            Answer::to(client().get(format!("{}/sign-in", service.admin)).query(&[("next", next)])).await;
        assert_eq!(page.text().contains("name=\"next\""), to != "/", "{next}");
    }
    let visitor = Visitor::sign_in(&service, VERA).await;
    assert_eq!(
        visitor.get("/sign-in?next=%2Fheld").await.header("location"),
        Some("/held"),
        "signed in already"
    );
    let refused = client().post(format!("{}/sign-in", service.admin)).header("origin", &service.admin);
    let refused = Answer::to(refused.form(&[("token", "wrong-token-0123456789"), ("next", "/held")])).await;
    assert!(refused.status == 401 && refused.text().contains("name=\"next\" value=\"/held\""));
}

#[tokio::test]
async fn whoever_comes_from_a_link_elsewhere_with_an_open_session_needs_no_sign_in() {
    let world = World::new().await;
    let service = serve(&world);
    let from_elsewhere =
        || client().get(format!("{}/held", service.admin)).header("sec-fetch-site", "cross-site");
    let answer = Answer::to(from_elsewhere()).await;
    assert_eq!(answer.status, 200, "the browser keeps the cookie back, and asks again from our own page");
    assert!(answer.text().contains("http-equiv=\"refresh\" content=\"0\""), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let again = client().get(format!("{}/held", service.admin)).header("sec-fetch-site", "same-origin");
    assert_eq!(
        Answer::to(again).await.header("location"),
        Some("/sign-in?next=%2Fheld"),
        "no session after all"
    );
    let post = client().post(format!("{}/pause", service.admin)).header("sec-fetch-site", "cross-site");
    assert_eq!(Answer::to(post).await.status, 403, "a form from elsewhere is refused as ever");
}

#[tokio::test]
async fn whose_session_has_ended_is_told_so_and_that_nothing_was_done() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    world.sql("update sessions set seen_at = now() - interval '31 minutes'").await;
    let page = bob.get(&format!("/offboardings/{id}")).await;
    let to = page.header("location").expect("a way").to_owned();
    assert!(to.starts_with("/sign-in?over=session&next="), "{to}");
    assert!(bob.page(&to).await.contains("Your session has ended. Sign in to go on."));
    let sent = bob.post(&format!("/offboardings/{id}/approve"), &[]).await;
    assert_eq!(sent.header("location"), Some("/sign-in?over=form"));
    assert!(bob.page("/sign-in?over=form").await.contains("nothing of what you sent was carried out"));
    assert_eq!(world.number("select count(*) from offboardings where status = 'held'").await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_for_good() {
    let world = World::new().await;
    let service = serve(&world);
    let (visitor, other) = (Visitor::sign_in(&service, ALICE).await, Visitor::sign_in(&service, ALICE).await);
    let answer = visitor.post("/sign-out", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in")));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(visitor.get("/").await.status, 303);
    assert_eq!(other.get("/").await.status, 200, "the other session of the same operator goes on");
}

#[tokio::test]
async fn a_session_ends_when_nothing_was_asked_for_or_its_time_is_over() {
    let world = World::new().await;
    let service = serve(&world);
    let visitor = Visitor::sign_in(&service, VERA).await;
    world.sql("update sessions set seen_at = now() - interval '29 minutes'").await;
    assert_eq!(visitor.get("/").await.status, 200, "and the idle time begins anew");
    assert_eq!(
        world.number("select count(*) from sessions where seen_at > now() - interval '1 minute'").await,
        1
    );
    world.sql("update sessions set seen_at = now() - interval '31 minutes'").await;
    assert_eq!(visitor.get("/").await.status, 303);
    world.sql("update sessions set seen_at = now(), expires_at = now() - interval '1 second'").await;
    assert_eq!(visitor.get("/").await.status, 303);
    Visitor::sign_in(&service, VERA).await;
    assert_eq!(world.number("select count(*) from sessions").await, 1, "the one that is over is deleted");
}

#[tokio::test]
async fn whoever_is_no_longer_configured_like_that_is_signed_out() {
    let world = World::new().await;
    let visitors = {
        let service = serve(&world);
        [Visitor::sign_in(&service, VERA).await, Visitor::sign_in(&service, BOB).await]
    };
    let cases = [
        ("the same", WITH_VERA.to_owned(), 200),
        ("another token", WITH_VERA.replace("vera-token", "vera-other"), 303),
        ("another role", WITH_VERA.replace("viewer", "approver"), 303),
        ("nobody of this name", WITH_VERA.replace("\"vera\"", "\"vara\""), 303),
    ];
    for (what, operators, status) in cases {
        let service = world.serve(&operators, &["serve", "--no-worker"]);
        let [vera, bob] = &visitors;
        for (visitor, expected) in [(vera, status), (bob, 200)] {
            let request = client().get(format!("{}/", service.admin)).header("cookie", &visitor.cookie);
            assert_eq!(Answer::to(request).await.status, expected, "{what}");
        }
    }
    world.sql("update sessions set kind = 'oidc', proof = null").await;
    let service = serve(&world);
    let request = client().get(format!("{}/", service.admin)).header("cookie", &visitors[0].cookie);
    assert_eq!(Answer::to(request).await.status, 303, "another sign-in, which is not configured");
}

#[tokio::test]
async fn whoever_sends_many_cookies_has_no_more_tries_than_a_browser_needs() {
    let world = World::new().await;
    let service = serve(&world);
    let visitor = Visitor::sign_in(&service, VERA).await;
    let guess = "leaver_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; ";
    for (guesses, status) in [(3, 200), (4, 303), (100, 303)] {
        let cookies = guess.repeat(guesses) + &visitor.cookie;
        let request = client().get(format!("{}/", service.admin)).header("cookie", cookies);
        assert_eq!(Answer::to(request).await.status, status, "behind {guesses} others");
    }
}
