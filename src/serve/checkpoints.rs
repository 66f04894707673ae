//! Writes signed checkpoints of the audit chain: into the log, and into a file that is only ever appended to. A chain that does
//! not continue the last checkpoint is not signed, and said so.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use crate::config::Audit;
use crate::offboarding::checkpoint::{Checkpoint, CheckpointKey};
use crate::operate;
use crate::store::{Store, StoreError};

/// How often within the interval a process asks whether it is its turn, so that another takes over soon from one that ended.
const LOOKS_PER_INTERVAL: u32 = 6;

/// The longest pause between two of these questions.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(10);

/// The checkpoints that this configuration has written, and the keys that prove them: the present one and those before.
/// Without a file they are in the log only.
pub fn witness(audit: &Audit) -> Option<operate::Witness> {
    let key = audit.checkpoint_key.as_ref()?;
    let keys = std::iter::once(key.proof()).chain(audit.checkpoint_public_keys.iter().copied()).collect();
    Some(operate::Witness { files: audit.checkpoint_file.iter().cloned().collect(), keys })
}

/// What keeps a checkpoint from being written.
#[derive(Debug, thiserror::Error)]
enum NotWritten {
    /// The database is away.
    #[error("the database could not be asked")]
    Store(#[from] StoreError),
    /// The file can't be appended to.
    #[error("the file of checkpoints can't be written")]
    File(#[from] io::Error),
    /// The thread that writes ended early.
    #[error("the file of checkpoints was not written to its end")]
    TaskEnded(#[from] tokio::task::JoinError),
}

/// Whoever signs.
pub(super) struct Checkpoints {
    store: Store,
    key: CheckpointKey,
    file: Option<PathBuf>,
    every: Duration,
}

impl Checkpoints {
    /// Nothing, where no key is configured.
    pub(super) fn new(audit: &Audit, store: &Store) -> Option<Self> {
        Some(Self {
            store: store.clone(),
            key: audit.checkpoint_key.clone()?,
            file: audit.checkpoint_file.clone(),
            every: audit.checkpoint_every,
        })
    }

    /// Writes one whenever it is this process's turn, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let pause = (self.every / LOOKS_PER_INTERVAL).min(LOOK_PAUSE_MAX);
        loop {
            if let Err(error) = self.write_one().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no audit checkpoint could be written; the next interval tries again"
                );
            }
            tokio::select! { () = tokio::time::sleep(pause) => {} () = stop.cancelled() => return }
        }
    }

    async fn write_one(&self) -> Result<(), NotWritten> {
        let Some(mut position) = self.store.audit_claim(self.every).await? else { return Ok(()) };
        // Signing what was rewritten would make it right.
        if let Some(broken) = operate::verify_on(&self.store, &mut position).await? {
            tracing::error!(
                first_bad = broken.seq(),
                problem = %broken,
                "the audit chain does not continue the last checkpoint: it is not signed"
            );
            return Ok(self.store.audit_problem(&broken.to_string()).await?);
        }
        let checkpoint = self.key.sign(&position, Utc::now());
        let Checkpoint { seq, hash, time, signature } = &checkpoint;
        tracing::info!(seq, hash, time, signature, "audit checkpoint");
        if let Some(file) = self.file.clone() {
            // A disk that hangs holds up this task alone.
            tokio::task::spawn_blocking(move || append(&file, &checkpoint)).await??;
        }
        Ok(self.store.audit_covered(position).await?)
    }
}

/// Appends one line and waits until the disk has it.
fn append(path: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let new = !path.exists();
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let mut line = serde_json::to_vec(checkpoint)?;
    line.push(b'\n');
    if !ends_a_line(&mut file)? {
        // What a crash cut off stays as it is, on a line of its own.
        line.insert(0, b'\n');
    }
    file.write_all(&line)?;
    file.sync_all()?;
    match path.parent() {
        // The name of a new file is in its folder.
        Some(folder) if new => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offboarding::chain::Position;

    #[test]
    fn a_line_that_a_crash_cut_off_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints.jsonl");
        let key = CheckpointKey::of_seed([3; 32]);
        let checkpoint = |seq| key.sign(&Position { seq, hash: [4; 32] }, Utc::now());
        append(&path, &checkpoint(1)).unwrap();
        append(&path, &checkpoint(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
        append(&path, &checkpoint(3)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<_> = text.lines().map(|line| serde_json::from_str::<Checkpoint>(line).ok()).collect();
        assert_eq!(read, [Some(checkpoint_of(&text, 0)), None, Some(checkpoint_of(&text, 2))]);
        assert!(text.ends_with('\n'));
    }

    fn checkpoint_of(text: &str, line: usize) -> Checkpoint {
        serde_json::from_str(text.lines().nth(line).unwrap()).unwrap()
    }
}
