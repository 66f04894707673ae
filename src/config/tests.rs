//! What the configuration accepts and which defaults it has; leaves variables to `overriding`, mistakes to `refusals`.

use std::io::Write as _;

use chrono::NaiveTime;
use secrecy::ExposeSecret;
use toml::Value;

use super::*;
use crate::offboarding::choices::{UnknownEffectiveAt, UnknownProtected};
use crate::plan::choices::{
    CallbackChoice, InheritedAccess, Reporting, RingNumbers, StateChangeReason, Switch,
};
use crate::plan::reports::REPORTS;
use crate::plan::{PLAN, Plan, kind_of};

mod overriding;
mod refusals;

const EXAMPLE: &str = include_str!("../../leaver.example.toml");

const MINIMAL: &str = r#"
[database]
url = "postgres://leaver@localhost/leaver"
[genesys]
region = "mypurecloud.com"
client_id = "client"
client_secret = "env:GENESYS_CLIENT_SECRET"
"#;

/// Every secret has this in it, so that a leak is easy to find.
const MARK: &str = "hushhush";

fn variables(more: &[(&str, &str)]) -> Environment {
    let named = [
        ("DATABASE_URL", "postgres://leaver:hushhush@db.example/leaver"),
        ("GENESYS_CLIENT_ID", "client"),
        ("GENESYS_CLIENT_SECRET", "hushhush-genesys-secret"),
        ("WORKDAY_SECRET", "hushhush-workday-secret"),
        ("ALICE_TOKEN", "hushhush-alice-token"),
        ("CALLBACK_SECRET", "hushhush-callback-secret"),
        ("CALLBACK_SECRET_NEW", "hushhush-callback-secret-new"),
        ("CHAT_WEBHOOK_URL", "https://chat.example/hook/hushhush"),
        ("CALLBACK_AUTHORIZATION", "Basic hushhush"),
        ("OIDC_CLIENT_SECRET", "hushhush-oidc-secret"),
        ("LEAVER_CONFIG", "leaver.toml"),
    ];
    named.iter().chain(more).copied().collect()
}

fn load(text: &str, more: &[(&str, &str)]) -> Config {
    Config::from_toml(text, &variables(more)).unwrap()
}

fn refusal(text: &str, more: &[(&str, &str)]) -> String {
    Config::from_toml(text, &variables(more)).expect_err("must be refused").to_string()
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = load(MINIMAL, &[]);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.server.body_limit, 65_536);
    assert_eq!(config.genesys.external_id_authority, None);
    assert_eq!(config.genesys.requests_per_minute, 240);
    assert_eq!(config.genesys.timeout, Duration::from_secs(15));
    assert!(config.sources.is_empty() && config.operators.is_empty() && config.callbacks.is_empty());
    let expected = Policy {
        mode: Mode::Live,
        time_zone: crate::offboarding::Zone::utc(),
        effective_at: EffectiveAt::EndOfDay,
        order_by_type: BTreeMap::new(),
        order: Order::StripFirst,
        when_busy: WhenBusy::Wait,
        busy_recheck: Duration::from_secs(60),
        busy_wait_max: Duration::from_secs(14_400),
        on_queue: OnQueue::Go,
        off_queue: OffQueue::Leave,
        shift_end: ShiftEnd::Ignore,
        shift_grace: Duration::from_secs(1_800),
        immediate_types: vec!["involuntary".to_owned()],
        person_not_found: PersonNotFound::Done,
        not_found_recheck: Duration::from_secs(900),
        protected: vec![],
        administrator_roles: vec!["Master Admin".to_owned(), "Admin".to_owned()],
        changes_per_hour_max: 10,
        changes_per_day_max: 25,
        approval_valid: Duration::from_secs(3_600),
        verify_reads: 2,
        attempts_max: 12,
    };
    assert_eq!(config.policy, expected);
    let expected = Worker {
        concurrency: 8,
        lease: Duration::from_secs(30),
        poll: Duration::from_secs(1),
        retry_base: Duration::from_secs(2),
        retry_max: Duration::from_secs(900),
    };
    assert_eq!(config.worker, expected);
}

