//! The console in a headless Chromium: somebody signs in, finds a held offboarding, approves it, watches it being carried out,
//! has it put back, and signs out. The script stands in `tests/browser`; this test brings what it needs: node's packages into
//! `target/tools/browser`, and Chromium from the machine's own packages where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use leaver_simulator::presets;
use serde_json::json;

use super::{WITH_VERA, held};
use crate::support::{BOB, World};

/// How long the whole script may take on a busy machine.
const SCRIPT_LIMIT: Duration = Duration::from_secs(540);

/// How long a changing call takes, so that there is something to watch.
const CALL_TAKES: Duration = Duration::from_millis(120);

/// Others who want to be told, and do not answer.
const TARGETS: &str = "[[callbacks]]\nname = \"hr-portal\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"secret-of-the-portal-0123456789\"\n\
     [[callbacks]]\nname = \"it-desk\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"secret-of-the-desk-0123456789\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_watches_restores_and_signs_out_by_keyboard_on_any_screen() {
    let tools = Tools::ready();
    let world = World::new().await;
    world.simulator.organisation(|org| {
        presets::fully_assigned_agent(org, "Jane Doe", "jane.doe@example.com", "E1001");
    });
    // The network of a real cloud.
    world.simulator.on_request(take_time);
    let more = format!("{WITH_VERA}[worker]\npoll = \"200ms\"\nretry_base = \"200ms\"\n{TARGETS}");
    let service = world.serve(&more, &["serve"]);
    furnish(&world).await;
    let jane = held(&service, "E1001", "jane.doe@example.com").await;
    let order = json!({
        "admin": service.admin, "token": BOB, "held": jane, "person": "jane.doe@example.com",
        "screenshots": Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots"),
        "chromium": tools.chromium,
    });
    let (succeeded, said) = tools.run(&order.to_string()).await;
    assert!(succeeded, "{said}");
    assert_eq!(
        world
            .number("select count(*) from offboardings where outcome = 'restored' and email like 'jane.doe%'")
            .await,
        1
    );
    assert_eq!(world.number("select count(*) from sessions").await, 0, "signed out");
}

/// A changing call takes its time.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator calls its hook on a thread that answers this request alone"
)]
fn take_time(request: &leaver_simulator::RequestInfo) {
    if request.operation.is_some_and(|name| !name.starts_with("get") && !name.contains("Search")) {
        std::thread::sleep(CALL_TAKES);
    }
}

/// A fortnight of a company, so that the pages have something to show.
async fn furnish(world: &World) {
    world
        .sql(
            "insert into offboardings (id, status, outcome, reason, source, email, email_key, external_id, effective_at,
                 available_at, created_at, updated_at, completed_at)
             select gen_random_uuid(), s.status, s.outcome, s.reason, 'workday', 'person' || n || '@example.com',
                 'person' || n || '@example.com', 'E2' || lpad(n::text, 3, '0'), now() - n * interval '7 hours' + s.later,
                 now() + interval '20 days', now() - n * interval '7 hours', now() - n * interval '7 hours',
                 case when s.status in ('done', 'cancelled') then now() - n * interval '7 hours' end
             from generate_series(1, 46) as n cross join lateral (
                 select * from (values
                     (0, 'done', 'offboarded', null, interval '0'), (1, 'done', 'offboarded', null, interval '0'),
                     (2, 'done', 'offboarded', null, interval '0'), (3, 'done', 'not_in_genesys', null, interval '0'),
                     (4, 'scheduled', null, null, interval '30 days'), (5, 'held', null, 'brake', interval '0'),
                     (6, 'done', 'already_inactive', null, interval '0'), (7, 'done', 'offboarded', null, interval '0'),
                     (8, 'held', null, 'protected', interval '0'), (9, 'failed', null, 'attempts_exhausted', interval '0'),
                     (10, 'cancelled', null, 'rescinded', interval '0'), (11, 'held', null, 'brake', interval '0'))
                     as kinds (kind, status, outcome, reason, later) where kind = n % 12) s",
        )
        .await;
    furnish_others(world).await;
    world
        .sql(
            "insert into events (id, source, event_id, received_at, key_index, body, content_digest, disposition, email,
                 said, effective_at)
             select gen_random_uuid(), 'workday', 'WD-' || n, now() - n * interval '5 hours', 0, '{}'::bytea, ''::bytea, 'accepted',
                 'person' || n || '@example.com', 'leaves', now() - n * interval '5 hours' from generate_series(1, 62) as n",
        )
        .await;
}

