//! Verifying the audit chain: every link computed anew, every entry of the journal compared with its link, and the whole held
//! against signed checkpoints.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::PathBuf;

use serde::Serialize;
use utoipa::ToSchema;

use super::OperateError;
use crate::offboarding::chain::{self, Broken, Position};
use crate::offboarding::checkpoint::{Checkpoint, CheckpointProof};
use crate::store::audit::AuditLink;
use crate::store::{Store, StoreError};

/// A line of a checkpoint has 260 bytes, and one out of a log has some hundreds more.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Checkpoints that are compared at a time.
const CHECKPOINTS_MAX: usize = 1_000;

/// Checkpoints, and the keys that may have signed them.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Files with one checkpoint per line.
    pub files: Vec<PathBuf>,
    /// One of these has signed each.
    pub keys: Vec<CheckpointProof>,
}

impl Witness {
    /// Whether there is a file to hold a chain against. One that is not there yet, or is another replica's, says nothing
    /// against the chain.
    pub fn is_at_hand(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|file| file.exists())
    }
}

/// What came of verifying the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verification {
    /// Whether everything is as it was written.
    pub ok: bool,
    /// Links, from the first, that are as they should be.
    pub entries: i64,
    /// The hash of the last of them, in hexadecimal.
    pub head: String,
    /// The first link that is not as it should be; absent where an entry is in no link, and where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<i64>,
    /// What is wrong; absent where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the chain was held against; absent where there were no checkpoints to hold it against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Witnessed>,
}

/// What the checkpoints say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Witnessed {
    /// Checkpoints that are signed and fit.
    pub count: u64,
    /// The last link that one of them covers. What came later could be cut off without a trace.
    pub covers: i64,
    /// When the one of that link was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<String>,
    /// Lines that are no checkpoint, such as one that a crash cut off.
    pub unreadable_lines: u64,
}

/// What a verification finds wrong.
#[derive(Debug, thiserror::Error)]
enum Finding {
    /// The chain itself, or against a checkpoint.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// A line was changed, or another key signed it.
    #[error("line {line} of the checkpoints, of link {seq}, was signed by none of the keys")]
    NotSigned {
        /// Counted from 1, over all files.
        line: u64,
        /// The link that it names.
        seq: i64,
    },
    /// Nothing to hold the chain against.
    #[error("there is no checkpoint in the file")]
    NoCheckpoint,
}

impl Finding {
    fn seq(&self) -> Option<i64> {
        match self {
            Self::Broken(broken) => broken.seq(),
            Self::NotSigned { .. } | Self::NoCheckpoint => None,
        }
    }
}

/// Verifies the whole chain, in parts, while others write: up to the last link of the start at least.
pub async fn verify(store: &Store, witness: Option<&Witness>) -> Result<Verification, OperateError> {
    let mut position = Position::START;
    let mut witnessed = None;
    let finding = match whole(store, &mut position).await? {
        Some(broken) => Some(Finding::Broken(broken)),
        None => match witness {
            Some(witness) => hold_against(store, witness, &mut witnessed).await?,
            None => None,
        },
    };
    Ok(Verification {
        ok: finding.is_none(),
        entries: position.seq,
        head: hex::encode(position.hash),
        first_bad: finding.as_ref().and_then(Finding::seq),
        problem: finding.map(|finding| finding.to_string()),
        checkpoints: witnessed,
    })
}

/// Goes on from a place up to which the chain was verified before, to its end; what is wrong with it from there on.
pub async fn verify_on(store: &Store, position: &mut Position) -> Result<Option<Broken>, StoreError> {
    let signed = position.seq;
    if signed > 0 {
        match store.audit_hashes(&[signed]).await?.get(&signed) {
            None => {
                let entries = store.audit_entries().await?;
                return Ok(Some(Broken::TooShort { entries, signed }));
            }
            Some(hash) if *hash != position.hash => return Ok(Some(Broken::Rewritten(signed))),
            Some(_) => {}
        }
    }
    follow(store, position, signed).await
}

