//! Queues and the user as a member of one.

use wiremock::matchers::{query_param, query_param_is_missing};

use super::*;
use crate::genesys::{Activation, MemberBy, QueueId, QueueMember};

const MEMBERS: &str = "/api/v2/routing/queues/q/members";

fn queue() -> QueueId {
    QueueId::new("q").unwrap()
}

fn member(id: &str) -> Value {
    json!({"id": id, "name": "x", "joined": false, "ringNumber": 3, "memberBy": "user", "user": {"id": id}})
}

async fn page(bench: &Bench, number: u32, members: &[Value]) {
    Mock::given(path(MEMBERS))
        .and(query_param_is_missing("name"))
        .and(query_param("pageSize", "100"))
        .and(query_param("pageNumber", number.to_string()))
        .respond_with(ok(json!({"entities": members, "pageNumber": number, "pageSize": 100})))
        .mount(&bench.server)
        .await;
}

#[tokio::test]
async fn a_queue_names_the_groups_that_make_its_members() {
    let bench = Bench::new().await;
    let groups = json!([{"id": "g-1", "name": "Sales", "type": "GROUP"}, {"id": "t-1", "type": "TEAM"}]);
    let queues =
        json!([{"id": "q-1", "joined": true, "memberGroups": groups}, {"id": "q-2", "joined": true}]);
    let at = format!("{JANE}/queues");
    bench.answer_once("GET", &at, ok(json!({"entities": queues, "total": 2}))).await;
    bench.answer("GET", &at, ok(json!({"entities": [], "total": 0}))).await;
    let found = bench.genesys.queues_of(&jane()).await.unwrap();
    let named = |number: usize| {
        let groups = found[number].member_groups.iter();
        groups.map(|group| (group.id.as_str(), group.name.as_deref())).collect::<Vec<_>>()
    };
    assert_eq!(named(0), [("g-1", Some("Sales")), ("t-1", None)]);
    assert_eq!(named(1), []);
}

#[tokio::test]
async fn groups_of_a_queue_that_cannot_be_read_are_not_none() {
    for groups in [json!(null), json!({}), json!([{"name": "x"}]), json!("g-1")] {
        let bench = Bench::new().await;
        let queues = json!({"entities": [{"id": "q-1", "memberGroups": groups}], "total": 1});
        bench.answer("GET", &format!("{JANE}/queues"), ok(queues)).await;
        let found = bench.genesys.queues_of(&jane()).await;
        assert!(matches!(found, Err(Error::Malformed { .. })), "{groups}: {found:?}");
    }
}

#[tokio::test]
async fn a_member_is_found_by_their_name() {
    let bench = Bench::new().await;
    Mock::given(path(MEMBERS))
        .and(query_param("name", "Jane & Doe"))
        .and(query_param("pageSize", "100"))
        .respond_with(ok(json!({"entities": [member("u-namesake"), member("u-jane")]})))
        .expect(1)
        .mount(&bench.server)
        .await;
    let found = bench.genesys.queue_member(&queue(), &jane(), Some("Jane & Doe")).await.unwrap();
    assert_eq!(found, Some(QueueMember { joined: false, ring_number: 3, by: MemberBy::User }));
    assert_eq!(bench.requests(MEMBERS).await.len(), 1, "nothing is read behind the page with the user");
}

#[tokio::test]
async fn a_member_whom_the_name_does_not_show_is_looked_for_among_all() {
    let bench = Bench::new().await;
    Mock::given(query_param("name", "Jane Miller"))
        .respond_with(ok(json!({"entities": []})))
        .mount(&bench.server)
        .await;
    page(&bench, 1, &[member("u-1"), member("u-2")]).await;
    page(&bench, 2, &[member("u-jane")]).await;
    let found = bench.genesys.queue_member(&queue(), &jane(), Some("Jane Miller")).await.unwrap();
    assert!(found.is_some());
    assert_eq!(bench.requests(MEMBERS).await.len(), 3);
}

#[tokio::test]
async fn who_is_on_no_page_is_no_member() {
    for name in [None, Some("")] {
        let bench = Bench::new().await;
        page(&bench, 1, &[member("u-1"), member("u-2")]).await;
        page(&bench, 2, &[]).await;
        assert_eq!(bench.genesys.queue_member(&queue(), &jane(), name).await.unwrap(), None);
        assert_eq!(bench.requests(MEMBERS).await.len(), 2);
    }
}

#[tokio::test]
async fn a_queue_that_is_not_known_is_no_queue_without_the_user() {
    let bench = Bench::new().await;
    bench.answer("GET", MEMBERS, failing(404, "resource.not.found")).await;
    let found = bench.genesys.queue_member(&queue(), &jane(), None).await;
    assert!(matches!(found, Err(Error::NotFound { .. })), "{found:?}");
}

#[tokio::test]
async fn every_field_of_a_member_is_needed() {
    let fields = [
        "/entities/0/id",
        "/entities/0/joined",
        "/entities/0/ringNumber",
        "/entities/0/memberBy",
        "/entities",
    ];
    check_fields(json!({"entities": [member("u-jane")]}), &fields, &[], |genesys| async move {
        genesys.queue_member(&queue(), &jane(), None).await
    })
    .await;
}

#[test]
fn a_way_into_a_queue_that_is_not_published_is_unknown() {
    assert_eq!(MemberBy::from("user".to_owned()), MemberBy::User);
    assert_eq!(MemberBy::from("GROUP".to_owned()), MemberBy::Group);
    assert_eq!(MemberBy::from("skill".to_owned()), MemberBy::Unknown("skill".to_owned()));
    assert_eq!([true, false].map(Activation::from), [Activation::Joined, Activation::NotJoined]);
}
