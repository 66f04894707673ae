//! Tests of groups, their members, and what membership brings along.

use super::*;
use crate::organisation::{MemberBy, Person};
use crate::presets;
use crate::probe::Probe;
use crate::rules::Lag;

/// Gives a group that serves a queue, with a role, and people who are not in it.
async fn group_beside(people: usize) -> (Probe, Id, Id, Vec<Id>) {
    let probe = Probe::start().await;
    let (group, queue, ids) = probe.simulator.organisation(|org| {
        let home = org.home();
        let grant = crate::organisation::Grant { role: org.add_role("Agent"), division: home.clone() };
        let (group, queue) = (org.add_group("Sales group", &[grant]), org.add_queue("Sales", &home));
        org.serve_queue(&group, &queue);
        let add =
            |number| org.add_person(Person::new(&format!("P{number:03}"), &format!("p{number}@example.com")));
        let ids: Vec<Id> = (0..people).map(add).collect();
        (group, queue, ids)
    });
    (probe, group, queue, ids)
}

fn path(group: &str) -> String {
    format!("/api/v2/groups/{group}/members")
}

fn removing(group: &str, ids: &[Id]) -> String {
    format!("{}?ids={}", path(group), ids.join(","))
}

async fn add(probe: &Probe, group: &str, ids: &[Id]) {
    let added = probe.send("POST", &path(group), &json!({"memberIds": ids})).await;
    assert_eq!(added.status, 202);
}

#[tokio::test]
async fn joining_a_group_brings_its_queues_and_grants_and_leaving_takes_them() {
    let (probe, group, queue, ids) = group_beside(2).await;
    let (jane, bystander) = (&ids[0], probe.simulator.person(&ids[1]));
    add(&probe, &group, &ids[..1]).await;
    let queues = probe.simulator.person(jane).unwrap().queues;
    assert_eq!(queues[&queue].by, MemberBy::Group);
    let members = probe.get(&format!("/api/v2/routing/queues/{queue}/members?memberBy=group")).await;
    assert_eq!(members.ids(), ids[..1]);
    let roles = format!("/api/v2/users/{jane}/roles");
    assert_eq!(probe.get(&roles).await.body["roles"].as_array().unwrap().len(), 1);
    assert_eq!(probe.delete(&removing(&group, &ids[..1])).await.status, 202);
    assert!(probe.simulator.person(jane).unwrap().queues.is_empty());
    assert_eq!(probe.get(&roles).await.status, 404);
    assert_eq!(probe.simulator.person(&ids[1]), bystander);
    probe.assert_no_violations();
}

#[tokio::test]
async fn the_queues_of_a_user_name_the_groups_that_serve_them() {
    let (probe, group, _, ids) = group_beside(1).await;
    probe.simulator.organisation(|org| {
        let home = org.home();
        let own = org.add_queue("Own", &home);
        let membership = crate::organisation::QueueMembership {
            joining: crate::organisation::Joining::Joined,
            ring_number: 1,
            by: MemberBy::User,
        };
        org.edit(&ids[0], |person| person.queues.insert(own, membership));
    });
    add(&probe, &group, &ids).await;
    let queues = probe.get(&format!("/api/v2/users/{}/queues", ids[0])).await.body;
    assert_eq!(queues["entities"][0].get("memberGroups"), None);
    let served = &queues["entities"][1]["memberGroups"];
    assert_eq!(served.as_array().unwrap().len(), 1);
    assert_eq!(
        (&served[0]["id"], &served[0]["name"], &served[0]["type"]),
        (&json!(group), &json!("Sales group"), &json!("GROUP"))
    );
}

