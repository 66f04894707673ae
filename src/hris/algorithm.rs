//! The algorithms of signatures: makes the code of a text and proves one, for secret keys and for pairs of keys.
//! Which text is signed and how a code is written are left to the signature.

use ed25519_dalek::{SECRET_KEY_LENGTH, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

use super::auth::SignError;

/// How a code is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// HMAC-SHA256 (RFC 2104).
    Sha256,
    /// HMAC-SHA512.
    Sha512,
    /// Ed25519 (RFC 8032). The receiver has the public key, which signs nothing.
    Ed25519,
}

impl Algorithm {
    /// Whether one of the candidates is the code of this text under the key. Every candidate is tried.
    pub(super) fn proves(self, key: &[u8], text: &[&[u8]], candidates: &[Vec<u8>]) -> bool {
        match self {
            Self::Sha256 => proves::<Hmac<Sha256>>(key, text, candidates),
            Self::Sha512 => proves::<Hmac<Sha512>>(key, text, candidates),
            Self::Ed25519 => public_key(key).is_some_and(|key| {
                let text = text.concat();
                candidates.iter().fold(false, |found, candidate| {
                    let signature = ed25519_dalek::Signature::from_slice(candidate);
                    // Strictly: neither a second spelling of a signature nor a point of small order proves anything.
                    signature.is_ok_and(|signature| key.verify_strict(&text, &signature).is_ok()) | found
                })
            }),
        }
    }

    /// Makes the code of a text with a secret key, or with the seed of a pair.
    pub(super) fn make(self, key: &[u8], text: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Sha256 => Ok(mac::<Hmac<Sha256>>(key, &[text]).finalize().into_bytes().to_vec()),
            Self::Sha512 => Ok(mac::<Hmac<Sha512>>(key, &[text]).finalize().into_bytes().to_vec()),
            Self::Ed25519 => Ok(pair(key).ok_or(SignError::BadPrivateKey)?.sign(text).to_bytes().to_vec()),
        }
    }
}

/// Reads a public key that can prove something: 32 bytes in their one spelling, of a point of large order.
pub(super) fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    let canonical = key.to_edwards().compress().as_bytes() == key.as_bytes();
    (canonical && !key.is_weak()).then_some(key)
}

/// Reads a private key: the seed of 32 bytes, or the seed and its public key.
fn pair(bytes: &[u8]) -> Option<SigningKey> {
    if bytes.len() == SECRET_KEY_LENGTH {
        return Some(SigningKey::from_bytes(bytes.try_into().ok()?));
    }
    SigningKey::from_keypair_bytes(bytes.try_into().ok()?).ok()
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[&[u8]]) -> M {
    #[expect(
        clippy::expect_used,
        reason = "HMAC hashes keys that are too long and pads the others (RFC 2104, 2)"
    )]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in text {
        mac.update(part);
    }
    mac
}

/// `verify_slice` compares whole codes in constant time.
fn proves<M: Mac + KeyInit + Clone>(key: &[u8], text: &[&[u8]], candidates: &[Vec<u8>]) -> bool {
    let mac = mac::<M>(key, text);
    candidates.iter().fold(false, |found, candidate| mac.clone().verify_slice(candidate).is_ok() | found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 2.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f\
                             3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn bytes(digits: &str) -> Vec<u8> {
        hex::decode(digits).unwrap()
    }

    #[test]
    fn the_published_pair_signs_and_proves_its_published_message() {
        let pair = [bytes(SEED), bytes(PUBLIC)].concat();
        for private in [bytes(SEED), pair.clone()] {
            assert_eq!(Algorithm::Ed25519.make(&private, b"\x72"), Ok(bytes(SIGNATURE)));
        }
        assert!(Algorithm::Ed25519.proves(&bytes(PUBLIC), &[b"\x72"], &[bytes(SIGNATURE)]));
        assert!(Algorithm::Ed25519.proves(&bytes(PUBLIC), &[b"", b"\x72"], &[vec![0; 64], bytes(SIGNATURE)]));
        assert!(!Algorithm::Ed25519.proves(&bytes(PUBLIC), &[b"\x73"], &[bytes(SIGNATURE)]));
        let other_half = [bytes(SEED), vec![7; 32]].concat();
        for wrong in [&other_half[..], &pair[..63], &[], &pair[..31]] {
            assert_eq!(Algorithm::Ed25519.make(wrong, b""), Err(SignError::BadPrivateKey));
        }
    }

    #[test]
    fn a_second_spelling_of_a_signature_proves_nothing() {
        // S and S + L are the same number to whoever doesn't look (RFC 8032, 5.1.7).
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut signature = bytes(SIGNATURE);
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert!(!Algorithm::Ed25519.proves(&bytes(PUBLIC), &[b"\x72"], &[signature]));
    }

    #[test]
    fn a_key_that_proves_anything_or_nothing_is_none() {
        assert!(public_key(&bytes(PUBLIC)).is_some());
        let small_orders = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ];
        // The number 3 as it is, which is on the curve, and with the prime added: a second spelling.
        let three = "0300000000000000000000000000000000000000000000000000000000000000";
        let three_again = "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
        assert!(public_key(&bytes(three)).is_some());
        // Not on the curve at all.
        let nowhere = "0200000000000000000000000000000000000000000000000000000000000000";
        for wrong in small_orders.into_iter().chain([three_again, nowhere, &PUBLIC[2..], ""]) {
            assert!(public_key(&bytes(wrong)).is_none(), "{wrong}");
        }
    }
}
