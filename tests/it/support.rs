//! What the tests share: a database each, a simulated Genesys Cloud, engines that are stepped, and `leaver` processes.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use leaver::genesys::{self, Genesys};
use leaver::offboarding::choices::{Mode, OffQueue, OnQueue, Order, PersonNotFound, ShiftEnd, WhenBusy};
use leaver::offboarding::policy::{BusyPolicy, Intake};
use leaver::offboarding::{OffboardingId, PersonRef, Zone};
use leaver::operate;
use leaver::pacing::SharedPacer;
use leaver::store::Store;
use leaver::store::events::{Accepted, Delivery, Item};
use leaver::store::progress::BrakeLimits;
use leaver::store::views::View;
use leaver::worker::{Engine, Settings};
use leaver_simulator::postgres::{Database, Server};
use leaver_simulator::{Control, Options, Simulator};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::chain::WholeAtTheEnd;

/// The secret of the source `workday` in every test.
pub(crate) const HRIS_SECRET: &str = "a-secret-of-the-hris-0123456789";

/// The token of the operator `alice`, and of the approver `bob`.
pub(crate) const ALICE: &str = "alice-token-0123456789";
pub(crate) const BOB: &str = "bob-token-0123456789";

/// A database of its own and a simulated Genesys Cloud of its own.
pub(crate) struct World {
    /// First, because it looks into the database.
    pub(crate) chain: WholeAtTheEnd,
    pub(crate) simulator: Simulator,
    pub(crate) store: Store,
    pub(crate) database: Database,
    pub(crate) folder: tempfile::TempDir,
    _definition: Definition,
}

/// The published definition of Genesys Cloud, to which every request of every test has to keep.
struct Definition(Control);

impl Drop for Definition {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.violations(), Vec::<String>::new());
        }
    }
}