#[tokio::test]
async fn whoever_is_removed_singly_from_a_queue_that_their_group_serves_stays_a_member_through_the_group() {
    let (probe, group, queue, ids) = group_beside(1).await;
    let members = format!("/api/v2/routing/queues/{queue}/members");
    probe.send("POST", &members, &json!([{"id": ids[0]}])).await;
    add(&probe, &group, &ids).await;
    assert_eq!(probe.simulator.person(&ids[0]).unwrap().queues[&queue].by, MemberBy::User);
    assert_eq!(probe.delete(&format!("{members}/{}", ids[0])).await.status, 204);
    assert_eq!(probe.delete(&format!("{members}/{}", ids[0])).await.status, 400);
    probe.delete(&removing(&group, &ids)).await;
    assert_eq!(probe.delete(&format!("{members}/{}", ids[0])).await.status, 404);
}

#[tokio::test]
async fn members_come_in_pages_of_whole_users_in_either_order() {
    let (probe, group, _, ids) = group_beside(26).await;
    add(&probe, &group, &ids).await;
    let first = probe.get(&format!("{}?expand=groups", path(&group))).await;
    assert_eq!((first.ids(), &first.body["total"]), (ids[..25].to_vec(), &json!(26)));
    assert_eq!(first.body["entities"][0]["groups"][0]["id"], group.as_str());
    assert_eq!(probe.get(first.body["nextUri"].as_str().unwrap()).await.ids(), ids[25..]);
    let backwards = probe.get(&format!("{}?sortOrder=descending&pageSize=1", path(&group))).await;
    assert_eq!(backwards.ids(), ids[25..]);
    assert_eq!(probe.get(&format!("{}?pageSize=101", path(&group))).await.status, 400);
    probe.assert_no_violations();
}

#[tokio::test]
async fn the_version_rises_with_the_members_and_a_stale_one_is_a_conflict() {
    let (probe, group, _, ids) = group_beside(2).await;
    let version = async || probe.get(&format!("/api/v2/groups/{group}")).await.body["version"].clone();
    let first = version().await;
    let joining = |id: &Id, version: &Value| json!({"memberIds": [id], "version": version});
    assert_eq!(probe.send("POST", &path(&group), &joining(&ids[0], &first)).await.status, 202);
    assert_ne!(version().await, first);
    let stale = probe.send("POST", &path(&group), &joining(&ids[1], &first)).await;
    assert_eq!((stale.status, text(&stale.body, "code")), (409, "general.conflict"));
    assert!(probe.simulator.person(&ids[1]).unwrap().groups.is_empty());
    let second = version().await;
    add(&probe, &group, &ids[..1]).await;
    assert_eq!(version().await, second);
    let shown = probe.get(&format!("/api/v2/groups/{group}")).await.body;
    assert_eq!((&shown["memberCount"], &shown["name"]), (&json!(1), &json!("Sales group")));
}

#[tokio::test]
async fn fifty_members_are_written_in_one_call_and_51_in_none() {
    let (probe, group, _, ids) = group_beside(51).await;
    let too_many = probe.send("POST", &path(&group), &json!({"memberIds": ids})).await;
    assert_eq!((too_many.status, text(&too_many.body, "code")), (400, "bad.request"));
    add(&probe, &group, &ids[..50]).await;
    assert_eq!(probe.delete(&removing(&group, &ids)).await.status, 400);
    assert_eq!(probe.get(&path(&group)).await.body["total"], 50);
    assert_eq!(probe.delete(&removing(&group, &ids[..50])).await.status, 202);
    assert_eq!(probe.get(&path(&group)).await.body["total"], 0);
}

#[tokio::test]
async fn an_unknown_group_is_404_a_missing_list_400_and_unknown_users_are_passed_over() {
    let (probe, group, _, ids) = group_beside(1).await;
    let body = json!({"memberIds": ids});
    for reply in [
        probe.get("/api/v2/groups/nowhere").await,
        probe.get(&path("nowhere")).await,
        probe.send("POST", &path("nowhere"), &body).await,
        probe.delete(&removing("nowhere", &ids)).await,
    ] {
        assert_eq!((reply.status, text(&reply.body, "code")), (404, "general.resource.not.found"));
    }
    assert_eq!(probe.delete(&path(&group)).await.status, 400);
    assert_eq!(probe.send("POST", &path(&group), &json!({})).await.status, 400);
    add(&probe, &group, &["nobody".to_owned(), ids[0].clone()]).await;
    assert_eq!(probe.get(&path(&group)).await.ids(), ids);
    assert_eq!(probe.delete(&removing(&group, &["nobody".to_owned()])).await.status, 202);
}

