//! A certified issuer, run on this machine.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::browser::CONSOLE;

/// The secret of every client at the issuer.
pub(super) const CLIENT_SECRET: &str = "a-secret+of/the=client 0123456789";

/// A running issuer; killed when dropped.
pub(super) struct Issuer {
    child: Child,
    /// Kept open: it ends when it can't write a notice.
    _output: Lines<BufReader<ChildStdout>>,
    pub(super) url: String,
}

/// Where an issuer says roles and names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    InIdToken,
    InUserInfo,
}

impl Issuer {
    /// Starts one with these accounts, each with its claims. It has one client for each way of signing id tokens, called as the
    /// algorithm, and a public one.
    pub(super) fn start(accounts: &Value, claims: Claims) -> Self {
        let client = |id: &str, more: Value| {
            let mut client = json!({
                "client_id": id, "client_secret": CLIENT_SECRET, "redirect_uris": [format!("{CONSOLE}/sign-in/oidc/callback")],
                "response_types": ["code"], "grant_types": ["authorization_code"],
            });
            client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client
        };
        let signing = |algorithm: &str| client(algorithm, json!({"id_token_signed_response_alg": algorithm}));
        let mut clients: Vec<Value> =
            ["RS256", "PS256", "ES256", "EdDSA", "RS512", "HS256"].map(signing).to_vec();
        let mut public = client("public", json!({"token_endpoint_auth_method": "none"}));
        public.as_object_mut().unwrap().remove("client_secret");
        clients.push(public);
        let settings = json!({
            "clients": clients, "accounts": accounts, "claims_in_userinfo": claims == Claims::InUserInfo,
        });
        let mut child = Command::new("node")
            .arg(installed().join("issuer.mjs"))
            .arg(settings.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("node does not start ({error}): {NEEDED}"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let url = lines.find_map(|line| line.ok()?.strip_prefix("issuer ").map(str::to_owned));
        Self { url: url.expect("the issuer's address"), _output: lines, child }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const NEEDED: &str =
    "the tests of the sign-in need Node.js 20 or newer with npm on the PATH (apt-get install nodejs npm)";

/// The folder with the issuer and what it needs, installed from the lock file in the repository unless that was done before.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (from, to) = (root.join("tests/oidc"), root.join("target/tools/oidc"));
        std::fs::create_dir_all(&to).expect("a folder");
        let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
        let stamp = to.join("installed");
        let wanted = read(from.join("package-lock.json"));
        for file in ["package.json", "package-lock.json", "issuer.mjs"] {
            std::fs::copy(from.join(file), to.join(file)).expect("a copy");
        }
        if read(stamp.clone()) != wanted {
            run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]), &to);
            std::fs::write(stamp, wanted).expect("a stamp");
        }
        to
    })
}

fn run(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("npm does not start ({error}): {NEEDED}"));
    assert!(output.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&output.stderr));
}