async fn whole(store: &Store, position: &mut Position) -> Result<Option<Broken>, StoreError> {
    // From before the first number, so that what was slipped in there is seen too.
    if let Some(broken) = follow(store, position, i64::MIN).await? {
        return Ok(Some(broken));
    }
    let mut after = i64::MIN;
    loop {
        let part = store.audit_chained(after).await?;
        if let Some(seq) = part.not_chained {
            return Ok(Some(Broken::EntryNotChained(seq)));
        }
        match part.last {
            Some(last) => after = last,
            None => return Ok(None),
        }
    }
}

/// Follows the links after this number up to the one that is last now.
async fn follow(
    store: &Store,
    position: &mut Position,
    mut after: i64,
) -> Result<Option<Broken>, StoreError> {
    let up_to = store.audit_entries().await?;
    while after < up_to {
        let links = store.audit_links(after).await?;
        let Some(last) = links.last() else { return Ok(None) };
        after = last.link.seq;
        for AuditLink { link, journal } in &links {
            let mut next = *position;
            if let Err(broken) = next.follow(link).and_then(|()| chain::compare(link, journal.as_ref())) {
                return Ok(Some(broken));
            }
            *position = next;
        }
    }
    Ok(None)
}

/// Holds a chain that is sound in itself against every checkpoint.
async fn hold_against(
    store: &Store,
    witness: &Witness,
    told: &mut Option<Witnessed>,
) -> Result<Option<Finding>, OperateError> {
    let witnessed = told.insert(Witnessed::default());
    let mut line = 0;
    for file in &witness.files {
        let mut reader = BufReader::new(File::open(file).map_err(|cause| unreadable(file, cause))?);
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        loop {
            let ended = read_line(&mut reader, &mut bytes).map_err(|cause| unreadable(file, cause))?;
            if !bytes.trim_ascii().is_empty() {
                line += 1;
                match serde_json::from_slice::<Checkpoint>(&bytes) {
                    Ok(checkpoint) => waiting.push((line, checkpoint)),
                    Err(_) => witnessed.unreadable_lines += 1,
                }
            }
            if waiting.len() == CHECKPOINTS_MAX || ended {
                if let Some(finding) = compare(store, &witness.keys, &waiting, witnessed).await? {
                    return Ok(Some(finding));
                }
                waiting.clear();
            }
            if ended {
                break;
            }
        }
    }
    Ok((witnessed.count == 0).then_some(Finding::NoCheckpoint))
}

async fn compare(
    store: &Store,
    keys: &[CheckpointProof],
    checkpoints: &[(u64, Checkpoint)],
    witnessed: &mut Witnessed,
) -> Result<Option<Finding>, StoreError> {
    let seqs: Vec<i64> = checkpoints.iter().map(|(_, checkpoint)| checkpoint.seq).collect();
    let hashes = store.audit_hashes(&seqs).await?;
    for (line, checkpoint) in checkpoints {
        let seq = checkpoint.seq;
        let Some(signed) = checkpoint.proved(keys) else {
            return Ok(Some(Finding::NotSigned { line: *line, seq }));
        };
        match hashes.get(&seq) {
            None => {
                let entries = store.audit_entries().await?;
                return Ok(Some(Broken::TooShort { entries, signed: seq }.into()));
            }
            Some(hash) if *hash != signed => return Ok(Some(Broken::Rewritten(seq).into())),
            Some(_) => {}
        }
        witnessed.count += 1;
        if seq >= witnessed.covers {
            witnessed.covers = seq;
            witnessed.signed_at = Some(checkpoint.time.clone());
        }
    }
    Ok(None)
}

/// Reads one line, or a piece of one that is too long to be a checkpoint; whether the file has ended.
fn read_line(reader: &mut BufReader<File>, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    Ok(reader.take(LINE_BYTES_MAX).read_until(b'\n', bytes)? == 0)
}

fn unreadable(file: &std::path::Path, cause: io::Error) -> OperateError {
    OperateError::Checkpoints { file: file.to_owned(), cause }
}
