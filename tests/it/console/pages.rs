//! What the pages show, with which headers, and what an open one gets sent.

use std::time::Duration;

use futures_util::StreamExt as _;
use leaver::offboarding::Reason;

use super::{VERA, Visitor, client, held, put, scheduled, serve};
use crate::edge::Answer;
use crate::process::until;
use crate::support::{ALICE, BOB, World, signed, termination};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Asserts what stands in the headers of each page, and that a browser with that policy can show it.
fn assert_strict(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{path}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
    assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    let page = answer.text();
    assert!(
        ![" style=", "<style", " onclick=", " onload=", " onsubmit="].iter().any(|one| page.contains(one)),
        "{path}: inline\n{page}"
    );
    for script in page.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/assets/"), "{path}: {script:.80}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "{path}: another host\n{page}");
}

#[tokio::test]
async fn each_page_has_a_strict_policy_and_nothing_from_elsewhere() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let pages = [
        "/",
        "/offboardings",
        "/offboardings/new",
        "/held",
        "/events",
        "/sources",
        "/callbacks",
        "/layoffs",
        "/pause",
        "/events/e1",
        "/events/none",
    ];
    let more = [
        format!("/offboardings/{id}"),
        format!("/offboardings/{id}/approve"),
        format!("/held/approve?reason=effective_date_missing&id={id}"),
        format!("/offboardings/{}", uuid::Uuid::now_v7()),
    ];
    for path in pages.into_iter().chain(more.iter().map(String::as_str)) {
        assert_strict(path, &bob.get(path).await);
    }
    assert_strict("/sign-in", &Answer::get(format!("{}/sign-in", service.admin)).await);
    assert_eq!(bob.get("/sign-out").await.status, 405);
    assert_eq!(bob.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_browser_is_told_on_a_page_that_there_is_nothing_and_a_program_in_a_problem() {
    let world = World::new().await;
    let service = serve(&world);
    let get = |path: &str, accept: &'static str| {
        Answer::to(client().get(format!("{}{path}", service.admin)).header("accept", accept))
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (path, status) in [("/nothing", 404), ("/sign-out", 405)] {
        let page = get(path, browser).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (status, Some("text/html; charset=utf-8")),
            "{path}"
        );
        assert_strict(path, &page);
        assert!(page.text().contains("<h1>") && page.text().contains("lang=\"en\""), "{}", page.text());
        let problem = get(path, "*/*").await;
        assert_eq!(
            (problem.status, problem.header("content-type")),
            (status, Some("application/problem+json"))
        );
    }
    let api = get("/api/v1/nothing", browser).await;
    assert_eq!((api.status, api.header("content-type")), (404, Some("application/problem+json")));
}

#[tokio::test]
async fn one_that_was_ended_midway_says_what_was_taken_away_and_what_never_will_be() {
    let world = World::new().await;
    let service = serve(&world);
    let (jane, john) =
        (held(&service, "e1", "jane@example.com").await, held(&service, "e2", "john@example.com").await);
    let bob = Visitor::sign_in(&service, BOB).await;
    let confirm = bob.page(&format!("/offboardings/{jane}/cancel")).await;
    assert!(confirm.contains("Nothing was taken away so far."), "{confirm}");
    put(
        &world,
        format!(
            "insert into assignments (offboarding_id, step, target, detail, removed_at)
             values ('{jane}', 'strip.queue_memberships', 'q1', '{{}}', now()),
                 ('{jane}', 'strip.routing_skills', 's1', '{{}}', now());
             insert into steps (offboarding_id, name, phase, status) values ('{jane}', 'strip.queue_memberships', 'strip', 'done');
             insert into journal (offboarding_id, actor, action, step, request_id, correlation_id)
             values ('{jane}', 'worker:a', 'call_finished', 'strip.queue_memberships', gen_random_uuid(), 'from-genesys-1')"
        ),
    )
    .await;
    for id in [&jane, &john] {
        bob.post(&format!("/offboardings/{id}/cancel"), &[]).await;
    }
    let page = bob.page(&format!("/offboardings/{jane}")).await;
    assert!(page.contains("ended it midway: 2 things were taken away"), "{page}");
    assert!(page.contains("<span class=\"word\">not done</span>") && !page.contains(">to do<"), "{page}");
    assert!(page.contains("from-genesys-1"), "Genesys's own id of the call: {page}");
    let page = bob.page(&format!("/offboardings/{john}")).await;
    assert!(page.contains("ended it before anything was taken away"), "{page}");
    assert!(page.contains("Nothing was stored, because nothing was changed."), "{page}");
}

