//! Signed checkpoints of the audit chain: what a line says, how it is signed, and whether it was. Where lines are kept is
//! left to others; a chain that is rewritten or cut off no longer fits the lines that left the machine.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::chain::{Hash, Position};

/// The key that signs. It has no public way to its bytes and never shows them.
#[derive(Clone)]
pub struct CheckpointKey(SigningKey);

/// The key that proves, which everybody may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointProof(VerifyingKey);

/// One line. Other members of the object, as a log adds them, mean nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last link that it covers.
    pub seq: i64,
    /// That link's hash, in hexadecimal.
    pub hash: String,
    /// When it was signed, by the signer's clock, as RFC 3339.
    pub time: String,
    /// Ed25519 over seq, hash and time, in hexadecimal.
    pub signature: String,
}

impl CheckpointKey {
    /// Reads the 32 bytes of a seed, in hexadecimal or base64.
    pub fn read(text: &str) -> Option<Self> {
        Some(Self(SigningKey::from_bytes(&bytes_of::<SECRET_KEY_LENGTH>(text)?)))
    }

    /// Makes a key of these random bytes.
    pub fn of_seed(seed: [u8; SECRET_KEY_LENGTH]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The key that proves what this one signs.
    pub fn proof(&self) -> CheckpointProof {
        CheckpointProof(self.0.verifying_key())
    }

    /// Signs that the chain has come so far.
    pub fn sign(&self, position: &Position, at: DateTime<Utc>) -> Checkpoint {
        let (hash, time) = (hex::encode(position.hash), at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let signature = self.0.sign(message(position.seq, &hash, &time).as_bytes());
        Checkpoint { seq: position.seq, hash, time, signature: hex::encode(signature.to_bytes()) }
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointKey({})", self.proof())
    }
}

impl PartialEq for CheckpointKey {
    fn eq(&self, other: &Self) -> bool {
        self.proof() == other.proof()
    }
}

impl Eq for CheckpointKey {}

impl CheckpointProof {
    /// Reads the 32 bytes of a public key, in hexadecimal or base64.
    pub fn read(text: &str) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&bytes_of::<32>(text)?).ok()?;
        // A point of small order "proves" any text.
        (!key.is_weak()).then_some(Self(key))
    }
}

impl fmt::Display for CheckpointProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_bytes()))
    }
}

impl Checkpoint {
    /// The link's hash, where one of the keys signed this.
    pub fn proved(&self, keys: &[CheckpointProof]) -> Option<Hash> {
        let signature = Signature::from_slice(&hex::decode(&self.signature).ok()?).ok()?;
        let message = message(self.seq, &self.hash, &self.time);
        let signed = keys.iter().any(|key| key.0.verify_strict(message.as_bytes(), &signature).is_ok());
        hex::decode(&self.hash).ok()?.try_into().ok().filter(|_| signed)
    }
}

/// What is signed: nothing else that this key signs begins so.
fn message(seq: i64, hash: &str, time: &str) -> String {
    format!("leaver audit checkpoint 1\n{seq}\n{hash}\n{time}")
}

/// So many bytes in hexadecimal or base64.
fn bytes_of<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let text = text.trim();
    let bytes = if text.len() == 2 * LENGTH { hex::decode(text).ok() } else { None };
    bytes.or_else(|| BASE64_STANDARD.decode(text).ok())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CheckpointKey {
        CheckpointKey::of_seed([byte; 32])
    }

    #[test]
    fn a_key_is_read_in_both_spellings_and_in_no_other_length() {
        let seed = [7; 32];
        let whole = key(7);
        for text in [hex::encode(seed), BASE64_STANDARD.encode(seed), format!(" {}\n", hex::encode(seed))] {
            assert_eq!(CheckpointKey::read(&text), Some(whole.clone()), "{text}");
        }
        for wrong in
            ["", "abcd", &hex::encode([7; 31]), &hex::encode([7; 33]), &BASE64_STANDARD.encode([7; 64])]
        {
            assert_eq!(CheckpointKey::read(wrong), None, "{wrong}");
        }
        assert!(!format!("{whole:?}").contains(&hex::encode(seed)));
        assert_eq!(CheckpointProof::read(&whole.proof().to_string()), Some(whole.proof()));
        assert_eq!(CheckpointProof::read(&"00".repeat(32)), None, "a key that proves anything");
    }

    #[test]
    fn a_line_proves_what_it_says_and_nothing_else() {
        let position = Position { seq: 42, hash: [9; 32] };
        let at = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let line = key(1).sign(&position, at);
        let keys = [key(2).proof(), key(1).proof()];
        assert_eq!(line.proved(&keys), Some([9; 32]));
        assert_eq!(line.proved(&keys[..1]), None);
        let changed = |change: &dyn Fn(&mut Checkpoint)| {
            let mut line = line.clone();
            change(&mut line);
            line.proved(&keys)
        };
        assert_eq!(changed(&|line| line.seq += 1), None);
        assert_eq!(changed(&|line| line.hash = hex::encode([8; 32])), None);
        assert_eq!(changed(&|line| line.time = "2027-01-02T03:04:05.678Z".to_owned()), None);
        assert_eq!(changed(&|line| line.signature = "00".repeat(64)), None);
        assert_eq!(changed(&|line| line.signature.truncate(10)), None);
    }
}
