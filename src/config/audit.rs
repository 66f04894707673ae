//! `[audit]`: signed checkpoints of the audit chain; leaves writing them to `serve`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::section::Section;
use crate::offboarding::checkpoint::{CheckpointKey, CheckpointProof};

pub(super) const KEYS: &[&str] =
    &["checkpoint_key", "checkpoint_file", "checkpoint_every", "checkpoint_public_keys"];

/// Shorter only fills the file; what is not covered within a day is noticed too late.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// How checkpoints are written. None are, where there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The ed25519 key that signs: the 32 bytes of its seed in hexadecimal or base64. Default none.
    pub checkpoint_key: Option<CheckpointKey>,
    /// Where each is appended, besides the log. Default none; an absolute path.
    pub checkpoint_file: Option<PathBuf>,
    /// The shortest time between two. Default 60 s, 1 s to 1 day.
    pub checkpoint_every: Duration,
    /// Public keys whose private ones signed before: what they signed still stands in the file. Default none.
    pub checkpoint_public_keys: Vec<CheckpointProof>,
}

impl Audit {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let key = match section.text("checkpoint_key", "a key")? {
            // Not through `parse`, which would show what it found.
            Some(text) => Some(CheckpointKey::read(&text.value).ok_or_else(|| refused_key(text.key))?),
            None => None,
        };
        let file_key = section.key("checkpoint_file");
        let file = section.text("checkpoint_file", "an absolute path")?;
        let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let file = file.map(|text| text.parse("an absolute path", absolute)).transpose()?;
        if file.is_some() && key.is_none() {
            return Err(ConfigError::refused(
                file_key,
                "needs audit.checkpoint_key, which signs what stands there",
            ));
        }
        let every = section.duration("checkpoint_every", Duration::from_secs(60), EVERY)?;
        let earlier = section.list("checkpoint_public_keys")?.unwrap_or_default();
        let expected =
            "an ed25519 public key of 32 bytes in hexadecimal or base64 (`leaver audit key` shows it)";
        let earlier: Vec<_> = earlier
            .iter()
            .map(|text| text.parse(expected, CheckpointProof::read))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            checkpoint_public_keys: earlier,
            checkpoint_key: key,
            checkpoint_file: file,
            checkpoint_every: every,
        })
    }
}

fn refused_key(key: String) -> ConfigError {
    let problem =
        "expected an ed25519 seed of 32 bytes in hexadecimal or base64 (`leaver audit key --new` makes one)";
    ConfigError::refused(key, problem)
}