#[tokio::test]
async fn what_can_no_longer_be_decided_leads_back_and_offers_no_button() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let path = format!("/offboardings/{id}/cancel");
    let form = format!("action=\"{path}\"");
    assert!(bob.page(&path).await.contains(&form));
    assert_eq!(bob.post(&path, &[]).await.status, 303);
    for answer in [bob.get(&path).await, bob.post(&path, &[]).await] {
        let page = answer.text();
        assert_eq!(answer.status, 409, "{page}");
        assert!(page.contains("The offboarding is cancelled") && !page.contains(&form), "{page}");
        assert!(page.contains(&format!("href=\"/offboardings/{id}\">Back to the offboarding</a>")), "{page}");
    }
}

#[tokio::test]
async fn many_held_for_one_reason_do_not_hide_the_few_of_another() {
    let world = World::new().await;
    let service = serve(&world);
    held(&service, "e1", "jane@example.com").await;
    world
        .sql(
            "insert into offboardings (id, status, reason, source, email, email_key, effective_at, available_at, created_at)
             select gen_random_uuid(), 'held', 'brake', 'workday', 'p' || n || '@example.com', 'p' || n || '@example.com', now(),
                 now(), now() + interval '1 minute' from generate_series(1, 250) n",
        )
        .await;
    let page = Visitor::sign_in(&service, BOB).await.page("/held").await;
    assert!(page.contains("251 wait for a person"), "{page}");
    assert!(page.contains("jane@example.com"), "the newest 250 are all of the brake");
    assert!(
        page.contains("brake <span class=\"pill\">250</span>") && page.contains("The newest 100 of 250.")
    );
    assert!(page.contains("/offboardings?status=held&#38;reason=brake"), "where all of them stand");
}

#[tokio::test]
async fn a_form_that_asks_for_a_time_says_in_which_zone() {
    let world = World::new().await;
    let policy = "[policy]\ntime_zone = \"Europe/Berlin\"\neffective_at = \"17:00\"\n";
    let service = world.serve(policy, &["serve", "--no-worker"]);
    let id = held(&service, "e1", "jane@example.com").await;
    let page = Visitor::sign_in(&service, BOB).await.page(&format!("/offboardings/{id}/approve")).await;
    assert!(page.contains("in the time zone Europe/Berlin. A date alone means 17:00 on that day."), "{page}");
}

#[tokio::test]
async fn what_a_page_loads_comes_with_the_program_and_may_be_kept() {
    let world = World::new().await;
    let service = serve(&world);
    let page = Answer::get(format!("{}/sign-in", service.admin)).await.text();
    let overview = Visitor::sign_in(&service, VERA).await.page("/").await;
    let both = format!("{page}{overview}");
    let assets: std::collections::BTreeSet<_> =
        both.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().expect("a name")).collect();
    assert_eq!(assets.len(), 5, "{assets:?}");
    for name in assets {
        let answer = Answer::get(format!("{}/assets/{name}", service.admin)).await;
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.header("cache-control").is_some_and(|kept| kept.contains("immutable")), "{name}");
    }
    assert_eq!(Answer::get(format!("{}/assets/leaver-0.css", service.admin)).await.status, 404);
}

#[tokio::test]
async fn the_overview_counts_what_is_there_and_leads_to_it() {
    let world = World::new().await;
    let service = serve(&world);
    scheduled(&service, "e1", "jane@example.com").await;
    let omar = held(&service, "e2", "omar@example.com").await;
    world.sql("update offboardings set reason = 'brake', effective_at = now() - interval '9 days' where status = 'held'").await;
    assert_eq!(
        signed(&service.public, b"{}", "another-secret-0123456789").send().await.unwrap().status(),
        401
    );
    let page = Visitor::sign_in(&service, VERA).await.page("/").await;
    let count = |status: &str| {
        let card = page
            .split("class=\"card counter\"")
            .find(|card| card.contains(&format!("{status}</span>")))
            .expect(status);
        card.split("class=\"number\">")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .expect("a number")
            .to_owned()
    };
    assert_eq!((count("scheduled"), count("held"), count("done")), ("1".into(), "1".into(), "0".into()));
    assert!(
        page.contains("9 days ago")
            && page.contains(&format!("<a href=\"/offboardings/{omar}\"><bdi>omar@example.com</bdi></a>"))
            && page.contains("due since"),
        "the oldest: {page}"
    );
    assert!(page.contains("of 10 people changed within the last hour"));
    assert!(page.contains("1 held by it") && page.contains("1 failed since"), "{page}");
    assert_eq!(page.matches("<tr><th scope=\"row\">").count(), 14, "a day each");
}

