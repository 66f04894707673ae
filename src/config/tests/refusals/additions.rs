//! Mistakes in the sections that a file may leave out, with the exact line that each gets.

/// What is appended to the minimal file, and the line that it is refused with.
pub(super) const ADDITIONS: &[(&str, &str)] = &[
    ("[worker]\nleese = \"30s\"", "worker.leese: unknown key (did you mean lease?)"),
    ("[wroker]\nlease = \"30s\"", "wroker: unknown key (did you mean worker?)"),
    (
        "[console]\nurl = \"http://leaver.example.com\"",
        "console.url: expected an https:// address (plain http:// is for loopback alone)",
    ),
    ("[console]\nurl = \"https://example.com/leaver\"", "console.url: expected an address without a path"),
    (
        "[console]\nsession_idle = \"1s\"",
        "console.session_idle: expected a duration from 1m to 1d, found \"1s\"",
    ),
    ("[console]\nsession_idle = \"9h\"", "console.session_max: is shorter than console.session_idle"),
    ("[oidc]\nclient_id = \"leaver\"", "oidc.issuer: is missing"),
    (
        "[oidc]\nissuer = \"http://login.example.com\"",
        "oidc.issuer: expected an https:// address (plain http:// is for loopback alone) without a query",
    ),
    (
        "[oidc]\nissuer = \"https://login.example.com?a=b\"",
        "oidc.issuer: expected an https:// address (plain http:// is for loopback alone) without a query",
    ),
    ("[oidc]\nissuer = \"https://login.example.com\"", "oidc.client_id: is missing"),
    (
        "[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nviewer = [\"v\"]",
        "console.url: is missing",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n",
        "oidc.roles: names no value, so nobody could sign in",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nviewer = []",
        "oidc.roles: names no value, so nobody could sign in",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nchief = [\"x\"]",
        "oidc.roles.chief: unknown key",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nviewer = [\"x\"]\napprover = [\"x\"]",
        "oidc.roles.approver[0]: gives the role viewer already",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nclient_secret = \"hushhush\"\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.client_secret: has 8 bytes, but a secret needs at least 16",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nscopes = [\"profile\"]\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.scopes: lacks openid, without which nobody's name comes back",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nscopes = [\"openid profile\"]\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.scopes[0]: expected a scope of visible ASCII characters without quotes, found \"openid profile\"",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nrole_claim = \"a..b\"\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.role_claim: expected a claim such as roles, realm_access.roles or /resource/roles, found \"a..b\"",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nname_claim = \"/\"\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.name_claim: expected a claim such as roles, realm_access.roles or /resource/roles, found \"/\"",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\nlabel = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n[oidc.roles]\nviewer = [\"v\"]",
        "oidc.label: expected at most 64 characters, found \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\"",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nviewer = [\"v\"]\n[oidc.operators]\nalice = \"a\"",
        "oidc.operators.alice: is no name of [[operators]]",
    ),
    (
        "[console]\nurl = \"https://leaver.example.com\"\n[oidc]\nissuer = \"https://login.example.com\"\nclient_id = \"leaver\"\n[oidc.roles]\nviewer = [\"v\"]\n[oidc.operators]\nalice = \"jane\"\nbob = \"JANE\"\n[[operators]]\nname = \"alice\"\nrole = \"viewer\"\ntoken = \"hushhush-alice-0123\"\n[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"hushhush-bob-012345\"",
        "oidc.operators.bob: is the same person as another operator",
    ),
    ("[telemetry]\nlevel = 1", "telemetry.level: unknown key"),
    (
        "[audit]\ncheckpoint_key = \"hushhush\"",
        "audit.checkpoint_key: expected an ed25519 seed of 32 bytes in hexadecimal or base64 (`leaver audit key --new` makes one)",
    ),
    ("[audit]\ncheckpoint_key = \"\"", "audit.checkpoint_key: is empty"),
    (
        "[audit]\ncheckpoint_file = \"/var/lib/checkpoints\"",
        "audit.checkpoint_file: needs audit.checkpoint_key, which signs what stands there",
    ),
    (
        "[audit]\ncheckpoint_file = \"checkpoints\"",
        "audit.checkpoint_file: expected an absolute path, found \"checkpoints\"",
    ),
    (
        "[audit]\ncheckpoint_every = \"10ms\"",
        "audit.checkpoint_every: expected a duration from 1s to 1d, found \"10ms\"",
    ),
    ("[policy]\n\"a\\nb\" = 1", "policy.\"a\\nb\": unknown key"),
    ("[policy]\norder = \"x\"", "policy.order: expected strip_first or access_first, found \"x\""),
    (
        "[policy]\norder = \"env:GENESYS_CLIENT_SECRET\"",
        "policy.order: expected strip_first or access_first, found the value of env:GENESYS_CLIENT_SECRET",
    ),
    ("[policy]\norder = 1", "policy.order: expected strip_first or access_first, found a whole number"),
    ("[policy]\non_queue = \"stay\"", "policy.on_queue: expected go or wait, found \"stay\""),
    ("[policy]\noff_queue = \"remove\"", "policy.off_queue: expected leave or unjoin, found \"remove\""),
    ("[policy]\nshift_end = \"now\"", "policy.shift_end: expected ignore or wait, found \"now\""),
    ("[policy]\nwhen_busy = \"later\"", "policy.when_busy: expected wait, ask or now, found \"later\""),
    ("[policy]\nperson_not_found = \"\"", "policy.person_not_found: is empty"),
    (
        "[policy]\nperson_not_found = \"fail\"",
        "policy.person_not_found: expected done or hold, found \"fail\"",
    ),
    (
        "[policy]\ntime_zone = \"Berlin\"",
        "policy.time_zone: expected a time zone such as UTC or Europe/Berlin, found \"Berlin\"",
    ),
    (
        "[policy]\neffective_at = \"noon\"",
        "policy.effective_at: expected start_of_day, end_of_day or a time such as 17:00, found \"noon\"",
    ),
    (
        "[policy]\neffective_at = 17:00:00",
        "policy.effective_at: expected start_of_day, end_of_day or a time such as 17:00, found a date or a time without quotes",
    ),
    (
        "[policy]\nprotected = \"a@b.c\"",
        "policy.protected: expected a list of strings or file:/path, found another string",
    ),
    (
        "[policy]\nprotected = [\"a@b.c\", \"alice\"]",
        "policy.protected[1]: expected an e-mail address, id:ID, role:NAME, division:NAME or group:NAME, found \"alice\"",
    ),
    ("[policy]\nimmediate_types = [1]", "policy.immediate_types[0]: expected a string, found a whole number"),
    ("[policy]\nverify_reads = 0", "policy.verify_reads: expected a whole number from 1 to 10, found 0"),
    ("[policy]\nverify_reads = 11", "policy.verify_reads: expected a whole number from 1 to 10, found 11"),
    (
        "[policy]\nattempts_max = 1001",
        "policy.attempts_max: expected a whole number from 1 to 1000, found 1001",
    ),
    (
        "[policy]\nattempts_max = \"12\"",
        "policy.attempts_max: expected a whole number from 1 to 1000, found a string",
    ),
    (
        "[policy]\nchanges_per_hour_max = -1",
        "policy.changes_per_hour_max: expected a whole number from 0 to 100000, found -1",
    ),
    (
        "[policy]\nchanges_per_day_max = 2.5",
        "policy.changes_per_day_max: expected a whole number from 0 to 100000, found a number with a fraction",
    ),
    (
        "[policy]\nbusy_recheck = \"60\"",
        "policy.busy_recheck: expected a duration such as 250ms, 30s, 5m, 4h or 2d, found \"60\"",
    ),
    (
        "[policy]\nbusy_wait_max = \"8d\"",
        "policy.busy_wait_max: expected a duration from 0s to 7d, found \"8d\"",
    ),
    (
        "[policy]\nnot_found_recheck = \"0s\"",
        "policy.not_found_recheck: expected a duration from 100ms to 1d, found \"0s\"",
    ),
    (
        "[policy.order_by_type]\ninvoluntary = \"first\"",
        "policy.order_by_type.involuntary: expected strip_first or access_first, found \"first\"",
    ),
    (
        "[policy]\norder_by_type = \"access_first\"",
        "policy.order_by_type: expected a section [policy.order_by_type], found a string",
    ),
    ("[plan]\nstep = 1", "plan.step: unknown key (did you mean steps?)"),
    ("[plan.steps]\nstation = \"off\"", "plan.steps.station: unknown key (did you mean stations?)"),
    ("[plan.steps]\nstations = \"no\"", "plan.steps.stations: expected on or off, found \"no\""),
    ("[plan.steps]\nstations = false", "plan.steps.stations: expected on or off, found true or false"),
    ("[plan]\nsteps = [\"stations\"]", "plan.steps: expected a section [steps], found a list"),
    (
        "[plan.reports]\nvoicemails = \"note\"",
        "plan.reports.voicemails: unknown key (did you mean voicemail?)",
    ),
    (
        "[plan.reports]\nvoicemail = \"on\"",
        "plan.reports.voicemail: expected off, note or hold, found \"on\"",
    ),
    (
        "[plan.state_reasons]\nvoluntary = \"voluntary\"",
        "plan.state_reasons.voluntary: expected Voluntary, Seasonal, Leave, Performance, Conduct or Unknown, found \"voluntary\"",
    ),
    (
        "[plan.state_reasons]\nvoluntary = 1",
        "plan.state_reasons.voluntary: expected a string, found a whole number",
    ),
    ("[plan]\nring_numbers = \"kept\"", "plan.ring_numbers: expected stored or left_out, found \"kept\""),
    ("[plan]\ninherited_access = true", "plan.inherited_access: expected hold or pass, found true or false"),
    (
        "[plan]\ncallbacks = \"queue:\"",
        "plan.callbacks: expected report, hold, queue:ID or user:ID, found \"queue:\"",
    ),
    ("[plan]\nremovable_groups = \"*\"", "plan.removable_groups: expected a list of strings, found a string"),
    (
        "[telemetry]\notlp_endpoint = \"http://collector.example:4318\"",
        "telemetry.otlp_endpoint: expected an https:// address (plain http:// is for loopback alone)",
    ),
    (
        "[telemetry]\notlp_endpoint = \"https://collector.example/?key=1\"",
        "telemetry.otlp_endpoint: expected an address without a query",
    ),
    ("[telemetry]\nsample_ratio = 1.5", "telemetry.sample_ratio: expected a number from 0 to 1, found 1.5"),
    ("[telemetry]\nsample_ratio = 2", "telemetry.sample_ratio: expected a number from 0 to 1, found 2"),
    ("[telemetry]\nsample_ratio = nan", "telemetry.sample_ratio: expected a number from 0 to 1, found NaN"),
    (
        "[telemetry]\nsample_ratio = \"all\"",
        "telemetry.sample_ratio: expected a number from 0 to 1, found a string",
    ),
    ("[telemetry]\nservice_name = \"\"", "telemetry.service_name: is empty"),
    ("[telemetry]\nendpoint = \"x\"", "telemetry.endpoint: unknown key"),
    ("[worker]\nlease = \"100ms\"", "worker.lease: expected a duration from 250ms to 10m, found \"100ms\""),
    (
        "[worker]\nlease = 30",
        "worker.lease: expected a duration such as 250ms, 30s, 5m, 4h or 2d, found a whole number",
    ),
    ("[worker]\nconcurrency = 65", "worker.concurrency: expected a whole number from 1 to 64, found 65"),
    ("[worker]\npoll = \"2m\"", "worker.poll: expected a duration from 10ms to 1m, found \"2m\""),
    ("[worker]\nretry_base = \"1h\"", "worker.retry_max: 15m is shorter than worker.retry_base, 1h"),
    (
        "[server]\nlisten = \"localhost\"",
        "server.listen: expected an IP address and a port such as 127.0.0.1:8080, found \"localhost\"",
    ),
    ("[server]\nadmin_listen = \"127.0.0.1:8080\"", "server.admin_listen: is the same as server.listen"),
    (
        "[server]\nbody_limit = 512",
        "server.body_limit: expected a whole number from 1024 to 1048576, found 512",
    ),
    (
        "[server]\nbody_limit = true",
        "server.body_limit: expected a whole number from 1024 to 1048576, found true or false",
    ),
    ("[[server]]\nbody_limit = 2048", "server: expected a section [server], found a list"),
    (
        "[sources.acme]\nprofile = \"generic-worker-terminated\"",
        "sources.acme.secrets: is missing (a source without authentication is refused)",
    ),
    (
        "[sources.acme]\nsecrets = []",
        "sources.acme.secrets: is empty (a source without authentication is refused)",
    ),
    (
        "[sources.acme]\nsecrets = \"hushhush-acme-secret\"",
        "sources.acme.secrets: expected a list of strings, found a string",
    ),
    ("[sources.acme]\nsecrets = [\"\"]", "sources.acme.secrets[0]: is empty"),
    (
        "[sources.acme]\nsecrets = [\"env:WORKDAY_SECRET\", \"hushhush-short\"]",
        "sources.acme.secrets[1]: has 14 bytes, but a secret needs at least 16",
    ),
    (
        "[sources.acme]\nsecrets = [\"env:ACME_SECRET\"]",
        "sources.acme.secrets[0]: environment variable ACME_SECRET is not set",
    ),
    (
        "[sources.acme]\nauth = { secrets = [\"hushhush\"] }",
        "sources.acme.auth.secrets[0]: has 8 bytes, but a secret needs at least 16",
    ),
    (
        "[sources.acme]\nsecrets = [\"env:WORKDAY_SECRET\"]\nauth = { kind = \"none\" }",
        "sources.acme.auth.kind: is none (a source without authentication is refused)",
    ),
    (
        "[sources.acme]\nsecrets = [\"env:WORKDAY_SECRET\"]\nmap = { email = [\"env:NOWHERE\"] }",
        "sources.acme.map.email[0]: environment variable NOWHERE is not set",
    ),
    (
        "[sources.Acme]\nsecrets = [\"env:WORKDAY_SECRET\"]\n",
        "sources.Acme: expected a name of lower-case letters, digits and dashes, at most 63, no dash first",
    ),
    ("[sources]\nacme = \"x\"", "sources.acme: expected a section [sources.acme], found a string"),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"hushhush-bob-token\"\n[[operators]]\nname = \"Bob\"\nrole = \"viewer\"\ntoken = \"hushhush-eve-token\"\n",
        "operators[1].name: is the same as operators[0].name",
    ),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"hushhush-bob-token\"\n[[operators]]\nname = \"eve\"\nrole = \"viewer\"\ntoken = \"hushhush-bob-token\"\n",
        "operators[1].token: is the same as operators[0].token",
    ),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"admin\"\ntoken = \"hushhush-bob-token\"\n",
        "operators[0].role: expected viewer, operator or approver, found \"admin\"",
    ),
    (
        "[[operators]]\nname = \"bob smith\"\nrole = \"viewer\"\ntoken = \"hushhush-bob-token\"\n",
        "operators[0].name: expected at most 64 letters, digits and . _ - @, found \"bob smith\"",
    ),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"hushhush\"\n",
        "operators[0].token: has 8 bytes, but a secret needs at least 16",
    ),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"hushhush bob token\"\n",
        "operators[0].token: has characters that no bearer token can have",
    ),
    (
        "[[operators]]\nname = \"bob\"\nrole = \"viewer\"\ntoken = \"file:hushhush\"\n",
        "operators[0].token: expected file:/path with an absolute path",
    ),
    ("[[operators]]\nname = \"bob\"\nrole = \"viewer\"\n", "operators[0].token: is missing"),
    ("[operators]\nname = \"bob\"", "operators: expected a list of sections [[operators]], found a table"),
    (
        "[[callbacks]]\nurl = \"http://x.example\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[0].url: expected an https:// address (plain http:// is for loopback alone)",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"whsec_aHVzaGh1c2g=\"\n",
        "callbacks[0].secret: has 8 bytes, but a secret needs at least 16",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"whsec_hushhush-hushhush\"\n",
        "callbacks[0].secret: expected base64 after whsec_",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\nevents = [\"done\"]",
        "callbacks[0].events[0]: expected offboarding.done, offboarding.held or offboarding.failed, found \"done\"",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\nevents = [\"offboarding.done\", \"offboarding.done\"]",
        "callbacks[0].events[1]: offboarding.done is in the list twice",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\nevents = []",
        "callbacks[0].events: is empty, so nobody would be told",
    ),
    ("[[callbacks]]\nurl = \"https://x.example\"\n", "callbacks[0].secret: is missing"),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\nsecrets = [\"hushhush-callback-secret\"]",
        "callbacks[0].secrets: give either secret or secrets",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecrets = [\"hushhush-callback-secret\", \"hushhush\"]",
        "callbacks[0].secrets[1]: has 8 bytes, but a secret needs at least 16",
    ),
    ("[[callbacks]]\nurl = \"https://x.example\"\nsecrets = []", "callbacks[0].secrets: is empty"),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nname = \"x.example\"\nsecret = \"hushhush-callback-secret\"\n[[callbacks]]\nurl = \"https://x.example/b\"\nname = \"x.example\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[1].name: \"x.example\" is another one's name already: give each its own",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nname = \"a b\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[0].name: expected at most 64 letters, digits, dots, dashes and underscores",
    ),
    (
        "[[callbacks]]\nurl = \"https://{source}.example/\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[0].url: a place may stand behind the host only",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example{id}\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[0].url: a place may stand behind the host only",
    ),
    (
        "[[callbacks]]\nurl = \"http://x.example/{id}\"\nsecret = \"hushhush-callback-secret\"\n",
        "callbacks[0].url: expected an https:// address (plain http:// is for loopback alone)",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\ntemplate = \"slack\"\nbody = \"{}\"",
        "callbacks[0].body: give either template or body",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nbody = \"{}\"\nheaders = { Webhook-Id = \"hushhush\" }",
        "callbacks[0].headers.Webhook-Id: is set by Leaver itself",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nbody = \"{}\"\nheaders = { X-Key = \"hush\\u0007hush\" }",
        "callbacks[0].headers.X-Key: expected visible ASCII characters",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nbody = \"{}\"\nmethod = \"DELETE\"",
        "callbacks[0].method: expected POST or PUT, found \"DELETE\"",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nbody = \"{}\"\nperson = \"all\"",
        "callbacks[0].person: expected full, ids or none, found \"all\"",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\ncontent_type = \"text/xml\"",
        "callbacks[0].content_type: is for a body of your own: give body too",
    ),
    (
        "[[callbacks]]\nurl = \"https://x.example\"\nsecret = \"hushhush-callback-secret\"\nwith = { a = \"hushhush\" }",
        "callbacks[0].with: is for a template or a body of your own",
    ),
    ("[worker]\nlease = \"30s\n", "configuration file, line 9: invalid basic string, expected `\"`"),
    ("[worker]\nlease = \"1s\"\nlease = \"2s\"", "configuration file, line 10: duplicate key"),
];
