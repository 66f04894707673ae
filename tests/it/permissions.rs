//! `leaver check` about the OAuth client's permissions: what is missing, what is only a pity, and what is too much.

use std::collections::BTreeSet;

use leaver::plan::choices::Switch;
use leaver::plan::{Choices, Plan, reports};
use leaver_simulator::{OwnGrants, Rules};
use serde_json::{Value, json};

use crate::commands::{found, run};
use crate::support::World;

/// The findings about permissions, by what they are about.
async fn findings(world: &World, more: &str) -> Vec<(String, String, String)> {
    let ended = run(&world.config(more), &["check", "--json"]).await;
    assert!(ended.code < 2, "{ended:?}");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let told = |finding: &Value| {
        [&finding["what"], &finding["do"]]
            .iter()
            .filter_map(|text| text.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    };
    let findings = ended.json();
    assert_eq!(found(&findings, "Genesys Cloud")["severity"], "ok");
    for finding in findings.as_array().unwrap() {
        assert_eq!(finding["ok"], json!(finding["severity"] != "FAIL"), "{finding}");
    }
    let about =
        findings.as_array().unwrap().iter().map(|one| (text(one, "check"), text(one, "severity"), told(one)));
    about.filter(|(what, ..)| what.starts_with("permission")).collect()
}

/// One permission of each entry that these choices need, that restores need, and the audit's.
fn least(choices: &Choices) -> BTreeSet<String> {
    let plan = Plan::new(choices.clone());
    let steps = plan.all().iter().flat_map(|step| [step.permissions(), step.restore_permissions()]);
    let entries = steps.chain(reports::read_under(choices).map(|report| report.permissions())).flatten();
    let first = entries.map(|any_of| any_of[0].to_owned());
    first.chain(["directory:user:view", "audits:audit:view"].map(str::to_owned)).collect()
}

fn grant(world: &World, permissions: BTreeSet<String>) {
    world.simulator.rules(|rules| rules.client_permissions = Some(permissions));
}

#[tokio::test]
async fn a_client_that_may_exactly_what_is_needed_is_right() {
    let world = World::new().await;
    grant(&world, least(&Choices::default()));
    let found = findings(&world, "").await;
    let [(what, level, _)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((what.as_str(), level.as_str()), ("permissions", "ok"));
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn a_missing_permission_fails_and_is_named_with_its_step_and_the_place_to_grant_it() {
    let world = World::new().await;
    grant(&world, least(&Choices::default()));
    world.simulator.withhold_permission("routing:queueMember:manage");
    world.simulator.withhold_permission("authorization:grant:add");
    world.simulator.withhold_permission("audits:audit:view");
    let found = findings(&world, "").await;
    let of = |what: &str| {
        found.iter().find(|(name, ..)| name == what).unwrap_or_else(|| panic!("{what}: {found:#?}"))
    };
    let (_, level, detail) = of("permission routing:queueMember:manage");
    assert_eq!(level, "FAIL");
    for words in ["or routing:queue:edit", "strip.queue_memberships", "Admin > Roles"] {
        assert!(detail.contains(words), "{words}: {detail}");
    }
    let (_, level, detail) = of("permission authorization:grant:add");
    assert!(level == "warn" && detail.contains("restore of strip.role_grants"), "{detail}");
    let (_, level, detail) = of("permission audits:audit:view");
    assert!(level == "warn" && detail.contains("keeps_returning"), "{detail}");
    let text = run(&world.config(""), &["check"]).await;
    assert_eq!(text.code, 1, "{text:?}");
    assert!(text.out.contains("FAIL  permission routing:queueMember:manage"), "{}", text.out);
    assert!(text.out.lines().all(|line| line.chars().count() <= 110), "{}", text.out);
}

#[tokio::test]
async fn what_is_needed_follows_the_plan_that_is_configured() {
    let world = World::new().await;
    grant(&world, least(&Choices::default().switched("strip.stations", Switch::Off)));
    assert!(
        findings(&world, "").await.iter().any(|(what, level, _)| {
            what == "permission telephony:station:disassociate" && level == "FAIL"
        })
    );
    let off = findings(&world, "[plan.steps]\nstations = \"off\"\n").await;
    assert_eq!(off.iter().map(|(_, level, _)| level.as_str()).collect::<Vec<_>>(), ["ok"], "{off:#?}");
    let voicemail =
        findings(&world, "[plan.steps]\nstations = \"off\"\n[plan.reports]\nvoicemail = \"note\"\n").await;
    let (what, level, detail) = &voicemail[0];
    assert_eq!((what.as_str(), level.as_str()), ("permission voicemail:voicemail:viewOther", "FAIL"));
    assert!(detail.contains("report.voicemail"), "{detail}");
}

#[tokio::test]
async fn what_only_the_waiting_needs_is_a_pity_and_only_where_it_is_switched_on() {
    let world = World::new().await;
    grant(&world, least(&Choices::default()));
    world.simulator.withhold_permission("routing:queueMember:manage");
    world
        .simulator
        .rules(|rules| rules.client_permissions.as_mut().unwrap().insert("routing:queue:edit".to_owned()));
    let found = findings(&world, "[policy]\noff_queue = \"unjoin\"\nshift_end = \"wait\"\n").await;
    let whats: Vec<_> = found.iter().map(|(what, level, _)| (what.as_str(), level.as_str())).collect();
    let shift = ("permission wfm:publishedSchedule:view", "warn");
    let unjoin = ("permission routing:queueMember:manage", "warn");
    assert_eq!(whats, [("permissions", "ok"), unjoin, shift], "{found:#?}");
    assert!(
        found[1].2.contains("or routing:queue:join") && found[2].2.contains("busy_wait_max"),
        "{found:#?}"
    );
    let off = findings(&world, "").await;
    assert_eq!(off.iter().map(|(_, level, _)| level.as_str()).collect::<Vec<_>>(), ["ok"], "{off:#?}");
}

#[tokio::test]
async fn what_the_client_may_beyond_need_is_named_and_fails_nothing() {
    let world = World::new().await;
    let mut permissions = least(&Choices::default());
    permissions.extend(["directory:user:delete", "routing:queue:edit", "routing:skill:*"].map(str::to_owned));
    grant(&world, permissions);
    let found = findings(&world, "").await;
    let whats: Vec<_> = found.iter().map(|(what, level, _)| (what.as_str(), level.as_str())).collect();
    let expected =
        [("permissions", "ok"), ("permissions too wide", "warn"), ("permissions in excess", "warn")];
    assert_eq!(whats, expected, "{found:#?}");
    assert!(found[1].2.starts_with("routing:skill:*: "), "{}", found[1].2);
    assert!(found[2].2.contains(": directory:user:delete; "), "an alternative is no excess: {}", found[2].2);
}

#[tokio::test]
async fn where_the_client_can_not_be_asked_the_whole_list_is_given() {
    let world = World::new().await;
    let unreadable: [fn(&mut Rules); 3] = [
        |rules| rules.own_grants = OwnGrants::NotFound,
        |rules| {
            rules.own_grants = OwnGrants::Readable;
            rules.withheld_permissions.insert("authorization:grant:view".to_owned());
        },
        |rules| {
            rules.withheld_permissions.clear();
            rules.client_permissions = Some(BTreeSet::new());
        },
    ];
    let refused: [&[&str]; 3] = [
        &[],
        &["authorization:grant:view"],
        &["authorization:grant:view", "routing:queue:view", "conversation:callForwarding:view"],
    ];
    for (change, refused) in unreadable.into_iter().zip(refused) {
        world.simulator.rules(change);
        let found = findings(&world, "").await;
        let (_, level, detail) = found.iter().find(|(what, ..)| what == "permissions").unwrap();
        assert_eq!(level, "warn");
        for permission in least(&Choices::default()).iter().filter(|one| *one != "audits:audit:view") {
            assert!(detail.contains(permission.as_str()), "{permission}: {detail}");
        }
        // What a read needs shows by reading.
        let failed: Vec<_> = found.iter().filter(|(_, level, _)| level == "FAIL").collect();
        assert_eq!(failed.is_empty(), refused.is_empty(), "{failed:#?}");
        for permission in refused {
            assert!(failed.iter().any(|(what, ..)| what.contains(permission)), "{permission}: {failed:#?}");
        }
        assert!(world.simulator.changing().is_empty());
    }
}