impl World {
    /// With a simulator whose rate limit no test reaches.
    pub(crate) async fn new() -> Self {
        Self::with(Options::roomy()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = Server::shared_for_tests().await.expect("a Postgres server");
        let database = server.create_from_template(template(server).await, "test").await.expect("a database");
        let simulator = Simulator::start(options).expect("a simulator");
        Self {
            chain: WholeAtTheEnd::of(database.url()),
            _definition: Definition(simulator.control()),
            simulator,
            store: Store::open(database.url()).expect("a usable URL"),
            database,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Settings under which nothing waits for long; a test changes what it is about.
    pub(crate) fn settings() -> Settings {
        Settings {
            mode: Mode::Live,
            concurrency: 4,
            lease: Duration::from_secs(10),
            poll: Duration::from_millis(50),
            retry_base: Duration::from_millis(20),
            retry_max: Duration::from_millis(200),
            attempts_max: 12,
            verify_reads: 2,
            order: Order::StripFirst,
            order_by_type: std::collections::BTreeMap::new(),
            plan: leaver::plan::Plan::new(leaver::plan::Choices::default()),
            busy: BusyPolicy {
                when_busy: WhenBusy::Wait,
                on_queue: OnQueue::Go,
                off_queue: OffQueue::Leave,
                shift_end: ShiftEnd::Ignore,
                shift_grace: Duration::from_secs(1_800),
                recheck: Duration::from_secs(60),
                wait_max: Duration::from_secs(4 * 3600),
            },
            immediate_types: vec!["involuntary".to_owned()],
            not_found: PersonNotFound::Done,
            not_found_recheck: Duration::from_secs(900),
            protected: Vec::new(),
            brake: BrakeLimits { per_hour: 1000, per_day: 1000 },
            administrator_roles: ["Master Admin", "Admin"].map(str::to_owned).to_vec(),
            time_zone: Zone::utc(),
            external_id_authority: None,
            external_id_authority_by_source: std::collections::BTreeMap::new(),
        }
    }

    /// A client of the simulator, paced by this world's database.
    pub(crate) fn genesys(&self, requests_per_minute: u32) -> Genesys {
        let pacer = SharedPacer::new(self.store.clone(), requests_per_minute, CancellationToken::new());
        let url: reqwest::Url = self.simulator.url().parse().expect("a URL");
        let settings = genesys::Settings {
            api_url: url.clone(),
            login_url: url,
            client_id: self.simulator.client_id().to_owned(),
            client_secret: self.simulator.client_secret().into(),
            timeout: Duration::from_secs(2),
            user_agent: "leaver/test".to_owned(),
            waits: genesys::Waits {
                retry_base: Duration::from_millis(5),
                retry_max: Duration::from_millis(50),
                ..genesys::Waits::default()
            },
        };
        Genesys::new(settings, Arc::new(pacer)).expect("usable settings")
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine_with(Self::settings())
    }

    pub(crate) fn engine_with(&self, settings: Settings) -> Engine {
        Engine::new(self.store.clone(), self.genesys(1_000_000), settings)
    }

    /// Stores the termination of a person that is due now.
    pub(crate) async fn terminate(&self, email: &str) -> OffboardingId {
        self.terminate_as(PersonRef { email: Some(email.to_owned()), external_id: None }, None).await
    }

    pub(crate) async fn terminate_as(
        &self,
        person: PersonRef,
        termination_type: Option<&str>,
    ) -> OffboardingId {
        let item = Item {
            event_id: uuid::Uuid::new_v4().to_string(),
            content_digest: [0; 32],
            again_after: None,
            person,
            termination_type: termination_type.map(str::to_owned),
            sequence: None,
            occurred_at: None,
            intake: Intake::Schedule(Utc::now() - chrono::TimeDelta::seconds(1)),
            look_up: false,
            noted: Default::default(),
        };
        let delivery = Delivery {
            source: "workday".to_owned(),
            key_index: 0,
            body: b"{}".to_vec(),
            items: vec![item],
            headers: Default::default(),
            asked: None,
        };
        match self.store.accept_termination(delivery).await.expect("a stored event") {
            Accepted::New(receipt) => receipt.offboardings[0].id,
            other @ (Accepted::Held(_)
            | Accepted::Ignored(_)
            | Accepted::Duplicate(_)
            | Accepted::Conflict) => {
                panic!("not accepted: {other:?}")
            }
        }
    }

    pub(crate) async fn view(&self, id: OffboardingId) -> View {
        operate::show(&self.store, id).await.expect("a view").expect("an offboarding")
    }

    /// Makes whatever waits for its next attempt due now; leases stay.
    pub(crate) async fn make_due(&self) {
        self.sql(
            "update offboardings set available_at = now() where status = 'scheduled' and lease_token is null",
        )
        .await;
    }

    /// Lets all leases run out, as time would.
    pub(crate) async fn expire_leases(&self) {
        self.sql("update offboardings set available_at = now() where lease_token is not null").await;
    }

    /// Moves what was removed back in time, out of the window in which a read may lag.
    pub(crate) async fn forget_lag(&self) {
        self.sql(
            "update assignments set removed_at = removed_at - interval '1 hour',
                restored_at = restored_at - interval '1 hour'",
        )
        .await;
    }

    /// Changes the database behind the service's back.
    pub(crate) async fn sql(&self, statement: &'static str) {
        use sqlx::{Connection, Executor};
        let mut connection = sqlx::PgConnection::connect(self.database.url()).await.expect("a connection");
        connection.execute(statement).await.expect("a statement that works");
    }

    /// Steps the engine, making everything due each time, until the offboarding is no longer scheduled.
    pub(crate) async fn work_to_the_end(&self, engine: &Engine, id: OffboardingId) -> View {
        const STEPS_MAX: usize = 60;
        for _ in 0..STEPS_MAX {
            self.make_due().await;
            engine.step().await.expect("a step");
            let view = self.view(id).await;
            if view.status != leaver::offboarding::Status::Scheduled {
                return view;
            }
        }
        panic!("still scheduled after {STEPS_MAX} steps: {:#?}", self.view(id).await.journal);
    }

    /// The configuration of this world; `more` is TOML that follows it.
    pub(crate) fn config(&self, more: &str) -> PathBuf {
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
stop_delay = "0s"
[database]
url = {url:?}
[sources.workday]
profile = "generic-worker-terminated"
secrets = ["{HRIS_SECRET}"]
[[operators]]
name = "alice"
role = "operator"
token = "{ALICE}"
[[operators]]
name = "bob"
role = "approver"
token = "{BOB}"
[genesys]
api_url = "{genesys}"
login_url = "{genesys}"
client_id = "{id}"
client_secret = "{secret}"
{more}
"#,
            url = self.database.url(),
            genesys = self.simulator.url(),
            id = self.simulator.client_id(),
            secret = self.simulator.client_secret(),
        );
        let path = self.folder.path().join(format!("{}.toml", uuid::Uuid::new_v4()));
        std::fs::write(&path, text).expect("a configuration file");
        path
    }

    /// Starts `leaver serve` (or another command that announces its listeners) and waits for its line.
    pub(crate) fn serve(&self, more: &str, arguments: &[&str]) -> Service {
        Service::start(&self.config(more), arguments)
    }
}

/// The migrated database that every test's is copied from.
async fn template(server: &Server) -> &'static Database {
    static TEMPLATE: OnceCell<Database> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let database = server.create_database("template").await.expect("a database");
            let store = Store::open(database.url()).expect("a usable URL");
            store.migrate().await.expect("a migrated database");
            store.close().await;
            database
        })
        .await
}

/// The `leaver` program: the one that was built with the tests, or `LEAVER_BIN` where they run away from there.
pub(crate) fn program() -> std::ffi::OsString {
    std::env::var_os("LEAVER_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_leaver").into())
}

/// The `leaver` program with its configuration.
pub(crate) fn leaver(config: &std::path::Path) -> Command {
    let mut command = Command::new(program());
    command.arg("--config").arg(config).env("RUST_LOG", "info,sqlx=error").stdin(Stdio::null());
    command
}