/// The example with the section that it leaves switched off.
fn whole_example() -> String {
    let (switched_on, off) = EXAMPLE.split_once("# [[callbacks]]").unwrap();
    format!("{switched_on}[[callbacks]]{}", off.replace("\n# ", "\n"))
}

#[test]
fn the_example_loads_as_it_stands_and_shows_the_defaults() {
    assert!(load(EXAMPLE, &[]).callbacks.is_empty());
    let (example, minimal) = (load(&whole_example(), &[]), load(MINIMAL, &[]));
    assert_eq!(example.server, minimal.server);
    assert_eq!(example.policy, minimal.policy);
    assert_eq!(example.worker, minimal.worker);
    assert_eq!(example.console, minimal.console);
    assert_eq!(minimal.console, Console::default());
    assert_eq!(example.audit, minimal.audit);
    assert_eq!(example.telemetry, minimal.telemetry);
    assert_eq!(minimal.telemetry.otlp_endpoint, None);
    let carried_out = |config: &Config| {
        let plan = Plan::new(config.plan.clone());
        plan.all().iter().map(|step| step.name()).collect::<Vec<_>>()
    };
    assert_eq!(carried_out(&example), carried_out(&minimal));
    for report in REPORTS {
        assert_eq!(report.reporting(&example.plan), report.reporting(&minimal.plan), "{}", report.name());
    }
    let rest = |plan: &Choices| Choices { steps: BTreeMap::new(), reports: BTreeMap::new(), ..plan.clone() };
    assert_eq!(rest(&example.plan), Choices::default());
    assert_eq!(minimal.plan, Choices::default());
    assert_eq!(example.genesys.requests_per_minute, minimal.genesys.requests_per_minute);
    assert_eq!(example.genesys.timeout, minimal.genesys.timeout);
    assert_eq!(example.genesys.external_id_authority.as_deref(), Some("hris"));
    assert_eq!(example.external_id_authorities["workday"], "workday");
    assert!(minimal.external_id_authorities.is_empty());
    assert_eq!(example.operators[0].name, "alice");
    assert_eq!(example.operators[0].role, Role::Operator);
    assert_eq!(example.operators[0].token.expose_secret(), "hushhush-alice-token");
    assert_eq!(example.callbacks[0].url.as_str(), "https://hris.example.com/offboarding");
    assert_eq!(
        example.callbacks[0].events,
        [CallbackEvent::Done, CallbackEvent::Held, CallbackEvent::Failed]
    );
    assert_eq!(example.callbacks.len(), 4);
    for callback in &example.callbacks {
        crate::notify::Target::new(callback).unwrap();
    }
    let secrets = Value::Array(vec![Value::String("hushhush-workday-secret".to_owned())]);
    assert_eq!(example.sources["workday"]["secrets"], secrets);
}

#[test]
fn the_example_names_every_key_and_every_variable_that_it_needs() {
    let sections = [
        SERVER_KEYS,
        DATABASE_KEYS,
        WORKER_KEYS,
        genesys::KEYS,
        policy::KEYS,
        plan::KEYS,
        operators::KEYS,
        callbacks::KEYS,
        console::KEYS,
        audit::KEYS,
        oidc::KEYS,
        oidc::ROLE_KEYS,
    ];
    for key in sections.concat() {
        let value = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        let table = |line: &str| {
            let line = line.trim_start_matches("# ").split('#').next().unwrap_or_default().trim_end();
            line.starts_with('[') && line.ends_with(&format!(".{key}]"))
        };
        assert!(EXAMPLE.lines().any(|line| value(line) || table(line)), "{key} is not in the example");
    }
    let table = |name: &str| EXAMPLE.split_once(name).unwrap().1.split("\n[").next().unwrap();
    let steps = PLAN.iter().map(|step| (step.name(), table("[plan.steps]")));
    let reports = REPORTS.iter().map(|report| (report.name(), table("[plan.reports]")));
    for (name, table) in steps.chain(reports) {
        let shown = format!("\n{} = ", kind_of(name));
        assert!(table.contains(&shown), "{name} is not in the example");
    }
    let (introduction, settings) = EXAMPLE.split_once("[server]").unwrap();
    for (_, rest) in settings.match_indices("\"env:").map(|(at, found)| settings.split_at(at + found.len())) {
        let name = rest.split('"').next().unwrap();
        assert!(introduction.contains(name), "{name} is not in the introduction");
    }
}