#[tokio::test]
async fn a_group_that_others_fill_refuses_writes_or_swallows_them_by_switch() {
    let (probe, group, _, ids) = group_beside(2).await;
    add(&probe, &group, &ids[..1]).await;
    for kind in [GroupKind::Dynamic, GroupKind::DirectoryOwned] {
        probe.simulator.organisation(|org| org.set_group_kind(&group, kind));
        for (writes, status) in [(GroupWrites::Refused, 400), (GroupWrites::SilentlyIgnored, 202)] {
            probe.simulator.rules(|rules| rules.group_writes = writes);
            let added = probe.send("POST", &path(&group), &json!({"memberIds": ids})).await;
            let removed = probe.delete(&removing(&group, &ids)).await;
            assert_eq!((added.status, removed.status), (status, status));
            assert_eq!(probe.get(&path(&group)).await.ids(), ids[..1]);
        }
    }
}

#[tokio::test]
async fn a_write_that_was_accepted_can_fail_later_by_switch() {
    let (probe, group, _, ids) = group_beside(1).await;
    add(&probe, &group, &ids).await;
    probe.simulator.rules(|rules| rules.accepted_group_writes = AcceptedGroupWrites::FailLater);
    assert_eq!(probe.delete(&removing(&group, &ids)).await.status, 202);
    assert_eq!(probe.get(&path(&group)).await.ids(), ids);
    probe.simulator.rules(|rules| rules.accepted_group_writes = AcceptedGroupWrites::CarriedOut);
    assert_eq!(probe.delete(&removing(&group, &ids)).await.status, 202);
    assert!(probe.get(&path(&group)).await.ids().is_empty());
}

#[tokio::test]
async fn members_and_the_expansion_lag_behind_and_queues_and_grants_have_lags_of_their_own() {
    let (probe, group, queue, ids) = group_beside(1).await;
    add(&probe, &group, &ids).await;
    let user = format!("/api/v2/users/{}?expand=groups", ids[0]);
    let expanded = async || probe.get(&user).await.body["groups"].as_array().unwrap().len();
    let members = async |path: &str| probe.get(path).await.ids().len();
    let of_queue = format!("/api/v2/routing/queues/{queue}/members");
    probe.simulator.set_lag(Kind::Groups, Lag::Reads(2));
    probe.delete(&removing(&group, &ids)).await;
    assert_eq!(members(&of_queue).await, 0);
    assert_eq!((members(&path(&group)).await, expanded().await), (1, 1));
    assert_eq!((members(&path(&group)).await, expanded().await), (0, 0));
    probe.simulator.set_lag(Kind::Queues, Lag::Reads(1));
    probe.simulator.set_lag(Kind::Grants, Lag::Reads(1));
    add(&probe, &group, &ids).await;
    assert_eq!((members(&of_queue).await, members(&of_queue).await), (0, 1));
    let roles = format!("/api/v2/users/{}/roles", ids[0]);
    assert_eq!((probe.get(&roles).await.status, probe.get(&roles).await.status), (404, 200));
}

#[tokio::test]
async fn inherited_access_survives_deactivation_until_the_group_is_left() {
    let probe = Probe::start().await;
    let jane =
        probe.simulator.organisation(|org| presets::everything_agent(org, "Jane", "jane@example.com", "E1"));
    probe.deactivate(&jane).await;
    let roles = format!("/api/v2/users/{jane}/roles");
    assert_eq!(probe.get(&roles).await.status, 200);
    for group in probe.simulator.person(&jane).unwrap().groups {
        assert_eq!(probe.delete(&removing(&group, std::slice::from_ref(&jane))).await.status, 202);
    }
    assert_eq!(probe.get(&roles).await.status, 404);
}