/// A running `leaver serve`; killed when dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) public: String,
    pub(crate) admin: String,
    pub(crate) log: PathBuf,
}

impl Service {
    fn start(config: &std::path::Path, arguments: &[&str]) -> Self {
        let mut command = leaver(config);
        command.args(arguments);
        Self::run(command, config)
    }

    /// Starts a command that announces its listeners; its log stands beside the configuration.
    pub(crate) fn run(mut command: Command, config: &std::path::Path) -> Self {
        let log = config.with_extension("log");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("a process");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its first line");
        let mut addresses = line.split_whitespace().filter(|word| word.starts_with("http://"));
        let (public, admin) = (addresses.next(), addresses.next());
        let (Some(public), Some(admin)) = (public, admin) else {
            panic!("no addresses in {line:?}: {}", std::fs::read_to_string(&log).unwrap_or_default())
        };
        Self { public: public.to_owned(), admin: admin.to_owned(), child, log }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Posts a body to the source `workday`, rightly signed.
    pub(crate) async fn deliver(&self, body: &Value) -> (u16, Value) {
        self.deliver_bytes(body.to_string().as_bytes()).await
    }

    pub(crate) async fn deliver_bytes(&self, body: &[u8]) -> (u16, Value) {
        let answer = signed(&self.public, body, HRIS_SECRET).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("a JSON answer"))
    }

    /// The lines of the log so far.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).expect("a log");
        // The last line may still be on its way.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The value of one metric, written as in the exposition, or nothing where there is none.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let answer = client().get(format!("{}/metrics", self.admin)).send().await.expect("an answer");
        let text = answer.text().await.expect("metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    /// Calls the operator API.
    pub(crate) async fn api(&self, method: reqwest::Method, path: &str, token: &str) -> (u16, Value) {
        let request = client().request(method, format!("{}{path}", self.admin)).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("a JSON answer"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "--- log of the service ---\n{log}");
        }
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client")
}

/// A delivery to the source `workday`, signed here and not with the product's own code.
pub(crate) fn signed(service: &str, body: &[u8], secret: &str) -> reqwest::RequestBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    signed_at(service, body, secret, now)
}

pub(crate) fn signed_at(
    service: &str,
    body: &[u8],
    secret: &str,
    unix_seconds: u64,
) -> reqwest::RequestBuilder {
    let signature = signature(body, secret, unix_seconds);
    client()
        .post(format!("{service}/webhooks/workday"))
        .header("content-type", "application/json")
        .header("x-timestamp", unix_seconds.to_string())
        .header("x-signature", format!("sha256={signature}"))
        .body(body.to_vec())
}

/// A delivery to any source that signs as `workday` does, with any secret.
pub(crate) fn signed_for(
    service: &Service,
    source: &str,
    body: &[u8],
    secret: &str,
) -> reqwest::RequestBuilder {
    let request = signed(&service.public, body, secret).build().expect("a request");
    let mut url = request.url().clone();
    url.set_path(&format!("/webhooks/{source}"));
    client().post(url).headers(request.headers().clone()).body(body.to_vec())
}

/// What the source `workday` signs with, in hexadecimal.
pub(crate) fn signature(body: &[u8], secret: &str, unix_seconds: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(format!("{unix_seconds}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The body of a termination that took effect yesterday, so that it is due in every zone.
pub(crate) fn termination(event_id: &str, worker_id: &str, email: &str) -> Value {
    let yesterday = (Utc::now() - chrono::TimeDelta::days(2)).format("%Y-%m-%d").to_string();
    json!({
        "event": "worker.terminated", "eventId": event_id, "workerId": worker_id, "email": email,
        "terminationDate": yesterday, "terminationType": "voluntary",
    })
}

impl World {
    /// Starts a service whose configuration is edited first, for example to reach the database in another way.
    pub(crate) fn serve_edited(
        &self,
        more: &str,
        arguments: &[&str],
        edit: impl FnOnce(String) -> String,
    ) -> Service {
        Service::start(&self.edited_config(more, edit), arguments)
    }

    /// The configuration of this world after an edit of its text.
    pub(crate) fn edited_config(&self, more: &str, edit: impl FnOnce(String) -> String) -> PathBuf {
        let path = self.config(more);
        let text = std::fs::read_to_string(&path).expect("the configuration");
        std::fs::write(&path, edit(text)).expect("a configuration file");
        path
    }

    /// Reads the database behind the service's back.
    pub(crate) async fn rows(&self, query: &'static str) -> Vec<sqlx::postgres::PgRow> {
        use sqlx::Connection;
        let mut connection = sqlx::PgConnection::connect(self.database.url()).await.expect("a connection");
        sqlx::query(query).fetch_all(&mut connection).await.expect("a query that works")
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        use sqlx::Row;
        self.rows(query).await[0].get(0)
    }
}