/// The example with single sign-on, which needs to know where people reach the console.
fn with_single_sign_on() -> String {
    let (before, rest) = EXAMPLE.split_once("# [oidc]").unwrap();
    let (section, after) = rest.split_once("\n\n").unwrap();
    let before = before.replace("# url = \"https://leaver", "url = \"https://leaver");
    format!("{before}[oidc]{}\n\n{after}", section.replace("\n# ", "\n"))
}

#[test]
fn the_example_of_single_sign_on_shows_the_defaults() {
    let oidc = load(&with_single_sign_on(), &[]).oidc.unwrap();
    assert!(load(EXAMPLE, &[]).oidc.is_none());
    let least = "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\n\
                 client_id = \"leaver\"\n[oidc.roles]\napprover = [\"leaver-approvers\"]\n";
    let minimal = load(&format!("{MINIMAL}{least}"), &[]).oidc.unwrap();
    assert_eq!(oidc.issuer, "https://login.example.com");
    assert_eq!((&oidc.issuer, &oidc.client_id), (&minimal.issuer, &minimal.client_id));
    assert_eq!(oidc.client_secret.unwrap().expose_secret(), "hushhush-oidc-secret");
    assert!(minimal.client_secret.is_none());
    assert_eq!((&oidc.scopes, &oidc.label), (&minimal.scopes, &minimal.label));
    assert_eq!(oidc.name_claim, minimal.name_claim);
    assert_eq!(oidc.role_claim, minimal.role_claim);
    assert_eq!(oidc.redirect_url.as_str(), "https://leaver.example.com/sign-in/oidc/callback");
    let given = |value: &str, role| (value.to_owned(), role);
    let expected = [
        given("leaver-viewers", Role::Viewer),
        given("leaver-operators", Role::Operator),
        given("leaver-approvers", Role::Approver),
    ];
    assert_eq!(oidc.roles, expected);
    assert_eq!(minimal.roles, expected[2..]);
    assert_eq!(oidc.operators, [("alice".to_owned(), "alice@example.com".to_owned())]);
    assert!(minimal.operators.is_empty());
}

#[test]
fn a_claim_is_a_name_a_way_of_names_a_pointer_or_an_address() {
    let claim = |text: &str| {
        let written = format!("role_claim = {text:?}\n# [oidc]");
        let text = with_single_sign_on().replace("role_claim = \"roles\"", &written);
        load(&text, &[]).oidc.unwrap().role_claim.path
    };
    assert_eq!(claim("groups"), ["groups"]);
    assert_eq!(claim("realm_access.roles"), ["realm_access", "roles"]);
    assert_eq!(
        claim("/resource_access/leaver.example.com/roles"),
        ["resource_access", "leaver.example.com", "roles"]
    );
    assert_eq!(claim("/a~1b/c~0d"), ["a/b", "c~d"]);
    assert_eq!(claim("https://example.com/roles"), ["https://example.com/roles"]);
}

#[test]
fn no_secret_is_in_the_debug_output() {
    let chat =
        "[[callbacks]]\nurl = \"https://chat.example/hook/hushhush\"\nsecret = \"hushhush-in-the-file\"\n";
    let config = load(&format!("{}\n{chat}", whole_example()), &[]);
    let signed_on = load(&with_single_sign_on(), &[]);
    assert!(!format!("{signed_on:?}").contains(MARK));
    for output in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(!output.contains(MARK), "{output}");
        assert!(output.contains("workday") && output.contains("chat.example"), "{output}");
    }
}

