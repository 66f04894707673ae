//! Planned layoffs in the console: who sees, approves and cancels them.

use super::{VERA, Visitor, put, serve};
use crate::support::{ALICE, BOB, World};

/// The digest of the list of every layoff here.
const DIGEST: &str = "681d8323a95a6d2e70b06a67d31b763080e35829a969a4dd8f022ba9291efe0c";

/// A layoff of two people that alice planned; gives its id.
async fn planned(world: &World, from: &str, until: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    put(world, format!(
            "insert into layoffs (id, requested_by, why, starts_at, ends_at, count_max, list_digest, list_size)
             values ('{id}', 'operator:alice', 'the <plant> in Ulm', now() + interval '{from}', now() + interval '{until}',
                 1, decode('{DIGEST}', 'hex'), 2)"
        )).await;
    id
}

#[tokio::test]
async fn the_list_says_of_each_where_it_stands_and_offers_what_the_role_may() {
    let world = World::new().await;
    let service = serve(&world);
    let [vera, alice, bob] = [
        Visitor::sign_in(&service, VERA).await,
        Visitor::sign_in(&service, ALICE).await,
        Visitor::sign_in(&service, BOB).await,
    ];
    assert!(vera.page("/layoffs").await.contains("No layoff is planned."));
    let id = planned(&world, "-1 hour", "1 day").await;
    let (approve, cancel) = (format!("/layoffs/{id}/approve"), format!("/layoffs/{id}/cancel"));
    for (visitor, approves, cancels) in [(&vera, false, false), (&alice, false, true), (&bob, true, true)] {
        let page = visitor.page("/layoffs").await;
        assert!(page.contains("the &#60;plant&#62; in Ulm") && page.contains(DIGEST), "{page}");
        assert!(page.contains("waits for approval") && page.contains("2 people, of whom 1 passes"), "{page}");
        assert_eq!((page.contains(&approve), page.contains(&cancel)), (approves, cancels), "{page}");
    }
    assert!(alice.page("/layoffs").await.contains("somebody else has to approve it"));
    let states = [
        ("approved_by = 'operator:bob', approved_at = now()", "open</span>"),
        ("starts_at = now() + interval '2 hours'", "approved</span>"),
        ("starts_at = now() - interval '2 hours', ends_at = now() - interval '1 hour'", "over</span>"),
        ("cancelled_by = 'operator:bob', cancelled_at = now()", "cancelled</span>"),
    ];
    for (change, word) in states {
        put(&world, format!("update layoffs set {change}")).await;
        let page = bob.page("/layoffs").await;
        assert!(page.contains(word), "{word}: {page}");
        assert_eq!(
            page.contains(&cancel),
            word.starts_with("open") || word.starts_with("approved"),
            "{word}"
        );
        assert!(!page.contains(&approve), "{word}");
    }
    for path in [approve, cancel] {
        assert_eq!(bob.get(&path).await.status, 409, "{path}");
    }
}

#[tokio::test]
async fn somebody_else_approves_the_list_that_they_have_seen() {
    let world = World::new().await;
    let service = serve(&world);
    let id = planned(&world, "-1 hour", "1 day").await;
    let path = format!("/layoffs/{id}/approve");
    let (alice, bob) = (Visitor::sign_in(&service, ALICE).await, Visitor::sign_in(&service, BOB).await);
    assert_eq!(alice.post(&path, &[("digest", DIGEST)]).await.status, 403);
    world.sql("update layoffs set requested_by = 'operator:bob'").await;
    assert_eq!(bob.get(&path).await.status, 403, "whoever planned it");
    assert_eq!(bob.post(&path, &[("digest", DIGEST)]).await.status, 403, "whoever planned it");
    world.sql("update layoffs set requested_by = 'operator:alice'").await;
    let asked = bob.page(&path).await;
    assert!(asked.contains("up to 1 of the people") && !asked.contains(DIGEST), "{asked}");
    for (digest, status, says) in [
        ("", 400, "64 hexadecimal digits"),
        ("<b>", 400, "64 hexadecimal digits"),
        (DIGEST.replace('6', "7").as_str(), 409, "its list has another digest"),
    ] {
        let answer = bob.post(&path, &[("digest", digest)]).await;
        assert_eq!(answer.status, status, "{digest}: {}", answer.text());
        assert!(answer.text().contains(says), "{digest}: {}", answer.text());
    }
    assert_eq!(world.number("select count(*) from layoffs where approved_at is not null").await, 0);
    let given = bob.post(&path, &[("digest", DIGEST)]).await;
    assert_eq!(
        (given.status, given.header("location")),
        (303, Some("/layoffs?did=approve")),
        "{}",
        given.text()
    );
    let page = bob.page("/layoffs?did=approve").await;
    assert!(page.contains("Approved. Who is on the list") && page.contains("by <bdi>operator:bob"), "{page}");
    assert_eq!(bob.post(&path, &[("digest", DIGEST)]).await.status, 409, "once");
}

#[tokio::test]
async fn an_operator_cancels_and_a_viewer_does_not() {
    let world = World::new().await;
    let service = serve(&world);
    let id = planned(&world, "1 hour", "1 day").await;
    let path = format!("/layoffs/{id}/cancel");
    let (vera, alice) = (Visitor::sign_in(&service, VERA).await, Visitor::sign_in(&service, ALICE).await);
    assert_eq!(vera.get(&path).await.status, 403);
    assert_eq!(vera.post(&path, &[]).await.status, 403);
    assert!(alice.page(&path).await.contains("It lets nobody through any more"));
    let done = alice.post(&path, &[]).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/layoffs?did=cancel")), "{}", done.text());
    assert_eq!(world.number("select count(*) from layoffs where cancelled_by = 'operator:alice'").await, 1);
    assert_eq!(alice.post(&path, &[]).await.status, 409);
    for unknown in [
        format!("/layoffs/{}/cancel", uuid::Uuid::now_v7()),
        "/layoffs/x/cancel".to_owned(),
        format!("/layoffs/{id}/open"),
    ] {
        assert_eq!(alice.get(&unknown).await.status, 404, "{unknown}");
        assert_eq!(alice.post(&unknown, &[]).await.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn the_list_of_layoffs_goes_on_page_by_page() {
    let world = World::new().await;
    let service = serve(&world);
    for _ in 0..27 {
        planned(&world, "1 hour", "1 day").await;
    }
    let vera = Visitor::sign_in(&service, VERA).await;
    let count = |page: &str| page.matches("waits for approval").count();
    let first = vera.page("/layoffs").await;
    assert_eq!(count(&first), 25);
    let next = first.split("href=\"").find(|link| link.contains("after=")).expect("a next page");
    let second = vera.page(next.split('"').next().expect("its end")).await;
    assert!(count(&second) == 2 && !second.contains("rel=\"next\""), "{second}");
    assert_eq!(vera.get("/layoffs?after=x").await.status, 400);
}