#[tokio::test]
async fn the_list_is_filtered_and_goes_on_page_by_page() {
    let world = World::new().await;
    let service = serve(&world);
    for number in 0..27 {
        held(&service, &format!("e{number}"), &format!("p{number}@example.com")).await;
    }
    world.sql("update offboardings set reason = 'busy' where email = 'p3@example.com'").await;
    let vera = Visitor::sign_in(&service, VERA).await;
    let people = |page: &str| page.matches("<th scope=\"row\"><a href=\"/offboardings/").count();
    let first = vera.page("/offboardings?status=held&reason=effective_date_missing").await;
    assert_eq!(people(&first), 25);
    let next =
        first.split("href=\"").find(|link| link.contains("after=")).and_then(|link| link.split('"').next());
    let next = next.expect("a next page").replace("&#38;", "&");
    let second = vera.page(&next).await;
    assert_eq!(people(&second), 1, "{next}");
    assert!(!second.contains("after="));
    let busy = vera.page("/offboardings?reason=busy").await;
    assert!(people(&busy) == 1 && busy.contains("p3@example.com"));
    assert_eq!(people(&vera.page("/offboardings?person=P3@example.com&status=&source=&reason=").await), 1);
    assert!(vera.page("/offboardings?status=done").await.contains("No offboarding is like this."));
    assert_eq!(vera.get("/offboardings?status=running").await.status, 400);
}

#[tokio::test]
async fn an_own_termination_is_looked_at_first_and_asked_for_once() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        leaver_simulator::presets::fully_assigned_agent(org, "Jane Doe", "jane@example.com", "W1");
    });
    let service = serve(&world);
    let alice = Visitor::sign_in(&service, ALICE).await;
    let page = alice.page("/offboardings/new?person=jane@example.com").await;
    assert!(page.contains("What it would do") && page.contains("queue memberships"), "{page}");
    assert!(
        alice.get("/offboardings/new?person=nobody@example.com").await.text().contains("exactly one has to")
    );
    let fields = [("person", "jane@example.com"), ("reason", "left"), ("key", "k1")];
    let (one, two) =
        (alice.post("/offboardings/new", &fields).await, alice.post("/offboardings/new", &fields).await);
    assert_eq!((one.status, two.status), (303, 303), "{}", one.text());
    assert_eq!(one.header("location"), two.header("location"), "one page asks once");
    let missing = alice.post("/offboardings/new", &[("person", "jane@example.com")]).await;
    assert_eq!(missing.status, 400);
    assert!(missing.text().contains("reason"), "{}", missing.text());
}

#[tokio::test]
async fn an_event_is_shown_with_its_body_and_can_be_read_again() {
    let world = World::new().await;
    let service = serve(&world);
    held(&service, "e1", "jane@example.com").await;
    let alice = Visitor::sign_in(&service, ALICE).await;
    let page = alice.page("/events/e1?source=workday").await;
    assert!(page.contains("jane@example.com") && page.contains("worker.terminated"), "{page}");
    let id = page.split("/events/").find_map(|rest| rest.split_once("/replay")).expect("a form").0.to_owned();
    let replayed = alice.post(&format!("/events/{id}/replay"), &[]).await;
    let expected = format!("/events/{id}?did=unchanged");
    assert_eq!(replayed.header("location"), Some(expected.as_str()), "{}", replayed.text());
    assert!(alice.page(&expected).await.contains("everything is read as it was"));
    assert!(!Visitor::sign_in(&service, VERA).await.page("/events/e1").await.contains("Read again"));
}

#[tokio::test]
async fn a_source_shows_its_last_delivery_its_failures_and_the_difference_of_clocks() {
    let world = World::new().await;
    let service = serve(&world);
    let vera = Visitor::sign_in(&service, VERA).await;
    assert!(vera.page("/sources").await.contains("nothing yet"));
    service.deliver(&termination("e1", "e1", "jane@example.com")).await;
    for _ in 0..3 {
        signed(&service.public, b"{}", "another-secret-0123456789").send().await.unwrap();
    }
    let page = vera.page("/sources").await;
    assert!(
        page.contains("3 since the last authentic request") && page.contains("<code>wrong_signature</code>"),
        "{page}"
    );
    assert!(page.contains("secrets[0]") && page.contains("signatures fail"));
    let skew = page.split("<dt>Skew</dt><dd>").nth(1).expect("a skew");
    assert!(skew.starts_with("none") || skew.starts_with("sent "), "{skew:.60}");
}

