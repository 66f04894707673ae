//! What each role is offered, and that the forms behind it ask again.

use super::{VERA, Visitor, held, scheduled, serve};
use crate::support::{ALICE, BOB, World};

/// The buttons of an offboarding's page.
fn buttons(page: &str) -> Vec<&'static str> {
    let all = ["approve", "retry", "restore", "cancel"];
    all.into_iter().filter(|word| page.contains(&format!("id=\"do-{word}\""))).collect()
}

#[tokio::test]
async fn each_role_is_offered_what_it_may_do_and_told_what_it_may_not() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let cases = [(VERA, vec![]), (ALICE, vec!["cancel"]), (BOB, vec!["approve", "cancel"])];
    for (token, offered) in cases {
        let page = Visitor::sign_in(&service, token).await.page(&format!("/offboardings/{id}")).await;
        assert_eq!(buttons(&page), offered, "{token}");
        let missing = page.contains("Releasing it needs the role approver");
        assert_eq!(missing, !offered.contains(&"approve"), "{token}");
    }
    let due = scheduled(&service, "e2", "john@example.com").await;
    let page = Visitor::sign_in(&service, ALICE).await.page(&format!("/offboardings/{due}")).await;
    assert_eq!(buttons(&page), ["retry", "cancel"]);
}

#[tokio::test]
async fn each_form_wants_its_role() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    let own = |word: &str| format!("/offboardings/{id}/{word}");
    let forms = [
        (own("approve"), "approver"),
        (own("retry"), "operator"),
        (own("restore"), "operator"),
        (own("cancel"), "operator"),
        ("/held/approve".to_owned(), "approver"),
        ("/offboardings/new".to_owned(), "operator"),
        ("/pause".to_owned(), "operator"),
        ("/resume".to_owned(), "operator"),
        (format!("/layoffs/{id}/approve"), "approver"),
        (format!("/layoffs/{id}/cancel"), "operator"),
        (format!("/events/{}/replay", uuid::Uuid::now_v7()), "operator"),
        (format!("/callbacks/{}/repeat", uuid::Uuid::now_v7()), "operator"),
    ];
    let rank = |role: &str| ["viewer", "operator", "approver"].iter().position(|known| *known == role);
    for (token, has) in [(VERA, "viewer"), (ALICE, "operator")] {
        let visitor = Visitor::sign_in(&service, token).await;
        for (path, role) in forms.iter().filter(|(_, role)| rank(has) < rank(role)) {
            let answer = visitor.post(path, &[("reason", "effective_date_missing"), ("id", &id)]).await;
            assert_eq!(answer.status, 403, "{path} as {has}");
            assert!(answer.text().contains(&format!("needs the role {role}")), "{path}: {}", answer.text());
            if !path.ends_with("replay") && !path.ends_with("repeat") {
                assert_eq!(visitor.get(path).await.status, 403, "{path} as {has}");
            }
        }
    }
    assert_eq!(
        world.number("select count(*) from journal where action in ('approved', 'cancelled')").await,
        0
    );
}

#[tokio::test]
async fn whoever_asked_for_it_is_told_that_somebody_else_approves() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    world.sql("update offboardings set requested_by = 'operator:bob'").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let page = bob.page(&format!("/offboardings/{id}")).await;
    assert_eq!(buttons(&page), ["cancel"]);
    assert!(page.contains("You asked for this one yourself"), "{page}");
    assert_eq!(bob.post(&format!("/offboardings/{id}/approve"), &[]).await.status, 403);
    let own = bob.post("/held/approve", &[("id", &id), ("reason", "effective_date_missing")]).await;
    assert_eq!(own.status, 403);
    assert_eq!(world.number("select count(*) from offboardings where status = 'held'").await, 1);
}

#[tokio::test]
async fn several_are_approved_together_or_none() {
    let world = World::new().await;
    let service = serve(&world);
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(held(&service, &format!("e{number}"), &format!("p{number}@example.com")).await);
    }
    world.sql("update offboardings set status = 'held', reason = 'brake'").await;
    world.sql("update offboardings set reason = 'busy' where email = 'p2@example.com'").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let page = bob.page("/held").await;
    assert_eq!(page.matches("type=\"checkbox\" name=\"id\"").count(), 3);
    assert!(page.contains("Too many people within the hour or the day"), "the reason in words");
    let asked = bob.page(&format!("/held/approve?reason=brake&id={}&id={}", ids[0], ids[1])).await;
    assert!(asked.contains("these 2 offboardings") && asked.contains("p0@example.com"), "{asked}");
    let all: Vec<_> = ids.iter().map(|id| ("id", id.as_str())).chain([("reason", "brake")]).collect();
    let mixed = bob.post("/held/approve", &all).await;
    assert_eq!(mixed.status, 409);
    assert!(
        mixed.text().contains("Nothing was approved") && mixed.text().contains(&ids[2]),
        "{}",
        mixed.text()
    );
    assert_eq!(world.number("select count(*) from offboardings where status = 'held'").await, 3);
    let two = bob.post("/held/approve", &[("id", &ids[0]), ("id", &ids[1]), ("reason", "brake")]).await;
    assert_eq!((two.status, two.header("location")), (303, Some("/held?approved=2")));
    assert_eq!(world.number("select count(*) from offboardings where status = 'scheduled'").await, 2);
    assert!(bob.page("/held?approved=2").await.contains("2 offboardings are approved"));
}

#[tokio::test]
async fn what_an_event_did_not_say_is_asked_of_the_approver() {
    let world = World::new().await;
    let service = serve(&world);
    let id = held(&service, "e1", "jane@example.com").await;
    world.sql("update offboardings set email = null, email_key = null, reason = 'lookup_required'").await;
    let bob = Visitor::sign_in(&service, BOB).await;
    let path = format!("/offboardings/{id}/approve");
    assert!(bob.page(&path).await.contains("E-mail address of the person"));
    let wrong = bob.post(&path, &[("email", "jänë@example.com")]).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("expected an address in ASCII"), "{}", wrong.text());
    let given = bob.post(&path, &[("email", "jane@example.com"), ("at", "2026-01-05")]).await;
    let expected = format!("/offboardings/{id}?did=approve");
    assert_eq!((given.status, given.header("location")), (303, Some(expected.as_str())), "{}", given.text());
    assert!(bob.page(&expected).await.contains("Approved."));
}

#[tokio::test]
async fn a_decision_that_is_not_possible_any_more_says_why() {
    let world = World::new().await;
    let service = serve(&world);
    let id = scheduled(&service, "e1", "jane@example.com").await;
    let alice = Visitor::sign_in(&service, ALICE).await;
    let cancel = format!("/offboardings/{id}/cancel");
    assert!(alice.page(&cancel).await.contains("Ends it for good"));
    assert_eq!(alice.post(&cancel, &[]).await.status, 303);
    let again = alice.post(&cancel, &[]).await;
    assert_eq!(again.status, 409);
    assert!(again.text().contains("The offboarding is cancelled"), "{}", again.text());
    assert_eq!(alice.get(&format!("/offboardings/{id}/retry")).await.status, 409);
}
