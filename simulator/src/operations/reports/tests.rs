//! Tests of everything that is only reported.

use super::*;
use crate::organisation::Id;
use crate::presets;
use crate::probe::Probe;

async fn person() -> (Probe, Id) {
    let probe = Probe::start().await;
    let person =
        probe.simulator.organisation(|org| presets::bare_person(org, "Jane", "jane@example.com", "E1"));
    (probe, person)
}

#[tokio::test]
async fn flows_that_name_a_user_are_found_by_the_user_alone() {
    let (probe, person) = person().await;
    let flow = probe.simulator.organisation(|org| {
        let stranger = org.stranger();
        org.add_flow("Night line", &[&stranger]);
        org.add_flow("Main line", &[&stranger, &person])
    });
    let path = format!("/api/v2/architect/dependencytracking/consumingresources?id={person}");
    let found = probe.get(&format!("{path}&objectType=USER")).await;
    assert_eq!((found.status, found.ids()), (200, vec![flow]));
    assert_eq!(found.body["entities"][0]["type"], "INBOUNDCALLFLOW");
    assert!(probe.get(&format!("{path}&objectType=QUEUE")).await.ids().is_empty());
    assert!(probe.get(&format!("{path}&objectType=USER&resourceType=WORKFLOW")).await.ids().is_empty());
    probe.assert_no_violations();
    assert_eq!(probe.get(&path).await.status, 400);
    assert_eq!(probe.get(&format!("{path}&objectType=PERSON")).await.status, 400);
}

#[tokio::test]
async fn dependency_tracking_is_206_while_it_is_built_and_410_where_there_is_none() {
    let (probe, person) = person().await;
    probe.simulator.organisation(|org| org.add_flow("Main line", &[&person]));
    let path = format!("/api/v2/architect/dependencytracking/consumingresources?id={person}&objectType=USER");
    let build = "/api/v2/architect/dependencytracking/build";
    let cases = [
        (DependencyTracking::Operational, 200, "OPERATIONAL"),
        (DependencyTracking::Building, 206, "BUILDINPROGRESS"),
        (DependencyTracking::Gone, 410, "NOTBUILT"),
    ];
    for (state, status, word) in cases {
        probe.simulator.rules(|rules| rules.dependency_tracking = state);
        assert_eq!(probe.get(&path).await.status, status);
        assert_eq!(probe.get(build).await.body["status"], word);
    }
}

#[tokio::test]
async fn phones_are_found_by_their_user_whom_the_list_names_only_on_request() {
    let (probe, person) = person().await;
    let phone = probe.simulator.organisation(|org| {
        let stranger = org.stranger();
        org.add_phone("Phone of the stranger", &stranger);
        org.add_phone("Phone of Jane", &person)
    });
    let path = "/api/v2/telephony/providers/edges/phones";
    assert_eq!(probe.get(path).await.body["total"], 2);
    let own = probe.get(&format!("{path}?webRtcUserId={person}")).await;
    assert_eq!((own.ids(), own.body["entities"][0].get("webRtcUser")), (vec![phone], None));
    let named = probe.get(&format!("{path}?webRtcUserId={person}&fields=webRtcUser")).await;
    assert_eq!(named.body["entities"][0]["webRtcUser"]["id"], person.as_str());
    probe.assert_no_violations();
}

#[tokio::test]
async fn numbers_are_listed_with_their_owner_or_only_the_free_ones() {
    let (probe, person) = person().await;
    let free = probe.simulator.organisation(|org| {
        org.add_did("+15555550101", Some(&person));
        org.add_did("+15555550102", None)
    });
    let path = "/api/v2/telephony/providers/edges/didpools/dids";
    let all = probe.get(&format!("{path}?type=ASSIGNED_AND_UNASSIGNED")).await;
    assert_eq!(all.body["entities"][0]["owner"]["id"], person.as_str());
    assert_eq!(all.body["entities"][0]["ownerType"], "USER");
    assert_eq!(probe.get(&format!("{path}?type=UNASSIGNED")).await.ids(), std::slice::from_ref(&free));
    let matching = format!("{path}?type=ASSIGNED_AND_UNASSIGNED&numberMatch=0102");
    assert_eq!(probe.get(&matching).await.ids(), [free]);
    probe.assert_no_violations();
    assert_eq!(probe.get(path).await.status, 400);
    assert_eq!(probe.get(&format!("{path}?type=ASSIGNED")).await.status, 400);
}

#[tokio::test]
async fn voicemails_are_those_of_the_user() {
    let (probe, person) = person().await;
    let message = probe.simulator.organisation(|org| {
        let stranger = org.stranger();
        org.add_voicemail(&stranger, "+15555550103");
        org.add_voicemail(&person, "+15555550104")
    });
    let path = format!("/api/v2/voicemail/users/{person}/messages");
    assert_eq!(probe.get(&path).await.ids(), [message]);
    assert_eq!(probe.get("/api/v2/voicemail/users/nobody/messages").await.status, 404);
    assert_eq!(probe.get(&format!("{path}?pageSize=101")).await.status, 400);
    probe.simulator.withhold_permission("voicemail:voicemail:viewOther");
    assert_eq!(probe.get(&path).await.status, 403);
    probe.assert_no_violations();
}

#[tokio::test]
async fn recordings_kept_longer_than_the_threshold_are_followed_by_their_cursor() {
    let probe = Probe::start().await;
    let kept = probe.simulator.organisation(|org| {
        let mut kept = Vec::new();
        for days_ago in [40, 1, 50, 60] {
            kept.push(org.add_recording("conversation", days_ago));
        }
        kept
    });
    let mut path = "/api/v2/recordings/retention/query?retentionThresholdDays=30&pageSize=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = probe.get(&path).await;
        let ids = page.body["entities"].as_array().unwrap().iter();
        pages.push(ids.map(|recording| recording["recordingId"].clone()).collect::<Vec<_>>());
        match page.body["nextUri"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(pages), json!([[kept[0], kept[2]], [kept[3]]]));
    probe.assert_no_violations();
    for bad in ["", "?retentionThresholdDays=30&pageSize=501", "?retentionThresholdDays=30&cursor=x"] {
        let refused = probe.get(&format!("/api/v2/recordings/retention/query{bad}")).await;
        assert_eq!(refused.status, 400, "{bad}");
    }
}
