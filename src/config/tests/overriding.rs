//! What `LEAVER__SECTION__KEY` sets, and with which type.

use super::*;

#[test]
fn a_variable_overrides_a_value_of_every_type() {
    let config = load(
        &whole_example(),
        &[
            ("LEAVER__SERVER__LISTEN", "0.0.0.0:80"),
            ("LEAVER__SERVER__BODY_LIMIT", "2048"),
            ("LEAVER__DATABASE__URL", "postgresql:///other"),
            ("LEAVER__GENESYS__CLIENT_ID", "0123"),
            ("LEAVER__GENESYS__CLIENT_SECRET", "env:OTHER_SECRET"),
            ("OTHER_SECRET", "hushhush-other-secret"),
            ("LEAVER__POLICY__ORDER", "access_first"),
            ("LEAVER__POLICY__EFFECTIVE_AT", "17:30"),
            ("LEAVER__POLICY__IMMEDIATE_TYPES__0", "layoff"),
            ("LEAVER__WORKER__LEASE", "250ms"),
            ("LEAVER__TELEMETRY__SAMPLE_RATIO", "0.25"),
            ("LEAVER__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("LEAVER__OPERATORS__0__ROLE", "approver"),
            ("LEAVER__CALLBACKS__0__URL", "http://localhost:9/hook"),
        ],
    );
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.server.body_limit, 2048);
    assert_eq!(config.database.url.expose_secret(), "postgresql:///other");
    assert_eq!(config.genesys.client_id, "0123");
    assert_eq!(config.genesys.client_secret.expose_secret(), "hushhush-other-secret");
    assert_eq!(config.policy.order, Order::AccessFirst);
    assert_eq!(config.policy.effective_at, EffectiveAt::At(NaiveTime::from_hms_opt(17, 30, 0).unwrap()));
    assert_eq!(config.policy.immediate_types, ["layoff"]);
    assert_eq!(config.worker.lease, Duration::from_millis(250));
    assert_eq!(config.telemetry.sample_ratio, 0.25);
    assert!(config.telemetry.otlp_endpoint.is_some());
    assert_eq!(config.operators[0].role, Role::Approver);
    assert_eq!(config.callbacks[0].url.as_str(), "http://localhost:9/hook");
}

#[test]
fn a_variable_switches_a_step_whether_the_file_names_it_or_not() {
    let variables = [
        ("LEAVER__PLAN__STEPS__STATIONS", "off"),
        ("LEAVER__PLAN__REPORTS__VOICEMAIL", "note"),
        ("LEAVER__PLAN__INHERITED_ACCESS", "pass"),
    ];
    for config in [load(MINIMAL, &variables), load(&whole_example(), &variables)] {
        assert!(Plan::new(config.plan.clone()).step("strip.stations").is_none());
        assert_eq!(config.plan.reports["report.voicemail"], Reporting::Note);
        assert_eq!(config.plan.inherited_access, InheritedAccess::Pass);
    }
    let wrong = refusal(MINIMAL, &[("LEAVER__PLAN__STEPS__STATIONS", "maybe")]);
    assert!(
        wrong.contains("expected on or off") && wrong.contains("LEAVER__PLAN__STEPS__STATIONS"),
        "{wrong}"
    );
}

#[test]
fn a_variable_sets_what_the_file_leaves_out_whatever_it_looks_like() {
    let text = MINIMAL.replace("client_secret = \"env:GENESYS_CLIENT_SECRET\"", "");
    let config = load(
        &text,
        &[
            ("LEAVER__GENESYS__CLIENT_SECRET", "1234567890123456"),
            ("LEAVER__GENESYS__REQUESTS_PER_MINUTE", "60"),
            ("LEAVER__WORKER__CONCURRENCY", "2"),
            ("LEAVER__POLICY__TIME_ZONE", "Europe/Berlin"),
            ("LEAVER__POLICY__ATTEMPTS_MAX", "env:ATTEMPTS"),
            ("ATTEMPTS", "3"),
        ],
    );
    assert_eq!(config.genesys.client_secret.expose_secret(), "1234567890123456", "a number can be a secret");
    assert_eq!(config.genesys.requests_per_minute, 60);
    assert_eq!(config.worker.concurrency, 2);
    assert_eq!(config.policy.time_zone, "Europe/Berlin".parse().unwrap());
    assert_eq!(config.policy.attempts_max, 3);
}

#[test]
fn a_variable_in_a_source_has_the_type_of_the_value_that_it_replaces() {
    let source = "[sources.work-day]\nsecrets = [\"env:WORKDAY_SECRET\"]\nauth_failure_status = 401\nstrict = true\n\
                  since = 2026-01-01\nratio = 0.5\nlabel = \"x\"\n";
    let config = load(
        &format!("{MINIMAL}{source}"),
        &[
            ("LEAVER__SOURCES__WORK_DAY__AUTH_FAILURE_STATUS", "503"),
            ("LEAVER__SOURCES__WORK_DAY__STRICT", "false"),
            ("LEAVER__SOURCES__WORK_DAY__SINCE", "2026-02-03"),
            ("LEAVER__SOURCES__WORK_DAY__RATIO", "0.25"),
            ("LEAVER__SOURCES__WORK_DAY__LABEL", "7"),
            ("LEAVER__SOURCES__WORK_DAY__AUTH__MAX_AGE", "10m"),
            ("LEAVER__SOURCES__WORK_DAY__AUTH__NUMBER", "7"),
            ("LEAVER__SOURCES__WORK_DAY__SECRETS__0", "9999999999999999999"),
        ],
    );
    let expected = "secrets = [\"9999999999999999999\"]\nauth_failure_status = 503\nstrict = false\n\
                    since = 2026-02-03\nratio = 0.25\nlabel = \"7\"\nauth = { max_age = \"10m\", number = 7 }";
    assert_eq!(config.sources["work-day"], expected.parse::<Table>().unwrap());
}
