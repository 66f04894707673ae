//! A `leaver` process that does not outlive the demo, even where the demo is killed. What it is told to do, and what it
//! answers, is left to `service`.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Shell, ChildStdout, Command};

/// What the shell runs that looks after the process.
const GUARDIAN: &str = include_str!("child.sh");

/// How long an orderly end may take before it is no longer waited for; `leaver` promises 25 s and needs less than one.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How long a process that was killed may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// A running process with its log.
pub(crate) struct Child {
    shell: Shell,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts `program` with a log file of its own.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        config: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("can't write {}", log.display()))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARDIAN, "leaver-demo-guardian"]).arg(program).args(arguments);
        command.arg("--config").arg(config).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        // The caller's settings are for the caller's own Leaver.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"LEAVER_"))
        {
            command.env_remove(name);
        }
        // A group of its own: Ctrl-C is for the demo, which then ends this process in good order.
        command.env_remove("RUST_LOG").process_group(0);
        let mut shell = command.spawn().context("can't run /bin/sh")?;
        let output = shell.stdout.take().context("a process without output")?;
        Ok(Self { shell, output: BufReader::new(output).lines() })
    }

    /// Waits for the next line that the process prints; nothing once it has ended.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        self.output.next_line().await.ok().flatten()
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.shell.try_wait(), Ok(None))
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<ExitStatus> {
        self.signal("KILL").await;
        let ended = tokio::time::timeout(KILL_LIMIT, self.shell.wait()).await;
        ended.context("a killed process is still there")?.context("can't wait for a process")
    }

    /// Ends it in good order, or else kills it.
    pub(crate) async fn end(mut self) {
        self.signal("TERM").await;
        if tokio::time::timeout(STOP_LIMIT, self.shell.wait()).await.is_err() {
            // The shell kills the process when its pipe closes.
            drop(self.shell.stdin.take());
            let _ = tokio::time::timeout(KILL_LIMIT, self.shell.wait()).await;
        }
    }

    /// Without effect on a process that has ended.
    async fn signal(&mut self, name: &str) {
        if let Some(orders) = self.shell.stdin.as_mut() {
            let _ = orders.write_all(format!("{name}\n").as_bytes()).await;
            let _ = orders.flush().await;
        }
    }
}
