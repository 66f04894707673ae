//! Tests of work teams and their members.

use super::*;
use crate::organisation::{AccountState, Person};
use crate::probe::Probe;
use crate::rules::Lag;

/// Gives two teams and people, sorted by id, who are in the first one.
async fn team_of(people: usize) -> (Probe, [Id; 2], Vec<Id>) {
    let probe = Probe::start().await;
    let (teams, mut ids) = probe.simulator.organisation(|org| {
        let home = org.home();
        let teams = ["Day", "Night"].map(|name| org.add_team(name, &home));
        let ids = (0..people).map(|number| {
            let person = Person::new(&format!("P{number:03}"), &format!("p{number}@example.com"));
            org.add_person(person.team(&teams[0]))
        });
        let ids: Vec<Id> = ids.collect();
        (teams, ids)
    });
    ids.sort();
    (probe, teams, ids)
}

fn path(team: &str) -> String {
    format!("/api/v2/teams/{team}/members")
}

#[tokio::test]
async fn members_are_paged_by_cursors_in_both_directions() {
    let (probe, [team, _], ids) = team_of(60).await;
    let first = probe.get(&path(&team)).await;
    assert_eq!((first.ids(), first.body.get("previousUri")), (ids[..25].to_vec(), None));
    assert_eq!(first.body["entities"][0].get("name"), None);
    let second = probe.get(first.body["nextUri"].as_str().unwrap()).await;
    assert_eq!(second.ids(), ids[25..50]);
    let third = probe.get(second.body["nextUri"].as_str().unwrap()).await;
    assert_eq!((third.ids(), third.body.get("nextUri")), (ids[50..].to_vec(), None));
    let back = probe.get(third.body["previousUri"].as_str().unwrap()).await;
    assert_eq!(back.ids(), ids[25..50]);
    assert_eq!(probe.get(back.body["selfUri"].as_str().unwrap()).await.ids(), ids[25..50]);
    probe.assert_no_violations();
}

#[tokio::test]
async fn names_come_on_request_and_wrong_cursors_and_sizes_are_refused() {
    let (probe, [team, _], _) = team_of(3).await;
    let named = probe.get(&format!("{}?expand=entities&pageSize=2", path(&team))).await;
    assert!(named.body["entities"][0]["name"].as_str().unwrap().starts_with('P'));
    let rest = probe.get(named.body["nextUri"].as_str().unwrap()).await;
    assert!(rest.body["entities"][0]["name"].is_string());
    assert_eq!(probe.get(&format!("{}?after=x", path(&team))).await.status, 400);
    assert_eq!(probe.get(&format!("{}?before=x", path(&team))).await.status, 400);
    assert_eq!(probe.get(&format!("{}?pageSize=101", path(&team))).await.status, 400);
}

#[tokio::test]
async fn adding_moves_people_from_their_former_team_and_names_those_who_do_not_exist() {
    let (probe, [day, night], ids) = team_of(3).await;
    probe.simulator.organisation(|org| org.edit(&ids[2], |person| person.state = AccountState::Deleted));
    let body = json!({"memberIds": [ids[0], ids[2], "nobody"]});
    let added = probe.send("POST", &path(&night), &body).await;
    assert_eq!((added.status, added.ids()), (200, ids[..1].to_vec()));
    let failures = json!([
        {"id": ids[2], "reason": "UserNotFound"},
        {"id": "nobody", "reason": "UserNotFound"}]);
    assert_eq!(added.body["failures"], failures);
    assert_eq!(probe.get(&path(&night)).await.ids(), ids[..1]);
    assert_eq!(probe.get(&path(&day)).await.ids(), ids[1..2]);
    assert_eq!(probe.send("POST", &path(&night), &json!({})).await.status, 400);
}

#[tokio::test]
async fn removing_takes_those_in_the_team_and_passes_over_all_others() {
    let (probe, [day, night], ids) = team_of(3).await;
    let removing = |team: &str| format!("{}?id={},{},nobody", path(team), ids[0], ids[1]);
    assert_eq!(probe.delete(&removing(&night)).await.status, 204);
    assert_eq!(probe.get(&path(&day)).await.ids(), ids);
    assert_eq!(probe.delete(&removing(&day)).await.status, 204);
    assert_eq!(probe.delete(&removing(&day)).await.status, 204);
    assert_eq!(probe.get(&path(&day)).await.ids(), ids[2..]);
    assert_eq!(probe.delete(&path(&day)).await.status, 400);
}

#[tokio::test]
async fn an_unknown_team_is_404() {
    let (probe, _, ids) = team_of(1).await;
    assert_eq!(probe.get(&path("nowhere")).await.status, 404);
    let body = json!({"memberIds": ids});
    assert_eq!(probe.send("POST", &path("nowhere"), &body).await.status, 404);
    assert_eq!(probe.delete(&format!("{}?id={}", path("nowhere"), ids[0])).await.status, 404);
}

#[tokio::test]
async fn a_user_shows_their_team_or_has_no_such_field_and_both_reads_lag_as_told() {
    let (probe, [team, _], ids) = team_of(2).await;
    let user = format!("/api/v2/users/{}?expand=team", ids[0]);
    let shown = probe.get(&user).await.body["team"].clone();
    assert_eq!((&shown["id"], &shown["name"]), (&json!(team), &json!("Day")));
    assert_eq!(shown["memberCount"], 2);
    probe.simulator.set_lag(Kind::Team, Lag::Reads(2));
    probe.delete(&format!("{}?id={}", path(&team), ids[0])).await;
    assert_eq!(probe.get(&path(&team)).await.ids(), ids);
    assert!(probe.get(&user).await.body["team"].is_object());
    assert_eq!(probe.get(&user).await.body.get("team"), None);
    assert_eq!(probe.get(&path(&team)).await.ids(), ids[1..]);
}