/// What others were told, and layoffs of every kind.
async fn furnish_others(world: &World) {
    world
        .sql(
            "insert into callbacks (target, offboarding_id, event, status, offboarding_status, outcome, reason, goal,
                 effective_at, occurred_at, attempts, last_result, delivered_at, ended_at, next_attempt_at)
             select case when n % 4 = 2 then 'it-desk' else 'hr-portal' end, o.id, 'offboarding.' || o.status, k.status, o.status,
                 o.outcome, o.reason, 'offboarded', now(), o.updated_at, k.attempts, k.result,
                 case when k.status = 'delivered' then o.updated_at + interval '2 seconds' end,
                 case when k.status <> 'waiting' then o.updated_at + interval '2 seconds' end, now() + interval '1 day'
             from (select *, row_number() over (order by updated_at) as n from offboardings
                   where status in ('done', 'held', 'failed')) o
             join (values (0, 'delivered', 1, 'answered 204'), (1, 'delivered', 1, 'answered 200'),
                 (2, 'waiting', 4, 'did not answer within 10 s'), (3, 'gave_up', 12, 'answered 410, which means: never again'))
                 as k (kind, status, attempts, result) on k.kind = n % 4 order by o.updated_at",
        )
        .await;
    world
        .sql(
            "insert into layoffs (id, requested_by, why, starts_at, ends_at, count_max, list_digest, list_size, created_at,
                 approved_by, approved_at, cancelled_by, cancelled_at)
             select gen_random_uuid(), k.by, k.why, now() + k.begins, now() + k.begins + interval '2 days', k.most,
                 sha256(k.why::bytea), k.most + 4, now() - interval '9 days',
                 case when k.approved then 'operator:carol' end, case when k.approved then now() - interval '8 days' end,
                 case when k.cancelled then 'operator:carol' end, case when k.cancelled then now() - interval '7 days' end
             from (values ('operator:alice', 'Closing of the contact centre in Ulm', interval '3 hours', 120, false, false),
                 ('operator:bob', 'Seasonal contracts end', interval '5 days', 38, false, false),
                 ('operator:alice', 'Outsourcing of the night shift', interval '-6 hours', 24, true, false),
                 ('operator:alice', 'Merger, first wave', interval '-8 days', 60, true, false),
                 ('operator:bob', 'Merger, second wave', interval '-3 hours', 75, true, true))
                 as k (by, why, begins, most, approved, cancelled)",
        )
        .await;
}

/// What the script is run with.
struct Tools {
    node: PathBuf,
    chromium: PathBuf,
    folder: PathBuf,
}

impl Tools {
    fn ready() -> Self {
        let node = program("", &["node"], "nodejs npm");
        let chromium = program(
            "LEAVER_CHROMIUM",
            &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
            "chromium",
        );
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("target/tools/browser");
        fs::create_dir_all(&folder).expect("a folder for the tools");
        let lock = fs::read_to_string(root.join("tests/browser/package-lock.json")).expect("the lock file");
        let installed = folder.join("installed");
        if fs::read_to_string(&installed).ok().as_deref() != Some(lock.as_str()) {
            for name in ["package.json", "package-lock.json"] {
                fs::copy(root.join("tests/browser").join(name), folder.join(name)).expect("a copy");
            }
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            let npm = Command::new("npm").args(arguments).current_dir(&folder).output().expect("npm");
            let said = String::from_utf8_lossy(&npm.stderr);
            assert!(npm.status.success(), "npm ci in {} failed: {said}", folder.display());
            fs::write(&installed, lock).expect("a note of what is installed");
        }
        fs::copy(root.join("tests/browser/console.mjs"), folder.join("console.mjs")).expect("a copy");
        Self { node, chromium, folder }
    }

    /// Runs the script; gives whether it succeeded, and what it said.
    async fn run(&self, order: &str) -> (bool, String) {
        let said = self.folder.join("said.log");
        let log = fs::File::create(&said).expect("a log");
        let mut child = tokio::process::Command::new(&self.node)
            .args(["console.mjs", order])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("node");
        let ended = tokio::time::timeout(SCRIPT_LIMIT, child.wait()).await;
        let succeeded = ended.is_ok_and(|status| status.expect("a status").success());
        (succeeded, fs::read_to_string(said).unwrap_or_default())
    }
}

/// A program by the variable that names it, or on the path, or from Debian's packages where root may install them.
fn program(variable: &str, names: &[&str], packages: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable).filter(|_| !variable.is_empty()) {
        return named.into();
    }
    if let Some(found) = on_path(names) {
        return found;
    }
    let _ = Command::new("sh")
        .args(["-c", &format!("apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends {packages}")])
        .stdin(Stdio::null())
        .output();
    let hint = if variable.is_empty() { String::new() } else { format!(", or name one in {variable}") };
    on_path(names).unwrap_or_else(|| {
        panic!(
            "the console is tried in a browser, and {} is not installed: apt-get install {packages}{hint}",
            names[0]
        )
    })
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    })
}