/// Reads events of a stream until one has this name.
async fn next_event(
    stream: &mut (impl futures_util::Stream<Item = reqwest::Result<axum::body::Bytes>> + Unpin),
    text: &mut String,
    name: &str,
) -> String {
    let event = format!("event: {name}\n");
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let whole = text.split("\n\n").find(|one| format!("{one}\n").contains(&event)).map(str::to_owned);
            if let Some(found) = whole.filter(|found| text.contains(&format!("{found}\n\n"))) {
                *text = text.replacen(&format!("{found}\n\n"), "", 1);
                return found;
            }
            let chunk = stream.next().await.expect("more of the stream").expect("a chunk");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn an_open_page_is_sent_what_changed_and_nothing_after_the_session_has_ended() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let page = bob.page(&format!("/offboardings/{id}")).await;
    let live = page
        .split("sse-connect=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("an address")
        .to_owned();
    let answer = bob.request(reqwest::Method::GET, &live).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut stream, mut text) = (Box::pin(answer.bytes_stream()), String::new());
    bob.post(&format!("/offboardings/{id}/approve"), &[]).await;
    let progress = next_event(&mut stream, &mut text, "progress").await;
    assert!(progress.contains("scheduled"), "{progress}");
    let actions = next_event(&mut stream, &mut text, "actions").await;
    assert!(!actions.contains("do-approve") && actions.contains("do-cancel"), "{actions}");
    let journal = next_event(&mut stream, &mut text, "journal").await;
    assert!(journal.contains("approved"), "{journal}");
    world.sql("update sessions set seen_at = now() - interval '31 minutes'").await;
    next_event(&mut stream, &mut text, "ended").await;
    let rest = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("an end");
    assert!(rest.is_none(), "the stream ends: {rest:?}");
    let nobody = client().get(format!("{}{live}", service.admin)).send().await.unwrap();
    assert!(nobody.text().await.unwrap().contains("event: ended"));
}

#[tokio::test]
async fn watching_a_page_does_not_keep_the_session_open() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    world.sql("update sessions set seen_at = now() - interval '20 minutes'").await;
    let answer = bob.request(reqwest::Method::GET, &format!("/offboardings/{id}/live")).send().await.unwrap();
    let (mut stream, mut text) = (Box::pin(answer.bytes_stream()), String::new());
    next_event(&mut stream, &mut text, "progress").await;
    assert_eq!(
        world.number("select count(*) from sessions where seen_at > now() - interval '19 minutes'").await,
        0
    );
}

#[tokio::test]
async fn an_open_page_does_not_keep_the_service_from_ending() {
    let world = World::new().await;
    let mut service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let answer = bob.request(reqwest::Method::GET, &format!("/offboardings/{id}/live")).send().await.unwrap();
    let (mut stream, mut text) = (Box::pin(answer.bytes_stream()), String::new());
    next_event(&mut stream, &mut text, "progress").await;
    crate::edge::terminate(&service);
    let status = crate::edge::ended(&mut service, Duration::from_secs(25)).await;
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(&service.log).unwrap();
    assert!(!log.contains("did not end in time"), "{log}");
}

#[tokio::test]
async fn so_many_pages_are_watched_and_one_more_when_one_is_closed() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let live = format!("/offboardings/{id}/live");
    let mut open = Vec::new();
    for number in 0..32 {
        let answer = bob.request(reqwest::Method::GET, &live).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{number}");
        open.push(answer);
    }
    let more = bob.request(reqwest::Method::GET, &live).send().await.unwrap();
    assert_eq!(more.status().as_u16(), 503, "each costs a connection and a look a second");
    assert_eq!(bob.get("/").await.status, 200);
    open.pop();
    until("its place is free", Duration::from_secs(20), async || {
        bob.request(reqwest::Method::GET, &live).send().await.unwrap().status().as_u16() == 200
    })
    .await;
}

#[test]
fn the_readme_says_of_each_reason_what_the_console_says() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for reason in Reason::ALL {
        let row = format!("| `{reason}` | {} | {} |", reason.meaning(), reason.next_action());
        assert!(readme.lines().any(|line| line == row), "README.md lacks\n{row}");
    }
}