#[test]
fn every_region_has_its_two_addresses_and_both_addresses_do_without_a_region() {
    for region in REGIONS {
        let config = load(MINIMAL, &[("LEAVER__GENESYS__REGION", region)]);
        assert_eq!(config.genesys.api_url().as_str(), format!("https://api.{region}/"));
        assert_eq!(config.genesys.login_url().as_str(), format!("https://login.{region}/"));
    }
    let own = "api_url = \"http://127.0.0.1:9100\"\nlogin_url = \"http://[::1]:9101/\"";
    let config = load(&MINIMAL.replace("region = \"mypurecloud.com\"", own), &[]);
    assert_eq!(config.genesys.api_url().as_str(), "http://127.0.0.1:9100/");
    assert_eq!(config.genesys.login_url().as_str(), "http://[::1]:9101/");
}

#[test]
fn a_file_gives_its_content_without_the_newline_at_its_end() {
    for (content, secret) in [
        ("hushhush-with-newline\n", "hushhush-with-newline"),
        ("hushhush-with-newline\r\n", "hushhush-with-newline"),
        ("hushhush-two-newlines\n\n", "hushhush-two-newlines\n"),
        ("env:hushhush-not-followed", "env:hushhush-not-followed"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let reference = format!("file:{}", file.path().display());
        let config = load(&MINIMAL.replace("env:GENESYS_CLIENT_SECRET", &reference), &[]);
        assert_eq!(config.genesys.client_secret.expose_secret(), secret);
    }
}

#[test]
fn references_are_followed_at_every_depth_and_for_numbers_too() {
    let text = format!(
        "{MINIMAL}[policy]\nattempts_max = \"env:ATTEMPTS\"\nprotected = [\"env:CHIEF\"]\n[sources.acme]\n\
         secrets = [\"env:WORKDAY_SECRET\"]\nnested = [[{{ deep = \"env:CHIEF\" }}]]\nnumber = 7\n"
    );
    let config = load(&text, &[("ATTEMPTS", "99"), ("CHIEF", "chief@example.com")]);
    assert_eq!(config.policy.attempts_max, 99);
    assert_eq!(config.policy.protected, [Protected::Email("chief@example.com".to_owned())]);
    assert_eq!(config.sources["acme"]["nested"][0][0]["deep"].as_str(), Some("chief@example.com"));
    assert_eq!(config.sources["acme"]["number"].as_integer(), Some(7));
}

#[test]
fn everything_about_the_plan_can_be_chosen() {
    let queue = "2f9a1c3e-5a0b-4c1d-8e2f-0123456789ab";
    let text = format!(
        "{MINIMAL}[policy.order_by_type]\ninvoluntary = \"access_first\"\n\
         [plan]\nring_numbers = \"left_out\"\nremovable_groups = [\"Agents\", \"*\"]\n\
         inherited_access = \"pass\"\ncallbacks = \"queue:{queue}\"\n\
         [plan.steps]\nlicences = \"on\"\nteam = \"off\"\n\
         [plan.state_reasons]\nvoluntary = \"Voluntary\"\n\"*\" = \"Unknown\"\n\
         [plan.reports]\nvoicemail = \"hold\"\n"
    );
    let config = load(&text, &[]);
    assert_eq!(config.policy.order_by_type, BTreeMap::from([("involuntary".to_owned(), Order::AccessFirst)]));
    let switches = [("strip.licences", Switch::On), ("strip.team", Switch::Off)];
    let reasons = [("*", StateChangeReason::Unknown), ("voluntary", StateChangeReason::Voluntary)];
    let expected = Choices {
        ring_numbers: RingNumbers::LeftOut,
        removable_groups: vec!["Agents".to_owned(), "*".to_owned()],
        inherited_access: InheritedAccess::Pass,
        callbacks: CallbackChoice::ToQueue(queue.parse().unwrap()),
        steps: switches.map(|(step, switch)| (step.to_owned(), switch)).into(),
        state_reasons: reasons.map(|(kind, reason)| (kind.to_owned(), reason)).into(),
        reports: BTreeMap::from([("report.voicemail".to_owned(), Reporting::Hold)]),
    };
    assert_eq!(config.plan, expected);
}

#[test]
fn checkpoints_need_a_key_and_no_file() {
    let minimal = load(MINIMAL, &[]).audit;
    assert_eq!((minimal.checkpoint_key, minimal.checkpoint_file), (None, None));
    assert_eq!(minimal.checkpoint_every, Duration::from_secs(60));
    let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    let text = format!("{MINIMAL}[audit]\ncheckpoint_key = \"env:KEY\"\ncheckpoint_every = \"5m\"\n");
    let config = load(&text, &[("KEY", seed)]);
    let proof = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(config.audit.checkpoint_key.as_ref().unwrap().proof().to_string(), proof);
    assert_eq!(
        (config.audit.checkpoint_every, &config.audit.checkpoint_file),
        (Duration::from_secs(300), &None)
    );
    assert!(!format!("{config:?}").contains(seed));
}

#[test]
fn roles_include_the_ones_before_them() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Approver);
}

