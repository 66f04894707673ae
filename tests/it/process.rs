//! Real `leaver worker` processes that tests kill, stop and end, and the bounded wait for what they get done.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::support;

/// The pause between two looks at a condition that a real process brings about.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Waits for a condition; fails with `what` where it does not come true in time.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A running `leaver worker`; killed when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Worker {
    process: Arc<Mutex<Process>>,
    pid: u32,
    log: PathBuf,
}

struct Process {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Worker {
    pub(crate) fn start(config: &Path) -> Self {
        let log = config.with_extension(format!("{}.log", uuid::Uuid::new_v4().simple()));
        let child = support::leaver(config)
            .args(["worker", "--no-migrate"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("a process");
        let pid = child.id();
        let process = Process { child, ended: None };
        Self { process: Arc::new(Mutex::new(process)), pid, log }
    }

    /// Ends it as `kill -9` does and returns when it is dead.
    pub(crate) fn kill(&self) {
        self.process().kill();
    }

    /// Sends `TERM`, `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid)]).status();
        assert!(sent.expect("a shell").success(), "SIG{name} could not be sent");
    }

    /// How it ended, or nothing while it runs.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut process = self.process();
        if process.ended.is_none() {
            process.ended = process.child.try_wait().expect("a state");
        }
        process.ended
    }

    /// Whether SIGSTOP holds it.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    fn kill(&mut self) {
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
