//! The `leaver` service of the demo: its configuration, its two processes, and what its API says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use leaver_simulator::{Simulator, presets};
use serde::Deserialize;

use crate::child::Child;
use crate::mode::Mode;
use crate::webhook::SOURCE;

/// How long the service may take until it takes deliveries: it makes its schema first.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);

/// How long one answer of the API may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where everything stands that the processes need, and what nobody may read in their logs.
pub(crate) struct Setup {
    program: PathBuf,
    folder: PathBuf,
    config: PathBuf,
    /// The key that the HRIS signs with.
    pub(crate) hris_secret: String,
    operator_token: String,
    secrets: Vec<String>,
}

impl Setup {
    /// Writes the configuration.
    pub(crate) fn write(
        program: PathBuf,
        folder: &Path,
        database_url: &str,
        simulator: &Simulator,
        mode: Mode,
    ) -> anyhow::Result<Self> {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let (hris_secret, operator_token) = (random(), random());
        let config = folder.join("leaver.toml");
        let text = configuration(database_url, simulator, mode, &hris_secret, &operator_token);
        fs::write(&config, text).with_context(|| format!("can't write {}", config.display()))?;
        let secrets = [&hris_secret, &operator_token, simulator.client_secret(), database_url];
        let secrets = secrets.into_iter().map(str::to_owned).collect();
        Ok(Self { program, folder: folder.to_owned(), config, hris_secret, operator_token, secrets })
    }

    /// Starts a worker; `number` tells its log from those of the others.
    pub(crate) fn start_worker(&self, number: u32) -> anyhow::Result<Child> {
        let log = self.folder.join(format!("worker-{number}.log"));
        Child::start(&self.program, &["worker"], &self.config, &log)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    pub(crate) fn operator_token(&self) -> &str {
        &self.operator_token
    }

    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }
}

/// As `leaver.example.toml` explains it, with waits that fit a demo.
fn configuration(
    database_url: &str,
    simulator: &Simulator,
    mode: Mode,
    hris_secret: &str,
    token: &str,
) -> String {
    let mode = mode.word();
    let (genesys, id, secret) = (simulator.url(), simulator.client_id(), simulator.client_secret());
    let authority = presets::AUTHORITY;
    format!(
        r#"# Written by `cargo demo`; leaver.example.toml explains every setting.
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[database]
url = {database_url:?}

[genesys]
api_url = "{genesys}"
login_url = "{genesys}"
client_id = "{id}"
client_secret = "{secret}"
external_id_authority = "{authority}"
requests_per_minute = 3000

[sources.{SOURCE}]
profile = "generic-worker-terminated"
secrets = ["{hris_secret}"]

[policy]
mode = "{mode}"
not_found_recheck = "2s"
busy_recheck = "1s"

[worker]
lease = "2s"
poll = "200ms"

[[operators]]
name = "demo"
role = "approver"
token = "{token}"
"#
    )
}

/// A running `leaver serve --no-worker`.
pub(crate) struct Service {
    /// Where the HRIS delivers.
    pub(crate) public: String,
    /// Where the operator API, the metrics and the console are.
    pub(crate) admin: String,
    token: String,
    client: reqwest::Client,
}

impl Service {
    /// Starts the process and waits until it takes deliveries. The process is put into `slot` first, so that it is ended
    /// also where the waiting is given up.
    pub(crate) async fn start(setup: &Setup, slot: &mut Option<Child>) -> anyhow::Result<Self> {
        let log = setup.folder.join("serve.log");
        let child = Child::start(&setup.program, &["serve", "--no-worker"], &setup.config, &log)?;
        let child = slot.insert(child);
        let line = tokio::time::timeout(READY_LIMIT, child.next_line()).await.ok().flatten();
        let line = line.context("leaver serve did not say where it listens")?;
        let mut addresses = line.split_whitespace().filter(|word| word.starts_with("http://"));
        let (Some(public), Some(admin)) = (addresses.next(), addresses.next()) else {
            bail!("leaver serve said {line:?} and not where it listens");
        };
        let service = Self {
            public: public.to_owned(),
            admin: admin.to_owned(),
            token: setup.operator_token.clone(),
            client: reqwest::Client::builder().no_proxy().timeout(ANSWER_LIMIT).build()?,
        };
        service.until_ready(child).await?;
        Ok(service)
    }

