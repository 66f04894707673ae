//! The dry run: what would go, what would stay, what would hold the offboarding, and that nothing is changed by asking.

use leaver::config::Config;
use leaver::operate::{self, Asked, Effect, Expected, OperateError, Preview, StepPreview};
use leaver::serve;
use leaver_simulator::{AccountState, Joining, Media, Person, RoutingStatus, presets};

use crate::commands::run;
use crate::support::World;

/// The dry run as this configuration has it.
async fn preview_as(
    world: &World,
    more: &str,
    person: &str,
    kind: Option<&str>,
) -> Result<Preview, OperateError> {
    let config = Config::load(&world.config(more)).unwrap();
    let asked = Asked { person, termination_type: kind };
    let preview = operate::preview(&world.genesys(1_000_000), &serve::preview_rules(&config), asked).await;
    assert!(world.simulator.changing().is_empty());
    assert_eq!(world.simulator.violations(), Vec::<String>::new());
    preview
}

async fn preview(world: &World, more: &str) -> Preview {
    preview_as(world, more, "jane@example.com", None).await.unwrap()
}

fn step<'a>(preview: &'a Preview, name: &str) -> &'a StepPreview {
    preview.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("{name}: {preview:#?}"))
}

/// The reasons for which it would be held.
fn held(preview: &Preview) -> Vec<&'static str> {
    preview.verdict.held_for.iter().map(|held| held.reason.as_str()).collect()
}

async fn world_with_everything() -> World {
    let world = World::new().await;
    world.simulator.organisation(|org| presets::everything_agent(org, "Jane", "jane@example.com", "W1"));
    world
}

async fn world_with(jane: impl FnOnce(Person) -> Person) -> World {
    let world = World::new().await;
    world.simulator.organisation(|org| org.add_person(jane(Person::new("Jane", "jane@example.com"))));
    world
}

#[tokio::test]
async fn everything_that_would_go_stay_or_hold_is_shown() {
    let world = world_with_everything().await;
    let shown = preview(&world, "").await;
    let counts = |name: &str| {
        let step = step(&shown, name);
        (step.remove.len(), step.keep.len(), step.hold.len())
    };
    let expected = [
        ("strip.queue_memberships", (126, 0, 4)),
        ("strip.callbacks", (0, 0, 0)),
        ("strip.routing_skills", (60, 0, 0)),
        ("strip.routing_languages", (3, 0, 0)),
        ("strip.utilization", (1, 0, 0)),
        ("strip.direct_routing_backup", (1, 0, 0)),
        ("strip.groups", (0, 2, 0)),
        ("strip.team", (1, 0, 0)),
        ("strip.stations", (2, 0, 0)),
        ("strip.call_forwarding", (1, 0, 0)),
        ("strip.management_unit", (0, 0, 0)),
        ("strip.licences", (0, 0, 0)),
        ("strip.role_grants", (12, 0, 5)),
        ("deactivate.account_state", (1, 0, 0)),
        ("deactivate.tokens", (1, 0, 0)),
    ];
    for (step, (name, numbers)) in shown.steps.iter().zip(expected) {
        assert_eq!((step.name, counts(name)), (name, numbers));
    }
    let off = shown.steps.iter().filter(|step| step.status == "off").map(|step| step.name);
    assert_eq!(off.collect::<Vec<_>>(), ["strip.callbacks", "strip.management_unit", "strip.licences"]);
    assert_eq!((shown.summary.remove, shown.summary.keep, shown.summary.hold), (209, 2, 9));
    assert_eq!((held(&shown), shown.verdict.expected), (vec!["inherited_access"], Expected::Held));
    assert!(shown.verdict.text.starts_with("would be held: inherited_access"), "{}", shown.verdict.text);
    for through in
        step(&shown, "strip.queue_memberships").hold.iter().chain(&step(&shown, "strip.role_grants").hold)
    {
        assert!(through.via.starts_with("Group ") && through.name.is_some(), "{through:?}");
        assert_eq!(through.effect, Effect::Held);
    }
    assert_eq!(step(&shown, "deactivate.tokens").comes_back, "never: the person logs in again");
    assert!(step(&shown, "strip.management_unit").comes_back.starts_with("except: "));
    assert_eq!(step(&shown, "strip.groups").comes_back, "whole");
    let queue = &step(&shown, "strip.queue_memberships").remove[0];
    assert!(queue.detail["ringNumber"].is_u64() && queue.detail["joined"].is_boolean(), "{queue:?}");
}

#[tokio::test]
async fn what_comes_through_a_group_goes_with_it_or_passes_by_choice() {
    let world = world_with_everything().await;
    let left = preview(&world, "[plan]\nremovable_groups = [\"*\"]").await;
    assert_eq!(
        (left.verdict.expected, left.summary.remove, left.summary.hold),
        (Expected::CarriedOut, 220, 0)
    );
    assert_eq!(left.verdict.text, "would be carried out");
    assert!(step(&left, "strip.role_grants").hold.iter().all(|held| held.effect == Effect::Leaves));
    let one = preview(&world, "[plan]\nremovable_groups = [\"Group 1 of Jane\"]").await;
    assert_eq!((one.summary.keep, one.summary.hold), (1, 4));
    let passed = preview(&world, "[plan]\ninherited_access = \"pass\"").await;
    assert_eq!((passed.verdict.expected, passed.summary.keep), (Expected::CarriedOut, 11));
    assert!(step(&passed, "strip.role_grants").hold.iter().all(|held| held.why.starts_with("passed")));
}

