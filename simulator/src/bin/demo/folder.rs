//! A folder for configuration and logs that is gone with the demo, also after `kill -9`: a shell outlives the demo just
//! long enough to remove it. What is in it is left to whoever writes there.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// What the shell runs.
const SWEEPER: &str = include_str!("folder.sh");

/// The folder, entered by its owner alone: the configuration holds secrets.
pub(crate) struct Folder {
    path: PathBuf,
    sweeper: Child,
}

impl Folder {
    pub(crate) fn make() -> io::Result<Self> {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let path = std::env::temp_dir().join(format!("leaver-demo-{}", &random[..12]));
        DirBuilder::new().mode(0o700).create(&path)?;
        let sweeper = Command::new("/bin/sh")
            .args(["-c", SWEEPER, "leaver-demo-sweeper"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C is for the demo, which then closes the pipe.
            .process_group(0)
            .spawn()
            .inspect_err(|_| drop(fs::remove_dir(&path)))?;
        Ok(Self { path, sweeper })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it and waits until it is gone.
    pub(crate) async fn remove(mut self) -> io::Result<()> {
        drop(self.sweeper.stdin.take());
        self.sweeper.wait().await.map(drop)
    }
}