    async fn until_ready(&self, child: &mut Child) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        let url = format!("{}/readyz", self.public);
        while Instant::now() < deadline && child.is_running() {
            if self.client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            tokio::time::sleep(READY_POLL).await;
        }
        bail!("leaver serve did not become ready")
    }

    /// Asks the operator API for one offboarding.
    pub(crate) async fn offboarding(&self, id: &str) -> anyhow::Result<Offboarding> {
        let url = format!("{}/api/v1/offboardings/{id}", self.admin);
        let request = self.client.get(url).bearer_auth(&self.token);
        let answer = request.send().await.context("the operator API does not answer")?;
        let answer = answer.error_for_status().context("the operator API refuses an answer")?;
        answer.json().await.context("the operator API answers something else")
    }

    /// Asks, as an operator, for everything to be put back; gives the status of the answer.
    pub(crate) async fn ask_for_a_restore(&self, id: &str) -> anyhow::Result<u16> {
        Ok(self.post_restore(id).await?.status().as_u16())
    }

    async fn post_restore(&self, id: &str) -> anyhow::Result<reqwest::Response> {
        let url = format!("{}/api/v1/offboardings/{id}/restore", self.admin);
        let request = self.client.post(url).bearer_auth(&self.token);
        request.send().await.context("the operator API does not answer")
    }

    /// Has everything put back, as an operator.
    pub(crate) async fn restore(&self, id: &str) -> anyhow::Result<Offboarding> {
        let answer = self.post_restore(id).await?;
        let answer = answer.error_for_status().context("the operator API refuses the restore")?;
        answer.json().await.context("the operator API answers something else")
    }

    /// Whether there is a page at the admin listener's root.
    pub(crate) async fn has_console(&self) -> bool {
        self.client.get(&self.admin).send().await.is_ok_and(|answer| answer.status() != 404)
    }
}

/// What the demo reads of an offboarding.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Offboarding {
    pub(crate) status: String,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) goal: String,
    steps: Vec<Step>,
    journal: Vec<Entry>,
}

/// One step of the plan.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    name: String,
    status: String,
}

/// One line of the evidence.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    actor: String,
    step: Option<String>,
    target: Option<String>,
    result: Option<String>,
}

impl Offboarding {
    /// Status, and outcome or reason, as `done offboarded`.
    pub(crate) fn words(&self) -> String {
        let more = self.outcome.as_deref().or(self.reason.as_deref());
        more.map_or_else(|| self.status.clone(), |more| format!("{} {more}", self.status))
    }

    /// Whether nothing will happen any more without a person.
    pub(crate) fn has_ended(&self) -> bool {
        self.status != "scheduled"
    }

    /// How many of a step's assignments are known to be gone, of `held`.
    pub(crate) fn removed(&self, step: &str, held: usize) -> usize {
        // A call whose answer was lost shows only here: the step was read back as empty.
        if self.steps.iter().any(|known| known.name == step && known.status == "done") {
            return held;
        }
        let of_step = self.journal.iter().filter(|entry| entry.step.as_deref() == Some(step));
        let gone =
            of_step.filter(|entry| matches!(entry.result.as_deref(), Some("removed" | "already_gone")));
        // One call may remove several.
        let targets =
            gone.filter_map(|entry| entry.target.as_deref()).flat_map(|targets| targets.split(", "));
        targets.collect::<BTreeSet<_>>().len().min(held)
    }

    /// How many things have been put back, once or in two calls.
    pub(crate) fn put_back(&self) -> usize {
        let back = self.journal.iter().filter(|entry| entry.result.as_deref() == Some("put_back"));
        let things = back.filter_map(|entry| Some((entry.step.as_deref()?, entry.target.as_deref()?)));
        let things = things.flat_map(|(step, targets)| targets.split(", ").map(move |target| (step, target)));
        things.collect::<BTreeSet<_>>().len()
    }

    /// How many worker processes have worked on it.
    pub(crate) fn workers(&self) -> usize {
        let workers = self.journal.iter().map(|entry| entry.actor.as_str());
        workers.filter(|actor| actor.starts_with("worker:")).collect::<BTreeSet<_>>().len()
    }
}
