//! Signatures of Standard Webhooks (version 1.0.0): `id.timestamp.body`, HMAC-SHA256, one signature for each key.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Returns the value of `webhook-signature`: while a key is replaced, the old and the new one sign side by side, so that it
/// does not matter which of them a receiver has. None where there is no key.
pub(super) fn signatures(keys: &[Vec<u8>], id: Uuid, unix_seconds: i64, body: &str) -> Option<String> {
    let signed = keys.iter().filter_map(|key| {
        // A key of any length is one.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(format!("{id}.{unix_seconds}.").as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    });
    let signed: Vec<_> = signed.collect();
    (!signed.is_empty()).then(|| signed.join(" "))
}