#[test]
fn an_effective_time_is_one_of_two_words_or_two_digits_each_for_hour_and_minute() {
    assert_eq!("start_of_day".parse(), Ok(EffectiveAt::StartOfDay));
    assert_eq!("end_of_day".parse(), Ok(EffectiveAt::EndOfDay));
    assert_eq!("00:00".parse(), Ok(EffectiveAt::At(NaiveTime::MIN)));
    for text in ["", "noon", "24:00", "17:60", "7:00", "+7:00", "17:0 ", "17:00:00", "End_of_day"] {
        assert_eq!(text.parse::<EffectiveAt>(), Err(UnknownEffectiveAt), "{text}");
    }
}

#[test]
fn a_protected_entry_is_an_address_or_says_what_it_names() {
    assert_eq!("a@b.c".parse(), Ok(Protected::Email("a@b.c".to_owned())));
    assert_eq!("id:7".parse(), Ok(Protected::Id("7".to_owned())));
    assert_eq!("role:Master Admin".parse(), Ok(Protected::Role("Master Admin".to_owned())));
    assert_eq!("division:a:b".parse(), Ok(Protected::Division("a:b".to_owned())));
    for text in ["", "alice", "rolle:a@b.c", "role:", "role: Admin", "id:\u{a0}", "@b.c", "a b@c"] {
        assert_eq!(text.parse::<Protected>(), Err(UnknownProtected), "{text}");
    }
}

#[test]
fn callbacks_without_names_are_called_by_their_host_and_each_by_a_name_of_its_own() {
    let names = |targets: &[(&str, &str)]| {
        let section = |(url, more): &(&str, &str)| {
            format!("[[callbacks]]\nurl = \"{url}\"\n{more}\nsecret = \"hushhush-callback-secret\"\n")
        };
        let text: String = targets.iter().map(section).collect();
        let config = load(&format!("{MINIMAL}{text}"), &[]);
        config.callbacks.into_iter().map(|callback| callback.name).collect::<Vec<_>>()
    };
    let local = [
        "http://127.0.0.1:9001/a",
        "http://127.0.0.1:9002/b",
        "http://127.0.0.1:9001/c",
        "http://127.0.0.1:9001/d",
    ];
    assert_eq!(
        names(&local.map(|url| (url, ""))),
        ["127.0.0.1", "127.0.0.1:9002", "127.0.0.1 (2)", "127.0.0.1 (3)"]
    );
    // The first keeps its name, whoever comes after it.
    assert_eq!(
        names(&[("https://x.example/a", ""), ("https://x.example:8443/b", "")]),
        ["x.example", "x.example:8443"]
    );
    assert_eq!(
        names(&[("https://x.example/a", ""), ("https://y.example", "name = \"x.example\"")]),
        ["x.example:443", "x.example"]
    );
    let long = format!("https://{}.example", "x".repeat(63));
    let both = names(&[(&long, ""), (&long, "")]);
    assert!(both.iter().all(|name| name.chars().count() <= 64) && both[0] != both[1], "{both:?}");
}
