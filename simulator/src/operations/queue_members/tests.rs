//! Tests of queue memberships from the side of the queue.

use super::*;
use crate::organisation::Person;
use crate::presets;
use crate::probe::Probe;
use crate::rules::Lag;

async fn queue_of(people: usize) -> (Probe, Id, Vec<Id>) {
    let probe = Probe::start().await;
    let (queue, ids) = probe.simulator.organisation(|org| {
        let home = org.home();
        let queue = org.add_queue("Sales", &home);
        let ids = (0..people).map(|number| {
            let person = Person::new(&format!("P{number:03}"), &format!("p{number}@example.com"));
            org.add_person(person.queue(&queue, Joining::Joined))
        });
        (queue.clone(), ids.collect::<Vec<_>>())
    });
    (probe, queue, ids)
}

fn members(of: &[Id]) -> Value {
    of.iter().map(|id| json!({"id": id})).collect()
}

#[tokio::test]
async fn members_are_paged_by_at_most_100_without_a_total() {
    let (probe, queue, _) = queue_of(101).await;
    let path = format!("/api/v2/routing/queues/{queue}/members");
    let first = probe.get(&format!("{path}?pageSize=100")).await;
    assert_eq!((first.ids().len(), first.body.get("total")), (100, None));
    assert_eq!(probe.get(first.body["nextUri"].as_str().unwrap()).await.ids().len(), 1);
    assert_eq!(probe.get(&format!("{path}?pageSize=101")).await.status, 400);
    probe.assert_no_violations();
}

#[tokio::test]
async fn removing_a_member_is_204_and_404_when_already_gone() {
    let (probe, queue, ids) = queue_of(2).await;
    let path = format!("/api/v2/routing/queues/{queue}/members/{}", ids[0]);
    let bystander = probe.simulator.person(&ids[1]);
    assert_eq!(probe.delete(&path).await.status, 204);
    assert_eq!(probe.delete(&path).await.status, 404);
    assert_eq!(probe.simulator.person(&ids[1]), bystander);
}

#[tokio::test]
async fn a_hundred_members_are_removed_in_one_call_and_101_in_none() {
    let (probe, queue, ids) = queue_of(101).await;
    let path = format!("/api/v2/routing/queues/{queue}/members?delete=true");
    assert_eq!(probe.send("POST", &path, &members(&ids)).await.status, 400);
    assert_eq!(probe.send("POST", &path, &members(&ids[..100])).await.status, 200);
    assert_eq!(probe.get(&format!("/api/v2/routing/queues/{queue}/members")).await.ids(), ids[100..]);
    assert_eq!(probe.send("POST", &path, &json!([{"id": "no-uuid"}])).await.status, 400);
}

#[tokio::test]
async fn members_through_a_group_cannot_be_removed_singly() {
    let probe = Probe::start().await;
    let agent = probe
        .simulator
        .organisation(|org| presets::agent_with_inherited(org, "Jane", "jane@example.com", "E1"));
    let queues = probe.simulator.person(&agent).unwrap().queues;
    let (queue, _) = queues.iter().find(|(_, membership)| membership.by == MemberBy::Group).unwrap();
    let path = format!("/api/v2/routing/queues/{queue}/members");
    assert_eq!(probe.delete(&format!("{path}/{agent}")).await.status, 400);
    probe.send("POST", &format!("{path}?delete=true"), &members(std::slice::from_ref(&agent))).await;
    assert_eq!(probe.get(&format!("{path}?memberBy=group")).await.ids(), [agent]);
    assert!(probe.get(&format!("{path}?memberBy=user")).await.ids().is_empty());
}

#[tokio::test]
async fn unjoining_a_member_is_202_and_keeps_the_membership() {
    let (probe, queue, ids) = queue_of(1).await;
    let body = json!({"id": ids[0], "joined": false, "ringNumber": 3});
    let path = format!("/api/v2/routing/queues/{queue}/members/{}", ids[0]);
    assert_eq!(probe.send("PATCH", &path, &body).await.status, 202);
    let membership = probe.simulator.person(&ids[0]).unwrap().queues[&queue];
    assert_eq!((membership.joining, membership.ring_number), (Joining::Unjoined, 3));
    let bulk = probe
        .send(
            "PATCH",
            &format!("/api/v2/routing/queues/{queue}/members"),
            &json!([{"id": ids[0], "joined": true}]),
        )
        .await;
    assert_eq!((bulk.status, bulk.ids().len()), (200, 1));
}

#[tokio::test]
async fn removed_and_added_members_become_visible_after_as_many_reads_as_told() {
    let (probe, queue, ids) = queue_of(1).await;
    probe.simulator.set_lag(Kind::Queues, Lag::Reads(1));
    let path = format!("/api/v2/routing/queues/{queue}/members");
    let seen = async || probe.get(&path).await.ids().len();
    probe.delete(&format!("{path}/{}", ids[0])).await;
    assert_eq!((seen().await, seen().await), (1, 0));
    probe.send("POST", &path, &members(&ids)).await;
    assert_eq!((seen().await, seen().await), (0, 1));
}
