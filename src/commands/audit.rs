//! `leaver audit`: verifying the chain, writing the evidence, and the key of the checkpoints.

use std::io::Write as _;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

use super::{Failure, Output, print, progress};
use crate::config::Config;
use crate::offboarding::checkpoint::{CheckpointKey, CheckpointProof};
use crate::operate::{self, Export, ExportQuery, InMode, Witness};
use crate::serve::{self, Parts};

/// What `leaver audit export` is asked for.
#[derive(Debug)]
pub struct ExportArguments {
    /// `journal` or `offboardings`.
    pub what: String,
    /// `jsonl` or `csv`.
    pub format: String,
    /// Not before.
    pub since: Option<String>,
    /// Before.
    pub until: Option<String>,
}

/// Which key `leaver audit key` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWanted {
    /// The public key of the configured one.
    Configured,
    /// A new pair.
    New,
}

/// `leaver audit verify`.
pub async fn verify_audit(
    config: &Config,
    checkpoints: Vec<PathBuf>,
    public_keys: &[String],
    output: Output,
) -> Result<(), Failure> {
    let witness = witness(config, checkpoints, public_keys)?;
    let parts = Parts::new(config)?;
    let verifying = operate::verify(&parts.store, witness.as_ref());
    let verified = progress::shown("verifying the audit chain", verifying).await?;
    match output {
        Output::Json => print::json(&InMode::new(config.policy.mode, &verified)),
        Output::Text => print::verification(&verified),
    }
    match verified.problem {
        None => Ok(()),
        Some(problem) => Err(Failure::Failed(problem)),
    }
}

/// The checkpoints that are named, or the configured ones.
fn witness(config: &Config, files: Vec<PathBuf>, public_keys: &[String]) -> Result<Option<Witness>, Failure> {
    let configured = serve::witness(&config.audit);
    if files.is_empty() {
        return Ok(configured.filter(Witness::is_at_hand));
    }
    let read = |text: &String| {
        let refused =
            || Failure::Usage("--public-key: expected 32 bytes in hexadecimal or base64".to_owned());
        CheckpointProof::read(text).ok_or_else(refused)
    };
    let given = public_keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let keys = match configured {
        Some(configured) if given.is_empty() => configured.keys,
        Some(_) | None => given,
    };
    if keys.is_empty() {
        return Err(Failure::Usage(
            "--public-key: is needed where audit.checkpoint_key is not configured".to_owned(),
        ));
    }
    Ok(Some(Witness { files, keys }))
}

/// `leaver audit export`.
pub async fn export_audit(config: &Config, arguments: &ExportArguments) -> Result<(), Failure> {
    let ExportArguments { what, format, since, until } = arguments;
    let query = ExportQuery::read(Some(what), Some(format), since.as_deref(), until.as_deref());
    let query = query.map_err(|error| Failure::Usage(format!("--{error}")))?;
    let parts = Parts::new(config)?;
    let mut export = Export::begin(&parts.store, query).await?;
    let mut out = std::io::stdout();
    while let Some(lines) = progress::shown("reading the evidence", export.next_lines()).await? {
        // Half an export that looks like a whole one is worse than none.
        out.write_all(lines.as_bytes()).map_err(Failure::other)?;
    }
    out.flush().map_err(Failure::other)
}

/// `leaver audit key`.
pub fn audit_key(config: &Config, wanted: KeyWanted, output: Output) -> Result<(), Failure> {
    let (public, private) = match wanted {
        KeyWanted::Configured => {
            let missing = || Failure::Usage("audit.checkpoint_key: is missing".to_owned());
            (config.audit.checkpoint_key.as_ref().ok_or_else(missing)?.proof(), None)
        }
        KeyWanted::New => {
            let seed: [u8; 32] = rand::random();
            (CheckpointKey::of_seed(seed).proof(), Some(BASE64_STANDARD.encode(seed)))
        }
    };
    let public = public.to_string();
    match (output, private) {
        (Output::Json, Some(private)) => {
            print::json(&json!({ "public_key": public, "checkpoint_key": private }))
        }
        (Output::Json, None) => print::json(&json!({ "public_key": public })),
        (Output::Text, private) => print::audit_keys(&public, private.as_deref()),
    }
    Ok(())
}
