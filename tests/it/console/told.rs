//! What others were told, in the console, and telling it once more.

use super::{VERA, Visitor, held, put, serve};
use crate::support::{ALICE, Service, World};

/// One callback of each kind about this offboarding, to a target that is configured and to one that is not any more.
async fn told(world: &World, id: &str) {
    world
        .sql(
            "insert into callback_targets (name, events, removed_at)
             values ('desk', '{offboarding.done}', null), ('gone', '{offboarding.done}', now())
             on conflict (name) do nothing",
        )
        .await;
    put(world, format!(
            "insert into callbacks (target, offboarding_id, event, status, offboarding_status, outcome, goal, effective_at,
                 attempts, last_result, delivered_at, ended_at, next_attempt_at)
             select k.target, '{id}', 'offboarding.done', k.status, 'done', 'already_inactive', 'offboarded', now(), 3,
                 k.result, case when k.status = 'delivered' then now() end,
                 case when k.status <> 'waiting' then now() end, now() + interval '20 minutes'
             from (values ('desk', 'waiting', 'answered 503'), ('desk', 'delivered', 'answered 204'),
                 ('gone', 'gave_up', 'its target is not configured any more')) as k (target, status, result)"
        )).await;
}

async fn with_callbacks(world: &World) -> (Service, String) {
    let service = serve(world);
    let id = held(&service, "e1", "jane@example.com").await;
    told(world, &id).await;
    (service, id)
}

fn rows(page: &str) -> usize {
    page.matches("<tr>\n      <th scope=\"row\">").count()
}

/// The path of the form that repeats the callback whose row has this text.
fn form(page: &str, text: &str) -> String {
    let row = page.split("<tr>").find(|row| row.contains(text)).expect("a row");
    let path = row.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
    path.expect("a form").to_owned()
}

#[tokio::test]
async fn the_list_says_how_far_each_callback_is_and_is_filtered() {
    let world = World::new().await;
    let service = serve(&world);
    let vera = Visitor::sign_in(&service, VERA).await;
    assert!(vera.page("/callbacks").await.contains("Nobody was told anything yet."));
    let id = held(&service, "e1", "jane@example.com").await;
    assert!(!vera.page(&format!("/offboardings/{id}")).await.contains("What others were told"));
    told(&world, &id).await;
    let page = vera.page("/callbacks").await;
    assert_eq!(rows(&page), 3);
    for text in ["offboarding.done", "already inactive", "answered 503", "Next try", "Arrived", "given up"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(
        page.contains(&format!("href=\"/offboardings/{id}\"")) && page.contains("in 19 minutes"),
        "{page}"
    );
    assert!(!page.contains("/repeat"), "a viewer repeats nothing");
    assert_eq!(rows(&vera.page("/callbacks?status=gave_up").await), 1);
    assert_eq!(rows(&vera.page(&format!("/callbacks?status=&offboarding={id}")).await), 3);
    let other = uuid::Uuid::now_v7();
    assert!(
        vera.page(&format!("/callbacks?offboarding={other}")).await.contains("No callback is like this.")
    );
    for wrong in ["status=sent", "after=x", "offboarding=1"] {
        assert_eq!(vera.get(&format!("/callbacks?{wrong}")).await.status, 400, "{wrong}");
    }
    let offboarding = vera.page(&format!("/offboardings/{id}")).await;
    assert!(offboarding.contains("What others were told"), "{offboarding}");
}

#[tokio::test]
async fn the_list_goes_on_page_by_page_under_the_same_filter() {
    let world = World::new().await;
    let (service, id) = with_callbacks(&world).await;
    for _ in 0..26 {
        told(&world, &id).await;
    }
    let vera = Visitor::sign_in(&service, VERA).await;
    let first = vera.page("/callbacks?status=waiting").await;
    assert_eq!(rows(&first), 25);
    let next = first.split("href=\"").find(|link| link.contains("after=")).expect("a next page");
    let next = next.split('"').next().expect("its end").replace("&#38;", "&");
    let second = vera.page(&next).await;
    assert_eq!(rows(&second), 2, "{next}");
    assert!(!second.contains("delivered</span>") && !second.contains("rel=\"next\""));
}

#[tokio::test]
async fn an_operator_has_one_sent_once_more_and_a_viewer_does_not() {
    let world = World::new().await;
    let (service, _) = with_callbacks(&world).await;
    let (alice, vera) = (Visitor::sign_in(&service, ALICE).await, Visitor::sign_in(&service, VERA).await);
    let page = alice.page("/callbacks?status=delivered").await;
    let path = form(&page, "answered 204");
    let refused = vera.post(&path, &[]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("needs the role operator"), "{}", refused.text());
    assert_eq!(world.number("select count(*) from callbacks where status = 'waiting'").await, 1);
    let fields = [("status", "delivered"), ("offboarding", ""), ("after", "")];
    let repeated = alice.post(&path, &fields).await;
    let to = "/callbacks?status=delivered&did=repeated";
    assert_eq!((repeated.status, repeated.header("location")), (303, Some(to)), "{}", repeated.text());
    assert!(alice.page(to).await.contains("It is sent once more, under the same id."));
    assert_eq!(world.number("select count(*) from callbacks where status = 'waiting'").await, 2);
    assert_eq!(
        world
            .number(
                "select count(*) from journal where action = 'callback_repeated' and actor = 'operator:alice'"
            )
            .await,
        1
    );
    let gone = alice.post(&form(&alice.page("/callbacks").await, "given up"), &[]).await;
    assert_eq!(gone.status, 409);
    assert!(gone.text().contains("target is not configured any more"), "{}", gone.text());
    let unknown = format!("/callbacks/{}/repeat", uuid::Uuid::now_v7());
    assert_eq!(alice.post(&unknown, &[]).await.status, 404);
    assert_eq!(alice.post(&path, &[("status", "sent")]).await.status, 400, "nowhere to come back to");
    assert_eq!(alice.post(&path, &[("status", "//evil.example.com")]).await.status, 400);
}
