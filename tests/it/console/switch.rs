//! The switch over all replicas, from the console: what stands above every page while the service is paused, and who moves it.

use super::{VERA, Visitor, held, put, serve};
use crate::support::{ALICE, BOB, World};

#[tokio::test]
async fn an_operator_pauses_with_a_reason_and_every_page_says_so_until_somebody_resumes() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let (alice, vera) = (Visitor::sign_in(&service, ALICE).await, Visitor::sign_in(&service, VERA).await);
    assert!(alice.page("/").await.contains("id=\"do-pause\""));
    assert!(alice.page("/pause").await.contains("On no replica does a changing call begin"));
    let paused = alice.post("/pause", &[("reason", "a wrong export of <HR>")]).await;
    assert_eq!((paused.status, paused.header("location")), (303, Some("/?did=paused")), "{}", paused.text());
    let page = alice.page("/?did=paused").await;
    assert!(page.contains("No changing call is under way."), "{page}");
    assert!(!page.contains("id=\"do-pause\""), "it is paused already");
    let mut pages =
        ["/", "/offboardings", "/held", "/events", "/sources", "/callbacks", "/layoffs", "/offboardings/new"]
            .map(str::to_owned)
            .to_vec();
    pages.extend([format!("/offboardings/{id}"), format!("/offboardings/{id}/cancel"), "/resume".to_owned()]);
    for path in pages {
        let page = alice.page(&path).await;
        assert!(page.contains("<strong>Paused</strong>"), "{path}: {page}");
        assert!(
            page.contains("by operator:alice") && page.contains("a wrong export of &#60;HR&#62;"),
            "{path}: {page}"
        );
        assert!(page.contains("id=\"do-resume\""), "{path}");
    }
    let seen = vera.page("/").await;
    assert!(seen.contains("<strong>Paused</strong>") && !seen.contains("do-resume"), "{seen}");
    assert_eq!(alice.get("/pause").await.header("location"), Some("/resume"));
    let resumed = alice.post("/resume", &[]).await;
    assert_eq!((resumed.status, resumed.header("location")), (303, Some("/?did=resumed")));
    let page = alice.page("/?did=resumed").await;
    assert!(page.contains("The service goes on.") && !page.contains("<strong>Paused</strong>"), "{page}");
    assert_eq!(alice.get("/resume").await.header("location"), Some("/pause"));
    assert_eq!(
        world
            .number("select count(*) from journal where action in ('paused', 'resumed') and actor = 'operator:alice'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_viewer_moves_no_switch_and_a_pause_wants_a_reason() {
    let world = World::new().await;
    let service = serve(&world);
    let (vera, bob) = (Visitor::sign_in(&service, VERA).await, Visitor::sign_in(&service, BOB).await);
    assert!(!vera.page("/").await.contains("do-pause"));
    for path in ["/pause", "/resume"] {
        assert_eq!(vera.get(path).await.status, 403, "{path}");
        assert_eq!(vera.post(path, &[("reason", "because")]).await.status, 403, "{path}");
    }
    for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let answer = bob.post("/pause", &[("reason", reason)]).await;
        assert_eq!(answer.status, 400, "{reason:?}");
        assert!(answer.text().contains("role=\"alert\""), "{}", answer.text());
    }
    assert_eq!(world.number("select count(*) from journal where action = 'paused'").await, 0);
    let page = bob.page("/?did=paused").await;
    assert!(!page.contains("The service is paused"), "an address says nothing that is not so: {page}");
}

#[tokio::test]
async fn somebody_who_pauses_is_told_of_the_calls_that_may_still_be_under_way() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    put(
        &world,
        format!(
            "insert into journal (offboarding_id, actor, action, request_id)
             values ('{id}', 'worker:1', 'call_intended', gen_random_uuid())"
        ),
    )
    .await;
    bob.post("/pause", &[("reason", "a wrong export")]).await;
    let page = bob.page("/?did=paused").await;
    assert!(page.contains("One call that was begun before may still be under way."), "{page}");
}