#[tokio::test]
async fn for_people_it_is_grouped_signed_and_fits_the_screen() {
    let world = world_with_everything().await;
    let config = world.config("requests_per_minute = 3000");
    let text = run(&config, &["plan", "jane@example.com"]).await;
    let lines: Vec<_> = text.done().out.lines().collect();
    let count = |sign: &str| lines.iter().filter(|line| line.starts_with(sign)).count();
    assert_eq!((count("    - "), count("    = "), count("    ! ")), (209, 2, 9), "{}", text.out);
    let too_wide: Vec<_> = lines.iter().filter(|line| line.chars().count() > 110).collect();
    assert!(too_wide.is_empty(), "{too_wide:#?}");
    for heading in ["STRIP", "DEACTIVATE", "REPORTS"] {
        assert!(lines.contains(&heading), "{}", text.out);
    }
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("  strip.queue_memberships")
                && line.contains("126 to remove, 4 held"))
    );
    let (verdict, summary) = (lines[lines.len() - 3..].join("\n"), lines[lines.len() - 1]);
    assert!(verdict.contains("would be held: inherited_access"), "{verdict}");
    assert_eq!(summary, "summary  209 to remove, 2 kept, 9 held. Nothing was changed.");
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn what_can_not_be_read_is_named_with_its_permission_and_the_rest_is_shown() {
    let world = world_with_everything().await;
    world.simulator.withhold_permission("routing:directRoutingBackup:view");
    let config = world.config("requests_per_minute = 3000\n[plan]\nring_numbers = \"left_out\"");
    let ended = run(&config, &["plan", "jane@example.com", "--json"]).await;
    ended.failed(1, &["strip.direct_routing_backup", "routing:directRoutingBackup:view is missing"]);
    let document = ended.json();
    let steps = document["steps"].as_array().unwrap();
    let of = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap();
    let unread = &of("strip.direct_routing_backup")["unread"];
    assert_eq!(unread["permission"], "routing:directRoutingBackup:view", "{unread}");
    assert_eq!(of("strip.routing_skills")["remove"].as_array().unwrap().len(), 60);
    assert!(of("strip.routing_skills").get("unread").is_none());
    assert_eq!(document["verdict"]["expected"], "unknown");
    let text = run(&config, &["plan", "jane@example.com"]).await;
    assert_eq!(text.code, 1);
    assert!(text.out.contains("    ! could not be read: strip.direct_routing_backup"), "{}", text.out);
    assert!(world.simulator.changing().is_empty());
}

#[tokio::test]
async fn whoever_is_protected_would_be_held() {
    let world = World::new().await;
    let jane = world
        .simulator
        .organisation(|org| presets::fully_assigned_agent(org, "Jane", "jane@example.com", "W1").to_string());
    let role = world.simulator.organisation(|org| {
        let grant = org.person(&jane).unwrap().grants.iter().next().unwrap().clone();
        grant.role.to_string()
    });
    for entry in ["Jane@Example.com".to_owned(), format!("id:{jane}"), format!("role:{role}")] {
        let shown = preview(&world, &format!("[policy]\nprotected = [{entry:?}]")).await;
        assert_eq!(held(&shown), ["protected"], "{entry}");
    }
    assert!(held(&preview(&world, "[policy]\nprotected = [\"john@example.com\"]").await).is_empty());
}

#[tokio::test]
async fn an_interaction_is_waited_for_asked_about_or_cut_off_as_the_policy_says() {
    let world =
        world_with(|jane| jane.routing_status(RoutingStatus::Interacting).conversations(Media::Call, 1))
            .await;
    let waits = preview(&world, "[policy]\nbusy_wait_max = \"2h\"").await;
    assert_eq!(waits.verdict.expected, Expected::CarriedOut);
    assert_eq!(waits.verdict.notes, ["in an interaction: its end would be waited for, 2 h at the most"]);
    assert_eq!(held(&preview(&world, "[policy]\nwhen_busy = \"ask\"").await), ["busy"]);
    let now = preview(&world, "[policy]\nwhen_busy = \"now\"").await;
    assert_eq!(now.verdict.notes, ["in an interaction, which would be cut off"]);
    let immediate = preview_as(&world, "", "jane@example.com", Some("involuntary")).await.unwrap();
    assert_eq!(immediate.verdict.notes, now.verdict.notes);
}

#[tokio::test]
async fn the_work_and_what_is_done_about_it_is_said() {
    let world = world_with(|jane| jane.routing_status(RoutingStatus::Idle)).await;
    let notes = |shown: Preview| shown.verdict.notes;
    let goes = notes(preview(&world, "").await);
    assert_eq!(goes, ["on queue, which is not waited for"]);
    let waits = "on queue: its end would be waited for, 4 h at the most";
    let off = "would be taken off queue meanwhile: set unjoined in all their queues";
    let policy = "[policy]\non_queue = \"wait\"\noff_queue = \"unjoin\"";
    assert_eq!(notes(preview(&world, policy).await), [waits, off]);
    assert_eq!(held(&preview(&world, "[policy]\non_queue = \"wait\"\nwhen_busy = \"ask\"").await), ["busy"]);
    let policy = "[policy]\non_queue = \"wait\"\nshift_end = \"wait\"";
    let unknown = "no end of a shift would end the waiting: workforce management does not know the person";
    assert_eq!(notes(preview(&world, policy).await), [waits, unknown]);
    let unit = world.simulator.organisation(|org| org.add_management_unit("Service"));
    world.simulator.organisation(|org| {
        let jane = org.find("jane@example.com").unwrap();
        org.edit(&jane, |person| {
            let start = chrono::Utc::now() - chrono::TimeDelta::hours(1);
            person.management_unit = Some(unit);
            person.shifts.push(leaver_simulator::Shift { start, minutes: 120 });
        })
    });
    let found = notes(preview(&world, policy).await);
    assert!(
        found[1].starts_with("would wait until ") && found[1].ends_with("30 min after the shift"),
        "{found:?}"
    );
    let immediate = preview_as(&world, policy, "jane@example.com", Some("involuntary")).await.unwrap();
    assert_eq!(notes(immediate), ["on queue, which is not waited for"]);
}

#[tokio::test]
async fn the_order_follows_the_termination_type_and_says_why() {
    let world = world_with(|jane| jane).await;
    let config = "[policy.order_by_type]\ninvoluntary = \"access_first\"";
    let first = |shown: &Preview| (shown.order.first, shown.order.because.clone());
    let plain = preview(&world, config).await;
    assert_eq!(first(&plain), ("strip_first", "policy.order".to_owned()));
    assert_eq!(plain.order.by_type["involuntary"], "access_first");
    let typed = preview_as(&world, config, "jane@example.com", Some("involuntary")).await.unwrap();
    assert_eq!(first(&typed), ("access_first", "policy.order_by_type.involuntary".to_owned()));
    let run = run(&world.config(config), &["plan", "jane@example.com", "--type", "involuntary"]).await;
    assert!(run.done().out.contains("order access_first (policy.order_by_type.involuntary)"), "{}", run.out);
}

#[tokio::test]
async fn an_inactive_account_is_said_and_the_organisations_default_is_kept() {
    let world = World::new().await;
    world.simulator.organisation(|org| {
        let (queue, home) = (org.home(), org.home());
        let queue = org.add_queue(&format!("Queue {queue}"), &home);
        let jane = Person::new("Jane", "jane@example.com").state(AccountState::Inactive);
        org.add_person(jane.queue(&queue, Joining::Joined))
    });
    let shown = preview(&world, "").await;
    assert_eq!((shown.state, shown.verdict.expected), ("inactive", Expected::CarriedOut));
    assert!(shown.verdict.notes[0].contains("already_inactive"), "{:?}", shown.verdict.notes);
    assert_eq!(step(&shown, "strip.queue_memberships").remove.len(), 1);
    assert!(step(&shown, "deactivate.account_state").remove.is_empty());
    let kept = &step(&shown, "strip.utilization").keep;
    assert_eq!((kept.len(), kept[0].why), (1, "the organisation's default is nobody's own"));
}

#[tokio::test]
async fn reports_are_shown_and_hold_where_they_are_to() {
    let world = world_with(|jane| jane).await;
    let noted = preview(&world, "[plan.reports]\nvoicemail = \"note\"").await;
    let names: Vec<_> = noted.reports.iter().map(|report| (report.name, report.reporting)).collect();
    assert_eq!(names, [("report.callbacks", "note"), ("report.voicemail", "note")]);
    assert!(noted.reports.iter().all(|report| report.findings.as_ref().is_some_and(Vec::is_empty)));
    world.simulator.withhold_permission("voicemail:voicemail:viewOther");
    let unread = preview(&world, "[plan.reports]\nvoicemail = \"hold\"").await;
    assert_eq!(held(&unread), ["report_found"]);
    let error = unread.reports[1].error.as_ref().unwrap();
    assert_eq!(error.permission.as_deref(), Some("voicemail:voicemail:viewOther"));
}

#[tokio::test]
async fn nobody_and_more_than_one_are_errors_also_where_one_of_them_is_inactive() {
    let world = world_with(|jane| jane).await;
    let nobody = preview_as(&world, "", "nobody@example.com", None).await;
    assert!(matches!(nobody, Err(OperateError::NotOne { count: 0, .. })), "{nobody:?}");
    world.simulator.organisation(|org| {
        org.add_person(Person::new("Other Jane", "jane@example.com").state(AccountState::Inactive))
    });
    let two = preview_as(&world, "", "jane@example.com", None).await;
    assert!(matches!(two, Err(OperateError::NotOne { count: 2, .. })), "{two:?}");
}
